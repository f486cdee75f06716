package order

import (
	"cmp"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// This file chooses the environments of build items when the order does not name them.

// environmentsOf returns the environment of each tier of servers, by the name of the build item. The
// first of these rules that applies decides:
//
//   - the order names an environment for the build item
//   - the order names an environment for the whole deployment
//   - the build item has a default, and the group can order into it
//   - another build item has an environment by the rules above: the first such item
//   - the group can order into exactly one environment
//
// Without any of these, the environment is 0.
func (p *planner) environmentsOf(bp *models.Blueprint, d *models.DeployItem) (map[string]models.ID, error) {
	tiers := bp.Tiers()
	envs := make(map[string]models.ID, len(tiers))
	first := models.ID(0)
	for k := range tiers {
		b := &tiers[k]
		env := cmp.Or(d.ArgumentsOf(b.Name).EnvironmentID, d.EnvironmentID)
		if env == 0 && b.EnvironmentID != 0 {
			_, err := p.environment(b.EnvironmentID)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			if err == nil {
				env = b.EnvironmentID
			}
		}
		envs[b.Name], first = env, cmp.Or(first, env)
	}
	if first == 0 {
		list, err := p.candidates()
		if err != nil || len(list) != 1 {
			return envs, err
		}
		first = list[0]
	}
	for name, env := range envs {
		envs[name] = cmp.Or(env, first)
	}
	return envs, nil
}

// candidates returns the environments into which the order's group can order. While the
// order has no group, it returns those of all groups for which the actor can order.
func (p *planner) candidates() ([]models.ID, error) {
	ctx := p.tx.Statement.Context
	if p.order.GroupID != 0 {
		return p.catalog.EnvironmentsFor(ctx, p.order.GroupID)
	}
	offers, err := p.catalog.Places(ctx, p.actor, 0)
	var ids []models.ID
	for _, o := range offers {
		ids = append(ids, o.Environments...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// complainEnvironment reports that an environment is missing, and lists the ones that the
// order can use.
func (p *planner) complainEnvironment(at fault.Path) error {
	ids, err := p.candidates()
	if err != nil {
		return err
	}
	const most = 20
	var names []string
	for _, id := range ids {
		env, err := p.environment(id)
		switch {
		case fault.Is(err, fault.NotFound):
			continue
		case err != nil:
			return err
		case len(names) == most:
			names = append(names, "…")
		}
		if len(names) > most {
			break
		}
		names = append(names, env.Name)
	}
	if len(names) == 0 {
		p.complain(at, "is required, and this group has none to order from")
		return nil
	}
	p.complain(at, "is required. Choose from: %s", strings.Join(names, ", "))
	return nil
}
