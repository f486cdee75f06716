package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/hal"
	"halcyon/pkg/resource"
)

// tone is what a status says of how things are.
type tone string

const (
	good    tone = "good"
	bad     tone = "bad"
	warn    tone = "warn"
	busy    tone = "busy"
	neutral tone = "calm"
)

// toneIcons tell standings apart for who sees no colours.
var toneIcons = map[tone]string{good: "✓", bad: "✕", warn: "!", busy: "…", neutral: "○"}

// state is a status as people say it.
type state struct {
	text string
	tone tone
}

// statuses are the words of the API as people say them.
var statuses = map[string]state{
	"CART": {"In the cart", neutral}, "PENDING": {"Waiting", warn}, "QUEUED": {"Queued", busy}, "RUNNING": {"Running", busy},
	"TO_CANCEL": {"Stopping", warn}, "SUCCESS": {"Done", good}, "WARNING": {"Done, with warnings", warn}, "FAILURE": {"Failed", bad},
	"DENIED": {"Denied", bad}, "CANCELED": {"Canceled", bad},
	"PROV": {"Being made", busy}, "MODIFY": {"Being changed", busy}, "DECOM": {"Being removed", busy},
	"HISTORICAL": {"Removed", neutral}, "PROVFAILED": {"Failed", bad}, "PROVISIONING": {"Being made", busy},
	"POWERON": {"On", good}, "POWEROFF": {"Off", neutral}, "UNKNOWN": {"Power unknown", warn},
	"ACTIVE": {"Active", good}, "DRAFT": {"Draft", neutral}, "PAUSED": {"Paused", warn}, "ARCHIVED": {"Archived", neutral},
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
		s = state{label(status), neutral}
	}
	return s, known
}

// badge shows a status by its word, a shape and a colour.
func badge(status string) g.Node {
	if status == "" {
		return nil
	}
	s, _ := stateOf(status, false)
	return toneBadge(s.text, s.tone)
}

// orderBadge is the badge of an order.
func orderBadge(status string) g.Node {
	s, _ := stateOf(status, true)
	return toneBadge(s.text, s.tone)
}

// appendState appends the badge of a row of the kind.
func appendState(b []byte, of *resource.Def, status string) []byte {
	s, _ := stateOf(status, isOrder(of))
	return appendToneBadge(b, s.text, s.tone)
}

// isOrder reports whether the rows of the kind are orders; nil is no kind.
func isOrder(of *resource.Def) bool { return of != nil && of.Plural == "orders" }

// toneBadge is a badge of one's own words.
func toneBadge(text string, t tone) g.Node { return markup(appendToneBadge(nil, text, t)) }

func appendToneBadge(b []byte, text string, t tone) []byte {
	b = append(append(b, `<span class="badge `...), t...)
	b = append(append(append(b, `"><span aria-hidden="true">`...), toneIcons[t]...), " </span>"...)
	return append(appendText(b, text), "</span>"...)
}

// idleStatuses are the statuses in which nothing moves by itself.
var idleStatuses = map[string]bool{
	"CART": true, "SUCCESS": true, "WARNING": true, "FAILURE": true, "DENIED": true, "CANCELED": true,
	"HISTORICAL": true, "PROVFAILED": true,
}

// isIdle reports whether nothing that the page shows moves by itself: the document's own
// status does not, and none of its jobs' does.
func isIdle(d *hal.Document, idleToo ...string) bool {
	status := strings.ToUpper(textOf(d, "status"))
	idle := idleStatuses[status]
	for _, s := range idleToo {
		idle = idle || status == s
	}
	for _, rel := range []string{"jobs", "subjobs"} {
		docs := embeddedOf(d, rel)
		for i := range docs {
			idle = idle && idleStatuses[textOf(&docs[i], "status")]
		}
	}
	return idle
}
