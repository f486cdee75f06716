package browse

import (
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
)

// linkTo is a link to what a relation leads to, nil when it leads nowhere.
func linkTo(d *hal.Document, rel string) g.Node {
	if l, ok := oneLink(d, rel); ok {
		return link(&l)
	}
	return nil
}

// person is a link to somebody by their user name, which pages have beside the link.
func person(d *hal.Document, rel string) g.Node {
	l, ok := oneLink(d, rel)
	if !ok {
		return nil
	}
	if name := textOf(d, rel+".username"); name != "" {
		l.Title = name
	}
	return link(&l)
}

// selfLink is a link to the document itself.
func selfLink(d *hal.Document) g.Node {
	l, _ := oneLink(d, "self")
	return link(&l)
}

// fact is one line of a list of what there is to know.
type fact struct {
	name  string
	value g.Node
}

// facts shows what has a value.
func facts(list ...fact) g.Node {
	var out g.Group
	for _, x := range list {
		if x.value != nil {
			out = append(out, h.Dt(g.Text(x.name)), h.Dd(x.value))
		}
	}
	if out == nil {
		return nil
	}
	return h.Dl(h.Class("props"), out)
}

// optionalText is a text that is left out when it is empty.
func optionalText(text string) g.Node {
	if text == "" {
		return nil
	}
	return g.Text(text)
}

// optionalProp is a member as a fact, left out when it says nothing.
func optionalProp(d *hal.Document, name string) g.Node {
	v := prop(d, name)
	if v.Kind() == hal.KindNull || v.Text() == "" || v.Kind() == hal.KindObject && v.Len() == 0 {
		return nil
	}
	return value(v)
}

// when shows an instant as people write it. The machine's form stands beside it.
func when(text string) g.Node {
	at, ok := instant(text)
	if !ok {
		return optionalText(text)
	}
	return markup(appendTime(nil, at))
}

// day shows a date.
func day(text string) g.Node {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return optionalText(text)
	}
	return h.Time(h.DateTime(text), g.Text(t.Format("2 Jan 2006")))
}

// price shows an amount by the month: "14.40/month" on the wire.
func price(text string) g.Node {
	amount, ok := strings.CutSuffix(text, "/month")
	if !ok {
		return optionalText(text)
	}
	return h.Span(h.Class("price"), h.Strong(g.Text(amount)), g.Text(" per month"))
}

// trimSize shows an amount of memory without the decimals that say nothing.
func trimSize(text string) string {
	amount, unit, ok := strings.Cut(text, " ")
	if !ok || !strings.Contains(amount, ".") {
		return text
	}
	return strings.TrimRight(strings.TrimRight(amount, "0"), ".") + " " + unit
}

// section is a section of a page with a heading; nil when it has nothing to say.
func section(title string, content g.Node, more ...g.Node) g.Node {
	if content == nil {
		return nil
	}
	return h.Section(h.Class("card part"), h.H2(g.Text(title)), content, g.Group(more))
}

// allLink is a link to the whole list that a part shows the first of.
func allLink(d *hal.Document, rel, text string) g.Node {
	l, ok := oneLink(d, rel)
	if !ok {
		return nil
	}
	return h.P(h.Class("more"), h.A(h.Href(newestFirst(rel, l.Href)), g.Text(text)))
}

// newestFirst gives the address of a list as people read it: of what happened, what
// happened last comes first.
func newestFirst(rel, href string) string {
	if rel == "history" && !strings.Contains(href, "?") {
		return href + "?order=-id"
	}
	return href
}

// timeline shows what happened, latest first.
func timeline(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	items := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		by := textOf(d, "actor")
		items = append(items, h.Li(
			when(textOf(d, "date")), g.Text(" "), h.A(h.Href(selfOf(d)), g.Text(label(textOf(d, "event")))),
			g.If(by != "", g.Text(" by "+by)),
			g.If(textOf(d, "message") != "", h.P(g.Text(textOf(d, "message")))),
		))
	}
	return h.Ol(h.Class("timeline"), items)
}

// history is the part of a page that says what happened.
func history(d *hal.Document) g.Node {
	return section("History", timeline(embeddedOf(d, "history")), allLink(d, "history", "All that happened"))
}

func cell(name string, content g.Node) g.Node {
	if content == nil {
		content = markup(noneMarkup)
	}
	return h.Td(g.Attr("data-label", name), content)
}

// grid is a small table within a part.
func grid(heads []string, rows g.Node) g.Node {
	cells := make(g.Group, 0, len(heads))
	for _, name := range heads {
		cells = append(cells, h.Th(g.Attr("scope", "col"), g.Text(name)))
	}
	return h.Div(h.Class("grid"), h.Table(h.THead(h.Tr(cells)), h.TBody(rows)))
}

// ids are what support asks for, out of the way.
func ids(d *hal.Document) g.Node {
	return h.Details(h.Class("card part"), h.Summary(g.Text("Ids")), facts(
		fact{"Id", optionalText(textOf(d, "id"))}, fact{"Global id", optionalText(textOf(d, "global-id"))}, fact{"UUID", optionalText(textOf(d, "uuid"))},
	))
}
