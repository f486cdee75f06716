package browse

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/pkg/view"
)

// catalogue returns the page of all blueprints.
func (f *Face) catalogue(v *view.View, title string) g.Node {
	docs := embeddedRows(v.Doc)
	if v.Selection != "" {
		return f.list(v, title)
	}
	cards := blueprintCards(docs)
	if cards == nil {
		cards = empty(v)
	}
	return h.Div(h.Class("kind"), heading(v, title), listActions(v, len(docs) > 0 && template(v.Doc, "") != nil), imports(v), createForms(v), filter(v), cards, paging(v))
}

// blueprintCards returns blueprints as cards, nil when there are none.
func blueprintCards(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	cards := make(g.Group, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		orderable := prop(d, "is-orderable")
		cards = append(cards, h.Article(h.Class("card good"),
			h.H3(h.A(h.Href(selfOf(d)), g.Text(textOf(d, "name")))),
			h.P(g.Text(textOf(d, "description"))),
			h.P(h.Class("from"), priceFrom(textOf(d, "price-from")),
				g.If(orderable.Kind() == hal.KindBool && !orderable.Bool(), toneBadge("Cannot be ordered now", neutral))),
		))
	}
	return h.Div(h.Class("cards"), cards)
}

// priceFrom returns the lowest price of a blueprint.
func priceFrom(text string) g.Node {
	if text == "" {
		return g.Text("Price depends on the order")
	}
	return g.Group{g.Text("from "), price(text)}
}

// blueprint returns the page of a blueprint, with its order form.
func (f *Face) blueprint(v *view.View, title string) g.Node {
	d := v.Doc
	t := template(d, "order")
	state := textOf(d, "state")
	return h.Div(h.Class("kind"),
		heading(v, title),
		h.Div(h.Class("state"), g.If(state != "Active", badge(state)), h.Span(priceFrom(textOf(d, "price-from")))),
		g.If(textOf(d, "description") != "", h.P(h.Class("lead"), g.Text(textOf(d, "description")))),
		orderForm(v, t),
		h.Div(h.Class("columns"),
			section("What it is made of", buildItemTable(prop(d, "build-items"))),
			section("Made from it", serviceList(embeddedOf(d, "cb:services")), allLink(d, "cb:services", "All services from it")),
		),
		section("For clients", h.Ul(
			g.If(len(linksOf(d, "cb:sample-order")) > 0, h.Li(linkTo(d, "cb:sample-order"))),
			g.If(len(linksOf(d, "cb:export")) > 0, h.Li(linkTo(d, "cb:export"))),
			g.If(len(linksOf(d, "group")) > 0, h.Li(g.Text("Provided by "), linkTo(d, "group"))),
			g.If(len(linksOf(d, "groups")) > 0, h.Li(g.Text("For "), linksList(d, "groups"))),
			h.Li(g.Text("Id "), h.Code(g.Text(textOf(d, "id"))), g.Text(", "), h.Code(g.Text(textOf(d, "global-id")))),
		)),
		buttons(v, "-"),
		formsExcept(v, "order"),
	)
}

// buildItemTable returns the build items of a blueprint as a table, nil when it has none.
func buildItemTable(list hal.Value) g.Node {
	var rows g.Group
	for x := range list.Items() {
		p := x.Props()
		optional := func(name string) g.Node {
			if v := member(p, name); v.Text() != "" {
				return value(v)
			}
			return g.Text("as ordered")
		}
		if member(p, "quantity").Text() == "" { // the run of an action
			what := g.Text("An action")
			if v := member(p, "action"); v.Text() != "" {
				what = value(v)
			}
			rows = append(rows, h.Tr(cell("Build item", optionalText(member(p, "name").Text())), h.Td(h.ColSpan("3"), what)))
			continue
		}
		rows = append(rows, h.Tr(cell("Build item", optionalText(member(p, "name").Text())), cell("Servers", optionalText(member(p, "quantity").Text())),
			cell("Operating system", optional("os-build")), cell("Size", optional("perf-type"))))
	}
	if rows == nil {
		return nil
	}
	return grid([]string{"Build item", "Servers", "Operating system", "Size"}, rows)
}

func serviceList(docs []hal.Document) g.Node {
	if len(docs) == 0 {
		return nil
	}
	var items g.Group
	for i := range docs {
		items = append(items, h.Li(selfLink(&docs[i]), g.Text(" "), badge(textOf(&docs[i], "status"))))
	}
	return h.Ul(h.Class("values"), items)
}

