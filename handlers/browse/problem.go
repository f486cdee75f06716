package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
)

// problem is the page of a request that has nothing else to show.
func (f *Face) problem(v *page.View) g.Node {
	if v.Problem == nil {
		return nil
	}
	var sent g.Node
	if v.Sent != nil {
		sent = typed(v.Sent.Values)
	}
	return g.Group{
		h.H1(g.Text(v.Problem.Title)),
		h.Div(h.Class("notice bad"), problemText(v.Problem)),
		sent,
	}
}

// problemText says what is wrong, and with what.
func problemText(p *hal.Problem) g.Node {
	var list g.Group
	for _, e := range p.Errors {
		list = append(list, h.Li(h.Code(g.Text(e.Pointer)), g.Text(" "+e.Reason)))
	}
	return g.Group{
		h.P(g.Text(p.Detail)),
		g.If(list != nil, h.Ul(list)),
		g.If(p.Type != "", h.P(h.A(h.Href(p.Type), g.Text("About this problem")))),
	}
}
