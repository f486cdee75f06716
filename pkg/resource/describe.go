package resource

import (
	"slices"

	"halcyon/pkg/query"
	"halcyon/pkg/schema"
)

// This file says of declarations what their documentation needs: what the JSON of
// fields is like, what bodies may hold, and what actions lead to.

// Patterns of texts that are made here.
const (
	idPattern     = `^[0-9]+$`
	timePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$`
	datePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	ratePattern   = `^-?[0-9]+\.[0-9]{2}/month$`
	memoryPattern = `^[0-9]+\.[0-9]{4} GB$`
	diskPattern   = `^[0-9]+ GB$`
)

// RateJSON is what money by the month looks like inside of other values.
func RateJSON() schema.Object { return schema.Like(ratePattern) }

// MemoryJSON is what an amount of memory looks like inside of other values.
func MemoryJSON() schema.Object { return schema.Like(memoryPattern) }

// DiskJSON is what an amount of disk space looks like inside of other values.
func DiskJSON() schema.Object { return schema.Like(diskPattern) }

// Typed declares what the JSON of the field is like, where its constructor cannot know.
func (f Field[T]) Typed(json schema.Object) Field[T] { f.json = json; return f }

// TypedCloudBolt declares what the JSON of the field is like in the CloudBolt shape, where
// it differs from strict HAL.
func (f Field[T]) TypedCloudBolt(json schema.Object) Field[T] { f.cbJSON = json; return f }

// Results are what an operation can lead to. Nil is the row as it is then.
type Results []Lead

// Lead is one thing that an operation can lead to.
type Lead struct {
	kind leadKind
	Of   string // plural of the resource of work, or of the other row
	Made bool   // the other row was not there before
}

type leadKind uint8

const (
	leadRow leadKind = iota
	leadWork
	leadOther
	leadNothing
)

// ToRow leads to the row, or a copy of it; ToNothing to its end.
var (
	ToRow     = Lead{kind: leadRow}
	ToNothing = Lead{kind: leadNothing}
)

// ToWork leads to work, in a row of the resource.
func ToWork(of string) Lead { return Lead{kind: leadWork, Of: of} }

// ToOther leads to a row of another resource, which was made or was there before.
func ToOther(of string, made bool) Lead { return Lead{kind: leadOther, Of: of, Made: made} }

// Row reports whether the operation can lead to the row.
func (r Results) Row() bool { return slices.Contains(r.Or(ToRow), ToRow) }

// Nothing reports whether the operation can end the row.
func (r Results) Nothing() bool { return slices.Contains(r, ToNothing) }

// Works returns the resources of the work that the operation can lead to.
func (r Results) Works() []string {
	var list []string
	for _, x := range r {
		if x.kind == leadWork {
			list = append(list, x.Of)
		}
	}
	return list
}

// Others returns the leads to rows of other resources.
func (r Results) Others() []Lead {
	return slices.DeleteFunc(slices.Clone(r), func(x Lead) bool { return x.kind != leadOther })
}

// Or returns the results, and the other one when there are none.
func (r Results) Or(other Lead) Results {
	if len(r) == 0 {
		return Results{other}
	}
	return r
}

// Presence reports whether a document has a member.
type Presence uint8

// The presences.
const (
	Never Presence = iota
	Sometimes
	Always
)

// InItem reports whether the item's own document has the field.
func (f *FieldDef) InItem() Presence {
	switch {
	case f.hidden || f.listOnly:
		return Never
	case f.OnDemand || f.omit || f.see != nil:
		return Sometimes
	}
	return Always
}

// InEntry reports whether the short document of lists has the field.
func (f *FieldDef) InEntry() Presence {
	switch {
	case f.hidden || f.fetch != nil:
		return Never
	case f.Listed && f.see == nil:
		return Always
	}
	return Sometimes
}

// JSON is what the field's value is like.
func (f *FieldDef) JSON() schema.Object {
	json := f.json
	if json == nil {
		return schema.Any()
	}
	return json
}

// CloudBoltJSON returns what the field's value is like in the CloudBolt shape.
func (f *FieldDef) CloudBoltJSON() schema.Object {
	if f.cbJSON != nil {
		return f.cbJSON
	}
	return f.JSON()
}

// Typed reports whether the declaration says what the field's JSON is like.
func (f *FieldDef) Typed() bool { return f.json != nil || f.hidden }

// WriteOnly reports whether the field is never shown.
func (f *FieldDef) WriteOnly() bool { return f.hidden }

// Limited reports whether not everybody who sees the row sees the field.
func (f *FieldDef) Limited() bool { return f.see != nil }

// Default is what a body that does not say it means, "" for the kind's own.
func (f *FieldDef) Default() string { return f.fallback }

// Filter returns what filters and order= know of the field, nil when it is nothing.
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

// Target is the resource that the relation leads to, nil when it leads to a place
// that is none.
func (r *RelationDef) Target() *Def { return r.target }

// Extended reports whether its links have members of their own.
func (r *RelationDef) Extended() bool { return r.extra != nil }

// Target is the resource that the sub-collection lists.
func (s *SubDef) Target() *Def { return s.target }

// boolInput is how bodies may write a boolean.
func boolInput() schema.Object {
	return schema.Either(schema.Boolean(), schema.Of("enum", []any{"true", "false", "True", "False", "0", "1", "", 0, 1}))
}

// InputJSON is what a body may hold for the field. Bodies are read more leniently
// than documents are written: numbers may be strings, and strings numbers.
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
		// As it is shown, or, from forms, as a text that holds JSON.
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