// orderForm returns the order form of a blueprint, or a notice when the user cannot order
// it. Its check button sends a dry run.
func orderForm(v *view.View, t *hal.Template) g.Node {
	if t == nil {
		return h.P(h.Class("notice"), g.Text("You cannot order it."))
	}
	sets := fieldsets(v, t)
	var body g.Group
	for _, s := range sets {
		var fields g.Group
		for i := range s.inputs {
			fields = append(fields, s.inputs[i].field())
		}
		if fields != nil {
			body = append(body, h.FieldSet(h.Legend(g.Text(s.legend)), fields))
		}
	}
	submit := func(now, text, class string) g.Node {
		return h.Button(h.Type("submit"), h.Name("submit-now"), h.Value(now), g.If(class != "", h.Class(class)), g.Text(text))
	}
	return h.Section(h.ID("form-order"), h.Class("order"),
		h.H2(g.Text("Order it")),
		h.Form(h.Method("post"), h.Action(actionOf(v, t)), h.ID("order-form"), g.Attr("data-try", dryRunAction(v, t)),
			h.Input(h.Type("hidden"), h.Name("cart"), h.Value("current")),
			h.Div(h.Class("sets"), body),
			orderSummarySection(v, t),
			h.Div(h.Class("buttons"),
				h.Button(h.Type("submit"), h.Name("submit-now"), h.Value("true"), g.Attr("formaction", dryRunAction(v, t)), g.Text("Check price and approvals")),
				submit("false", "Add to cart", ""),
				submit("true", "Order now", "primary"),
			),
		),
	)
}

// fieldset is a group of controls of the order form.
type fieldset struct {
	legend string
	inputs []input
}

// setByButtons are the properties of the order template that its buttons set.
var setByButtons = map[string]bool{"submit-now": true, "cart": true}

// fieldsets groups the controls of an order form by subject: recipient, place, each build
// item, the blueprint's own inputs, and the lease. Unknown properties go with the
// blueprint's own.
func fieldsets(v *view.View, t *hal.Template) []fieldset {
	d, sent := v.Doc, submissionOf(v, t)
	who, where, lease, own := fieldset{legend: "Who it is for"}, fieldset{legend: "Where it is made"}, fieldset{legend: "How long it stays"}, fieldset{legend: "Choices"}
	var names []string
	tier, tiers := -1, 0 // index of the only tier of servers, and their number
	for x := range prop(d, "build-items").Items() {
		if member(x.Props(), "quantity").Text() != "" {
			tier, tiers = len(names), tiers+1
		}
		names = append(names, member(x.Props(), "name").Text())
	}
	if tiers != 1 {
		tier = -1
	}
	items := make([]fieldset, len(names))
	for i, name := range names {
		items[i].legend = name
	}
	inputs := map[string]string{} // descriptions of the blueprint's inputs by name
	for x := range prop(d, "inputs").Items() {
		inputs[member(x.Props(), "name").Text()] = member(x.Props(), "description").Text()
	}
	for i := range t.Properties {
		p := &t.Properties[i]
		in := input{t: t, p: p, id: fieldID(t, i), sent: sent, view: v, asSelect: true, doc: inputs[p.Name]}
		switch at := buildItemIndex(p.Name, names, tier, inputs); {
		case setByButtons[p.Name]:
		case p.Name == "group" || p.Name == "recipient" || p.Name == "name":
			who.inputs = append(who.inputs, in)
		case p.Name == "environment" || p.Name == "service-name":
			where.inputs = append(where.inputs, in)
		case at >= 0:
			short := *p
			short.Prompt = strings.Replace(p.Prompt, " of "+names[at], "", 1) // the legend names the build item
			in.p = &short
			items[at].inputs = append(items[at].inputs, in)
		case strings.EqualFold(strings.ReplaceAll(p.Name, "_", "-"), "expiration-date"):
			lease.inputs = append(lease.inputs, in)
		default:
			own.inputs = append(own.inputs, in)
		}
	}
	return append(append([]fieldset{who, where}, items...), own, lease)
}

// buildItemIndex returns the index in names of the build item that a property belongs to,
// -1 for none. Tier is the index of the only tier of servers, -1 if there are several.
func buildItemIndex(name string, names []string, tier int, inputs map[string]string) int {
	if _, ok := inputs[name]; ok {
		return -1
	}
	for i, item := range names {
		if strings.HasPrefix(name, item+".") {
			return i
		}
	}
	if name == "quantity" || name == "hostname" || name == "os-build" {
		return tier
	}
	return -1
}
