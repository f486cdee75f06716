package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestTheLifeOfAServer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.ipPool(t, "10.0.0.1", "10.0.0.9")
		r.start(t)
		svc := &models.Service{Name: "Web", Status: models.ServiceProvisioning, OwnerID: r.user.ID, GroupID: r.group.ID, Parameters: []models.Param{}}
		r.inTx(t, func(tx *store.Tx) error { return store.Insert(tx, svc) })
		service := func(want models.ServiceStatus) {
			t.Helper()
			got, err := store.First[models.Service](s.Read(t.Context()).Where("id = ?", svc.ID))
			if err != nil || got.Status != want {
				t.Errorf("the service is %+v, %v, not %s", got, err, want)
			}
		}
		sv, id := r.server(t, "web-01", func(sv *models.Server) { sv.ServiceID = svc.ID })
		j := r.await(t, id, models.JobSuccess)
		if want := fmt.Sprintf("Server web-01 (ID %s) is ready at 10.0.0.2.", sv.ID); j.Output != want {
			t.Errorf("output %q, want %q", j.Output, want)
		}
		sv = r.is(t, sv.ID, models.ServerActive, models.PowerOn, "10.0.0.2")
		if sv.CPUs != 2 || sv.MemoryMB != 2048 || sv.DiskGB != 10 || len(sv.Disks) != 1 || len(sv.Networks) != 1 || sv.BackendRef == "" || sv.BackendName != "web-01-"+sv.UUID[:8] || len(sv.TechDetails) == 0 {
			t.Errorf("recorded %+v", sv)
		}
		service(models.ServiceActive)
		m, err := r.back(t).Find(t.Context(), sv.UUID)
		if err != nil || m.Ref != sv.BackendRef || m.IP != "10.0.0.2" || m.Hostname != "web-01" {
			t.Errorf("machine %+v, %v", m, err)
		}

		// Power.
		act := func(action string, args models.JobArgs) *models.Job {
			t.Helper()
			j, err := r.Act(t.Context(), root, sv.ID, action, args)
			if err != nil {
				t.Fatalf("%s: %v", action, err)
			}
			return r.await(t, j.ID, models.JobSuccess)
		}
		if j := act(ActionPowerOff, models.JobArgs{}); j.Output != fmt.Sprintf("Server web-01 (ID %s) is POWEROFF.", sv.ID) {
			t.Errorf("output %q", j.Output)
		}
		sv = r.is(t, sv.ID, models.ServerActive, models.PowerOff, "10.0.0.2")
		act(ActionPowerOn, models.JobArgs{})
		r.is(t, sv.ID, models.ServerActive, models.PowerOn, "10.0.0.2")
		act(ActionReboot, models.JobArgs{})
		act(ActionRefresh, models.JobArgs{})
		act(ActionSnapshot, models.JobArgs{Name: "before"})

		// Modify.
		rate := &models.Rate{Hardware: 5, Software: 2}
		id = r.insert(t, models.JobModify, sv, models.JobArgs{CPUs: 4, MemoryMB: 4096, DiskUUID: sv.Disks[0].UUID, DiskGB: 20, Rate: rate, Params: []models.Param{{Name: "color", Value: "red"}}, Expires: "2030-01-01"})
		r.await(t, id, models.JobSuccess)
		sv = r.is(t, sv.ID, models.ServerActive, models.PowerOn, "10.0.0.2")
		if sv.CPUs != 4 || sv.MemoryMB != 4096 || sv.DiskGB != 20 || sv.Rate != 7 || sv.HardwareRate != 5 || sv.ExpiresOn != "2030-01-01" || len(sv.Parameters) != 1 {
			t.Errorf("modified to %+v", sv)
		}

		// Decommission.
		r.await(t, r.insert(t, models.JobDecom, sv, models.JobArgs{}), models.JobSuccess)
		r.is(t, sv.ID, models.ServerHistorical, models.PowerUnknown, "10.0.0.2")
		service(models.ServiceHistorical)
		if r.cloud.Len() != 0 || r.addresses(t) != "" {
			t.Errorf("%d machines, addresses %s", r.cloud.Len(), r.addresses(t))
		}
		events, err := store.Find[models.History](s.Read(t.Context()).Where("object_type = 'server' AND object_id = ?", sv.ID).Order("id"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, e.Event)
		}
		if want := "provisioned power_off power_on reboot refresh_info snapshot modified decommissioned"; strings.Join(got, " ") != want {
			t.Errorf("history %q", got)
		}
	})
}

