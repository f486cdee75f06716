package order_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// facts are the common parts of a forecast and an order. The id of a dry-run order is "new".
type facts struct {
	Status          models.OrderStatus
	Rate            models.Money
	Group, Approver models.ID
	Summary         string
	Submitted       bool
	Approved, Ended bool
	Jobs            []order.PlannedJob
}

func factsOf(o *models.Order, jobs []order.PlannedJob) facts {
	return facts{
		o.Status, o.Rate, o.GroupID, o.ApprovedByID, strings.ReplaceAll(o.Summary, "-"+o.ID.String()+"-", "-new-"),
		o.SubmittedAt != nil, o.ApprovedAt != nil, o.EndedAt != nil, jobs,
	}
}

// tree returns an order's jobs in the form of a forecast.
func (r *rig) tree(t tester, o *models.Order) []order.PlannedJob {
	t.Helper()
	rows, err := store.Find[models.Job](r.store.Read(t.Context()).Where("order_id = ?", o.ID).Order("id"))
	if err != nil {
		t.Fatal(err)
	}
	var below func(parent models.ID) []order.PlannedJob
	below = func(parent models.ID) []order.PlannedJob {
		var out []order.PlannedJob
		for _, j := range rows {
			if j.ParentID != parent {
				continue
			}
			table, id := "servers", j.ServerID
			column := "hostname"
			if j.Type == models.JobDeploy {
				table, id, column = "services", j.ServiceID, "name"
			}
			p := order.PlannedJob{Type: j.Type, Jobs: below(j.ID)}
			if err := r.store.Read(t.Context()).Table(table).Select(column).Where("id = ?", id).Scan(&p.Name).Error; err != nil {
				t.Fatal(err)
			}
			if j.PrerequisiteID != 0 {
				t.Errorf("job %s waits for another, which no forecast says", j.ID)
			}
			p.Name = strings.ReplaceAll(p.Name, "-"+o.ID.String()+"-", "-new-")
			out = append(out, p)
		}
		return out
	}
	return below(0)
}

