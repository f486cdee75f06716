package browse

import (
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
)

const (
	maxChoices      = 24 // values of a field up to which it is offered as a select
	maxQuickFilters = 4  // fields that are offered as a select
)

// titleFields are the fields that name a row, best first.
var titleFields = []string{"hostname", "username", "name", "id"}

// titleField returns the field that names the rows of a resource.
func titleField(s *query.Schema, known func(string) *query.Field) *query.Field {
	for _, name := range titleFields {
		if f := known(name); f != nil {
			return f
		}
	}
	return s.ID()
}

// fieldOf returns the field that the filter and order parameters know under a member's
// name, nil for none.
func fieldOf(v *view.View, name string) *query.Field {
	name = strings.ReplaceAll(strings.TrimPrefix(name, v.Of.Name+"."), "_", "-")
	return v.Of.Schema.Field(name, v.Actor)
}

// filter returns the filter form of a list: a search, a select for each status, a
// condition on any other field, and the raw expression. It returns nil for an empty list
// without a filter.
func filter(v *view.View) g.Node {
	here := addressOf(v.Path, v.Query)
	raw := here.get("filter")
	if raw == "" && v.Doc != nil && total(v.Doc) == 0 {
		return nil // there is nothing to narrow down
	}
	terms := query.TypedTerms(raw)
	wrong := v.Doc == nil && v.Problem != nil
	find, states := search(v, terms), quickFilters(v, terms)
	show := h.Button(h.Type("submit"), g.Text("Show"))
	return h.Form(h.Class("filter"), h.Method("get"), h.Action(v.Path), h.Role("search"), g.Attr("aria-label", "Filter"),
		hiddenParams(v, here),
		g.If(find != nil || states != nil, h.Div(h.Class("quick"), find, states, show)),
		chips(v, here, terms),
		h.Details(g.If(wrong, g.Attr("open")),
			h.Summary(g.Text("More conditions")),
			condition(v),
			h.Div(h.Class("field"),
				h.Label(h.For("filter-raw"), g.Text("As the API has it")),
				h.Input(h.Type("text"), h.ID("filter-raw"), h.Name("filter"), h.Value(raw), h.AutoComplete("off"), g.Attr("spellcheck", "false"),
					g.If(wrong, g.Group{g.Attr("aria-invalid", "true"), g.Attr("aria-describedby", "problem")})),
				h.P(h.Class("hint"), g.Text("field:value, field.lookup:value or relation.field:value, separated by semicolons")),
			),
			g.If(find == nil && states == nil, show),
		),
	)
}

// hiddenParams returns hidden inputs that keep the other parameters of the list.
func hiddenParams(v *view.View, here address) g.Node {
	var list g.Group
	for _, p := range here.pairs {
		if p.name != "filter" && p.name != "page" && p.name != "after" && p.name != "before" {
			list = append(list, h.Input(h.Type("hidden"), h.Name(p.name), h.Value(p.value)))
		}
	}
	if v.Selection != "" {
		list = append(list, h.Input(h.Type("hidden"), h.Name("_select"), h.Value(v.Selection)))
	}
	return list
}

// conditionInputs returns the hidden field and lookup of a condition. The value's input
// follows them.
func conditionInputs(path string, l query.Lookup) g.Node {
	return g.Group{h.Input(h.Type("hidden"), h.Name("_f"), h.Value(path)), h.Input(h.Type("hidden"), h.Name("_l"), h.Value(string(l)))}
}

// valueOf returns the value of the first term on a path with a lookup, "" for none.
func valueOf(terms []query.Typed, path string, l query.Lookup) string {
	for _, t := range terms {
		if t.Lookup == l && strings.ReplaceAll(t.Path, "_", "-") == path {
			return t.Value
		}
	}
	return ""
}

