package v2

import (
	"context"
	"slices"
	"strings"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

func (f *Face) environments() resource.Resource[models.Environment] {
	type env = models.Environment
	key := func(e *env) *models.Row { return &e.Row }
	place := func(name, column, doc string, at func(*env) *string) resource.Field[env] {
		return resource.Text(name, func(e *env) string { return *at(e) }, doc).From(column).
			SeenBy(access.SeesPlace).
			SetText(func(e *env, v string) { *at(e) = v })
	}
	rate := func(name, column, doc string, at func(*env) *models.Money) resource.Field[env] {
		return resource.Rate(name, func(e *env) models.Money { return *at(e) }, doc).From(column).
			SetMoney(func(e *env, v models.Money) { *at(e) = v }).AtLeast(0)
	}
	choice := func(name, doc string, at func(*env) *[]string) resource.Field[env] {
		return resource.Texts(name, func(e *env) []string { return *at(e) }, doc).From("choices").
			SetTexts(func(e *env, v []string) { *at(e) = v })
	}
	return resource.Resource[env]{
		Name: "environment", Plural: "environments", Noun: "Environments", Entity: catalog.Environments,
		Doc: "A place in a resource handler that groups may order into.",
		Key: key, Title: func(e *env) string { return e.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "description", "resource-handler", "group", "auto_approval"},
		Fields: append([]resource.Field[env]{
			resource.Text("name", func(e *env) string { return e.Name }, "Name.").On("name").Listed().
				SetText(func(e *env, v string) { e.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("description", func(e *env) string { return e.Description }, "What the environment is for.").On("description").
				SetText(func(e *env, v string) { e.Description = v }),
			resource.Bool("auto_approval", func(e *env) bool { return e.AutoApproval }, "Whether orders into it are approved without asking.").On("auto_approval").
				SetBool(func(e *env, v bool) { e.AutoApproval = v }),
			rate("cpu-rate", "cpu_rate", "What a processor costs by the month, where no size sets the price.", func(e *env) *models.Money { return &e.CPURate }),
			rate("mem-rate", "mem_rate", "What a GB of memory costs by the month, where no size sets the price.", func(e *env) *models.Money { return &e.MemRate }),
			rate("disk-rate", "disk_rate", "What a GB of disk costs by the month.", func(e *env) *models.Money { return &e.DiskRate }),
			resource.Text("domain", func(e *env) string { return e.Domain }, "Domain of the host names that are made here.").On("domain").
				SetText(func(e *env, v string) { e.Domain = v }),
			place("datacenter", "datacenter", "Datacenter in the back end; empty for its default.", func(e *env) *string { return &e.Datacenter }),
			place("cluster", "cluster", "Cluster in the back end.", func(e *env) *string { return &e.Cluster }),
			place("resource-pool", "resource_pool", "Resource pool in the back end.", func(e *env) *string { return &e.ResourcePool }),
			place("datastore", "datastore", "Datastore in the back end.", func(e *env) *string { return &e.Datastore }),
			place("folder", "folder", "Folder in the back end.", func(e *env) *string { return &e.Folder }),
			place("network", "network", "Network in the back end, which also chooses the IP pool.", func(e *env) *string { return &e.Network }),
			choice("networks", "Networks that orders can choose (sc_nic_0 and so on); none for no choice.", func(e *env) *[]string { return &e.Choices.Networks }),
			choice("datastores", "Datastores that orders can choose (vmware_datastore); none for no choice.", func(e *env) *[]string { return &e.Choices.Datastores }),
			choice("clusters", "Clusters that orders can choose (vmware_cluster); none for no choice.", func(e *env) *[]string { return &e.Choices.Clusters }),
			choice("disk-types", "Types of disks that orders can choose (vmware_disk_type): thin, thick, thick-eager; none for no choice.", func(e *env) *[]string { return &e.Choices.DiskTypes }).OneOf(models.DiskTypes...),
			resource.Bool("linked-clones", func(e *env) bool { return e.Choices.LinkedClones }, "Whether orders can choose a linked clone of the template (link_clone).").From("choices").
				SetBool(func(e *env, v bool) { e.Choices.LinkedClones = v }),
			resource.Fetched("parameters", f.environmentParameters, "What can be said of a server here, with the values that there are; sizes and operating systems are those that can be ordered here.").Typed(inputsJSON()),
			resource.Picked("groups", func(e *env) *[]models.ID { return &e.GroupIDs }, "Groups that may use it, with those below them; none for all."),
			resource.Picked("perf-types", func(e *env) *[]models.ID { return &e.SizeIDs }, "Sizes that can be ordered here; none for all."),
			resource.Picked("os-builds", func(e *env) *[]models.ID { return &e.OSBuildIDs }, "OS builds that can be ordered here; none for all that have a template."),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[env]{
			resource.One("group", "groups", "group", func(e *env) models.ID { return e.GroupID }, "Group that provides it.").
				Set(func(e *env, id models.ID) { e.GroupID = id }),
			resource.One("resource-handler", "resource-handlers", "handler", func(e *env) models.ID { return e.HandlerID }, "Back end that it lies in.").
				Set(func(e *env, id models.ID) { e.HandlerID = id }),
			resource.Many[env]("groups", "groups", "groups", "Groups that may use it, with those below them; none for all.").Optional(),
			resource.Many[env]("os-builds", "os-builds", "os_builds", "OS builds that can be ordered here."),
			resource.Many[env]("perf-types", "perf-types", "sizes", "Sizes that can be ordered here."),
		},
		Subs: []resource.Sub[env]{
			{
				Path: "servers", Rel: "cb:servers", Of: "servers", Relation: "servers", Doc: "Servers in the environment.",
				Title: func(e *env) string { return "Servers In " + e.Name },
			},
			environmentQuotas(),
			historySub(func(e *env) string { return e.Name }),
		},
		List: f.Catalog.Environments.List, Find: f.Catalog.Environments.Find,
		CanCreate: catalog.CanEdit, Create: f.Catalog.Environments.Create,
		CanUpdate: f.Catalog.Environments.CanUpdate, Update: f.Catalog.Environments.Update,
		CanDelete: f.Catalog.Environments.CanDelete, Delete: deleting[env](f.Catalog.Environments.Delete),
		Unused: f.Catalog.Environments.Unused,
	}
}

func (f *Face) handlers() resource.Resource[models.ResourceHandler] {
	type handler = models.ResourceHandler
	key := func(h *handler) *models.Row { return &h.Row }
	return resource.Resource[handler]{
		Name: "resource-handler", Plural: "resource-handlers", Noun: "Resource Handlers", Entity: catalog.Handlers,
		Doc: "A back end in which servers are made, and how to reach it.",
		Key: key, Title: func(h *handler) string { return h.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "type", "url", "product", "verified"},
		Fields: append([]resource.Field[handler]{
			resource.Text("name", func(h *handler) string { return h.Name }, "Name.").On("name").Listed().
				SetText(func(h *handler, v string) { h.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Enum("type", models.HandlerKinds, func(h *handler) models.HandlerKind { return h.Kind }, "Kind of back end.").On("kind").
				SetText(func(h *handler, v string) { h.Kind = models.HandlerKind(strings.ToLower(v)) }).Required(),
			resource.Text("description", func(h *handler) string { return h.Description }, "What the back end is for.").On("description").
				SetText(func(h *handler, v string) { h.Description = v }),
			resource.Text("url", func(h *handler) string { return h.URL }, "Where it is reached.").From("url").
				SetText(func(h *handler, v string) { h.URL = v }).As("url").UpTo(2000).Example("https://vcenter.example/sdk").Asked(),
			resource.Text("username", func(h *handler) string { return h.Username }, "User that signs in there.").From("username").
				SetText(func(h *handler, v string) { h.Username = v }),
			resource.WriteOnly[handler]("password", "Password of that user; never shown.").As("password").
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*handler) {
					v := n.String()
					return func(h *handler) { h.NewPassword = v }
				}),
			resource.Bool("insecure", func(h *handler) bool { return h.Insecure }, "Whether the server's certificate goes unchecked.").On("insecure").
				SetBool(func(h *handler, v bool) { h.Insecure = v }),
			resource.Text("product", func(h *handler) string { return h.Product }, "What was found there by the last verification.").On("product"),
			resource.Time("verified", func(h *handler) *time.Time { return h.VerifiedAt }, "When it was verified last.").On("verified_at"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[handler]{
			resource.Many[handler]("environments", "environments", "environments", "Environments in it."),
			templatesLink(),
		},
		Subs: []resource.Sub[handler]{
			historySub(func(h *handler) string { return h.Name }),
		},
		Actions: []resource.Action[handler]{
			{
				Rel: "sync-vms", Title: "Synchronize", Doc: "Reads the back end's machines and brings the list of servers up to date.",
				Can: func(a access.Actor, _ *handler) error { return canSync(a) }, Results: resource.Results{resource.ToWork("jobs")},
				Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[handler], error) {
					n.Done()
					if err := n.Faults().Err(); err != nil {
						return resource.Result[handler]{}, err
					}
					h, err := f.Catalog.Handlers.Find(ctx, a, ref)
					if err != nil {
						return resource.Result[handler]{}, err
					}
					jobs, err := f.Servers.SyncVMs(ctx, a, h.ID)
					if err != nil {
						return resource.Result[handler]{}, err
					}
					return resource.Result[handler]{Work: jobWork(jobs[0].ID)}, nil
				},
			},
			{
				Rel: "verify", Title: "Verify", Doc: "Signs in to the back end and says what is there.",
				Can: func(a access.Actor, h *handler) error { return f.Catalog.Handlers.CanUpdate(a, h) },
				Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[handler], error) {
					n.Done()
					if err := n.Faults().Err(); err != nil {
						return resource.Result[handler]{}, err
					}
					h, err := f.Catalog.Verify(ctx, a, ref)
					return resource.Result[handler]{Row: h}, err
				},
			},
			f.importTemplate(),
		},
		Batch: []resource.BatchAction{{
			Rel: "sync-vms", Title: "Synchronize all resource handlers", Doc: "Reads the machines of all back ends.",
			Can: canSync, Starts: "jobs",
			Do: func(ctx context.Context, a access.Actor, n *jsonbody.Value) ([]resource.Work, error) {
				n.Done()
				if err := n.Faults().Err(); err != nil {
					return nil, err
				}
				jobs, err := f.Servers.SyncVMs(ctx, a, 0)
				list := make([]resource.Work, len(jobs))
				for i, j := range jobs {
					list[i] = jobWork(j.ID)
				}
				return list, err
			},
		}},
		List: f.Catalog.Handlers.List, Find: f.Catalog.Handlers.Find,
		CanCreate: catalog.CanEdit, Create: f.Catalog.Handlers.Create,
		CanUpdate: f.Catalog.Handlers.CanUpdate, Update: f.Catalog.Handlers.Update,
		CanDelete: f.Catalog.Handlers.CanDelete, Delete: deleting[handler](f.Catalog.Handlers.Delete),
		Unused: f.Catalog.Handlers.Unused,
	}
}

func (f *Face) ipPools() resource.Resource[models.IPPool] {
	type pool = models.IPPool
	key := func(p *pool) *models.Row { return &p.Row }
	text := func(name, column, doc string, at func(*pool) *string) resource.Field[pool] {
		return resource.Text(name, func(p *pool) string { return *at(p) }, doc).On(column).
			SetText(func(p *pool, v string) { *at(p) = v })
	}
	return resource.Resource[pool]{
		Name: "ip-pool", Plural: "ip-pools", Noun: "IP Pools", Entity: catalog.IPPools,
		Doc: "A range of addresses of one network, given to servers one by one.",
		Key: key, Title: func(p *pool) string { return p.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "network", "first-ip", "last-ip", "resource-handler"},
		Fields: append([]resource.Field[pool]{
			text("name", "name", "Name.", func(p *pool) *string { return &p.Name }).UpTo(models.MaxName).Listed().Required(),
			resource.ID(key),
			text("network", "network", "Network in the back end.", func(p *pool) *string { return &p.Network }).Required(),
			text("first-ip", "first_ip", "First address.", func(p *pool) *string { return &p.FirstIP }).Example("192.0.2.10").Required(),
			text("last-ip", "last_ip", "Last address.", func(p *pool) *string { return &p.LastIP }).Example("192.0.2.250").Required(),
			resource.Int("prefix", func(p *pool) int64 { return int64(p.Prefix) }, "Length of the network's prefix, such as 24.").On("prefix").
				SetInt(func(p *pool, v int) { p.Prefix = v }).Between(1, 128).Example("24").Required(),
			text("gateway", "gateway", "Address of the gateway.", func(p *pool) *string { return &p.Gateway }).Example("192.0.2.1"),
			resource.Texts("dns", func(p *pool) []string { return p.DNS }, "Addresses of name servers.").From("dns").
				SetTexts(func(p *pool, v []string) { p.DNS = v }).Example("192.0.2.53, 192.0.2.54"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[pool]{
			resource.One("resource-handler", "resource-handlers", "handler", func(p *pool) models.ID { return p.HandlerID }, "Back end of the network.").
				Set(func(p *pool, id models.ID) { p.HandlerID = id }).Required(),
		},
		List: f.Catalog.IPPools.List, Find: f.Catalog.IPPools.Find,
		CanCreate: catalog.CanEdit, Create: f.Catalog.IPPools.Create,
		CanUpdate: f.Catalog.IPPools.CanUpdate, Update: f.Catalog.IPPools.Update,
		CanDelete: f.Catalog.IPPools.CanDelete, Delete: deleting[pool](f.Catalog.IPPools.Delete),
		Unused: f.Catalog.IPPools.Unused,
	}
}

func (f *Face) osBuilds() resource.Resource[models.OSBuild] {
	type build = models.OSBuild
	key := func(o *build) *models.Row { return &o.Row }
	return resource.Resource[build]{
		Name: "os-build", Plural: "os-builds", Noun: "OS Builds", Entity: catalog.OSBuilds,
		Doc: "An operating system image, known to each resource handler by a template.",
		Key: key, Title: func(o *build) string { return o.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "os-family", "os-version", "description"},
		Fields: append([]resource.Field[build]{
			resource.Text("name", func(o *build) string { return o.Name }, "Name.").On("name").Listed().
				SetText(func(o *build, v string) { o.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("os-family", func(o *build) string { return o.OSFamily }, "Family of operating systems, such as linux.").On("os_family").
				SetText(func(o *build, v string) { o.OSFamily = v }),
			resource.Text("os-version", func(o *build) string { return o.OSVersion }, "Version of the operating system.").On("os_version").
				SetText(func(o *build, v string) { o.OSVersion = v }),
			resource.Text("description", func(o *build) string { return o.Description }, "What is on it.").On("description").
				SetText(func(o *build, v string) { o.Description = v }),
			resource.Value("templates", func(o *build) hal.Value {
				list := make([]hal.Value, len(o.Templates))
				for i, t := range o.Templates {
					list[i] = hal.Object([]hal.Prop{
						{Name: "resource-handler", Value: hal.String(basePath + "/resource-handlers/" + t.HandlerID.String())},
						{Name: "template", Value: hal.String(t.Template)},
					})
				}
				return hal.List(list)
			}, "Template in each resource handler; for administrators.").Typed(templatesOfBuildJSON()).Filled().
				SeenBy(access.SeesTemplates).
				Nested(`[{"resource-handler": "1", "template": "debian-12"}]`).
				Set(func(n *jsonbody.Value, r *resource.Refs) func(*build) {
					var list []models.OSBuildTemplate
					for _, x := range n.List() {
						t := models.OSBuildTemplate{HandlerID: r.To(x.Field("resource-handler"), "resource-handlers"), Template: x.Field("template").Text()}
						if t.HandlerID == 0 {
							x.Complain("needs a resource-handler")
						}
						if t.Template == "" {
							x.Complain("needs a template")
						}
						x.Done()
						list = append(list, t)
					}
					return func(o *build) { o.Templates = list }
				}),
		}, resource.Identity(key)...),
		List: f.Catalog.OSBuilds.List, Find: f.Catalog.OSBuilds.Find, Fill: f.Catalog.FillOSBuilds,
		CanCreate: catalog.CanEdit, Create: f.Catalog.OSBuilds.Create,
		CanUpdate: f.Catalog.OSBuilds.CanUpdate, Update: f.Catalog.OSBuilds.Update,
		CanDelete: f.Catalog.OSBuilds.CanDelete, Delete: deleting[build](f.Catalog.OSBuilds.Delete),
		Unused: f.Catalog.OSBuilds.Unused,
	}
}

func (f *Face) sizes() resource.Resource[models.Size] {
	type size = models.Size
	key := func(s *size) *models.Row { return &s.Row }
	return resource.Resource[size]{
		Name: "perf-type", Plural: "perf-types", Noun: "Perf Types", Entity: catalog.Sizes,
		Doc: "A size of server: what it has and costs.",
		Key: key, Title: func(s *size) string { return s.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "cpu-cnt", "mem-size", "rate", "description"},
		Fields: append([]resource.Field[size]{
			resource.Text("name", func(s *size) string { return s.Name }, "Name, which orders give as vm-size.").On("name").Listed().
				SetText(func(s *size, v string) { s.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("description", func(s *size) string { return s.Description }, "What it is good for.").On("description").
				SetText(func(s *size, v string) { s.Description = v }),
			resource.Int("cpu-cnt", func(s *size) int64 { return int64(s.CPUs) }, "Processors.").On("cpus").
				SetInt(func(s *size, v int) { s.CPUs = v }).Between(1, models.MaxCPUs).Required(),
			resource.Memory("mem-size", func(s *size) int { return s.MemoryMB }, "Memory.").On("memory_mb").Example("2 GB").
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*size) {
					mb, err := models.ParseMemory(n.Text())
					if err != nil {
						n.Complain("%s", err)
					}
					return func(s *size) { s.MemoryMB = mb }
				}).Required(),
			resource.Int("gpu-cnt", func(s *size) int64 { return int64(s.GPUs) }, "Graphics processors.").On("gpus").
				SetInt(func(s *size, v int) { s.GPUs = v }).AtLeast(0),
			resource.Rate("rate", func(s *size) models.Money { return s.Rate }, "What it costs by the month.").On("rate").
				SetMoney(func(s *size, v models.Money) { s.Rate = v }).AtLeast(0),
		}, resource.Identity(key)...),
		List: f.Catalog.Sizes.List, Find: f.Catalog.Sizes.Find,
		CanCreate: catalog.CanEdit, Create: f.Catalog.Sizes.Create,
		CanUpdate: f.Catalog.Sizes.CanUpdate, Update: f.Catalog.Sizes.Update,
		CanDelete: f.Catalog.Sizes.CanDelete, Delete: deleting[size](f.Catalog.Sizes.Delete),
		Unused: f.Catalog.Sizes.Unused,
	}
}

func (f *Face) blueprints() resource.Resource[models.Blueprint] {
	type blueprint = models.Blueprint
	key := func(b *blueprint) *models.Row { return &b.Row }
	return resource.Resource[blueprint]{
		Name: "blueprint", Plural: "blueprints", Noun: "Blueprints", Entity: catalog.Blueprints,
		Doc: "What can be ordered: servers in tiers, and the questions that an order answers.",
		Key: key, Title: func(b *blueprint) string { return b.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "description", "state", "price-from", "is-orderable", "group"},
		Fields: append([]resource.Field[blueprint]{
			resource.Text("name", func(b *blueprint) string { return b.Name }, "Name.").On("name").Listed().
				SetText(func(b *blueprint, v string) { b.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("description", func(b *blueprint) string { return b.Description }, "What it deploys.").On("description").
				SetText(func(b *blueprint, v string) { b.Description = v }),
			resource.Enum("state", models.BlueprintStates, func(b *blueprint) models.BlueprintState { return b.State }, "Step in the life of the blueprint: only an active one can be ordered.").On("state").Default(string(models.BlueprintActive)).
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*blueprint) {
					v := models.BlueprintState(n.Text())
					if i := slices.IndexFunc(models.BlueprintStates, func(s models.BlueprintState) bool { return strings.EqualFold(string(s), string(v)) }); i >= 0 {
						v = models.BlueprintStates[i]
					}
					return func(b *blueprint) { b.State = v }
				}),
			resource.Bool("is-orderable", func(b *blueprint) bool { return b.State == models.BlueprintActive }, "Whether it can be ordered now.").From("state"),
			resource.Value("build-items", buildItems, "Tiers of servers, and actions that run between them: an action starts when the build items before it are done.").Typed(buildItemsJSON()).Filled().Set(readBuildItems).
				Nested(`[{"name": "Server", "quantity": 1, "os-build": "1", "perf-type": "1", "hostname": "server-{order}-{n}"}]`).Begin(`[{"name": "Server", "quantity": 1}]`),
			resource.Value("inputs", blueprintInputs, "What an order can say.").Typed(inputsJSON()).From("inputs").Set(readInputs).
				Nested(`[{"name": "vm-size", "type": "size", "required": true}]`),
			resource.Value("price-from", func(b *blueprint) hal.Value {
				if b.PriceFrom == nil {
					return hal.Null()
				}
				return hal.String(b.PriceFrom.PerMonth())
			}, "What it costs by the month with the cheapest sizes that it takes; null when that depends on the order.").Typed(schema.Nullable(resource.RateJSON())).From("inputs").Filled().OnDemand(),
			resource.Picked("groups", func(b *blueprint) *[]models.ID { return &b.GroupIDs }, "Groups that may order it, with those below them; none for all."),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[blueprint]{
			resource.One("group", "groups", "group", func(b *blueprint) models.ID { return b.GroupID }, "Group that provides it.").
				Set(func(b *blueprint, id models.ID) { b.GroupID = id }),
			resource.Path("cb:sample-order", func(base string, b *blueprint) (hal.Link, bool) {
				return hal.Link{Href: base + "/blueprints/" + b.ID.String() + "/sample-order", Title: "Sample Order Of " + b.Name}, true
			}, "The body of an order of it, ready to be sent.").Also("sample-order").If(f.Catalog.CanOrder),
			resource.Many[blueprint]("groups", "groups", "groups", "Groups that may order it, with those below them; none for all.").Optional(),
		},
		Display: &resource.Display[blueprint]{
			Attributes: []string{"price-from"},
			Lists:      []resource.Listing{{Rel: "cb:services", Query: "attributes=status,install-date,owner&order=-id&page_size=10"}},
		},
		Actions: []resource.Action[blueprint]{{
			Rel: "order", Title: "Order", Doc: "Makes an order of it from one flat form: a cart, or submitted at once.",
			Can: f.Catalog.CanOrder, Do: f.orderBlueprint, Form: f.orderProps,
			Body: orderFormBody(), Results: resource.Results{resource.ToOther("orders", true)}, DryRun: &resource.DryRun{Do: dryRuns{f}.dryOrderForm, Schema: forecastSchema},
		}},
		Subs: []resource.Sub[blueprint]{
			{
				Path: "services", Rel: "cb:services", Of: "services", Relation: "services", Doc: "Services that were deployed from it.",
				Title: func(b *blueprint) string { return "Services From " + b.Name },
			},
		},
		List: f.Catalog.Blueprints.List, Find: f.Catalog.FindBlueprint,
		New:       func() *blueprint { return &blueprint{State: models.BlueprintActive} },
		CanCreate: catalog.CanEdit, Create: f.Catalog.Blueprints.Create,
		CanUpdate: f.Catalog.Blueprints.CanUpdate, Update: f.Catalog.Blueprints.Update,
		CanDelete: f.Catalog.Blueprints.CanDelete, Delete: deleting[blueprint](f.Catalog.Blueprints.Delete),
		Unused: f.Catalog.Blueprints.Unused,
		Fill:   f.Catalog.FillBlueprints,
		Bundle: &resource.Bundle[blueprint]{Export: f.Catalog.ExportBlueprint, Import: f.Catalog.ImportBlueprint},
	}
}

func buildItems(b *models.Blueprint) hal.Value {
	list := make([]hal.Value, len(b.Items))
	for i, it := range b.Items {
		props := []hal.Prop{
			{Name: "name", Value: hal.String(it.Name)},
			{Name: "type", Value: hal.String(it.Type), Only: hal.InHAL},
			{Name: "type", Value: hal.String(cloudBoltType(it.Type)), Only: hal.InCloudBolt},
		}
		if !it.IsAction() {
			props = append(props, hal.Prop{Name: "quantity", Value: hal.Int(int64(it.Quantity))})
		}
		if it.ActionID != 0 {
			props = append(props, hal.Prop{Name: "action", Value: href("actions", it.ActionID)})
		}
		if it.OSBuildID != 0 {
			props = append(props, hal.Prop{Name: "os-build", Value: hal.String(basePath + "/os-builds/" + it.OSBuildID.String())})
		}
		if it.SizeID != 0 {
			props = append(props, hal.Prop{Name: "perf-type", Value: hal.String(basePath + "/perf-types/" + it.SizeID.String())})
		}
		if it.Hostname != "" {
			props = append(props, hal.Prop{Name: "hostname", Value: hal.String(it.Hostname)})
		}
		if it.EnvironmentID != 0 {
			props = append(props, hal.Prop{Name: "environment", Value: hal.String(basePath + "/environments/" + it.EnvironmentID.String())})
		}
		if len(it.Parameters) > 0 {
			props = append(props, hal.Prop{Name: "parameters", Value: params(it.Parameters)})
		}
		list[i] = hal.Object(props)
	}
	return hal.List(list)
}

// The names of CloudBolt's clients for the types of build item.
const (
	provServer = "provserver"
	plugin     = "plugin"
)

// cloudBoltType returns the name of CloudBolt's clients for a type of build item.
func cloudBoltType(of string) string {
	if of == models.BlueprintItemServer {
		return provServer
	}
	return of
}

func readBuildItems(n *jsonbody.Value, r *resource.Refs) func(*models.Blueprint) {
	var items []models.BlueprintItem
	for _, x := range n.List() {
		it := models.BlueprintItem{
			Name: x.Field("name").Text(), Type: x.Field("type").Text(), Quantity: 1,
			OSBuildID: r.To(x.Field("os-build"), "os-builds"), SizeID: r.To(x.Field("perf-type", "size"), "perf-types"),
			Hostname: x.Field("hostname").Text(), EnvironmentID: r.To(x.Field("environment"), "environments"),
			Parameters: readParams(x.Field("parameters"), nil), ActionID: r.To(x.Field("action"), "actions"),
		}
		if q := x.Field("quantity"); q.Present() {
			it.Quantity = int(min(max(q.Int(), 0), 1<<20)) // the service knows the limits
		}
		switch {
		case it.Type == plugin, it.Type == "" && x.At("action").Present():
			it.Type = models.BlueprintItemAction
		case it.Type == "", it.Type == provServer:
			it.Type = models.BlueprintItemServer
		}
		x.Done()
		items = append(items, it)
	}
	return func(b *models.Blueprint) { b.Items = items }
}

func blueprintInputs(b *models.Blueprint) hal.Value { return inputValues(b.Inputs) }

func inputValues(inputs []models.Input) hal.Value {
	list := make([]hal.Value, len(inputs))
	for i, in := range inputs {
		props := []hal.Prop{{Name: "name", Value: hal.String(in.Name)}, {Name: "type", Value: hal.String(string(in.Type))}}
		add := func(name string, given bool, v hal.Value) {
			if given {
				props = append(props, hal.Prop{Name: name, Value: v})
			}
		}
		add("label", in.Label != "", hal.String(in.Label))
		add("description", in.Description != "", hal.String(in.Description))
		add("required", true, hal.Bool(in.Required))
		add("default", in.Default != "", hal.String(in.Default))
		add("options", len(in.Options) > 0, hal.Strings(in.Options))
		if in.Minimum != nil {
			add("minimum", true, hal.Int(*in.Minimum))
		}
		if in.Maximum != nil {
			add("maximum", true, hal.Int(*in.Maximum))
		}
		add("pattern", in.Pattern != "", hal.String(in.Pattern))
		list[i] = hal.Object(props)
	}
	return hal.List(list)
}

func readInputs(n *jsonbody.Value, _ *resource.Refs) func(*models.Blueprint) {
	inputs := inputList(n)
	return func(b *models.Blueprint) { b.Inputs = inputs }
}

func inputList(n *jsonbody.Value) []models.Input {
	var inputs []models.Input
	for _, x := range n.List() {
		inputs = append(inputs, x.Input())
	}
	return inputs
}
