package query

import (
	"fmt"
	"net/url"
	"strings"

	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// Lookup is an operator that compares a field with values. The names are Django's.
type Lookup string

// The lookups.
const (
	Exact       Lookup = "exact"
	IExact      Lookup = "iexact"
	Contains    Lookup = "contains"
	IContains   Lookup = "icontains"
	StartsWith  Lookup = "startswith"
	IStartsWith Lookup = "istartswith"
	EndsWith    Lookup = "endswith"
	IEndsWith   Lookup = "iendswith"
	In          Lookup = "in"
	Gt          Lookup = "gt"
	Gte         Lookup = "gte"
	Lt          Lookup = "lt"
	Lte         Lookup = "lte"
	Range       Lookup = "range"
	IsNull      Lookup = "isnull"
	OnDate      Lookup = "date"
	Year        Lookup = "year"
	Month       Lookup = "month"
	Day         Lookup = "day"
)

var (
	textLookups = []Lookup{Exact, IExact, Contains, IContains, StartsWith, IStartsWith, EndsWith, IEndsWith, In, Gt, Gte, Lt, Lte, Range}
	intLookups  = []Lookup{Exact, In, Gt, Gte, Lt, Lte, Range}
	boolLookups = []Lookup{Exact}
	enumLookups = []Lookup{Exact, IExact, In}
	timeLookups = []Lookup{Exact, In, Gt, Gte, Lt, Lte, Range, IsNull, OnDate, Year, Month, Day}
	dateLookups = []Lookup{Exact, In, Gt, Gte, Lt, Lte, Range, IsNull, Year, Month, Day}
	refLookups  = []Lookup{Exact, In, IsNull}
	idLookups   = intLookups
	allLookups  = []Lookup{Exact, IExact, Contains, IContains, StartsWith, IStartsWith, EndsWith, IEndsWith, In, Gt, Gte, Lt, Lte, Range, IsNull, OnDate, Year, Month, Day}
)

// Lookups returns the lookups that fit the field, exact first.
func (f *Field) Lookups() []Lookup {
	if f.isID() {
		return idLookups
	}
	switch f.Kind {
	case Text:
		return textLookups
	case Int:
		return intLookups
	case Bool:
		return boolLookups
	case Enum:
		return enumLookups
	case Time:
		return timeLookups
	case Date:
		return dateLookups
	case Ref:
		return refLookups
	}
	return nil
}

const idName = "id"

func (f *Field) isID() bool { return f.Name == idName && f.Column == "id" }

// byNumber reports whether the term compares the number of the row itself, rather than referring to a row.
func (t *Term) byNumber() bool {
	//exhaustive:ignore
	switch t.Lookup {
	case Gt, Gte, Lt, Lte, Range:
		return t.Field.isID()
	}
	return false
}

// ownID is the id, the last key of every order.
var ownID = &Field{Name: idName, Column: "id", Kind: Ref, Sort: true}

// ID returns the field that every schema has without declaring it.
func (s *Schema) ID() *Field {
	return &Field{Name: idName, Column: "id", Kind: Ref, Target: s, Sort: true}
}

// Field returns the field with the name. It is nil if the field is not declared or is hidden from the
// actor.
func (s *Schema) Field(name string, a access.Actor) *Field {
	if name == idName {
		return s.ID()
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Name != name {
			continue
		}
		if f.Scope != nil && isNone(f.Scope(a, Root)) || f.Target != nil && f.Target.HiddenFrom(a) {
			return nil
		}
		return f
	}
	return nil
}

// Hop returns the relation with the name. It is nil if the actor knows no such relation.
func (s *Schema) Hop(name string, a access.Actor) *Hop {
	for i := range s.Hops {
		if h := &s.Hops[i]; h.Name == name && !h.Target.HiddenFrom(a) {
			return h
		}
	}
	return nil
}

// Known returns the fields, id first, and the relations that the actor knows. Documents and forms use them
// to describe filters.
func (s *Schema) Known(a access.Actor) ([]*Field, []*Hop) {
	fields := []*Field{s.ID()}
	for i := range s.Fields {
		if f := s.Field(s.Fields[i].Name, a); f != nil && !f.isID() {
			fields = append(fields, f)
		}
	}
	var hops []*Hop
	for i := range s.Hops {
		if h := s.Hop(s.Hops[i].Name, a); h != nil {
			hops = append(hops, h)
		}
	}
	return fields, hops
}

func isNone(w access.Where) bool { return w.SQL == access.None.SQL }

// Term is one condition: a path over relations to a field, a lookup and values. All terms of a query must
// hold.
type Term struct {
	Hops   []*Hop
	Field  *Field
	Lookup Lookup
	Values []Value
	Any    []Term // set instead of the above: at least one of these holds
}

// Key is one sort key: a field of the schema or, over to-one relations, of another.
type Key struct {
	Hops       []*Hop
	Field      *Field
	Desc       bool
	IgnoreCase bool // text only: compare case-folded, see store.FoldCase
}

// Attribute is an attribute that the caller requested beyond the default ones.
type Attribute struct {
	Asked string   // as the caller wrote it
	Path  []string // lower case and hyphenated, without the leading resource name
	Hops  []*Hop   // the to-one relations on the path
	Field *Field   // nil if the path ends at a relation or at an attribute only known to Options.Attribute
}

// Query is a parsed request for a collection, in any dialect.
type Query struct {
	Filter        []Term
	Attributes    []Attribute
	Order         []Key
	Page, Size    int // from 1; 0 means the first page, and 10
	After, Before string
	Extra         url.Values // the parameters that Options.Extra names
	// LinkParams is the part of the query string that links to other pages of the list repeat: filter,
	// attributes and order, as the caller sent them.
	LinkParams string

	collection string // the face's name of the collection, part of its cursors
}

// Eq returns the condition that the field at the dotted path has the value, in the syntax of filters.
func Eq(s *Schema, path, value string) (Term, error) { return Cond(s, path, Exact, value) }

// OneOf returns the condition that the field has one of the values.
func OneOf(s *Schema, path string, values ...string) (Term, error) {
	return Cond(s, path, In, values...)
}

// AnyOf returns the condition that at least one of the terms holds.
func AnyOf(terms ...Term) Term { return Term{Any: terms} }

// Cond returns a condition for dialects with their own names for fields and lookups. The path comes from
// the code, the values may come from the caller: the error of a bad value is Invalid. The actor's rights to
// the field are checked when the query runs.
func Cond(s *Schema, path string, l Lookup, values ...string) (Term, error) {
	all := access.System("query")
	r, bad := resolve(s, all, strings.Split(path, "."), false)
	if bad != nil {
		return Term{}, fault.New(fault.Internal, "query: %s: %s", path, bad.reason)
	}
	t := Term{Hops: r.hops, Field: r.field, Lookup: l}
	if reason, detail := t.parse(r.terminalHop, values); reason != "" {
		return Term{}, invalid("filter", detail, "%s: %s", path, reason)
	}
	return t, nil
}

// Asc returns the ascending sort key of the field at the dotted path.
func Asc(s *Schema, path string) (Key, error) { return key(s, path, false) }

// Desc returns the descending sort key of the field at the dotted path.
func Desc(s *Schema, path string) (Key, error) { return key(s, path, true) }

func key(s *Schema, path string, desc bool) (Key, error) {
	k, bad := resolveKey(s, access.System("query"), strings.Split(path, "."))
	if bad != nil {
		return Key{}, fault.New(fault.Internal, "query: %s: %s", path, bad.reason)
	}
	k.Desc = desc
	return k, nil
}

// invalid returns a fault of a query parameter.
func invalid(parameter, detail, format string, args ...any) *fault.Error {
	e := fault.InvalidField(fault.Argument(parameter), format, args...)
	e.Detail = detail
	return e
}

// name returns the name under which a list was requested: the face's, or else the entity's own.
func (q *Query) name(e *Entity) string {
	if q.collection != "" {
		return q.collection
	}
	return e.Name
}

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case Text:
		return "a text"
	case Int:
		return "a number"
	case Bool:
		return "a boolean"
	case Enum:
		return "an enumeration"
	case Time:
		return "an instant"
	case Date:
		return "a day"
	case Ref:
		return "a reference"
	}
	return fmt.Sprintf("of the kind %d", int(k))
}
