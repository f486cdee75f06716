package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/view"
)

// alone reports whether the page asks one thing of somebody who is nobody yet, or
// tells it: to sign in, for a new password.
func alone(v *view.View) bool {
	return v.Of == nil && !v.SignedIn() && (len(v.Doc.Templates) > 0 || detail(v) != "")
}

func detail(v *view.View) string {
	for i := range v.Doc.Props {
		if v.Doc.Props[i].Name == "detail" {
			return v.Doc.Props[i].Value.Text()
		}
	}
	return ""
}

// gate is such a page: what it asks or tells, and where else one may want to go.
func gate(v *view.View, title string) g.Node {
	var ways g.Group
	for i := range v.Doc.Links {
		r := &v.Doc.Links[i]
		if plumbing[r.Name] {
			continue
		}
		for j := range r.Links {
			ways = append(ways, h.Li(link(&r.Links[j])))
		}
	}
	if len(v.Doc.Templates) == 0 {
		ways = append(ways, h.Li(h.A(h.Href(Base+"/sign-in"), g.Text("Sign in"))))
	}
	told := detail(v)
	return h.Div(h.Class("gate"), h.H1(g.Text(title)), g.If(told != "", h.P(g.Text(told))), forms(v), g.If(ways != nil, h.Ul(ways)))
}
