package catalog

import (
	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// This file reads the catalogue for orders, from memory if possible: orders repeat a few look-ups, and the
// results seldom change.

// lookupTables are the tables of the look-ups.
var lookupTables = []string{
	refdata.Groups, refdata.Environment, refdata.Blueprints,
	refdata.OSBuilds, refdata.Sizes, refdata.Handlers,
}

// lookupEntries is the number of cached results of each kind: enough for some hundred groups, times the
// number of things that each may order.
const lookupEntries = 8192

// lookups caches the results.
type lookups struct {
	groups       *cache.Cache[models.ID, models.Group]
	osBuilds     *cache.Cache[models.ID, models.OSBuild]
	templates    *cache.Cache[templateKey, models.OSBuildTemplate]
	sizes        *cache.Cache[models.ID, models.Size]
	sizesByName  *cache.Cache[string, models.Size]
	environments *cache.Cache[offerKey, models.Environment]
	blueprints   *cache.Cache[offerKey, models.Blueprint]
}

// templateKey is an OS build in a resource handler.
type templateKey struct{ build, handler models.ID }

// offerKey is a group, and an environment or blueprint that it may be allowed to use.
type offerKey struct{ group, id models.ID }

// newLookups creates empty caches. They receive changes after refdata, which is created first, so that no
// result computed from an old group tree is cached.
func newLookups(s *store.Store) lookups {
	return lookups{
		groups:       lookup[models.ID, models.Group](s),
		osBuilds:     lookup[models.ID, models.OSBuild](s),
		templates:    lookup[templateKey, models.OSBuildTemplate](s),
		sizes:        lookup[models.ID, models.Size](s),
		sizesByName:  lookup[string, models.Size](s),
		environments: lookup[offerKey, models.Environment](s),
		blueprints:   lookup[offerKey, models.Blueprint](s),
	}
}

func lookup[K comparable, T any](s *store.Store) *cache.Cache[K, T] {
	return cache.OfTables[K](lookupEntries, cache.Tables[T]{Store: s, Topics: lookupTables})
}

// Group returns a group by id. The error is NotFound if there is none.
func (c *Service) Group(tx *store.Tx, id models.ID) (*models.Group, error) {
	return cache.Row(c.lookups.groups, tx, id, func() (*models.Group, error) {
		return store.First[models.Group](tx.Where("id = ?", id))
	})
}

// OSBuild returns an OS build by id, without its templates. The error is NotFound if there is none.
func (c *Service) OSBuild(tx *store.Tx, id models.ID) (*models.OSBuild, error) {
	return cache.Row(c.lookups.osBuilds, tx, id, func() (*models.OSBuild, error) {
		return store.First[models.OSBuild](tx.Where("id = ?", id))
	})
}

// Template returns an OS build's template in a resource handler. The error is NotFound if it has none.
func (c *Service) Template(tx *store.Tx, build, handler models.ID) (*models.OSBuildTemplate, error) {
	return cache.Row(c.lookups.templates, tx, templateKey{build, handler}, func() (*models.OSBuildTemplate, error) {
		return store.First[models.OSBuildTemplate](tx.Where("os_build_id = ? AND handler_id = ?", build, handler))
	})
}

// Size returns a size by id. The error is NotFound if there is none.
func (c *Service) Size(tx *store.Tx, id models.ID) (*models.Size, error) {
	return cache.Row(c.lookups.sizes, tx, id, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("id = ?", id))
	})
}

// SizeByName returns a size by its name. The error is NotFound if there is none.
func (c *Service) SizeByName(tx *store.Tx, name string) (*models.Size, error) {
	return cache.Row(c.lookups.sizesByName, tx, name, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("name = ?", name))
	})
}
