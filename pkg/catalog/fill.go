package catalog

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// FindBlueprint returns a blueprint that the actor sees, without the default environments
// and the actions that the actor does not see.
func (c *Service) FindBlueprint(ctx context.Context, a access.Actor, ref string) (*models.Blueprint, error) {
	b, err := c.Blueprints.Find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	return b, c.hideReferences(ctx, a, b)
}

// hideReferences clears the default environments that the actor does not see, and therefore cannot use in
// orders, and the ids of actions unless the actor sees actions.
func (c *Service) hideReferences(ctx context.Context, a access.Actor, rows ...*models.Blueprint) error {
	titles, err := c.refdata.Titles(ctx)
	if err != nil {
		return err
	}
	defer titles.Release()
	for _, b := range rows {
		for i := range b.Items {
			it := &b.Items[i]
			if access.AdministratorsOnly(a) {
				it.ActionID = 0
			}
			if it.EnvironmentID != 0 {
				if _, seen := titles.Title(a, refdata.Environment, it.EnvironmentID); !seen {
					it.EnvironmentID = 0
				}
			}
		}
	}
	return nil
}

// FillBlueprints reads the build items and prices of many blueprints. It leaves out the default
// environments and the actions that the actor does not see.
func (c *Service) FillBlueprints(ctx context.Context, a access.Actor, rows []*models.Blueprint) error {
	ids := make([]models.ID, len(rows))
	at := make(map[models.ID]*models.Blueprint, len(rows))
	for i, b := range rows {
		ids[i], at[b.ID], b.Items = b.ID, b, nil
	}
	items, err := store.Find[models.BlueprintItem](c.store.Read(ctx).Where("blueprint_id IN ?", ids).Order("blueprint_id, position"))
	if err != nil {
		return err
	}
	if err := loadActions(c.store.Read(ctx), items); err != nil {
		return err
	}
	for _, it := range items {
		b := at[it.BlueprintID]
		b.Items = append(b.Items, it)
	}
	sizes, err := store.Find[models.Size](c.store.Read(ctx).Order("id"))
	if err != nil {
		return err
	}
	for _, b := range rows {
		b.PriceFrom = nil
		if price, ok := priceFrom(b, sizes); ok {
			b.PriceFrom = &price
		}
	}
	return c.hideReferences(ctx, a, rows...)
}

// FillOSBuilds reads the templates of many OS builds.
func (c *Service) FillOSBuilds(ctx context.Context, _ access.Actor, rows []*models.OSBuild) error {
	ids := make([]models.ID, len(rows))
	at := make(map[models.ID]*models.OSBuild, len(rows))
	for i, o := range rows {
		ids[i], at[o.ID], o.Templates = o.ID, o, nil
	}
	templates, err := store.Find[models.OSBuildTemplate](c.store.Read(ctx).Where("os_build_id IN ?", ids).Order("os_build_id, handler_id"))
	if err != nil {
		return err
	}
	for _, t := range templates {
		o := at[t.OSBuildID]
		o.Templates = append(o.Templates, t)
	}
	return nil
}
