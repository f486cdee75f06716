package halserver

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/fault"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// This file serves the documentation of the API: its resources, relations and problems.

// Documentation is the part of a server's documentation that does not follow from
// declarations.
type Documentation struct {
	API   apidoc.API // its title, texts, tags and security schemes; the rest is added
	Guide []apidoc.Chapter

	Rels     map[string]string // relations of documents without a declaration, by their names without prefix
	Problems map[string]string // types of problems that the face explains in its own words

	Routes     func() []web.Route            // the whole table of the face
	Public     func(path string) bool        // reports whether a path needs no credentials
	Operations func(known apidoc.Operations) // adds the routes without a declaration
	Schemas    func() schema.Object          // of documents and bodies without a declaration
	Params     schema.Object                 // of those routes
}

// docServer serves the documentation. It is built once and answered from memory: it is
// the same for every caller and needs no credentials. The names of the resources are
// public; only their contents are protected.
type docServer struct {
	server   *Server
	cfg      Documentation
	problems map[string]string // doc by type
	paths    docPaths

	descriptions func() (*descriptions, error)
	explained    func() *apidoc.Docs
	sent         sync.Map // pages, as they are sent: *printed by representation and path
	policy       string   // Content-Security-Policy of the pages
}

// docPaths are where the documentation is.
type docPaths struct {
	root, rels, problems, resources, guide, schemas string // with a slash at their end
	openAPI, openAPIYAML                            string
}

func newDocServer(s *Server, c Documentation) *docServer {
	root := s.base + "/docs/"
	docs := &docServer{server: s, cfg: c, problems: maps.Clone(problems), paths: docPaths{
		root: root, rels: root + "rels/", problems: root + "problems/", resources: root + "resources/", guide: root + "guide/",
		schemas: s.base + resource.SchemasPath, openAPI: s.base + "/openapi.json", openAPIYAML: s.base + "/openapi.yaml",
	}}
	maps.Copy(docs.problems, c.Problems)
	docs.policy = strings.Join(append([]string{view.Policy}, s.cfg.Framed...), " ") // it ends with frame-ancestors
	docs.descriptions, docs.explained = docs.describeAll(), docs.explain()
	return docs
}

// DocRoutes returns the routes of the documentation. They need no credentials.
func (s *Server) DocRoutes() []web.Route {
	docs := s.docs
	base := s.base + "/docs"
	var table []web.Route
	for _, r := range []struct {
		path   string
		handle echo.HandlerFunc
	}{
		{base, docs.overview},
		{base + "/rels", docs.relIndex},
		{base + "/problems", docs.problemIndex},
		{base + "/rels/:rel", docs.relDoc},
		{base + "/problems/:problem", docs.problemDoc},
		{base + "/schemas", docs.schemaIndex},
		{base + "/resources", docs.resourceIndex},
		{base + "/resources/:plural", docs.resourceDoc},
		{base + "/guide", docs.guideIndex},
		{base + "/guide/:chapter", docs.guideChapter},
		{docs.paths.schemas + ":schema", docs.schemaOf},
		{docs.paths.openAPI, docs.openAPI},
		{docs.paths.openAPIYAML, docs.openAPIAsYAML},
	} {
		table = append(table, web.Route{Method: http.MethodGet, Path: r.path, Doc: "anybody", Handle: r.handle, Packed: true})
	}
	return table
}

func errNoPage() error { return fault.NotFoundf("Not found.") }

// overview answers where the explanations are.
func (docs *docServer) overview(c echo.Context) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	return docs.explanation(c, &view.Article{}, &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: docs.paths.root, Title: "Documentation"}}},
		{Name: "up", Links: []hal.Link{{Href: docs.server.base + "/", Title: docs.cfg.API.Title + " API"}}},
		{Name: "item", Many: true, Links: []hal.Link{
			{Href: docs.paths.guide, Title: "Guide", Name: "guide"},
			{Href: docs.paths.resources, Title: "Resources", Name: "resources"},
			{Href: docs.paths.rels, Title: "Link relations", Name: "rels"},
			{Href: docs.paths.problems, Title: "Problem types", Name: "problems"},
			{Href: docs.paths.schemas, Title: "JSON Schemas", Name: "schemas"},
		}},
		{Name: "service-desc", Links: []hal.Link{{Href: docs.paths.openAPI, Title: "OpenAPI description", Type: apidoc.TypeOpenAPI}}},
	}})
}

// index answers a list of pages, one below the other.
func (docs *docServer) index(c echo.Context, path, title string, pages []hal.Link) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	list := strings.TrimSuffix(strings.TrimPrefix(path, docs.paths.root), "/")
	return docs.explanation(c, &view.Article{List: list}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: path, Title: title}}},
			{Name: "up", Links: []hal.Link{{Href: docs.paths.root, Title: "Documentation"}}},
			{Name: "item", Many: true, Links: pages},
		},
		Props: []hal.Prop{{Name: "total", Value: hal.Int(int64(len(pages)))}},
	})
}

