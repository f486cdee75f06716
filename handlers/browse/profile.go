package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/page"
)

// profile is the page of a user: one's own has what only oneself may do.
func (f *Face) profile(v *page.View, _ string) g.Node {
	d := v.Doc
	own := v.Path == Base+"/user" || v.Actor.ID.String() == textOf(d, "id")
	title := strings.TrimSpace(textOf(d, "first-name") + " " + textOf(d, "last-name"))
	if title == "" {
		title = textOf(d, "username")
	}
	return h.Div(h.Class("kind"),
		heading(v, title),
		h.Div(h.Class("state"), standingOf(d), g.If(own, mark("This is you", calm))),
		h.Div(h.Class("columns"),
			h.Div(
				part("Roles", roles(embeddedOf(d, "cb:memberships")), all(d, "cb:memberships", "All roles")),
				g.If(own, part("Ordering", ordering(d))),
			),
			h.Div(
				part("About "+h1Of(own, title), facts(
					fact{"User id", h.Code(g.Text(textOf(d, "id")))},
					fact{"User name", word(textOf(d, "username"))},
					fact{"E-mail", said(d, "email")},
					fact{"Global id", word(textOf(d, "global-id"))},
					fact{"UUID", word(textOf(d, "uuid"))},
				)),
				part("Signing in", signingIn(d)),
				part("History", all(d, "history", "What happened to the user")),
			),
		),
		buttons(v, "-"),
		formsBut(v),
	)
}

func h1Of(own bool, name string) string {
	if own {
		return "you"
	}
	return name
}

// standingOf says what a user is beyond the roles.
func standingOf(d *hal.Document) g.Node {
	var list g.Group
	if !prop(d, "is-active").Bool() {
		list = append(list, mark("Cannot sign in", bad))
	}
	if prop(d, "is-superuser").Bool() {
		list = append(list, mark("May do everything", warn))
	}
	if prop(d, "is-global-viewer").Bool() {
		list = append(list, mark("Sees everything", warn))
	}
	return list
}

// roles shows memberships: where, as what, until when.
func roles(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return h.P(h.Class("none"), g.Text("No role in any group."))
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		until := when(textOf(d, "expires"))
		if until == nil {
			until = g.Text("for good")
		}
		rows = append(rows, h.Tr(cell("Group", linkTo(d, "group")), cell("Role", linkTo(d, "role")), cell("Until", until)))
	}
	return grid([]string{"Group", "Role", "Until"}, rows)
}

// ordering leads to what one can order for.
func ordering(d *hal.Document) g.Node {
	return h.Ul(
		h.Li(h.A(h.Href(Base+"/user/current-order"), g.Text("Your cart"))),
		g.If(len(linksOf(d, "cb:orderable-groups")) > 0, h.Li(linkTo(d, "cb:orderable-groups"))),
		h.Li(h.A(h.Href(Base+"/orders/?filter=owner.id:"+textOf(d, "id")), g.Text("Your orders"))),
		h.Li(h.A(h.Href(Base+"/servers/?filter=owner.id:"+textOf(d, "id")), g.Text("Your servers"))),
	)
}

// signingIn are the ways to where sessions, tokens and the password are, as far as the
// document has them.
func signingIn(d *hal.Document) g.Node {
	var list g.Group
	for _, rel := range []string{"sessions", "cb:sessions", "api-tokens", "cb:api-tokens"} {
		if l, ok := oneLink(d, rel); ok {
			list = append(list, h.Li(link(&l)))
		}
	}
	if list == nil {
		return nil
	}
	return h.Ul(list)
}
