// Package apidoc explains an API from its declarations: JSON Schemas of what it
// answers and takes, an OpenAPI description of its routes, and the texts of its
// pages. It renders nothing for browsers and knows no HTTP: faces serve what it makes.
package apidoc

import (
	"regexp"
	"slices"
	"strings"

	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// Suffixes of the names of a resource's schemas.
const (
	entrySuffix = "Entry"       // an item in its collection
	shortSuffix = "Short"       // an item that is embedded elsewhere
	Page        = "Page"        // a page of the collection
	Body        = "Body"        // what a POST may hold
	Patch       = "Patch"       // what a PATCH may hold
	Replacement = "Replacement" // what a PUT may hold
	CloudBolt   = "CloudBolt"   // what the CloudBolt shape has instead
)

// TypeName returns the name of a resource's schema: "OsBuild" for os-build.
func TypeName(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' || r == ' ' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// asked matches members that attributes= adds under the name that was asked: over
// relations, or with _ for -.
const asked = `[._]`

// Resources returns the schemas of all declared resources by name. They refer to each
// other, and to those of Common, by their bare names.
func Resources(defs []*resource.Def) schema.Object {
	var all schema.Object
	add := func(name string, o schema.Object) { all = append(all, schema.Member{Name: name, Value: o}) }
	for _, d := range defs {
		name := TypeName(d.Name)
		add(name, Item(d))
		add(name+entrySuffix, entry(d))
		if slices.ContainsFunc(defs, func(x *resource.Def) bool { return embeds(x, d) }) {
			add(name+shortSuffix, short(d))
		}
		add(name+Page, page(d))
		add(name+CloudBolt, cloudBoltItem(d))
		add(name+Page+CloudBolt, cloudBoltPage())
		if d.Create != nil {
			body := d.PostBody
			if body == nil {
				body = fieldsBody(d, true)
			}
			add(name+Body, Lenient(body).Doc("What a POST may hold to make one. Members may be written with _ for -."))
		}
		if d.Update != nil {
			add(name+Patch, Lenient(fieldsBody(d, false)).Doc("A merge patch (RFC 7396): members that are not mentioned stay, null goes back to the default."))
		}
		if d.Replace != nil {
			add(name+Replacement, replacement(d))
		}
	}
	return all
}

// Item returns the schema of an item's own document in strict HAL, with further
// members that some answers add to it.
func Item(d *resource.Def, more ...schema.Member) schema.Object {
	properties := schema.Object{{Name: "_links", Value: itemLinks(d)}}
	required := []string{"_links"}
	for _, f := range d.Fields {
		presence := f.InItem()
		if presence == resource.Never {
			continue
		}
		properties = append(properties, schema.Member{Name: f.Name, Value: shown(f)})
		if presence == resource.Always {
			required = append(required, f.Name)
		}
	}
	properties = append(properties, askedLinks(d)...)
	for _, m := range more {
		properties = append(properties, m)
		required = append(required, m.Name)
	}
	return document(d.Doc, append(properties, around(d)...), required)
}

// document closes a document, attributes= aside.
func document(doc string, properties schema.Object, required []string) schema.Object {
	return schema.Of("type", "object", "description", doc, "properties", properties,
		"patternProperties", schema.Of(asked, schema.Any()), "required", required, "additionalProperties", false)
}

func shown(f *resource.FieldDef) schema.Object {
	o := f.JSON().Doc(f.Doc)
	if !f.Editable {
		o = o.With("readOnly", true)
	}
	return o
}

// askedLinks are members for attributes= that asks for a to-one relation of an item
// that has no such link.
func askedLinks(d *resource.Def) schema.Object {
	var list schema.Object
	for _, r := range d.Relations {
		if !r.Many && r.Target() != nil && !hasField(d, r.Rel) {
			list = append(list, schema.Member{Name: r.Rel, Value: schema.Either(schema.Ref("Link"), schema.Of("type", "null")).Doc("Asked for with attributes=.")})
		}
	}
	return list
}

func hasField(d *resource.Def, name string) bool {
	return slices.ContainsFunc(d.Fields, func(f *resource.FieldDef) bool {
		return f.Name == name && (f.InItem() != resource.Never || f.InEntry() != resource.Never)
	})
}

// around are the members of HAL and HAL-FORMS besides the links.
func around(d *resource.Def) schema.Object {
	var list schema.Object
	if e := embedded(d); e != nil {
		list = append(list, schema.Member{Name: "_embedded", Value: e})
	}
	return append(list, schema.Member{Name: "_templates", Value: schema.Ref("Templates")})
}

// embeds reports whether documents of the resource can have those of another in them.
func embeds(d, other *resource.Def) bool {
	return slices.ContainsFunc(d.Relations, func(r *resource.RelationDef) bool { return r.Target() == other })
}

// embedded is what embed= can put into a document, nil for nothing.
func embedded(d *resource.Def) schema.Object {
	var members []schema.Member
	for _, r := range d.Relations {
		if r.Target() == nil {
			continue
		}
		o := schema.Ref(TypeName(r.Target().Name) + shortSuffix)
		if r.Many {
			o = schema.Array(o)
		}
		members = append(members, schema.M(r.Rel+"?", o))
	}
	if members == nil {
		return nil
	}
	return schema.Struct(members...)
}

func itemLinks(d *resource.Def) schema.Object {
	links := schema.Object{{Name: "self", Value: schema.Ref("Link")}, {Name: "curies", Value: schema.Ref("Curies")}}
	required := []string{"self", "describedby", "collection"}
	for _, r := range d.Relations {
		links = append(links, schema.Member{Name: r.Rel, Value: relation(r)})
		if r.Many {
			required = append(required, r.Rel)
		}
	}
	link := func(rel, doc string) {
		links = append(links, schema.Member{Name: rel, Value: schema.Ref("Link").Doc(doc)})
	}
	for _, s := range d.Subs {
		if s.Rel != "" {
			link(s.Rel, s.Doc)
		}
	}
	if d.Export != nil {
		link("cb:export", "The row as a zip, for another installation.")
	}
	link("collection", "The collection.")
	link("describedby", "The JSON Schema of this document.")
	for _, x := range d.Actions {
		link("cb:"+x.Rel, x.Doc+" It is there when the caller may do it now: POST to it.")
	}
	if len(d.Actions) > 0 || d.Offers != nil {
		links = append(links, schema.Member{Name: "actions", Value: schema.Ref("Actions")})
	}
	if len(d.Actions) > 0 {
		required = append(required, "actions")
	}
	o := schema.Of("type", "object", "properties", links, "required", required)
	if d.Offers != nil {
		o = o.With("patternProperties", schema.Of(`^cb:[a-z-]+-action-[0-9]+$`, schema.Ref("Link")))
	}
	return o.With("additionalProperties", false)
}

func relation(r *resource.RelationDef) schema.Object {
	link := schema.Ref("Link")
	if r.Extended() {
		link = schema.Ref("ExtendedLink")
	}
	if r.Many {
		return schema.Array(link).Doc(r.Doc)
	}
	return link.Doc(r.Doc)
}

// entry is an item as its collection has it: short, with what attributes= and
// embed= ask for.
func entry(d *resource.Def) schema.Object {
	links := schema.Object{{Name: "self", Value: schema.Ref("Link")}}
	for _, r := range d.Relations {
		if r.Target() != nil {
			links = append(links, schema.Member{Name: r.Rel, Value: relation(r)})
		}
	}
	properties := schema.Object{{Name: "_links", Value: schema.Closed(links, []string{"self"})}}
	required := []string{"_links"}
	for _, f := range d.Fields {
		presence := f.InEntry()
		if presence == resource.Never {
			continue
		}
		o := f.JSON().Doc(f.Doc)
		if presence == resource.Always {
			required = append(required, f.Name)
		}
		properties = append(properties, schema.Member{Name: f.Name, Value: o})
	}
	if e := embedded(d); e != nil {
		properties = append(properties, schema.Member{Name: "_embedded", Value: e})
	}
	return document("An item in its collection: in short, and what attributes= asks for. "+d.Doc, properties, required)
}

func short(d *resource.Def) schema.Object {
	members := []schema.Member{schema.M("_links", schema.Struct(schema.M("self", schema.Ref("Link"))))}
	for _, f := range d.Fields {
		if !f.Listed {
			continue
		}
		name := f.Name
		if f.InEntry() != resource.Always {
			name += "?"
		}
		members = append(members, schema.M(name, f.JSON().Doc(f.Doc)))
	}
	return schema.Struct(members...).Doc("An item in short, as it is embedded elsewhere. " + d.Doc)
}

func page(d *resource.Def) schema.Object {
	links := []schema.Member{
		schema.M("self", schema.Ref("Link")), schema.M("curies", schema.Ref("Curies")),
		schema.M("first", schema.Ref("Link")), schema.M("last", schema.Ref("Link")),
		schema.M("prev?", schema.Ref("Link")), schema.M("next?", schema.Ref("Link")),
		schema.M("cb:filter", schema.Ref("Link")), schema.M("describedby", schema.Ref("Link")),
	}
	if d.Import != nil {
		links = append(links, schema.M("cb:import?", schema.Ref("Link")))
	}
	for _, b := range d.Batch {
		links = append(links, schema.M("cb:"+b.Rel+"?", schema.Ref("Link").Doc(b.Doc)))
	}
	if d.Import != nil || len(d.Batch) > 0 {
		links = append(links, schema.M("actions?", schema.Ref("Actions")))
	}
	return schema.Struct(
		schema.M("_links", schema.Struct(links...)),
		schema.M("total", schema.Integer().Doc("How many there are on all pages.")),
		schema.M("count", schema.Integer().Doc("How many are on this page.")),
		schema.M("page", schema.Integer()), schema.M("page_size", schema.Integer()),
		schema.M("_embedded", schema.Struct(schema.M(d.Plural, schema.Array(schema.Ref(TypeName(d.Name)+entrySuffix))))),
		schema.M("_templates?", schema.Ref("Templates")),
	).Doc("A page of a list. " + d.Doc)
}

// cloudBoltItem is loose where clients of that shape are: links have other names
// there, and relations to nothing are {}.
func cloudBoltItem(d *resource.Def) schema.Object {
	properties := schema.Object{{Name: "_links", Value: schema.Ref("Links" + CloudBolt)}}
	for _, f := range d.Fields {
		if f.InItem() != resource.Never {
			properties = append(properties, schema.Member{Name: f.Name, Value: f.CloudBoltJSON()})
		}
	}
	return schema.Of("type", "object", "description", d.Doc, "properties", properties, "required", []string{"_links"})
}

func cloudBoltPage() schema.Object {
	return schema.Of("type", "object", "description", "A page of a list in the CloudBolt shape, where _embedded is an array.", "properties", schema.Of(
		"_links", schema.Ref("Links"+CloudBolt), "total", schema.Integer(), "count", schema.Integer(),
		"_embedded", schema.Array(schema.Ref("Entry"+CloudBolt)),
	), "required", []string{"_links", "total", "count", "_embedded"})
}

// fieldsBody is what the declared fields and relations of a row may be set to.
func fieldsBody(d *resource.Def, create bool) schema.Object {
	var members []schema.Member
	add := func(name string, required bool, o schema.Object) {
		if !required || !create {
			name += "?"
		}
		members = append(members, schema.M(name, o))
	}
	for _, f := range d.Fields {
		if f.Editable {
			add(f.Name, f.Required, f.InputJSON(schema.Ref("Ref")))
		}
	}
	for _, r := range d.Relations {
		if r.Editable && !slices.ContainsFunc(members, func(m schema.Member) bool { return strings.TrimSuffix(m.Name, "?") == r.Rel }) {
			add(r.Rel, r.Required, schema.Ref("Ref").Doc(r.Doc))
		}
	}
	return schema.Struct(members...)
}

// replacement takes a document as it came, too: what cannot be set has to be as it
// was, and relations may be among the links.
func replacement(d *resource.Def) schema.Object {
	o := Lenient(fieldsBody(d, false))
	properties, _ := o.Get("properties").(schema.Object)
	for _, f := range d.Fields {
		if !f.Editable && f.InItem() != resource.Never && properties.Get(f.Name) == nil {
			properties = append(properties, schema.Member{Name: f.Name, Value: schema.Any().Doc("As it is.")})
		}
	}
	for _, name := range []string{"_links", "_embedded", "_templates"} {
		properties = append(properties, schema.Member{Name: name, Value: schema.Of("type", "object")})
	}
	return o.With("properties", properties).Doc("The row as it shall be: members that are not mentioned go back to their defaults. The document may come as it was read.")
}

// Lenient lets bodies write members with _ for -, and the other way round.
func Lenient(o schema.Object) schema.Object {
	out := slices.Clone(o)
	for i, m := range out {
		switch v := m.Value.(type) {
		case schema.Object:
			out[i].Value = Lenient(v)
		case []schema.Object:
			list := make([]schema.Object, len(v))
			for j := range v {
				list[j] = Lenient(v[j])
			}
			out[i].Value = list
		}
	}
	properties, ok := out.Get("properties").(schema.Object)
	if !ok || out.Get("additionalProperties") != false {
		return out
	}
	var other []string
	for _, p := range properties {
		if strings.ContainsAny(p.Name, "-_") {
			other = append(other, spellings.ReplaceAllString(regexp.QuoteMeta(p.Name), "[-_]"))
		}
	}
	if other == nil {
		return out
	}
	return out.With("patternProperties", schema.Of("^("+strings.Join(other, "|")+")$", schema.Any()))
}

var spellings = regexp.MustCompile(`\\?[-_]`)
