package apidoc

import (
	"slices"

	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// The media types of bodies.
const (
	TypeHAL       = "application/hal+json"
	TypeForms     = "application/prs.hal-forms+json"
	TypeJSON      = "application/json"
	typePatch     = "application/merge-patch+json"
	typeForm      = "application/x-www-form-urlencoded"
	TypeMultipart = "multipart/form-data"
	TypeText      = "text/plain"
	TypeHTML      = "text/html"
	TypeZip       = "application/zip"
	TypeOpenAPI   = "application/vnd.oai.openapi+json;version=3.1"
)

// representations returns a body in all representations, by the names of its schemas: strict
// HAL, with and without forms, and the CloudBolt shape.
func representations(strict, cloudBolt string) []Media {
	return []Media{
		{Type: TypeHAL, Schema: schema.Ref(strict)}, {Type: TypeForms, Schema: schema.Ref(strict)}, {Type: TypeJSON, Schema: schema.Ref(cloudBolt)},
	}
}

// ItemDocument returns the document of a row as a body.
func ItemDocument(d *resource.Def) []Media {
	name := TypeName(d.Name)
	return representations(name, name+CloudBolt)
}

// PageDocument returns the document of a page of a list as a body.
func PageDocument(d *resource.Def) []Media {
	name := TypeName(d.Name)
	return representations(name+Page, name+Page+CloudBolt)
}

// OtherDocument returns a document that no declaration makes as a body, by the name of
// its schema.
func OtherDocument(name string) []Media { return representations(name, "Document"+CloudBolt) }

// JSONBody returns a body in the media types that are read.
func JSONBody(o schema.Object) []Media {
	return []Media{{Type: TypeJSON, Schema: o}, {Type: typeForm, Schema: o}}
}

// PatchBody returns the body of a PATCH.
func PatchBody(o schema.Object) []Media {
	return []Media{{Type: typePatch, Schema: o}, {Type: TypeJSON, Schema: o}}
}

// NoBody returns the body of an operation that asks nothing: empty, or {}.
func NoBody() []Media { return []Media{{Type: TypeJSON, Schema: schema.Ref("Nothing")}} }

// Binary returns the schema of a file.
func Binary() schema.Object { return schema.Of("type", "string", "format", "binary") }

// OK returns the answer of status 200 with a body.
func OK(doc string, headers []string, body []Media) Answer {
	return Answer{Status: 200, Doc: doc, Headers: headers, Content: body}
}

// Headers of answers, as names of API.Headers.
var (
	Tagged  = []string{"ETag"}
	Dated   = []string{"ETag", "Last-Modified"}
	Located = []string{"Location"}
)

// ListParams returns the parameters of a list of the resource.
func ListParams(d *resource.Def) []string {
	name := TypeName(d.Plural)
	list := []string{name + "Filter", name + "Attributes", name + "Order", "Page", "PageSize", "After", "Before"}
	if hasEmbeds(d) {
		list = append(list, name+"Embed")
	}
	return append(list, "IfNoneMatch")
}

// ItemParams returns the parameters of the document of a row.
func ItemParams(d *resource.Def) []string {
	list := []string{TypeName(d.Plural) + "Attributes"}
	if hasEmbeds(d) {
		list = append(list, TypeName(d.Plural)+"Embed")
	}
	return append(list, "IfNoneMatch")
}

func hasEmbeds(d *resource.Def) bool {
	return slices.ContainsFunc(d.Relations, func(r *resource.RelationDef) bool { return r.Target() != nil })
}

// IDDoc explains the parameter of a path that names a row.
const IDDoc = "Its number, global id, or uuid."

// Operations collects operations by their routes.
type Operations map[string]*Operation

// Add adds the operation of a route, and returns it.
func (m Operations) Add(method, path string, op Operation) *Operation {
	op.Method, op.Path = method, path
	m[method+" "+path] = &op
	return &op
}

// AddGet adds a route that reads one document, which may be the row that the path
// names, and returns its operation.
func (m Operations) AddGet(path, id, tag, title, doc string, content []Media, params ...string) *Operation {
	return m.Add("GET", path, Operation{
		ID: id, Tag: tag, Title: title, Doc: doc, Params: append(params, "IfNoneMatch"), Places: map[string]string{"id": IDDoc},
		Answers: []Answer{OK("The document.", Tagged, content)},
	})
}

// Links returns the member _links of a document that no declaration makes: self, and
// the given relations.
func Links(rels ...schema.Member) schema.Member {
	all := append([]schema.Member{schema.M("self", schema.Ref("Link")), schema.M("curies?", schema.Ref("Curies"))}, rels...)
	return schema.M("_links", schema.Struct(all...))
}

// Word returns the schema of a text in a body, which may be written as a number or a
// boolean.
func Word() schema.Object {
	return schema.Of("type", []string{"string", "number", "boolean", "null"})
}

// WordUpTo returns the schema of a Word of at most that many characters.
func WordUpTo(most int) schema.Object { return Word().With("maxLength", most) }

// References returns the schema of one or several references to rows in a body.
func References() schema.Object {
	return schema.Either(schema.Array(schema.Ref("Ref")), schema.Ref("Ref"))
}

// FieldErrors returns the schema of what is wrong with single members of a body.
func FieldErrors() schema.Object {
	return schema.Array(schema.Struct(schema.M("pointer", schema.String()), schema.M("reason", schema.String())))
}

// Parameter returns a parameter; in is "query", "header" or "path".
func Parameter(name, in, doc string, o schema.Object) schema.Object {
	return schema.Of("name", name, "in", in, "description", doc, "schema", o)
}
