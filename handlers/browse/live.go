package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/view"
)

// live returns content as a region that follows the events of the document while work on
// it is in progress; idle content is returned without them. Elements with an id and the
// attribute data-region are replaced by their new version: see assets/live.js. Without
// scripts, a link reloads the page.
func live(v *view.View, idle bool, content ...g.Node) g.Node {
	if idle {
		return h.Div(h.Class("kind"), g.Group(content))
	}
	events, ok := oneLink(v.Doc, "cb:events")
	if !ok {
		events.Href = apiBase + "/events/?about=" + strings.TrimSuffix(selfOf(v.Doc), "/")
	}
	return h.Div(h.Class("kind"), g.Attr("data-events", events.Href),
		h.P(h.Class("refresh"), h.ID("live-note"), h.A(h.Href(pageOf(v)), g.Text("Refresh")), h.Span(g.Text(" to see how far it is."))),
		h.P(h.Class("unseen"), h.ID("live-said"), h.Role("status"), g.Attr("aria-live", "polite")),
		g.Group(content))
}

// region returns a part of a page that live updates replace. The id must be unique in the
// page.
func region(id string, content ...g.Node) g.Node {
	return h.Div(h.ID(id), g.Attr("data-region"), g.Group(content))
}
