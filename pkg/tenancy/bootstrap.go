package tenancy

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Bootstrap makes what every installation has, unless it is there: the built-in
// roles, and the group and the environment Unassigned, both with id 1.
func Bootstrap(ctx context.Context, s *store.Store) error {
	return s.InTx(ctx, func(tx *store.Tx) error {
		for _, b := range access.BuiltInRoles {
			var have int64
			if err := tx.Model(&models.Role{}).Where("name = ?", b.Name).Count(&have).Error; err != nil || have > 0 {
				if err != nil {
					return err
				}
				continue
			}
			r := &models.Role{Name: b.Name, Label: b.Label, Description: b.Description, BuiltIn: true}
			for _, p := range b.Permissions {
				r.Permissions = append(r.Permissions, string(p))
			}
			if err := store.Insert(tx, r); err != nil {
				return err
			}
			tx.Signal("roles", r.ID)
		}
		var groups, environments int64
		if err := tx.Model(&models.Group{}).Count(&groups).Error; err != nil {
			return err
		}
		if err := tx.Model(&models.Environment{}).Count(&environments).Error; err != nil {
			return err
		}
		if groups == 0 {
			if err := store.Insert(tx, &models.Group{Name: "Unassigned", Description: "What nobody has claimed."}); err != nil {
				return err
			}
			tx.Signal("groups", 0)
		}
		if environments == 0 {
			if err := store.Insert(tx, &models.Environment{Name: "Unassigned", Description: "What nobody has claimed."}); err != nil {
				return err
			}
			tx.Signal("environments", 0)
		}
		return nil
	})
}

// Empty reports whether there is no user yet.
func (t *Service) Empty(ctx context.Context) (bool, error) {
	var n int64
	err := t.store.Read(ctx).Model(&models.User{}).Count(&n).Error
	return n == 0, store.Fault(err)
}
