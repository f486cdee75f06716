package query

import (
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// Entity is the domain schema of one kind of row: what the struct of its rows
// cannot say. Services declare one for each kind, under the names of the domain,
// and never change it; a Model ties the entities of an application together.
//
// The plain fields need no mention: they are the columns of Row, and have their
// names. The type of the struct's field gives the kind. Columns of JSON, columns
// that look like secrets and columns that may be NULL (but for times) are no
// fields; references are asked through their relations.
type Entity struct {
	Name, Plural string // "server", "servers"
	Table        string // visibility is access.Visible(Table, …)
	Prefix       string // of global ids: "SVR"; "" when rows are known by their number alone
	Row          any    // pointer to a zero row, whose columns are the fields

	Enums     []Enumeration // fields that hold one of a closed set of codes
	Days      []string      // text columns that hold days, YYYY-MM-DD
	Internal  []string      // columns that nobody may ask by
	Titles    []Title       // fields that no column has: a text and the row's number
	Scopes    []Scope       // fields that not everybody who sees the row may ask by
	Relations []Relation    // to other entities

	// Small says that the table stays at a few thousand rows (groups, environments,
	// handlers): a to-one relation into it is then resolved to ids first, which lets
	// PostgreSQL count and page by index instead of joining.
	Small bool
	// Hidden reports whether all rows are hidden from the actor. Nil means from nobody.
	Hidden func(a access.Actor) bool
	// Cache says what a document of a row is made from. Nil means that nobody knows:
	// such documents are always made again.
	Cache *CacheRule
}

// Enumeration names the codes of a field.
type Enumeration struct {
	Field string
	Codes []string // as stored
}

// Codes returns the enumeration of a field from a typed list.
func Codes[E ~string](field string, list []E) Enumeration {
	e := Enumeration{Field: field, Codes: make([]string, len(list))}
	for i, code := range list {
		e.Codes[i] = string(code)
	}
	return e
}

// Title is a text field of rows that have no name of their own: a text and then the number
// of the row, such as "Job id 12".
type Title struct{ Field, Before string }

// Scope limits whose rows some fields may be asked of. Rows returns the condition
// over an alias of the table; for a caller for whom it is access.None the fields do
// not exist.
type Scope struct {
	Rows   func(a access.Actor, alias string) access.Where
	Fields []string
}

// Relation is a relation of an entity to another one.
type Relation struct {
	Name string // "owner"
	To   string // name of the other entity, which another package may declare
	Many bool
	Join string // the condition that ties the alias {to} to the alias {from}

	column string // of a to-one: the column that holds the other row's id
}

// One returns the relation to the row whose id the column {name}_id holds.
func One(name, to string) Relation {
	column := name + "_id"
	return Relation{Name: name, To: to, Join: "{to}.id = {from}." + column, column: column}
}

// Many returns the relation to the rows that the join ties to a row: a condition over
// the aliases {to} and {from}, which may hold a subselect.
func Many(name, to, join string) Relation {
	return Relation{Name: name, To: to, Many: true, Join: "(" + join + ")"}
}

// CacheRule describes what the document of a row is made from, so that it can be known
// to be the same without making it. A document is made from its row, which counts by
// its version, and from what its relations lead to, by ids and versions. Rows whose
// changes are all announced need no mention: the caller has to hold the number of
// announcements against the one of then.
type CacheRule struct {
	Announced bool     // every change of rows of the entity is announced by Tx.Signal
	Also      []string // further SQL values over the alias {row}
	// Never is a condition over {row} for rows whose document depends on more: on the
	// clock, or on rows that no relation leads to.
	Never string
}

// Complete reports whether the announcements tell of every change of a document.
func (r *CacheRule) Complete() bool { return r.Announced && len(r.Also) == 0 && r.Never == "" }

// relation returns the relation of that name, nil for none.
func (e *Entity) relation(name string) *Relation {
	for i := range e.Relations {
		if e.Relations[i].Name == name {
			return &e.Relations[i]
		}
	}
	return nil
}

// HiddenFrom reports whether the actor is not to know of any row.
func (e *Entity) HiddenFrom(a access.Actor) bool { return e.Hidden != nil && e.Hidden(a) }

// Related returns the option that narrows a list to the rows that a to-many relation
// of the entity ties to the row with the id. It panics when there is no such relation.
func Related(e *Entity, relation string, id models.ID) ListOption {
	r := e.relation(relation)
	if r == nil || !r.Many {
		panic(fmt.Sprintf("query: %s have no relation %s to many", e.Plural, relation))
	}
	if !byID(r.Join) {
		join := strings.NewReplacer("{to}", Root, "{from}", "f").Replace(r.Join)
		return Base(access.Where{SQL: fmt.Sprintf("EXISTS (SELECT 1 FROM %s f WHERE f.id = %s AND %s)", e.Table, id, join)})
	}
	return Base(access.Where{SQL: strings.NewReplacer("{to}", Root, "{from}.id", id.String()).Replace(r.Join)})
}

// byID reports whether a join asks for nothing of the row but its id.
func byID(join string) bool { return strings.Count(join, "{from}") == strings.Count(join, "{from}.id") }
