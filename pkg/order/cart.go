package order

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
)

// edit runs fn on the actor's cart, then checks and prices the cart again. The placing
// that fn returns gives the paths of the errors. When it is nil, a cart that still has
// problems is saved with them and is not an error: a cart with several problems is
// repaired in several steps.
func (s *Service) edit(ctx context.Context, a access.Actor, ref string, fn func(tx *store.Tx, o *models.Order) (place placing, err error)) (*models.Order, error) {
	var o *models.Order
	err := s.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if o, err = lock(tx, a, ref); err != nil {
			return err
		}
		if err := CanEdit(a, o); err != nil {
			return err
		}
		place, err := fn(tx, o)
		if err != nil {
			return err
		}
		p, err := s.plan(tx, a, o, place)
		if place == nil && fault.Is(err, fault.Invalid) {
			return s.mended(ctx, tx, a, o)
		}
		if err != nil {
			return err
		}
		return s.priced(tx, o, p)
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Edit applies a change to the cart's name, group or recipient.
func (s *Service) Edit(ctx context.Context, a access.Actor, ref string, apply func(*models.Order) error) (*models.Order, error) {
	return s.edit(ctx, a, ref, func(tx *store.Tx, o *models.Order) (placing, error) {
		if err := apply(o); err != nil {
			return nil, err
		}
		if err := o.Validate(); err != nil {
			return nil, err
		}
		return itemPath, CanOrderFor(a, o.GroupID)
	})
}

// AddItem appends an item to the cart. The error is Invalid when the item cannot be
// ordered; its paths begin at the item.
func (s *Service) AddItem(ctx context.Context, a access.Actor, ref string, it models.OrderItem) (*models.Order, error) {
	return s.edit(ctx, a, ref, func(tx *store.Tx, o *models.Order) (placing, error) {
		it.OrderID, it.Position = o.ID, 1
		for _, have := range o.Items {
			if have.Kind == it.Kind {
				it.Position = max(it.Position, have.Position+1)
			}
		}
		if err := store.Fault(tx.DB.Create(&it).Error); err != nil {
			return nil, err
		}
		o.Items = append(o.Items, it)
		return onlyItem(it.ID), nil
	})
}

// ChangeItem replaces an item of the cart with the result of change. The error is
// NotFound when the cart has no item of that kind at the position.
func (s *Service) ChangeItem(ctx context.Context, a access.Actor, ref string, kind models.ItemKind, position int, change func(models.OrderItem) (models.OrderItem, error)) (*models.Order, error) {
	return s.edit(ctx, a, ref, func(tx *store.Tx, o *models.Order) (placing, error) {
		i, err := itemAt(o, kind, position)
		if err != nil {
			return nil, err
		}
		changed, err := change(o.Items[i])
		if err != nil {
			return nil, err
		}
		o.Items[i] = changed
		return onlyItem(changed.ID), nil
	})
}

// RemoveItem removes an item from the cart. The error is NotFound when the cart has no
// item of that kind at the position.
func (s *Service) RemoveItem(ctx context.Context, a access.Actor, ref string, kind models.ItemKind, position int) (*models.Order, error) {
	return s.edit(ctx, a, ref, func(tx *store.Tx, o *models.Order) (placing, error) {
		i, err := itemAt(o, kind, position)
		if err != nil {
			return nil, err
		}
		if err := store.Fault(tx.DB.Delete(&o.Items[i]).Error); err != nil {
			return nil, err
		}
		o.Items = append(o.Items[:i], o.Items[i+1:]...)
		return nil, nil
	})
}

func itemAt(o *models.Order, kind models.ItemKind, position int) (int, error) {
	for i, it := range o.Items {
		if it.Kind == kind && it.Position == position {
			return i, nil
		}
	}
	return 0, fault.NotFoundf("Not found.")
}

// Duplicate creates a new cart with copies of an order's items. Items that cannot be
// ordered any more are copied too.
func (s *Service) Duplicate(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	var dup *models.Order
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		o, err := find(tx, a, ref)
		if err != nil {
			return err
		}
		if err := CanDuplicate(a, o); err != nil {
			return err
		}
		dup = &models.Order{Name: o.Name, Status: models.OrderCart, GroupID: o.GroupID, OwnerID: a.ID, Summary: o.Summary, Rate: o.Rate}
		if err := store.Insert(tx, dup); err != nil {
			return err
		}
		for _, it := range o.Items {
			it.ID, it.OrderID = 0, dup.ID
			if err := store.Fault(tx.DB.Create(&it).Error); err != nil {
				return err
			}
			dup.Items = append(dup.Items, it)
		}
		// The copy is not checked here: its owner can still repair the items that cannot
		// be ordered any more.
		if err := history.Add(tx, a, models.ObjectOrder, dup.ID, "created", "Duplicate of order id "+o.ID.String(), nil, nil); err != nil {
			return err
		}
		return s.examine(ctx, tx, a, dup)
	})
	if err != nil {
		return nil, err
	}
	return dup, nil
}
