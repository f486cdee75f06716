// Package query is the neutral form of "which rows, which of their attributes,
// in what order, which page": dialects parse into it, and it compiles to gorm
// with the caller's visibility in every hop. What can be asked at all is what a
// Schema declares.
package query

import (
	"context"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// Kind is the type of a field's values, which decides the lookups that fit.
type Kind int

// The kinds.
const (
	Text Kind = iota
	Int       // integers, also as numbers in a column of money (see Field.Scale)
	Bool
	Enum // a closed set of codes, compared in any letter case
	Time // an instant; YYYY-MM-DD or RFC 3339
	Date // a day, stored as text YYYY-MM-DD
	Ref  // the id of a row: every form of id is accepted
)

// Field is an attribute that can be filtered or sorted by.
type Field struct {
	Name   string // as callers write it, hyphenated: "first-name"
	Column string // in the schema's table
	Kind   Kind
	Enum   []string          // the codes as stored, in wire form
	Codes  map[string]string // further spellings of a code (lower case) -> code as stored
	Scale  int64             // Int: stored value = asked value × Scale (0 means 1), for money and memory
	Target *Schema           // Ref: what it points to, to resolve global ids and uuids
	Sort   bool              // order= accepts it
	Before string            // Text: the value is this text and then the column's number
	// Scope limits whose rows the field may be asked of; nil: everybody who sees
	// the row. A caller for whom it gives access.None does not know the field.
	Scope func(a access.Actor, alias string) access.Where
}

// of returns the SQL of the field's value in the row of an alias.
func (f *Field) of(alias string) string {
	if f.Before != "" {
		return "('" + f.Before + "' || " + alias + "." + f.Column + ")"
	}
	return alias + "." + f.Column
}

// Hop is a relation that paths may go over.
type Hop struct {
	Name   string
	Target *Schema
	Many   bool
	Join   string // ties the target's alias {to} to the source's {from}
	Column string // of a to-one: holds the target's id, and makes the whole join

	covers []string // of a to-one: the columns of an index that begins with the column and the id
}

// On returns the condition that ties the alias to, of the target, to the alias from.
func (h *Hop) On(to, from string) string {
	if h.Column != "" {
		return to + ".id = " + from + "." + h.Column
	}
	return strings.NewReplacer("{to}", to, "{from}", from).Replace(h.Join)
}

// ByID reports whether the join asks for nothing of the source but its id.
func (h *Hop) ByID() bool { return byID(h.Join) }

// Schema is what can be asked of an entity, under the names of the domain or, as
// Model.Translate makes it, under those of a face.
type Schema struct {
	*Entity
	Name   string // "server": may lead a path
	Plural string // "servers": the collection, and what messages say
	Fields []Field
	Hops   []Hop
	// Names visits the rows that the actor sees, with what their column name holds,
	// from memory; nil when nothing keeps them there. It is as right as the store's
	// signals are.
	Names func(ctx context.Context, a access.Actor, visit func(id models.ID, name string)) error
}

// Page is what List returns: the rows of one page and how many there are in all.
type Page[T any] struct {
	Rows         []*T
	Total        int64
	Number, Size int    // 1-based page number and its size
	Next, Prev   string // cursors for the pages around it; "" where there is none

	pool *rowPool[T]
}

// Release returns the rows to the pool, to be overwritten by those of another list.
// Callers that keep rows do not call it.
func (p *Page[T]) Release() {
	if p.pool != nil {
		p.pool.release()
	}
	p.Rows, p.pool = nil, nil
}
