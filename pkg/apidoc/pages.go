package apidoc

import (
	"cmp"
	"slices"
	"strings"

	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// Docs are the explanations of an API, for whoever shows them.
type Docs struct {
	Base      string // the path that all addresses begin with, without a slash at the end
	Resources []Resource
	Rels      []Rel // by name
	Problems  []Problem
	Guide     []Chapter
}

// Rel is a link relation: what it means on each resource that has it.
type Rel struct {
	Name string // without a prefix
	On   []On   // by resource
}

// On is what a relation means on one resource.
type On struct{ Resource, Doc string }

// Problem is a type of problem documents.
type Problem struct {
	Name   string // last segment of its type
	Status int
	Title  string
	Doc    string
}

// Resource is what there is to know of a resource.
type Resource struct {
	Name, Plural, Noun, Doc string
	Path                    string // of the collection
	Fields                  []Field
	Relations               []Relation
	Actions                 []Action
	Subs                    []Sub
	Methods                 []string // on the collection and on items: "POST", "PATCH" …
	Filter                  string   // an example of one
}

// Field is a member of the resource's documents.
type Field struct {
	Name, Doc string
	Type      string   // in a word or two: "text", "whole number"
	Values    []string // of a closed set
	Lookups   []string // of filters, exact first; none when it cannot be filtered by
	Sortable  bool
	Listed    bool // lists have it without being asked
	OnDemand  bool // attributes= asks for it
	Limited   bool // not everybody who sees the row sees it
	Editable  bool
	Required  bool // by a create
	WriteOnly bool
	Default   string
	Example   string
}

// Relation is a link to other resources.
type Relation struct {
	Rel, Doc   string
	To         string // plural of the target, "" for a place of its own
	Many       bool
	Editable   bool
	Required   bool
	Filterable bool // filters and attributes= may go over it
	Embeddable bool
}

// Action is what can be done with a row, or with the collection.
type Action struct {
	Rel, Title, Doc string
	Path            string
	Bulk            bool // for several rows at once as well
}

// Sub is a collection below an item.
type Sub struct{ Rel, Path, Of, Doc string }

// Chapter is a part of the guide.
type Chapter struct {
	Name  string // last segment of its page
	Title string
	Text  []byte // Markdown
}

// Explain returns what there is to know of declared resources.
func Explain(defs []*resource.Def) []Resource {
	list := make([]Resource, len(defs))
	for i, d := range defs {
		list[i] = explain(d)
	}
	return list
}

func explain(d *resource.Def) Resource {
	r := Resource{Name: d.Name, Plural: d.Plural, Noun: d.Noun, Doc: d.Doc, Path: d.Path(), Filter: Example(d)}
	for _, f := range d.Fields {
		r.Fields = append(r.Fields, explainField(d, f))
	}
	for _, x := range d.Relations {
		r.Relations = append(r.Relations, Relation{
			Rel: x.Rel, Doc: x.Doc, To: x.To, Many: x.Many, Editable: x.Editable, Required: x.Required,
			Filterable: x.Target() != nil, Embeddable: x.Target() != nil,
		})
	}
	for _, s := range d.Subs {
		r.Subs = append(r.Subs, Sub{Rel: s.Rel, Path: d.Path() + "{id}/" + s.Path + "/", Of: s.Of, Doc: s.Doc})
	}
	for _, x := range d.Actions {
		r.Actions = append(r.Actions, Action{Rel: "cb:" + x.Rel, Title: x.Title, Doc: x.Doc, Path: d.Path() + "{id}/actions/" + x.Path, Bulk: true})
	}
	for _, b := range d.Batch {
		r.Actions = append(r.Actions, Action{Rel: "cb:" + b.Rel, Title: b.Title, Doc: b.Doc, Path: d.Path() + "actions/" + b.Rel})
	}
	for method, has := range map[string]bool{"POST": d.Create != nil, "PATCH": d.Update != nil, "PUT": d.Replace != nil, "DELETE": d.Delete != nil} {
		if has {
			r.Methods = append(r.Methods, method)
		}
	}
	order := []string{"POST", "PATCH", "PUT", "DELETE"}
	slices.SortFunc(r.Methods, func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
	return r
}

func explainField(d *resource.Def, f *resource.FieldDef) Field {
	out := Field{
		Name: f.Name, Doc: f.Doc, Values: f.Values, Listed: f.Listed, OnDemand: f.OnDemand, Limited: f.Limited(),
		Editable: f.Editable, Required: f.Required, WriteOnly: f.WriteOnly(), Default: f.Default(), Example: f.Input.Example, Type: typeWords(f),
	}
	if q := d.Filter(f); q != nil {
		out.Sortable = q.Sort
		for _, l := range q.Lookups() {
			out.Lookups = append(out.Lookups, string(l))
		}
	}
	return out
}

// typeWords says in words what the JSON of a field is.
func typeWords(f *resource.FieldDef) string {
	switch {
	case f.Name == "id":
		return "number as text"
	case f.Kind == query.Time:
		return "instant, UTC"
	case f.Kind == query.Date:
		return "day"
	case len(f.Values) > 0:
		return "one of a set"
	}
	return words(f.JSON())
}

func words(o schema.Object) string {
	if list, ok := o.Get("anyOf").([]schema.Object); ok {
		all := make([]string, len(list))
		for i, x := range list {
			all[i] = words(x)
		}
		return strings.Join(all, " or ")
	}
	kind, _ := o.Get("type").(string)
	if kinds, ok := o.Get("type").([]string); ok {
		kind = kinds[0]
	}
	pattern, _ := o.Get("pattern").(string)
	switch {
	case strings.HasSuffix(pattern, "/month$"):
		return "money by the month"
	case strings.HasSuffix(pattern, " GB$"):
		return "amount in GB"
	case strings.Contains(pattern, "/month"), kind == "string":
		return "text"
	case kind == "integer":
		return "whole number"
	case kind == "boolean":
		return "true or false"
	case kind == "array":
		return "list"
	case kind == "object":
		return "object"
	case kind == "null":
		return "null"
	}
	return "any"
}

// Example returns a filter that the resource knows.
func Example(d *resource.Def) string {
	for _, f := range d.Fields {
		q := d.Filter(f)
		switch {
		case q == nil || q.Name == "id":
		case q.Kind == query.Enum && len(f.Values) > 0:
			return q.Name + ":" + f.Values[0]
		case q.Kind == query.Text:
			return q.Name + ".startswith:a"
		}
	}
	return "id.in:1,2"
}

// Rel finds a relation by its name.
func (d *Docs) Rel(name string) (Rel, bool) {
	return found(d.Rels, func(r Rel) bool { return r.Name == name })
}

// Resource finds a resource by its plural.
func (d *Docs) Resource(plural string) (Resource, bool) {
	return found(d.Resources, func(r Resource) bool { return r.Plural == plural })
}

// Problem finds a type of problem by its name.
func (d *Docs) Problem(name string) (Problem, bool) {
	return found(d.Problems, func(p Problem) bool { return p.Name == name })
}

// Chapter finds a chapter of the guide by its name.
func (d *Docs) Chapter(name string) (Chapter, bool) {
	return found(d.Guide, func(c Chapter) bool { return c.Name == name })
}

func found[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}
