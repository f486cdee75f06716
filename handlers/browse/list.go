package browse

import (
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/query"
	"halcyon/pkg/view"
)

// list returns the page of a collection.
func (f *Face) list(v *view.View, title string) g.Node {
	rows := embeddedRows(v.Doc)
	return g.Group{
		heading(v, title),
		listActions(v, len(rows) > 0),
		imports(v),
		createForms(v),
		filter(v),
		selection(v, f.table(v, rows)),
		paging(v),
	}
}

// embeddedRows returns the rows of a collection.
func embeddedRows(d *hal.Document) []hal.Document {
	if len(d.Embedded) == 0 {
		return nil
	}
	return d.Embedded[0].Docs
}

// listActions returns the buttons for actions on the collection that have no input, and
// the link that starts selecting rows.
func listActions(v *view.View, rows bool) g.Node {
	here := addressOf(v.Path, v.Query)
	var several g.Node
	switch {
	case v.Selection != "":
		several = h.A(h.Class("button"), h.Href(here.String()), g.Text("Select none"))
	case rows && v.Path == v.Of.Path() && len(v.Of.BulkActions()) > 0:
		several = h.A(h.Class("button"), h.Href(here.with(pair{"_select", "1"}).String()), g.Text("Select several"))
	}
	buttons := actionButtons(v)
	if buttons == nil && several == nil {
		return nil
	}
	return h.Div(h.Class("actions"), buttons, several)
}

// createForms returns the forms of the collection, without those that act on several
// rows.
func createForms(v *view.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		if t := &v.Doc.Templates[i]; len(t.Properties) > 0 && !isBulk(t) {
			list = append(list, form(v, t))
		}
	}
	return list
}

// column is a column of a list's table.
type column struct {
	name      string
	label     string
	order     string // key of the order parameter; "" when it cannot be sorted
	rel       bool
	titleFrom *column // the column with the text of a relation's link; nil for the link's title
	num       bool    // numeric, aligned right
	state     bool
	lastIndex int // index in the previous row, tried first in the next
}

// columnsFor returns the columns of the table: the declared ones, or those of the
// attributes parameter.
func columnsFor(v *view.View, docs []hal.Document) []column {
	var list []column
	add := func(name string, rel bool) { list = append(list, columnFor(v, name, rel)) }
	asked := addressOf("", v.Query).get("attributes") != ""
	if v.Of != nil && len(v.Of.Headings) > 0 && !asked {
		shown := v.Of.ShownTo(v.Actor)
		for _, name := range v.Of.Headings {
			rel := v.Of.Field(name) == nil
			if to, _, dotted := strings.Cut(name, "."); rel && dotted && v.Of.Relation(to) != nil && isShown(shown, name) {
				add(to, true)
				list[len(list)-1].titleFrom = &column{name: name}
				continue
			}
			if rel || v.Of.Field(name).Listed || isShown(shown, name) {
				add(name, rel && v.Of.Relation(name) != nil)
			}
		}
		return list
	}
	for i := range docs[0].Props {
		add(docs[0].Props[i].Name, false)
	}
	for i := range docs[0].Links {
		if name := docs[0].Links[i].Name; name != "self" {
			add(name, true)
		}
	}
	return list
}

// isShown reports whether a name is among the attributes.
func isShown(list []query.Attribute, name string) bool {
	for i := range list {
		if list[i].Asked == name {
			return true
		}
	}
	return false
}

func columnFor(v *view.View, name string, rel bool) column {
	c := column{name: name, rel: rel, label: label(name)}
	if v.Of == nil {
		return c
	}
	c.label = label(strings.TrimPrefix(name, v.Of.Name+"."))
	c.order = orderKey(v, name)
	c.state = isState(v.Of, name)
	if f := fieldOf(v, name); f != nil && !rel && name != "id" {
		c.num = f.Kind == query.Int
	}
	return c
}

