package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"halcyon/pkg/schema"
)

// Media is one representation of a body.
type Media struct {
	Type   string // "application/hal+json"
	Schema schema.Object
}

// Answer is what an operation may answer with one status.
type Answer struct {
	Status  int
	Doc     string
	Headers []string // names of API.Headers
	Content []Media
	Shared  string // name of one of API.Answers instead of all the above
}

// Operation is one route, as its documentation tells it.
type Operation struct {
	Method  string // "GET"
	Path    string // as in the table of routes: BASE/orders/:id
	ID      string
	Tag     string
	Title   string // "List servers"
	Doc     string
	Params  []string          // names of API.Params
	Places  map[string]string // what the parameters of the path are
	Body    []Media           // nil: none is read
	Must    bool              // the body is required
	Public  bool              // it needs no credentials
	SignsIn bool              // it reads credentials itself, and refuses wrong ones
	Answers []Answer
}

// API is all that the description of an API says.
type API struct {
	Title, Summary, Doc, Version string
	Tags                         schema.Object     // name -> description
	TagPages                     map[string]string // name -> where more is said
	Security                     schema.Object     // schemes by name
	Schemas                      schema.Object     // by name; references between them are bare names
	Params                       schema.Object     // parameters by name
	Headers                      schema.Object     // of answers, by name
	Answers                      schema.Object     // answers that many operations share, by name
	Operations                   []Operation
}

// components is the place of named schemas in an OpenAPI description.
const components = "#/components/schemas/"

// OpenAPI writes the description (OpenAPI 3.1) as JSON.
func (a *API) OpenAPI() ([]byte, error) {
	tags := make([]schema.Object, len(a.Tags))
	for i, t := range a.Tags {
		doc := fmt.Sprint(t.Value)
		if page := a.TagPages[t.Name]; page != "" {
			doc += " [More about it](" + page + ")." // externalDocs would have to be absolute
		}
		tags[i] = schema.Of("name", t.Name, "description", doc)
	}
	paths, err := a.paths()
	if err != nil {
		return nil, err
	}
	var schemes []schema.Object
	for _, s := range a.Security {
		schemes = append(schemes, schema.Of(s.Name, []string{}))
	}
	doc := schema.Of(
		"openapi", "3.1.0",
		"info", schema.Of("title", a.Title, "summary", a.Summary, "description", a.Doc, "version", a.Version,
			"license", schema.Of("name", "Apache-2.0", "identifier", "Apache-2.0")),
		"servers", []schema.Object{schema.Of("url", "/", "description", "This installation")},
		"security", schemes,
		"tags", tags,
		"paths", paths,
		"components", schema.Of(
			"securitySchemes", a.Security, "parameters", a.Params, "headers", a.Headers, "responses", a.Answers, "schemas", a.Schemas),
	)
	return marshal(resolved(doc, components))
}

func (a *API) paths() (schema.Object, error) {
	var paths schema.Object
	ids := map[string]bool{}
	for _, op := range a.Operations {
		if ids[op.ID] || op.ID == "" {
			return nil, fmt.Errorf("two operations have the id %q", op.ID)
		}
		ids[op.ID] = true
		path := Template(op.Path)
		at := slices.IndexFunc(paths, func(m schema.Member) bool { return m.Name == path })
		if at < 0 {
			at = len(paths)
			paths = append(paths, schema.Member{Name: path, Value: placesOf(&op)})
		}
		paths[at].Value = paths[at].Value.(schema.Object).With(strings.ToLower(op.Method), operation(&op))
	}
	return paths, nil
}

var parameter = regexp.MustCompile(`:([a-z]+)`)

// Template returns the path of a route as OpenAPI writes it: BASE/orders/{id}.
func Template(path string) string { return parameter.ReplaceAllString(path, "{$1}") }

// placesOf returns the path's item with its parameters.
func placesOf(op *Operation) schema.Object {
	item := schema.Object{}
	var list []schema.Object
	for _, m := range parameter.FindAllStringSubmatch(op.Path, -1) {
		list = append(list, schema.Of("name", m[1], "in", "path", "required", true, "description", op.Places[m[1]], "schema", schema.String()))
	}
	if list != nil {
		item = item.With("parameters", list)
	}
	return item
}

