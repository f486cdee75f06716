package browse

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/view"
)

// forms returns the templates that have input, as forms.
func forms(v *view.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		if t := &v.Doc.Templates[i]; len(t.Properties) > 0 {
			list = append(list, form(v, t))
		}
	}
	return list
}

// actionOf returns the address to which a template's form is posted.
func actionOf(v *view.View, t *hal.Template) string {
	target := t.Target
	if target == "" {
		target = selfOf(v.Doc)
	}
	version := ""
	if v.Version != 0 && (t.Method == http.MethodPatch || t.Method == http.MethodPut) {
		version = strconv.FormatInt(v.Version, 10)
	}
	return halserver.FormAction(target, t.Method, version, pageOf(v))
}

// pageOf returns the address of the page, to return to.
func pageOf(v *view.View) string {
	from, sep := v.Path, "?"
	if v.Query != "" {
		from, sep = from+sep+v.Query, "&"
	}
	if v.Selection != "" {
		from += sep + "_select=" + v.Selection
	}
	return from
}

// idOf returns an element id for a template's key, which may contain any characters.
func idOf(t *hal.Template) string {
	key := t.Key
	if key == "" {
		return "default"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, key)
}

func formID(t *hal.Template) string { return "form-" + idOf(t) }

// fieldID returns the element id of a property's control.
func fieldID(t *hal.Template, i int) string { return idOf(t) + "-" + strconv.Itoa(i) }

// form returns the form of a template. It is open when it was sent back with a problem.
func form(v *view.View, t *hal.Template) g.Node {
	sent := submissionOf(v, t)
	class := "primary"
	if dangerous(t) {
		class = "danger"
	}
	return h.Details(h.Class("card form"), h.ID(formID(t)), g.If(sent != nil || !v.SignedIn(), g.Attr("open")),
		h.Summary(g.Text(actionLabel(t))),
		g.If(actionDoc(v, t) != "", h.P(h.Class("hint"), g.Text(actionDoc(v, t)))),
		h.Form(h.Method("post"), h.Action(actionOf(v, t)), fields(v, t, t.Properties),
			h.Div(h.Class("buttons"), h.Button(h.Type("submit"), h.Class(class), g.Text(submitLabel(t))))))
}

// submitLabel returns the label of a form's submit button.
func submitLabel(t *hal.Template) string {
	if t.Method == http.MethodPatch || t.Method == http.MethodPut {
		return "Save"
	}
	return actionLabel(t)
}

// fields returns the controls of the given properties of a template.
func fields(v *view.View, t *hal.Template, props []hal.TemplateProperty) g.Node {
	sent := submissionOf(v, t)
	list := make(g.Group, 0, len(props))
	for i := range props {
		in := input{t: t, p: &props[i], id: fieldID(t, i), sent: sent, view: v}
		list = append(list, in.field())
	}
	return list
}

// submissionOf returns the form that was sent back, nil when it was not this template's.
func submissionOf(v *view.View, t *hal.Template) *view.Sent {
	if v.Sent == nil || v.Sent.Method != t.Method || strings.Trim(v.Sent.Target, "/") != strings.Trim(t.Target, "/") {
		return nil
	}
	return v.Sent
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// pointerTo returns the JSON pointer (RFC 6901) of a member.
func pointerTo(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// reasonOf returns the errors of a member that was sent, and of the members within it; ""
// for none.
func reasonOf(s *view.Sent, name string) string {
	if s.Problem == nil {
		return ""
	}
	var reasons []string
	for _, e := range s.Problem.Errors {
		if e.Pointer == name || e.Pointer == pointerTo(name) {
			reasons = append(reasons, e.Reason)
		} else if within, ok := strings.CutPrefix(e.Pointer, pointerTo(name)+"/"); ok {
			reasons = append(reasons, strings.ReplaceAll(within, "/", ".")+" "+e.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// formErrors returns the errors of a form that was sent back, each with a link to its
// field.
func formErrors(v *view.View) g.Node {
	p := v.Problem
	var list g.Group
	for _, e := range p.Errors {
		name, id := fieldAt(v, e.Pointer)
		if id == "" {
			list = append(list, h.Li(h.Code(g.Text(e.Pointer)), g.Text(" "+e.Reason)))
			continue
		}
		list = append(list, h.Li(h.A(h.Href("#"+id), g.Text(name)), g.Text(": "+e.Reason)))
	}
	return h.Div(h.Class("notice bad"), h.ID("problem"), h.Role("alert"), h.TabIndex("-1"), g.Attr("autofocus"),
		h.P(g.Text(problemSummary(p, list != nil))),
		g.If(list != nil, h.Ul(list)),
		g.If(p.Type != "", h.P(h.A(h.Href(p.Type), g.Text("About this problem")))))
}

// problemSummary returns the title of a problem whose errors are listed, its detail
// otherwise.
func problemSummary(p *hal.Problem, listed bool) string {
	if listed {
		return p.Title
	}
	return p.Detail
}

// fieldAt returns the label and the element id of the field that a JSON pointer names;
// the id is "" when no form on the page has that field.
func fieldAt(v *view.View, pointer string) (name, id string) {
	if v.Doc == nil || v.Sent == nil {
		return "", ""
	}
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		if submissionOf(v, t) == nil {
			continue
		}
		props := t.Properties
		if isBulk(t) {
			props = props[1:]
		}
		for j := range props {
			at := pointerTo(props[j].Name)
			if pointer == props[j].Name || pointer == at || strings.HasPrefix(pointer, at+"/") {
				name, _ = prompt(v, &props[j])
				return name, fieldID(t, j)
			}
		}
	}
	return "", ""
}

// sentValues returns what a form contained whose page cannot be shown again, without
// secrets.
func sentValues(values url.Values) g.Node {
	names := make([]string, 0, len(values))
	for name := range values {
		if !view.Secret(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	var list g.Group
	for _, name := range names {
		list = append(list, h.Dt(g.Text(label(name))), h.Dd(g.Text(strings.Join(values[name], ", "))))
	}
	return h.Section(h.Class("card"), h.H2(g.Text("What you sent")), h.Dl(h.Class("props"), list))
}

// imports returns the upload form of a collection that accepts an archive, nil for
// others.
func imports(v *view.View) g.Node {
	for i := range v.Doc.Actions {
		x := &v.Doc.Actions[i]
		if x.Rel != "import" {
			continue
		}
		to := halserver.FormAction(x.Href, http.MethodPost, "", pageOf(v))
		again := halserver.FormAction(x.Href+"?replace-existing=1", http.MethodPost, "", pageOf(v))
		return h.Details(h.Class("card form"), h.ID("form-import"),
			h.Summary(g.Text(x.Title)),
			h.Form(h.Method("post"), h.Action(to), h.EncType("multipart/form-data"),
				h.Div(h.Class("field"), h.Label(h.For("import-file"), g.Text("File that an export gave")),
					h.Input(h.Type("file"), h.ID("import-file"), h.Name("file"), h.Required(), h.Accept(".zip,application/zip"))),
				h.Div(h.Class("buttons"),
					h.Button(h.Type("submit"), h.Class("primary"), g.Text("Import")),
					h.Button(h.Type("submit"), g.Attr("formaction", again), g.Text("Import, in place of the one of its name")))))
	}
	return nil
}
