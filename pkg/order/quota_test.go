package order_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

const acme = 4

// limit creates a quota.
func (r *rig) limit(t tester, group, env models.ID, kind models.QuotaKind, most string) *models.Quota {
	t.Helper()
	q := &models.Quota{GroupID: group, EnvironmentID: env, Kind: kind, NewLimit: &most}
	if err := quota.New(r.store, nil).Quotas.Create(t.Context(), r.admin, q); err != nil {
		t.Fatal(err)
	}
	return q
}

// used returns the count of a quota, after comparing all counts with the reservations.
func (r *rig) used(t tester, q *models.Quota) int64 {
	t.Helper()
	r.sums(t)
	row, err := quota.New(r.store, nil).Quotas.Find(t.Context(), r.admin, q.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	return row.Used
}

// sums fails the test if a counter is wrong.
func (r *rig) sums(t tester) {
	t.Helper()
	if err := r.drift(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// drift compares every counter with the sum of the reservations, and the reservations with the existing
// servers.
func (r *rig) drift(ctx context.Context) error {
	read := r.store.Read(ctx)
	var wrong []struct{ ID, Used, Reserved int64 }
	if err := read.Raw(quota.Mismatch).Scan(&wrong).Error; err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("quotas whose counter is not the sum: %+v", wrong)
	}
	var lost []string
	err := read.Raw(`SELECT 'server ' || id || ' ' || status FROM servers WHERE CASE
			WHEN order_id IS NULL OR status IN ('HISTORICAL', 'PROVFAILED') THEN reserved_servers + reserved_cpus + reserved_memory_mb + reserved_disk_gb + reserved_rate <> 0
			WHEN status IN ('PROV', 'ACTIVE') THEN reserved_servers <> 1 OR reserved_cpus <> cpus OR reserved_memory_mb <> memory_mb OR reserved_disk_gb <> disk_gb OR reserved_rate <> rate
			WHEN status = 'MODIFY' THEN reserved_servers <> 1 OR reserved_cpus < cpus OR reserved_memory_mb < memory_mb OR reserved_disk_gb < disk_gb OR reserved_rate < rate
			ELSE reserved_servers NOT IN (0, 1) END
		UNION ALL SELECT 'order ' || o.id || ' ' || o.status FROM orders o JOIN reservations x ON x.order_id = o.id WHERE o.status <> 'PENDING'`).Scan(&lost).Error
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("these have not reserved what they take: %v", lost)
	}
	return err
}

// Reservations follow a server from its order to its end.
func TestQuotaFollowsAServer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r, ctx := newRig(t, s), t.Context()
		old := r.server(t, r.alice, foo, "small")
		servers := r.limit(t, acme, 0, models.QuotaServers, "3") // of both groups below
		memory := r.limit(t, foo, simple, models.QuotaMemory, "3072")
		money := r.limit(t, 0, simple, models.QuotaMoney, "72.00/month")
		disk := r.limit(t, acme, 0, models.QuotaDisk, "1000 GB")
		is := func(what string, s, m int64, rate string) {
			t.Helper()
			got := fmt.Sprintf("%d %d %s", r.used(t, servers), r.used(t, memory), models.Money(r.used(t, money)))
			if want := fmt.Sprintf("%d %d %s", s, m, rate); got != want {
				t.Errorf("%s: used %s, want %s", what, got, want)
			}
		}
		refused := func(what string, err error, words string) {
			t.Helper()
			wants(t, err, fault.Conflict, words)
			if err == nil {
				t.Fatal(what, "was not refused")
			}
		}
		is("a server that was there before", 1, 1024, "14.40")
		if r.used(t, disk) != int64(old.DiskGB) || old.DiskGB == 0 {
			t.Errorf("disk: used %d of a server with %d", r.used(t, disk), old.DiskGB)
		}

		// A pending order holds reservations; denial or cancellation releases them.
		wait := r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"), deploy(simple, "vm-size", "small"))
		is("an order that waits", 3, 1024, "43.20")
		before := counts(t, s)
		_, err := r.orders.Create(ctx, r.alice, order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{stack()}})
		refused("a fourth", err, "Quota of Acme exceeded: servers 3 of 3 used, 3 more asked; "+
			"Quota of Group Foo in Simple Environment exceeded: memory 1024 MB of 3072 MB used, 4096 MB more asked; "+
			"Quota of Simple Environment exceeded: money 43.20/month of 72.00/month used, 57.60/month more asked")
		if d := cmp.Diff(before, counts(t, s)); d != "" {
			t.Errorf("what was refused left something behind (-before +after):\n%s", d)
		}
		cart := r.create(t, r.alice, foo, false, deploy(simple, "vm-size", "small"))
		_, err = r.orders.Submit(ctx, r.alice, cart.ID.String())
		refused("its submission", err, "Quota of Acme exceeded: servers 3 of 3 used, 1 more asked")
		if o := r.find(t, cart.ID); o.Status != models.OrderCart || o.Version != cart.Version {
			t.Errorf("the cart is %s, version %d", o.Status, o.Version)
		}
		if _, err := r.orders.Deny(ctx, r.bob, wait.ID.String(), "no"); err != nil {
			t.Fatal(err)
		}
		is("denied", 1, 1024, "14.40")
		wait = r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		is("another that waits", 2, 1024, "28.80")
		if _, err := r.orders.Cancel(ctx, r.alice, wait.ID.String()); err != nil {
			t.Fatal(err)
		}
		is("canceled", 1, 1024, "14.40")
		wait = r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		if _, err := r.orders.Approve(ctx, r.bob, wait.ID.String()); err != nil {
			t.Fatal(err)
		}
		is("approved", 2, 1024, "28.80")
		if _, err := r.orders.Cancel(ctx, r.alice, wait.ID.String()); err != nil {
			t.Fatal(err)
		}
		is("canceled before it began", 1, 1024, "14.40")

		// A failed creation releases its reservation, and reserves again on retry.
		r.template(t, debian, "missing")
		failed := r.create(t, r.alice, foo, true, deploy(simple, "vm-size", "small"))
		is("being made", 2, 2048, "28.80")
		r.work(t)
		is("failed", 1, 1024, "14.40")
		r.template(t, debian, "debian-12")
		full := r.create(t, r.alice, bar, true, prov(simple, 2, "", "vm-size", "small"))
		again := r.jobsOf(t, failed)[0]
		_, err = r.jobs.Retry(ctx, r.alice, again.ID)
		refused("a retry without room", err, "Quota of Acme exceeded: servers 3 of 3 used, 1 more asked")
		if sv := r.made(t, failed)[0]; sv.Status != models.ServerProvFailed {
			t.Errorf("the server that was not tried again is %s", sv.Status)
		}
		if _, err := r.orders.Deny(ctx, r.bob, full.ID.String(), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := r.jobs.Retry(ctx, r.alice, again.ID); err != nil {
			t.Fatal(err)
		}
		r.work(t)
		is("made at the second try", 2, 2048, "28.80")

		// A change reserves its additions, and releases its reductions when it is done.
		_, err = r.orders.Create(ctx, r.alice, order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{mod(old.ID, "vm-size", "large")}})
		refused("too large", err, "Quota of Group Foo in Simple Environment exceeded: memory 2048 MB of 3072 MB used, 7168 MB more asked")
		r.create(t, r.alice, foo, true, mod(old.ID, "vm-size", "medium"))
		is("growing", 2, 3072, "43.20")
		r.work(t)
		is("grown", 2, 3072, "43.20")
		r.create(t, r.alice, foo, true, mod(old.ID, "vm-size", "small"))
		is("shrinking", 2, 3072, "43.20")
		r.work(t)
		is("shrunk", 2, 2048, "28.80")
		r.cloud.FailNext("modify", simulated.Refused, 100)
		grow := r.create(t, r.alice, foo, true, mod(old.ID, "vm-size", "medium"))
		is("growing once more", 2, 3072, "43.20")
		r.work(t)
		if j := r.jobsOf(t, grow)[0]; j.Status != models.JobFailure {
			t.Fatalf("the change is %s", j.Status)
		}
		is("not grown", 2, 2048, "28.80")

		// A deleted machine takes no quota, and a discovered one belongs to no group.
		r.create(t, r.alice, foo, true, decom(r.made(t, failed)[0].ID))
		is("being removed", 2, 2048, "28.80")
		r.work(t)
		is("removed", 1, 1024, "14.40")
		if err := r.cloud.Populate(3); err != nil {
			t.Fatal(err)
		}
		r.vanish(t, old.ID)
		r.sync(t)
		is("vanished", 0, 0, "0.00")
	})
}

