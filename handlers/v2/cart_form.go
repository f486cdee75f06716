package v2

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
)

// This file has the forms of a cart: a new one, its own members, and what can be
// put into it.

// orderMembers are what a form says of an order besides its items.
func (f *Face) orderMembers(a access.Actor, o *models.Order) []hal.TemplateProperty {
	id := func(id models.ID) string {
		if id == 0 {
			return ""
		}
		return id.String()
	}
	props := []hal.TemplateProperty{
		{Name: "name", Prompt: "Name that approvers see", Type: "text", MaxLength: maxName, Value: o.Name},
		f.reg.Choices(hal.TemplateProperty{Name: "group", Prompt: "Group that it is ordered for", Value: id(o.GroupID)}, "groups", basePath+"/users/"+a.ID.String()+"/orderable-groups/"),
		f.reg.Choices(hal.TemplateProperty{Name: "recipient", Prompt: "Whose the servers will be, when not the owner's", Value: id(o.RecipientID)}, "users", ""),
	}
	return props
}

// newOrder lists what a form can say of a new order: it begins as an empty cart.
func (f *Face) newOrder(_ context.Context, a access.Actor) ([]hal.TemplateProperty, error) {
	props := f.orderMembers(a, &models.Order{})
	if a.SuperAdmin {
		props = append(props, f.reg.Choices(hal.TemplateProperty{Name: "owner", Prompt: "Who orders, when not you"}, "users", ""))
	}
	return props, nil
}

// cartTemplates returns what can be done with a cart besides its actions.
func (f *Face) cartTemplates(ctx context.Context, a access.Actor, o *models.Order, self string) ([]hal.Template, error) {
	if order.CanEdit(a, o) != nil {
		return nil, nil
	}
	list := []hal.Template{{Title: "Edit 'Order id " + o.ID.String() + "'", Method: "PATCH", Target: self, Properties: f.orderMembers(a, o)}}
	for _, kind := range models.ItemKinds {
		props, err := f.itemForm(ctx, a, o, kind)
		if err != nil {
			return nil, err
		}
		if props != nil {
			list = append(list, hal.Template{Key: "add-" + string(kind) + "-item", Title: addTitles[kind], Method: "POST", Target: self + "/" + itemMember(kind) + "/", Properties: props})
		}
	}
	return list, nil
}

var addTitles = map[models.ItemKind]string{
	models.ItemDeploy: "Add a blueprint", models.ItemProv: "Add servers without a blueprint",
	models.ItemMod: "Add a change of a server", models.ItemDecom: "Add the removal of servers",
}

// itemForm lists what a form can say of a new item, nil when there is nothing that
// could be added.
func (f *Face) itemForm(ctx context.Context, a access.Actor, o *models.Order, kind models.ItemKind) ([]hal.TemplateProperty, error) {
	switch kind {
	case models.ItemDeploy:
		return f.deployForm(ctx, a, o)
	case models.ItemProv:
		return f.provForm(ctx, a, o)
	case models.ItemMod:
		return f.modForm(ctx, a, o)
	case models.ItemDecom:
		return f.decomForm(ctx, a, o)
	case models.ItemScale, models.ItemAction:
		// Services and servers offer them by themselves, each with its own questions.
	}
	return nil, nil
}

// deployForm returns the members of a form for a new deploy item.
func (f *Face) deployForm(ctx context.Context, a access.Actor, o *models.Order) ([]hal.TemplateProperty, error) {
	start, err := f.Orders.CartDeployQuestions(ctx, a, o)
	if err != nil || start == nil {
		return nil, err
	}
	begin, err := f.offerNames(ctx, a, start.Setting)
	if err != nil {
		return nil, err
	}
	var props []hal.TemplateProperty
	for _, q := range start.Questions {
		p := f.property(&q, deployMembers[q.Type])
		if p.Prompt = deployPrompts[q.Type]; q.Type == catalog.AskEnvironment {
			p.Options = begin.envs
		}
		props = append(props, p)
	}
	parameters := params(f.sampleItem(start.Blueprint, begin).Parameters)
	return append(props,
		hal.TemplateProperty{Name: "resource-parameters", Prompt: "What its inputs ask, as JSON", Type: "textarea", Value: string(parameters.AppendJSON(nil, hal.HALForms))},
		hal.TemplateProperty{Name: "blueprint-items-arguments", Prompt: "What is said of single build items, as JSON", Type: "textarea", Placeholder: `{"build-item-` + start.Blueprint.Items[0].Name + `": {"attributes": {"quantity": 1}}}`},
	), nil
}

