package v2

import (
	"context"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
)

// This file declares the parts of pages beside their documents: see resource.Display.

// orderParts returns the items of an order, each with its price and its actions, and the
// approvers while it waits.
func (f *Face) orderParts(ctx context.Context, a access.Actor, o *models.Order) ([]hal.Embedded, error) {
	var parts []hal.Embedded
	for _, kind := range models.ItemKinds {
		var docs []hal.Document
		for i := range o.Items {
			if it := &o.Items[i]; it.Kind == kind {
				doc := f.itemDocument(o, it)
				doc.Templates = itemTemplates(a, o, it, doc.Self().Href)
				docs = append(docs, doc)
			}
		}
		if docs != nil {
			parts = append(parts, hal.Embedded{Rel: "cb:" + itemMember(kind), Many: true, Docs: docs})
		}
	}
	if o.Status != models.OrderPending {
		return parts, nil
	}
	who, err := f.Orders.Approvers(ctx, o)
	if err != nil {
		return nil, err
	}
	approvers, err := f.approvers(ctx, a, who)
	return append(parts, approvers), err
}

// approvers returns the users who may approve an order, as far as the actor sees them.
func (f *Face) approvers(ctx context.Context, a access.Actor, who []models.ID) (hal.Embedded, error) {
	e := hal.Embedded{Rel: "cb:approvers", Many: true}
	if len(who) == 0 {
		return e, nil
	}
	var err error
	e.Docs, _, err = f.reg.Listed(ctx, a, f.reg.Def("users"), "order=id&page_size=20", query.Among(who))
	return e, err
}

// home is the start page: blueprints to order, carts, orders that wait for the user,
// running jobs, and the user's servers.
func (f *Face) home(ctx context.Context, a access.Actor, doc *hal.Document) error {
	me := a.ID.String()
	for _, x := range []struct {
		rel, plural, query string
		narrow             []query.ListOption
	}{
		{"blueprints", "blueprints", "filter=state:Active&attributes=description,price-from&order=name&page_size=6", nil},
		{"cb:carts", "orders", "filter=status:CART;owner.id:" + me + "&attributes=summary,rate,group&order=-id&page_size=5", nil},
		{"cb:waiting", "orders", "filter=status:PENDING&attributes=summary,rate,group,owner.username,submit-date&order=id&page_size=5", []query.ListOption{order.WaitingFor(a)}},
		{"cb:running", "jobs", "filter=status.in:PENDING,QUEUED,RUNNING,TO_CANCEL;parent.isnull:true&attributes=progress,create-date,order,action&order=-id&page_size=5", nil},
		{"servers", "servers", "filter=owner.id:" + me + "&attributes=status,power-status,ip,cpu-cnt,mem-size&order=-id&page_size=6", nil},
	} {
		docs, _, err := f.reg.Listed(ctx, a, f.reg.Def(x.plural), x.query, x.narrow...)
		if err != nil {
			return err
		}
		doc.Embedded = append(doc.Embedded, hal.Embedded{Rel: x.rel, Many: true, Docs: docs})
	}
	return nil
}
