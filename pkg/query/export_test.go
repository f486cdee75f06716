package query

import (
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Unexported parts for tests, some of them with schemas that no model has.
var (
	Prepare       = prepare
	Check         = check
	ReadCatalogue = readCatalogue
	Escape        = escape
)

// Count returns the total that List should return, counted in the database.
func Count(tx *store.Tx, e *Entity, a access.Actor, q Query, opts ...ListOption) (int64, error) {
	o := options(opts)
	return count(tx, e, access.And(o.base, newCompiler(tx, a).filter(e, q.Filter)))
}
