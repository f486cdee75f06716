package v2

import (
	"context"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// scaleAction returns a tier of a service more servers, or fewer.
func (f *Face) scaleAction() resource.Action[models.Service] {
	type svc = models.Service
	return resource.Action[svc]{
		Rel: "scale", Name: "Scale", Path: "scale", Number: scaleNumber, Title: "Scale", Slash: true,
		Doc: "Orders more servers for a tier, or the removal of its newest ones. The body says how many there are to be (quantity), in which tier (tier, which a service with a single one needs not), and what new ones are to have otherwise than those that are there (parameters).",
		Can: order.CanScale, Body: schema.Struct(scaleMembers()...), Results: resource.Results{resource.ToWork("orders")},
		Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[svc], error) {
			s, err := f.Servers.FindService(ctx, a, ref)
			if err != nil {
				return resource.Result[svc]{}, err
			}
			if err := order.CanScale(a, s); err != nil {
				return resource.Result[svc]{}, err // check the right before the body: a refusal reveals nothing about it
			}
			it := models.ScaleItem{}
			readScale(n, &it)
			n.Done()
			if err := n.Faults().Err(); err != nil {
				return resource.Result[svc]{}, err
			}
			o, err := f.Orders.Scale(ctx, a, ref, it)
			if err != nil {
				return resource.Result[svc]{}, err
			}
			return resource.Result[svc]{Work: orderWork(o.ID)}, nil
		},
		Form: func(ctx context.Context, _ access.Actor, s *svc) ([]hal.TemplateProperty, error) {
			tiers, err := f.Orders.Tiers(ctx, s)
			if err != nil || len(tiers) == 0 {
				return nil, err
			}
			var props []hal.TemplateProperty
			for _, q := range order.ScaleQuestions(tiers) {
				name := q.Path.Last().Name
				p := f.property(&q, name)
				p.Prompt = scaleLabels[name]
				props = append(props, p)
			}
			return props, nil
		},
	}
}

// scaleLabels are the labels of the questions about scaling.
var scaleLabels = map[string]string{"tier": "Tier", "quantity": "Servers"}

// readScale reads the members common to a scale item and the body of the action.
func readScale(n *jsonbody.Value, d *models.ScaleItem) {
	if x := n.Field("tier", "build-item"); x.Given() {
		d.Tier = x.TextUpTo(maxName)
	}
	if x := n.Field("quantity"); x.Present() {
		d.Quantity = int(min(x.IntFrom(1), 1<<30)) // the service knows how many are too many
	} else if d.Quantity == 0 {
		x.Complain("is required")
	}
	if x := n.Field("parameters"); x.Given() {
		d.Parameters = readParams(x, nil)
	}
}

func readScaleItem(n *jsonbody.Value, refs *resource.Refs, d models.ScaleItem) *models.ScaleItem {
	if x := n.Field("service", "resource"); x.Present() {
		d.ServiceID = refs.To(x, "services")
	} else if d.ServiceID == 0 {
		x.Complain("is required")
	}
	readScale(n, &d)
	return &d
}

func scaleProps(d *models.ScaleItem) []hal.Prop {
	props := []hal.Prop{
		{Name: "service", Value: href("services", d.ServiceID)},
		{Name: "tier", Value: hal.String(d.Tier)},
		{Name: "quantity", Value: hal.Int(int64(d.Quantity))},
	}
	if len(d.Parameters) > 0 {
		props = append(props, hal.Prop{Name: "parameters", Value: params(d.Parameters)})
	}
	return append(props, hal.Prop{Name: "delta", Value: params(d.Delta)})
}
