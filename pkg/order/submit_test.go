package order_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// A submission is all or nothing, for any failure on the way.
func TestSubmitIsAtomic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		cart := r.create(t, r.alice, foo, false, stack(), deploy(advanced, "vm-size", "small"))
		pending := r.create(t, r.alice, bar, true, stack(), deploy(simple, "vm-size", "small"))
		type state struct {
			Counts        map[string]int64
			Cart, Pending models.OrderStatus
			Versions      [2]int64
		}
		look := func() state {
			c, p := r.find(t, cart.ID), r.find(t, pending.ID)
			return state{counts(t, s), c.Status, p.Status, [2]int64{c.Version, p.Version}}
		}
		before := look()
		same := func(what string) {
			t.Helper()
			if d := cmp.Diff(before, look()); d != "" {
				t.Errorf("%s left something behind (-before +after):\n%s", what, d)
			}
		}

		// The catalogue has changed since the cart was created.
		environment := func(id models.ID, groups ...models.ID) {
			t.Helper()
			_, err := r.catalog.Environments.Update(ctx, r.admin, id.String(), func(e *models.Environment) error { e.GroupIDs = groups; return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		environment(advanced, globex)
		before = look() // with the change in history
		_, err := r.orders.Submit(ctx, r.alice, cart.ID.String())
		want := []fault.Field{{Path: fault.Item("deploy", 1).BuildItem("Server").Member("environment"), Reason: "cannot be ordered into by this group"}}
		if d := cmp.Diff(want, fields(err)); d != "" {
			t.Errorf("submitted into an environment that is closed (-want +got):\n%s", d)
		}
		same("a failed submission")
		environment(simple, globex)
		before = look()
		if _, err := r.orders.Approve(ctx, r.bob, pending.ID.String()); !fault.Is(err, fault.Invalid) {
			t.Errorf("approved into an environment that is closed: %v", err)
		}
		same("a failed approval")
		environment(advanced, foo)
		environment(simple, foo, bar)

		// The dispatcher rejects the jobs.
		before = look()
		r.queue.full = true
		for what, do := range map[string]func() error{
			"submission": func() error { _, err := r.orders.Submit(ctx, r.alice, cart.ID.String()); return err },
			"approval":   func() error { _, err := r.orders.Approve(ctx, r.bob, pending.ID.String()); return err },
			"creation": func() error {
				_, err := r.orders.Create(ctx, r.alice, order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{deploy(simple, "vm-size", "small")}})
				return err
			},
		} {
			if err := do(); err == nil || fault.CodeOf(err) != fault.Internal {
				t.Errorf("%s without a dispatcher: %v", what, err)
			}
			same("a failed " + what)
		}
		r.queue.full = false
		if got := r.queue.take(); len(got) != 0 {
			t.Errorf("dispatched: %v", got)
		}

		// Now the submission succeeds.
		if o, err := r.orders.Submit(ctx, r.alice, cart.ID.String()); err != nil || o.Status != models.OrderActive {
			t.Errorf("submission: %v", err)
		}
		if o, err := r.orders.Approve(ctx, r.bob, pending.ID.String()); err != nil || o.Status != models.OrderActive || o.ApprovedByID != r.bob.ID {
			t.Errorf("approval: %v", err)
		}
		r.work(t)
		for _, id := range []models.ID{cart.ID, pending.ID} {
			if o := r.find(t, id); o.Status != models.OrderSuccess || len(r.made(t, o)) != 4 {
				t.Errorf("order %s ended as %s with %d servers", id, o.Status, len(r.made(t, o)))
			}
		}
	})
}

