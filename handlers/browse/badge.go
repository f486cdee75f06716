package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/hal"
	"halcyon/pkg/resource"
)

// tone is the color and icon of a badge. Its value is the CSS class.
type tone string

const (
	good    tone = "good"
	bad     tone = "bad"
	warn    tone = "warn"
	busy    tone = "busy"
	neutral tone = "calm"
)

// toneIcons tell tones apart without colors.
var toneIcons = map[tone]string{good: "✓", bad: "✕", warn: "!", busy: "…", neutral: "○"}

// state is the text and tone of a status.
type state struct {
	text string
	tone tone
}

// statuses are the states of all resources, by the status on the wire in upper case.
var statuses = map[string]state{
	"CART": {"In the cart", neutral}, "PENDING": {"Waiting", warn}, "QUEUED": {"Queued", busy}, "RUNNING": {"Running", busy},
	"TO_CANCEL": {"Stopping", warn}, "SUCCESS": {"Done", good}, "WARNING": {"Done, with warnings", warn}, "FAILURE": {"Failed", bad},
	"DENIED": {"Denied", bad}, "CANCELED": {"Canceled", bad},
	"PROV": {"Being made", busy}, "MODIFY": {"Being changed", busy}, "DECOM": {"Being removed", busy},
	"HISTORICAL": {"Removed", neutral}, "PROVFAILED": {"Failed", bad}, "PROVISIONING": {"Being made", busy},
	"POWERON": {"On", good}, "POWEROFF": {"Off", neutral}, "UNKNOWN": {"Power unknown", warn},
	"ACTIVE": {"Active", good}, "DRAFT": {"Draft", neutral}, "PAUSED": {"Paused", warn}, "ARCHIVED": {"Archived", neutral},
}

// orderStatuses are the statuses that read differently on an order: an active order is
// being worked on, and a pending one waits for approval.
var orderStatuses = map[string]state{"ACTIVE": {"Working", busy}, "PENDING": {"Waiting for approval", warn}}

// stateOf returns the state of a status, of an order or of another resource, and reports
// whether the status is known. An unknown one is labeled by its own name.
func stateOf(status string, order bool) (s state, known bool) {
	if s, known = orderStatuses[status]; known && order {
		return s, true
	}
	if s, known = statuses[strings.ToUpper(status)]; !known {
		s = state{label(status), neutral}
	}
	return s, known
}

// badge returns a status as text, icon and color; nil for "".
func badge(status string) g.Node {
	if status == "" {
		return nil
	}
	s, _ := stateOf(status, false)
	return toneBadge(s.text, s.tone)
}

// orderBadge returns the badge of an order's status.
func orderBadge(status string) g.Node {
	s, _ := stateOf(status, true)
	return toneBadge(s.text, s.tone)
}

// appendState appends the badge of a row of the resource.
func appendState(b []byte, of *resource.Def, status string) []byte {
	s, _ := stateOf(status, isOrder(of))
	return appendToneBadge(b, s.text, s.tone)
}

// isOrder reports whether the resource is the orders. It may be nil.
func isOrder(of *resource.Def) bool { return of != nil && of.Plural == "orders" }

// toneBadge returns a badge with a text of the caller's.
func toneBadge(text string, t tone) g.Node { return markup(appendToneBadge(nil, text, t)) }

func appendToneBadge(b []byte, text string, t tone) []byte {
	b = append(append(b, `<span class="badge `...), t...)
	b = append(append(append(b, `"><span aria-hidden="true">`...), toneIcons[t]...), " </span>"...)
	return append(appendText(b, text), "</span>"...)
}

// idleStatuses are the statuses in which nothing changes without a new request.
var idleStatuses = map[string]bool{
	"CART": true, "SUCCESS": true, "WARNING": true, "FAILURE": true, "DENIED": true, "CANCELED": true,
	"HISTORICAL": true, "PROVFAILED": true,
}

// isIdle reports whether no work is in progress on the document or its jobs. idleToo are
// further statuses that count as idle for this resource.
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
