// Package query is the neutral form of "which rows, which of their attributes,
// in what order, which page": dialects parse into it, and it compiles to gorm
// with the caller's visibility in every hop. What can be asked at all is what a
// Schema declares.
package query

import (
	"context"

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
	// Scope limits whose rows the field may be asked of; nil: everybody who sees
	// the row. A caller for whom it gives access.None does not know the field.
	Scope func(a access.Actor, alias string) access.Where
}

// Hop is a relation that paths may go over.
type Hop struct {
	Name   string
	Target *Schema
	Many   bool
	// Join is the condition that ties the target's alias to the source's, e.g.
	// for a to-one: "{to}.id = {from}.owner_id"; for a to-many through a table it
	// may hold a subselect. {from} and {to} are replaced by the aliases.
	Join string

	covers []string // of a simple to-one: the columns of an index that begins with the column and the id
}

// Schema is what can be asked of one resource.
type Schema struct {
	Name   string // "server": may lead a path
	Plural string // "servers": the collection, and what messages say
	Table  string // visibility is access.Visible(Table, …)
	Prefix string // of global ids: "SVR"; "" when rows are known by their number alone
	Fields []Field
	Hops   []Hop
	// Small says that the table stays at a few thousand rows (groups, environments,
	// handlers): a to-one hop into it is then resolved to ids first, which lets
	// PostgreSQL count and page by index instead of joining.
	Small bool
	// Names visits the rows that the actor sees, with what their column name holds,
	// from memory; nil when nothing keeps them there. It is as right as the store's
	// signals are.
	Names func(ctx context.Context, a access.Actor, visit func(id models.ID, name string)) error
	// Deny hides the whole resource from callers (nil: nobody).
	Deny func(a access.Actor) bool
}

// Page is what List gives: the rows of one page and how many there are in all.
type Page[T any] struct {
	Rows         []*T
	Total        int64
	Number, Size int    // 1-based page number and its size
	Next, Prev   string // cursors for the pages around it; "" where there is none

	room *rowPool[T]
}

// Release gives the rows back, to be overwritten by those of another list. Whoever
// keeps rows does not call it; whoever has only shown them may.
func (p *Page[T]) Release() {
	if p.room != nil {
		p.room.release()
	}
	p.Rows, p.room = nil, nil
}

// IDs is the common case of looking rows up by id.
type IDs []models.ID
