package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/view"
)

// usesAuthLayout reports whether the page is a form or a message for a visitor who has
// not signed in: sign-in, a new password.
func usesAuthLayout(v *view.View) bool {
	return v.Of == nil && !v.SignedIn() && (len(v.Doc.Templates) > 0 || detailOf(v) != "")
}

// detailOf returns the text of the document's "detail" member, "" when it has none.
func detailOf(v *view.View) string {
	for i := range v.Doc.Props {
		if v.Doc.Props[i].Name == "detail" {
			return v.Doc.Props[i].Value.Text()
		}
	}
	return ""
}

// authLayout returns the page of such a form or message, with links to the other ways in
// below it.
func authLayout(v *view.View, title string) g.Node {
	var items g.Group
	for i := range v.Doc.Links {
		r := &v.Doc.Links[i]
		if structuralRels[r.Name] {
			continue
		}
		for j := range r.Links {
			items = append(items, h.Li(link(&r.Links[j])))
		}
	}
	if len(v.Doc.Templates) == 0 {
		items = append(items, h.Li(h.A(h.Href(apiBase+"/sign-in"), g.Text("Sign in"))))
	}
	text := detailOf(v)
	return h.Div(h.Class("gate"), h.H1(g.Text(title)), g.If(text != "", h.P(g.Text(text))), forms(v), g.If(items != nil, h.Ul(items)))
}
