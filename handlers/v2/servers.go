package v2

import (
	"context"
	"path"
	"strconv"
	"strings"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/history"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/server"
)

func (f *Face) servers() resource.Resource[models.Server] {
	type sv = models.Server
	key := func(s *sv) *models.Row { return &s.Row }
	act := func(rel, title, path, name, doc, action string, can func(access.Actor, *sv) error) resource.Action[sv] {
		return resource.Action[sv]{
			Rel: rel, Name: name, Path: path, Title: title, Doc: doc, Slash: true, Can: can, Results: resource.Results{resource.ToWork("jobs")},
			Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[sv], error) {
				args := models.JobArgs{}
				if action == server.ActionSnapshot {
					args = readSnapshot(n)
				}
				n.Done()
				if err := n.Faults().Err(); err != nil {
					return resource.Result[sv]{}, err
				}
				s, err := f.Servers.Find(ctx, a, ref)
				if err != nil {
					return resource.Result[sv]{}, err
				}
				j, err := f.Servers.Act(ctx, a, s.ID, action, args)
				if err != nil {
					return resource.Result[sv]{}, err
				}
				return resource.Result[sv]{Work: jobWork(j.ID)}, nil
			},
		}
	}
	snapshot := act("snapshot", "Snapshot", "snapshot", "snapshot", "Takes a snapshot; the body may give its name, a description, and whether it holds the memory as well.", server.ActionSnapshot, server.CanSnapshot)
	snapshot.Form, snapshot.Body = snapshotForm, snapshotBody()
	return resource.Resource[sv]{
		Name: "server", Plural: "servers", Noun: "Servers", Entity: server.Servers,
		Doc:   "A machine, whether it was ordered here or found in a back end.",
		Slash: true,
		Key:   key, Title: func(s *sv) string { return s.Hostname }, TitleFrom: []string{"hostname"},
		// The order is part of the contract: shell clients cut lines.
		Columns: []string{"hostname", "status", "power-status", "ip", "environment", "group", "owner.username", "cpu-cnt", "mem-size", "rate"},
		Fields: append([]resource.Field[sv]{
			resource.Text("hostname", func(s *sv) string { return s.Hostname }, "Host name.").On("hostname").Listed(),
			resource.Text("name", func(s *sv) string { return s.Hostname }, "The host name, for filters and attributes.").On("hostname").OnDemand(),
			resource.Enum("power-status", models.PowerStatuses, func(s *sv) models.PowerStatus { return s.PowerStatus }, "Whether it is on, as last seen.").On("power_status"),
			resource.Enum("status", models.ServerStatuses, func(s *sv) models.ServerStatus { return s.Status }, "Step in the life of the server.").On("status"),
			resource.ID(key),
			resource.Text("ip", func(s *sv) string { return s.IP }, "Primary address.").On("ip"),
			resource.Text("mac", func(s *sv) string { return s.MAC }, "Hardware address of the first network card.").On("mac"),
			resource.Time("date-added-to-cloudbolt", func(s *sv) *time.Time { return &s.AddedAt }, "When it was added here.").On("added_at"),
			resource.Int("cpu-cnt", func(s *sv) int64 { return int64(s.CPUs) }, "Processors.").On("cpus"),
			resource.Memory("mem-size", func(s *sv) int { return s.MemoryMB }, "Memory; filters take GB.").On("memory_mb"),
			resource.Disk("disk-size", func(s *sv) int { return s.DiskGB }, "All disks together; filters take GB.").On("disk_gb"),
			resource.Text("os-family", func(s *sv) string { return s.OSFamily }, "Family of operating systems.").On("os_family"),
			resource.Text("notes", func(s *sv) string { return s.Notes }, "Notes.").On("notes"),
			resource.Texts("labels", func(s *sv) []string { return s.Labels }, "Labels.").From("labels"),
			resource.Value("credentials", func(*sv) hal.Value {
				return hal.Object([]hal.Prop{
					{Name: "username", Value: hal.String("")}, {Name: "password", Value: hal.String("not set")}, {Name: "key", Value: hal.String("")},
				})
			}, "How to sign in there; never the password itself.").Typed(credentialsJSON()).From("id"),
			resource.Value("disks", serverDisks, "Disks.").Typed(disksJSON(resource.DiskJSON())).TypedCloudBolt(disksJSON(schema.Integer().Doc("In GB."))).From("disks"),
			resource.Value("networks", serverNetworks, "Network cards.").Typed(networksJSON(schema.Array(schema.String()))).TypedCloudBolt(networksJSON(schema.String().Doc("Separated by commas."))).From("networks"),
			resource.Value("parameters", func(s *sv) hal.Value { return params(s.Parameters) }, "What its order said.").Typed(paramsJSON()).From("parameters"),
			resource.Rate("rate", func(s *sv) models.Money { return s.Rate }, "What it costs by the month.").On("rate"),
			resource.Value("rate-breakdown", rateBreakdown, "What it costs by the month, for what.").Typed(ratesJSON()).From("rate", "hardware_rate", "software_rate", "extra_rate"),
			resource.Value("tech-specific-details", techDetails, "What the back end says of it.").Typed(paramsJSON()).TypedCloudBolt(schema.Map(schema.Either(schema.String(), schema.Boolean()))).From("tech_details", "parameters"),
			resource.Text("tier", func(s *sv) string { return s.Tier }, "Build item of the blueprint that it was made of.").On("tier"),
			resource.Date("expiration-date", func(s *sv) string { return s.ExpiresOn }, "Last day of its lease.").On("expires_on"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[sv]{
			resource.One("owner", "users", "owner", func(s *sv) models.ID { return s.OwnerID }, "Whose it is."),
			resource.One("group", "groups", "group", func(s *sv) models.ID { return s.GroupID }, "Group that it belongs to."),
			resource.One("environment", "environments", "environment", func(s *sv) models.ID { return s.EnvironmentID }, "Environment that it is in."),
			resource.One("resource-handler", "resource-handlers", "handler", func(s *sv) models.ID { return s.HandlerID }, "Back end that it is in."),
			resource.One("os-build", "os-builds", "os_build", func(s *sv) models.ID { return s.OSBuildID }, "Image that it was made of."),
			resource.One("perf-type", "perf-types", "size", func(s *sv) models.ID { return s.SizeID }, "Size that it was ordered as.").Optional(),
			resource.One("provision-job", "jobs", "provision_job", func(s *sv) models.ID { return s.ProvisionJobID }, "Job that made it."),
			resource.One("service", "services", "service", func(s *sv) models.ID { return s.ServiceID }, "Deployed blueprint that it is a part of."),
			resource.One("order", "orders", "order", func(s *sv) models.ID { return s.OrderID }, "Order that it was made by.").Optional(),
		},
		Subs: []resource.Sub[sv]{
			relatedJobs(func(s *sv) string { return s.Hostname }),
			historySub(func(s *sv) string { return s.Hostname }),
			snapshotsSub(),
		},
		Actions: []resource.Action[sv]{
			act("power-on", "Power on", "poweron", "power_on", "Switches it on.", server.ActionPowerOn, server.CanPowerOn),
			act("power-off", "Power off", "poweroff", "power_off", "Switches it off.", server.ActionPowerOff, server.CanPowerOff),
			act("reboot", "Reboot", "reboot", "reboot", "Starts it anew.", server.ActionReboot, server.CanReboot),
			act("refresh-info", "Refresh info", "refresh-info", "refresh_info", "Reads it anew from the back end.", server.ActionRefresh, server.CanRefresh),
			snapshot,
			f.modify(),
			f.extendServer(),
		},
		Offers: f.offersOnServers, OfferBody: runBody(), OfferedBy: "server-actions",
		Display: &resource.Display[sv]{
			Attributes: []string{"owner.username"},
			Lists: []resource.Listing{
				{Rel: "jobs", Query: "attributes=progress,start-date,end-date,action&order=-id&page_size=10"},
				{Rel: "history", Query: "order=-id&page_size=10"},
				{Rel: "cb:snapshots", Query: "page_size=20"},
			},
		},
		List: f.Servers.List, Find: f.Servers.Find,
		CanDelete: order.CanDecommission, DeleteResults: resource.Results{resource.ToWork("orders")},
		Delete: func(ctx context.Context, a access.Actor, ref string) (resource.Result[sv], error) {
			o, err := f.Orders.Decommission(ctx, a, ref)
			if err != nil {
				return resource.Result[sv]{}, err
			}
			return resource.Result[sv]{Work: orderWork(o.ID)}, nil
		},
	}
}

// techDetails returns what the back end says of a server. CloudBolt's clients decode what
// is true or false as a boolean.
func techDetails(s *models.Server) hal.Value {
	props := make([]hal.Prop, 0, len(s.TechDetails))
	for _, p := range s.TechDetails {
		if p.Value != "true" && p.Value != "false" {
			props = append(props, hal.Prop{Name: p.Name, Value: hal.String(p.Value)})
			continue
		}
		props = append(props,
			hal.Prop{Name: p.Name, Value: hal.String(p.Value), Only: hal.InHAL},
			hal.Prop{Name: p.Name, Value: hal.Bool(p.Value == "true"), Only: hal.InCloudBolt})
	}
	if cluster, has := models.ParamValue(s.TechDetails, "cluster"); has {
		linked, _ := models.ParamValue(s.Parameters, models.KeyLinkedClone)
		props = append(props,
			hal.Prop{Name: "vmware-cluster", Value: hal.String(path.Base(cluster)), Only: hal.InCloudBolt},
			hal.Prop{Name: "vmware-linked-clone", Value: hal.Bool(linked == "true"), Only: hal.InCloudBolt})
	}
	return hal.Object(props)
}

func serverDisks(s *models.Server) hal.Value {
	list := make([]hal.Value, len(s.Disks))
	for i, d := range s.Disks {
		list[i] = hal.Object([]hal.Prop{
			{Name: "uuid", Value: hal.String(d.UUID)},
			{Name: "disk-size", Value: hal.String(strconv.Itoa(d.SizeGB) + " GB"), Only: hal.InHAL},
			{Name: "disk-size", Value: hal.Int(int64(d.SizeGB)), Only: hal.InCloudBolt},
			{Name: "name", Value: hal.String(d.Name)},
			{Name: "datastore", Value: hal.String(d.Datastore)},
			{Name: "provisioning-type", Value: hal.String(d.ProvisioningType)},
		})
	}
	return hal.List(list)
}

func serverNetworks(s *models.Server) hal.Value {
	list := make([]hal.Value, len(s.Networks))
	for i, n := range s.Networks {
		ip, more := "", []string{}
		if len(n.IPs) > 0 {
			ip, more = n.IPs[0], n.IPs[1:]
		}
		list[i] = hal.Object([]hal.Prop{
			{Name: "name", Value: hal.String(n.Name)},
			{Name: "network", Value: hal.String(n.Network)},
			{Name: "mac", Value: hal.String(n.MAC)},
			{Name: "ip", Value: hal.String(ip)},
			{Name: "private-ip", Value: hal.String(ip)},
			{Name: "additional-ips", Value: hal.Strings(more), Only: hal.InHAL},
			{Name: "additional-ips", Value: hal.String(strings.Join(more, ",")), Only: hal.InCloudBolt},
		})
	}
	return hal.List(list)
}

func rateBreakdown(s *models.Server) hal.Value {
	return hal.Object([]hal.Prop{
		{Name: "total", Value: hal.String(s.Rate.PerMonth())},
		{Name: "hardware", Value: hal.String(s.HardwareRate.PerMonth())},
		{Name: "software", Value: hal.String(s.SoftwareRate.PerMonth())},
		{Name: "extra", Value: hal.String(s.ExtraRate.PerMonth())},
	})
}

// The numbers of the actions that every service has. Scripts send them, so no action of
// an administrator gets them.
const (
	deleteNumber = 1
	scaleNumber  = 2
)

// services and resources are one thing at two places: a deployed blueprint.
func (f *Face) services() resource.Resource[models.Service] {
	type svc = models.Service
	key := func(s *svc) *models.Row { return &s.Row }
	return resource.Resource[svc]{
		Name: "service", Plural: "services", Noun: "Services", Entity: server.Services,
		Doc: "A deployed blueprint and its servers.",
		Key: key, Title: func(s *svc) string { return s.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "status", "blueprint", "group", "owner.username", "install-date"},
		Fields: append([]resource.Field[svc]{
			resource.Text("name", func(s *svc) string { return s.Name }, "Name.").On("name").Listed(),
			resource.ID(key),
			resource.Enum("status", models.ServiceStatuses, func(s *svc) models.ServiceStatus { return s.Status }, "Step in the life of the service.").On("status").Listed(),
			resource.Time("install-date", func(s *svc) *time.Time { return s.InstalledAt }, "When all of it was there.").On("installed_at"),
			resource.Value("parameters", func(s *svc) hal.Value { return params(s.Parameters) }, "What its order said for all of it.").Typed(paramsJSON()).From("parameters"),
			resource.Date("expiration-date", func(s *svc) string { return s.ExpiresOn }, "Last day of the lease that lasts longest of its servers'; none when one has no end.").On("expires_on"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[svc]{
			resource.One("blueprint", "blueprints", "blueprint", func(s *svc) models.ID { return s.BlueprintID }, "What it was deployed from."),
			resource.One("owner", "users", "owner", func(s *svc) models.ID { return s.OwnerID }, "Whose it is."),
			resource.One("group", "groups", "group", func(s *svc) models.ID { return s.GroupID }, "Group that it belongs to."),
			resource.Path("resource-type", func(base string, _ *svc) (hal.Link, bool) {
				return hal.Link{Href: base + "/resources/service/", Title: "service"}, true
			}, "Kind of resource."),
			resource.One("order", "orders", "order", func(s *svc) models.ID { return s.OrderID }, "Order that it was made by.").Optional(),
			resource.Many[svc]("servers", "servers", "servers", "Its servers, each with its tier.").
				ExtraFrom(func(target any) []hal.Prop {
					return []hal.Prop{{Name: "tier", Value: hal.String(target.(*models.Server).Tier)}}
				}, "tier"),
		},
		Subs: []resource.Sub[svc]{
			relatedJobs(func(s *svc) string { return s.Name }),
			historySub(func(s *svc) string { return s.Name }),
		},
		Actions: []resource.Action[svc]{{
			Rel: "delete", Name: "Delete", Path: "delete", Number: deleteNumber, Title: "Delete", Doc: "Orders the removal of all its servers.", Slash: true,
			Can: order.CanDeleteService, Results: resource.Results{resource.ToWork("orders")},
			Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[svc], error) {
				n.Done()
				if err := n.Faults().Err(); err != nil {
					return resource.Result[svc]{}, err
				}
				return f.deleteService(ctx, a, ref)
			},
		}, f.scaleAction(), f.extendService()},
		Offers: f.offersOnServices, OfferBody: runBody(), OfferedBy: "service-actions",
		Display: &resource.Display[svc]{
			Attributes: []string{"owner.username"},
			Lists: []resource.Listing{
				{Rel: "servers", Query: "attributes=tier,status,power-status,ip,cpu-cnt,mem-size,rate&order=id&page_size=100"},
				{Rel: "jobs", Query: "attributes=progress,start-date,end-date,action&order=-id&page_size=10"},
				{Rel: "history", Query: "order=-id&page_size=10"},
			},
		},
		List: f.Servers.ListServices, Find: f.Servers.FindService,
		CanDelete: order.CanDeleteService, DeleteResults: resource.Results{resource.ToWork("orders")}, Delete: f.deleteService,
	}
}

func (f *Face) deleteService(ctx context.Context, a access.Actor, ref string) (resource.Result[models.Service], error) {
	o, err := f.Orders.DeleteService(ctx, a, ref)
	if err != nil {
		return resource.Result[models.Service]{}, err
	}
	return resource.Result[models.Service]{Work: orderWork(o.ID)}, nil
}

func (f *Face) resources() resource.Resource[models.Service] {
	r := f.services()
	r.Name, r.Plural, r.Noun = "resource", "resources", "Resources"
	r.Path, r.Slash = "resources/service", true
	r.Doc = "A deployed blueprint: what /services/ has, where clients of later versions look for it."
	return r
}

func (f *Face) history() resource.Resource[models.History] {
	type event = models.History
	return resource.Resource[event]{
		Name: "history-event", Plural: "history", Noun: "History", Entity: history.Events,
		Doc: "What happened, to which object, by whom.",
		Key: func(h *event) *models.Row { return h.Key() }, Title: func(h *event) string { return "Event id " + h.ID.String() },
		Columns: []string{"date", "event", "actor", "message", "object-type", "object-id"},
		Fields: []resource.Field[event]{
			resource.ID(func(h *event) *models.Row { return h.Key() }),
			resource.Time("date", func(h *event) *time.Time { return &h.CreatedAt }, "When it happened.").On("created_at").Listed(),
			resource.Text("event", func(h *event) string { return h.Event }, "What happened.").On("event").Listed(),
			resource.Text("actor", func(h *event) string { return h.ActorName }, "Name of who did it, as it was then.").On("actor_name").Listed(),
			resource.Text("message", func(h *event) string { return h.Message }, "More about it.").On("message").Listed(),
			resource.Text("object-type", func(h *event) string { return h.ObjectType }, "Kind of object.").On("object_type").Listed(),
			resource.IDOf("object-id", "object_id", func(h *event) models.ID { return h.ObjectID }, "Id of the object.").Listed(),
			resource.Value("before", func(h *event) hal.Value { return hal.Raw([]byte(h.Before)) }, "What changed, as it was.").Typed(schema.Any()).From("before"),
			resource.Value("after", func(h *event) hal.Value { return hal.Raw([]byte(h.After)) }, "What changed, as it is since.").Typed(schema.Any()).From("after"),
		},
		Relations: []resource.Relation[event]{
			resource.One("user", "users", "actor", func(h *event) models.ID { return h.ActorID }, "Who did it."),
			resource.Path("about", func(base string, h *event) (hal.Link, bool) {
				plural := map[string]string{
					models.ObjectOrder: "orders", models.ObjectJob: "jobs", models.ObjectServer: "servers", models.ObjectService: "services",
				}[h.ObjectType]
				if plural == "" {
					return hal.Link{}, false
				}
				return hal.Link{Href: href(plural, h.ObjectID).Text(), Title: h.ObjectType + " id " + h.ObjectID.String()}, true
			}, "The object."),
		},
		List: f.History.List, Find: f.History.Find,
	}
}

func canSync(a access.Actor) error { return server.CanSync(a) }
