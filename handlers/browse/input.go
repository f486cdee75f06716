package browse

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

const (
	maxRadios     = 4  // options up to which a single choice is shown as radio buttons
	maxCheckboxes = 12 // options up to which a multiple choice is shown as checkboxes
)

// input is one property of a template as a form control.
type input struct {
	t        *hal.Template
	p        *hal.TemplateProperty
	id       string
	sent     *view.Sent
	view     *view.View
	doc      string // description of the parameter by its author, "" for none
	asSelect bool   // always a select that starts with its first option: scripts replace its options
}

// prompt returns the label of a property and its hint. When the prompt is the
// documentation of the declared field, the label is made from the name and the prompt
// becomes the hint.
func prompt(v *view.View, p *hal.TemplateProperty) (name, hint string) {
	switch {
	case p.Prompt == "":
		return label(p.Name), ""
	case v.Of == nil:
		return p.Prompt, ""
	}
	if p.Prompt != strings.TrimSuffix(v.Of.Explains(p.Name), ".") {
		return p.Prompt, ""
	}
	if name = label(p.Name); name == p.Prompt {
		return name, ""
	}
	return name, p.Prompt + "."
}

func (in *input) name() string {
	name, _ := prompt(in.view, in.p)
	return name
}

// secret reports whether the value is a password, which is never sent back.
func (in *input) secret() bool { return in.p.Type == "password" }