// An order is approved automatically if its group says so, or every environment in it.
func TestAutoApproval(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		open := &models.Environment{Name: "Open", HandlerID: 1, AutoApproval: true}
		if err := r.catalog.Environments.Create(ctx, r.admin, open); err != nil {
			t.Fatal(err)
		}
		inOpen := r.create(t, r.alice, bar, true, deploy(open.ID, "vm-size", "small"))
		r.work(t)
		there := r.made(t, inOpen)[0]
		here := r.server(t, r.alice, bar, "small")
		for name, c := range map[string]struct {
			group models.ID
			items []models.OrderItem
			want  models.OrderStatus
			why   string
		}{
			"group":             {foo, []models.OrderItem{deploy(simple, "vm-size", "small")}, models.OrderActive, "Approved automatically for Group Foo"},
			"neither":           {bar, []models.OrderItem{deploy(simple, "vm-size", "small")}, models.OrderPending, ""},
			"environment":       {bar, []models.OrderItem{deploy(open.ID, "vm-size", "small"), prov(open.ID, 1, "", "vm-size", "small")}, models.OrderActive, "Approved automatically for its environments"},
			"one environment":   {bar, []models.OrderItem{deploy(open.ID, "vm-size", "small"), deploy(simple, "vm-size", "small")}, models.OrderPending, ""},
			"a change there":    {bar, []models.OrderItem{mod(there.ID, "mem_size", "2 GB")}, models.OrderActive, "Approved automatically for its environments"},
			"a change here":     {bar, []models.OrderItem{mod(here.ID, "mem_size", "2 GB")}, models.OrderPending, ""},
			"a removal here":    {bar, []models.OrderItem{decom(here.ID)}, models.OrderPending, ""},
			"there and removal": {bar, []models.OrderItem{deploy(open.ID, "vm-size", "small"), decom(here.ID)}, models.OrderPending, ""},
		} {
			o := r.create(t, r.alice, c.group, true, c.items...)
			if o.Status != c.want {
				t.Errorf("%s: the order is %s, want %s", name, o.Status, c.want)
			}
			if d := cmp.Diff(append([]string{"created:", "submitted:"}, approval(c.why)...), events(t, s, o.ID)); d != "" {
				t.Errorf("%s: history (-want +got):\n%s", name, d)
			}
			r.work(t)
		}
	})
}

func approval(why string) []string {
	if why == "" {
		return nil
	}
	return []string{"approved:" + why}
}

