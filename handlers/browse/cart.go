package browse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/view"
)

// itemKinds are the relations of an order's items, in display order.
var itemKinds = []string{"deploy-items", "prov-items", "mod-items", "decom-items", "scale-items", "action-items"}

// lines returns the items of an order: subject, environment, parameters, price and
// problems.
func lines(v *view.View) g.Node {
	var items g.Group
	for _, kind := range itemKinds {
		docs := embeddedOf(v.Doc, "cb:"+kind)
		for i := range docs {
			items = append(items, line(v, kind, i, &docs[i]))
		}
	}
	if items == nil {
		return h.P(h.Class("empty"), g.Text("It is empty. "), h.A(h.Href(apiBase+"/blueprints/"), g.Text("Choose from the catalogue.")))
	}
	return h.Ol(h.Class("lines"), items)
}

func line(v *view.View, kind string, at int, d *hal.Document) g.Node {
	var wrong g.Group
	for x := range prop(v.Doc, "problems").Items() {
		if isUnder(x, itemPointer(kind, at)) {
			wrong = append(wrong, h.P(h.Class("wrong"), g.Text(reason(x, itemPointer(kind, at)))))
		}
	}
	var acts g.Group
	for i := range d.Templates {
		t := &d.Templates[i]
		if len(t.Properties) == 0 {
			acts = append(acts, h.Form(h.Method("post"), h.Action(itemAction(v, t)),
				h.Button(h.Type("submit"), g.Text("Remove"), h.Span(h.Class("unseen"), g.Text(" "+itemName(kind, d))))))
		}
	}
	acts = append(g.Group{h.A(h.Class("button"), h.Href(selfOf(d)), g.Text("Details"))}, acts...)
	return h.Li(h.ID(kind+"-"+strconv.Itoa(at)),
		h.Div(h.Class("line"), h.Div(h.H3(itemTitle(kind, d)), itemEnvironment(d)), price(textOf(d, "rate"))),
		wrong,
		facts(itemFacts(d.Props, "", buildItemCount(d) > 1)...),
		h.Div(h.Class("actions"), acts),
	)
}

// itemAction returns the address to which an item's form is posted. It returns to the
// order's page.
func itemAction(v *view.View, t *hal.Template) string {
	version := ""
	if v.Version != 0 && t.Method != http.MethodPost {
		version = strconv.FormatInt(v.Version, 10)
	}
	return halserver.FormAction(t.Target, t.Method, version, pageOf(v))
}

// itemPointer returns the JSON pointer of an item in the order's document.
func itemPointer(kind string, at int) string { return "/items/" + kind + "/" + strconv.Itoa(at) }

// isUnder reports whether a problem is about the value at the pointer or below it.
func isUnder(problem hal.Value, pointer string) bool {
	at := member(problem.Props(), "pointer").Text()
	return at == pointer || strings.HasPrefix(at, pointer+"/")
}

// reason returns the text of a problem, with the name of the parameter when it lies below
// the pointer.
func reason(problem hal.Value, above string) string {
	at := strings.TrimPrefix(strings.TrimPrefix(member(problem.Props(), "pointer").Text(), above), "/")
	text := member(problem.Props(), "reason").Text()
	if at == "" {
		return text
	}
	parts := strings.Split(at, "/")
	return label(strings.TrimPrefix(parts[len(parts)-1], "build-item-")) + " " + text
}

// orderProblems returns a notice with the problems that belong to no item, nil when the
// order has no problems.
func orderProblems(d *hal.Document) g.Node {
	var items g.Group
	any := 0
next:
	for x := range prop(d, "problems").Items() {
		any++
		for _, kind := range itemKinds {
			for i := range embeddedOf(d, "cb:"+kind) {
				if isUnder(x, itemPointer(kind, i)) {
					continue next
				}
			}
		}
		items = append(items, h.Li(g.Text(reason(x, ""))))
	}
	if any == 0 {
		return nil
	}
	text := "It cannot go on as it is."
	if items == nil {
		text += " What is wrong is said with what is ordered."
	}
	return h.Div(h.Class("notice bad"), h.P(g.Text(text)), g.If(items != nil, h.Ul(items)))
}

// itemName returns the name of an item's subject.
func itemName(kind string, d *hal.Document) string {
	for _, name := range []string{"service-name", "name", "server", "service", "blueprint"} {
		if text := textOf(d, name); text != "" {
			return text
		}
	}
	return strings.TrimSuffix(kind, "-items") + " item"
}

