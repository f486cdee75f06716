package order

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Replace sets the name, group, recipient and items of the cart to those of the draft. It ignores the
// draft's OwnerID and Submit.
func (s *Service) Replace(ctx context.Context, a access.Actor, ref string, d Draft) (*models.Order, error) {
	return s.edit(ctx, a, ref, func(tx *store.Tx, o *models.Order) (placing, error) {
		o.Name, o.GroupID, o.RecipientID = d.Name, d.GroupID, d.RecipientID
		if err := o.Validate(); err != nil {
			return nil, err
		}
		if err := CanOrderFor(a, o.GroupID); err != nil {
			return nil, err
		}
		if err := store.Fault(tx.Where("order_id = ?", o.ID).Delete(&models.OrderItem{}).Error); err != nil {
			return nil, err
		}
		o.Items = d.Items
		number(o.Items)
		for i := range o.Items {
			o.Items[i].ID, o.Items[i].OrderID = 0, o.ID
			if err := store.Fault(tx.DB.Create(&o.Items[i]).Error); err != nil {
				return nil, err
			}
		}
		return itemPath, nil
	})
}
