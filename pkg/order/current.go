package order

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// AddToCurrent puts the items of a draft into the actor's current cart, which is made
// on first use. A cart without a group, a recipient or a name takes the draft's. One
// that is for another group or recipient is Invalid: a cart is for one of each. So is
// an item that cannot be ordered, and nothing is added then. The draft is not submitted,
// whatever it says.
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
			return fault.Member("cart").Join(itemPath(it)) // it was there before
		}, nil
	})
}

// adopt makes a cart what a draft says of it, as far as that is still open.
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

// Approvers returns those who may approve a pending order by a role of theirs.
func (s *Service) Approvers(ctx context.Context, o *models.Order) ([]models.ID, error) {
	return s.approvers(s.store.Read(ctx), o)
}
