package v2

import (
	"context"
	"slices"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
)

// dryRuns preview the operations that create or submit orders.
type dryRuns struct{ face *Face }

// Orders can be tried out: as they are made, by body or by a blueprint's form, and as
// carts are submitted.

const (
	memberDryRun   = "dry-run"  // of a forecast
	forecastSchema = "Forecast" // its name
)

// dryCreate tries out a new order.
func (r dryRuns) dryCreate(ctx context.Context, a access.Actor, _ string, n *jsonbody.Value, on *resource.Arena) (*resource.Preview, error) {
	d, err := readDraft(n, r.face.reg.Refs(ctx, a))
	if err != nil {
		return nil, err
	}
	fc, err := r.face.Orders.DryCreate(ctx, a, d)
	if err != nil {
		return nil, err
	}
	return r.forecast(ctx, a, fc, on)
}

// dryOrderForm tries out the order form of a blueprint.
func (r dryRuns) dryOrderForm(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value, on *resource.Arena) (*resource.Preview, error) {
	var fc *order.Forecast
	err := r.face.byForm(ctx, a, ref, n, func(d order.Draft) (err error) {
		fc, err = r.face.Orders.DryCreate(ctx, a, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.forecast(ctx, a, fc, on)
}

// drySubmit tries out the submission of a cart.
func (r dryRuns) drySubmit(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value, on *resource.Arena) (*resource.Preview, error) {
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return nil, err
	}
	fc, err := r.face.Orders.DrySubmit(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	return r.forecast(ctx, a, fc, on)
}

// forecast returns the order as it would be. It offers nothing that could only be done
// to the real one, and a new one has neither an id nor an address.
func (r dryRuns) forecast(ctx context.Context, a access.Actor, fc *order.Forecast, on *resource.Arena) (*resource.Preview, error) {
	d := r.face.reg.Def("orders")
	doc, err := r.face.reg.Item(ctx, a, d, fc.Order, on)
	if err != nil {
		return nil, err
	}
	doc.Actions, doc.HasActions = nil, false
	doc.Links = slices.DeleteFunc(doc.Links, func(r hal.Rel) bool { return r.Name == "describedby" }) // it is another document
	if fc.Order.ID == 0 {
		doc.Links[0].Links = []hal.Link{{Href: d.Path(), Title: "Dry run of a new order"}}
		doc.Links = slices.DeleteFunc(doc.Links, func(r hal.Rel) bool { return r.Name == "history" || r.Name == "collection" })
		doc.Props = slices.DeleteFunc(doc.Props, func(p hal.Prop) bool {
			return p.Name == "id" || p.Name == "global-id" || p.Name == "uuid"
		})
	}
	approvals, err := r.forecastApprovals(ctx, a, fc)
	if err != nil {
		return nil, err
	}
	doc.Props = append(doc.Props, hal.Prop{Name: memberDryRun, Value: hal.Object([]hal.Prop{
		{Name: "approvals", Value: hal.List(approvals)},
		{Name: "quota", Value: r.forecastQuotas(fc)},
		{Name: "jobs", Value: forecastJobs(fc.Jobs)},
	})})
	return &resource.Preview{Doc: doc, Parts: func(ctx context.Context) ([]hal.Embedded, error) {
		approvers, err := r.face.approvers(ctx, a, fc.Approvers)
		return []hal.Embedded{approvers}, err
	}}, nil
}

// forecastApprovals returns the policy that approves, or the approvers, as far as the
// actor sees them.
func (r dryRuns) forecastApprovals(ctx context.Context, a access.Actor, fc *order.Forecast) ([]hal.Value, error) {
	switch {
	case fc.Order.GroupID == 0:
		return nil, nil
	case fc.Automatic != "":
		return []hal.Value{hal.Object([]hal.Prop{
			{Name: "policy", Value: hal.String("automatic")}, {Name: "reason", Value: hal.String(fc.Automatic)},
		})}, nil
	}
	titles, err := r.face.Refdata.Titles(ctx)
	if err != nil {
		return nil, err
	}
	defer titles.Release()
	link := func(plural string, id models.ID) (hal.Value, bool) {
		d := r.face.reg.Def(plural)
		title, ok := titles.Title(a, d.Entity.Table, id)
		return hal.LinkValue(hal.Link{Href: d.Href(id), Title: title}), ok
	}
	props := []hal.Prop{{Name: "policy", Value: hal.String("approver")}}
	if group, ok := link("groups", fc.Order.GroupID); ok {
		props = append(props, hal.Prop{Name: "group", Value: group})
	}
	who := []hal.Value{}
	for _, id := range fc.Approvers {
		if u, ok := link("users", id); ok {
			who = append(who, u)
		}
	}
	return []hal.Value{hal.Object(append(props, hal.Prop{Name: "approvers", Value: hal.List(who)}))}, nil
}

func (r dryRuns) forecastQuotas(fc *order.Forecast) hal.Value {
	d := r.face.reg.Def("quotas")
	list := make([]hal.Value, len(fc.Quotas))
	for i := range fc.Quotas {
		q := &fc.Quotas[i].Quota
		list[i] = hal.Object([]hal.Prop{
			{Name: "href", Value: hal.String(d.Href(q.ID))},
			{Name: "title", Value: hal.String(d.TitleOf(q))},
			{Name: "kind", Value: hal.String(string(q.Kind))},
			{Name: "limit", Value: amount(q.Kind, q.Limit)},
			{Name: "used", Value: amount(q.Kind, q.Used)},
			{Name: "after", Value: amount(q.Kind, fc.Quotas[i].After())},
		})
	}
	return hal.List(list)
}

// forecastJobs writes the tree of jobs. A leaf has no member jobs.
func forecastJobs(jobs []order.PlannedJob) hal.Value {
	list := make([]hal.Value, len(jobs))
	for i, j := range jobs {
		name := "hostname"
		switch j.Type { //nolint:exhaustive // the others are about one server
		case models.JobDeploy:
			name = "service-name"
		case models.JobAction:
			name = "action"
		}
		before := hal.Null()
		if j.After != "" {
			before = hal.String(j.After)
		}
		props := []hal.Prop{
			{Name: "type", Value: hal.String(j.Type.Title())},
			{Name: name, Value: hal.String(j.Name)},
			{Name: "prerequisite", Value: before},
		}
		if j.Jobs != nil {
			props = append(props, hal.Prop{Name: "jobs", Value: forecastJobs(j.Jobs)})
		}
		list[i] = hal.Object(props)
	}
	return hal.List(list)
}
