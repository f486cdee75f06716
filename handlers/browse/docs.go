package browse

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/view"
)

const docsPath = apiBase + "/docs/"

// markdown renders the guide. Raw HTML is left out although the guide is our own.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// article returns a page of the documentation.
func article(v *view.View, title string) g.Node {
	a := v.Article
	var body g.Node
	switch {
	case a.Chapter != nil:
		return h.Article(h.Class("prose"), chapter(a.Docs, a.Chapter))
	case a.Resource != nil:
		body = resourcePage(a.Resource)
	case a.Rel != nil:
		body = relPage(a.Rel)
	case a.Problem != nil:
		body = problemPage(a.Problem)
	case a.List != "":
		body = listPage(a.Docs, a.List)
	default:
		body = docsPage(a.Docs)
	}
	return g.Group{heading(v, title), h.Article(h.Class("prose"), body)}
}

func chapter(docs *apidoc.Docs, c *apidoc.Chapter) g.Node {
	var b bytes.Buffer
	if err := markdown.Convert(c.Text, &b); err != nil {
		return h.Pre(g.Text(string(c.Text)))
	}
	return g.Group{g.Raw(b.String()), h.Nav(g.Attr("aria-label", "Chapters"), h.H2(g.Text("The guide")), chapters(docs))}
}

func chapters(docs *apidoc.Docs) g.Node {
	return h.Ol(g.Map(docs.Guide, func(c apidoc.Chapter) g.Node {
		return h.Li(h.A(h.Href(docsPath+"guide/"+c.Name), g.Text(c.Title)))
	}))
}

// docsPage returns the documentation's table of contents.
func docsPage(docs *apidoc.Docs) g.Node {
	return g.Group{
		h.H2(g.Text("Guide")), chapters(docs),
		h.H2(g.Text("Reference")),
		h.Ul(
			h.Li(h.A(h.Href(docsPath+"openapi/"), g.Text("All routes")), g.Text(", to read and to try out: the OpenAPI description as "),
				h.A(h.Href(apiBase+"/openapi.json"), g.Text("JSON")), g.Text(" and "), h.A(h.Href(apiBase+"/openapi.yaml"), g.Text("YAML"))),
			h.Li(h.A(h.Href(docsPath+"rels/"), g.Text("Link relations"))),
			h.Li(h.A(h.Href(docsPath+"problems/"), g.Text("Problem types"))),
			h.Li(h.A(h.Href(docsPath+"schemas/"), g.Text("JSON Schemas"))),
		),
		h.H2(g.Text("Resources")), resourceTable(docs),
	}
}

func listPage(docs *apidoc.Docs, list string) g.Node {
	switch list {
	case "guide":
		return chapters(docs)
	case "resources":
		return resourceTable(docs)
	case "problems":
		return tableOf([]string{"Type", "Status", "What it means"}, g.Map(docs.Problems, func(p apidoc.Problem) g.Node {
			return h.Tr(h.Td(h.A(h.Href(docsPath+"problems/"+p.Name), code(p.Name))), h.Td(g.Text(strconv.Itoa(p.Status))), h.Td(g.Text(p.Doc)))
		}))
	case "rels":
		return tableOf([]string{"Relation", "On", "What it means"}, g.Map(docs.Rels, func(r apidoc.Rel) g.Node {
			on := make([]string, len(r.On))
			for i, x := range r.On {
				on[i] = x.Resource
			}
			return h.Tr(h.Td(h.A(h.Href(docsPath+"rels/"+r.Name), code(r.Name))), h.Td(g.Text(strings.Join(on, ", "))), h.Td(g.Text(r.On[0].Doc)))
		}))
	}
	return tableOf([]string{"Resource", "An item", "The list"}, g.Map(docs.Resources, func(r apidoc.Resource) g.Node {
		return h.Tr(h.Td(g.Text(r.Noun)), h.Td(h.A(h.Href(docsPath+"schemas/"+r.Name), code(r.Name))), h.Td(h.A(h.Href(docsPath+"schemas/"+r.Plural), code(r.Plural))))
	}))
}

func resourceTable(docs *apidoc.Docs) g.Node {
	return tableOf([]string{"Resource", "What it is"}, g.Map(docs.Resources, func(r apidoc.Resource) g.Node {
		return h.Tr(h.Td(h.A(h.Href(docsPath+"resources/"+r.Plural), g.Text(r.Noun))), h.Td(g.Text(r.Doc)))
	}))
}

func relPage(r *apidoc.Rel) g.Node {
	return h.Dl(h.Class("props"), g.Map(r.On, func(x apidoc.On) g.Node {
		name := g.Text("the root")
		if x.Resource != "root" {
			name = h.A(h.Href(docsPath+"resources/"+x.Resource), g.Text(x.Resource))
		}
		return g.Group{h.Dt(name), h.Dd(g.Text(x.Doc))}
	}))
}

