package catalog

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/directory"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// mostOffers is how many groups a form lets choose from.
const mostOffers = 200

// CanOrder is the guard of ordering a blueprint: one of the actor's groups may, and
// has an environment to order it into.
func (c *Service) CanOrder(a access.Actor, b *models.Blueprint) error {
	if b.State != models.BlueprintActive {
		return fault.Conflictf("Only blueprints that are in '%s' state can be ordered. Current state of blueprint is %s", models.BlueprintActive, b.State)
	}
	offers, err := c.dir.Offers(context.Background(), a, b.ID, 1)
	if err != nil {
		return err
	}
	if len(offers) == 0 {
		return fault.Forbiddenf("You may not order this blueprint for any group.")
	}
	return nil
}

// Offer is a group that may order, and the environments into which it may.
type Offer = directory.Offer

// Places gives the groups for which the actor may order at all, or the one that is
// named, each with its environments.
func (c *Service) Places(ctx context.Context, a access.Actor, group models.ID) ([]Offer, error) {
	list, err := c.dir.Offers(ctx, a, 0, mostOffers)
	if err != nil || group == 0 {
		return list, err
	}
	return slices.DeleteFunc(list, func(o Offer) bool { return o.Group != group }), nil
}

// Offers gives the groups for which the actor may order the blueprint, each with
// its environments; the first few hundred.
func (c *Service) Offers(ctx context.Context, a access.Actor, b *models.Blueprint) ([]Offer, error) {
	return c.dir.Offers(ctx, a, b.ID, mostOffers)
}

// Fitting gives the sizes and the OS builds that can be ordered in the environment,
// by id.
func (c *Service) Fitting(ctx context.Context, env models.ID) ([]models.Size, []models.OSBuild, error) {
	tx := c.store.Read(ctx)
	e, err := store.First[models.Environment](tx.Where("id = ?", env))
	if err != nil {
		return nil, nil, err
	}
	if err := loadEnvironment(tx, e); err != nil {
		return nil, nil, store.Fault(err)
	}
	sizes, err := store.Find[models.Size](tx.Order("id"))
	if err != nil {
		return nil, nil, err
	}
	builds, err := store.Find[models.OSBuild](tx.Where("id IN (SELECT os_build_id FROM os_build_templates WHERE handler_id = ?)", e.HandlerID).Order("id"))
	if err != nil {
		return nil, nil, err
	}
	sizes = slices.DeleteFunc(sizes, func(s models.Size) bool { return len(e.SizeIDs) > 0 && !slices.Contains(e.SizeIDs, s.ID) })
	builds = slices.DeleteFunc(builds, func(b models.OSBuild) bool { return len(e.OSBuildIDs) > 0 && !slices.Contains(e.OSBuildIDs, b.ID) })
	return sizes, builds, nil
}
