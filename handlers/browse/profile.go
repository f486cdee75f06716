package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// profile returns the page of a user. The user's own page has links that other users'
// pages lack.
func (f *Face) profile(v *view.View, _ string) g.Node {
	d := v.Doc
	own := v.Path == apiBase+"/user" || v.Actor.ID.String() == textOf(d, "id")
	title := strings.TrimSpace(textOf(d, "first-name") + " " + textOf(d, "last-name"))
	if title == "" {
		title = textOf(d, "username")
	}
	return h.Div(h.Class("kind"),
		heading(v, title),
		h.Div(h.Class("state"), accountBadges(d), g.If(own, toneBadge("This is you", neutral))),
		buttons(v, "-"),
		h.Div(h.Class("columns"),
			h.Div(
				section("Roles", roles(embeddedOf(d, "cb:memberships")), allLink(d, "cb:memberships", "All roles")),
				section("Sessions", sessions(embeddedOf(d, "cb:sessions")), allLink(d, "cb:sessions", "All sessions")),
				credentials(d, own),
				g.If(own, section("Ordering", ordering(d))),
			),
			h.Div(
				section("About "+youOr(own, title), facts(
					fact{"User id", h.Code(g.Text(textOf(d, "id")))},
					fact{"User name", optionalText(textOf(d, "username"))},
					fact{"E-mail", optionalProp(d, "email")},
					fact{"Global id", optionalText(textOf(d, "global-id"))},
					fact{"UUID", optionalText(textOf(d, "uuid"))},
				)),
				section("History", allLink(d, "history", "What happened to the user")),
			),
		),
		formsExcept(v),
	)
}

// credentials returns the section with a user's API tokens, nil when the viewer may not
// see them.
func credentials(d *hal.Document, own bool) g.Node {
	if len(linksOf(d, "cb:api-tokens")) == 0 {
		return nil
	}
	return section("API tokens", tokens(embeddedOf(d, "cb:api-tokens")),
		g.If(own, h.P(h.A(h.Class("button"), h.Href(apiBase+"/api-tokens/"), g.Text("Make or revoke tokens")))))
}

// youOr returns "you" on one's own page, the name on others'.
func youOr(own bool, name string) string {
	if own {
		return "you"
	}
	return name
}

// accountBadges returns badges for an inactive account and for global permissions.
func accountBadges(d *hal.Document) g.Node {
	var list g.Group
	if !prop(d, "is-active").Bool() {
		list = append(list, toneBadge("Cannot sign in", bad))
	}
	if prop(d, "is-superuser").Bool() {
		list = append(list, toneBadge("May do everything", warn))
	}
	if prop(d, "is-global-viewer").Bool() {
		list = append(list, toneBadge("Sees everything", warn))
	}
	return list
}

// roles returns memberships as a table.
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

// ordering returns links to the user's cart, orders and servers.
func ordering(d *hal.Document) g.Node {
	return h.Ul(
		h.Li(h.A(h.Href(apiBase+"/user/current-order"), g.Text("Your cart"))),
		g.If(len(linksOf(d, "cb:orderable-groups")) > 0, h.Li(linkTo(d, "cb:orderable-groups"))),
		h.Li(h.A(h.Href(apiBase+"/orders/?filter=owner.id:"+textOf(d, "id")), g.Text("Your orders"))),
		h.Li(h.A(h.Href(apiBase+"/servers/?filter=owner.id:"+textOf(d, "id")), g.Text("Your servers"))),
	)
}

// sessions returns a user's sessions as a table, nil when there are none.
func sessions(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		var current g.Node
		if prop(d, "current").Bool() {
			current = toneBadge("this one", neutral)
		}
		rows = append(rows, h.Tr(
			cell("Session", h.Span(selfLink(d), g.Text(" "), current)), cell("From", optionalText(textOf(d, "address"))),
			cell("With", optionalText(textOf(d, "user-agent"))), cell("Last seen", when(textOf(d, "last-seen"))),
		))
	}
	return grid([]string{"Session", "From", "With", "Last seen"}, rows)
}

// tokens returns a user's API tokens as a table.
func tokens(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return h.P(h.Class("none"), g.Text("None."))
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		rows = append(rows, h.Tr(
			cell("Token", selfLink(d)), cell("Begins with", h.Code(g.Text(textOf(d, "prefix")))), cell("Good for", optionalText(textOf(d, "scope"))),
			cell("Until", day(textOf(d, "expires"))), cell("Last used", when(textOf(d, "last-used"))),
		))
	}
	return grid([]string{"Token", "Begins with", "Good for", "Until", "Last used"}, rows)
}