// events returns the history of an order.
func events(t *testing.T, s *store.Store, id models.ID) []string {
	t.Helper()
	rows, err := store.Find[models.History](s.Read(t.Context()).Where("object_type = ? AND object_id = ?", models.ObjectOrder, id).Order("id"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, h := range rows {
		out = append(out, h.Event+":"+h.Message)
	}
	return out
}

// The rights on a pending order, and the errors without them.
func TestDecisions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		o := r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		ref := o.ID.String()
		_, err := r.orders.Approve(ctx, r.alice, ref)
		wants(t, err, fault.Forbidden, "You may not approve orders of this group.")
		_, err = r.orders.Deny(ctx, r.alice, ref, "")
		wants(t, err, fault.Forbidden, "You may not deny orders of this group.")
		_, err = r.orders.Approve(ctx, r.carol, ref)
		wants(t, err, fault.NotFound, "Not found.")
		_, err = r.orders.Cancel(ctx, r.bob, ref)
		wants(t, err, fault.Forbidden, "Only its owner can cancel an order, and who manages the group's jobs.")
		if same, err := r.orders.Submit(ctx, r.alice, ref); err != nil || same.Status != models.OrderPending || same.Version != o.Version {
			t.Errorf("one's own order that waits: %+v %v", same, err)
		}
		_, err = r.orders.Submit(ctx, r.bob, ref)
		wants(t, err, fault.Forbidden, "Only its owner can submit an order.")
		_, err = r.orders.AddItem(ctx, r.alice, ref, deploy(simple, "vm-size", "small"))
		wants(t, err, fault.Conflict, "Only orders that are in 'CART' state can be changed. Current state of order is PENDING")
		if o, err = r.orders.Deny(ctx, r.bob, ref, "Too dear."); err != nil || o.Status != models.OrderDenied || o.DenyReason != "Too dear." || !o.Ended() {
			t.Errorf("denied: %+v %v", o, err)
		}
		_, err = r.orders.Approve(ctx, r.bob, ref)
		wants(t, err, fault.Conflict, "Only orders that are in 'PENDING' state can be approved. Current state of order is DENIED")
		_, err = r.orders.Cancel(ctx, r.alice, ref)
		wants(t, err, fault.Conflict, "Only orders that are in 'CART' or 'PENDING' or 'ACTIVE' state can be canceled. Current state of order is DENIED")

		// Users cannot approve their own orders, not even as approvers of others.
		if err := r.tenancy.CreateMembership(ctx, r.admin, &models.Membership{UserID: r.bob.ID, GroupID: bar, RoleID: 1}); err != nil {
			t.Fatal(err)
		}
		bob := r.actor(t, r.bob.ID)
		own := r.create(t, bob, bar, true, deploy(simple, "vm-size", "small"))
		_, err = r.orders.Approve(ctx, bob, own.ID.String())
		wants(t, err, fault.Forbidden, "Nobody approves their own order.")

		// Only super admins order for other users, with the rights of the owner.
		_, err = r.orders.Create(ctx, r.alice, order.Draft{GroupID: bar, OwnerID: r.bob.ID})
		wants(t, err, fault.Forbidden, "Only super admins can order on behalf of others.")
		_, err = r.orders.Create(ctx, r.alice, order.Draft{GroupID: globex})
		wants(t, err, fault.Forbidden, "You may not order for this group.")
		given, err := r.orders.Create(ctx, r.admin, order.Draft{GroupID: bar, OwnerID: r.alice.ID, RecipientID: r.bob.ID, Submit: true, Items: []models.OrderItem{deploy(simple, "vm-size", "small")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.orders.Approve(ctx, bob, given.ID.String()); err != nil {
			t.Fatal(err)
		}
		if sv := r.made(t, given)[0]; given.OwnerID != r.alice.ID || sv.OwnerID != r.bob.ID {
			t.Errorf("the order is user %s's and the server user %s's", given.OwnerID, sv.OwnerID)
		}

		// An empty order, and one without a group, cannot be submitted.
		_, err = r.orders.Create(ctx, r.alice, order.Draft{GroupID: foo, Submit: true})
		wants(t, err, fault.Invalid, "items: is empty: an empty order cannot be submitted")
		_, err = r.orders.Create(ctx, r.alice, order.Draft{Submit: true, Items: []models.OrderItem{deploy(simple, "vm-size", "small")}})
		wants(t, err, fault.Invalid, "group: is required before an order is submitted")
	})
}

// A cart is priced again after every change, and a refused change has no effect.
func TestCart(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		o, err := r.orders.Current(ctx, r.alice)
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.orders.Current(ctx, r.alice)
		if err != nil || again.ID != o.ID {
			t.Fatalf("the cart is order %s, and then %v %v", o.ID, again, err)
		}
		ref := o.ID.String()
		step := func(want string, items int) func(*models.Order, error) {
			return func(o *models.Order, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				if fresh := r.find(t, o.ID); o.Rate.String() != want || fresh.Rate != o.Rate || len(fresh.Items) != items {
					t.Errorf("the cart costs %s with %d items, want %s with %d", fresh.Rate, len(fresh.Items), want, items)
				}
			}
		}
		step("14.40", 1)(r.orders.AddItem(ctx, r.alice, ref, deploy(simple, "vm-size", "small")))
		step("72.00", 2)(r.orders.AddItem(ctx, r.alice, ref, stack()))
		step("100.80", 3)(r.orders.AddItem(ctx, r.alice, ref, prov(simple, 1, "", "vm-size", "medium")))
		step("100.80", 3)(r.orders.Edit(ctx, r.alice, ref, func(o *models.Order) error { o.GroupID, o.Name = bar, "Things"; return nil }))
		step("144.00", 3)(r.orders.ChangeItem(ctx, r.alice, ref, models.ItemDeploy, 1, func(it models.OrderItem) (models.OrderItem, error) {
			it.Deploy.Arguments[0].Parameters = pairs([]string{"vm-size", "large"})
			return it, nil
		}))
		_, err = r.orders.ChangeItem(ctx, r.alice, ref, models.ItemDeploy, 1, func(it models.OrderItem) (models.OrderItem, error) {
			it.Deploy.Arguments[0].EnvironmentID = 99
			return it, nil
		})
		if d := cmp.Diff([]fault.Field{{Path: fault.BuildItem("Server").Member("environment"), Reason: "cannot be ordered into by this group"}}, fields(err)); d != "" {
			t.Errorf("a change that is refused (-want +got):\n%s", d)
		}
		_, err = r.orders.RemoveItem(ctx, r.alice, ref, models.ItemMod, 1)
		wants(t, err, fault.NotFound, "Not found.")
		_, err = r.orders.RemoveItem(ctx, r.bob, ref, models.ItemProv, 1)
		wants(t, err, fault.Forbidden, "Only its owner can change an order.")
		_, err = r.orders.Edit(ctx, r.alice, ref, func(o *models.Order) error { o.GroupID = globex; return nil })
		wants(t, err, fault.Forbidden, "You may not order for this group.")
		step("86.40", 2)(r.orders.RemoveItem(ctx, r.alice, ref, models.ItemDeploy, 1))
		// The others keep their positions.
		step("144.00", 3)(r.orders.AddItem(ctx, r.alice, ref, stack()))
		o = r.find(t, o.ID)
		var positions []int
		for _, it := range o.Items {
			positions = append(positions, it.Position)
		}
		if d := cmp.Diff([]int{2, 3, 1}, positions); d != "" {
			t.Errorf("positions (-want +got):\n%s", d)
		}
		if o, err = r.orders.Submit(ctx, r.alice, ref); err != nil || o.Status != models.OrderPending || o.Current {
			t.Fatalf("submission: %+v %v", o, err)
		}
		next, err := r.orders.Current(ctx, r.alice)
		if err != nil || next.ID == o.ID {
			t.Errorf("the next cart is %v %v", next, err)
		}
		_, err = r.orders.Duplicate(ctx, r.bob, ref)
		wants(t, err, fault.Forbidden, "You may not order for this group.")
		if dup, err := r.orders.Duplicate(ctx, r.alice, ref); err != nil || dup.Status != models.OrderCart || dup.Rate != o.Rate || len(dup.Items) != 3 || dup.Name != "Things" {
			t.Errorf("duplicate: %+v %v", dup, err)
		}
	})
}

