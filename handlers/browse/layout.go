package browse

import (
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// navLinks are the links of the main navigation.
var navLinks = []hal.Link{
	{Href: apiBase + "/blueprints/", Title: "Catalogue"},
	{Href: apiBase + "/servers/", Title: "Servers"},
	{Href: apiBase + "/services/", Title: "Services"},
	{Href: apiBase + "/orders/?order=-id", Title: "Orders"},
	{Href: apiBase + "/jobs/?order=-id", Title: "Jobs"},
}

// allResourcesID is the element id of the home page's list of all resources.
const allResourcesID = "everything"

// layout returns the whole page: header, breadcrumbs, notices, content and footer.
func (f *Face) layout(v *view.View) g.Node {
	title := titleOf(v)
	return f.page(v, title, nil, f.content(v, title))
}

// page returns a page with extra elements for its head (nil for none) and its content.
func (f *Face) page(v *view.View, title string, head, content g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(title+" · Halcyon")),
			h.Link(h.Rel("stylesheet"), h.Href(f.assets.url("halcyon.css"))),
			h.Link(h.Rel("icon"), h.Type("image/svg+xml"), h.Href(f.assets.url("icon.svg"))),
			h.Script(h.Src(f.assets.url("halcyon.js")), h.Type("module")),
			h.Script(h.Src(f.assets.url("live.js")), h.Type("module")),
			head,
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#main"), g.Text("Skip to content")),
			f.header(v),
			h.Main(h.ID("main"), h.TabIndex("-1"),
				crumbs(v, title),
				notices(v),
				content,
			),
			footer(),
		),
	))
}

// content returns the main part of the page, chosen by the kind of document.
func (f *Face) content(v *view.View, title string) g.Node {
	switch {
	case v.Doc == nil:
		return f.problem(v, title)
	case v.Source != nil:
		return g.Group{heading(v, title), source(v)}
	case v.Article != nil:
		return article(v, title)
	case bulkOutcome(v, title) != nil:
		return bulkOutcome(v, title)
	case pageFor(v) != nil:
		return pageFor(v)(f, v, title)
	case v.Many:
		return f.list(v, title)
	}
	if usesAuthLayout(v) {
		return authLayout(v, title)
	}
	return f.document(v, title)
}

// header returns the bar with the main navigation, the cart and the account.
func (f *Face) header(v *view.View) g.Node {
	current := func(href string) g.Node {
		path, _, _ := strings.Cut(href, "?")
		return g.If(strings.HasPrefix(v.Path+"/", path), g.Attr("aria-current", "page"))
	}
	account := v.Actor.Username
	if !v.SignedIn() && strings.HasPrefix(v.Path+"/", apiBase+"/docs/") { // the same page for all users
		account = "Account"
	}
	links := make(g.Group, 0, len(navLinks)+1)
	for _, p := range navLinks {
		links = append(links, h.Li(h.A(h.Href(p.Href), current(p.Href), g.Text(p.Title))))
	}
	links = append(links, h.Li(h.Class("wide"), h.A(h.Href(apiBase+"/#"+allResourcesID), g.Text("More"))))
	return h.Header(h.Class("bar"),
		h.A(h.Class("brand"), h.Href(apiBase+"/"), h.Img(h.Src(f.assets.url("icon.svg")), h.Alt(""), h.Width("24"), h.Height("24")), h.Span(g.Text("Halcyon"))),
		g.If(account != "", g.Group{
			h.Nav(g.Attr("aria-label", "Main"), h.Ul(links)),
			h.Ul(h.Class("mine"),
				h.Li(h.A(h.Href(apiBase+"/user/current-order"), current(apiBase+"/user/current-order/"), g.Text("Cart"))),
				h.Li(h.Class("who"), h.A(h.Href(apiBase+"/user"), g.Text(account))),
				g.If(v.Actor.Session != "", h.Li(h.Class("wide"), h.Form(h.Method("post"), h.Action(apiBase+"/user/actions/sign-out"), h.Button(h.Type("submit"), g.Text("Sign out"))))),
			),
		}),
	)
}

// crumbs returns the breadcrumbs, read from the document's own links.
func crumbs(v *view.View, title string) g.Node {
	if v.Doc == nil {
		return nil
	}
	items := g.Group{h.Li(h.A(h.Href(apiBase+"/"), g.Text("Home")))}
	for _, name := range []string{"collection", "up"} {
		for _, l := range linksOf(v.Doc, name) {
			if l.Href != apiBase+"/" {
				items = append(items, h.Li(h.A(h.Href(l.Href), g.Text(plainTitle(l.Title, true)))))
			}
		}
	}
	if v.Many && v.Of != nil && v.Path != v.Of.Path() {
		items = append(items, parentCrumbs(v.Path))
	}
	if selfOf(v.Doc) != apiBase+"/" {
		items = append(items, h.Li(h.Span(g.Attr("aria-current", "page"), g.Text(title))))
	}
	return h.Nav(h.Class("crumbs"), g.Attr("aria-label", "Breadcrumbs"), h.Ol(items))
}

// parentCrumbs returns a breadcrumb for each parent in the path of a list below an item.
func parentCrumbs(path string) g.Node {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), apiBase+"/")
	segments := strings.Split(rest, "/")
	if !ok {
		return nil
	}
	var items g.Group
	for i := range segments[:len(segments)-1] {
		items = append(items, h.Li(h.A(h.Href(apiBase+"/"+strings.Join(segments[:i+1], "/")+"/"), g.Text(label(segments[i])))))
	}
	return items
}