// search returns the input that searches the rows' names.
func search(v *view.View, terms []query.Typed) g.Node {
	f := titleField(v.Of.Schema, func(name string) *query.Field { return v.Of.Schema.Field(name, v.Actor) })
	if f.Kind != query.Text {
		return nil
	}
	return h.Div(h.Class("field"),
		h.Label(h.For("search"), g.Text(label(f.Name)+" contains")),
		conditionInputs(f.Name, query.IContains),
		h.Input(h.Type("search"), h.ID("search"), h.Name("_v"), h.Value(valueOf(terms, f.Name, query.IContains))),
	)
}

// quickFilters returns a select for each column with few values, at most maxQuickFilters.
func quickFilters(v *view.View, terms []query.Typed) g.Node {
	var list g.Group
	for _, name := range v.Of.Headings {
		f := fieldOf(v, name)
		if f == nil || len(list) == maxQuickFilters {
			continue
		}
		values := choicesOf(v.Of, f)
		if len(values) == 0 || len(values) > maxChoices {
			continue
		}
		id, chosen := "quick-"+f.Name, valueOf(terms, f.Name, query.Exact)
		options := g.Group{h.Option(h.Value(""), g.Text("any"))}
		for _, x := range values {
			options = append(options, h.Option(h.Value(x.value), g.If(strings.EqualFold(x.value, chosen), h.Selected()), g.Text(x.name)))
		}
		list = append(list, h.Div(h.Class("field"),
			h.Label(h.For(id), g.Text(label(f.Name))),
			conditionInputs(f.Name, query.Exact),
			h.Select(h.ID(id), h.Name("_v"), options),
		))
	}
	if list == nil {
		return nil
	}
	return list
}

// choicesOf returns the values of a boolean or enumerated field, as label and value; nil
// for other fields.
func choicesOf(of *resource.Def, f *query.Field) []pair {
	//exhaustive:ignore
	switch f.Kind {
	case query.Bool:
		return []pair{{"yes", "true"}, {"no", "false"}}
	case query.Enum:
		list := make([]pair, len(f.Enum))
		for i, x := range f.Enum {
			list[i] = pair{valueLabel(of, f.Name, x), x}
		}
		return list
	}
	return nil
}

// valueLabel returns the label of a value: a status has that of its badge.
func valueLabel(of *resource.Def, field, value string) string {
	if isState(of, field) {
		if s, known := stateOf(value, isOrder(of)); known {
			return s.text
		}
	}
	if strings.ToUpper(value) == value {
		return value
	}
	return label(strings.ToLower(value))
}

// lookups are the labels of conditions, in the order in which they are offered.
var lookups = []struct {
	lookup query.Lookup
	words  string
}{
	{query.Exact, "is"},
	{query.IContains, "contains"},
	{query.IStartsWith, "begins with"},
	{query.IEndsWith, "ends with"},
	{query.In, "is one of (a, b, c)"},
	{query.Gt, "is more than"},
	{query.Gte, "is at least"},
	{query.Lt, "is less than"},
	{query.Lte, "is at most"},
	{query.Range, "is between (a, b)"},
	{query.IsNull, "is empty (true, false)"},
	{query.OnDate, "is on the day"},
	{query.Year, "is in the year"},
	{query.Month, "is in the month"},
	{query.Day, "is on the day of the month"},
	{query.IExact, "is, in any case,"},
	{query.Contains, "contains exactly"},
	{query.StartsWith, "begins exactly with"},
	{query.EndsWith, "ends exactly with"},
}

// fieldKinds are the names of field types in the data attributes that scripts read.
var fieldKinds = map[query.Kind]string{
	query.Text: "text", query.Int: "int", query.Bool: "bool", query.Enum: "enum", query.Time: "time", query.Date: "date", query.Ref: "ref",
}