// Canceling a running order stops its jobs and undoes their effects.
func TestCancelRunning(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()

		// Nothing has started: it ends at once.
		idle := r.create(t, r.alice, foo, true, stack())
		o, err := r.orders.Cancel(ctx, r.alice, idle.ID.String())
		if err != nil || o.Status != models.OrderCanceled || !o.Ended() {
			t.Errorf("canceled before it began: %+v %v", o, err)
		}
		for _, sv := range r.made(t, idle) {
			if sv.Status != models.ServerHistorical {
				t.Errorf("server %s is %s", sv.ID, sv.Status)
			}
		}
		r.work(t)

		// Running: the back end is unavailable, so its job waits for another attempt.
		busy := r.create(t, r.alice, foo, true, deploy(simple, "vm-size", "small"))
		r.begin(t, busy)
		o, err = r.orders.Cancel(ctx, r.alice, busy.ID.String())
		if err != nil || o.Status != models.OrderActive || o.CancelRequestedAt == nil {
			t.Fatalf("canceled at work: %+v %v", o, err)
		}
		_, err = r.orders.Cancel(ctx, r.alice, busy.ID.String())
		wants(t, err, fault.Conflict, "The order is being canceled already.")
		r.work(t)
		if o := r.find(t, busy.ID); o.Status != models.OrderCanceled || !o.Ended() || r.made(t, busy)[0].Status != models.ServerHistorical {
			t.Errorf("the order ended as %s, its server as %s", o.Status, r.made(t, busy)[0].Status)
		}

		// A canceled change leaves the server unchanged.
		sv := r.server(t, r.alice, foo, "small")
		change := r.create(t, r.alice, foo, true, mod(sv.ID, "vm-size", "large"))
		r.begin(t, change)
		if _, err := r.orders.Cancel(ctx, r.alice, change.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.work(t)
		after, err := r.servers.Find(ctx, r.alice, sv.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		if o := r.find(t, change.ID); o.Status != models.OrderCanceled || after.Status != models.ServerActive || after.CPUs != 1 || after.Rate != sv.Rate {
			t.Errorf("the change ended as %s, its server is %s with %d processors for %s", o.Status, after.Status, after.CPUs, after.Rate)
		}

		// Partly done: finished parts stay, and the order shows it.
		part := r.create(t, r.alice, foo, true, deploy(simple, "vm-size", "small"), deploy(simple, "vm-size", "small"))
		jobs := r.jobsOf(t, part)
		ids := r.queue.take()
		for r.queue.run(ctx, jobs[0].ID) >= 0 {
		}
		r.queue.ids = ids
		if _, err := r.orders.Cancel(ctx, r.alice, part.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.work(t)
		if o, made := r.find(t, part.ID), r.made(t, part); o.Status != models.OrderWarning || made[0].Status != models.ServerActive || made[1].Status != models.ServerHistorical {
			t.Errorf("the order ended as %s, its servers as %s and %s", o.Status, made[0].Status, made[1].Status)
		}
		if got, want := len(r.machines(t)), 2; got != want {
			t.Errorf("there are %d machines, want %d", got, want)
		}
	})
}

// A retried job makes its order active again.
func TestRetry(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		r.template(t, rocky, "missing")
		o := r.create(t, r.alice, foo, true, stack()) // the database runs Rocky Linux
		r.work(t)
		if o = r.find(t, o.ID); o.Status != models.OrderWarning || !o.Ended() {
			t.Fatalf("the order ended as %s", o.Status)
		}
		failed := models.Job{}
		for _, j := range r.jobsOf(t, o) {
			if j.Status == models.JobFailure {
				failed = j
			}
		}
		if _, err := r.jobs.Retry(ctx, r.bob, failed.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("bob tries again: %v", err)
		}
		again := func(want models.OrderStatus) {
			t.Helper()
			if _, err := r.jobs.Retry(ctx, r.alice, failed.ID); err != nil {
				t.Fatal(err)
			}
			if o = r.find(t, o.ID); o.Status != models.OrderActive || o.Ended() {
				t.Errorf("the order is %s, ended at %v", o.Status, o.EndedAt)
			}
			r.work(t)
			if o = r.find(t, o.ID); o.Status != want || !o.Ended() {
				t.Errorf("the order ended as %s, want %s", o.Status, want)
			}
		}
		again(models.OrderWarning)
		r.template(t, rocky, "rocky-9")
		again(models.OrderSuccess)
		for _, sv := range r.made(t, o) {
			if sv.Status != models.ServerActive {
				t.Errorf("server %s is %s", sv.Hostname, sv.Status)
			}
		}
		want := []string{
			"created:", "submitted:", "approved:Approved automatically for Group Foo", "ended:WARNING",
			"resumed:Job id " + failed.ID.String() + " began again", "ended:WARNING",
			"resumed:Job id " + failed.ID.String() + " began again", "ended:SUCCESS",
		}
		if d := cmp.Diff(want, events(t, s, o.ID)); d != "" {
			t.Errorf("history (-want +got):\n%s", d)
		}
	})
}