// itemTitle returns the heading of an item: its action and its subject.
func itemTitle(kind string, d *hal.Document) g.Node {
	linked := func(name string) g.Node { return optionalProp(d, name) }
	switch kind {
	case "deploy-items":
		name, blueprint := textOf(d, "service-name"), prop(d, "blueprint")
		if name == "" || name == blueprint.Text() {
			return value(blueprint)
		}
		return g.Group{g.Text(name + " "), h.Small(g.Text("from "), value(blueprint))}
	case "mod-items":
		return g.Group{g.Text("Change of "), linked("server")}
	case "decom-items":
		return g.Text("Removal")
	case "scale-items":
		return g.Group{g.Text("Size of "), linked("service")}
	case "action-items":
		about := linked("server")
		if about == nil {
			about = linked("service")
		}
		return g.Group{g.Text(textOf(d, "name") + " on "), about}
	}
	return g.Text("Servers without a blueprint")
}

// itemEnvironment returns the environment of an item, nil when it has none.
func itemEnvironment(d *hal.Document) g.Node {
	env := optionalProp(d, "environment")
	if env == nil {
		return nil
	}
	return h.Small(g.Text("in "), env)
}

// titleProps are the members of an item that its heading shows already.
var titleProps = []string{"blueprint", "resource-name", "service-name", "environment", "rate", "name", "action", "delta"}

// buildItemCount returns the number of build items that an item has parameters for.
func buildItemCount(d *hal.Document) int { return prop(d, "blueprint-items-arguments").Len() }

// itemFacts flattens the parameters of an item. With several build items, each name
// starts with that of its build item.
func itemFacts(props []hal.Prop, of string, several bool) []fact {
	var list []fact
	for i := range props {
		p := &props[i]
		if of == "" && slices.Contains(titleProps, p.Name) || p.Value.Kind() == hal.KindNull || p.Value.Text() == "" {
			continue
		}
		switch {
		case p.Value.Kind() == hal.KindObject && strings.HasPrefix(p.Name, "build-item-"):
			list = append(list, itemFacts(p.Value.Props(), strings.TrimPrefix(p.Name, "build-item-"), several)...)
		case p.Value.Kind() == hal.KindObject:
			list = append(list, itemFacts(p.Value.Props(), of, several)...)
		case p.Value.Kind() == hal.KindList && p.Value.Len() == 0:
		case of != "" && several:
			list = append(list, fact{of + ": " + lowerFirst(parameterLabel(p.Name)), value(p.Value)})
		default:
			list = append(list, fact{parameterLabel(p.Name), value(p.Value)})
		}
	}
	return list
}

// parameterLabel returns the label of an order parameter.
func parameterLabel(name string) string {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
	case "vm-size":
		return "Size"
	case "mem-size":
		return "Memory"
	case "cpu-cnt":
		return "Processors"
	case "os-build":
		return "Operating system"
	case "hostname":
		return "Host name"
	case "quantity":
		return "Number of servers"
	case "expiration-date":
		return "Expires on"
	}
	return label(name)
}

func lowerFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// orderTotal returns the price of an order, nil when it is empty.
func orderTotal(d *hal.Document) g.Node {
	if prop(d, "items").Len() == 0 {
		return nil
	}
	return h.P(h.Class("total"), g.Text("In all "), price(textOf(d, "rate")))
}

// dryRunButton returns the button that checks an order without submitting it.
func dryRunButton(v *view.View) g.Node {
	t := template(v.Doc, "submit")
	if t == nil {
		return nil
	}
	return h.Form(h.Method("post"), h.Action(dryRunAction(v, t)), h.Button(h.Type("submit"), g.Text("Check price and approvals")))
}

// dryRunAction returns the address to which a form is posted for a dry run.
func dryRunAction(v *view.View, t *hal.Template) string {
	return halserver.FormAction(t.Target+"?dry-run=1", http.MethodPost, "", pageOf(v))
}

// orderSummarySection returns the section with the result of the last dry run, empty
// before the first. Scripts replace it.
func orderSummarySection(v *view.View, t *hal.Template) g.Node {
	if t == nil {
		return nil
	}
	sent := submissionOf(v, t)
	var content g.Node
	switch {
	case sent == nil:
	case sent.Tried != nil:
		content = orderSummary(sent.Tried)
	case sent.Problem != nil:
		content = h.Div(h.Class("notice bad"), h.P(g.Text("It cannot be ordered like this."))) // the errors are shown at their fields
	}
	return h.Section(h.ID("forecast"), g.Attr("aria-label", "What it would lead to"), g.Attr("aria-live", "polite"), content)
}

// orderSummary returns the result of a dry run: price, approval, quotas and jobs.
func orderSummary(d *hal.Document) g.Node {
	dryRun := prop(d, "dry-run").Props()
	var problems g.Group
	for x := range prop(d, "problems").Items() {
		problems = append(problems, h.Li(g.Text(reason(x, ""))))
	}
	return h.Div(h.Class("card forecast"),
		h.H2(g.Text("What it would lead to")),
		g.If(problems != nil, h.Div(h.Class("notice bad"), h.Ul(problems))),
		facts(
			fact{"Price", price(textOf(d, "rate"))},
			fact{"Approval", approval(d, member(dryRun, "approvals"))},
			fact{"Quotas", quotas(member(dryRun, "quota"))},
			fact{"Work", plannedJobs(member(dryRun, "jobs"))},
		),
	)
}

