package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// home returns the first page: approvals that wait for the user, running jobs, carts,
// servers, the catalogue, and all links of the API's root.
func (f *Face) home(v *view.View, _ string) g.Node {
	d := v.Doc
	moves := false
	for _, rel := range []string{"cb:running"} {
		moves = moves || len(embeddedOf(d, rel)) > 0
	}
	return h.Div(h.Class("kind"), g.If(moves, g.Attr("data-poll")),
		heading(v, "Welcome, "+v.Actor.Username),
		region("home-waiting", section("Waiting for your approval", pendingApprovals(embeddedOf(d, "cb:waiting")),
			h.P(h.Class("more"), h.A(h.Href(apiBase+"/orders/?filter=status:PENDING"), g.Text("All pending orders"))))),
		h.Div(h.Class("columns even"),
			region("home-running", section("Under way", orEmpty(jobTree(embeddedOf(d, "cb:running")), "Nothing is being worked on."),
				h.P(h.Class("more"), h.A(h.Href(apiBase+"/jobs/?filter=status:RUNNING"), g.Text("All running jobs"))))),
			region("home-carts", section("In your cart", orEmpty(carts(embeddedOf(d, "cb:carts")), "Nothing yet."),
				h.P(h.Class("more"), h.A(h.Href(apiBase+"/user/current-order"), g.Text("Go to the cart"))))),
		),
		h.Section(h.H2(g.Text("Catalogue")), orEmpty(blueprintCards(embeddedOf(d, "blueprints")), "Nothing can be ordered yet."),
			h.P(h.Class("more"), h.A(h.Href(apiBase+"/blueprints/"), g.Text("The whole catalogue")))),
		region("home-servers", section("Your servers", orEmpty(serverTable(embeddedOf(d, "servers")), "You have none yet."),
			h.P(h.Class("more"), h.A(h.Href(apiBase+"/servers/?filter=owner.id:"+v.Actor.ID.String()), g.Text("All your servers"))))),
		h.Section(h.Class("card part"), h.ID(allResourcesID), h.H2(g.Text("Everything there is")), h.Ul(h.Class("index"), index(d))),
	)
}

// orEmpty returns content, or text when content is nil.
func orEmpty(content g.Node, text string) g.Node {
	if content == nil {
		return h.P(h.Class("none"), g.Text(text))
	}
	return content
}

// pendingApprovals returns the orders that wait for the user's decision.
func pendingApprovals(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	rows := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		rows = append(rows, h.Tr(cell("Order", selfLink(d)), cell("What", optionalText(textOf(d, "summary"))), cell("By", optionalText(textOf(d, "owner.username"))),
			cell("Group", linkTo(d, "group")), cell("Price", price(textOf(d, "rate")))))
	}
	return grid([]string{"Order", "What", "By", "Group", "Price"}, rows)
}

func carts(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	var items g.Group
	for i := range docs {
		d := &docs[i]
		summary := textOf(d, "summary")
		if summary == "" {
			summary = "empty"
		}
		items = append(items, h.Li(h.A(h.Href(selfOf(d)), g.Text("Cart "+textOf(d, "id"))), g.Text(": "+summary+" "), g.If(summary != "empty", price(textOf(d, "rate")))))
	}
	return h.Ul(h.Class("values"), items)
}

// index returns all links of the API's root, without those that only take POST.
func index(d *hal.Document) g.Node {
	var items g.Group
	for i := range d.Links {
		r := &d.Links[i]
		if structuralRels[r.Name] || postOnlyRels[r.Name] {
			continue
		}
		for j := range r.Links {
			if l := &r.Links[j]; l.Href != "" && !l.Templated {
				items = append(items, h.Li(link(l)))
			}
		}
	}
	return items
}

// postOnlyRels are the relations of the root that only take POST.
var postOnlyRels = map[string]bool{"cb:sign-out": true, "cb:sync-vms": true}
