package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/hal"
	"halcyon/pkg/resource"
)

// standing is what a status says of how things are.
type standing string

const (
	good standing = "good"
	bad  standing = "bad"
	warn standing = "warn"
	busy standing = "busy"
	calm standing = "calm"
)

// shapes tell standings apart for who sees no colours.
var shapes = map[standing]string{good: "✓", bad: "✕", warn: "!", busy: "…", calm: "○"}

// state is a status as people say it.
type state struct {
	text string
	is   standing
}

// statuses are the words of the API as people say them.
var statuses = map[string]state{
	"CART": {"In the cart", calm}, "PENDING": {"Waiting", warn}, "QUEUED": {"Queued", busy}, "RUNNING": {"Running", busy},
	"TO_CANCEL": {"Stopping", warn}, "SUCCESS": {"Done", good}, "WARNING": {"Done, with warnings", warn}, "FAILURE": {"Failed", bad},
	"DENIED": {"Denied", bad}, "CANCELED": {"Canceled", bad},
	"PROV": {"Being made", busy}, "MODIFY": {"Being changed", busy}, "DECOM": {"Being removed", busy},
	"HISTORICAL": {"Removed", calm}, "PROVFAILED": {"Failed", bad}, "PROVISIONING": {"Being made", busy},
	"POWERON": {"On", good}, "POWEROFF": {"Off", calm}, "UNKNOWN": {"Power unknown", warn},
	"ACTIVE": {"Active", good}, "DRAFT": {"Draft", calm}, "PAUSED": {"Paused", warn}, "ARCHIVED": {"Archived", calm},
}

// orderStatuses are those that say something else of an order: what is active works,
// and what is pending waits for somebody.
var orderStatuses = map[string]state{"ACTIVE": {"Working", busy}, "PENDING": {"Waiting for approval", warn}}

// stateOf gives how a status is said, of an order or of anything else, and whether it
// is one that is known.
func stateOf(status string, order bool) (s state, known bool) {
	if s, known = orderStatuses[status]; known && order {
		return s, true
	}
	if s, known = statuses[strings.ToUpper(status)]; !known {
		s = state{label(status), calm}
	}
	return s, known
}

// badge shows a status by its word, a shape and a colour.
func badge(status string) g.Node {
	if status == "" {
		return nil
	}
	s, _ := stateOf(status, false)
	return mark(s.text, s.is)
}

// orderBadge is the badge of an order.
func orderBadge(status string) g.Node {
	s, _ := stateOf(status, true)
	return mark(s.text, s.is)
}

// appendState appends the badge of a row of the kind.
func appendState(b []byte, of *resource.Def, status string) []byte {
	s, _ := stateOf(status, isOrder(of))
	return appendMark(b, s.text, s.is)
}

// isOrder reports whether the rows of the kind are orders; nil is no kind.
func isOrder(of *resource.Def) bool { return of != nil && of.Plural == "orders" }

// mark is a badge of one's own words.
func mark(text string, is standing) g.Node { return markup(appendMark(nil, text, is)) }

func appendMark(b []byte, text string, is standing) []byte {
	b = append(append(b, `<span class="badge `...), is...)
	b = append(append(append(b, `"><span aria-hidden="true">`...), shapes[is]...), " </span>"...)
	return append(appendText(b, text), "</span>"...)
}

// resting are the statuses in which nothing moves by itself.
var resting = map[string]bool{
	"CART": true, "SUCCESS": true, "WARNING": true, "FAILURE": true, "DENIED": true, "CANCELED": true,
	"HISTORICAL": true, "PROVFAILED": true,
}

// atRest reports whether nothing that the page shows moves by itself: the document's own
// status does not, and none of its jobs' does.
func atRest(d *hal.Document, settled ...string) bool {
	status := strings.ToUpper(textOf(d, "status"))
	rest := resting[status]
	for _, s := range settled {
		rest = rest || status == s
	}
	for _, rel := range []string{"jobs", "subjobs"} {
		docs := embeddedOf(d, rel)
		for i := range docs {
			rest = rest && resting[textOf(&docs[i], "status")]
		}
	}
	return rest
}
