package browse

import (
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
)

// list is the page of a collection.
func (f *Face) list(v *page.View, title string) g.Node {
	d := v.Doc
	var docs []hal.Document
	if len(d.Embedded) > 0 {
		docs = d.Embedded[0].Docs
	}
	return g.Group{
		heading(v, title),
		actions(v),
		table(docs),
		paging(d),
		forms(v),
	}
}

// column is one of a table: a member's or a relation's name.
type column struct {
	name string
	rel  bool
}

// table shows short documents as rows; what one is called leads to it.
func table(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return h.P(h.Class("empty"), g.Text("Nothing here yet."))
	}
	var columns []column
	for i := range docs[0].Props {
		columns = append(columns, column{docs[0].Props[i].Name, false})
	}
	for i := range docs[0].Links {
		if r := &docs[0].Links[i]; r.Name != "self" {
			columns = append(columns, column{r.Name, true})
		}
	}
	heads := make(g.Group, 0, len(columns))
	for _, c := range columns {
		heads = append(heads, h.Th(g.Attr("scope", "col"), g.Text(label(c.name))))
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		rows = append(rows, row(&docs[i], columns))
	}
	return h.Div(h.Class("scroll"), h.TabIndex("0"), h.Role("region"), g.Attr("aria-label", "Rows"),
		h.Table(h.THead(h.Tr(heads)), h.TBody(rows)))
}

func row(d *hal.Document, columns []column) g.Node {
	cells := make(g.Group, 0, len(columns))
	for i, c := range columns {
		var in g.Node
		if c.rel {
			for _, l := range linksOf(d, c.name) {
				in = link(&l)
			}
		} else {
			for j := range d.Props {
				if p := &d.Props[j]; p.Name == c.name {
					in = value(p.Value)
				}
			}
		}
		if i == 0 {
			in = h.A(h.Href(selfOf(d)), in)
		}
		cells = append(cells, h.Td(g.Attr("data-label", label(c.name)), in))
	}
	return h.Tr(cells)
}

// paging leads through the pages of a list.
func paging(d *hal.Document) g.Node {
	var ways g.Group
	for _, name := range []string{"first", "prev", "next", "last"} {
		for _, l := range linksOf(d, name) {
			ways = append(ways, h.Li(h.A(h.Href(l.Href), h.Rel(name), g.Text(label(name)))))
		}
	}
	var total int64
	for i := range d.Props {
		if d.Props[i].Name == "total" {
			total = d.Props[i].Value.Int()
		}
	}
	return h.Nav(h.Class("paging"), g.Attr("aria-label", "Pages"), h.Span(g.Text(strconv.FormatInt(total, 10)+" in all")), h.Ul(ways))
}
