package v2

import (
	"context"
	"strconv"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/action"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
)

// This file declares administrators' automation rules, and offers those that run on
// servers and services as actions.

func (f *Face) actions() resource.Resource[models.Action] {
	type act = models.Action
	key := func(x *act) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[act]{
		Name: "action", Plural: "actions", Noun: "Actions", Entity: action.Actions,
		Doc: "Something that can be done: by a webhook, or by Halcyon itself.",
		Key: key, Title: func(x *act) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "type", "built-in", "description"},
		Fields: append([]resource.Field[act]{
			resource.Text("name", func(x *act) string { return x.Name }, "Name.").On("name").Listed().
				SetText(func(x *act, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Enum("type", models.ActionKinds, func(x *act) models.ActionKind { return x.Kind }, "How it is done: webhook, or built-in.").On("kind").Listed().
				SetText(func(x *act, v string) { x.Kind = models.ActionKind(strings.ToLower(v)) }).Required(),
			resource.Text("description", func(x *act) string { return x.Description }, "What it does.").On("description").
				SetText(func(x *act, v string) { x.Description = v }),
			resource.Enum("built-in", models.BuiltIns, func(x *act) models.BuiltIn { return x.BuiltIn }, "What a built-in action does.").Typed(builtInsJSON()).On("built_in").
				SetText(func(x *act, v string) { x.BuiltIn = models.BuiltIn(strings.ToLower(v)) }),
			resource.Value("settings", func(x *act) hal.Value { return params(x.Settings) }, "What a built-in action is told.").Typed(paramsJSON()).From("settings").Nested(`{"name": "backup"}`).
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*act) {
					list := readParams(n, nil)
					return func(x *act) { x.Settings = list }
				}),
			resource.Value("inputs", func(x *act) hal.Value { return inputValues(x.Inputs) }, "What whoever runs it is asked for.").Typed(inputsJSON()).From("inputs").Nested(`[{"name": "reason", "type": "text"}]`).
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*act) {
					list := inputList(n)
					return func(x *act) { x.Inputs = list }
				}),
			resource.Text("url", func(x *act) string { return x.URL }, "Where a webhook goes.").From("url").Example("https://hooks.example.com/halcyon").
				SetText(func(x *act, v string) { x.URL = v }),
			resource.WriteOnly[act]("headers", "Further headers of a webhook, name and value; never shown.").Nested(`{"X-Site": "north"}`).
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*act) {
					list := map[string]string{}
					for _, name := range n.Keys() {
						list[name] = n.At(name).String()
					}
					return func(x *act) { x.NewHeaders = list }
				}),
			resource.Texts("header-names", func(x *act) []string { return x.HeaderNames }, "Names of the further headers.").From("header_names"),
			resource.WriteOnly[act]("secret", "Secret that webhooks are signed with, whsec_ and the base64 of 24 to 64 bytes; never shown.").
				Like("whsec_[A-Za-z0-9+/]+={0,2}", "is not whsec_ and base64").Example("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX").
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*act) {
					v := n.String()
					return func(x *act) { x.NewSecret = &v }
				}),
			resource.Bool("signed", func(x *act) bool { return x.Secret != "" }, "Whether webhooks are signed.").From("secret"),
			resource.Int("timeout", func(x *act) int64 { return int64(x.Timeout) }, "Seconds that a webhook's receiver has.").On("timeout").Between(1, models.MaxActionTimeout).
				SetInt(func(x *act, v int) { x.Timeout = v }),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[act]{
			resource.Many[act]("server-actions", "server-actions", "server_actions", "What offers it on servers."),
			resource.Many[act]("service-actions", "service-actions", "service_actions", "What offers it on services."),
			resource.Many[act]("orchestration-actions", "orchestration-actions", "orchestration_actions", "What runs it at trigger points."),
			resource.Many[act]("rules", "rules", "rules", "Rules that run it."),
			resource.Many[act]("applications", "applications", "applications", "Applications that it installs."),
		},
		Subs: []resource.Sub[act]{historySub(func(x *act) string { return x.Name })},
		List: s.Actions.List, Find: s.Actions.Find,
		New:       func() *act { return &act{Timeout: models.DefaultActionTimeout} },
		CanCreate: action.CanEdit, Create: s.Actions.Create,
		CanUpdate: s.Actions.CanUpdate, Update: s.Actions.Update,
		CanDelete: s.Actions.CanDelete, Delete: deleting[act](s.Actions.Delete),
		Unused: s.Actions.Unused,
		Bundle: &resource.Bundle[act]{Export: s.Export, Import: s.Import},
	}
}

