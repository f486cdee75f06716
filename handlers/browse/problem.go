package browse

import (
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// problem returns the page of a request that failed and has no document to show.
func (f *Face) problem(v *view.View, title string) g.Node {
	if v.Problem == nil {
		return nil
	}
	if v.Of != nil && v.Many && !v.Posted && v.Problem.Status == http.StatusBadRequest {
		// The filter or the order is wrong: it can be corrected here.
		return g.Group{
			h.H1(g.Text(title)),
			h.Div(h.Class("notice bad"), h.ID("problem"), h.Role("alert"), h.TabIndex("-1"), problemText(v.Problem)),
			filter(v),
			unfilteredLink(v.Of),
		}
	}
	var sent g.Node
	if v.Sent != nil {
		sent = sentValues(v.Sent.Values)
	}
	return g.Group{
		h.H1(g.Text(v.Problem.Title)),
		h.Div(h.Class("notice bad"), h.Role("alert"), problemText(v.Problem)),
		action(v),
		sent,
		fallbackLinks(v),
	}
}

// problemText returns the detail of a problem and the list of its errors.
func problemText(p *hal.Problem) g.Node {
	var list g.Group
	for _, e := range p.Errors {
		list = append(list, h.Li(h.Code(g.Text(e.Pointer)), g.Text(" "+e.Reason)))
	}
	return g.Group{
		g.If(p.Detail != p.Title || list != nil, h.P(g.Text(p.Detail))),
		g.If(list != nil, h.Ul(list)),
		g.If(p.Type != "", h.P(h.A(h.Href(p.Type), g.Text("About this problem")))),
	}
}

// action explains an address that only takes POST; nil for other problems.
func action(v *view.View) g.Node {
	if v.Problem.Status != http.StatusMethodNotAllowed || v.Posted {
		return nil
	}
	if v.Action == nil {
		return h.P(g.Text("Something is sent to this address, and nothing is read from it."))
	}
	return g.Group{
		h.P(g.Text("This is the address of the action “" + v.Action.Title + "”. It is done by a POST, and cannot be opened. " + v.Action.Doc)),
		h.Ul(h.Class("actions"),
			h.Li(h.A(h.Class("button"), h.Href(v.Path[:strings.LastIndex(v.Path, "/actions/")]+"/"), g.Text("To the page that offers it"))),
			h.Li(h.A(h.Class("button"), h.Href(apiBase+"/docs/rels/"+v.Action.Rel), g.Text("About the action")))),
	}
}

// fallbackLinks returns links away from a page without a document.
func fallbackLinks(v *view.View) g.Node {
	items := g.Group{}
	if v.Of != nil {
		items = append(items, h.Li(h.A(h.Class("button"), h.Href(v.Of.Path()), g.Text("All "+v.Of.Noun))))
	}
	return h.Ul(h.Class("actions"), items, h.Li(h.A(h.Class("button"), h.Href(apiBase+"/"), g.Text("Home"))))
}