// notices returns the errors of a form that was sent back, or the message about the last
// successful one.
func notices(v *view.View) g.Node {
	if v.Doc != nil && v.Problem != nil {
		return formErrors(v)
	}
	if v.Sent != nil && v.Sent.Notice != "" {
		return h.Div(h.Class("notice"), h.Role("status"), h.P(g.Text(v.Sent.Notice)))
	}
	if v.Flash != nil {
		return h.Div(h.Class("notice good"), h.Role("status"), h.P(doneText(v)))
	}
	return nil
}

// participles are the words for a finished action, by the action's name.
var participles = map[string]string{
	"create": "created", "change": "changed", "delete": "deleted", "submit": "submitted", "approve": "approved", "deny": "denied",
	"cancel": "canceled", "duplicate": "duplicated", "retry": "started again", "import": "imported", "revoke": "revoked", "verify": "verified",
}

// doneText returns the message about the form that was just sent: what it changed, and
// which document it led to.
func doneText(v *view.View) g.Node {
	d := v.Flash
	if d.What.Href == "" {
		return g.Text("It was deleted.")
	}
	self := selfOf(v.Doc)
	what := link(&d.What)
	if strings.Trim(self, "/") == strings.Trim(d.What.Href, "/") {
		what = g.Text(d.What.Title)
	} else if d.Name == "order" && v.Of != nil && v.Of.Plural == "orders" {
		if textOf(v.Doc, "status") == "CART" {
			return g.Group{what, g.Text(" is in your cart.")}
		}
		return g.Group{what, g.Text(" was ordered.")}
	} else if v.Of != nil && !v.Many && d.Name != "change" && d.Name != "create" {
		return g.Group{g.Text(d.Title + " "), what, g.Text(": " + titleOf(v) + resultText(v.Of.Plural))}
	}
	if done, ok := participles[d.Name]; ok {
		return g.Group{what, g.Text(" was " + done + ".")}
	}
	return g.Group{g.Text(d.Title + " "), what, g.Text(": done.")}
}

// resultText returns the sentence that ties the page's document to the action that
// created it.
func resultText(plural string) string {
	if plural == "jobs" {
		return " has been started."
	}
	return " has been made of it."
}

func footer() g.Node {
	return h.Footer(
		h.A(h.Href(apiBase+"/docs/"), g.Text("Documentation")),
		h.A(h.Href(apiBase+"/"), g.Text("API root")),
	)
}

// heading returns the page's title and the links to its other representations.
func heading(v *view.View, title string) g.Node {
	if v.Posted {
		return h.Div(h.Class("heading"), h.H1(g.Text(title)))
	}
	return h.Div(h.Class("heading"), h.H1(g.Text(title)), representationLinks(v))
}

// representationLinks returns the links to the page's representations: HTML, HAL,
// HAL-FORMS and plain JSON.
func representationLinks(v *view.View) g.Node {
	list := make(g.Group, 0, 4)
	for _, x := range []struct{ name, label string }{{"", "Page"}, {"hal", "HAL"}, {"forms", "HAL-FORMS"}, {"json", "JSON"}} {
		query := v.Query
		if x.name != "" {
			query = strings.TrimPrefix(query+"&_source="+x.name, "&")
		}
		href := v.Path
		if query != "" {
			href += "?" + query
		}
		on := v.Source == nil && x.name == "" || v.Source != nil && x.name == sourceName(v.Shown)
		list = append(list, h.Li(h.A(h.Href(href), g.If(on, g.Attr("aria-current", "true")), g.Text(x.label))))
	}
	return h.Nav(h.Class("views"), g.Attr("aria-label", "Representation"), h.Ul(list))
}

// sourceName returns the value of the _source parameter that asks for a representation.
func sourceName(r hal.Representation) string {
	switch r {
	case hal.AsHAL, hal.AsHTML:
	case hal.AsHALForms:
		return "forms"
	case hal.AsCloudBolt:
		return "json"
	}
	return "hal"
}

// titleOf returns the title of the page.
func titleOf(v *view.View) string {
	if v.Doc == nil {
		if v.Of != nil && v.Many && !v.Posted && v.Problem != nil && v.Problem.Status == http.StatusBadRequest {
			return v.Of.Noun
		}
		if v.Problem != nil {
			return v.Problem.Title
		}
		return "Halcyon"
	}
	if name := textOf(v.Doc, "username"); name != "" && v.Of != nil && v.Of.Plural == "users" {
		return name
	}
	for _, l := range linksOf(v.Doc, "self") {
		if l.Title != "" {
			return plainTitle(l.Title, v.Many)
		}
	}
	return v.Path
}

// plainTitle returns a title as people read it. A list's loses the page number and the
// words "List of".
func plainTitle(title string, list bool) string {
	if !list {
		return title
	}
	if i := strings.LastIndex(title, " - Page "); i >= 0 {
		title = title[:i]
	}
	if title = strings.TrimPrefix(title, "List of "); title == "Blueprints" {
		return "Catalogue"
	}
	return title
}

func linksOf(doc *hal.Document, rel string) []hal.Link {
	for i := range doc.Links {
		if doc.Links[i].Name == rel {
			return doc.Links[i].Links
		}
	}
	return nil
}

func selfOf(doc *hal.Document) string {
	for _, l := range linksOf(doc, "self") {
		return l.Href
	}
	return ""
}