func operation(op *Operation) schema.Object {
	o := schema.Of("operationId", op.ID, "tags", []string{op.Tag}, "summary", op.Title, "description", op.Doc)
	if op.Public {
		o = o.With("security", []schema.Object{})
	}
	if len(op.Params) > 0 {
		list := make([]schema.Object, len(op.Params))
		for i, name := range op.Params {
			list[i] = schema.Ref("#/components/parameters/" + name)
		}
		o = o.With("parameters", list)
	}
	if op.Body != nil {
		o = o.With("requestBody", schema.Of("required", op.Must, "content", content(op.Body)))
	}
	answers := slices.Clone(op.Answers)
	slices.SortStableFunc(answers, func(a, b Answer) int { return a.Status - b.Status })
	var responses schema.Object
	for _, x := range answers {
		responses = responses.With(strconv.Itoa(x.Status), answer(&x))
	}
	return o.With("responses", responses)
}

func answer(x *Answer) schema.Object {
	if x.Shared != "" {
		return schema.Ref("#/components/responses/" + x.Shared)
	}
	o := schema.Of("description", x.Doc)
	if len(x.Headers) > 0 {
		var headers schema.Object
		for _, name := range x.Headers {
			headers = append(headers, schema.Member{Name: name, Value: schema.Ref("#/components/headers/" + name)})
		}
		o = o.With("headers", headers)
	}
	if len(x.Content) > 0 {
		o = o.With("content", content(x.Content))
	}
	return o
}

func content(list []Media) schema.Object {
	var o schema.Object
	for _, m := range list {
		o = append(o, schema.Member{Name: m.Type, Value: schema.Of("schema", m.Schema)})
	}
	return o
}

// Alone returns a named schema as a document of its own, at its own address, with all
// that it refers to.
func Alone(schemas schema.Object, name, id, title string) ([]byte, error) {
	root, ok := schemas.Get(name).(schema.Object)
	if !ok {
		return nil, fmt.Errorf("there is no schema %s", name)
	}
	var defs schema.Object
	needed := refs(root, nil)
	for i := 0; i < len(needed); i++ {
		o, ok := schemas.Get(needed[i]).(schema.Object)
		if !ok {
			return nil, fmt.Errorf("the schema %s refers to %s, which is none", name, needed[i])
		}
		defs = append(defs, schema.Member{Name: needed[i], Value: o})
		needed = refs(o, needed)
	}
	doc := append(schema.Of("$schema", schema.Dialect, "$id", id, "title", title), root...)
	if defs != nil {
		doc = doc.With("$defs", defs)
	}
	return marshal(resolved(doc, "#/$defs/"))
}

// refs appends the names that a schema refers to, once each.
func refs(v any, names []string) []string {
	switch x := v.(type) {
	case schema.Object:
		for _, m := range x {
			if to, ok := m.Value.(string); ok && m.Name == "$ref" {
				if !slices.Contains(names, to) {
					names = append(names, to)
				}
				continue
			}
			names = refs(m.Value, names)
		}
	case []schema.Object:
		for _, o := range x {
			names = refs(o, names)
		}
	}
	return names
}

// resolved returns the document with bare names in references led by where the named
// schemas are.
func resolved(o schema.Object, at string) schema.Object {
	out := slices.Clone(o)
	for i, m := range out {
		switch v := m.Value.(type) {
		case string:
			if m.Name == "$ref" && !strings.Contains(v, "#") {
				out[i].Value = at + v
			}
		case schema.Object:
			out[i].Value = resolved(v, at)
		case []schema.Object:
			list := make([]schema.Object, len(v))
			for j := range v {
				list[j] = resolved(v[j], at)
			}
			out[i].Value = list
		}
	}
	return out
}

// marshal writes a value as compact JSON without escaping HTML.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, buf.Bytes()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