func problemPage(p *apidoc.Problem) g.Node {
	return g.Group{
		h.P(g.Text(p.Doc)),
		h.P(g.Text("Status "+strconv.Itoa(p.Status)+". The type of such a document is "), code(docsPath+"problems/"+p.Name), g.Text(".")),
	}
}

// resourcePage returns the reference page of a resource.
func resourcePage(r *apidoc.Resource) g.Node {
	return g.Group{
		h.P(g.Text(r.Doc)),
		h.Ul(
			h.Li(g.Text("The list: "), h.A(h.Href(r.Path), code("GET "+r.Path)), g.Text("; an item: "), code("GET "+r.Path+"{id}")),
			g.If(len(r.Methods) > 0, h.Li(g.Text("Writes: "), code(strings.Join(r.Methods, ", ")))),
			h.Li(g.Text("A filter: "), h.A(h.Href(r.Path+"?filter="+r.Filter), code("?filter="+r.Filter))),
			h.Li(g.Text("JSON Schema: "), h.A(h.Href(docsPath+"schemas/"+r.Name), g.Text("an item")), g.Text(", "), h.A(h.Href(docsPath+"schemas/"+r.Plural), g.Text("the list"))),
		),
		h.H2(g.Text("Fields")),
		tableOf([]string{"Name", "Type", "What it is", "Filter lookups", "Notes"}, g.Map(r.Fields, fieldRow)),
		g.If(len(r.Relations) > 0, g.Group{h.H2(g.Text("Relations")), tableOf([]string{"Relation", "Leads to", "What it is", "Notes"}, g.Map(r.Relations, relationRow))}),
		g.If(len(r.Subs) > 0, g.Group{h.H2(g.Text("Collections of an item")), tableOf([]string{"Relation", "Path", "What it lists"}, g.Map(r.Subs, func(s apidoc.Sub) g.Node {
			return h.Tr(h.Td(relLink(s.Rel)), h.Td(code(s.Path)), h.Td(g.Text(s.Doc+" "), h.A(h.Href(docsPath+"resources/"+s.Of), g.Text(s.Of))))
		}))}),
		g.If(len(r.Actions) > 0, g.Group{h.H2(g.Text("Actions")), tableOf([]string{"Relation", "POST to", "What it does"}, g.Map(r.Actions, func(x apidoc.Action) g.Node {
			return h.Tr(h.Td(relLink(x.Rel)), h.Td(code(x.Path)), h.Td(g.Text(x.Doc), g.If(x.Bulk, h.Span(h.Class("soft"), g.Text(" Also for several: "), code(r.Path+"actions/"+x.Path[strings.LastIndexByte(x.Path, '/')+1:])))))
		}))}),
	}
}

func fieldRow(f apidoc.Field) g.Node {
	var notes []string
	note := func(on bool, text string) {
		if on {
			notes = append(notes, text)
		}
	}
	note(f.Listed, "in lists")
	note(f.OnDemand, "with attributes=")
	note(f.Sortable, "sortable")
	note(f.Editable, "can be set")
	note(f.Required, "required")
	note(f.WriteOnly, "never shown")
	note(f.Limited, "not shown to all")
	note(f.Default != "", "otherwise "+f.Default)
	note(f.Example != "", "such as "+f.Example)
	kind := f.Type
	if len(f.Values) > 0 && len(f.Values) <= 12 {
		kind = strings.Join(f.Values, ", ")
	}
	return h.Tr(h.Td(code(f.Name)), h.Td(g.Text(kind)), h.Td(g.Text(f.Doc)), h.Td(g.Text(strings.Join(f.Lookups, ", "))), h.Td(g.Text(strings.Join(notes, "; "))))
}

func relationRow(r apidoc.Relation) g.Node {
	var notes []string
	note := func(on bool, text string) {
		if on {
			notes = append(notes, text)
		}
	}
	note(r.Many, "several")
	note(r.Filterable, "filters go over it")
	note(r.Embeddable, "embed="+strings.TrimPrefix(r.Rel, "cb:"))
	note(r.Editable, "can be set")
	note(r.Required, "required")
	to := g.Text("a place of its own")
	if r.To != "" {
		to = h.A(h.Href(docsPath+"resources/"+r.To), g.Text(r.To))
	}
	return h.Tr(h.Td(relLink(r.Rel)), h.Td(to), h.Td(g.Text(r.Doc)), h.Td(g.Text(strings.Join(notes, "; "))))
}

// relLink returns a link to the page of a relation.
func relLink(rel string) g.Node {
	return h.A(h.Href(docsPath+"rels/"+strings.TrimPrefix(rel, "cb:")), code(rel))
}

func code(text string) g.Node { return h.Code(g.Text(text)) }

func tableOf(head []string, rows g.Node) g.Node {
	return h.Div(h.Class("scroll"), h.TabIndex("0"), h.Role("region"), g.Attr("aria-label", strings.Join(head, ", ")), h.Table(
		h.THead(h.Tr(g.Map(head, func(name string) g.Node { return h.Th(g.Attr("scope", "col"), g.Text(name)) }))),
		h.TBody(rows),
	))
}