// vanish deletes a server's machine in the back end.
func (r *rig) vanish(t tester, id models.ID) {
	t.Helper()
	sv, err := store.First[models.Server](r.store.Read(t.Context()).Where("id = ?", id))
	if err != nil {
		t.Fatal(err)
	}
	memo := provider.Memo{}
	for _, step := range simulated.New(provider.Config{}, r.cloud).Destroy(sv.BackendRef, sv.UUID) {
		for again, err := step.Run(t.Context(), memo); again > 0 || err != nil; {
			again, err = step.Run(t.Context(), memo) // failures end
		}
	}
}

// sync runs the synchronization with the back end.
func (r *rig) sync(t tester) {
	t.Helper()
	if _, err := r.servers.SyncVMs(t.Context(), r.admin, 1); err != nil {
		t.Fatal(err)
	}
	r.work(t)
}

// A group that moves keeps its reservations, and a limited group below a limited one must have room in
// both.
func TestQuotaOfATree(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r, ctx := newRig(t, s), t.Context()
		here, there := r.limit(t, acme, 0, models.QuotaServers, "5"), r.limit(t, globex, 0, models.QuotaServers, "5")
		own := r.limit(t, bar, 0, models.QuotaServers, "2")
		r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		move := func(to models.ID) {
			t.Helper()
			_, err := r.tenancy.Groups.Update(ctx, r.admin, models.ID(bar).String(), func(g *models.Group) error { g.ParentID = to; return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		is := func(a, b, c int64) {
			t.Helper()
			if d := cmp.Diff([]int64{a, b, c}, []int64{r.used(t, here), r.used(t, there), r.used(t, own)}); d != "" {
				t.Errorf("used (-want +got):\n%s", d)
			}
		}
		is(1, 0, 1)
		move(globex)
		is(0, 1, 1)
		move(acme)
		is(1, 0, 1)
		_, err := r.orders.Create(ctx, r.alice, order.Draft{GroupID: bar, Submit: true, Items: []models.OrderItem{prov(simple, 5, "", "vm-size", "small")}})
		wants(t, err, fault.Conflict, "Quota of Acme exceeded: servers 1 of 5 used, 5 more asked; Quota of Group Bar exceeded: servers 1 of 2 used, 5 more asked")
		is(1, 0, 1)
	})
}

// operations is the number of operations of the property test on each database.
const operations = 5000

// After any operations, by any callers, in any order: every counter equals the sum of the reservations, the
// reservations match the servers, and no request exceeds the limit.
func TestCountersAreSums(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		n, done := operations, 0
		if testing.Short() {
			n = 500
		}
		for done < n {
			// The runs share one database: each starts with the leftovers of the previous one.
			rapid.Check(t, func(rt *rapid.T) {
				if done >= n {
					return
				}
				m := &economy{life: life{rig: r, t: rt, status: map[models.ID]models.OrderStatus{}}}
				for range 100 {
					m.step()
					done++
				}
				r.sums(rt)
			})
		}
		t.Logf("%d operations, %v", done, r.tried(t))
	})
}

