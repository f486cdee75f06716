// Package query is the neutral form of a list request: filter, attributes, order and page. Dialects parse
// into it, and it compiles to SQL with the caller's visibility in every hop. A Schema declares everything
// that can be queried.
package query

import (
	"context"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// Kind is the type of a field's values. It determines the valid lookups.
type Kind int

// The kinds.
const (
	Text Kind = iota
	Int       // integers, also as numbers in a column of money (see Field.Scale)
	Bool
	Enum // a closed set of codes, compared in any letter case
	Time // an instant; YYYY-MM-DD or RFC 3339
	Date // a day, stored as text YYYY-MM-DD
	Ref  // the id of a row, in any form
)

// Field is an attribute that can be filtered or sorted by.
type Field struct {
	Name   string // as callers write it, hyphenated: "first-name"
	Column string // in the schema's table
	Kind   Kind
	Enum   []string          // the codes as stored, in wire form
	Codes  map[string]string // further spellings of a code (lower case) -> code as stored
	Scale  int64             // Int: stored value = asked value × Scale (0 means 1), for money and memory
	Target *Schema           // Ref: target schema, to resolve global ids and uuids
	Sort   bool              // order= accepts it
	Before string            // Text: the value is this text and then the column's number
	// Scope limits on which rows the field can be queried. Nil means every visible row. A caller for whom
	// it returns access.None does not know the field.
	Scope func(a access.Actor, alias string) access.Where
}

// of returns the SQL of the field's value in the row of an alias.
func (f *Field) of(alias string) string {
	if f.Before != "" {
		return "('" + f.Before + "' || " + alias + "." + f.Column + ")"
	}
	return alias + "." + f.Column
}

// Hop is a relation that a path can follow.
type Hop struct {
	Name   string
	Target *Schema
	Many   bool
	Join   string // joins the target's alias {to} to the source's {from}
	Column string // of a to-one: the column with the target's id, and the whole join

	covers []string // of a to-one: columns of an index that begins with Column and the id
}

// On returns the join condition between the alias to, of the target, and the alias from.
func (h *Hop) On(to, from string) string {
	if h.Column != "" {
		return to + ".id = " + from + "." + h.Column
	}
	return strings.NewReplacer("{to}", to, "{from}", from).Replace(h.Join)
}

// ByID reports whether the join uses only the id of the source row.
func (h *Hop) ByID() bool { return byID(h.Join) }

// Schema is the queryable form of an entity, under domain names or, after Model.Translate, under those of a
// face.
type Schema struct {
	*Entity
	Name   string // "server": may start a path
	Plural string // "servers": the collection, also in messages
	Fields []Field
	Hops   []Hop
	// Names visits the rows that the actor sees, with the content of the column name, from memory. Nil if
	// they are not cached. It is as current as the store's signals.
	Names func(ctx context.Context, a access.Actor, visit func(id models.ID, name string)) error
}

// Page is the result of List: the rows of one page and the total.
type Page[T any] struct {
	Rows         []*T
	Total        int64
	Number, Size int    // 1-based page number and its size
	Next, Prev   string // cursors of the pages around it; "" where there is none

	pool *rowPool[T]
}

// Release returns the rows to the pool, where another list overwrites them. Callers that keep rows must not
// call it.
func (p *Page[T]) Release() {
	if p.pool != nil {
		p.pool.release()
	}
	p.Rows, p.pool = nil, nil
}