func TestTroubleInTheBackEndLeavesOneMachine(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s).start(t)
		for _, step := range []string{"clone", "tag", "configure", "customize", "power-on", "inspect"} {
			r.cloud.FailNext(step, simulated.AnswerLost, 1)
			r.cloud.FailNext(step, simulated.Unavailable, 1)
		}
		sv, id := r.server(t, "web")
		r.await(t, id, models.JobSuccess)
		r.is(t, sv.ID, models.ServerActive, models.PowerOn, "")
		if r.cloud.Len() != 1 {
			t.Errorf("%d machines", r.cloud.Len())
		}
	})
}

func TestAFailedCreation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.ipPool(t, "10.0.0.10", "10.0.0.10")
		svc := &models.Service{Name: "Web", Status: models.ServiceProvisioning, Parameters: []models.Param{}}
		r.inTx(t, func(tx *store.Tx) error { return store.Insert(tx, svc) })
		r.start(t)

		// Before there is a machine: the address is released.
		r.cloud.FailNext("clone", simulated.Refused, 1)
		sv, id := r.server(t, "web", func(sv *models.Server) { sv.ServiceID = svc.ID })
		j := r.await(t, id, models.JobFailure)
		if want := "Cloning debian-12: The simulated cloud refused to clone."; j.Errors != want {
			t.Errorf("errors %q", j.Errors)
		}
		r.is(t, sv.ID, models.ServerProvFailed, models.PowerUnknown, "")
		if got := r.addresses(t); got != "" {
			t.Errorf("addresses %s", got)
		}
		got, err := store.First[models.Service](s.Read(t.Context()).Where("id = ?", svc.ID))
		if err != nil || got.Status != models.ServiceProvFailed {
			t.Errorf("the service is %+v, %v", got, err)
		}

		// After: it stays, and the retry continues from there.
		r.cloud.FailNext("configure", simulated.Refused, 1)
		if _, err := r.jobs.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobFailure)
		sv = r.is(t, sv.ID, models.ServerProvFailed, models.PowerUnknown, "10.0.0.10")
		if sv.BackendRef == "" || r.addresses(t) == "" {
			t.Errorf("ref %q, addresses %s", sv.BackendRef, r.addresses(t))
		}
		if _, err := r.jobs.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobSuccess)
		r.is(t, sv.ID, models.ServerActive, models.PowerOn, "10.0.0.10")
		if r.cloud.Len() != 1 {
			t.Errorf("%d machines", r.cloud.Len())
		}

		// The pool is exhausted now.
		second, id := r.server(t, "more")
		j = r.await(t, id, models.JobFailure)
		if want := "Taking an address of Lab addresses: The IP pool Lab addresses has no free address left."; j.Errors != want {
			t.Errorf("errors %q", j.Errors)
		}
		// A failed server can be removed, although nothing exists.
		if err := CanDecom(root, r.read(t, second.ID)); err != nil {
			t.Error(err)
		}
		r.await(t, r.insert(t, models.JobDecom, second, models.JobArgs{}), models.JobSuccess)
		r.is(t, second.ID, models.ServerHistorical, models.PowerUnknown, "")
		if _, err := r.jobs.Retry(t.Context(), root, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("retry of what was removed: %v", err)
		}

		// No template.
		third, id := r.server(t, "odd", func(sv *models.Server) { sv.OSBuildID = 0 })
		if j = r.await(t, id, models.JobFailure); j.Errors != "Preparing: The server odd has no OS build." {
			t.Errorf("errors %q", j.Errors)
		}
		r.is(t, third.ID, models.ServerProvFailed, models.PowerUnknown, "")
	})
}

func TestCancelingACreationRemovesWhatWasMade(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.ipPool(t, "10.0.0.10", "10.0.0.20")
		early, id := r.server(t, "early")
		if _, err := r.jobs.Cancel(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.is(t, early.ID, models.ServerHistorical, models.PowerUnknown, "")

		r.start(t)
		r.cloud.FailNext("configure", simulated.Unavailable, 3) // there is a machine, and time
		sv, id := r.server(t, "late")
		for r.cloud.Len() == 0 && !r.job(t, id).Ended() {
			continue
		}
		if _, err := r.jobs.Cancel(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobCanceled)
		r.is(t, sv.ID, models.ServerHistorical, models.PowerUnknown, "")
		if r.cloud.Len() != 0 || r.addresses(t) != "" {
			t.Errorf("%d machines, addresses %s", r.cloud.Len(), r.addresses(t))
		}
		if err := job.CanRetry(root, r.job(t, id)); !fault.Is(err, fault.Conflict) {
			t.Errorf("retry: %v", err)
		}
	})
}

func TestFailedChangesLeaveTheServerAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s).start(t)
		sv := r.active(t, "web")
		r.cloud.FailNext("modify", simulated.Refused, 1)
		id := r.insert(t, models.JobModify, sv, models.JobArgs{CPUs: 8, Rate: &models.Rate{Hardware: 9}})
		r.await(t, id, models.JobFailure)
		now := r.is(t, sv.ID, models.ServerActive, models.PowerOn, "")
		if now.CPUs != 2 || now.Rate != 0 {
			t.Errorf("failed, and has %d CPUs for %s", now.CPUs, now.Rate)
		}
		if _, err := r.jobs.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobSuccess)
		if now = r.read(t, sv.ID); now.CPUs != 8 || now.Rate != 9 {
			t.Errorf("retried, and has %d CPUs for %s", now.CPUs, now.Rate)
		}

		// Canceled after the change: it is undone.
		r.cloud.FailNext("inspect", "", 1) // the first read
		r.cloud.FailNext("inspect", simulated.Unavailable, 3)
		id = r.insert(t, models.JobModify, sv, models.JobArgs{CPUs: 16})
		for !r.job(t, id).Ended() {
			if m, err := r.back(t).Find(t.Context(), sv.UUID); err == nil && m.CPUs == 16 {
				break
			}
		}
		if _, err := r.jobs.Cancel(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobCanceled)
		m, err := r.back(t).Find(t.Context(), sv.UUID)
		if now = r.read(t, sv.ID); err != nil || m.CPUs != 8 || now.CPUs != 8 || now.Status != models.ServerActive {
			t.Errorf("canceled, and has %d CPUs (%d in the back end), %s, %v", now.CPUs, m.CPUs, now.Status, err)
		}

		r.cloud.FailNext("destroy", simulated.Refused, 1)
		id = r.insert(t, models.JobDecom, sv, models.JobArgs{})
		r.await(t, id, models.JobFailure)
		r.is(t, sv.ID, models.ServerActive, models.PowerOn, "")
		if _, err := r.jobs.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		r.await(t, id, models.JobSuccess)
		r.is(t, sv.ID, models.ServerHistorical, models.PowerUnknown, "")
	})
}

func TestManyServersAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.ipPool(t, "10.0.0.1", "10.0.0.13") // one belongs to the gateway
		var ids []models.ID
		for i := range 12 {
			_, id := r.server(t, fmt.Sprintf("web-%d", i))
			ids = append(ids, id)
		}
		r.start(t)
		first := r.engine
		r.process(t) // and a second process
		r.start(t)
		for _, id := range ids {
			r.await(t, id, models.JobSuccess)
		}
		if r.cloud.Len() != 12 || len(strings.Fields(r.addresses(t))) != 12 {
			t.Errorf("%d machines, addresses %s", r.cloud.Len(), r.addresses(t))
		}
		// They are counted after the commits that the test waited for.
		count := func() int64 { return first.Stats().Succeeded + r.engine.Stats().Succeeded }
		for end := time.Now().Add(time.Minute); count() != 12 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		if n := count(); n != 12 {
			t.Errorf("%d successes", n)
		}
	})
}

func TestActingTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		sv, _ := r.server(t, "web")
		if _, err := r.Act(t.Context(), root, sv.ID, ActionPowerOff, models.JobArgs{}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "PROV") {
			t.Errorf("switching what is being made: %v", err)
		}
		r.inTx(t, func(tx *store.Tx) error {
			if err := tx.Model(&models.Job{}).Where("server_id = ?", sv.ID).UpdateColumn("status", models.JobSuccess).Error; err != nil {
				return err
			}
			return tx.Model(&models.Server{}).Where("id = ?", sv.ID).UpdateColumns(map[string]any{"status": models.ServerActive, "backend_ref": "x"}).Error
		})
		one, err := r.Act(t.Context(), root, sv.ID, ActionPowerOff, models.JobArgs{})
		if err != nil {
			t.Fatal(err)
		}
		two, err := r.Act(t.Context(), root, sv.ID, ActionPowerOff, models.JobArgs{})
		if err != nil || two.ID != one.ID {
			t.Errorf("again: %+v, %v", two, err)
		}
		if _, err := r.Act(t.Context(), root, sv.ID, ActionReboot, models.JobArgs{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("another beside it: %v", err)
		}
		if _, err := r.Act(t.Context(), root, sv.ID, "explode", models.JobArgs{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("what does not exist: %v", err)
		}
		if _, err := r.Act(t.Context(), access.NewActor(&models.User{Row: models.Row{ID: 99}}, "", nil), sv.ID, ActionReboot, models.JobArgs{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
	})
}

func TestGuards(t *testing.T) {
	t.Parallel()
	const group = models.ID(7)
	with := func(id models.ID, perms ...access.Permission) access.Actor {
		r := &access.Rights{Own: []models.ID{group}, By: map[access.Permission][]models.ID{}}
		for _, p := range perms {
			r.By[p] = []models.ID{group}
		}
		return access.NewActor(&models.User{Row: models.Row{ID: id}}, "", r)
	}
	owner, power, manage, viewer := with(1), with(2, access.ServerPower), with(3, access.ServerManage), with(4, access.GroupView)
	former := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", &access.Rights{Own: []models.ID{group + 1}})
	on := models.Server{Status: models.ServerActive, PowerStatus: models.PowerOn, OwnerID: 1, GroupID: group, HandlerID: 1, BackendRef: "x"}
	off, bare, failed, busy := on, on, on, on
	busy.ActionJobID = 5
	off.PowerStatus = models.PowerOff
	bare.BackendRef = ""
	failed.Status = models.ServerProvFailed
	const f, c = fault.Forbidden, fault.Conflict
	for _, row := range []struct {
		name                                      string
		a                                         access.Actor
		sv                                        models.Server
		on, off, reboot, snapshot, refresh, m, de fault.Code
	}{
		{"owner, on", owner, on, c, "", "", "", "", "", ""},
		{"owner, off", owner, off, "", c, c, "", "", "", ""},
		{"owner, bare", owner, bare, c, c, c, c, c, c, ""},
		{"owner, failed", owner, failed, c, c, c, c, c, c, ""},
		{"owner, busy", owner, busy, c, c, c, c, c, c, c},
		{"who has left the group", former, on, f, f, f, f, f, f, f},
		{"power", power, on, c, "", "", "", "", f, f},
		{"manage", manage, on, f, f, f, f, f, "", ""},
		{"viewer", viewer, on, f, f, f, f, f, f, f},
		{"root", root, on, c, "", "", "", "", "", ""},
		{"nobody", access.Actor{}, models.Server{Status: models.ServerActive}, f, f, f, f, f, f, f},
	} {
		guards := []func(access.Actor, *models.Server) error{CanPowerOn, CanPowerOff, CanReboot, CanSnapshot, CanRefresh, CanModify, CanDecom}
		want := []fault.Code{row.on, row.off, row.reboot, row.snapshot, row.refresh, row.m, row.de}
		for i, guard := range guards {
			if got := fault.CodeOf(guard(row.a, &row.sv)); got != want[i] {
				t.Errorf("%s: guard %d says %q, want %q", row.name, i, got, want[i])
			}
		}
	}
}

func TestServiceStatus(t *testing.T) {
	t.Parallel()
	const (
		prov, act, mod, dec, hist, bad = models.ServerProv, models.ServerActive, models.ServerModify, models.ServerDecom, models.ServerHistorical, models.ServerProvFailed
	)
	for _, c := range []struct {
		servers []models.ServerStatus
		want    models.ServiceStatus
	}{
		{nil, ""},
		{[]models.ServerStatus{prov, act}, models.ServiceProvisioning},
		{[]models.ServerStatus{prov, bad}, models.ServiceProvisioning},
		{[]models.ServerStatus{act, bad}, models.ServiceProvFailed},
		{[]models.ServerStatus{act, mod}, models.ServiceActive},
		{[]models.ServerStatus{act, hist, dec}, models.ServiceActive},
		{[]models.ServerStatus{hist, dec}, ""},
		{[]models.ServerStatus{hist, hist}, models.ServiceHistorical},
	} {
		servers := make([]models.Server, len(c.servers))
		for i, st := range c.servers {
			servers[i].Status = st
		}
		if got := serviceStatus(servers); got != c.want {
			t.Errorf("%v amount to %q, want %q", c.servers, got, c.want)
		}
	}
}

func TestFreeAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, last, gateway string
		taken                []string
		want                 string
	}{
		{"10.0.0.1", "10.0.0.3", "10.0.0.1", nil, "10.0.0.2"},
		{"10.0.0.1", "10.0.0.3", "", []string{"10.0.0.1", "10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.255", "10.0.1.1", "", []string{"10.0.0.255"}, "10.0.1.0"},
		{"10.0.0.1", "10.0.0.1", "", []string{"10.0.0.1"}, ""},
		{"fd00::1", "fd00::ffff:ffff", "fd00::1", nil, "fd00::2"},
		{"10.0.0.1", "nonsense", "", nil, ""},
		{"10.0.0.3", "10.0.0.1", "", nil, ""},
	} {
		var taken []models.IPAddress
		for _, a := range c.taken {
			taken = append(taken, models.IPAddress{Address: a})
		}
		got, err := free(&models.IPPool{Name: "P", FirstIP: c.first, LastIP: c.last, Gateway: c.gateway}, taken)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
