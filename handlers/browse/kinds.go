package browse

import (
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
	"halcyon/pkg/resource"
)

// kind makes the page of one kind of document. It is given the title that any other
// page would have.
type kind func(f *Face, v *page.View, title string) g.Node

// kinds are the pages that were made for what they are, by the plural of the resource;
// lists are those of collections. All others look alike.
var (
	kinds = map[string]kind{
		"blueprints": (*Face).blueprint,
		"orders":     (*Face).order,
		"jobs":       (*Face).job,
		"servers":    (*Face).server,
		"services":   (*Face).service,
		"resources":  (*Face).service,
		"users":      (*Face).profile,
	}
	lists = map[string]kind{
		"blueprints": (*Face).catalogue,
	}
)

// kindOf finds the page that was made for a document, nil for none.
func kindOf(v *page.View) kind {
	switch {
	case selfOf(v.Doc) == Base+"/":
		return (*Face).home
	case v.Of == nil:
		return nil
	case v.Many:
		return lists[v.Of.Plural]
	}
	return kinds[v.Of.Plural]
}

// prop gives a member of a document, null when it has none of that name.
func prop(d *hal.Document, name string) hal.Value { return member(d.Props, name) }

func textOf(d *hal.Document, name string) string { return prop(d, name).Text() }

// oneLink gives the first link of a relation.
func oneLink(d *hal.Document, rel string) (hal.Link, bool) {
	for _, l := range linksOf(d, rel) {
		return l, l.Href != ""
	}
	return hal.Link{}, false
}

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

func embeddedOf(d *hal.Document, rel string) []hal.Document {
	for i := range d.Embedded {
		if d.Embedded[i].Rel == rel {
			return d.Embedded[i].Docs
		}
	}
	return nil
}

func template(d *hal.Document, key string) *hal.Template {
	for i := range d.Templates {
		if d.Templates[i].Key == key {
			return &d.Templates[i]
		}
	}
	return nil
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

// word is a text that is left out when it is empty.
func word(text string) g.Node {
	if text == "" {
		return nil
	}
	return g.Text(text)
}

// said is a member as a fact, left out when it says nothing.
func said(d *hal.Document, name string) g.Node {
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
		return word(text)
	}
	return markup(appendTime(nil, at))
}

// day shows a date.
func day(text string) g.Node {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return word(text)
	}
	return h.Time(h.DateTime(text), g.Text(t.Format("2 Jan 2006")))
}

// price shows an amount by the month: "14.40/month" on the wire.
func price(text string) g.Node {
	amount, ok := strings.CutSuffix(text, "/month")
	if !ok {
		return word(text)
	}
	return h.Span(h.Class("price"), h.Strong(g.Text(amount)), g.Text(" per month"))
}

// size shows an amount of memory without the decimals that say nothing.
func size(text string) string {
	amount, unit, ok := strings.Cut(text, " ")
	if !ok || !strings.Contains(amount, ".") {
		return text
	}
	return strings.TrimRight(strings.TrimRight(amount, "0"), ".") + " " + unit
}

// standing is what a status says of how things are.
type standing string

const (
	good standing = "good"
	bad  standing = "bad"
	warn standing = "warn"
	busy standing = "busy"
	calm standing = "calm"
)

// shapes tell standings apart for who sees no colours.
var shapes = map[standing]string{good: "✓", bad: "✕", warn: "!", busy: "…", calm: "○"}

// statuses are the words of the API as people say them.
var statuses = map[string]struct {
	text string
	is   standing
}{
	"CART": {"In the cart", calm}, "PENDING": {"Waiting", warn}, "QUEUED": {"Queued", busy}, "RUNNING": {"Running", busy},
	"TO_CANCEL": {"Stopping", warn}, "SUCCESS": {"Done", good}, "WARNING": {"Done, with warnings", warn}, "FAILURE": {"Failed", bad},
	"DENIED": {"Denied", bad}, "CANCELED": {"Canceled", bad},
	"PROV": {"Being made", busy}, "MODIFY": {"Being changed", busy}, "DECOM": {"Being removed", busy},
	"HISTORICAL": {"Removed", calm}, "PROVFAILED": {"Failed", bad}, "PROVISIONING": {"Being made", busy},
	"POWERON": {"On", good}, "POWEROFF": {"Off", calm}, "UNKNOWN": {"Power unknown", warn},
	"ACTIVE": {"Active", good}, "DRAFT": {"Draft", calm}, "PAUSED": {"Paused", warn}, "ARCHIVED": {"Archived", calm},
}

// badge shows a status by its word, a shape and a colour.
func badge(status string) g.Node {
	if status == "" {
		return nil
	}
	return markup(appendBadge(nil, status))
}