func (f *Face) serverActions() resource.Resource[models.ServerAction] {
	type offer = models.ServerAction
	key := func(x *offer) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[offer]{
		Name: "server-action", Plural: "server-actions", Noun: "Server Actions", Entity: action.ServerActions,
		Doc: "An action that is offered on servers, to who may run them.",
		Key: key, Title: func(x *offer) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "action", "requires-approval", "enabled", "description"},
		Fields: append([]resource.Field[offer]{
			resource.Text("name", func(x *offer) string { return x.Name }, "Name, as servers offer it.").On("name").Listed().
				SetText(func(x *offer, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Text("description", func(x *offer) string { return x.Description }, "What it does.").On("description").
				SetText(func(x *offer, v string) { x.Description = v }),
			resource.Text("condition", func(x *offer) string { return x.Condition }, "CEL expression over server, group, environment and user: where it is offered; empty for everywhere.").From("condition").Example(`server.cpus <= 4`).
				SetText(func(x *offer, v string) { x.Condition = v }),
			resource.Bool("requires-approval", func(x *offer) bool { return x.RequiresApproval }, "Whether running it is an order that somebody has to approve.").On("requires_approval").
				SetBool(func(x *offer, v bool) { x.RequiresApproval = v }),
			resource.Bool("enabled", func(x *offer) bool { return x.Enabled }, "Whether it is offered.").On("enabled").
				SetBool(func(x *offer, v bool) { x.Enabled = v }),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[offer]{
			resource.One("action", "actions", "action", func(x *offer) models.ID { return x.ActionID }, "What it does.").
				Set(func(x *offer, id models.ID) { x.ActionID = id }).Required(),
		},
		Subs: []resource.Sub[offer]{historySub(func(x *offer) string { return x.Name })},
		List: s.ServerActions.List, Find: s.ServerActions.Find,
		New:       func() *offer { return &offer{Enabled: true} },
		CanCreate: action.CanEdit, Create: s.ServerActions.Create,
		CanUpdate: s.ServerActions.CanUpdate, Update: s.ServerActions.Update,
		CanDelete: s.ServerActions.CanDelete, Delete: deleting[offer](s.ServerActions.Delete),
		Unused: s.ServerActions.Unused,
	}
}

func (f *Face) serviceActions() resource.Resource[models.ServiceAction] {
	type offer = models.ServiceAction
	key := func(x *offer) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[offer]{
		Name: "service-action", Plural: "service-actions", Noun: "Service Actions", Entity: action.ServiceActions,
		Doc: "An action that is offered on services, to who may run them. A built-in one works on each server of the service.",
		Key: key, Title: func(x *offer) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "action", "requires-approval", "enabled", "description"},
		Fields: append([]resource.Field[offer]{
			resource.Text("name", func(x *offer) string { return x.Name }, "Name, as services offer it.").On("name").Listed().
				SetText(func(x *offer, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Text("description", func(x *offer) string { return x.Description }, "What it does.").On("description").
				SetText(func(x *offer, v string) { x.Description = v }),
			resource.Text("condition", func(x *offer) string { return x.Condition }, "CEL expression over service, group and user: where it is offered; empty for everywhere.").From("condition").Example(`group.name == "Web"`).
				SetText(func(x *offer, v string) { x.Condition = v }),
			resource.Bool("requires-approval", func(x *offer) bool { return x.RequiresApproval }, "Whether running it is an order that somebody has to approve.").On("requires_approval").
				SetBool(func(x *offer, v bool) { x.RequiresApproval = v }),
			resource.Bool("enabled", func(x *offer) bool { return x.Enabled }, "Whether it is offered.").On("enabled").
				SetBool(func(x *offer, v bool) { x.Enabled = v }),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[offer]{
			resource.One("action", "actions", "action", func(x *offer) models.ID { return x.ActionID }, "What it does.").
				Set(func(x *offer, id models.ID) { x.ActionID = id }).Required(),
		},
		Subs: []resource.Sub[offer]{historySub(func(x *offer) string { return x.Name })},
		List: s.ServiceActions.List, Find: s.ServiceActions.Find,
		New:       func() *offer { return &offer{Enabled: true} },
		CanCreate: action.CanEdit, Create: s.ServiceActions.Create,
		CanUpdate: s.ServiceActions.CanUpdate, Update: s.ServiceActions.Update,
		CanDelete: s.ServiceActions.CanDelete, Delete: deleting[offer](s.ServiceActions.Delete),
		Unused: s.ServiceActions.Unused,
	}
}

// setTrigger reads a trigger point in any letter case, - and _ being alike.
func setTrigger[T any](set func(*T, models.Trigger)) func(n *jsonbody.Value, r *resource.Refs) func(*T) {
	return func(n *jsonbody.Value, _ *resource.Refs) func(*T) {
		t := models.Trigger(models.InputKey(n.Text()))
		return func(x *T) { set(x, t) }
	}
}

func (f *Face) orchestrationActions() resource.Resource[models.OrchestrationAction] {
	type hook = models.OrchestrationAction
	key := func(x *hook) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[hook]{
		Name: "orchestration-action", Plural: "orchestration-actions", Noun: "Orchestration Actions", Entity: action.OrchestrationActions,
		Doc: "An action that is run whenever a trigger point is reached.",
		Key: key, Title: func(x *hook) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "trigger", "action", "priority", "enabled"},
		Fields: append([]resource.Field[hook]{
			resource.Text("name", func(x *hook) string { return x.Name }, "Name.").On("name").Listed().
				SetText(func(x *hook, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Text("description", func(x *hook) string { return x.Description }, "What it is for.").On("description").
				SetText(func(x *hook, v string) { x.Description = v }),
			resource.Enum("trigger", models.Triggers, func(x *hook) models.Trigger { return x.Trigger }, "Trigger point.").On("trigger_point").Listed().
				Set(setTrigger(func(x *hook, t models.Trigger) { x.Trigger = t })).Required(),
			resource.Text("condition", func(x *hook) string { return x.Condition }, "CEL expression that has to hold; empty for always.").From("condition").Example(`group.name == "Web"`).
				SetText(func(x *hook, v string) { x.Condition = v }),
			resource.Int("priority", func(x *hook) int64 { return int64(x.Priority) }, "Lower is earlier.").On("priority").
				SetInt(func(x *hook, v int) { x.Priority = v }),
			resource.Bool("enabled", func(x *hook) bool { return x.Enabled }, "Whether it runs.").On("enabled").
				SetBool(func(x *hook, v bool) { x.Enabled = v }),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[hook]{
			resource.One("action", "actions", "action", func(x *hook) models.ID { return x.ActionID }, "What is run.").
				Set(func(x *hook, id models.ID) { x.ActionID = id }).Required(),
		},
		Subs: []resource.Sub[hook]{historySub(func(x *hook) string { return x.Name })},
		List: s.OrchestrationActions.List, Find: s.OrchestrationActions.Find,
		New:       func() *hook { return &hook{Enabled: true, Priority: defaultPriority} },
		CanCreate: action.CanEdit, Create: s.OrchestrationActions.Create,
		CanUpdate: s.OrchestrationActions.CanUpdate, Update: s.OrchestrationActions.Update,
		CanDelete: s.OrchestrationActions.CanDelete, Delete: deleting[hook](s.OrchestrationActions.Delete),
		Unused: s.OrchestrationActions.Unused,
	}
}

// defaultPriority leaves room on both sides.
const defaultPriority = 100

func (f *Face) rules() resource.Resource[models.Rule] {
	type rule = models.Rule
	key := func(x *rule) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[rule]{
		Name: "rule", Plural: "rules", Noun: "Rules", Entity: action.Rules,
		Doc: "A condition, and the action that follows at a trigger point where it holds.",
		Key: key, Title: func(x *rule) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "trigger", "action", "priority", "enabled"},
		Fields: append([]resource.Field[rule]{
			resource.Text("name", func(x *rule) string { return x.Name }, "Name.").On("name").Listed().
				SetText(func(x *rule, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Text("description", func(x *rule) string { return x.Description }, "What it is for.").On("description").
				SetText(func(x *rule, v string) { x.Description = v }),
			resource.Enum("trigger", models.Triggers, func(x *rule) models.Trigger { return x.Trigger }, "Trigger point.").On("trigger_point").Listed().
				Set(setTrigger(func(x *rule, t models.Trigger) { x.Trigger = t })).Required(),
			resource.Text("condition", func(x *rule) string { return x.Condition }, "CEL expression that has to hold.").From("condition").Example(`group.name == "Web"`).
				SetText(func(x *rule, v string) { x.Condition = v }).Required(),
			resource.Int("priority", func(x *rule) int64 { return int64(x.Priority) }, "Lower is earlier; the first rule that holds decides on approval.").On("priority").
				SetInt(func(x *rule, v int) { x.Priority = v }),
			resource.Bool("enabled", func(x *rule) bool { return x.Enabled }, "Whether it counts.").On("enabled").
				SetBool(func(x *rule, v bool) { x.Enabled = v }),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[rule]{
			resource.One("action", "actions", "action", func(x *rule) models.ID { return x.ActionID }, "What follows.").
				Set(func(x *rule, id models.ID) { x.ActionID = id }).Required(),
		},
		Subs: []resource.Sub[rule]{historySub(func(x *rule) string { return x.Name })},
		List: s.Rules.List, Find: s.Rules.Find,
		New:       func() *rule { return &rule{Enabled: true, Priority: defaultPriority} },
		CanCreate: action.CanEdit, Create: s.Rules.Create,
		CanUpdate: s.Rules.CanUpdate, Update: s.Rules.Update,
		CanDelete: s.Rules.CanDelete, Delete: deleting[rule](s.Rules.Delete),
		Unused: s.Rules.Unused,
	}
}

func (f *Face) applications() resource.Resource[models.Application] {
	type app = models.Application
	key := func(x *app) *models.Row { return &x.Row }
	s := f.Actions
	return resource.Resource[app]{
		Name: "application", Plural: "applications", Noun: "Applications", Entity: action.Applications,
		Doc: "Software that an order of servers can name, and the action that puts it on them.",
		Key: key, Title: func(x *app) string { return x.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "release", "os-family", "action", "description"},
		Fields: append([]resource.Field[app]{
			resource.Text("name", func(x *app) string { return x.Name }, "Name, which orders may give.").On("name").Listed().
				SetText(func(x *app, v string) { x.Name = v }).Required(),
			resource.ID(key),
			resource.Text("description", func(x *app) string { return x.Description }, "What it is.").On("description").
				SetText(func(x *app, v string) { x.Description = v }),
			resource.Text("release", func(x *app) string { return x.Release }, "Version of the software.").On("release").
				SetText(func(x *app, v string) { x.Release = v }),
			resource.Text("os-family", func(x *app) string { return x.OSFamily }, "Family of operating systems that it fits; empty for any.").On("os_family").
				SetText(func(x *app, v string) { x.OSFamily = v }),
			resource.Picked("os-builds", func(x *app) *[]models.ID { return &x.OSBuildIDs }, "OS builds that it fits; none for all of the family."),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[app]{
			resource.One("action", "actions", "action", func(x *app) models.ID { return x.ActionID }, "What installs it.").Optional().
				Set(func(x *app, id models.ID) { x.ActionID = id }).Required(),
			resource.Many[app]("os-builds", "os-builds", "os_builds", "OS builds that it fits; none for all of the family.").Optional(),
		},
		Subs: []resource.Sub[app]{historySub(func(x *app) string { return x.Name })},
		List: s.Applications.List, Find: s.Applications.Find,
		CanCreate: action.CanEdit, Create: s.Applications.Create,
		CanUpdate: s.Applications.CanUpdate, Update: s.Applications.Update,
		CanDelete: s.Applications.CanDelete, Delete: deleting[app](s.Applications.Delete),
		Unused: s.Applications.Unused,
	}
}

// offersOnServers declares the server actions that there are now.
func (f *Face) offersOnServers(ctx context.Context) ([]resource.Action[models.Server], error) {
	list, err := f.Actions.OnServers(ctx)
	out := make([]resource.Action[models.Server], len(list))
	for i, x := range list {
		out[i] = offered("server-action", x,
			func(a access.Actor, sv *models.Server) error { return f.Actions.CanRunOnServer(ctx, a, x.ID, sv) }, f.Actions.RunOnServer)
		out[i].Slash = true
	}
	return out, err
}

// offersOnServices declares the service actions that there are now.
func (f *Face) offersOnServices(ctx context.Context) ([]resource.Action[models.Service], error) {
	list, err := f.Actions.OnServices(ctx)
	out := make([]resource.Action[models.Service], len(list))
	for i, x := range list {
		out[i] = offered("service-action", x,
			func(a access.Actor, svc *models.Service) error { return f.Actions.CanRunOnService(ctx, a, x.ID, svc) }, f.Actions.RunOnService)
		if x.ID <= scaleNumber {
			out[i].Path = out[i].Rel // its number is taken
		}
		out[i].Slash = true
	}
	return out, err
}

// offered declares the run of one action.
func offered[T any](kind string, x action.Offer, can func(access.Actor, *T) error,
	run func(ctx context.Context, a access.Actor, ref string, id models.ID, params []models.Param) (action.Outcome, error),
) resource.Action[T] {
	doc := x.Doc
	if doc == "" {
		doc = "Runs " + x.Name + "."
	}
	return resource.Action[T]{
		Rel: kind + "-" + x.ID.String(), Name: x.Name, Path: x.ID.String(), Title: x.Name, Doc: doc, Can: can,
		Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[T], error) {
			params := readRunParams(n)
			if err := n.Faults().Err(); err != nil {
				return resource.Result[T]{}, err
			}
			out, err := run(ctx, a, ref, x.ID, params)
			if out.Order != 0 {
				return resource.Result[T]{Work: orderWork(out.Order)}, err
			}
			return resource.Result[T]{Work: jobWork(out.Job)}, err
		},
		Form: func(context.Context, access.Actor, *T) ([]hal.TemplateProperty, error) {
			props := make([]hal.TemplateProperty, len(x.Inputs))
			for i := range x.Inputs {
				props[i] = inputProperty(&x.Inputs[i])
			}
			return props, nil
		},
	}
}

// readRunParams reads the parameters of an action: from the members of the body, as forms
// send them, or from its member "parameters".
func readRunParams(n *jsonbody.Value) []models.Param {
	out := readParams(n.Field("parameters"), nil)
	for _, key := range n.Keys() {
		if key == "parameters" {
			continue
		}
		if _, twice := models.ParamValue(out, key); twice {
			n.At(key).Complain("says again what parameters.%s said", key)
			continue
		}
		out = append(out, models.Param{Name: key, Value: n.At(key).Text()})
	}
	return out
}

// inputProperty is an input as a member of a form.
func inputProperty(in *models.Input) hal.TemplateProperty {
	p := hal.TemplateProperty{
		Name: in.Name, Prompt: in.Label, Type: "text", Required: in.Required && in.Default == "", Value: in.Default,
		Placeholder: in.Description, Regex: resource.Browsers(in.Pattern),
	}
	switch in.Type {
	case models.InputInteger:
		p.Type = "number"
		if in.Minimum != nil {
			p.Min = strconv.FormatInt(*in.Minimum, 10)
		}
		if in.Maximum != nil {
			p.Max = strconv.FormatInt(*in.Maximum, 10)
		}
	case models.InputBoolean:
		p.Type = "checkbox"
	case models.InputDate:
		p.Type = "date"
	case models.InputText, models.InputMemory, models.InputOSBuild, models.InputSize:
	}
	for _, o := range in.Options {
		p.Options = append(p.Options, hal.Option{Value: o})
	}
	return p
}

// readActionItem reads the run of an action as an item of an order.
func readActionItem(n *jsonbody.Value, refs *resource.Refs, d models.ActionItem) *models.ActionItem {
	if x := n.Field("server"); x.Given() {
		d.ServerID = refs.To(x, "servers")
	}
	if x := n.Field("service", "resource"); x.Given() {
		d.ServiceID = refs.To(x, "services")
	}
	of := "server-actions"
	if d.ServiceID != 0 {
		of = "service-actions"
	}
	if x := n.Field("action"); x.Present() {
		d.ActionID = refs.To(x, of)
	} else if d.ActionID == 0 {
		x.Complain("is required")
	}
	if x := n.Field("parameters"); x.Given() {
		d.Parameters = readParams(x, nil)
	}
	n.Field("name") // is shown, and not set
	return &d
}

func actionProps(d *models.ActionItem) []hal.Prop {
	var props []hal.Prop
	of := "server-actions"
	if d.ServerID != 0 {
		props = append(props, hal.Prop{Name: "server", Value: href("servers", d.ServerID)})
	}
	if d.ServiceID != 0 {
		of = "service-actions"
		props = append(props, hal.Prop{Name: "service", Value: href("services", d.ServiceID)})
	}
	return append(props,
		hal.Prop{Name: "action", Value: href(of, d.ActionID)},
		hal.Prop{Name: "name", Value: hal.String(d.Name)},
		hal.Prop{Name: "parameters", Value: params(d.Parameters)})
}

// applicationRefs shows the applications of an item by their hrefs.
func applicationRefs(ids []string) hal.Value {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			list[i] = href("applications", models.ID(n)).Text()
		}
	}
	return hal.Strings(list)
}
