package browse

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// service returns the page of a service, a deployed blueprint.
func (f *Face) service(v *view.View, title string) g.Node {
	d := v.Doc
	return live(v, isIdle(d, "ACTIVE"),
		heading(v, title),
		region("service-state", h.Div(h.Class("state"), badge(textOf(d, "status"))), buttons(v, "-")),
		region("service-forms", formsExcept(v)),
		h.Div(h.Class("columns"),
			h.Div(
				region("service-servers", tiers(embeddedOf(d, "servers"))),
				region("service-jobs", section("Jobs", jobTree(embeddedOf(d, "jobs")), allLink(d, "jobs", "All jobs"))),
			),
			h.Div(
				region("service-facts", section("About it", facts(
					fact{"Blueprint", linkTo(d, "blueprint")},
					fact{"Owner", person(d, "owner")},
					fact{"Group", linkTo(d, "group")},
					fact{"Order", linkTo(d, "order")},
					fact{"Complete since", when(textOf(d, "install-date"))},
					fact{"Lease", lease(d, v.Now)},
				))),
				region("service-history", history(d)),
				collapsedSection("What its order said", prop(d, "parameters")),
				ids(d),
			),
		),
	)
}

// tiers returns the servers of a service, one section per tier.
func tiers(docs []hal.Document) g.Node {
	var names []string
	by := map[string][]hal.Document{}
	for i := range docs {
		tier := textOf(&docs[i], "tier")
		if by[tier] == nil {
			names = append(names, tier)
		}
		by[tier] = append(by[tier], docs[i])
	}
	var all g.Group
	for _, tier := range names {
		title := tier
		if title == "" {
			title = "Servers"
		}
		all = append(all, section(title, serverTable(by[tier])))
	}
	if all == nil {
		return h.P(h.Class("empty"), g.Text("It has no servers."))
	}
	return all
}
