package v2

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/fault"
	"halcyon/pkg/schema"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// This file explains the API: its resources, what its relations mean, and its
// problems.

const (
	docsPath      = Base + "/docs/"
	relsPath      = docsPath + "rels/"
	problemsPath  = docsPath + "problems/"
	resourcesPath = docsPath + "resources/"
	guidePath     = docsPath + "guide/"
)

func errNoPage() error { return fault.NotFoundf("Not found.") }

// docs answers where the explanations are.
func (f *Face) docs(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	return f.explanation(c, &view.Article{}, &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: docsPath, Title: "Documentation"}}},
		{Name: "up", Links: []hal.Link{{Href: Base + "/", Title: "Halcyon API"}}},
		{Name: "item", Many: true, Links: []hal.Link{
			{Href: guidePath, Title: "Guide", Name: "guide"},
			{Href: resourcesPath, Title: "Resources", Name: "resources"},
			{Href: relsPath, Title: "Link relations", Name: "rels"},
			{Href: problemsPath, Title: "Problem types", Name: "problems"},
			{Href: schemasPath, Title: "JSON Schemas", Name: "schemas"},
		}},
		{Name: "service-desc", Links: []hal.Link{{Href: openAPIPath, Title: "OpenAPI description", Type: typeOpenAPI}}},
	}})
}

// index answers a list of pages, one below the other.
func (f *Face) index(c echo.Context, path, title string, pages []hal.Link) error {
	if err := noQuery(c); err != nil {
		return err
	}
	list := strings.TrimSuffix(strings.TrimPrefix(path, docsPath), "/")
	return f.explanation(c, &view.Article{List: list}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: path, Title: title}}},
			{Name: "up", Links: []hal.Link{{Href: docsPath, Title: "Documentation"}}},
			{Name: "item", Many: true, Links: pages},
		},
		Props: []hal.Prop{{Name: "total", Value: hal.Int(int64(len(pages)))}},
	})
}

// explanation answers a page of documentation. It is the same for everybody: each
// representation is made once.
func (f *Face) explanation(c echo.Context, a *view.Article, doc *hal.Document) error {
	rep, self := f.representation(c), selfOf(doc)
	key := rep.ContentType() + " " + web.Source(c) + " " + self
	if rep == hal.AsHTML {
		policed(c.Response().Header())
	}
	if p, ok := f.pages.Load(key); ok {
		return p.(*printed).send(c)
	}
	var data []byte
	if rep == hal.AsHTML {
		a.Docs = f.Docs()
		data = f.appendArticle(c, a, doc, self)
	} else {
		data = f.encoder.AppendJSON(nil, doc, rep.Shape())
	}
	p, err := newPrinted(rep.ContentType(), data)
	if err != nil {
		return err
	}
	if known := a.Rel == nil || f.knowsRel(a.Rel.Name); known { // there is no end to the others
		f.pages.Store(key, p)
	}
	return p.send(c)
}

func (f *Face) knowsRel(name string) bool {
	_, known := f.Docs().Rel(name)
	return known
}

// appendArticle writes the page of documentation.
func (f *Face) appendArticle(c echo.Context, a *view.Article, doc *hal.Document, self string) []byte {
	v := &view.View{Doc: doc, Path: self, Article: a}
	if r, ok := sources[web.Source(c)]; ok {
		v.Source, v.Shown = f.encoder.AppendJSON(nil, doc, r.Shape()), r
	}
	return f.cfg.Pages.Append(nil, v)
}

// statusOf gives the status of the problems of a type.
func statusOf(name string) int {
	for status, shared := range sharedAnswers {
		if problemNames[shared] == name {
			return status
		}
	}
	return otherStatus[name]
}

// guideIndex lists the chapters of the guide.
func (f *Face) guideIndex(c echo.Context) error {
	list := f.Docs().Guide
	pages := make([]hal.Link, len(list))
	for i, x := range list {
		pages[i] = hal.Link{Href: guidePath + x.Name, Title: x.Title, Name: x.Name}
	}
	return f.index(c, guidePath, "Guide", pages)
}

// guideChapter answers a chapter of the guide, as Markdown to who wants no page.
func (f *Face) guideChapter(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	x, ok := f.Docs().Chapter(c.Param("chapter"))
	if !ok {
		return errNoPage()
	}
	return f.explanation(c, &view.Article{Chapter: &x}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: guidePath + x.Name, Title: x.Title}}},
			{Name: "collection", Links: []hal.Link{{Href: guidePath, Title: "Guide"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(x.Name)}, {Name: "title", Value: hal.String(x.Title)}, {Name: "text", Value: hal.String(string(x.Text))}},
	})
}

func (f *Face) relIndex(c echo.Context) error {
	rels := f.Docs().Rels
	pages := make([]hal.Link, len(rels))
	for i, r := range rels {
		pages[i] = hal.Link{Href: relsPath + r.Name, Title: r.Name, Name: r.Name}
	}
	return f.index(c, relsPath, "Link relations", pages)
}

func (f *Face) problemIndex(c echo.Context) error {
	list := f.Docs().Problems
	pages := make([]hal.Link, len(list))
	for i, p := range list {
		pages[i] = hal.Link{Href: problemsPath + p.Name, Title: p.Name, Name: p.Name}
	}
	return f.index(c, problemsPath, "Problem types", pages)
}