// A forecast equals the later result, error for error, and changes nothing.
func TestDryRunSaysWhatHappens(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r, ctx := newRig(t, s), t.Context()
		one, two, three := r.server(t, r.alice, foo, "small"), r.server(t, r.alice, foo, "small"), r.server(t, r.alice, bar, "small")
		limits := []*models.Quota{
			r.limit(t, acme, 0, models.QuotaServers, "12"), r.limit(t, foo, 0, models.QuotaCPU, "40"), r.limit(t, 0, simple, models.QuotaMoney, "400"),
		}
		tried := func(what string, do func() (*order.Forecast, error)) (*order.Forecast, error) {
			t.Helper()
			before := counts(t, s)
			f, err := do()
			if d := cmp.Diff(before, counts(t, s)); d != "" {
				t.Errorf("%s: a dry run left something behind (-before +after):\n%s", what, d)
			}
			return f, err
		}
		compare := func(what string, f *order.Forecast, dry error, o *models.Order, err error) {
			t.Helper()
			if fault.CodeOf(dry) != fault.CodeOf(err) || err != nil && fault.Message(dry) != fault.Message(err) {
				t.Errorf("%s: %v beforehand, and then %v", what, dry, err)
				return
			}
			if err != nil {
				return
			}
			want := factsOf(o, r.tree(t, o))
			got := factsOf(f.Order, f.Jobs)
			if o.Status == models.OrderPending || o.Status == models.OrderCart {
				want.Jobs, got.Jobs = nil, nil // not started yet
			}
			got.Summary = strings.ReplaceAll(got.Summary, "-"+o.ID.String()+"-", "-new-")
			renamed(got.Jobs, o.ID)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-happened +said):\n%s", what, d)
			}
			if o.Status != models.OrderCart && (o.Status == models.OrderPending) == (f.Automatic != "") {
				t.Errorf("%s: approved by %q, and it is %s", what, f.Automatic, o.Status)
			}
			if o.Status == models.OrderPending && !slices.Equal(f.Approvers, []models.ID{r.bob.ID}) {
				t.Errorf("%s: approvers %v", what, f.Approvers)
			}
			for _, q := range limits {
				now := r.used(t, q)
				i := slices.IndexFunc(f.Quotas, func(e quota.Effect) bool { return e.Quota.ID == q.ID })
				if o.Status != models.OrderCart && i >= 0 && f.Quotas[i].After() != now {
					t.Errorf("%s: quota %s was said to become %d, and is %d", what, q.ID, f.Quotas[i].After(), now)
				}
			}
		}
		for _, x := range []struct {
			what  string
			draft order.Draft
		}{
			{"a cart", order.Draft{GroupID: foo, Items: []models.OrderItem{stack()}}},
			{"an empty cart", order.Draft{}},
			{"an empty order", order.Draft{GroupID: foo, Submit: true}},
			{"no group", order.Draft{Submit: true, Items: []models.OrderItem{mod(one.ID, "vm-size", "medium")}}},
			{"automatic", order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{stack(), prov(simple, 2, "", "vm-size", "small"), decom(one.ID)}}},
			{"waits", order.Draft{GroupID: bar, Submit: true, Items: []models.OrderItem{deploy(simple, "vm-size", "large"), mod(three.ID, "cpu-cnt", "4")}}},
			{"grows", order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{mod(two.ID, "vm-size", "large")}}},
			{"too much", order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{prov(simple, 20, "", "vm-size", "small")}}},
			{"too much for a cart", order.Draft{GroupID: foo, Items: []models.OrderItem{prov(simple, 20, "", "vm-size", "small")}}},
			{"invalid", order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{deploy(lab, "vm-size", "huge", "colour", "red")}}},
			{"of others", order.Draft{GroupID: globex, Submit: true, Items: []models.OrderItem{stack()}}},
			{"for others", order.Draft{GroupID: foo, OwnerID: r.bob.ID, Items: []models.OrderItem{stack()}}},
		} {
			f, dry := tried(x.what, func() (*order.Forecast, error) { return r.orders.DryCreate(ctx, r.alice, copyOf(x.draft)) })
			o, err := r.orders.Create(ctx, r.alice, copyOf(x.draft))
			compare(x.what, f, dry, o, err)
			if err != nil || o.Status != models.OrderCart {
				continue
			}
			ref := o.ID.String()
			f, dry = tried(x.what+", submitted", func() (*order.Forecast, error) { return r.orders.DrySubmit(ctx, r.alice, ref) })
			o, err = r.orders.Submit(ctx, r.alice, ref)
			compare(x.what+", submitted", f, dry, o, err)
			f, dry = tried(x.what+", submitted again", func() (*order.Forecast, error) { return r.orders.DrySubmit(ctx, r.alice, ref) })
			o, err = r.orders.Submit(ctx, r.alice, ref)
			compare(x.what+", submitted again", f, dry, o, err)
		}

		// The dry run did not even use up an id.
		a := r.create(t, r.alice, foo, false)
		if _, err := r.orders.DryCreate(ctx, r.alice, order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{stack()}}); err != nil {
			t.Fatal(err)
		}
		if b := r.create(t, r.alice, foo, false); b.ID != a.ID+1 {
			t.Errorf("the orders around a dry run are %s and %s", a.ID, b.ID)
		}
	})
}

func renamed(jobs []order.PlannedJob, id models.ID) {
	for i := range jobs {
		jobs[i].Name = strings.ReplaceAll(jobs[i].Name, "-"+id.String()+"-", "-new-")
		renamed(jobs[i].Jobs, id)
	}
}

// copyOf returns a draft that shares no items.
func copyOf(d order.Draft) order.Draft {
	items := make([]models.OrderItem, len(d.Items))
	for i, it := range d.Items {
		items[i] = fresh(it)
		if it.Mod != nil {
			m := *it.Mod
			items[i].Mod = &m
		}
		if it.Decom != nil {
			m := *it.Decom
			items[i].Decom = &m
		}
	}
	d.Items = items
	return d
}
