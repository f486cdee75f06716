package browse

import (
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
)

// linkTo returns a link to the target of a relation, nil when the document has no such
// link.
func linkTo(d *hal.Document, rel string) g.Node {
	if l, ok := oneLink(d, rel); ok {
		return link(&l)
	}
	return nil
}

// person returns a link to a user, titled with the user name that the document carries in
// the member REL.username.
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

// selfLink returns a link to the document itself.
func selfLink(d *hal.Document) g.Node {
	l, _ := oneLink(d, "self")
	return link(&l)
}

// fact is one line of a property list. It is left out when value is nil.
type fact struct {
	name  string
	value g.Node
}

// facts returns a property list of the facts that have a value, nil when none has.
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

// optionalText returns the text as a node, nil when it is empty.
func optionalText(text string) g.Node {
	if text == "" {
		return nil
	}
	return g.Text(text)
}

// optionalProp returns the value of a member, nil when it is null, an empty text or an
// empty object.
func optionalProp(d *hal.Document, name string) g.Node {
	v := prop(d, name)
	if v.Kind() == hal.KindNull || v.Text() == "" || v.Kind() == hal.KindObject && v.Len() == 0 {
		return nil
	}
	return value(v)
}

// when returns an instant in the readers' format, with the RFC 3339 form in its datetime
// attribute. A text that is not an instant is returned as it is.
func when(text string) g.Node {
	at, ok := instant(text)
	if !ok {
		return optionalText(text)
	}
	return markup(appendTime(nil, at))
}

// day returns a date in the readers' format. A text that is not a date is returned as it
// is.
func day(text string) g.Node {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return optionalText(text)
	}
	return h.Time(h.DateTime(text), g.Text(t.Format("2 Jan 2006")))
}

// price returns an amount per month; documents write "14.40/month".
func price(text string) g.Node {
	amount, ok := strings.CutSuffix(text, "/month")
	if !ok {
		return optionalText(text)
	}
	return h.Span(h.Class("price"), h.Strong(g.Text(amount)), g.Text(" per month"))
}

// trimSize removes trailing zeros from the decimals of an amount: "4.0000 GB" becomes "4
// GB".
func trimSize(text string) string {
	amount, unit, ok := strings.Cut(text, " ")
	if !ok || !strings.Contains(amount, ".") {
		return text
	}
	return strings.TrimRight(strings.TrimRight(amount, "0"), ".") + " " + unit
}

// section returns a card with a heading, nil when it has no content.
func section(title string, content g.Node, more ...g.Node) g.Node {
	if content == nil {
		return nil
	}
	return h.Section(h.Class("card part"), h.H2(g.Text(title)), content, g.Group(more))
}

// allLink returns a link to the whole list of which a section shows the first rows.
func allLink(d *hal.Document, rel, text string) g.Node {
	l, ok := oneLink(d, rel)
	if !ok {
		return nil
	}
	return h.P(h.Class("more"), h.A(h.Href(newestFirst(rel, l.Href)), g.Text(text)))
}

// newestFirst returns the address of a list in the order in which people read it: the
// history starts with the newest entry.
func newestFirst(rel, href string) string {
	if rel == "history" && !strings.Contains(href, "?") {
		return href + "?order=-id"
	}
	return href
}

// timeline returns history entries as a list, in the order given; nil when there are
// none.
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

// history returns the history section of a page.
func history(d *hal.Document) g.Node {
	return section("History", timeline(embeddedOf(d, "history")), allLink(d, "history", "All that happened"))
}

// cell returns a table cell. Narrow screens show name as its label; nil content is shown
// as a dash.
func cell(name string, content g.Node) g.Node {
	if content == nil {
		content = markup(noneMarkup)
	}
	return h.Td(g.Attr("data-label", name), content)
}

// grid returns a small table within a section.
func grid(heads []string, rows g.Node) g.Node {
	cells := make(g.Group, 0, len(heads))
	for _, name := range heads {
		cells = append(cells, h.Th(g.Attr("scope", "col"), g.Text(name)))
	}
	return h.Div(h.Class("grid"), h.Table(h.THead(h.Tr(cells)), h.TBody(rows)))
}

// ids returns the collapsed section with the identifiers that support asks for.
func ids(d *hal.Document) g.Node {
	return h.Details(h.Class("card part"), h.Summary(g.Text("Ids")), facts(
		fact{"Id", optionalText(textOf(d, "id"))}, fact{"Global id", optionalText(textOf(d, "global-id"))}, fact{"UUID", optionalText(textOf(d, "uuid"))},
	))
}