// deployMembers are the members of a deploy item by the question that they answer.
var deployMembers = map[catalog.QuestionType]string{
	catalog.AskBlueprint: "blueprint", catalog.AskEnvironment: "environment", catalog.AskText: "service-name",
}

// deployPrompts are the labels of these members.
var deployPrompts = map[catalog.QuestionType]string{
	catalog.AskBlueprint: "Blueprint", catalog.AskEnvironment: "Environment of the build items that name none", catalog.AskText: "Name of the service",
}

// provForm begins with the first environment and operating system that can be had.
func (f *Face) provForm(ctx context.Context, a access.Actor, o *models.Order) ([]hal.TemplateProperty, error) {
	offers, err := f.Catalog.Places(ctx, a, o.GroupID)
	if err != nil || len(offers) == 0 {
		return nil, err
	}
	begin, err := f.offerFor(ctx, a, offers, 0, 0)
	if err != nil || len(begin.Builds) == 0 || len(begin.Sizes) == 0 {
		return nil, err
	}
	var props []hal.TemplateProperty
	for _, q := range order.ProvQuestions(begin.Setting) {
		name := q.Path.Last().Name
		p := f.property(&q, name)
		switch {
		case q.Path.Last().Kind == fault.KindParameter:
			p.Prompt = cmp.Or(parameterLabels[models.InputKey(name)], q.Label)
		case q.Type == catalog.AskEnvironment:
			p.Prompt, p.Options = "Environment that they are made in", begin.envs
		default:
			p.Prompt = buildItemPrompts[name]
		}
		props = append(props, p)
	}
	return props, nil
}

// provInputs are the parameters of a prov item but for the operating system, which
// has a member of its own, and those that choose a server's place.
func provInputs() []models.Input {
	list := slices.DeleteFunc(order.ProvInputs(), func(in models.Input) bool { return models.InputKey(in.Name) == models.KeyOSBuild })
	for _, name := range models.PlacementNames() {
		list = append(list, models.Input{Name: name, Type: models.InputText})
	}
	return list
}

// modForm returns the members of a form for a change of a server.
func (f *Face) modForm(ctx context.Context, a access.Actor, o *models.Order) ([]hal.TemplateProperty, error) {
	questions, err := f.Orders.CartModQuestions(ctx, a, o)
	if err != nil || questions == nil {
		return nil, err
	}
	sizes := f.reg.Choices(hal.TemplateProperty{}, "perf-types", "")
	props := f.modProps(questions)
	for i := range props {
		switch p := &props[i]; {
		case questions[i].Type == catalog.AskServer:
			p.Prompt = "Server"
		case models.InputKey(p.Name) == models.KeyVMSize: // goes by its name
			p.OptionsLink, p.PromptField, p.ValueField = sizes.OptionsLink, "name", "name"
		}
	}
	return props, nil
}

// decomForm returns the members of a form for the removal of servers.
func (f *Face) decomForm(ctx context.Context, a access.Actor, o *models.Order) ([]hal.TemplateProperty, error) {
	questions, err := f.Orders.CartDecomQuestions(ctx, a, o)
	if err != nil || questions == nil {
		return nil, err
	}
	props := make([]hal.TemplateProperty, len(questions))
	for i := range questions {
		props[i] = f.property(&questions[i], questions[i].Path.Last().Name)
		props[i].Prompt = "Servers that are removed"
	}
	return props, nil
}

// itemTemplates returns what can be done with an item of a cart.
func itemTemplates(a access.Actor, o *models.Order, it *models.OrderItem, self string) []hal.Template {
	if order.CanEdit(a, o) != nil {
		return nil
	}
	edit := hal.Template{Title: "Edit the item", Method: "PATCH", Target: self}
	switch {
	case it.Deploy != nil:
		edit.Properties = []hal.TemplateProperty{{Name: "service-name", Prompt: "Name of the service", Type: "text", MaxLength: maxName, Value: it.Deploy.Name}}
	case it.Prov != nil:
		edit.Properties = []hal.TemplateProperty{
			{Name: "hostname", Prompt: "Host name", Type: "text", Regex: hostnamePattern, MaxLength: 253, Value: it.Prov.Hostname},
			{Name: "quantity", Prompt: "Number of servers", Type: "number", Value: strconv.Itoa(it.Prov.Quantity), Min: "1", Max: strconv.Itoa(catalog.MaxQuantity)},
		}
	}
	remove := hal.Template{Key: "delete", Title: "Take the item out of the cart", Method: "DELETE", Target: self}
	if edit.Properties == nil {
		return []hal.Template{remove}
	}
	return []hal.Template{edit, remove}
}
