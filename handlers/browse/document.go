package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
)

// plumbing are the relations that a page says by what it is, not by a link.
var plumbing = map[string]bool{
	"self": true, "curies": true, "collection": true, "up": true, "first": true, "prev": true, "next": true, "last": true,
	"cb:filter": true, "describedby": true, "profile": true,
}

// document is the page of a row, and of any document that no page was made for.
func (f *Face) document(v *page.View, title string) g.Node {
	d := v.Doc
	return g.Group{
		heading(v, title),
		actions(v),
		h.Div(h.Class("columns"),
			h.Section(h.Class("card"), g.Attr("aria-label", "Properties"), properties(d.Props)),
			relations(d),
		),
		embedded(d),
		forms(v),
	}
}

// properties shows members as names and values.
func properties(props []hal.Prop) g.Node {
	list := make(g.Group, 0, 2*len(props))
	for i := range props {
		p := &props[i]
		if p.Only != 0 && p.Only&hal.InHAL == 0 {
			continue
		}
		list = append(list, h.Dt(g.Text(label(p.Name))), h.Dd(value(p.Value)))
	}
	if len(list) == 0 {
		return nil
	}
	return h.Dl(h.Class("props"), list)
}

// relations shows where the document leads.
func relations(d *hal.Document) g.Node {
	var list g.Group
	for i := range d.Links {
		r := &d.Links[i]
		if plumbing[r.Name] || r.Only != 0 && r.Only&hal.InHAL == 0 || len(r.Links) == 0 {
			continue
		}
		var links g.Group
		for j := range r.Links {
			if l := &r.Links[j]; l.Href != "" && !l.Templated {
				links = append(links, h.Li(link(l)))
			}
		}
		if links != nil {
			list = append(list, h.Dt(g.Text(label(r.Name))), h.Dd(h.Ul(links)))
		}
	}
	if list == nil {
		return nil
	}
	return h.Section(h.Class("card"), g.Attr("aria-label", "Links"), h.Dl(h.Class("props"), list))
}

func link(l *hal.Link) g.Node {
	title := l.Title
	if title == "" {
		title = l.Href
	}
	return h.A(h.Href(l.Href), g.Text(title))
}

// embedded shows embedded resources as cards.
func embedded(d *hal.Document) g.Node {
	var all g.Group
	for i := range d.Embedded {
		e := &d.Embedded[i]
		var cards g.Group
		for j := range e.Docs {
			x := &e.Docs[j]
			var head g.Node
			for _, l := range linksOf(x, "self") {
				head = h.H3(link(&l))
			}
			cards = append(cards, h.Article(h.Class("card"), head, properties(x.Props)))
		}
		if cards != nil {
			all = append(all, h.Section(h.H2(g.Text(label(e.Rel))), h.Div(h.Class("cards"), cards)))
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// label makes a person's words of a member's or relation's name.
func label(name string) string {
	name = strings.TrimPrefix(name, "cb:")
	name = strings.NewReplacer("-", " ", "_", " ", ".", " ").Replace(name)
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// value shows a member's value.
func value(v hal.Value) g.Node {
	switch v.Kind() {
	case hal.KindNull:
		return none()
	case hal.KindBool:
		if v.Bool() {
			return g.Text("yes")
		}
		return g.Text("no")
	case hal.KindLink:
		l, _ := v.Link()
		return link(&l)
	case hal.KindObject:
		if v.Len() == 0 {
			return none()
		}
		return properties(v.Props())
	case hal.KindList:
		if v.Len() == 0 {
			return none()
		}
		var items g.Group
		for x := range v.Items() {
			items = append(items, h.Li(value(x)))
		}
		return h.Ul(h.Class("values"), items)
	case hal.KindRaw:
		return h.Pre(g.Text(v.Text()))
	case hal.KindInt, hal.KindDecimal:
		return g.Text(v.Text())
	case hal.KindString:
	}
	text := v.Text()
	if text == "" {
		return none()
	}
	if strings.HasPrefix(text, Base+"/") {
		return h.A(h.Href(text), g.Text(text))
	}
	return g.Text(text)
}

func none() g.Node { return h.Span(h.Class("none"), g.Text("–")) }
