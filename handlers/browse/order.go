package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// order returns the page of an order, which is a cart until it is submitted.
func (f *Face) order(v *view.View, title string) g.Node {
	d := v.Doc
	// After submission, the address of the current cart shows another order: forms return to the order's own address.
	at := *v
	at.Path, at.Query = selfOf(d), ""
	v = &at
	status := textOf(d, "status")
	return live(v, isIdle(d),
		heading(v, orderTitle(d, title)),
		region("order-state",
			h.Div(h.Class("state"), orderBadge(status), h.Span(g.Text(textOf(d, "summary")))),
			steps(d),
			denial(d),
			orderProblems(d),
			h.Div(h.Class("act"), buttons(v, primaryAction(status), dryRunButton(v))),
		),
		orderSummarySection(v, template(d, "submit")),
		region("order-forms", formsOf(v, "deny")),
		h.Div(h.Class("columns"),
			h.Div(
				region("order-items", section("What is ordered", lines(v), orderTotal(d))),
				region("order-jobs", section("Jobs", jobTree(embeddedOf(d, "jobs")))),
				region("order-servers", section("Servers", serverTable(embeddedOf(d, "servers")))),
			),
			h.Div(
				region("order-facts", section("About it", facts(
					fact{"Group", linkTo(d, "group")},
					fact{"Ordered by", person(d, "owner")},
					fact{"For", person(d, "recipient")},
					fact{"Made", when(textOf(d, "create-date"))},
					fact{"Submitted", when(textOf(d, "submit-date"))},
					fact{"Approved", when(textOf(d, "approve-date"))},
					fact{"Approved by", person(d, "approved-by")},
					fact{"Ended", when(textOf(d, "end-date"))},
					fact{"Can approve", approvers(d)},
				))),
				region("order-history", history(d)),
				requestExample(v),
				ids(d),
			),
		),
		changeForms(v),
	)
}

// primaryAction returns the key of the button that comes first.
func primaryAction(status string) string {
	if status == "PENDING" {
		return "approve"
	}
	return "submit"
}

// orderTitle returns the title of an order, with its name if it has one.
func orderTitle(d *hal.Document, title string) string {
	title = strings.Replace(title, "Order id ", "Order ", 1)
	if textOf(d, "status") == "CART" {
		title = "Cart: " + strings.ToLower(title[:1]) + title[1:]
	}
	if name := textOf(d, "name"); name != "" {
		title += ", " + name
	}
	return title
}

// step is one stage in the progress of an order.
type step struct {
	name, date string
	state      string // "done", "now", "bad", "todo"
}

// statusSteps are the stage that each status stands for, and the stage's label and state
// then.
var statusSteps = map[string]struct {
	at   int
	name string
	is   string
}{
	"CART": {0, "", "now"}, "PENDING": {2, "Waiting for approval", "now"}, "DENIED": {2, "Denied", "bad"},
	"ACTIVE": {3, "Working", "now"}, "SUCCESS": {4, "Done", "done"}, "WARNING": {4, "Done, with warnings", "done"},
	"FAILURE": {4, "Failed", "bad"},
}

// stepsOf returns the stages of an order. The list ends with the stage at which it failed
// or was canceled.
func stepsOf(d *hal.Document) []step {
	list := []step{
		{name: "Cart", date: textOf(d, "create-date")},
		{name: "Submitted", date: textOf(d, "submit-date")},
		{name: "Approved", date: textOf(d, "approve-date")},
		{name: "Working"},
		{name: "Done", date: textOf(d, "end-date")},
	}
	progress, ok := statusSteps[textOf(d, "status")]
	if !ok { // canceled: the stage is found by the dates
		progress.name, progress.is = "Canceled", "bad"
		for progress.at < len(list)-2 && list[progress.at+1].date != "" {
			progress.at++
		}
		progress.at++
		list[progress.at].date = textOf(d, "end-date")
		list = list[:progress.at+1]
	}
	for i := range list {
		switch {
		case i < progress.at:
			list[i].state = "done"
		case i == progress.at:
			list[i].state = progress.is
			if progress.name != "" {
				list[i].name = progress.name
			}
			if progress.is == "bad" {
				list[i].date = textOf(d, "end-date")
				list = list[:i+1]
				return list
			}
		default:
			list[i].state, list[i].date = "todo", ""
		}
	}
	return list
}

// stepShapes show the state of a step without colors, and stepWords to screen readers.
var (
	stepShapes = map[string]string{"done": "✓", "now": "●", "bad": "✕", "todo": "○"}
	stepWords  = map[string]string{"done": "done", "now": "now", "bad": "ended here", "todo": "to come"}
)

// steps returns the progress of an order.
func steps(d *hal.Document) g.Node {
	var items g.Group
	for _, s := range stepsOf(d) {
		items = append(items, h.Li(h.Class(s.state), g.If(s.state == "now" || s.state == "bad", g.Attr("aria-current", "step")),
			h.Span(h.Class("shape"), g.Attr("aria-hidden", "true"), g.Text(stepShapes[s.state])),
			h.Strong(g.Text(s.name)), h.Span(h.Class("unseen"), g.Text(", "+stepWords[s.state])),
			g.If(s.date != "", h.Small(when(s.date))),
		))
	}
	return h.Ol(h.Class("steps"), g.Attr("aria-label", "How far it is"), items)
}

// denial returns the reason for which an order was denied, nil when it has none.
func denial(d *hal.Document) g.Node {
	reason := textOf(d, "deny-reason")
	if reason == "" {
		return nil
	}
	return h.Div(h.Class("notice bad"), h.P(h.Strong(g.Text("Why it was denied: ")), g.Text(reason)))
}

// approvers returns the users who can approve a pending order, nil when none is visible.
func approvers(d *hal.Document) g.Node {
	docs := embeddedOf(d, "cb:approvers")
	var items g.Group
	for i := range docs {
		l, _ := oneLink(&docs[i], "self")
		if name := textOf(&docs[i], "user.username"); name != "" {
			l.Title = name
		}
		items = append(items, h.Li(link(&l)))
	}
	if items == nil {
		return nil
	}
	return h.Ul(items)
}

// changeForms returns the forms that change an order or fill a cart, nil when there are
// none.
func changeForms(v *view.View) g.Node {
	forms := formsExcept(v, "deny")
	if forms == nil {
		return nil
	}
	title := "Change it"
	var shop g.Node
	if textOf(v.Doc, "status") == "CART" {
		title = "Change the cart"
		shop = h.P(h.A(h.Class("button"), h.Href(apiBase+"/blueprints/"), g.Text("Choose from the catalogue")))
	}
	return h.Section(h.ID("order-change"), h.H2(g.Text(title)), shop, forms)
}
