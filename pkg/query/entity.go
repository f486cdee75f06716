package query

import (
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// Entity is the domain schema of one kind of row: everything that the struct of its rows cannot express.
// Services declare one per kind, under domain names, and never change it. A Model connects the entities of
// an application.
//
// Plain fields need no declaration: they are the columns of Row, under the same names. The type of the
// struct field determines the kind. Three kinds of columns are not fields: JSON, columns that look like
// secrets, and nullable columns other than times. References are queried through their relations.
type Entity struct {
	Name, Plural string // "server", "servers"
	Table        string // visibility is access.Visible(Table, …)
	Prefix       string // of global ids: "SVR"; "" when rows only have a number
	Row          any    // pointer to a zero row; its columns are the fields

	Enums     []Enumeration // fields with a closed set of codes
	Days      []string      // text columns that hold days, YYYY-MM-DD
	Internal  []string      // columns that cannot be queried
	Titles    []Title       // fields without a column: a text and the row's number
	Scopes    []Scope       // fields that some viewers of the row may not query
	Relations []Relation    // to other entities

	// Small marks a table of at most a few thousand rows (groups, environments, handlers). A to-one
	// relation into it is resolved to ids first, which lets PostgreSQL count and page by index instead of
	// joining.
	Small bool
	// Hidden reports whether all rows are hidden from the actor. Nil hides no rows.
	Hidden func(a access.Actor) bool
	// Cache lists the inputs of a row's document. Nil disables caching: the document is rendered every
	// time.
	Cache *CacheRule
}

// Enumeration lists the codes of a field.
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

// Title is a text field of rows without a name of their own: a text followed by the number of the row, such
// as "Job id 12".
type Title struct{ Field, Before string }

// Scope limits on which rows some fields can be queried. Rows returns the condition over an alias of the
// table. If it returns access.None for a caller, the fields do not exist for that caller.
type Scope struct {
	Rows   func(a access.Actor, alias string) access.Where
	Fields []string
}

// Relation is a relation of an entity to another one.
type Relation struct {
	Name string // "owner"
	To   string // name of the other entity, possibly of another package
	Many bool
	Join string // condition that joins the alias {to} to the alias {from}

	column string // of a to-one: the column with the other row's id
}

// One returns the relation to the row with the id in the column {name}_id.
func One(name, to string) Relation {
	column := name + "_id"
	return Relation{Name: name, To: to, Join: "{to}.id = {from}." + column, column: column}
}

// Many returns the relation to the rows matched by a join: a condition over the aliases {to} and {from},
// which may contain a subselect.
func Many(name, to, join string) Relation {
	return Relation{Name: name, To: to, Many: true, Join: "(" + join + ")"}
}

// CacheRule lists the inputs of a row's document, so that a cached document can be validated without
// rendering it. The inputs are the row, by its version, and the rows that its relations lead to, by ids and
// versions. Rows with all changes announced need no mention: the caller compares the number of
// announcements with the cached one.
type CacheRule struct {
	Announced bool     // Tx.Signal announces every change of rows of the entity
	Also      []string // further SQL values over the alias {row}
	// Never is a condition over {row} for rows with a document that depends on more: on the clock, or on
	// rows that no relation leads to.
	Never string
}

// Complete reports whether announcements cover every change of a document.
func (r *CacheRule) Complete() bool { return r.Announced && len(r.Also) == 0 && r.Never == "" }

// relation returns the relation with the name, or nil.
func (e *Entity) relation(name string) *Relation {
	for i := range e.Relations {
		if e.Relations[i].Name == name {
			return &e.Relations[i]
		}
	}
	return nil
}

// HiddenFrom reports whether all rows are hidden from the actor.
func (e *Entity) HiddenFrom(a access.Actor) bool { return e.Hidden != nil && e.Hidden(a) }

// Related returns the option that narrows a list to the rows behind a to-many relation of the row with the
// id. It panics if there is no such relation.
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

// byID reports whether a join uses only the id of the source row.
func byID(join string) bool { return strings.Count(join, "{from}") == strings.Count(join, "{from}.id") }