// appendBadge appends what badge shows.
func appendBadge(b []byte, status string) []byte {
	s, ok := statuses[strings.ToUpper(status)]
	if !ok {
		s.text, s.is = label(status), calm
	}
	return appendMark(b, s.text, s.is)
}

// mark is a badge of one's own words.
func mark(text string, is standing) g.Node { return markup(appendMark(nil, text, is)) }

func appendMark(b []byte, text string, is standing) []byte {
	b = append(append(b, `<span class="badge `...), is...)
	b = append(append(append(b, `"><span aria-hidden="true">`...), shapes[is]...), " </span>"...)
	return append(appendText(b, text), "</span>"...)
}

// orderStatuses are those that say something else of an order: what is active works,
// and what is pending waits for somebody.
var orderStatuses = map[string]struct {
	text string
	is   standing
}{"ACTIVE": {"Working", busy}, "PENDING": {"Waiting for approval", warn}}

// appendState appends the badge of a row of the kind.
func appendState(b []byte, of *resource.Def, status string) []byte {
	if of != nil && of.Plural == "orders" {
		if s, ok := orderStatuses[status]; ok {
			return appendMark(b, s.text, s.is)
		}
	}
	return appendBadge(b, status)
}

// orderBadge is the badge of an order.
func orderBadge(status string) g.Node {
	if s, ok := orderStatuses[status]; ok {
		return mark(s.text, s.is)
	}
	return badge(status)
}

// resting are the statuses in which nothing moves by itself.
var resting = map[string]bool{
	"CART": true, "SUCCESS": true, "WARNING": true, "FAILURE": true, "DENIED": true, "CANCELED": true,
	"HISTORICAL": true, "PROVFAILED": true,
}

// atRest reports whether nothing that the page shows moves by itself: the document's own
// status does not, and none of its jobs' does.
func atRest(d *hal.Document, settled ...string) bool {
	status := strings.ToUpper(textOf(d, "status"))
	rest := resting[status]
	for _, s := range settled {
		rest = rest || status == s
	}
	for _, rel := range []string{"jobs", "subjobs"} {
		docs := embeddedOf(d, rel)
		for i := range docs {
			rest = rest && resting[textOf(&docs[i], "status")]
		}
	}
	return rest
}

// moving is what a page shows that may change while it is looked at. Parts with an id
// of their own and the attribute data-region are put in place of the old ones; see
// assets/live.js. Without a script there is a link that does the same.
func moving(v *page.View, rest bool, content ...g.Node) g.Node {
	if rest {
		return h.Div(h.Class("kind"), g.Group(content))
	}
	events, ok := oneLink(v.Doc, "cb:events")
	if !ok {
		events.Href = Base + "/events/?about=" + strings.TrimSuffix(selfOf(v.Doc), "/")
	}
	return h.Div(h.Class("kind"), g.Attr("data-events", events.Href),
		h.P(h.Class("refresh"), h.ID("live-note"), h.A(h.Href(here(v)), g.Text("Refresh")), h.Span(g.Text(" to see how far it is."))),
		h.P(h.Class("unseen"), h.ID("live-said"), h.Role("status"), g.Attr("aria-live", "polite")),
		g.Group(content))
}

// region is a part of a page that may change while it is looked at.
func region(id string, content ...g.Node) g.Node {
	return h.Div(h.ID(id), g.Attr("data-region"), g.Group(content))
}

// here is the address of the page itself.
func here(v *page.View) string {
	if v.Query != "" {
		return v.Path + "?" + v.Query
	}
	return v.Path
}

// bar shows the progress of a job.
func bar(d *hal.Document) g.Node {
	p := prop(d, "progress").Props()
	total, done := member(p, "total-tasks").Int(), member(p, "completed").Int()
	status := textOf(d, "status")
	name := g.Attr("aria-label", "Progress of "+titled(d))
	switch {
	case total > 0:
		return h.Div(h.Class("bar-row"),
			h.Progress(name, h.Max(strconv.FormatInt(total, 10)), h.Value(strconv.FormatInt(done, 10))),
			h.Span(g.Textf("%d of %d", done, total)))
	case status == "RUNNING":
		return h.Div(h.Class("bar-row"), h.Progress(name))
	}
	return nil
}

// titled is what a job does, with its number.
func titled(d *hal.Document) string {
	what := textOf(d, "type")
	if a := textOf(d, "action"); a != "" && what == "Run Action" {
		what = label(a)
	}
	if what == "" {
		what = "Job"
	}
	return what + ", job " + textOf(d, "id")
}

