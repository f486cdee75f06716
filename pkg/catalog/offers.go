package catalog

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/refdata"
)

// mostOffers is the maximum number of groups to choose from in a form.
const mostOffers = 200

// CanOrder guards ordering a blueprint. One of the actor's groups must be allowed to order it, and have an
// environment for it.
func (c *Service) CanOrder(a access.Actor, b *models.Blueprint) error {
	if b.State != models.BlueprintActive {
		return fault.Conflictf("Only blueprints that are in '%s' state can be ordered. Current state of blueprint is %s", models.BlueprintActive, b.State)
	}
	offers, err := c.refdata.Offers(context.Background(), a, b.ID, 1)
	if err != nil {
		return err
	}
	if len(offers) == 0 {
		return fault.Forbiddenf("You may not order this blueprint for any group.")
	}
	return nil
}

// Offer is a group that may order, with the environments that it may order into.
type Offer = refdata.Offer

// Places returns the groups for which the actor may order anything, or only the given group, each with its
// environments.
func (c *Service) Places(ctx context.Context, a access.Actor, group models.ID) ([]Offer, error) {
	list, err := c.refdata.Offers(ctx, a, 0, mostOffers)
	if err != nil || group == 0 {
		return list, err
	}
	return slices.DeleteFunc(list, func(o Offer) bool { return o.Group != group }), nil
}

// EnvironmentsFor returns the ids of the environments that the group can order into.
func (c *Service) EnvironmentsFor(ctx context.Context, group models.ID) ([]models.ID, error) {
	return c.refdata.EnvironmentsFor(ctx, group)
}

// Offers returns the groups for which the actor may order the blueprint, each with its environments. It
// returns at most mostOffers.
func (c *Service) Offers(ctx context.Context, a access.Actor, b *models.Blueprint) ([]Offer, error) {
	return c.refdata.Offers(ctx, a, b.ID, mostOffers)
}
