package order_test

import (
	"context"
	"flag"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// edges are the documented status changes of an order.
var edges = map[models.OrderStatus][]models.OrderStatus{
	models.OrderCart:     {models.OrderPending, models.OrderActive, models.OrderCanceled},
	models.OrderPending:  {models.OrderActive, models.OrderDenied, models.OrderCanceled},
	models.OrderActive:   {models.OrderSuccess, models.OrderWarning, models.OrderFailure, models.OrderCanceled},
	models.OrderFailure:  {models.OrderActive}, // by a retried job
	models.OrderWarning:  {models.OrderActive},
	models.OrderCanceled: {models.OrderActive},
}

// After any operations, by any callers, in any order: orders only change along the edges, a method refuses
// exactly when its guard refuses, so that documents offer only working actions, and in the end everything
// has ended.
func TestAnySequenceKeepsToTheEdges(t *testing.T) {
	t.Parallel()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("15"); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		rapid.Check(t, func(rt *rapid.T) {
			m := &life{rig: r, t: rt, status: map[models.ID]models.OrderStatus{}}
			m.create()
			rt.Repeat(map[string]func(*rapid.T){
				"create":    func(*rapid.T) { m.create() },
				"add":       func(*rapid.T) { m.act(order.CanEdit, m.add) },
				"remove":    func(*rapid.T) { m.act(order.CanEdit, m.remove) },
				"edit":      func(*rapid.T) { m.act(order.CanEdit, m.edit) },
				"submit":    func(*rapid.T) { m.act(submitGuard, r.orders.Submit) },
				"approve":   func(*rapid.T) { m.act(order.CanApprove, r.orders.Approve) },
				"cancel":    func(*rapid.T) { m.act(order.CanCancel, r.orders.Cancel) },
				"duplicate": func(*rapid.T) { m.act(order.CanDuplicate, m.duplicate) },
				"deny": func(*rapid.T) {
					m.act(order.CanDeny, func(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
						return r.orders.Deny(ctx, a, ref, "no")
					})
				},
				"work":  func(*rapid.T) { r.one(rt) },
				"retry": func(*rapid.T) { m.retry() },
				"break": func(*rapid.T) {
					r.template(rt, debian, rapid.SampledFrom([]string{"debian-12", "missing"}).Draw(rt, "template"))
				},
				"": func(*rapid.T) { m.look() },
			})
			r.template(rt, debian, "debian-12")
			r.work(rt)
			m.look()
			for _, id := range m.ids {
				if o := r.find(rt, id); o.Status == models.OrderActive {
					rt.Errorf("order %s is %s, and nothing is left to do", id, o.Status)
				}
			}
		})
	})
}

// life is a set of orders, with the statuses last seen.
type life struct {
	*rig
	t      *rapid.T
	ids    []models.ID
	status map[models.ID]models.OrderStatus
}

func (m *life) actorOf() access.Actor {
	return rapid.SampledFrom([]access.Actor{m.alice, m.alice, m.bob, m.bob, m.carol, m.admin}).Draw(m.t, "actor")
}

func (m *life) group() models.ID {
	return models.ID(rapid.SampledFrom([]int{foo, bar, bar, 0}).Draw(m.t, "group"))
}

func (m *life) item() models.OrderItem {
	return rapid.SampledFrom([]models.OrderItem{
		deploy(simple, "vm-size", "small"), stack(), prov(simple, 2, "", "vm-size", "small"),
		deploy(lab, "vm-size", "small"), // not for Group Foo
	}).Draw(m.t, "item")
}

func (m *life) create() {
	d := order.Draft{GroupID: m.group(), Submit: rapid.Bool().Draw(m.t, "submit")}
	for range rapid.IntRange(0, 2).Draw(m.t, "items") {
		d.Items = append(d.Items, fresh(m.item()))
	}
	o, err := m.orders.Create(m.t.Context(), m.alice, d)
	if err != nil {
		if !fault.Is(err, fault.Invalid) {
			m.t.Fatal(err)
		}
		return
	}
	m.know(o)
}

// fresh returns an item that shares nothing with others of its kind.
func fresh(it models.OrderItem) models.OrderItem {
	if it.Deploy != nil {
		d := *it.Deploy
		d.Arguments = slices.Clone(d.Arguments)
		it.Deploy = &d
	}
	if it.Prov != nil {
		d := *it.Prov
		it.Prov = &d
	}
	return it
}

func (m *life) know(o *models.Order) {
	if _, known := m.status[o.ID]; !known {
		m.ids = append(m.ids, o.ID)
		m.status[o.ID] = o.Status
	}
}

