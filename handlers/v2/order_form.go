package v2

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// This file is the order form of a blueprint: one flat list of members, which any
// form can carry, made of the blueprint's build items and inputs.
//
// Members about one build item have its name as prefix, "Web.quantity", and no prefix
// where the blueprint has only one. environment is for every build item that
// names none of its own. An input goes by its own name; one that is called like a
// member of the form goes by "parameters." and its name.

// members of the form that no input can be called.
var formMembers = []string{"group", "recipient", "name", "service_name", "submit_now", "cart", "environment", "quantity"}

// Where it goes when it is not submitted at once.
const (
	newCart     = "new"
	currentCart = "current"
)

func inputMember(in *models.Input) string {
	if slices.Contains(formMembers, models.InputKey(in.Name)) {
		return "parameters." + in.Name
	}
	return in.Name
}

// vmSize is the parameter with the size of a server.
const vmSize = "vm-size"

// tierMembers returns the possible names of a member about one build item, best first.
func tierMembers(b *models.Blueprint, it *models.BlueprintItem, what string) []string {
	own := it.Name + "." + what
	if len(b.Tiers()) == 1 && !it.IsAction() {
		return []string{what, own}
	}
	return []string{own}
}

// orderBlueprint creates an order of one blueprint from its form.
func (f *Face) orderBlueprint(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.Blueprint], error) {
	var o *models.Order
	made := true
	err := f.byForm(ctx, a, ref, n, func(d order.Draft) (err error) {
		if made = d.Submit || !n.At("cart").Present() || n.At("cart").Text() != currentCart; made {
			o, err = f.Orders.Create(ctx, a, d)
		} else {
			o, err = f.Orders.AddToCurrent(ctx, a, d)
		}
		return err
	})
	if err != nil {
		return resource.Result[models.Blueprint]{}, err
	}
	return resource.Result[models.Blueprint]{Other: resource.Other{Of: "orders", Row: o, Made: made}}, nil
}

// byForm reads the order form of a blueprint and calls take with the draft. Errors name
// the members of the form.
func (f *Face) byForm(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value, take func(order.Draft) error) error {
	b, err := f.Catalog.Blueprints.Find(ctx, a, ref)
	if err != nil {
		return err
	}
	if err := f.Catalog.CanOrder(a, b); err != nil {
		return err
	}
	d := readOrderForm(b, n, f.reg.Refs(ctx, a))
	if err := n.Faults().Err(); err != nil {
		e := fault.From(err)
		e.Detail = "Members: " + strings.Join(formNames(b), ", ") + "."
		return e
	}
	if err := take(d); err != nil {
		return moved(err, inOrderForm(b, n))
	}
	return nil
}

func readOrderForm(b *models.Blueprint, n *jsonbody.Value, refs *resource.Refs) order.Draft {
	d := order.Draft{
		Name: n.Field("name").TextUpTo(maxName), GroupID: refs.To(n.Field("group"), "groups"),
		RecipientID: refs.To(n.Field("recipient"), "users"), Submit: n.Field("submit-now").Bool(),
	}
	item := &models.DeployItem{
		BlueprintID: b.ID, Name: n.Field("service-name").TextUpTo(maxName),
		EnvironmentID: refs.To(n.Field("environment"), "environments"),
	}
	if cart := n.Field("cart"); cart.Present() && cart.Text() != newCart && cart.Text() != currentCart {
		cart.Complain("is neither %s nor %s", newCart, currentCart)
	}
	for i := range b.Items {
		if it := &b.Items[i]; !it.IsAction() {
			item.Arguments = append(item.Arguments, readTier(b, it, n, refs))
		} else if arg := readAction(b, it, n); len(arg.Parameters) > 0 {
			item.Arguments = append(item.Arguments, arg)
		}
	}
	for i := range b.Inputs {
		in := &b.Inputs[i]
		if x := n.Field(inputMember(in), "parameters."+in.Name); x.Present() {
			item.Parameters = append(item.Parameters, models.Param{Name: in.Name, Value: readParam(x)})
		}
	}
	n.Done()
	d.Items = []models.OrderItem{{Kind: models.ItemDeploy, Deploy: item}}
	return d
}

// readAction reads the members about the run of a build item's action: those of its inputs
// for which the blueprint has none.
func readAction(b *models.Blueprint, it *models.BlueprintItem, n *jsonbody.Value) models.BuildItemArgs {
	arg := models.BuildItemArgs{Item: it.Name}
	for _, in := range it.ActionInputs() {
		if _, asked := b.Input(in.Name); asked {
			continue
		}
		if x := n.Field(tierMembers(b, it, in.Name)...); x.Present() {
			arg.Parameters = append(arg.Parameters, models.Param{Name: in.Name, Value: readParam(x)})
		}
	}
	return arg
}

