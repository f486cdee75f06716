package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/models"
	"halcyon/pkg/store"
)

// checker compares the answers to customers, the database, and the machines in the
// vCenter.
type checker struct {
	customers *customers
	read      *store.Tx
	bad       []error
}

func (c *checker) complain(format string, args ...any) {
	if len(c.bad) < 50 {
		c.bad = append(c.bad, fmt.Errorf(format, args...))
	}
}

// check runs all checks after all processes but the simulator have ended.
func (d *drill) check(ctx context.Context, customers *customers, r *Report) error {
	s, err := store.Open(ctx, store.Config{URL: d.DatabaseURL})
	if err != nil {
		return err
	}
	defer s.Close()
	c := &checker{customers: customers, read: s.Read(ctx)}
	machines, err := d.machines(ctx)
	if err != nil {
		return fmt.Errorf("read the machines from the vCenter: %w", err)
	}
	servers, err := store.Find[models.Server](c.read.Order("id"))
	if err != nil {
		return err
	}
	for _, check := range []func() error{
		func() error { return c.orders(servers) },
		c.jobs,
		func() error { return c.servers(servers) },
		c.services,
		func() error { return c.addresses(servers) },
		c.history,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	c.machines(servers, machines)
	for i := range servers {
		switch servers[i].Status {
		case models.ServerActive:
			r.Servers++
		case models.ServerHistorical:
			r.Removed++
		case models.ServerProv, models.ServerModify, models.ServerDecom, models.ServerProvFailed:
		}
	}
	return errors.Join(c.bad...)
}

// orders checks that each order exists once and has created what it asked for.
func (c *checker) orders(servers []models.Server) error {
	rows, err := store.Find[models.Order](c.read.Order("id"))
	if err != nil {
		return err
	}
	made := map[models.ID]int{}
	for i := range servers {
		made[servers[i].OrderID]++
	}
	seen := map[string]int{}
	for i := range rows {
		o := &rows[i]
		seen[o.Name]++
		told, known := c.customers.orders[o.Name]
		if !known || told.id != o.ID.String() {
			c.complain("order %s (%s) is nobody's", o.ID, o.Name)
			continue
		}
		if o.Status != models.OrderSuccess || o.EndedAt == nil {
			c.complain("order %s (%s) is %s: %s", o.ID, told.kind, o.Status, c.failureReasons(o.ID))
		}
		if o.Status != told.status {
			c.complain("order %s is %s, and its customer was told %s", o.ID, o.Status, told.status)
		}
		want := map[string]int{kindServer: 1, kindStack: 3}[told.kind]
		if made[o.ID] != want {
			c.complain("order %s (%s) made %d servers, not %d", o.ID, told.kind, made[o.ID], want)
		}
		if want = max(want, 1); len(told.servers) != want { // includes servers that it changes or removes
			c.complain("order %s (%s) names %d servers, not %d", o.ID, told.kind, len(told.servers), want)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.customers.orders)) {
		if seen[n] != 1 {
			c.complain("there are %d orders %s", seen[n], n)
		}
	}
	if len(rows) != c.customers.drill.Orders {
		c.complain("there are %d orders, not %d", len(rows), c.customers.drill.Orders)
	}
	return nil
}

// failureReasons returns the errors of an order's jobs.
func (c *checker) failureReasons(order models.ID) string {
	jobs, err := store.Find[models.Job](c.read.Where("order_id = ? AND status <> ?", order, models.JobSuccess).Order("id"))
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, j := range jobs {
		out = append(out, fmt.Sprintf("job %s %s %s %s", j.ID, j.Type, j.Status, j.Errors))
	}
	return strings.Join(out, "; ")
}

// jobs checks that each task has one job, and that all jobs and steps have ended.
func (c *checker) jobs() error {
	jobs, err := store.Find[models.Job](c.read.Order("id"))
	if err != nil {
		return err
	}
	type thing struct {
		order models.ID
		t     models.JobType
	}
	count := map[thing]int{}
	steps, err := store.Find[models.JobStep](c.read.Order("id"))
	if err != nil {
		return err
	}
	total := map[models.ID]int{}
	for _, st := range steps {
		total[st.JobID]++
		if st.Status != models.StepDone || st.LeaseUntil != nil || st.LeaseOwner != "" {
			c.complain("step %s of job %s is %s, held by %q", st.Name, st.JobID, st.Status, st.LeaseOwner)
		}
	}
	for i := range jobs {
		j := &jobs[i]
		count[thing{j.OrderID, j.Type}]++
		if j.Status != models.JobSuccess || j.StartedAt == nil || j.EndedAt == nil {
			c.complain("job %s (%s of order %s) is %s: %s", j.ID, j.Type, j.OrderID, j.Status, j.Errors)
		}
		if j.CompletedTasks != j.TotalTasks {
			c.complain("job %s (%s) has done %d of %d", j.ID, j.Type, j.CompletedTasks, j.TotalTasks)
		}
		if j.Type != models.JobDeploy && total[j.ID] != j.TotalTasks {
			c.complain("job %s (%s) has %d steps and counts %d", j.ID, j.Type, total[j.ID], j.TotalTasks)
		}
	}
	want := map[thing]int{}
	for _, o := range c.customers.orders {
		var id models.ID
		if _, err := fmt.Sscan(o.id, &id); err != nil {
			return err
		}
		switch o.kind {
		case kindServer:
			want[thing{id, models.JobDeploy}], want[thing{id, models.JobProvision}] = 1, 1
		case kindStack:
			want[thing{id, models.JobDeploy}], want[thing{id, models.JobProvision}] = 1, 3
		case kindModify:
			want[thing{id, models.JobModify}] = 1
		case kindDecom:
			want[thing{id, models.JobDecom}] = 1
		}
	}
	if !maps.Equal(count, want) {
		c.complain("the jobs by order and type are %v, not %v", count, want)
	}
	return nil
}

// servers checks that exactly the servers that customers expect exist.
func (c *checker) servers(servers []models.Server) error {
	for i := range servers {
		sv := &servers[i]
		href := "/api/v2/servers/" + sv.ID.String() + "/"
		memory, wanted := c.customers.memory[href]
		want := models.ServerHistorical
		if wanted {
			want = models.ServerActive
		}
		if sv.Status != want {
			c.complain("server %s is %s, not %s", sv.ID, sv.Status, want)
		}
		if wanted && sv.MemoryMB != memory {
			c.complain("server %s has %d MB, not %d", sv.ID, sv.MemoryMB, memory)
		}
		if !wanted && !c.customers.removed[href] {
			c.complain("server %s is nobody's", sv.ID)
		}
	}
	if want := len(c.customers.memory) + len(c.customers.removed); len(servers) != want {
		c.complain("there are %d servers, not %d", len(servers), want)
	}
	return nil
}

// services checks that the status of services matches their servers.
func (c *checker) services() error {
	rows, err := store.Find[models.Service](c.read.Order("id"))
	if err != nil {
		return err
	}
	for i := range rows {
		var left int64
		if err := c.read.Model(&models.Server{}).Where("service_id = ? AND status <> ?", rows[i].ID, models.ServerHistorical).Count(&left).Error; err != nil {
			return err
		}
		want := models.ServiceActive
		if left == 0 {
			want = models.ServiceHistorical
		}
		if rows[i].Status != want {
			c.complain("service %s is %s with %d servers", rows[i].ID, rows[i].Status, left)
		}
	}
	return nil
}

// addresses checks that each server has an address of its own, and that no other addresses are in use.
func (c *checker) addresses(servers []models.Server) error {
	rows, err := store.Find[models.IPAddress](c.read.Order("server_id"))
	if err != nil {
		return err
	}
	have, want := map[models.ID]string{}, map[models.ID]string{}
	used := map[string]models.ID{}
	for _, a := range rows {
		if other, twice := used[a.Address]; twice {
			c.complain("servers %s and %s both have %s", other, a.ServerID, a.Address)
		}
		used[a.Address] = a.ServerID
		have[a.ServerID] = a.Address
	}
	for i := range servers {
		if servers[i].Status == models.ServerActive {
			want[servers[i].ID] = servers[i].IP
		}
	}
	if !maps.Equal(have, want) {
		c.complain("the addresses given are %v, those of servers %v", have, want)
	}
	return nil
}

// history checks that each event is recorded once.
func (c *checker) history() error {
	var rows []struct {
		ObjectType string
		Event      string
		N          int
	}
	err := c.read.Raw(`SELECT object_type, event, max(n) AS n FROM
		(SELECT object_type, object_id, event, count(*) AS n FROM history
			WHERE object_type IN ? AND event <> 'modified' AND event <> 'status' GROUP BY object_type, object_id, event) e
		GROUP BY object_type, event`, []string{models.ObjectOrder, models.ObjectServer}).Scan(&rows).Error
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		c.complain("there is no history")
	}
	for _, r := range rows {
		if r.N != 1 {
			c.complain("history tells of %q %d times for one %s", r.Event, r.N, r.ObjectType)
		}
	}
	return nil
}

