package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// Model connects the entities of an application and its database: it resolves the targets of relations and
// the columns of fields. It is created once, at startup, and never changes.
type Model struct {
	columns catalogue
	schemas []*Schema // under domain names
}

// NamesFunc visits the rows of a table that the actor sees, with their names, from memory.
type NamesFunc func(ctx context.Context, a access.Actor, table string, visit func(id models.ID, name string)) error

// NewModel returns a model of the entities. names reads the rows of small tables from memory; it may be
// nil. The error lists every mistake: a relation to a missing entity, an enumeration without a field, a
// column that the database does not have.
func NewModel(tx *store.Tx, names NamesFunc, entities ...*Entity) (*Model, error) {
	columns, err := readCatalogue(tx)
	if err != nil {
		return nil, err
	}
	m := &Model{columns: columns, schemas: make([]*Schema, len(entities))}
	for i, e := range entities {
		m.schemas[i] = &Schema{Entity: e, Name: e.Name, Plural: e.Plural}
		if e.Small && names != nil {
			m.schemas[i].Names = func(ctx context.Context, a access.Actor, visit func(models.ID, string)) error {
				return names(ctx, a, e.Table, visit)
			}
		}
	}
	k := checker{columns: columns, seen: map[*Schema]bool{}, wellFormed: wellFormedWord}
	for _, s := range m.schemas {
		k.add(s, m.fields(tx, s))
		k.add(s, m.relations(s))
	}
	for i, s := range m.schemas {
		if m.schema(s.Entity.Name) != m.schemas[i] {
			k.wrong(s, "the name is declared twice")
		}
		k.schema(s)
	}
	if err := errors.Join(k.errs...); err != nil {
		return nil, err
	}
	return m, prepare(tx, m.schemas)
}

// Schema returns the schema of the entity under domain names, as Eq, OneOf, Cond, Asc and Desc take it. It
// is nil for an entity outside the model.
func (m *Model) Schema(e *Entity) *Schema { return m.schema(e.Name) }

func (m *Model) schema(name string) *Schema {
	for _, s := range m.schemas {
		if s.Entity.Name == name {
			return s
		}
	}
	return nil
}

// fields derives the fields of a schema from the struct of its rows.
func (m *Model) fields(tx *store.Tx, s *Schema) error {
	stmt := gorm.Statement{DB: tx.DB}
	if err := stmt.Parse(s.Row); err != nil {
		return fmt.Errorf("read the columns of %T: %w", s.Row, err)
	}
	var errs []error
	for _, column := range stmt.Schema.Fields {
		if column.DBName == "" || column.DBName == "id" || s.refers(column.DBName) || slices.Contains(s.Internal, column.DBName) {
			continue
		}
		null, exists := m.columns[s.Table][column.DBName]
		if !exists {
			errs = append(errs, fmt.Errorf("the table %s has no column %s, which its rows have", s.Table, column.DBName))
			continue
		}
		kind, ok := kindOf(column)
		if !ok || null && kind != Time || secret(column.DBName) {
			continue
		}
		s.Fields = append(s.Fields, Field{Name: column.DBName, Column: column.DBName, Kind: kind, Sort: true})
	}
	for _, t := range s.Titles {
		s.Fields = append(s.Fields, Field{Name: t.Field, Column: "id", Kind: Text, Sort: true, Before: t.Before})
	}
	return errors.Join(append(errs, s.refine())...)
}

// refers reports whether a to-one relation reads the column.
func (e *Entity) refers(column string) bool {
	return slices.ContainsFunc(e.Relations, func(r Relation) bool { return r.column == column })
}

// refine adds to the fields what the struct cannot express.
func (s *Schema) refine() error {
	var errs []error
	field := func(name, what string) *Field {
		i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s of %s, which is no field", what, name))
			return new(Field)
		}
		return &s.Fields[i]
	}
	for _, e := range s.Enums {
		f := field(e.Field, "an enumeration")
		f.Kind, f.Enum = Enum, e.Codes
	}
	for _, name := range s.Days {
		field(name, "a day").Kind = Date
	}
	for _, scope := range s.Scopes {
		for _, name := range scope.Fields {
			field(name, "a scope").Scope = scope.Rows
		}
	}
	return errors.Join(errs...)
}