// condition returns a row for a condition on any field. Scripts add further rows, and
// offer only the lookups that fit the field.
func condition(v *view.View) g.Node {
	known, hops := v.Of.Schema.Known(v.Actor)
	own, related := make(g.Group, 0, len(known)), make(g.Group, 0, len(hops))
	for _, f := range known {
		own = append(own, fieldOption(v, f.Name, label(f.Name), f))
	}
	for _, hop := range hops {
		f := titleField(hop.Target, func(name string) *query.Field { return hop.Target.Field(name, v.Actor) })
		related = append(related, fieldOption(v, hop.Name+"."+f.Name, label(hop.Name), f))
	}
	items := make(g.Group, 0, len(lookups))
	for _, l := range lookups {
		items = append(items, h.Option(h.Value(string(l.lookup)), h.Data("kinds", kindsFor(l.lookup)), g.Text(l.words)))
	}
	return h.Div(h.Class("conditions"), h.Div(h.Class("condition"),
		h.Select(h.Name("_f"), h.Aria("label", "Field"),
			h.Option(h.Value(""), g.Text("Field …")),
			h.OptGroup(g.Attr("label", "Fields"), own),
			g.If(len(related) > 0, h.OptGroup(g.Attr("label", "Related, by name"), related)),
		),
		h.Select(h.Name("_l"), h.Aria("label", "Condition"), items),
		h.Input(h.Type("text"), h.Name("_v"), h.Aria("label", "Value"), h.AutoComplete("off")),
	))
}

func fieldOption(v *view.View, path, text string, f *query.Field) g.Node {
	kind := fieldKinds[f.Kind]
	var values []string
	for _, x := range choicesOf(v.Of, f) {
		values = append(values, x.value)
	}
	return h.Option(h.Value(path), h.Data("kind", kind), g.If(values != nil, h.Data("values", strings.Join(values, "|"))), g.Text(text))
}

// kindsFor returns the field types that a lookup fits, separated by spaces.
func kindsFor(l query.Lookup) string {
	var list []string
	for kind, name := range fieldKinds {
		f := query.Field{Kind: kind}
		if kind == query.Ref { // ids are the only ones, and compare like numbers
			f = *(&query.Schema{}).ID()
		}
		if slices.Contains(f.Lookups(), l) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// chips returns the active conditions, each with a link that removes it.
func chips(v *view.View, here address, terms []query.Typed) g.Node {
	if len(terms) == 0 {
		return nil
	}
	list := make(g.Group, 0, len(terms)+1)
	for i, t := range terms {
		rest := make([]string, 0, len(terms))
		for j, other := range terms {
			if j != i {
				rest = append(rest, other.String())
			}
		}
		text := termText(v.Of, t)
		list = append(list, h.Li(g.Text(text), h.A(h.Href(here.fromFirstPage(pair{"filter", strings.Join(rest, ";")}).String()),
			h.Aria("label", "Without: "+text), g.Text("×"))))
	}
	if len(terms) > 1 {
		list = append(list, h.Li(h.Class("clear"), h.A(h.Href(here.fromFirstPage(pair{"filter", ""}).String()), g.Text("Without any"))))
	}
	return h.Ul(h.Class("chips"), h.Aria("label", "Conditions"), list)
}

// termText returns a condition in words.
func termText(of *resource.Def, t query.Typed) string {
	words := string(t.Lookup)
	for _, l := range lookups {
		if l.lookup == t.Lookup {
			words, _, _ = strings.Cut(l.words, " (")
		}
	}
	if t.Lookup == query.IsNull {
		if strings.EqualFold(t.Value, "false") || t.Value == "0" {
			return label(t.Path) + " is not empty"
		}
		return label(t.Path) + " is empty"
	}
	value := t.Value
	if t.Lookup == query.Exact && isState(of, t.Path) {
		value = valueLabel(of, t.Path, value)
	}
	return label(strings.TrimSuffix(t.Path, ".name")) + " " + words + " " + value
}

// unfilteredLink returns a link to the whole list, for lists whose filter is wrong.
func unfilteredLink(d *resource.Def) g.Node {
	return h.P(h.A(h.Href(d.Path()), g.Text("All "+d.Noun)))
}