// orderKey returns the key by which a column is sorted, "" when it cannot be.
func orderKey(v *view.View, name string) string {
	if f := fieldOf(v, name); f != nil {
		if f.Sort {
			return f.Name
		}
		return ""
	}
	hop := v.Of.Schema.Hop(name, v.Actor)
	if hop == nil || hop.Many {
		return ""
	}
	return name + "." + titleField(hop.Target, func(n string) *query.Field { return hop.Target.Field(n, v.Actor) }).Name
}

// table returns short documents as rows. The first column links to the row's page.
func (f *Face) table(v *view.View, docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return empty(v)
	}
	columns := columnsFor(v, docs)
	b := make([]byte, 0, 512+len(docs)*len(columns)*96)
	b = append(b, `<div class="scroll" tabindex="0" role="region" aria-label="Rows"><table class="rows"><thead><tr>`...)
	b = appendHeads(b, v, columns)
	b = append(b, "</tr></thead><tbody>"...)
	chosen := selectedRows(v)
	for i := range docs {
		b = appendRow(b, v, &docs[i], columns, chosen)
	}
	return markup(append(b, "</tbody></table></div>"...))
}

func appendHeads(b []byte, v *view.View, columns []column) []byte {
	if v.Selection != "" {
		b = append(b, `<th scope="col" class="box"><span class="unseen">Selected</span></th>`...)
	}
	here := addressOf(v.Path, v.Query)
	key, _, _ := strings.Cut(here.get("order"), ",")
	by, down := strings.CutPrefix(strings.ReplaceAll(key, "_", "-"), "-")
	by = strings.TrimSuffix(by, ".icase")
	for i := range columns {
		c := &columns[i]
		b = append(b, `<th scope="col"`...)
		if c.num {
			b = append(b, ` class="num"`...)
		}
		text := c.label
		if i == 0 && c.name == "id" && v.Of != nil {
			text = label(v.Of.Name)
		}
		if c.order == "" {
			b = appendText(append(b, '>'), text)
			b = append(b, "</th>"...)
			continue
		}
		to, mark := c.order, ""
		if c.order == by {
			b = append(b, ` aria-sort="`...)
			if down {
				b, mark = append(b, `descending"`...), "▼"
			} else {
				b, mark, to = append(b, `ascending"`...), "▲", "-"+c.order
			}
		}
		there := here.fromFirstPage(pair{"order", to})
		if v.Selection != "" {
			there = there.with(pair{"_select", v.Selection})
		}
		b = appendText(append(b, `><a href="`...), there.String())
		b = appendText(append(b, `">`...), text)
		if mark != "" {
			b = append(append(append(b, ` <span aria-hidden="true">`...), mark...), "</span>"...)
		}
		b = append(b, "</a></th>"...)
	}
	return b
}

func appendRow(b []byte, v *view.View, d *hal.Document, columns []column, chosen map[string]bool) []byte {
	b = append(b, "<tr>"...)
	self := linksOf(d, "self")
	if v.Selection != "" {
		b = appendBox(b, self, chosen)
	}
	for i := range columns {
		c := &columns[i]
		b = appendText(append(b, `<td data-label="`...), c.label)
		switch {
		case c.num:
			b = append(b, `" class="num`...)
		case hasLongWord(c.text(d, self)):
			b = append(b, `" class="long`...)
		}
		b = append(b, `">`...)
		switch {
		case i == 0 && len(self) > 0:
			b = appendText(append(b, `<a href="`...), self[0].Href)
			b = append(b, `">`...)
			b = appendRowTitle(b, d, c, self[0].Title)
			b = append(b, "</a>"...)
		case c.rel:
			b = appendRel(b, d, c)
		default:
			x := c.value(d)
			if c.state && x.Kind() == hal.KindString && x.Text() != "" {
				b = appendState(b, v.Of, x.Text())
			} else {
				b = appendValue(b, x)
			}
		}
		b = append(b, "</td>"...)
	}
	return append(b, "</tr>"...)
}

