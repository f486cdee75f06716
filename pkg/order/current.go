package order

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// AddToCurrent adds the items of a draft to the actor's current cart, and creates the
// cart on first use. A cart without a name or a group takes the draft's, and so does an
// empty cart without a recipient. AddToCurrent ignores the draft's Submit and OwnerID.
//
// The error is Invalid, and nothing is added, when the cart is for another group or
// recipient, or when an item cannot be ordered.
func (s *Service) AddToCurrent(ctx context.Context, a access.Actor, d Draft) (*models.Order, error) {
	cart, err := s.Current(ctx, a)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, a, cart.ID.String(), func(tx *store.Tx, o *models.Order) (placing, error) {
		if err := adopt(o, d); err != nil {
			return nil, err
		}
		if err := o.Validate(); err != nil {
			return nil, err
		}
		if err := CanOrderFor(a, o.GroupID); err != nil {
			return nil, err
		}
		fresh := make(map[models.ID]fault.Path, len(d.Items))
		next := map[models.ItemKind]int{}
		for _, have := range o.Items {
			next[have.Kind] = max(next[have.Kind], have.Position)
		}
		items := slices.Clone(d.Items)
		number(items)
		for _, it := range items {
			at := itemPath(&it)
			next[it.Kind]++
			it.OrderID, it.Position = o.ID, next[it.Kind]
			if err := store.Fault(tx.DB.Create(&it).Error); err != nil {
				return nil, err
			}
			o.Items = append(o.Items, it)
			fresh[it.ID] = at
		}
		return func(it *models.OrderItem) fault.Path {
			if at, ok := fresh[it.ID]; ok {
				return at
			}
			return fault.Member("cart").Join(itemPath(it)) // not part of the request
		}, nil
	})
}

// adopt copies the draft's name, group and recipient into a cart that has none. The
// error is Invalid when the cart has another group or recipient.
func adopt(o *models.Order, d Draft) error {
	var wrong []fault.Field
	if o.GroupID == 0 {
		o.GroupID = d.GroupID
	} else if d.GroupID != 0 && d.GroupID != o.GroupID {
		wrong = append(wrong, fault.Field{Path: fault.Member("group"), Reason: "is not the group that your cart is for: submit the cart first, or order this at once"})
	}
	if o.RecipientID == 0 && len(o.Items) == 0 {
		o.RecipientID = d.RecipientID
	} else if d.RecipientID != o.RecipientID {
		wrong = append(wrong, fault.Field{Path: fault.Member("recipient"), Reason: "is not whom your cart is for: submit the cart first, or order this at once"})
	}
	if o.Name == "" {
		o.Name = d.Name
	}
	if wrong != nil {
		return fault.InvalidFields(wrong)
	}
	return nil
}

// Approvers returns the users with a role that lets them approve the order. Super admins
// without such a role can approve it too, but are left out.
func (s *Service) Approvers(ctx context.Context, o *models.Order) ([]models.ID, error) {
	return s.approvers(s.store.Read(ctx), o)
}
