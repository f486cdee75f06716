package catalog

import (
	"halcyon/models"
	"halcyon/pkg/refdata"
	"halcyon/pkg/shelf"
	"halcyon/pkg/store"
)

// This file answers what every order asks of the catalogue, from memory where it
// can: the same few questions, whose answers change once a week.

// shelved are the tables from which the answers come.
var shelved = []string{
	refdata.Groups, refdata.Environment, refdata.Blueprints,
	refdata.OSBuilds, refdata.Sizes, refdata.Handlers,
}

// Group gives a group by id, NotFound when there is none.
func (c *Service) Group(tx *store.Tx, id models.ID) (*models.Group, error) {
	return shelf.Ask(c.shelf, tx, shelf.Question{Kind: "group", A: id}, func() (*models.Group, error) {
		return store.First[models.Group](tx.Where("id = ?", id))
	})
}

// OSBuild gives an OS build by id, without its templates. NotFound when there is none.
func (c *Service) OSBuild(tx *store.Tx, id models.ID) (*models.OSBuild, error) {
	return shelf.Ask(c.shelf, tx, shelf.Question{Kind: "os build", A: id}, func() (*models.OSBuild, error) {
		return store.First[models.OSBuild](tx.Where("id = ?", id))
	})
}

// Template gives an OS build's template in a resource handler, NotFound when it has none.
func (c *Service) Template(tx *store.Tx, build, handler models.ID) (*models.OSBuildTemplate, error) {
	return shelf.Ask(c.shelf, tx, shelf.Question{Kind: "template", A: build, B: handler}, func() (*models.OSBuildTemplate, error) {
		return store.First[models.OSBuildTemplate](tx.Where("os_build_id = ? AND handler_id = ?", build, handler))
	})
}

// Size gives a size by id, NotFound when there is none.
func (c *Service) Size(tx *store.Tx, id models.ID) (*models.Size, error) {
	return shelf.Ask(c.shelf, tx, shelf.Question{Kind: "size", A: id}, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("id = ?", id))
	})
}

// SizeByName gives a size by its name, NotFound when there is none.
func (c *Service) SizeByName(tx *store.Tx, name string) (*models.Size, error) {
	return shelf.Ask(c.shelf, tx, shelf.Question{Kind: "size", Name: name}, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("name = ?", name))
	})
}