// submitGuard is CanSubmit, except for the one request that is accepted and not offered: the submission of
// one's own pending order.
func submitGuard(a access.Actor, o *models.Order) error {
	if o.Status == models.OrderPending && o.OwnerID == a.ID {
		return nil
	}
	return order.CanSubmit(a, o)
}

// act lets a random user act on one of the orders.
func (m *life) act(guard func(access.Actor, *models.Order) error, do func(context.Context, access.Actor, string) (*models.Order, error)) {
	if len(m.ids) == 0 {
		return
	}
	id := rapid.SampledFrom(m.ids).Draw(m.t, "order")
	a := m.actorOf()
	var says error
	before, err := m.orders.Find(m.t.Context(), a, id.String())
	if err != nil {
		says = err // a user who does not see the order is told so
	} else {
		says = guard(a, before)
	}
	_, err = do(m.t.Context(), a, id.String())
	switch {
	case says == nil && (err == nil || fault.Is(err, fault.Invalid)):
	case says == nil:
		m.t.Errorf("%s is offered what is refused on order %s: %v", a.Username, id, err)
	case fault.CodeOf(err) != fault.CodeOf(says) || fault.Message(err) != fault.Message(says):
		m.t.Errorf("%s on order %s: the guard says %v, the method %v", a.Username, id, says, err)
	}
}

func (m *life) add(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return m.orders.AddItem(ctx, a, ref, fresh(m.item()))
}

func (m *life) edit(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	group := m.group()
	if !a.Can(access.OrderSubmit, group) {
		group = 0 // the rights to the group are tested elsewhere
	}
	return m.orders.Edit(ctx, a, ref, func(o *models.Order) error {
		o.GroupID = group
		return nil
	})
}

func (m *life) remove(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	o, err := m.orders.Find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	if len(o.Items) == 0 {
		return m.orders.Edit(ctx, a, ref, func(*models.Order) error { return nil })
	}
	return m.orders.RemoveItem(ctx, a, ref, o.Items[0].Kind, o.Items[0].Position)
}

func (m *life) duplicate(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	o, err := m.orders.Duplicate(ctx, a, ref)
	if err == nil {
		m.know(o)
	}
	return o, err
}

// retry retries a job of an order.
func (m *life) retry() {
	if len(m.ids) == 0 {
		return
	}
	id := rapid.SampledFrom(m.ids).Draw(m.t, "order")
	for _, j := range m.jobsOf(m.t, &models.Order{Row: models.Row{ID: id}}) {
		if _, err := m.jobs.Retry(m.t.Context(), m.admin, j.ID); err != nil && !fault.Is(err, fault.Conflict) {
			m.t.Fatal(err)
		}
	}
}

// look compares every order with its last status, and with its jobs and servers.
func (m *life) look() {
	for _, id := range m.ids {
		o := m.find(m.t, id)
		if was := m.status[id]; o.Status != was && !slices.Contains(edges[was], o.Status) {
			m.t.Errorf("order %s went from %s to %s", id, was, o.Status)
		}
		m.status[id] = o.Status
		ended := !slices.Contains([]models.OrderStatus{models.OrderCart, models.OrderPending, models.OrderActive}, o.Status)
		if ended != o.Ended() {
			m.t.Errorf("order %s is %s, and ended at %v", id, o.Status, o.EndedAt)
		}
		open := 0
		jobs := m.jobsOf(m.t, o)
		for i := range jobs {
			if !jobs[i].Ended() {
				open++
			}
		}
		if (o.Status == models.OrderActive) != (open > 0) {
			m.t.Errorf("order %s is %s with %d jobs at work", id, o.Status, open)
		}
		var rate models.Money
		for _, it := range o.Items {
			rate += it.Rate
		}
		if o.Rate != rate {
			m.t.Errorf("order %s costs %s, its items %s", id, o.Rate, rate)
		}
		if begun := o.ApprovedAt != nil; begun != (len(jobs) > 0) || len(m.made(m.t, o)) != len(jobs) {
			m.t.Errorf("order %s, approved at %v, has %d jobs and %d servers", id, o.ApprovedAt, len(jobs), len(m.made(m.t, o)))
		}
	}
}

// The model allows the same changes.
func TestEdges(t *testing.T) {
	t.Parallel()
	for _, from := range models.OrderStatuses {
		for _, to := range models.OrderStatuses {
			o := models.Order{Status: from}
			want := slices.Contains(edges[from], to)
			if err := o.MoveTo(to); (err == nil) != want || (o.Status == to) != (want || from == to) {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
}