// text returns the visible text of a row's cell, "" for values that no person typed.
func (c *column) text(d *hal.Document, self []hal.Link) string {
	if c.rel {
		if l := c.link(d); l != nil {
			return l.Title
		}
		return ""
	}
	if text := c.value(d).Text(); text != "" || len(self) == 0 {
		return text
	}
	return self[0].Title
}

// longestWord is the length in bytes of the longest word that columns are wide enough
// for.
const longestWord = 32

// hasLongWord reports whether a text has a word that must be broken to fit.
func hasLongWord(text string) bool {
	for len(text) > longestWord {
		space := strings.LastIndexByte(text[:longestWord+1], ' ')
		if space < 0 {
			return true
		}
		text = text[space+1:]
	}
	return false
}

// appendRowTitle appends the text of a row's link: its first column, or the link's title
// where that is empty.
func appendRowTitle(b []byte, d *hal.Document, c *column, title string) []byte {
	text := c.value(d).Text()
	if text == "" || c.name == "id" || c.rel {
		return appendText(b, title)
	}
	if at, ok := instant(text); ok {
		return appendTime(b, at)
	}
	return appendText(b, text)
}

func appendRel(b []byte, d *hal.Document, c *column) []byte {
	l := c.link(d)
	if l == nil {
		return append(b, noneMarkup...)
	}
	if c.titleFrom != nil {
		if text := c.titleFrom.value(d).Text(); text != "" {
			return appendLink(b, l.Href, text)
		}
	}
	return appendLinkOrText(b, l)
}

// link returns the row's link of the relation, nil when it has none.
func (c *column) link(d *hal.Document) *hal.Link {
	if c.lastIndex >= len(d.Links) || d.Links[c.lastIndex].Name != c.name {
		for c.lastIndex = 0; c.lastIndex < len(d.Links) && d.Links[c.lastIndex].Name != c.name; c.lastIndex++ {
		}
	}
	if c.lastIndex == len(d.Links) || len(d.Links[c.lastIndex].Links) == 0 {
		return nil
	}
	return &d.Links[c.lastIndex].Links[0]
}

// value returns the row's member. The rows of a list mostly have it at the same index.
func (c *column) value(d *hal.Document) hal.Value {
	if c.lastIndex >= len(d.Props) || d.Props[c.lastIndex].Name != c.name {
		for c.lastIndex = 0; c.lastIndex < len(d.Props) && d.Props[c.lastIndex].Name != c.name; c.lastIndex++ {
		}
	}
	if c.lastIndex == len(d.Props) {
		return hal.Null()
	}
	return d.Props[c.lastIndex].Value
}

// empty returns the message of a list without rows, with a link or button to go on.
func empty(v *view.View) g.Node {
	here := addressOf(v.Path, v.Query)
	noun := "Nothing"
	if v.Of != nil {
		noun = "No " + strings.ToLower(v.Of.Noun)
	}
	var text string
	var items g.Group
	switch {
	case total(v.Doc) > 0:
		text = "This page is past the end of the list."
		items = append(items, h.A(h.Class("button"), h.Href(here.fromFirstPage().String()), g.Text("To the first page")))
	case here.get("filter") != "":
		text = noun + " like that."
		items = append(items, h.A(h.Class("button"), h.Href(here.fromFirstPage(pair{"filter", ""}).String()), g.Text("Show all")))
	default:
		text = noun + " here yet."
		for i := range v.Doc.Templates {
			if t := &v.Doc.Templates[i]; t.Key == "" && len(t.Properties) > 0 {
				items = append(items, h.A(h.Class("button primary"), h.Href("#"+formID(t)), g.Text(t.Title)))
			}
		}
		if v.Of != nil && createdByOrder[v.Of.Plural] {
			items = append(items, h.A(h.Class("button primary"), h.Href(apiBase+"/blueprints/"), g.Text("Order something from the catalogue")))
		}
	}
	return h.Div(h.Class("empty"), h.P(g.Text(text)), g.If(items != nil, h.P(items)))
}