// machine is a machine in the vCenter.
type machine struct {
	ref, name, tag, index, ip string
	cpus, memoryMB            int
	on                        bool
}

// machines reads all machines but the templates over the vSphere API.
func (d *drill) machines(ctx context.Context) ([]machine, error) {
	u, err := url.Parse(d.vcenter.URL)
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword(d.vcenter.Username, d.vcenter.Password)
	client, err := govmomi.NewClient(ctx, u, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Logout(context.WithoutCancel(ctx)) }() // the result has been read
	v, err := view.NewManager(client.Client).CreateContainerView(ctx, client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		return nil, err
	}
	var all []mo.VirtualMachine
	if err := v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "config", "runtime.powerState", "guest.ipAddress"}, &all); err != nil {
		return nil, err
	}
	var out []machine
	for i := range all {
		vm := &all[i]
		if vm.Config != nil && vm.Config.Template {
			continue
		}
		m := machine{ref: vm.Self.Value, name: vm.Name, on: vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn}
		if vm.Guest != nil {
			m.ip = vm.Guest.IpAddress
		}
		if vm.Config != nil {
			m.index, m.cpus, m.memoryMB = vm.Config.InstanceUuid, int(vm.Config.Hardware.NumCPU), int(vm.Config.Hardware.MemoryMB)
			for _, o := range vm.Config.ExtraConfig {
				if v := o.GetOptionValue(); v.Key == "halcyon.uuid" {
					m.tag, _ = v.Value.(string)
				}
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// machines checks that each server has exactly one machine that matches its row, and that
// there are no others.
func (c *checker) machines(servers []models.Server, machines []machine) {
	byTag := map[string][]machine{}
	for _, m := range machines {
		byTag[m.tag] = append(byTag[m.tag], m)
	}
	for i := range servers {
		sv := &servers[i]
		found := byTag[sv.UUID]
		delete(byTag, sv.UUID)
		if sv.Status == models.ServerHistorical {
			if len(found) > 0 {
				c.complain("server %s is gone, and its machine %s is not", sv.ID, found[0].ref)
			}
			continue
		}
		if len(found) != 1 {
			c.complain("server %s (%s) has %d machines", sv.ID, sv.Status, len(found))
			continue
		}
		want := machine{
			ref: sv.BackendRef, name: sv.BackendName, tag: sv.UUID, index: sv.UUID, ip: sv.IP,
			cpus: sv.CPUs, memoryMB: sv.MemoryMB, on: sv.PowerStatus == models.PowerOn,
		}
		if found[0] != want {
			c.complain("server %s is %+v, and its machine %+v", sv.ID, want, found[0])
		}
		if !found[0].on {
			c.complain("the machine of server %s is off", sv.ID)
		}
	}
	for tag, left := range byTag {
		for _, m := range left {
			c.complain("the machine %s (%s) with the tag %q is nobody's", m.ref, m.name, tag)
		}
	}
}
