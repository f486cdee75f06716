package browse

import (
	"path"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// itemsMember is the property that holds the selected rows of a bulk template.
const itemsMember = "items"

// isBulk reports whether a template acts on several rows of a list.
func isBulk(t *hal.Template) bool {
	return len(t.Properties) > 0 && t.Properties[0].Name == itemsMember && t.Properties[0].Multiple
}

// selection wraps a table in a form with a checkbox per row and the bulk actions. An
// action with input is selected first, which reloads the page with its fields.
func selection(v *view.View, table g.Node) g.Node {
	if v.Selection == "" {
		return table
	}
	var links, buttons g.Group
	action := ""
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		if !isBulk(t) {
			continue
		}
		plain := len(t.Properties) == 1
		switch {
		case v.Selection == t.Key:
			return bulkForm(actionOf(v, t), table, g.Group{fields(v, t, t.Properties[1:]), bulkButton(v, t)})
		case plain:
			action = actionOf(v, t)
			buttons = append(buttons, bulkButton(v, t))
		default:
			here := addressOf(v.Path, v.Query).with(pair{"_select", t.Key})
			links = append(links, h.A(h.Class("button"), h.Href(here.String()), g.Text(bulkLabel(t)+" …")))
		}
	}
	if buttons == nil && links == nil {
		return g.Group{h.P(h.Class("hint"), g.Text("None of these rows can be acted on now.")), table}
	}
	return bulkForm(action, table, g.Group{buttons, links})
}

func bulkForm(action string, table, controls g.Node) g.Node {
	return h.Form(h.Class("picking"), h.Method("post"), g.If(action != "", h.Action(action)), table,
		h.Div(h.Class("actions"), h.Role("group"), g.Attr("aria-label", "With those selected"), h.Span(h.Class("picked"), g.Text("With those selected:")), controls))
}

// bulkButton returns the button that applies a template to the selected rows.
func bulkButton(v *view.View, t *hal.Template) g.Node {
	button := h.Button(h.Type("submit"), g.Attr("formaction", actionOf(v, t)), h.Class(buttonClass(t)), g.Text(bulkLabel(t)))
	if !dangerous(t) {
		return button
	}
	return withConfirmation(bulkLabel(t), bulkLabel(t)+" all that is selected?", button)
}

// bulkLabel returns the label of a bulk template.
func bulkLabel(t *hal.Template) string { return strings.TrimSuffix(t.Title, " several") }

// selectedRows returns the ids of the rows that were selected in a form that was sent
// back.
func selectedRows(v *view.View) map[string]bool {
	if v.Selection == "" || v.Sent == nil {
		return nil
	}
	selected := map[string]bool{}
	for _, id := range v.Sent.Values[itemsMember] {
		selected[id] = true
	}
	return selected
}

// appendBox appends the cell with a row's checkbox.
func appendBox(b []byte, self []hal.Link, chosen map[string]bool) []byte {
	id, title := "", ""
	for _, l := range self {
		id, title = path.Base(l.Href), l.Title
	}
	b = appendText(append(b, `<td class="box"><input type="checkbox" name="items" value="`...), id)
	b = appendText(append(b, `" aria-label="`...), "Select "+title)
	b = append(b, '"')
	if chosen[id] {
		b = append(b, " checked"...)
	}
	return append(b, "></td>"...)
}

// bulkOutcome returns the page with the result of a bulk action, nil for other documents.
func bulkOutcome(v *view.View, title string) g.Node {
	if !v.Posted || member(v.Doc.Props, "results").Kind() != hal.KindList || member(v.Doc.Props, "succeeded").Kind() != hal.KindInt {
		return nil
	}
	all, failed := total(v.Doc), intOf(v.Doc, "failed")
	text, class := "It was done to all "+digits(all)+".", "notice good"
	switch {
	case failed == all:
		text, class = "It was done to none of "+digits(all)+".", "notice bad"
	case failed > 0:
		text, class = "It was done to "+digits(all-failed)+" of "+digits(all)+".", "notice bad"
	}
	if all == 1 && failed == 0 {
		text = "It was done."
	}
	var rows g.Group
	for x := range member(v.Doc.Props, "results").Items() {
		rows = append(rows, result(x.Props()))
	}
	var back g.Node
	for _, l := range linksOf(v.Doc, "collection") {
		back = h.P(h.A(h.Class("button"), h.Href(l.Href), g.Text("Back to "+strings.TrimPrefix(l.Title, "List of "))))
	}
	return g.Group{
		h.Div(h.Class("heading"), h.H1(g.Text(title))),
		h.Div(h.Class(class), h.Role("status"), h.P(g.Text(text))),
		h.Div(h.Class("scroll"), h.Table(
			h.THead(h.Tr(h.Th(g.Attr("scope", "col"), g.Text("What")), h.Th(g.Attr("scope", "col"), g.Text("Outcome")), h.Th(g.Attr("scope", "col"), g.Text("More")))),
			h.TBody(rows))),
		back,
	}
}

// result returns the table row of one result of a bulk action.
func result(props []hal.Prop) g.Node {
	l, rest, _ := reference(props)
	state, is := "done", good
	var more g.Group
	for i := range rest {
		switch p := &rest[i]; {
		case p.Name == "error":
			state, is = "refused", bad
			more = append(more, g.Text(p.Value.Text()))
		case p.Name == "errors", p.Name == "status", p.Name == "type":
		case p.Value.Kind() == hal.KindLink:
			if state == "done" && (p.Name == "job" || p.Name == "order") {
				state, is = "started", busy
			}
			more = append(more, value(p.Value))
		}
	}
	return h.Tr(h.Td(markup(appendLinkOrText(nil, &l))), h.Td(toneBadge(state, is)), h.Td(more))
}

func digits(n int64) string { return strconv.FormatInt(n, 10) }
