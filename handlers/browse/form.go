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
	"halcyon/pkg/page"
	"halcyon/pkg/web"
)

// actions are what can be done with one press: the templates that ask nothing.
func actions(v *page.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		t := &v.Doc.Templates[i]
		if len(t.Properties) > 0 {
			continue
		}
		list = append(list, h.Form(h.Method("post"), h.Action(actionOf(v, t)),
			h.Button(h.Type("submit"), g.If(t.Method == http.MethodDelete, h.Class("danger")), g.Text(verb(t)))))
	}
	if list == nil {
		return nil
	}
	return h.Div(h.Class("actions"), list)
}

// verb is the short name of what a template does.
func verb(t *hal.Template) string {
	title, _, _ := strings.Cut(t.Title, " '")
	if title == "" {
		return label(t.Key)
	}
	return title
}

// forms are the templates that ask something.
func forms(v *page.View) g.Node {
	var list g.Group
	for i := range v.Doc.Templates {
		if t := &v.Doc.Templates[i]; len(t.Properties) > 0 {
			list = append(list, form(v, t))
		}
	}
	return list
}

// actionOf is where a template's form goes.
func actionOf(v *page.View, t *hal.Template) string {
	target := t.Target
	if target == "" {
		target = selfOf(v.Doc)
	}
	version := ""
	if v.Version != 0 && (t.Method == http.MethodPatch || t.Method == http.MethodPut) {
		version = strconv.FormatInt(v.Version, 10)
	}
	from := v.Path
	if v.Query != "" {
		from += "?" + v.Query
	}
	return web.FormAction(target, t.Method, version, from)
}

// form is one template. It is open when it came back with a problem.
func form(v *page.View, t *hal.Template) g.Node {
	key := t.Key
	if key == "" {
		key = "default"
	}
	back := sentBy(v, t)
	fields := make(g.Group, 0, len(t.Properties))
	for i := range t.Properties {
		fields = append(fields, field(key, &t.Properties[i], back))
	}
	return h.Details(h.Class("card form"), h.ID("form-"+key), g.If(back != nil || !v.SignedIn(), g.Attr("open")),
		h.Summary(g.Text(t.Title)),
		h.Form(h.Method("post"), h.Action(actionOf(v, t)), fields,
			h.Div(h.Class("buttons"), h.Button(h.Type("submit"), h.Class("primary"), g.Text(verb(t))))))
}

// sentBy gives the form that came back, when it was this one.
func sentBy(v *page.View, t *hal.Template) *page.Sent {
	if v.Sent == nil || v.Sent.Method != t.Method || strings.Trim(v.Sent.Target, "/") != strings.Trim(t.Target, "/") {
		return nil
	}
	return v.Sent
}

// field is one property of a template, with what was typed when it came back.
func field(form string, p *hal.TemplateProperty, back *page.Sent) g.Node {
	id := form + "-" + p.Name
	chosen := p.Selected
	if len(chosen) == 0 && p.Value != "" {
		chosen = []string{p.Value}
	}
	wrong := ""
	if back != nil {
		if chosen = back.Values[p.Name]; p.Type == "password" {
			chosen = nil // it is typed again, and never stands in a page
		}
		wrong = reasonOf(back, p.Name)
	}
	if p.Type == "hidden" {
		return h.Input(h.Type("hidden"), h.Name(p.Name), h.Value(first(chosen)))
	}
	prompt := p.Prompt
	if prompt == "" {
		prompt = label(p.Name)
	}
	common := g.Group{
		h.ID(id), h.Name(p.Name), g.If(p.Required, h.Required()),
		g.If(wrong != "", g.Group{g.Attr("aria-invalid", "true"), g.Attr("aria-describedby", id+"-wrong")}),
	}
	return h.Div(h.Class("field"),
		h.Label(h.For(id), g.Text(prompt), g.If(p.Required, h.Span(h.Class("required"), g.Attr("title", "required"), g.Text("*")))),
		control(p, chosen, common),
		g.If(wrong != "", h.P(h.Class("wrong"), h.ID(id+"-wrong"), g.Text(wrong))),
	)
}

// control is what a value is typed or chosen with.
func control(p *hal.TemplateProperty, chosen []string, common g.Group) g.Node {
	switch {
	case len(p.Options) > 0:
		var options g.Group
		if !p.Multiple && !p.Required {
			options = append(options, h.Option(h.Value(""), g.Text("")))
		}
		for _, o := range p.Options {
			prompt := o.Prompt
			if prompt == "" {
				prompt = o.Value
			}
			options = append(options, h.Option(h.Value(o.Value), g.If(slices.Contains(chosen, o.Value), h.Selected()), g.Text(prompt)))
		}
		return h.Select(common, g.If(p.Multiple, h.Multiple()), options)
	case p.Type == "checkbox":
		return g.Group{
			h.Input(h.Type("hidden"), h.Name(p.Name), h.Value("false")),
			h.Input(h.Type("checkbox"), h.Value("true"), common, g.If(first(chosen) == "true", h.Checked())),
		}
	case p.Type == "textarea":
		return h.Textarea(common, g.Text(first(chosen)))
	}
	kind := p.Type
	if kind == "" {
		kind = "text"
	}
	return h.Input(h.Type(kind), common, h.Value(first(chosen)),
		g.If(p.Placeholder != "", h.Placeholder(p.Placeholder)),
		g.If(p.Regex != "", h.Pattern(p.Regex)),
		g.If(p.Min != "", h.Min(p.Min)), g.If(p.Max != "", h.Max(p.Max)),
		g.If(p.MaxLength > 0, h.MaxLength(strconv.Itoa(p.MaxLength))),
	)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// reasonOf gives what is wrong with a member that was sent, "" for nothing.
func reasonOf(s *page.Sent, name string) string {
	if s.Problem == nil {
		return ""
	}
	for _, e := range s.Problem.Errors {
		if e.Pointer == name || e.Pointer == "/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name) {
			return e.Reason
		}
	}
	return ""
}

// typed shows what a form held whose page cannot be shown again.
func typed(values url.Values) g.Node {
	names := make([]string, 0, len(values))
	for name := range values {
		if !page.Secret(name) {
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