// approval returns the approvals that an order needs and who can give them.
func approval(d *hal.Document, list hal.Value) g.Node {
	var out g.Group
	for x := range list.Items() {
		p := x.Props()
		if member(p, "policy").Text() == "automatic" {
			out = append(out, h.P(toneBadge("Approved at once", good), g.Text(" "+member(p, "reason").Text())))
			continue
		}
		who := approvers(d)
		if who == nil {
			out = append(out, h.P(toneBadge("Somebody has to approve", warn), g.Text(" and nobody is known to you who may.")))
			continue
		}
		out = append(out, h.P(toneBadge("Somebody has to approve", warn), g.Text(" who may:")), who)
	}
	if out == nil {
		return nil
	}
	return out
}

// quotas returns the use of each quota before and after the order.
func quotas(list hal.Value) g.Node {
	var rows g.Group
	for x := range list.Items() {
		p := x.Props()
		l := hal.Link{Href: member(p, "href").Text(), Title: member(p, "title").Text()}
		if href, ok := member(p, "href").Link(); ok {
			l.Href = href.Href
		}
		rows = append(rows, h.Tr(cell("Quota", link(&l)), cell("Used", optionalText(member(p, "used").Text())),
			cell("Then", optionalText(member(p, "after").Text())), cell("Limit", optionalText(member(p, "limit").Text()))))
	}
	if rows == nil {
		return nil
	}
	return grid([]string{"Quota", "Used", "Then", "Limit"}, rows)
}

// plannedJobs returns the jobs that the order would create, as a tree.
func plannedJobs(list hal.Value) g.Node {
	var items g.Group
	for x := range list.Items() {
		p := x.Props()
		name := ""
		for _, m := range []string{"hostname", "service-name", "action"} {
			name = cmp.Or(name, member(p, m).Text())
		}
		items = append(items, h.Li(g.Text(strings.TrimSuffix(member(p, "type").Text()+": "+name, ": ")), plannedJobs(member(p, "jobs"))))
	}
	if items == nil {
		return nil
	}
	return h.Ul(h.Class("tree"), items)
}

// requestExample returns an order as the API request that places it again.
func requestExample(v *view.View) g.Node {
	d := v.Doc
	if prop(d, "items").Len() == 0 {
		return nil
	}
	var props []hal.Prop
	for _, rel := range []string{"group", "recipient"} {
		if l, ok := oneLink(d, rel); ok {
			props = append(props, hal.Prop{Name: rel, Value: hal.String(l.Href)})
		}
	}
	if name := textOf(d, "name"); name != "" {
		props = append(props, hal.Prop{Name: "name", Value: hal.String(name)})
	}
	props = append(props, hal.Prop{Name: "items", Value: hrefsOf(prop(d, "items"))}, hal.Prop{Name: "submit-now", Value: hal.String("true")})
	return h.Details(h.Class("card part"), h.Summary(g.Text("API…")), orderRequest(v, hal.Object(props)))
}

// orderRequest returns the curl command that places an order with the body.
func orderRequest(v *view.View, body hal.Value) g.Node {
	var b bytes.Buffer
	if json.Indent(&b, body.AppendJSON(nil, hal.HAL), "", "  ") != nil {
		return nil
	}
	origin := v.Origin
	if origin == "" {
		origin = "https://HOST"
	}
	command := "curl -u USER -H 'Content-Type: application/json' " + origin + apiBase + "/orders/ -d '" + strings.ReplaceAll(b.String(), "'", `'\''`) + "'"
	return g.Group{
		h.P(g.Text("The same order as a request. Add "), h.Code(g.Text("?dry-run=1")), g.Text(" to the address to see what it would lead to.")),
		h.Pre(h.Class("source"), h.TabIndex("0"), g.Attr("data-copy"), h.Code(g.Text(command))),
	}
}

// sampleOrder returns the page of a blueprint's sample order.
func (f *Face) sampleOrder(v *view.View, title string) g.Node {
	return h.Div(h.Class("kind"), heading(v, title), h.Section(h.Class("card part"), orderRequest(v, prop(v.Doc, "body"))))
}

// hrefsOf replaces the links within a value by their addresses, as requests take them.
func hrefsOf(v hal.Value) hal.Value {
	switch v.Kind() {
	case hal.KindLink:
		l, _ := v.Link()
		return hal.String(l.Href)
	case hal.KindList:
		list := make([]hal.Value, 0, v.Len())
		for x := range v.Items() {
			list = append(list, hrefsOf(x))
		}
		return hal.List(list)
	case hal.KindObject:
		props := slices.Clone(v.Props())
		for i := range props {
			props[i].Value = hrefsOf(props[i].Value)
		}
		return hal.Object(props)
	case hal.KindNull, hal.KindBool, hal.KindInt, hal.KindDecimal, hal.KindString, hal.KindRaw:
	}
	return v
}
