package v2

import (
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
// What is about one build item is called after it, "Web.quantity", and without its
// name where the blueprint has only one. environment is for every build item that
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

// tierMembers gives the names of what is about one build item, best first.
func tierMembers(b *models.Blueprint, it *models.BlueprintItem, what string) []string {
	own := it.Name + "." + what
	if len(b.Items) == 1 {
		return []string{what, own}
	}
	return []string{own}
}

// asksItself reports whether an input of the blueprint takes the place of a member
// that every build item has.
func asksItself(b *models.Blueprint, what string) bool {
	_, has := b.Input(what)
	return has && len(b.Items) == 1
}

// orderBlueprint makes an order of one blueprint, as its form says.
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

// byForm reads the order form of a blueprint, and has take do something with the
// draft. What is wrong is told by the members of the form.
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
		item.Arguments = append(item.Arguments, readTier(b, &b.Items[i], n, refs))
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

func readTier(b *models.Blueprint, it *models.BlueprintItem, n *jsonbody.Value, refs *resource.Refs) models.BuildItemArgs {
	arg := models.BuildItemArgs{Item: it.Name, EnvironmentID: refs.To(n.Field(it.Name+".environment"), "environments")}
	if q := n.Field(tierMembers(b, it, "quantity")...); q.Present() {
		arg.Quantity = readQuantity(q)
	}
	if !asksItself(b, "hostname") {
		arg.Hostname = n.Field(tierMembers(b, it, "hostname")...).Text()
	}
	if !asksItself(b, "os-build") {
		arg.OSBuildID = refs.To(n.Field(tierMembers(b, it, "os-build")...), "os-builds")
	}
	return arg
}

// formNames lists the members of a blueprint's form.
func formNames(b *models.Blueprint) []string {
	names := []string{"group", "environment", "service-name"}
	for i := range b.Items {
		it := &b.Items[i]
		if len(b.Items) > 1 {
			names = append(names, it.Name+".environment")
		}
		for _, what := range []string{"quantity", "hostname", "os-build"} {
			if what == "quantity" || !asksItself(b, what) {
				names = append(names, tierMembers(b, it, what)[0])
			}
		}
	}
	for i := range b.Inputs {
		names = append(names, inputMember(&b.Inputs[i]))
	}
	return append(names, "recipient", "name", "submit-now", "cart")
}

// offer is what a form for a blueprint lets choose from. The first group and its
// first environment are what it begins with.
type offer struct {
	group, environment models.ID
	groups, envs       []hal.Option
	sizes              []models.Size // that fit the environment
	builds             []models.OSBuild
}

func (f *Face) offer(ctx context.Context, a access.Actor, b *models.Blueprint) (*offer, error) {
	list, err := f.Catalog.Offers(ctx, a, b)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, f.Catalog.CanOrder(a, b)
	}
	o, err := f.offerFor(ctx, a, list)
	if err != nil || !o.prefer(list, view.From(ctx)) {
		return o, err
	}
	o.sizes, o.builds, err = f.Catalog.Fitting(ctx, o.environment)
	return o, err
}

// prefer begins with the group and the environment of a form that comes back, so that
// the choices that depend on them are theirs. It reports whether those are others.
func (o *offer) prefer(list []catalog.Offer, sent *view.Sent) bool {
	if sent == nil {
		return false
	}
	group, was := sent.Values.Get("group"), o.environment
	at := slices.IndexFunc(list, func(x catalog.Offer) bool { return x.Group.String() == group })
	if at < 0 {
		return false
	}
	o.group, o.environment = list[at].Group, list[at].Environments[0]
	for _, id := range list[at].Environments {
		if id.String() == sent.Values.Get("environment") {
			o.environment = id
		}
	}
	return o.environment != was
}

func (f *Face) offerFor(ctx context.Context, a access.Actor, list []catalog.Offer) (*offer, error) {
	var err error
	o := &offer{group: list[0].Group, environment: list[0].Environments[0]}
	var groups, envs []models.ID
	for _, x := range list {
		groups = append(groups, x.Group)
		for _, id := range x.Environments {
			if !slices.Contains(envs, id) {
				envs = append(envs, id)
			}
		}
	}
	if o.groups, err = f.reg.Options(ctx, a, "groups", groups); err != nil {
		return nil, err
	}
	if o.envs, err = f.reg.Options(ctx, a, "environments", envs); err != nil {
		return nil, err
	}
	sayWhose(o, list)
	o.sizes, o.builds, err = f.Catalog.Fitting(ctx, o.environment)
	return o, err
}

