package refdata

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
)

// Offer is a group that may order a blueprint, and the environments into which it
// may order, by id.
type Offer struct {
	Group        models.ID
	Environments []models.ID
}

// Offers returns the first few of the groups for which the actor may order the
// blueprint, or servers without one for 0, by id. A group without any environment is none of them.
func (c *Cache) Offers(ctx context.Context, a access.Actor, blueprint models.ID, most int) ([]Offer, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	bp := c.blueprints[blueprint]
	if blueprint == 0 {
		bp = &place{usable: true}
	}
	if bp == nil || !bp.usable {
		return nil, nil
	}
	groups := a.With(access.OrderSubmit)
	if a.SuperAdmin {
		groups = make([]models.ID, 0, len(c.groups))
		for id := range c.groups {
			groups = append(groups, id)
		}
		slices.Sort(groups)
	}
	var list []Offer
	for _, g := range groups {
		if len(list) == most {
			break
		}
		up := c.up(g)
		if !bp.open(up) {
			continue
		}
		o := Offer{Group: g}
		for id, env := range c.environments {
			if env.usable && env.open(up) {
				o.Environments = append(o.Environments, id)
			}
		}
		if len(o.Environments) > 0 {
			slices.Sort(o.Environments)
			list = append(list, o)
		}
	}
	return list, nil
}

// EnvironmentsFor returns the environments into which the group can order, by id.
func (c *Cache) EnvironmentsFor(ctx context.Context, group models.ID) ([]models.ID, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	var ids []models.ID
	up := c.up(group)
	for id, env := range c.environments {
		if env.usable && env.open(up) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// up returns the group and the groups above it, nearest first.
func (c *Cache) up(group models.ID) []models.ID {
	var up []models.ID
	for id := group; id != 0; id = c.parent[id] {
		up = append(up, id)
	}
	return up
}

// open reports whether a group may use the place, given itself and those above it.
func (p *place) open(up []models.ID) bool {
	return len(p.groups) == 0 || slices.ContainsFunc(p.groups, func(id models.ID) bool { return slices.Contains(up, id) })
}