// tried counts the final statuses of orders, to check that the test covers them.
func (r *rig) tried(t tester) map[string]int {
	t.Helper()
	var rows []struct {
		Status string
		N      int
	}
	err := r.store.Read(t.Context()).Raw(`SELECT status, count(*) AS n FROM orders GROUP BY status
		UNION ALL SELECT 'server ' || status, count(*) FROM servers GROUP BY status
		UNION ALL SELECT type || ' ' || status, count(*) FROM jobs GROUP BY type, status`).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, row := range rows {
		out[row.Status] = row.N
	}
	return out
}

// economy is a run with limits.
type economy struct {
	life
}

func (m *economy) step() {
	r, rt := m.rig, m.t
	ops := []func(){
		m.order, m.order, m.change, m.change, m.remove, m.limits, m.retry, m.cancelJob,
		func() { m.decide(r.orders.Approve) }, func() { m.decide(r.orders.Approve) }, func() { m.decide(r.orders.Cancel) },
		func() {
			m.decide(func(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
				return r.orders.Deny(ctx, a, ref, "no")
			})
		},
		func() { r.one(rt) }, func() { r.one(rt) }, func() { r.one(rt) }, func() { r.one(rt) },
		func() {
			r.template(rt, debian, rapid.SampledFrom([]string{"debian-12", "debian-12", "missing"}).Draw(rt, "template"))
		},
		func() {
			call := rapid.SampledFrom([]string{"modify", "destroy", "clone"}).Draw(rt, "call")
			r.cloud.FailNext(call, simulated.Refused, 1)
		},
		m.moveGroup, m.lose,
	}
	ops[rapid.IntRange(0, len(ops)-1).Draw(rt, "operation")]()
}

