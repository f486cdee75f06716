package query

import (
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// The parts that tests call by themselves, some of them with schemas that come from no
// model.
var (
	Prepare       = prepare
	Check         = check
	ReadCatalogue = readCatalogue
	Escape        = escape
)

// Count counts in the database what List should return as its total.
func Count(tx *store.Tx, e *Entity, a access.Actor, q Query, opts ...ListOption) (int64, error) {
	o := options(opts)
	return count(tx, e, access.And(o.base, newCompiler(tx, a).filter(e, q.Filter)))
}