// An order that removes a service removes all its servers.
func TestDeleteService(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		o := r.create(t, r.alice, foo, true, stack())
		first := r.made(t, o)[0]
		svc, err := r.servers.FindService(ctx, r.alice, first.ServiceID.String())
		if err != nil {
			t.Fatal(err)
		}
		ref := svc.ID.String()
		_, err = r.orders.DeleteService(ctx, r.alice, ref)
		wants(t, err, fault.Conflict, "Only services that are in 'Active', 'PROVFAILED' or 'Historical' state can be deleted. Current state of service is Provisioning")
		r.work(t)
		_, err = r.orders.DeleteService(ctx, access.Actor{ID: r.bob.ID, Username: "bob"}, ref)
		if err == nil {
			t.Error("bob removes alice's service")
		}
		del, err := r.orders.DeleteService(ctx, r.alice, ref)
		if err != nil {
			t.Fatal(err)
		}
		if del.Status != models.OrderActive || del.Rate != -o.Rate || len(del.Items[0].Decom.Names) != 4 {
			t.Errorf("deletion: %s for %s of %v", del.Status, del.Rate, del.Items[0].Decom.Names)
		}
		// A removal in progress cannot be ordered again.
		_, err = r.orders.Decommission(ctx, r.alice, first.ID.String())
		wants(t, err, fault.Conflict, "Only servers that are in 'ACTIVE' or 'PROVFAILED' state can be deleted. Current state of server is DECOM")
		_, err = r.orders.DeleteService(ctx, r.alice, ref)
		wants(t, err, fault.Conflict, "Its server web-1-1.demo.example is being worked on. Current state of server is DECOM")
		r.work(t)
		if del = r.find(t, del.ID); del.Status != models.OrderSuccess {
			t.Errorf("the deletion ended as %s", del.Status)
		}
		if svc, err = r.servers.FindService(ctx, r.alice, svc.ID.String()); err != nil || svc.Status != models.ServiceHistorical {
			t.Errorf("the service is %v %v", svc, err)
		}
		if got := r.machines(t); len(got) != 0 {
			t.Errorf("machines are left: %v", got)
		}
		if err := server.CanDecom(r.alice, &r.made(t, o)[0]); !fault.Is(err, fault.Conflict) {
			t.Errorf("a server of the past can be removed: %v", err)
		}
	})
}