func (f *Face) resourceIndex(c echo.Context) error {
	list := f.Docs().Resources
	pages := make([]hal.Link, len(list))
	for i, r := range list {
		pages[i] = hal.Link{Href: resourcesPath + r.Plural, Title: r.Noun, Name: r.Plural}
	}
	return f.index(c, resourcesPath, "Resources", pages)
}

func (f *Face) schemaIndex(c echo.Context) error {
	var pages []hal.Link
	for _, d := range f.reg.Defs() {
		for _, name := range []string{d.Name, d.Plural} {
			pages = append(pages, hal.Link{Href: schemasPath + name, Title: name, Name: name, Type: typeSchema})
		}
	}
	return f.index(c, schemasPath, "JSON Schemas", pages)
}

// Docs gives the explanations, made once.
func (f *Face) Docs() *apidoc.Docs { return f.explained() }

func (f *Face) explain() func() *apidoc.Docs {
	return sync.OnceValue(func() *apidoc.Docs {
		docs := &apidoc.Docs{Base: Base, Resources: apidoc.Explain(f.reg.Defs()), Guide: apidoc.Guide(f.cfg.Address)}
		rels := f.rels()
		for _, name := range slices.Sorted(maps.Keys(rels)) {
			r := apidoc.Rel{Name: name}
			for _, on := range slices.Sorted(maps.Keys(rels[name])) {
				r.On = append(r.On, apidoc.On{Resource: on, Doc: rels[name][on]})
			}
			docs.Rels = append(docs.Rels, r)
		}
		for _, name := range slices.Sorted(maps.Keys(problems)) {
			docs.Problems = append(docs.Problems, apidoc.Problem{Name: name, Status: statusOf(name), Doc: problems[name]})
		}
		return docs
	})
}

// rels gives what each relation of our own means, by the resource that has it.
func (f *Face) rels() map[string]map[string]string {
	all := map[string]map[string]string{}
	add := func(rel, on, doc string) {
		if all[rel] == nil {
			all[rel] = map[string]string{}
		}
		all[rel][on] = doc
	}
	for _, d := range f.reg.Defs() {
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
	for rel, doc := range rootRels {
		add(rel, "root", doc)
	}
	return all
}

// relDoc says what a link relation means, and on which resources it is found.
func (f *Face) relDoc(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	name := c.Param("rel")
	r, known := f.Docs().Rel(name)
	if on, doc := offeredRel(name); doc != "" {
		r, known = apidoc.Rel{Name: name, On: []apidoc.On{{Resource: on, Doc: doc}}}, true
	}
	if !known {
		return errNoPage()
	}
	props := make([]hal.Prop, len(r.On))
	for i, on := range r.On {
		props[i] = hal.Prop{Name: on.Resource, Value: hal.String(on.Doc)}
	}
	return f.explanation(c, &view.Article{Rel: &r}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: relsPath + name, Title: name}}},
			{Name: "collection", Links: []hal.Link{{Href: relsPath, Title: "Link relations"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "on", Value: hal.Object(props)}},
	})
}

// offeredRel explains the relation of an action that administrators offer, "" when
// it is none.
func offeredRel(rel string) (on, doc string) {
	for prefix, on := range map[string]string{"server-action-": "servers", "service-action-": "services"} {
		if n, ok := strings.CutPrefix(rel, prefix); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			return on, "Runs an action that administrators have defined; see /" + prefix[:len(prefix)-1] + "s/" + n + ". POST to it."
		}
	}
	return "", ""
}

// problemDoc explains a type of problem. Names once had underscores, and answer so
// for documents that somebody has kept.
func (f *Face) problemDoc(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	name := strings.ReplaceAll(c.Param("problem"), "_", "-")
	p, ok := f.Docs().Problem(name)
	if !ok {
		return errNoPage()
	}
	return f.explanation(c, &view.Article{Problem: &p}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: problemsPath + name, Title: name}}},
			{Name: "collection", Links: []hal.Link{{Href: problemsPath, Title: "Problem types"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "status", Value: hal.Int(int64(p.Status))}, {Name: "doc", Value: hal.String(p.Doc)}},
	})
}

// resourceDoc says what there is to know of a resource.
func (f *Face) resourceDoc(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	r, ok := f.Docs().Resource(c.Param("plural"))
	if !ok {
		return errNoPage()
	}
	return f.explanation(c, &view.Article{Resource: &r}, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: resourcesPath + r.Plural, Title: r.Noun}}},
			{Name: "collection", Links: []hal.Link{{Href: resourcesPath, Title: "Resources"}}},
			{Name: "describes", Links: []hal.Link{{Href: r.Path, Title: "List of " + r.Noun}}},
			{Name: "describedby", Many: true, Links: []hal.Link{
				{Href: schemasPath + r.Name, Title: "Schema of an item", Name: r.Name, Type: typeSchema},
				{Href: schemasPath + r.Plural, Title: "Schema of the list", Name: r.Plural, Type: typeSchema},
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

func resourceDocJSON(links func(...schema.Member) schema.Member) schema.Object {
	text, yes := schema.String(), schema.Boolean()
	return schema.Struct(
		links(schema.M("collection", linkJSON()), schema.M("describes", linkJSON()), schema.M("describedby", schema.Array(linkJSON()))),
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
