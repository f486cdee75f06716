package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/view"
)

// live is what a page shows that may change while it is looked at. Parts with an id
// of their own and the attribute data-region are put in place of the old ones; see
// assets/live.js. Without a script there is a link that does the same.
func live(v *view.View, idle bool, content ...g.Node) g.Node {
	if idle {
		return h.Div(h.Class("kind"), g.Group(content))
	}
	events, ok := oneLink(v.Doc, "cb:events")
	if !ok {
		events.Href = Base + "/events/?about=" + strings.TrimSuffix(selfOf(v.Doc), "/")
	}
	return h.Div(h.Class("kind"), g.Attr("data-events", events.Href),
		h.P(h.Class("refresh"), h.ID("live-note"), h.A(h.Href(pageOf(v)), g.Text("Refresh")), h.Span(g.Text(" to see how far it is."))),
		h.P(h.Class("unseen"), h.ID("live-said"), h.Role("status"), g.Attr("aria-live", "polite")),
		g.Group(content))
}

// region is a part of a page that may change while it is looked at.
func region(id string, content ...g.Node) g.Node {
	return h.Div(h.ID(id), g.Attr("data-region"), g.Group(content))
}