// explanation answers a page of documentation. It is the same for everybody: each
// representation is made once.
func (docs *docServer) explanation(c echo.Context, a *view.Article, doc *hal.Document) error {
	rep, self := docs.server.Representation(c), doc.Self().Href
	key := rep.ContentType() + " " + sourceOf(c) + " " + self
	if rep == hal.AsHTML {
		setPolicy(c.Response().Header())
		c.Response().Header().Set(echo.HeaderContentSecurityPolicy, docs.policy)
	}
	base := web.Base(c)
	if p, ok := docs.sent.Load(key); ok && base == "" {
		return p.(*printed).send(c)
	}
	var data []byte
	if rep == hal.AsHTML {
		a.Docs = docs.explained()
		data = docs.appendArticle(c, a, doc, self)
	} else {
		data = docs.server.encoderFor(c).AppendJSON(nil, doc, rep.Shape())
	}
	kind := rep.ContentType()
	if rep == hal.AsHALForms {
		kind = hal.AsHAL.ContentType() // no documentation has a template
	}
	p, err := newPrinted(kind, data)
	if err != nil {
		return err
	}
	if known := a.Rel == nil || docs.knowsRel(a.Rel.Name); known && base == "" { // unknown names are unbounded, and so are hosts
		docs.sent.Store(key, p)
	}
	return p.send(c)
}

func (docs *docServer) knowsRel(name string) bool {
	_, known := docs.explained().Rel(name)
	return known
}

// appendArticle writes the page of documentation.
func (docs *docServer) appendArticle(c echo.Context, a *view.Article, doc *hal.Document, self string) []byte {
	v := &view.View{Doc: doc, Path: self, Article: a}
	if r, ok := shownSources[sourceOf(c)]; ok {
		v.Source, v.Shown = docs.server.encoder.AppendJSON(nil, doc, r.Shape()), r
	}
	return docs.server.cfg.Pages.Append(nil, v)
}

// statusOf returns the status of the problems of a type.
func statusOf(name string) int {
	for status, shared := range sharedAnswers {
		if problemNames[shared] == name {
			return status
		}
	}
	return otherStatus[name]
}

// guideIndex lists the chapters of the guide.
func (docs *docServer) guideIndex(c echo.Context) error {
	list := docs.explained().Guide
	pages := make([]hal.Link, len(list))
	for i, x := range list {
		pages[i] = hal.Link{Href: docs.paths.guide + x.Name, Title: x.Title, Name: x.Name}
	}
	return docs.index(c, docs.paths.guide, "Guide", pages)
}

// guideChapter answers a chapter of the guide: as a page to browsers, else as Markdown.
func (docs *docServer) guideChapter(c echo.Context) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	x, ok := docs.explained().Chapter(c.Param("chapter"))
	if !ok {
		return errNoPage()
	}
	return docs.explanation(c, &view.Article{Chapter: &x}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: docs.paths.guide + x.Name, Title: x.Title}}},
			{Name: "collection", Links: []hal.Link{{Href: docs.paths.guide, Title: "Guide"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(x.Name)}, {Name: "title", Value: hal.String(x.Title)}, {Name: "text", Value: hal.String(string(x.Text))}},
	})
}

func (docs *docServer) relIndex(c echo.Context) error {
	rels := docs.explained().Rels
	pages := make([]hal.Link, len(rels))
	for i, r := range rels {
		pages[i] = hal.Link{Href: docs.paths.rels + r.Name, Title: r.Name, Name: r.Name}
	}
	return docs.index(c, docs.paths.rels, "Link relations", pages)
}

func (docs *docServer) problemIndex(c echo.Context) error {
	list := docs.explained().Problems
	pages := make([]hal.Link, len(list))
	for i, p := range list {
		pages[i] = hal.Link{Href: docs.paths.problems + p.Name, Title: p.Name, Name: p.Name}
	}
	return docs.index(c, docs.paths.problems, "Problem types", pages)
}

func (docs *docServer) resourceIndex(c echo.Context) error {
	list := docs.explained().Resources
	pages := make([]hal.Link, len(list))
	for i, r := range list {
		pages[i] = hal.Link{Href: docs.paths.resources + r.Plural, Title: r.Noun, Name: r.Plural}
	}
	return docs.index(c, docs.paths.resources, "Resources", pages)
}

func (docs *docServer) schemaIndex(c echo.Context) error {
	var pages []hal.Link
	for _, d := range docs.server.reg.Defs() {
		for _, name := range []string{d.Name, d.Plural} {
			pages = append(pages, hal.Link{Href: docs.paths.schemas + name, Title: name, Name: name, Type: typeSchema})
		}
	}
	return docs.index(c, docs.paths.schemas, "JSON Schemas", pages)
}