// refusable fails the test for errors that are not refusals.
func (m *economy) refusable(err error) {
	m.t.Helper()
	if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.NotFound) {
		m.t.Fatal(err)
	}
}

// asking runs a request for room, and checks that it did not get more than there was.
func (m *economy) asking(do func() error) {
	before := m.quotas()
	err := do()
	m.refusable(err)
	for _, q := range m.quotas() {
		i := slices.IndexFunc(before, func(b models.Quota) bool { return b.ID == q.ID })
		switch {
		case err != nil && q.Used != before[i].Used:
			m.t.Fatalf("it was refused (%v), and quota %s went from %d to %d", err, q.ID, before[i].Used, q.Used)
		case q.Used > before[i].Used && q.Used > q.Limit:
			m.t.Fatalf("quota %s went from %d to %d, beyond its limit %d", q.ID, before[i].Used, q.Used, q.Limit)
		}
	}
}

func (m *economy) quotas() []models.Quota {
	m.t.Helper()
	list, err := store.Find[models.Quota](m.store.Read(m.t.Context()).Order("id"))
	if err != nil {
		m.t.Fatal(err)
	}
	return list
}

// any returns one of the rows of a table that meet a condition, or 0.
func (m *economy) any(table, where string) models.ID {
	m.t.Helper()
	var ids []models.ID
	if err := m.store.Read(m.t.Context()).Table(table).Where(where).Order("id DESC").Limit(8).Pluck("id", &ids).Error; err != nil {
		m.t.Fatal(err)
	}
	if len(ids) == 0 {
		return 0
	}
	return rapid.SampledFrom(ids).Draw(m.t, table)
}

func (m *economy) order() {
	d := order.Draft{
		GroupID: models.ID(rapid.SampledFrom([]int{foo, bar}).Draw(m.t, "group")),
		Submit:  rapid.IntRange(0, 4).Draw(m.t, "submit") > 0,
	}
	for range rapid.IntRange(1, 2).Draw(m.t, "items") {
		d.Items = append(d.Items, fresh(m.item()))
	}
	m.asking(func() error {
		_, err := m.orders.Create(m.t.Context(), m.alice, d)
		return err
	})
}

// change orders a change of a server's size.
func (m *economy) change() {
	id := m.any("servers", "status = 'ACTIVE' AND order_id IS NOT NULL")
	if id == 0 {
		return
	}
	sv, err := store.First[models.Server](m.store.Read(m.t.Context()).Where("id = ?", id))
	if err != nil {
		m.t.Fatal(err)
	}
	params := rapid.SampledFrom([][]string{
		{"vm-size", "small"}, {"vm-size", "medium"}, {"vm-size", "large"}, {"mem_size", "3 GB"}, {"cpu-cnt", "1"}, {"cpu-cnt", "8", "mem_size", "1 GB"},
	}).Draw(m.t, "params")
	if len(sv.Disks) > 0 && rapid.Bool().Draw(m.t, "disk") {
		params = append(slices.Clone(params), "disk_size", fmt.Sprint(sv.Disks[0].SizeGB+rapid.IntRange(1, 9).Draw(m.t, "GB")))
	}
	m.asking(func() error {
		_, err := m.orders.Create(m.t.Context(), m.alice, order.Draft{GroupID: sv.GroupID, Submit: true, Items: []models.OrderItem{mod(id, params...)}})
		return err
	})
}