// sayWhose adds to each environment for which groups it can be had, unless it is for
// all of them.
func sayWhose(o *offer, list []catalog.Offer) {
	for i := range o.envs {
		var names, ids []string
		for _, x := range list {
			if !slices.ContainsFunc(x.Environments, func(id models.ID) bool { return id.String() == o.envs[i].Value }) {
				continue
			}
			at := slices.IndexFunc(o.groups, func(g hal.Option) bool { return g.Value == x.Group.String() })
			if at >= 0 {
				names, ids = append(names, o.groups[at].Prompt), append(ids, o.groups[at].Value)
			}
		}
		if len(names) < len(list) && len(names) > 0 {
			o.envs[i].Prompt += " (for " + strings.Join(names, ", ") + ")"
			o.envs[i].For = strings.Join(ids, " ")
		}
	}
}

// hostnamePattern is what a host name, with or without a domain, looks like.
const hostnamePattern = `[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?)*`

// orderProps lists the members of a blueprint's order form.
func (f *Face) orderProps(ctx context.Context, a access.Actor, b *models.Blueprint) ([]hal.TemplateProperty, error) {
	o, err := f.offer(ctx, a, b)
	if err != nil {
		return nil, err
	}
	props := []hal.TemplateProperty{
		{Name: "group", Prompt: "Group that it is ordered for", Type: "text", Required: true, Value: o.group.String(), Options: o.groups},
		{Name: "environment", Prompt: "Environment that it is made in", Type: "text", Required: true, Value: o.environment.String(), Options: o.envs},
		{Name: "service-name", Prompt: "Name of the service", Type: "text", MaxLength: maxName, Placeholder: b.Name},
	}
	for i := range b.Items {
		props = append(props, tierProps(b, &b.Items[i], o)...)
	}
	for i := range b.Inputs {
		p := f.inputProp(&b.Inputs[i], inputMember(&b.Inputs[i]), o, needsSize(b))
		if b.Inputs[i].Type == models.InputOSBuild && !p.Required && p.Value == "" {
			p.Placeholder = usualBuild(b, o.builds)
		}
		props = append(props, p)
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

// needsSize reports whether a build item has no size unless the order says one.
func needsSize(b *models.Blueprint) bool {
	return slices.ContainsFunc(b.Items, func(it models.BlueprintItem) bool { return it.SizeID == 0 })
}

func tierProps(b *models.Blueprint, it *models.BlueprintItem, o *offer) []hal.TemplateProperty {
	name := func(what string) string { return tierMembers(b, it, what)[0] }
	of := ""
	var props []hal.TemplateProperty
	if len(b.Items) > 1 {
		of = " of " + it.Name
		props = append(props, hal.TemplateProperty{Name: it.Name + ".environment", Prompt: "Environment" + of + ", when another", Type: "text", Options: o.envs})
	}
	props = append(props, hal.TemplateProperty{
		Name: name("quantity"), Prompt: "Number of servers" + of, Type: "number", Value: strconv.Itoa(it.Quantity), Min: "1", Max: strconv.Itoa(catalog.MaxQuantity),
	})
	if !asksItself(b, "hostname") {
		props = append(props, hal.TemplateProperty{Name: name("hostname"), Prompt: "Host name" + of, Type: "text", Regex: hostnamePattern, MaxLength: 253})
	}
	if !asksItself(b, "os-build") {
		p := hal.TemplateProperty{Name: name("os-build"), Prompt: "Operating system" + of, Type: "text", Required: it.OSBuildID == 0, Options: buildOptions(o.builds)}
		if slices.ContainsFunc(p.Options, func(x hal.Option) bool { return x.Value == it.OSBuildID.String() }) {
			p.Value = it.OSBuildID.String()
		}
		props = append(props, p)
	}
	return props
}

// usualBuild names what the servers of a blueprint run when an order does not choose,
// "" when that is not one for all.
func usualBuild(b *models.Blueprint, builds []models.OSBuild) string {
	for i := range builds {
		other := func(it models.BlueprintItem) bool { return it.OSBuildID != builds[i].ID }
		if len(b.Items) > 0 && !slices.ContainsFunc(b.Items, other) {
			return builds[i].Name
		}
	}
	return ""
}

func buildOptions(builds []models.OSBuild) []hal.Option {
	list := make([]hal.Option, len(builds))
	for i, x := range builds {
		list[i] = hal.Option{Prompt: x.Name, Value: x.ID.String()}
	}
	return list
}

func sizeOptions(sizes []models.Size) []hal.Option {
	list := make([]hal.Option, len(sizes))
	for i, x := range sizes {
		list[i] = hal.Option{Prompt: x.Name + " (" + strconv.Itoa(x.CPUs) + " CPU, " + models.FormatMemory(x.MemoryMB) + ", " + x.Rate.PerMonth() + ")", Value: x.Name}
	}
	return list
}

// inputProp makes a question of a form of an input.
func (f *Face) inputProp(in *models.Input, name string, o *offer, needsSize bool) hal.TemplateProperty {
	p := hal.TemplateProperty{Name: name, Prompt: in.Label, Type: "text", Required: in.Required, Value: in.Default}
	if p.Prompt == "" {
		p.Prompt = in.Name
	}
	for _, x := range in.Options {
		p.Options = append(p.Options, hal.Option{Value: x})
	}
	switch in.Type {
	case models.InputText:
		p.MaxLength, p.Regex = models.MaxInput, resource.Browsers(in.Pattern)
	case models.InputInteger:
		p.Type = "number"
		p.Min, p.Max = bound(in.Minimum), bound(in.Maximum)
	case models.InputBoolean:
		p.Options = []hal.Option{{Value: "true"}, {Value: "false"}}
	case models.InputDate:
		p.Type, p.Min = "date", f.Orders.Today()
	case models.InputMemory:
		p.Regex, p.Placeholder = memoryPattern, exampleMemory(in)
	case models.InputOSBuild:
		if len(p.Options) == 0 {
			p.Options = buildOptions(o.builds)
		}
	case models.InputSize:
		fit := sizeOptions(o.sizes)
		if len(p.Options) > 0 {
			fit = slices.DeleteFunc(fit, func(x hal.Option) bool { return !slices.Contains(in.Options, x.Value) })
		}
		p.Options, p.Required = fit, in.Required || needsSize && in.Default == "" && models.InputKey(in.Name) == models.KeyVMSize
	}
	return p
}

// memoryPattern is what an amount of memory looks like.
const memoryPattern = `[0-9]+(\.[0-9]+)? *([MGTmgt][Bb])?`

func bound(limit *int64) string {
	if limit == nil {
		return ""
	}
	return strconv.FormatInt(*limit, 10)
}

// exampleMemory gives an amount within the bounds, 2 GB if it can be.
func exampleMemory(in *models.Input) string {
	mb := int64(2048)
	if in.Maximum != nil {
		mb = min(mb, *in.Maximum)
	}
	if in.Minimum != nil {
		mb = max(mb, *in.Minimum)
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
			{Name: "group", Value: href("groups", o.group)},
			{Name: "items", Value: hal.Object([]hal.Prop{{Name: itemMember(models.ItemDeploy), Value: hal.List([]hal.Value{hal.Object(itemProps(&item))})}})},
			{Name: "submit-now", Value: hal.String("true")},
		})}},
	})
}

// sampleItem answers the questions of a blueprint that have to be answered.
func (f *Face) sampleItem(b *models.Blueprint, o *offer) *models.DeployItem {
	item := &models.DeployItem{BlueprintID: b.ID, Name: b.Name}
	for _, it := range b.Items {
		arg := models.BuildItemArgs{Item: it.Name, Quantity: it.Quantity, EnvironmentID: o.environment}
		if _, asked := b.Input("os-build"); it.OSBuildID == 0 && !asked && len(o.builds) > 0 {
			arg.OSBuildID = o.builds[0].ID
		}
		item.Arguments = append(item.Arguments, arg)
	}
	for i := range b.Inputs {
		in := &b.Inputs[i]
		p := f.inputProp(in, in.Name, o, needsSize(b))
		asksBuild := models.InputKey(in.Name) == models.KeyOSBuild && slices.ContainsFunc(b.Items, func(it models.BlueprintItem) bool { return it.OSBuildID == 0 })
		if v := sampleValue(&p); v != "" && (p.Required || p.Value != "" || asksBuild) {
			item.Parameters = append(item.Parameters, models.Param{Name: in.Name, Value: v})
		}
	}
	return item
}

// sampleValue gives a value that a question takes.
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