func readTier(b *models.Blueprint, it *models.BlueprintItem, n *jsonbody.Value, refs *resource.Refs) models.BuildItemArgs {
	arg := models.BuildItemArgs{Item: it.Name, EnvironmentID: refs.To(n.Field(it.Name+".environment"), "environments")}
	if q := n.Field(tierMembers(b, it, "quantity")...); q.Present() {
		arg.Quantity = readQuantity(q)
	}
	if !catalog.InputTakesPlace(b, "hostname") {
		arg.Hostname = n.Field(tierMembers(b, it, "hostname")...).Text()
	}
	if !catalog.InputTakesPlace(b, "os-build") {
		arg.OSBuildID = refs.To(n.Field(tierMembers(b, it, "os-build")...), "os-builds")
	}
	if _, asked := b.Input(vmSize); !asked {
		if x := n.Field(tierMembers(b, it, vmSize)...); x.Present() {
			arg.Parameters = append(arg.Parameters, models.Param{Name: vmSize, Value: readParam(x)})
		}
	}
	for _, name := range models.PlacementNames() {
		if _, asked := b.Input(name); asked {
			continue
		}
		if x := n.Field(tierMembers(b, it, name)...); x.Present() {
			arg.Parameters = append(arg.Parameters, models.Param{Name: name, Value: readParam(x)})
		}
	}
	return arg
}

// formNames lists the members of a blueprint's form.
func formNames(b *models.Blueprint) []string {
	names := []string{"group", "environment", "service-name"}
	for i := range b.Items {
		it := &b.Items[i]
		if it.IsAction() {
			for _, in := range it.ActionInputs() {
				if _, asked := b.Input(in.Name); !asked {
					names = append(names, tierMembers(b, it, in.Name)[0])
				}
			}
			continue
		}
		if len(b.Tiers()) > 1 {
			names = append(names, it.Name+".environment")
		}
		for _, what := range []string{"quantity", "hostname", "os-build"} {
			if what == "quantity" || !catalog.InputTakesPlace(b, what) {
				names = append(names, tierMembers(b, it, what)[0])
			}
		}
		if _, asked := b.Input(vmSize); !asked {
			names = append(names, tierMembers(b, it, vmSize)[0])
		}
	}
	for i := range b.Inputs {
		names = append(names, inputMember(&b.Inputs[i]))
	}
	return append(names, "recipient", "name", "submit-now", "cart")
}

// offer has the choices of a form, with the names of groups and environments.
type offer struct {
	*catalog.Setting
	groups, envs []hal.Option
}

// offer returns the choices of a blueprint's form. A form that is shown again starts with
// its own group and environment.
func (f *Face) offer(ctx context.Context, a access.Actor, b *models.Blueprint) (*offer, error) {
	list, err := f.Catalog.Offers(ctx, a, b)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, f.Catalog.CanOrder(a, b)
	}
	var group models.ID
	environment := catalog.DefaultEnvironment(b)
	if sent := view.From(ctx); sent != nil {
		group, environment = idIn(sent.Values.Get("group")), cmp.Or(idIn(sent.Values.Get("environment")), environment)
	}
	return f.offerFor(ctx, a, list, group, environment)
}

// idIn returns the id that a choice of a form sends, 0 for anything else.
func idIn(text string) models.ID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return models.ID(n)
}

func (f *Face) offerFor(ctx context.Context, a access.Actor, list []catalog.Offer, group, environment models.ID) (*offer, error) {
	setting, err := f.Catalog.Begin(ctx, list, group, environment)
	if err != nil {
		return nil, err
	}
	return f.offerNames(ctx, a, setting)
}

// offerNames adds to a setting the names of its groups and environments.
func (f *Face) offerNames(ctx context.Context, a access.Actor, setting *catalog.Setting) (_ *offer, err error) {
	o := &offer{Setting: setting}
	if o.groups, err = f.reg.Options(ctx, a, "groups", setting.Groups()); err != nil {
		return nil, err
	}
	choices := setting.Environments()
	ids := make([]models.ID, len(choices))
	for i, x := range choices {
		ids[i] = idIn(x.Value)
	}
	if o.envs, err = f.reg.Options(ctx, a, "environments", ids); err != nil {
		return nil, err
	}
	o.sayForWhom(choices)
	return o, nil
}