func (docs *docServer) explain() func() *apidoc.Docs {
	return sync.OnceValue(func() *apidoc.Docs {
		all := &apidoc.Docs{Base: docs.server.base, Resources: apidoc.Explain(docs.server.reg.Defs()), Guide: docs.cfg.Guide}
		rels := docs.rels()
		for _, name := range slices.Sorted(maps.Keys(rels)) {
			r := apidoc.Rel{Name: name}
			for _, on := range slices.Sorted(maps.Keys(rels[name])) {
				r.On = append(r.On, apidoc.On{Resource: on, Doc: rels[name][on]})
			}
			all.Rels = append(all.Rels, r)
		}
		for _, name := range slices.Sorted(maps.Keys(docs.problems)) {
			all.Problems = append(all.Problems, apidoc.Problem{Name: name, Status: statusOf(name), Doc: docs.problems[name]})
		}
		return all
	})
}

// rels returns the meaning of each of the API's own relations, by the relation's name and
// the resource that has it.
func (docs *docServer) rels() map[string]map[string]string {
	all := map[string]map[string]string{}
	add := func(rel, on, doc string) {
		if all[rel] == nil {
			all[rel] = map[string]string{}
		}
		all[rel][on] = doc
	}
	for _, d := range docs.server.reg.Defs() {
		for _, r := range d.Relations {
			add(strings.TrimPrefix(r.Rel, "cb:"), d.Plural, r.Doc)
		}
		for _, s := range d.Subs {
			if s.Rel != "" {
				add(strings.TrimPrefix(s.Rel, "cb:"), d.Plural, s.Doc)
			}
		}
		for _, x := range d.Actions {
			add(x.Rel, d.Plural, x.Doc+" POST to it.")
		}
		if d.Export != nil {
			for rel, doc := range bundleDocs {
				add(rel, d.Plural, doc)
			}
		}
		for _, b := range d.Batch {
			add(b.Rel, d.Plural, b.Doc+" POST to it.")
		}
	}
	for rel, doc := range docs.cfg.Rels {
		add(rel, "root", doc)
	}
	return all
}

// relDoc answers the meaning of a link relation and the resources that have it.
func (docs *docServer) relDoc(c echo.Context) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	name := c.Param("rel")
	r, known := docs.explained().Rel(name)
	if on, doc := docs.offeredRel(name); doc != "" {
		r, known = apidoc.Rel{Name: name, On: []apidoc.On{{Resource: on, Doc: doc}}}, true
	}
	if !known {
		return errNoPage()
	}
	props := make([]hal.Prop, len(r.On))
	for i, on := range r.On {
		props[i] = hal.Prop{Name: on.Resource, Value: hal.String(on.Doc)}
	}
	return docs.explanation(c, &view.Article{Rel: &r}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: docs.paths.rels + name, Title: name}}},
			{Name: "collection", Links: []hal.Link{{Href: docs.paths.rels, Title: "Link relations"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "on", Value: hal.Object(props)}},
	})
}

// offeredRel explains the relation of an action that administrators offer, "" when it
// is not one. Its name is that of the offer's resource and its number.
func (docs *docServer) offeredRel(rel string) (on, doc string) {
	for _, d := range docs.server.reg.Defs() {
		by := docs.server.reg.Def(d.OfferedBy)
		if by == nil {
			continue
		}
		if n, ok := strings.CutPrefix(rel, by.Name+"-"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			return d.Plural, "Runs an action that administrators have defined; see /" + by.Plural + "/" + n + ". POST to it."
		}
	}
	return "", ""
}

// problemDoc answers the explanation of a type of problem. Old documents have names with
// underscores, which are answered too.
func (docs *docServer) problemDoc(c echo.Context) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	name := strings.ReplaceAll(c.Param("problem"), "_", "-")
	p, ok := docs.explained().Problem(name)
	if !ok {
		return errNoPage()
	}
	return docs.explanation(c, &view.Article{Problem: &p}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: docs.paths.problems + name, Title: name}}},
			{Name: "collection", Links: []hal.Link{{Href: docs.paths.problems, Title: "Problem types"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "status", Value: hal.Int(int64(p.Status))}, {Name: "doc", Value: hal.String(p.Doc)}},
	})
}

