package v2

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/fault"
)

// This file explains the API: what its relations mean, and its problems.

const (
	docsPath     = Base + "/docs/"
	relsPath     = docsPath + "rels/"
	problemsPath = docsPath + "problems/"
)

// docs answers where the explanations are.
func (f *Face) docs(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	return f.send(c, http.StatusOK, &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: docsPath, Title: "Documentation"}}},
		{Name: "up", Links: []hal.Link{{Href: Base + "/", Title: "Halcyon API"}}},
		{Name: "item", Many: true, Links: []hal.Link{
			{Href: relsPath, Title: "Link relations", Name: "rels"},
			{Href: problemsPath, Title: "Problem types", Name: "problems"},
		}},
	}})
}

// index answers a list of pages, one below the other.
func (f *Face) index(c echo.Context, path, title string, pages []hal.Link) error {
	if err := noQuery(c); err != nil {
		return err
	}
	return f.send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: path, Title: title}}},
			{Name: "up", Links: []hal.Link{{Href: docsPath, Title: "Documentation"}}},
			{Name: "item", Many: true, Links: pages},
		},
		Props: []hal.Prop{{Name: "total", Value: hal.Int(int64(len(pages)))}},
	})
}

func (f *Face) relIndex(c echo.Context) error {
	rels := f.rels()
	pages := make([]hal.Link, 0, len(rels))
	for _, name := range slices.Sorted(maps.Keys(rels)) {
		pages = append(pages, hal.Link{Href: relsPath + name, Title: name, Name: name})
	}
	return f.index(c, relsPath, "Link relations", pages)
}

func (f *Face) problemIndex(c echo.Context) error {
	pages := make([]hal.Link, 0, len(problems))
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		pages = append(pages, hal.Link{Href: problemsPath + name, Title: name, Name: name})
	}
	return f.index(c, problemsPath, "Problem types", pages)
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
	rel := c.Param("rel")
	docs := f.rels()[rel]
	if on, doc := offeredRel(rel); doc != "" {
		docs = map[string]string{on: doc}
	}
	if docs == nil {
		return fault.NotFoundf("Not found.")
	}
	var props []hal.Prop
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		props = append(props, hal.Prop{Name: name, Value: hal.String(docs[name])})
	}
	return f.send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: relsPath + rel, Title: rel}}},
			{Name: "collection", Links: []hal.Link{{Href: relsPath, Title: "Link relations"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(rel)}, {Name: "on", Value: hal.Object(props)}},
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

// problemDoc explains a type of problem.
func (f *Face) problemDoc(c echo.Context) error {
	name := c.Param("problem")
	text, ok := problems[name]
	if !ok {
		return fault.NotFoundf("Not found.")
	}
	return f.send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: problemsPath + name, Title: name}}},
			{Name: "collection", Links: []hal.Link{{Href: problemsPath, Title: "Problem types"}}},
		},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "doc", Value: hal.String(text)}},
	})
}