// sayForWhom adds to each environment the groups that can choose it, unless all can.
func (o *offer) sayForWhom(choices []catalog.Choice) {
	for i := range o.envs {
		at := slices.IndexFunc(choices, func(x catalog.Choice) bool { return x.Value == o.envs[i].Value })
		if at < 0 {
			continue
		}
		var names, ids []string
		for _, id := range choices[at].For {
			if g := slices.IndexFunc(o.groups, func(g hal.Option) bool { return g.Value == id.String() }); g >= 0 {
				names, ids = append(names, o.groups[g].Prompt), append(ids, o.groups[g].Value)
			}
		}
		if len(names) > 0 {
			o.envs[i].Prompt += " (for " + strings.Join(names, ", ") + ")"
			o.envs[i].For = strings.Join(ids, " ")
		}
	}
}

// hostnamePattern matches a host name, with or without a domain.
const hostnamePattern = `[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?)*`

// orderProps lists the members of a blueprint's order form.
func (f *Face) orderProps(ctx context.Context, a access.Actor, b *models.Blueprint) ([]hal.TemplateProperty, error) {
	o, err := f.offer(ctx, a, b)
	if err != nil {
		return nil, err
	}
	var props []hal.TemplateProperty
	for _, q := range catalog.Questions(b, o.Setting) {
		props = append(props, f.orderProp(b, &q, o))
	}
	return append(props,
		f.reg.Choices(hal.TemplateProperty{Name: "recipient", Prompt: "Whose the servers will be, when not yours"}, "users", ""),
		hal.TemplateProperty{Name: "name", Prompt: "Name that approvers see", Type: "text", MaxLength: maxName},
		yesOrNo("submit-now", "Whether the order is submitted at once", "true"),
		hal.TemplateProperty{
			Name: "cart", Prompt: "Where it goes when it is not submitted at once", Type: "text", Value: newCart,
			Options: []hal.Option{{Prompt: "a cart of its own", Value: newCart}, {Prompt: "your current cart", Value: currentCart}},
		},
	), nil
}

func yesOrNo(name, prompt, value string) hal.TemplateProperty {
	return hal.TemplateProperty{Name: name, Prompt: prompt, Type: "text", Value: value, Options: []hal.Option{{Value: "true"}, {Value: "false"}}}
}

// orderPrompts are the order form's labels of the questions of every blueprint.
var orderPrompts = map[string]string{
	"group": "Group that it is ordered for", "environment": "Environment that it is made in", "name": "Name of the service",
}

// buildItemPrompts are its labels of the questions about build items.
var buildItemPrompts = map[string]string{"quantity": "Number of servers", "hostname": "Host name", "os-build": "Operating system", vmSize: "Size"}

// orderProp returns the order form's member for a question of the blueprint.
func (f *Face) orderProp(b *models.Blueprint, q *catalog.Question, o *offer) hal.TemplateProperty {
	what := q.Path.Last().Name
	p := f.property(q, questionMember(b, q.Path))
	//exhaustive:ignore
	switch q.Path[0].Kind {
	case fault.KindMember:
		p.Prompt = orderPrompts[what]
	case fault.KindBuildItem:
		of := " of " + q.Path[0].Name
		if it, _ := b.Item(q.Path[0].Name); it.IsAction() {
			p.Prompt += of
			break
		}
		if len(b.Tiers()) == 1 {
			of = ""
		}
		switch label, has := buildItemPrompts[what]; {
		case what == "environment":
			p.Prompt = "Environment" + of + ", when another"
		case has:
			p.Prompt = label + of
		default: // a parameter that chooses the place
			p.Prompt += of
		}
	}
	switch q.Type { //nolint:exhaustive // the others are not rows of this API
	case catalog.AskGroup:
		p.Options = o.groups
	case catalog.AskEnvironment:
		p.Options = o.envs
	}
	return p
}

// property returns the form member for a question.
func (f *Face) property(q *catalog.Question, name string) hal.TemplateProperty {
	p := hal.TemplateProperty{Name: name, Prompt: q.Label, Type: "text", Required: q.Required, Multiple: q.Multiple, Value: q.Default, MaxLength: q.MaxLength}
	p.Placeholder = q.Fallback
	for _, x := range q.Choices {
		p.Options = append(p.Options, choiceOption(x))
	}
	switch q.Type {
	case catalog.AskText:
		p.Regex = resource.Browsers(q.Pattern)
	case catalog.AskInteger:
		p.Type, p.Min, p.Max = "number", bound(q.Min), bound(q.Max)
	case catalog.AskBoolean:
		p.Options = []hal.Option{{Value: "true"}, {Value: "false"}}
	case catalog.AskDate:
		p.Type, p.Min, p.Max = "date", cmp.Or(q.Earliest, f.Orders.Today()), q.Latest
	case catalog.AskMemory:
		p.Regex, p.Placeholder = memoryPattern, cmp.Or(q.Fallback, exampleMemory(q))
	case catalog.AskHostname:
		p.Regex = hostnamePattern
	case catalog.AskOSBuild, catalog.AskSize, catalog.AskGroup, catalog.AskEnvironment, catalog.AskServer, catalog.AskBlueprint:
	}
	return p
}