// jobTree shows jobs below those that they are parts of.
func jobTree(docs []hal.Document) g.Node {
	here, below := map[string]bool{}, map[string][]int{}
	for i := range docs {
		here[selfOf(&docs[i])] = true
	}
	for i := range docs {
		parent := ""
		if l, ok := oneLink(&docs[i], "parent"); ok && here[l.Href] {
			parent = l.Href
		}
		below[parent] = append(below[parent], i)
	}
	var branch func(parent string, depth int) g.Node
	branch = func(parent string, depth int) g.Node {
		if len(below[parent]) == 0 || depth > len(docs) {
			return nil
		}
		items := make(g.Group, 0, len(below[parent]))
		for _, i := range below[parent] {
			items = append(items, h.Li(jobLine(&docs[i]), branch(selfOf(&docs[i]), depth+1)))
		}
		return h.Ul(h.Class("tree"), items)
	}
	return branch("", 0)
}

func jobLine(d *hal.Document) g.Node {
	wrong := ""
	if status := textOf(d, "status"); status == "FAILURE" || status == "WARNING" || status == "CANCELED" {
		wrong = textOf(d, "errors")
	}
	return h.Div(h.Class("job"),
		h.A(h.Href(selfOf(d)), g.Text(titled(d))), badge(textOf(d, "status")), bar(d),
		g.If(wrong != "", h.P(h.Class("wrong"), g.Text(wrong))),
	)
}

// part is a section of a page with a heading; nil when it has nothing to say.
func part(title string, content g.Node, more ...g.Node) g.Node {
	if content == nil {
		return nil
	}
	return h.Section(h.Class("card part"), h.H2(g.Text(title)), content, g.Group(more))
}

// all is a link to the whole list that a part shows the first of.
func all(d *hal.Document, rel, text string) g.Node {
	l, ok := oneLink(d, rel)
	if !ok {
		return nil
	}
	return h.P(h.Class("more"), h.A(h.Href(l.Href), g.Text(text)))
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
	return part("History", timeline(embeddedOf(d, "history")), all(d, "history", "All that happened"))
}

// serverTable shows servers as rows.
func serverTable(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		rows = append(rows, h.Tr(
			cell("Server", selfLink(d)),
			cell("Status", badge(textOf(d, "status"))),
			cell("Power", badge(textOf(d, "power-status"))),
			cell("Address", word(textOf(d, "ip"))),
			cell("Size", word(sizeOf(d))),
		))
	}
	return grid([]string{"Server", "Status", "Power", "Address", "Size"}, rows)
}

// sizeOf says what a server has.
func sizeOf(d *hal.Document) string {
	cpus := prop(d, "cpu-cnt").Int()
	if cpus == 0 {
		return ""
	}
	return strconv.FormatInt(cpus, 10) + " CPU, " + size(textOf(d, "mem-size"))
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

// buttons are the templates that ask nothing, in the order of the document: one of them
// before the others, and what takes something away behind them.
func buttons(v *page.View, primary string, more ...g.Node) g.Node {
	var head, list, tail, last g.Group
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		switch {
		case len(t.Properties) > 0:
		case t.Key == primary:
			head = append(head, press(v, t, "primary"))
		case t.Key == "delete":
			last = append(last, press(v, t, ""))
		case dangerous(t):
			tail = append(tail, press(v, t, ""))
		default:
			list = append(list, press(v, t, ""))
		}
	}
	for _, x := range more {
		if x != nil {
			head = append(head, x)
		}
	}
	if len(head)+len(list)+len(tail)+len(last) == 0 {
		return nil
	}
	return h.Div(h.Class("actions"), head, list, tail, last)
}

// press is the button of a template that asks nothing. What cannot be undone is asked
// once more.
func press(v *page.View, t *hal.Template, class string) g.Node {
	if dangerous(t) {
		class = "danger"
	}
	button := h.Form(h.Method("post"), h.Action(actionOf(v, t)),
		h.Button(h.Type("submit"), g.If(class != "", h.Class(class)), g.If(!dangerous(t), hover(doc(v, t))), g.Text(verb(t))))
	if dangerous(t) {
		return confirmed(verb(t), question(v, t), button)
	}
	return button
}

// question is what is asked before what cannot be undone.
func question(v *page.View, t *hal.Template) string {
	if t.Title == "" {
		return doc(v, t)
	}
	return strings.TrimSpace(t.Title + "? " + doc(v, t))
}

// formsBut are the templates that ask something, without those that the page shows
// elsewhere.
func formsBut(v *page.View, elsewhere ...string) g.Node {
	var list g.Group
next:
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		for _, key := range elsewhere {
			if t.Key == key {
				continue next
			}
		}
		if len(t.Properties) > 0 {
			list = append(list, form(v, t))
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// ids are what support asks for, out of the way.
func ids(d *hal.Document) g.Node {
	return h.Details(h.Class("card part"), h.Summary(g.Text("Ids")), facts(
		fact{"Id", word(textOf(d, "id"))}, fact{"Global id", word(textOf(d, "global-id"))}, fact{"UUID", word(textOf(d, "uuid"))},
	))
}