func (m *economy) remove() {
	id := m.any("servers", "status IN ('ACTIVE', 'PROVFAILED') AND order_id IS NOT NULL")
	if id == 0 {
		return
	}
	sv, err := store.First[models.Server](m.store.Read(m.t.Context()).Where("id = ?", id))
	if err != nil {
		m.t.Fatal(err)
	}
	m.asking(func() error {
		_, err := m.orders.Create(m.t.Context(), m.alice, order.Draft{GroupID: sv.GroupID, Submit: true, Items: []models.OrderItem{decom(id)}})
		return err
	})
}

// decide lets a random user act on an order that has not ended.
func (m *economy) decide(do func(context.Context, access.Actor, string) (*models.Order, error)) {
	if id := m.any("orders", "status IN ('PENDING', 'ACTIVE', 'CART')"); id != 0 {
		m.asking(func() error {
			_, err := do(m.t.Context(), rapid.SampledFrom([]access.Actor{m.bob, m.admin}).Draw(m.t, "actor"), id.String())
			return err
		})
	}
}

func (m *economy) retry() {
	if id := m.any("jobs", "status IN ('FAILURE', 'WARNING', 'CANCELED')"); id != 0 {
		m.asking(func() error {
			_, err := m.jobs.Retry(m.t.Context(), m.admin, id)
			return err
		})
	}
}

func (m *economy) cancelJob() {
	if id := m.any("jobs", "status IN ('QUEUED', 'RUNNING')"); id != 0 {
		_, err := m.jobs.Cancel(m.t.Context(), m.admin, id)
		m.refusable(err)
	}
}

// limits creates, changes or deletes a quota.
func (m *economy) limits() {
	table, ctx := &quota.New(m.store, nil).Quotas, m.t.Context()
	kind := rapid.SampledFrom(models.QuotaKinds).Draw(m.t, "kind")
	most := fmt.Sprint(rapid.IntRange(0, 40).Draw(m.t, "limit") * map[models.QuotaKind]int{
		models.QuotaServers: 1, models.QuotaCPU: 2, models.QuotaMemory: 2048, models.QuotaDisk: 100, models.QuotaMoney: 30,
	}[kind])
	switch id := m.any("quotas", "kind = '"+string(kind)+"'"); {
	case id != 0 && rapid.Bool().Draw(m.t, "change"):
		_, err := table.Update(ctx, m.admin, id.String(), func(q *models.Quota) error { q.NewLimit = &most; return nil })
		m.refusable(err)
	case id != 0 && rapid.Bool().Draw(m.t, "remove"):
		m.refusable(table.Delete(ctx, m.admin, id.String()))
	default:
		q := &models.Quota{
			GroupID:       models.ID(rapid.SampledFrom([]int{0, foo, bar, acme, globex}).Draw(m.t, "group")),
			EnvironmentID: models.ID(rapid.SampledFrom([]int{0, 0, simple, advanced}).Draw(m.t, "environment")),
			Kind:          kind, NewLimit: &most,
		}
		m.refusable(table.Create(ctx, m.admin, q))
	}
}

func (m *economy) moveGroup() {
	to := models.ID(rapid.SampledFrom([]int{acme, acme, globex, foo}).Draw(m.t, "parent"))
	_, err := m.tenancy.Groups.Update(m.t.Context(), m.admin, models.ID(bar).String(), func(g *models.Group) error { g.ParentID = to; return nil })
	m.refusable(err)
}

// lose deletes a machine in the back end, and synchronizes.
func (m *economy) lose() {
	if rapid.IntRange(0, 3).Draw(m.t, "lose") > 0 {
		return
	}
	if id := m.any("servers", "status = 'ACTIVE' AND backend_ref <> ''"); id != 0 {
		m.vanish(m.t, id)
		_, err := m.servers.SyncVMs(m.t.Context(), m.admin, 1)
		m.refusable(err)
	}
}
