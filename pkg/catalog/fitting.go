package catalog

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Fitting gives the sizes and the OS builds that can be ordered in the environment,
// by id. One without a resource handler has no OS build.
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