// chosen returns the initial values of the control.
func (in *input) chosen() []string {
	if in.secret() {
		return nil
	}
	list := in.p.Selected
	if in.sent != nil {
		list = in.sent.Values[in.p.Name]
	} else if len(list) == 0 && in.p.Value != "" {
		list = []string{in.p.Value}
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

// field returns the control with its label, hint and error.
func (in *input) field() g.Node {
	if in.p.Type == "hidden" {
		return h.Input(h.Type("hidden"), h.Name(in.p.Name), h.Value(first(in.chosen())))
	}
	wrong := ""
	if in.sent != nil {
		wrong = reasonOf(in.sent, in.p.Name)
	}
	hint := in.hint()
	var describedBy []string
	if wrong != "" {
		describedBy = append(describedBy, in.id+"-wrong")
	}
	if hint != nil {
		describedBy = append(describedBy, in.id+"-hint")
	}
	aria := g.Group{
		g.If(wrong != "", g.Attr("aria-invalid", "true")),
		g.If(describedBy != nil, g.Attr("aria-describedby", strings.Join(describedBy, " "))),
	}
	below := g.Group{
		g.If(hint != nil, h.P(h.Class("hint"), h.ID(in.id+"-hint"), hint)),
		g.If(wrong != "", h.P(h.Class("wrong"), h.ID(in.id+"-wrong"), g.Text(wrong))),
	}
	name := g.Group{g.Text(in.name()), g.If(in.p.Required, h.Span(h.Class("required"), g.Attr("title", "required"), g.Text("*")))}
	if in.isCheckbox() {
		return h.Div(h.Class("field check"), in.checkbox(aria), h.Label(h.For(in.id), name), below)
	}
	if group := in.optionGroup(); group != nil {
		return h.FieldSet(h.Class("field"), h.ID(in.id), h.TabIndex("-1"), aria, h.Legend(name), group, below)
	}
	return h.Div(h.Class("field"), h.Label(h.For(in.id), name), in.control(aria), below)
}

// isCheckbox reports whether the property is shown as a single checkbox.
func (in *input) isCheckbox() bool {
	if in.p.Type == "checkbox" {
		return true
	}
	o := in.p.Options
	if len(o) != 2 || in.p.Multiple || !slices.Contains(o, hal.Option{Value: "true"}) || !slices.Contains(o, hal.Option{Value: "false"}) {
		return false
	}
	return in.p.Required || len(in.chosen()) > 0 // an optional one has three states
}

// checkbox returns a checkbox with a hidden input before it, so that an unticked one is
// sent as false.
func (in *input) checkbox(aria g.Node) g.Node {
	return g.Group{
		h.Input(h.Type("hidden"), h.Name(in.p.Name), h.Value("false")),
		h.Input(h.Type("checkbox"), h.ID(in.id), h.Name(in.p.Name), h.Value("true"), aria, g.If(slices.Contains(in.chosen(), "true"), h.Checked())),
	}
}

// optionGroup returns all options as radio buttons or checkboxes, nil when there are too
// many.
func (in *input) optionGroup() g.Node {
	kind := "radio"
	switch n := len(in.p.Options); {
	case n == 0, in.asSelect, in.p.Multiple && n > maxCheckboxes, !in.p.Multiple && (n > maxRadios || !in.p.Required):
		return nil
	case in.p.Multiple:
		kind = "checkbox"
	}
	chosen := in.chosen()
	list := make(g.Group, 0, len(in.p.Options)+1)
	if in.p.Multiple {
		list = append(list, in.emptyValue())
	}
	for i, o := range in.p.Options {
		id := in.id + "-" + strconv.Itoa(i)
		list = append(list, h.Div(h.Class("check"),
			h.Input(h.Type(kind), h.ID(id), h.Name(in.p.Name), h.Value(o.Value), g.If(kind == "radio", h.Required()), g.If(slices.Contains(chosen, o.Value), h.Checked())),
			h.Label(h.For(id), g.Text(promptOf(o)))))
	}
	return h.Div(h.Class("choices"), list)
}

func promptOf(o hal.Option) string {
	if o.Prompt != "" {
		return o.Prompt
	}
	return o.Value
}

// emptyValue returns a hidden input that is sent when no option is chosen.
func (in *input) emptyValue() g.Node {
	return h.Input(h.Type("hidden"), h.Name(in.p.Name), h.Value(""))
}

// control returns the element in which the value is typed or chosen.
func (in *input) control(aria g.Node) g.Node {
	p := in.p
	common := g.Group{h.ID(in.id), h.Name(p.Name), g.If(p.Required, h.Required()), g.If(p.ReadOnly, h.ReadOnly()), aria}
	switch {
	case len(p.Options) > 0:
		return in.selectList(common)
	case p.OptionsLink.Href != "":
		return in.rowChooser(common)
	case in.isMultiline():
		text := indentJSON(first(in.chosen()))
		return h.Textarea(common, h.Rows(strconv.Itoa(min(max(3, strings.Count(text, "\n")+2), 16))),
			g.If(p.MaxLength > 0, h.MaxLength(strconv.Itoa(p.MaxLength))), g.If(p.Placeholder != "", h.Placeholder(p.Placeholder)),
			g.If(p.Type == "textarea", g.Group{h.Class("code"), g.Attr("spellcheck", "false")}), g.Text(text))
	}
	kind := p.Type
	if kind == "" {
		kind = "text"
	}
	return h.Input(h.Type(kind), common, g.If(!in.secret(), h.Value(in.formatted(kind))),
		g.If(p.Placeholder != "", h.Placeholder(p.Placeholder)),
		g.If(p.Regex != "", g.Group{h.Pattern(p.Regex), h.Title(in.formatHint())}),
		g.If(p.Min != "", h.Min(p.Min)), g.If(p.Max != "", h.Max(p.Max)),
		g.If(p.MinLength > 0, h.MinLength(strconv.Itoa(p.MinLength))),
		g.If(p.MaxLength > 0, h.MaxLength(strconv.Itoa(p.MaxLength))),
		g.If(kind == "number", h.Step("any")), // the server checks whether it must be whole
		g.If(kind == "datetime-local", h.Step("1")),
		in.autocomplete(),
	)
}

// multilineNames are the properties that take several lines.
var multilineNames = []string{"description", "notes", "reason", "message", "condition", "comment"}

// isMultiline reports whether the control is a text area.
func (in *input) isMultiline() bool {
	p := in.p
	return p.Type == "textarea" || (p.Type == "text" || p.Type == "") && p.Regex == "" &&
		(slices.Contains(multilineNames, p.Name) || strings.Contains(first(in.chosen()), "\n"))
}

// indentJSON indents a text that is a JSON object or array, and returns any other as it
// is.
func indentJSON(text string) string {
	var b bytes.Buffer
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") || json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// formatted returns the first value in the format that the input type requires.
func (in *input) formatted(kind string) string {
	text := first(in.chosen())
	if at, ok := instant(text); ok && kind == "datetime-local" {
		return at.Format("2006-01-02T15:04:05")
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && kind == "datetime-local" {
		return at.UTC().Format("2006-01-02T15:04:05")
	}
	return text
}

// selectList returns a select of the options.
func (in *input) selectList(common g.Node) g.Node {
	chosen := in.chosen()
	options := make(g.Group, 0, len(in.p.Options)+1)
	if !in.p.Multiple && (!in.p.Required || len(chosen) == 0 && !in.asSelect) {
		unless := ""
		if in.p.Placeholder != "" {
			unless = "As usual: " + in.p.Placeholder
		}
		options = append(options, h.Option(h.Value(""), g.Text(unless)))
	}
	for _, o := range in.p.Options {
		options = append(options, h.Option(h.Value(o.Value), g.If(o.For != "", h.Data("for", o.For)), g.If(slices.Contains(chosen, o.Value), h.Selected()), g.Text(promptOf(o))))
	}
	return g.Group{g.If(in.p.Multiple, in.emptyValue()), h.Select(common, g.If(in.p.Multiple, h.Multiple()), options)}
}

// rowChooser returns inputs for rows of another collection. Scripts turn them into
// comboboxes that search by name; without scripts an id is typed.
func (in *input) rowChooser(common g.Group) g.Node {
	p := in.p
	chosen := in.chosen()
	one := func(value string, own g.Node) g.Node {
		return h.Input(h.Type("text"), h.Value(value), own, h.AutoComplete("off"), g.If(value != "", h.Data("title", in.titleOfID(value))))
	}
	attrs := g.Group{h.Class("choose"), h.Data("options", p.OptionsLink.Href), h.Data("prompt", p.PromptField), h.Data("value", p.ValueField)}
	if !p.Multiple {
		return h.Div(attrs, one(first(chosen), common))
	}
	list := g.Group{in.emptyValue(), one(first(chosen), common)}
	for i := 1; i <= len(chosen); i++ { // and an empty one
		value := ""
		if i < len(chosen) {
			value = chosen[i]
		}
		list = append(list, one(value, g.Group{h.Name(p.Name), h.Aria("label", in.name())}))
	}
	return h.Div(attrs, h.Data("multiple", p.Name), list)
}

// titleOfID returns the title of a chosen row from the document's links, "" when they
// lack it.
func (in *input) titleOfID(id string) string {
	if in.view.Doc == nil {
		return ""
	}
	for _, l := range linksOf(in.view.Doc, in.p.Name) {
		if strings.HasSuffix(strings.TrimSuffix(l.Href, "/"), "/"+id) {
			return l.Title
		}
	}
	return ""
}

// formatHint returns the message for a value that does not match the pattern.
func (in *input) formatHint() string {
	if in.view.Of != nil {
		if f := in.view.Of.Field(in.p.Name); f != nil && f.Input.Reason != "" {
			return "It is not taken when it " + f.Input.Reason + "."
		}
	}
	if in.p.Placeholder != "" {
		return "It has to be like " + in.p.Placeholder
	}
	return "It has to match " + in.p.Regex
}

// hint returns the help text of the property and its limits, nil when it has neither.
func (in *input) hint() g.Node {
	_, text := prompt(in.view, in.p)
	text = strings.TrimSpace(text + " " + in.doc)
	limits := in.limits()
	switch {
	case text == "":
		return limits
	case limits == nil:
		return g.Text(text)
	}
	return g.Group{g.Text(text + " "), limits}
}

// limits returns the range or the source of the values, nil when the property has no
// limits.
func (in *input) limits() g.Node {
	p := in.p
	switch {
	case p.OptionsLink.Href != "":
		path, _, _ := strings.Cut(p.OptionsLink.Href, "?")
		title := p.OptionsLink.Title
		if title == "" {
			title = label(p.Name)
		}
		var now g.Group
		for _, id := range in.chosen() {
			if t := in.titleOfID(id); t != "" {
				now = append(now, g.Text(" "+id+" is "+t+"."))
			}
		}
		return g.Group{h.Span(h.Class("plain"), g.Text("By id, from "), h.A(h.Href(path), g.Text(title)), g.Text("."), now)}
	case p.Type == "datetime-local":
		return g.Text("In UTC.")
	case p.Type != "number" || p.Min == "" && p.Max == "" || p.Max == "2147483647":
	case p.Min != "" && p.Max != "":
		return g.Text("From " + p.Min + " to " + p.Max + ".")
	case p.Min != "":
		return g.Text("At least " + p.Min + ".")
	default:
		return g.Text("At most " + p.Max + ".")
	}
	return nil
}

// autocomplete returns the autocomplete attribute for password managers (HTML, section
// 4.10.18.7), nil for other fields.
func (in *input) autocomplete() g.Node {
	target := in.t.Target
	signIn := strings.Contains(target, "sign-in") || strings.Contains(target, "token-auth")
	switch name := in.p.Name; {
	case in.secret() && (signIn || strings.Contains(name, "current") || strings.Contains(name, "old")):
		return h.AutoComplete("current-password")
	case in.secret():
		return h.AutoComplete("new-password")
	case name == "username" && signIn:
		return h.AutoComplete("username")
	case signIn && (name == "token" || name == "code"):
		return h.AutoComplete("one-time-code")
	case name == "username", strings.Contains(name, "email"):
		return h.AutoComplete("off") // another user's
	}
	return nil
}
