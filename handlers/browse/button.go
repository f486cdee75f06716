package browse

import (
	"net/http"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// buttons are the templates that ask nothing, in the order of the document: one of them
// before the others, and what takes something away behind them.
func buttons(v *view.View, primary string, more ...g.Node) g.Node {
	var head, list, tail, last g.Group
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		switch {
		case len(t.Properties) > 0:
		case t.Key == primary:
			head = append(head, press(v, t, "primary"))
		case t.Key == "delete":
			last = append(last, press(v, t, ""))
		case dangerous(t):
			tail = append(tail, press(v, t, ""))
		default:
			list = append(list, press(v, t, ""))
		}
	}
	for _, x := range more {
		if x != nil {
			head = append(head, x)
		}
	}
	if len(head)+len(list)+len(tail)+len(last) == 0 {
		return nil
	}
	return h.Div(h.Class("actions"), head, list, tail, last)
}

// press is the button of a template that asks nothing. What cannot be undone is asked
// once more.
func press(v *view.View, t *hal.Template, class string) g.Node {
	if dangerous(t) {
		class = "danger"
	}
	button := h.Form(h.Method("post"), h.Action(actionOf(v, t)),
		h.Button(h.Type("submit"), g.If(class != "", h.Class(class)), g.If(!dangerous(t), hover(doc(v, t))), g.Text(verb(t))))
	if dangerous(t) {
		return confirmed(verb(t), question(v, t), button)
	}
	return button
}

// question is what is asked before what cannot be undone.
func question(v *view.View, t *hal.Template) string {
	if t.Title == "" {
		return doc(v, t)
	}
	return strings.TrimSpace(t.Title + "? " + doc(v, t))
}

// formsBut are the templates that ask something, without those that the page shows
// elsewhere.
func formsBut(v *view.View, elsewhere ...string) g.Node {
	var list g.Group
next:
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		for _, key := range elsewhere {
			if t.Key == key {
				continue next
			}
		}
		if len(t.Properties) > 0 {
			list = append(list, form(v, t))
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// actions are what can be done with one press: the templates that ask nothing.
func actions(v *view.View) g.Node {
	press := pressed(v)
	if press == nil {
		return nil
	}
	return h.Div(h.Class("actions"), press)
}

// pressed are the buttons of the templates that ask nothing.
func pressed(v *view.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		if t := &v.Doc.Templates[i]; len(t.Properties) == 0 {
			list = append(list, press(v, t, ""))
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// hover is the title of an element, which it has where there is one.
func hover(text string) g.Node { return g.If(text != "", h.Title(text)) }

// doc says what a template does, as the declaration has it.
func doc(v *view.View, t *hal.Template) string {
	if v.Of == nil {
		return ""
	}
	for _, x := range v.Of.Actions {
		if x.Rel == t.Key {
			return x.Doc
		}
	}
	for _, b := range v.Of.Batch {
		if b.Rel == t.Key {
			return b.Doc
		}
	}
	return ""
}

// destructive are the actions after which something is not there any more, or not
// running.
var destructive = []string{"delete", "cancel", "deny", "power-off", "reboot", "revert", "revoke", "rotate-secret", "disable", "sign-out-everywhere"}

// dangerous reports whether a template is asked for once more.
func dangerous(t *hal.Template) bool {
	return t.Method == http.MethodDelete || slices.Contains(destructive, t.Key)
}

func tint(t *hal.Template) string {
	if dangerous(t) {
		return "danger"
	}
	return ""
}

// confirmed hides a button behind one that asks whether it is meant.
func confirmed(name, question string, button g.Node) g.Node {
	return h.Details(h.Class("confirm"),
		h.Summary(h.Class("button danger"), g.Text(name+" …")),
		h.Div(h.Class("ask"), g.If(question != "", h.P(g.Text(question))), button))
}

// verb is the short name of what a template does.
func verb(t *hal.Template) string {
	title, _, _ := strings.Cut(t.Title, " '")
	if title == "" {
		return label(t.Key)
	}
	return strings.TrimSuffix(title, " of")
}
