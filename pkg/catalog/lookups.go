package catalog

import (
	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// This file answers the questions that every order asks about the catalogue, from
// memory where it can: there are few different ones, and their answers seldom change.

// lookupTables are the tables that the answers come from.
var lookupTables = []string{
	refdata.Groups, refdata.Environment, refdata.Blueprints,
	refdata.OSBuilds, refdata.Sizes, refdata.Handlers,
}

// lookupEntries is how many answers of a kind are kept: the number of groups times the
// number of things that each may order, for some hundred groups.
const lookupEntries = 8192

// lookups keeps the answers.
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

// offerKey is a group, and an environment or blueprint that it may or may not use.
type offerKey struct{ group, id models.ID }

// newLookups creates empty caches. They hear of a change after refdata does, which was
// created first, so that no answer is worked out from an old group tree and kept.
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

// Group returns a group by id, NotFound when there is none.
func (c *Service) Group(tx *store.Tx, id models.ID) (*models.Group, error) {
	return cache.Row(c.lookups.groups, tx, id, func() (*models.Group, error) {
		return store.First[models.Group](tx.Where("id = ?", id))
	})
}

// OSBuild returns an OS build by id, without its templates. NotFound when there is none.
func (c *Service) OSBuild(tx *store.Tx, id models.ID) (*models.OSBuild, error) {
	return cache.Row(c.lookups.osBuilds, tx, id, func() (*models.OSBuild, error) {
		return store.First[models.OSBuild](tx.Where("id = ?", id))
	})
}

// Template returns an OS build's template in a resource handler, NotFound when it has none.
func (c *Service) Template(tx *store.Tx, build, handler models.ID) (*models.OSBuildTemplate, error) {
	return cache.Row(c.lookups.templates, tx, templateKey{build, handler}, func() (*models.OSBuildTemplate, error) {
		return store.First[models.OSBuildTemplate](tx.Where("os_build_id = ? AND handler_id = ?", build, handler))
	})
}

// Size returns a size by id, NotFound when there is none.
func (c *Service) Size(tx *store.Tx, id models.ID) (*models.Size, error) {
	return cache.Row(c.lookups.sizes, tx, id, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("id = ?", id))
	})
}

// SizeByName returns a size by its name, NotFound when there is none.
func (c *Service) SizeByName(tx *store.Tx, name string) (*models.Size, error) {
	return cache.Row(c.lookups.sizesByName, tx, name, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("name = ?", name))
	})
}
