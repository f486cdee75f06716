package catalog

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/store"
)

// An OS build fits an environment if it has a template in the environment's resource handler, and if the
// environment lists it or lists no OS builds. A size fits if the environment lists it or lists no sizes.
// The relations in Environments are the same rule in SQL.

// AllowsBuild reports whether the environment, with its OS builds loaded, allows one.
func AllowsBuild(e *models.Environment, build models.ID) bool {
	return len(e.OSBuildIDs) == 0 || slices.Contains(e.OSBuildIDs, build)
}

// AllowsSize reports whether the environment, with its sizes loaded, allows one.
func AllowsSize(e *models.Environment, size models.ID) bool {
	return len(e.SizeIDs) == 0 || slices.Contains(e.SizeIDs, size)
}

// placementInputs returns the parameters of an order that choose a server's location in the environment.
func (c *Service) placementInputs(ctx context.Context, env models.ID) ([]models.Input, error) {
	e, err := store.First[models.Environment](c.store.Read(ctx).Select("id", "choices").Where("id = ?", env))
	if err != nil {
		return nil, err
	}
	return e.PlacementInputs(), nil
}

// Fitting returns the sizes and the OS builds that can be ordered in the environment,
// by id. An environment without a resource handler has no OS build.
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
	sizes = slices.DeleteFunc(sizes, func(s models.Size) bool { return !AllowsSize(e, s.ID) })
	builds = slices.DeleteFunc(builds, func(b models.OSBuild) bool { return !AllowsBuild(e, b.ID) })
	return sizes, builds, nil
}
