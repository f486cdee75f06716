package resource

import (
	"slices"

	"halcyon/pkg/query"
	"halcyon/pkg/schema"
)

// This file derives documentation from declarations: the JSON of fields, the accepted bodies, and the
// results of actions.

// Patterns of texts produced by this package.
const (
	idPattern     = `^[0-9]+$`
	timePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$`
	datePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	ratePattern   = `^-?[0-9]+\.[0-9]{2}/month$`
	memoryPattern = `^[0-9]+\.[0-9]{4} GB$`
	diskPattern   = `^[0-9]+ GB$`
)

// RateJSON returns the schema of money per month inside other values.
func RateJSON() schema.Object { return schema.Like(ratePattern) }

// MemoryJSON returns the schema of an amount of memory inside other values.
func MemoryJSON() schema.Object { return schema.Like(memoryPattern) }

// DiskJSON returns the schema of an amount of disk space inside other values.
func DiskJSON() schema.Object { return schema.Like(diskPattern) }

// Typed declares the schema of the field's JSON if its constructor cannot know it.
func (f Field[T]) Typed(json schema.Object) Field[T] { f.json = json; return f }

// TypedCloudBolt declares the schema of the field's JSON in the CloudBolt shape, if it differs from strict
// HAL.
func (f Field[T]) TypedCloudBolt(json schema.Object) Field[T] { f.cbJSON = json; return f }

// Results are the possible results of an operation. Nil means the changed row.
type Results []Lead

// Lead is one possible result of an operation.
type Lead struct {
	kind leadKind
	Of   string // plural of the resource of work, or of the other row
	Made bool   // the operation created the other row
}

type leadKind uint8

const (
	leadRow leadKind = iota
	leadWork
	leadOther
	leadNothing
)

// ToRow is the row itself, or a copy of it; ToNothing is its deletion.
var (
	ToRow     = Lead{kind: leadRow}
	ToNothing = Lead{kind: leadNothing}
)

// ToWork returns the result for work in a row of the resource.
func ToWork(of string) Lead { return Lead{kind: leadWork, Of: of} }

// ToOther returns the result for a row of another resource; made reports whether the operation creates it.
func ToOther(of string, made bool) Lead { return Lead{kind: leadOther, Of: of, Made: made} }

// Row reports whether the row is a possible result.
func (r Results) Row() bool { return slices.Contains(r.Or(ToRow), ToRow) }

// Nothing reports whether the operation can delete the row.
func (r Results) Nothing() bool { return slices.Contains(r, ToNothing) }

// Works returns the resources of work that the operation can start.
func (r Results) Works() []string {
	var list []string
	for _, x := range r {
		if x.kind == leadWork {
			list = append(list, x.Of)
		}
	}
	return list
}

// Others returns the possible results in other resources.
func (r Results) Others() []Lead {
	return slices.DeleteFunc(slices.Clone(r), func(x Lead) bool { return x.kind != leadOther })
}

// Or returns the results, or other if there are none.
func (r Results) Or(other Lead) Results {
	if len(r) == 0 {
		return Results{other}
	}
	return r
}

// Presence says how often a document has a member.
type Presence uint8

// The presences.
const (
	Never Presence = iota
	Sometimes
	Always
)

// InItem returns the presence of the field in the item's own document.
func (f *FieldDef) InItem() Presence {
	switch {
	case f.hidden || f.listOnly:
		return Never
	case f.OnDemand || f.omit || f.see != nil:
		return Sometimes
	}
	return Always
}

// InEntry returns the presence of the field in the short document of lists.
func (f *FieldDef) InEntry() Presence {
	switch {
	case f.hidden || f.fetch != nil:
		return Never
	case f.Listed && f.see == nil:
		return Always
	}
	return Sometimes
}

// JSON returns the schema of the field's value.
func (f *FieldDef) JSON() schema.Object {
	json := f.json
	if json == nil {
		return schema.Any()
	}
	return json
}

// CloudBoltJSON returns the schema of the field's value in the CloudBolt shape.
func (f *FieldDef) CloudBoltJSON() schema.Object {
	if f.cbJSON != nil {
		return f.cbJSON
	}
	return f.JSON()
}

// Typed reports whether the declaration has a schema for the field's JSON.
func (f *FieldDef) Typed() bool { return f.json != nil || f.hidden }

// WriteOnly reports whether the field is never shown.
func (f *FieldDef) WriteOnly() bool { return f.hidden }

// Limited reports whether some viewers of the row do not see the field.
func (f *FieldDef) Limited() bool { return f.see != nil }

// Default returns the declared default, or "" for the default of the kind.
func (f *FieldDef) Default() string { return f.fallback }

// Filter returns the field of the query schema, or nil if it cannot be filtered or sorted by.
func (d *Def) Filter(f *FieldDef) *query.Field {
	if f.Name == "id" {
		return d.Schema.ID()
	}
	if f.Column == "" {
		return nil
	}
	name := queryName(f.Name)
	i := slices.IndexFunc(d.Schema.Fields, func(x query.Field) bool { return x.Name == name })
	if i < 0 {
		return nil
	}
	return &d.Schema.Fields[i]
}

// Target returns the resource that the relation leads to, or nil if the target is not a resource.
func (r *RelationDef) Target() *Def { return r.target }

// Extended reports whether its links have additional members.
func (r *RelationDef) Extended() bool { return r.extra != nil }

// Target returns the resource that the sub-collection lists.
func (s *SubDef) Target() *Def { return s.target }

// boolInput returns the schema of a boolean in a body.
func boolInput() schema.Object {
	return schema.Either(schema.Boolean(), schema.Of("enum", []any{"true", "false", "True", "False", "0", "1", "", 0, 1}))
}

// InputJSON returns the schema of the field in a body. Bodies are more lenient than documents: numbers may
// be strings, and strings numbers.
func (f *FieldDef) InputJSON(ref schema.Object) schema.Object {
	in := &f.Input
	o := f.inputJSON(ref)
	if in.Example != "" && !in.Nested {
		o = o.With("examples", []string{in.Example})
	}
	if f.fallback != "" {
		o = o.With("default", f.fallback)
	}
	if f.hidden {
		o = o.With("writeOnly", true)
	}
	return o.Doc(f.Doc)
}

func (f *FieldDef) inputJSON(ref schema.Object) schema.Object {
	in := &f.Input
	null := schema.Of("type", "null")
	switch {
	case in.Of != "":
		return schema.Either(ref, schema.Array(ref))
	case in.Nested:
		// As shown, or, from forms, as a text that holds JSON.
		return schema.Of("type", []string{"array", "object", "string", "null"}, "items", schema.Any())
	case in.Type == "number":
		o := schema.Of("type", []string{"number", "string", "null"})
		if in.Min != "" {
			o = o.With("minimum", number64(in.Min))
		}
		if in.Max != "" {
			o = o.With("maximum", number64(in.Max))
		}
		return o
	case f.Kind == query.Bool:
		return schema.Either(schema.Boolean(), boolInput(), null)
	case in.Multiple:
		items := schema.String()
		if len(in.Options) > 0 {
			items = schema.Enum(in.Options...)
		}
		return schema.Either(schema.Array(items), schema.String(), null)
	case len(in.Options) > 0:
		return schema.Either(schema.Enum(in.Options...), schema.String().Doc("The same in any letter case."), null)
	}
	o := schema.Of("type", []string{"string", "number", "boolean", "null"})
	if in.MaxLength > 0 {
		o = o.With("maxLength", in.MaxLength)
	}
	if p := whole(in.Pattern); p != "" {
		o = o.With("pattern", p)
	}
	return o
}

func number64(text string) any {
	v, ok := number(text)
	if !ok {
		return text
	}
	if v.IsInt() {
		return v.Num().Int64()
	}
	f, _ := v.Float64()
	return f
}
