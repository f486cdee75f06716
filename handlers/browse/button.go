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
			head = append(head, actionButton(v, t, "primary"))
		case t.Key == "delete":
			last = append(last, actionButton(v, t, ""))
		case dangerous(t):
			tail = append(tail, actionButton(v, t, ""))
		default:
			list = append(list, actionButton(v, t, ""))
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

// actionButton is the button of a template that asks nothing. What cannot be undone is asked
// once more.
func actionButton(v *view.View, t *hal.Template, class string) g.Node {
	if dangerous(t) {
		class = "danger"
	}
	button := h.Form(h.Method("post"), h.Action(actionOf(v, t)),
		h.Button(h.Type("submit"), g.If(class != "", h.Class(class)), g.If(!dangerous(t), titleAttr(actionDoc(v, t))), g.Text(actionLabel(t))))
	if dangerous(t) {
		return withConfirmation(actionLabel(t), confirmText(v, t), button)
	}
	return button
}

// confirmText is what is asked before what cannot be undone.
func confirmText(v *view.View, t *hal.Template) string {
	if t.Title == "" {
		return actionDoc(v, t)
	}
	return strings.TrimSpace(t.Title + "? " + actionDoc(v, t))
}

// formsExcept are the templates that ask something, without those that the page shows
// elsewhere.
func formsExcept(v *view.View, elsewhere ...string) g.Node {
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
	buttons := actionButtons(v)
	if buttons == nil {
		return nil
	}
	return h.Div(h.Class("actions"), buttons)
}

// actionButtons are the buttons of the templates that ask nothing.
func actionButtons(v *view.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		if t := &v.Doc.Templates[i]; len(t.Properties) == 0 {
			list = append(list, actionButton(v, t, ""))
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// titleAttr is the title of an element, which it has where there is one.
func titleAttr(text string) g.Node { return g.If(text != "", h.Title(text)) }

// actionDoc says what a template does, as the declaration has it.
func actionDoc(v *view.View, t *hal.Template) string {
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

func buttonClass(t *hal.Template) string {
	if dangerous(t) {
		return "danger"
	}
	return ""
}

// withConfirmation hides a button behind one that asks whether it is meant.
func withConfirmation(name, question string, button g.Node) g.Node {
	return h.Details(h.Class("confirm"),
		h.Summary(h.Class("button danger"), g.Text(name+" …")),
		h.Div(h.Class("ask"), g.If(question != "", h.P(g.Text(question))), button))
}

// actionLabel is the short name of what a template does.
func actionLabel(t *hal.Template) string {
	title, _, _ := strings.Cut(t.Title, " '")
	if title == "" {
		return label(t.Key)
	}
	return strings.TrimSuffix(title, " of")
}