// kindOf returns the kind of field for a column, and false if the column is not a field.
func kindOf(column *schema.Field) (Kind, bool) {
	if column.Serializer != nil {
		return 0, false
	}
	//exhaustive:ignore
	switch intoOf(column) {
	case asText:
		return Text, true
	case asInt, asID:
		return Int, true
	case asBool:
		return Bool, true
	case asTime, asPointer:
		return Time, true
	}
	return 0, false
}

// relations finds the targets of a schema's relations.
func (m *Model) relations(s *Schema) error {
	var errs []error
	for _, r := range s.Relations {
		target := m.schema(r.To)
		if target == nil {
			errs = append(errs, fmt.Errorf("the relation %s goes to %s, which is not declared", r.Name, r.To))
			continue
		}
		s.Hops = append(s.Hops, Hop{Name: r.Name, Target: target, Many: r.Many, Join: r.Join, Column: r.column})
	}
	return errors.Join(errs...)
}

// Names are the names that a face uses for an entity.
type Names struct {
	Name, Plural string
	Fields       []FieldName
	Relations    []RelationName
}

// FieldName is a face's name of a field, and the form of its values there.
type FieldName struct {
	Name  string            // as callers write it, hyphenated
	Of    string            // the field's own name
	Kind  Kind              // must match the field
	Enum  []string          // must match the codes of the field
	Codes map[string]string // further spellings of a code (lower case) -> code as stored
	Scale int64             // Int: stored value = asked value × Scale; 0 means 1
}

// RelationName is a face's name of a relation.
type RelationName struct {
	Name   string
	Of     string // the relation's own name
	Many   bool   // must match the relation
	Target *Schema
}

// Translate fills the schema of the entity under the names of a face. The schemas that relations lead to
// may be filled later. The error lists every name without a counterpart in the domain, or with one of
// another kind.
func (m *Model) Translate(into *Schema, e *Entity, n Names) error {
	own := m.Schema(e)
	if own == nil {
		return fmt.Errorf("schema %s: the model has no entity %s", n.Name, e.Name)
	}
	*into = Schema{Entity: e, Name: n.Name, Plural: n.Plural, Names: own.Names}
	k := checker{columns: m.columns, seen: map[*Schema]bool{}}
	for _, x := range n.Fields {
		i := slices.IndexFunc(own.Fields, func(f Field) bool { return f.Name == x.Of })
		if i < 0 {
			k.wrong(into, "the field %s is %s, which %s do not have", x.Name, x.Of, own.Plural)
			continue
		}
		f := own.Fields[i]
		if f.Kind != x.Kind {
			k.wrong(into, "the field %s is %s, and %s is %s", x.Name, x.Kind, x.Of, f.Kind)
		}
		if !slices.Equal(f.Enum, x.Enum) {
			k.wrong(into, "the field %s has the codes %q, and %s has %q", x.Name, x.Enum, x.Of, f.Enum)
		}
		f.Name, f.Codes, f.Scale = x.Name, x.Codes, x.Scale
		into.Fields = append(into.Fields, f)
	}
	for _, x := range n.Relations {
		h := own.relation(x.Of)
		if h == nil || h.Many != x.Many {
			k.wrong(into, "the relation %s is %s, which is no relation of %s to as many", x.Name, x.Of, own.Plural)
			continue
		}
		if x.Target.Entity != h.Target.Entity {
			k.wrong(into, "the relation %s leads to other rows than %s does", x.Name, x.Of)
		}
		to := *h
		to.Name, to.Target = x.Name, x.Target
		into.Hops = append(into.Hops, to)
	}
	return errors.Join(k.errs...)
}

// Check finds mistakes across the schemas that Translate has filled.
func (m *Model) Check(schemas []*Schema) error { return check(schemas, m.columns) }

func (s *Schema) relation(name string) *Hop {
	for i := range s.Hops {
		if s.Hops[i].Name == name {
			return &s.Hops[i]
		}
	}
	return nil
}

// Hop returns the relation of the entity with this name, or nil.
func (m *Model) Hop(e *Entity, name string) *Hop {
	if s := m.Schema(e); s != nil {
		return s.relation(name)
	}
	return nil
}

// secret reports whether a column name looks like that of a secret.
func secret(column string) bool {
	return slices.ContainsFunc(strings.Split(column, "_"), func(word string) bool { return slices.Contains(secretWords, word) })
}