func choiceOption(x catalog.Choice) hal.Option {
	if x.Size == nil {
		return hal.Option{Prompt: x.Name, Value: x.Value}
	}
	return hal.Option{Prompt: x.Name + " (" + strconv.Itoa(x.Size.CPUs) + " CPU, " + models.FormatMemory(x.Size.MemoryMB) + ", " + x.Size.Rate.PerMonth() + ")", Value: x.Value}
}

// memoryPattern matches an amount of memory.
const memoryPattern = `[0-9]+(\.[0-9]+)? *([MGTmgt][Bb])?`

func bound(limit *int64) string {
	if limit == nil {
		return ""
	}
	return strconv.FormatInt(*limit, 10)
}

// exampleMemory returns an amount within the bounds, 2 GB if it can be.
func exampleMemory(q *catalog.Question) string {
	mb := int64(2048)
	if q.Max != nil {
		mb = min(mb, *q.Max)
	}
	if q.Min != nil {
		mb = max(mb, *q.Min)
	}
	return models.FormatMemory(int(mb))
}

// sampleOrder answers an order of the blueprint that can be sent as it is: for the
// first of the caller's groups that may order it, into its first environment.
func (f *Face) sampleOrder(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	ctx, a := c.Request().Context(), web.Actor(c)
	b, err := f.Catalog.Blueprints.Find(ctx, a, c.Param("id"))
	if err != nil {
		return err
	}
	if err := f.Catalog.CanOrder(a, b); err != nil {
		return err
	}
	o, err := f.offer(ctx, a, b)
	if err != nil {
		return err
	}
	blueprint := f.reg.Def("blueprints").Href(b.ID)
	item := models.OrderItem{Kind: models.ItemDeploy, Deploy: f.sampleItem(b, o)}
	return f.hal.Send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: blueprint + "/sample-order", Title: "Sample Order Of " + b.Name}}},
			{Name: "up", Links: []hal.Link{{Href: blueprint, Title: b.Name}}},
			{Name: "orders", Links: []hal.Link{{Href: f.reg.Def("orders").Path(), Title: "Orders: POST the body here"}}},
		},
		Props: []hal.Prop{{Name: "body", Value: hal.Object([]hal.Prop{
			{Name: "group", Value: href("groups", o.Group)},
			{Name: "items", Value: hal.Object([]hal.Prop{{Name: itemMember(models.ItemDeploy), Value: hal.List([]hal.Value{hal.Object(itemProps(&item))})}})},
			{Name: "submit-now", Value: hal.String("true")},
		})}},
	})
}

// sampleItem answers the questions of a blueprint that have to be answered, and those
// that have a default.
func (f *Face) sampleItem(b *models.Blueprint, o *offer) *models.DeployItem {
	item := &models.DeployItem{BlueprintID: b.ID, Name: b.Name}
	for i := range b.Items {
		it := &b.Items[i]
		if it.IsAction() {
			item.Arguments = append(item.Arguments, models.BuildItemArgs{Item: it.Name})
			continue
		}
		item.Arguments = append(item.Arguments, models.BuildItemArgs{Item: it.Name, Quantity: it.Quantity, EnvironmentID: cmp.Or(o.EnvironmentOf(it), o.Environment)})
	}
	for _, q := range catalog.Questions(b, o.Setting) {
		last := q.Path.Last()
		p := f.property(&q, last.Name)
		v := sampleValue(&p)
		switch {
		case v == "":
		case q.Path[0].Kind == fault.KindParameter && (q.Required || q.Default != ""):
			item.Parameters = append(item.Parameters, models.Param{Name: last.Name, Value: v})
		case q.Path[0].Kind != fault.KindBuildItem || !q.Required:
		case last.Kind == fault.KindParameter:
			arg := item.ArgumentsOf(q.Path[0].Name)
			arg.Parameters = append(arg.Parameters, models.Param{Name: last.Name, Value: v})
		case q.Type == catalog.AskOSBuild:
			item.ArgumentsOf(q.Path[0].Name).OSBuildID = idIn(v)
		}
	}
	return item
}

// sampleValue returns a value that a question takes.
func sampleValue(p *hal.TemplateProperty) string {
	switch {
	case p.Value != "":
		return p.Value
	case len(p.Options) > 0:
		return p.Options[0].Value
	case p.Placeholder != "":
		return p.Placeholder
	case p.Min != "":
		return p.Min
	case p.Type == "number":
		return "1"
	}
	return "text"
}