// resourceDoc answers the documentation of a resource.
func (docs *docServer) resourceDoc(c echo.Context) error {
	if err := NoQuery(c); err != nil {
		return err
	}
	r, ok := docs.explained().Resource(c.Param("plural"))
	if !ok {
		return errNoPage()
	}
	return docs.explanation(c, &view.Article{Resource: &r}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: docs.paths.resources + r.Plural, Title: r.Noun}}},
			{Name: "collection", Links: []hal.Link{{Href: docs.paths.resources, Title: "Resources"}}},
			{Name: "describes", Links: []hal.Link{{Href: r.Path, Title: "List of " + r.Noun}}},
			{Name: "describedby", Many: true, Links: []hal.Link{
				{Href: docs.paths.schemas + r.Name, Title: "Schema of an item", Name: r.Name, Type: typeSchema},
				{Href: docs.paths.schemas + r.Plural, Title: "Schema of the list", Name: r.Plural, Type: typeSchema},
			}},
		},
		Props: []hal.Prop{
			{Name: "name", Value: hal.String(r.Name)},
			{Name: "plural", Value: hal.String(r.Plural)},
			{Name: "doc", Value: hal.String(r.Doc)},
			{Name: "methods", Value: hal.Strings(r.Methods)},
			{Name: "example-filter", Value: hal.String(r.Filter)},
			{Name: "fields", Value: each(r.Fields, fieldProps)},
			{Name: "relations", Value: each(r.Relations, relationProps)},
			{Name: "actions", Value: each(r.Actions, func(x *apidoc.Action) []hal.Prop {
				return []hal.Prop{
					{Name: "rel", Value: hal.String(x.Rel)},
					{Name: "doc", Value: hal.String(x.Doc)},
					{Name: "path", Value: hal.String(x.Path)},
					{Name: "bulk", Value: hal.Bool(x.Bulk)},
				}
			})},
			{Name: "collections", Value: each(r.Subs, func(s *apidoc.Sub) []hal.Prop {
				return []hal.Prop{
					{Name: "rel", Value: hal.String(s.Rel)},
					{Name: "doc", Value: hal.String(s.Doc)},
					{Name: "path", Value: hal.String(s.Path)},
					{Name: "of", Value: hal.String(s.Of)},
				}
			})},
		},
	})
}

func each[T any](list []T, props func(*T) []hal.Prop) hal.Value {
	values := make([]hal.Value, len(list))
	for i := range list {
		values[i] = hal.Object(props(&list[i]))
	}
	return hal.List(values)
}

func fieldProps(f *apidoc.Field) []hal.Prop {
	props := []hal.Prop{
		{Name: "name", Value: hal.String(f.Name)},
		{Name: "doc", Value: hal.String(f.Doc)},
		{Name: "type", Value: hal.String(f.Type)},
		{Name: "lookups", Value: hal.Strings(f.Lookups)},
		{Name: "sortable", Value: hal.Bool(f.Sortable)},
		{Name: "listed", Value: hal.Bool(f.Listed)},
		{Name: "editable", Value: hal.Bool(f.Editable)},
		{Name: "required", Value: hal.Bool(f.Required)},
	}
	if len(f.Values) > 0 {
		props = append(props, hal.Prop{Name: "values", Value: hal.Strings(f.Values)})
	}
	return props
}

func relationProps(r *apidoc.Relation) []hal.Prop {
	props := []hal.Prop{{Name: "rel", Value: hal.String(r.Rel)}, {Name: "doc", Value: hal.String(r.Doc)}, {Name: "many", Value: hal.Bool(r.Many)}}
	if r.To != "" {
		props = append(props, hal.Prop{Name: "to", Value: hal.String(r.To)})
	}
	return append(props, hal.Prop{Name: "embeddable", Value: hal.Bool(r.Embeddable)}, hal.Prop{Name: "editable", Value: hal.Bool(r.Editable)})
}

// resourceDocSchema is the schema of the page about a resource.
func resourceDocSchema() schema.Object {
	text, yes := schema.String(), schema.Boolean()
	return schema.Struct(
		apidoc.Links(schema.M("collection", schema.Ref("Link")), schema.M("describes", schema.Ref("Link")), schema.M("describedby", schema.Array(schema.Ref("Link")))),
		schema.M("name", text), schema.M("plural", text), schema.M("doc", text), schema.M("methods", schema.Array(text)), schema.M("example-filter", text),
		schema.M("fields", schema.Array(schema.Struct(
			schema.M("name", text), schema.M("doc", text), schema.M("type", text), schema.M("lookups", schema.Array(text)), schema.M("sortable", yes),
			schema.M("listed", yes), schema.M("editable", yes), schema.M("required", yes), schema.M("values?", schema.Array(text))))),
		schema.M("relations", schema.Array(schema.Struct(
			schema.M("rel", text), schema.M("doc", text), schema.M("many", yes), schema.M("to?", text), schema.M("embeddable", yes), schema.M("editable", yes)))),
		schema.M("actions", schema.Array(schema.Struct(schema.M("rel", text), schema.M("doc", text), schema.M("path", text), schema.M("bulk", yes)))),
		schema.M("collections", schema.Array(schema.Struct(schema.M("rel", text), schema.M("doc", text), schema.M("path", text), schema.M("of", text)))),
	)
}