// createdByOrder are the resources that are created by ordering.
var createdByOrder = map[string]bool{"servers": true, "services": true, "resources": true, "orders": true, "jobs": true}

// intOf returns a number of the document, 0 when it has none of that name.
func intOf(d *hal.Document, name string) int64 {
	for i := range d.Props {
		if d.Props[i].Name == name {
			return d.Props[i].Value.Int()
		}
	}
	return 0
}

func total(d *hal.Document) int64 { return intOf(d, "total") }

// sizes are the page sizes that are offered.
var sizes = []int64{10, 25, 50, 100}

// paging returns the links to the other pages of a list. Neighbors are reached by the
// document's own links, whose cursors cost the same on every page.
func paging(v *view.View) g.Node {
	d := v.Doc
	all, size, at := total(d), max(1, intOf(d, "page_size")), intOf(d, "page")
	if all == 0 {
		return nil // the list says so itself
	}
	last := max(1, (all+size-1)/size)
	here := addressOf(v.Path, v.Query)
	keep := func(a address) string {
		if v.Selection != "" {
			a = a.with(pair{"_select", v.Selection})
		}
		return a.String()
	}
	linked := func(rel string) (string, bool) {
		for _, l := range linksOf(d, rel) {
			path, query, _ := strings.Cut(l.Href, "?")
			return keep(addressOf(path, query)), true
		}
		return "", false
	}
	var items g.Group
	addLink := func(href, text, rel string, current bool) {
		items = append(items, h.Li(h.A(h.Href(href), g.If(rel != "", h.Rel(rel)), g.If(current, g.Attr("aria-current", "page")), g.Text(text))))
	}
	prev, hasPrev := linked("prev")
	next, hasNext := linked("next")
	if hasPrev {
		addLink(prev, "Previous", "prev", false)
	}
	before := int64(0)
	for _, n := range []int64{1, at - 1, at, at + 1, last} {
		if n <= before || n > last || last == 1 {
			continue
		}
		if n > before+1 {
			items = append(items, h.Li(h.Aria("hidden", "true"), g.Text("…")))
		}
		before = n
		href := keep(here.fromFirstPage(pair{"page", strconv.FormatInt(n, 10)}))
		switch {
		case n == at-1 && hasPrev:
			href = prev
		case n == at+1 && hasNext:
			href = next
		}
		addLink(href, strconv.FormatInt(n, 10), "", n == at)
	}
	if hasNext {
		addLink(next, "Next", "next", false)
	}
	var choice g.Group
	if all > sizes[0] {
		for _, n := range sizes {
			text := strconv.FormatInt(n, 10)
			choice = append(choice, h.Li(h.A(h.Href(keep(here.fromFirstPage(pair{"page_size", text}))), g.If(n == size, g.Attr("aria-current", "true")), g.Text(text))))
		}
	}
	return h.Nav(h.Class("paging"), g.Attr("aria-label", "Pages"),
		h.Span(g.Text(rangeText(d, all, size, at))),
		g.If(items != nil, h.Ul(h.Class("pages"), items)),
		g.If(choice != nil, g.Group{h.Ul(h.Class("sizes"), g.Attr("aria-label", "Rows on a page"), choice)}),
	)
}

// rangeText returns which of how many rows the page shows.
func rangeText(d *hal.Document, all, size, at int64) string {
	n := intOf(d, "count")
	if n == 0 || n == all {
		return strconv.FormatInt(all, 10) + " in all"
	}
	from := (at-1)*size + 1
	return strconv.FormatInt(from, 10) + " to " + strconv.FormatInt(from+n-1, 10) + " of " + strconv.FormatInt(all, 10)
}
