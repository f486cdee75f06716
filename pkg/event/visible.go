package event

import (
	"context"
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// offerings says what actors see of some events. Who provides what they are about is
// not in them: it is asked once for all, if anybody provides anything.
type offerings struct {
	ctx   context.Context //nolint:containedctx // it lives for one look at the events
	store *store.Store
	list  []*Published

	asked     bool
	byService map[models.ID][]models.ID
	byOrder   map[models.ID][]models.ID
}

// seen returns the events about what the actor sees, in their order.
func (o *offerings) seen(a access.Actor) ([]*Published, error) {
	if a.SeesAll() {
		return o.list, nil
	}
	if len(a.With(access.OfferingManage)) > 0 {
		if err := o.ask(); err != nil {
			return nil, err
		}
	}
	var out []*Published
	for _, e := range o.list {
		if access.SeesEvent(a, &e.Event, o.providers(&e.Event)) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (o *offerings) providers(e *models.Event) []models.ID {
	if e.ObjectType == models.ObjectOrder {
		return o.byOrder[e.ObjectID]
	}
	return o.byService[e.ServiceID]
}

func (o *offerings) ask() (err error) {
	if o.asked {
		return nil
	}
	var services, orders []models.ID
	for _, e := range o.list {
		if e.ObjectType == models.ObjectOrder {
			orders = append(orders, e.ObjectID)
		} else if e.ServiceID != 0 {
			services = append(services, e.ServiceID)
		}
	}
	const ofServices = "SELECT x.id AS of, b.group_id AS provider FROM services x JOIN blueprints b ON b.id = x.blueprint_id"
	if o.byService, err = o.groups(ofServices, "x.id", services); err != nil {
		return err
	}
	const ofOrders = "SELECT x.order_id AS of, b.group_id AS provider FROM order_items x JOIN blueprints b ON b.id = x.blueprint_id"
	if o.byOrder, err = o.groups(ofOrders, "x.order_id", orders); err != nil {
		return err
	}
	o.asked = true
	return nil
}

// groups returns the groups that provide each of what has the ids.
func (o *offerings) groups(statement, column string, ids []models.ID) (map[models.ID][]models.ID, error) {
	out := map[models.ID][]models.ID{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct{ Of, Provider models.ID }
	tx := o.store.Read(o.ctx)
	w := query.ByIDs(tx, column, ids)
	if err := tx.Raw(statement+" WHERE b.group_id IS NOT NULL AND "+w.SQL, w.Args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("providers: %w", store.Fault(err))
	}
	for _, r := range rows {
		out[r.Of] = append(out[r.Of], r.Provider)
	}
	return out, nil
}
