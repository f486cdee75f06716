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

// buttons returns the templates without input as buttons, in the document's order, except
// that the primary one comes first and destructive ones last. more nodes follow the
// primary one; nil nodes are skipped.
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

// actionButton returns the button of a template without input. A destructive one asks for
// confirmation.
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

// confirmText returns the question before a destructive action.
func confirmText(v *view.View, t *hal.Template) string {
	if t.Title == "" {
		return actionDoc(v, t)
	}
	return strings.TrimSpace(t.Title + "? " + actionDoc(v, t))
}

// formsExcept returns the templates with input as forms, without those with the given
// keys. It returns nil when none is left.
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

// actions returns the row of buttons for templates without input, nil when there are
// none.
func actions(v *view.View) g.Node {
	buttons := actionButtons(v)
	if buttons == nil {
		return nil
	}
	return h.Div(h.Class("actions"), buttons)
}

// actionButtons returns the buttons of the templates without input, nil when there are
// none.
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

// titleAttr returns a title attribute, nothing for "".
func titleAttr(text string) g.Node { return g.If(text != "", h.Title(text)) }

// actionDoc returns the documentation of a template's action from the declaration, "" for
// none.
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

// destructive are the actions that remove or stop something.
var destructive = []string{"delete", "cancel", "deny", "power-off", "reboot", "revert", "revoke", "rotate-secret", "disable", "sign-out-everywhere"}

// dangerous reports whether a template needs confirmation.
func dangerous(t *hal.Template) bool {
	return t.Method == http.MethodDelete || slices.Contains(destructive, t.Key)
}

// buttonClass returns the CSS class of a template's button.
func buttonClass(t *hal.Template) string {
	if dangerous(t) {
		return "danger"
	}
	return ""
}

// withConfirmation hides a button behind one that shows the question first.
func withConfirmation(name, question string, button g.Node) g.Node {
	return h.Details(h.Class("confirm"),
		h.Summary(h.Class("button danger"), g.Text(name+" …")),
		h.Div(h.Class("ask"), g.If(question != "", h.P(g.Text(question))), button))
}

// actionLabel returns the short name of a template: its title without the object.
func actionLabel(t *hal.Template) string {
	title, _, _ := strings.Cut(t.Title, " '")
	if title == "" {
		return label(t.Key)
	}
	return strings.TrimSuffix(title, " of")
}
