// Package demo fills an empty installation with a small company, so that a first-time
// user finds something to order, an order that succeeded, and one to approve. Scripts and
// the README rely on its names and ids.
package demo

import (
	"context"
	"fmt"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/action"
	"halcyon/pkg/catalog"
	"halcyon/pkg/order"
	"halcyon/pkg/refdata"
	"halcyon/pkg/tenancy"
)

// Password is the password of every demo user.
const Password = "demo"

// Users are the demo's users in the order of their ids, with their roles.
var Users = []struct{ Name, First, Last, Role string }{
	{"admin", "Ada", "Admin", "super admin"},
	{"alice", "Alice", "Ames", "requestor in Group Foo and Group Bar"},
	{"bob", "Bob", "Brown", "approver in Group Foo and Group Bar"},
	{"carol", "Carol", "Chen", "owner of Globex"},
}

// VCenter is the vCenter that the demo orders from.
type VCenter struct {
	URL, Username, Password                              string
	Datacenter, Cluster, Datastore, Folder, Network, Web string
	Templates                                            []string // for Debian 12 and Rocky Linux 9
}

// Demo creates the demo content.
type Demo struct {
	Tenancy *tenancy.Service
	Catalog *catalog.Service
	Orders  *order.Service
	Actions *action.Service
	RefData *refdata.Cache
	Now     func() time.Time
}

// Ids of the rows, created in this order in an empty installation.
const (
	foo, bar, acme, globex, research = 2, 3, 4, 5, 6
	alice, bob, carol                = 2, 3, 4
	simple                           = 3 // Simple Environment
)

// Seed creates users, groups, the catalogue and actions.
func (d *Demo) Seed(ctx context.Context, vc VCenter) error {
	sys := access.System("demo")
	for _, u := range Users {
		row := &models.User{Username: u.Name, FirstName: u.First, LastName: u.Last, Email: u.Name + "@demo.example", Active: true, SuperAdmin: u.Name == "admin", NewPassword: Password}
		if err := d.Tenancy.CreateUser(ctx, sys, row); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	for _, g := range []*models.Group{
		{Name: "Group Foo", AutoApproval: true, Description: "Orders are approved automatically."},
		{Name: "Group Bar", Description: "bob approves orders."},
		{Name: "Acme", Type: models.GroupOrganization},
		{Name: "Globex", Type: models.GroupOrganization},
		{Name: "Globex Research", Type: models.GroupProject, ParentID: globex},
	} {
		if err := d.Tenancy.Groups.Create(ctx, sys, g); err != nil {
			return fmt.Errorf("group %s: %w", g.Name, err)
		}
	}
	for _, id := range []models.ID{foo, bar} {
		if _, err := d.Tenancy.Groups.Update(ctx, sys, id.String(), func(g *models.Group) error { g.ParentID = acme; return nil }); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		user, group models.ID
		role        string
	}{
		{alice, foo, "requestor"},
		{alice, bar, "requestor"},
		{bob, foo, "approver"},
		{bob, bar, "approver"},
		{carol, globex, "CUSTOMER.OWNER"},
	} {
		role := models.ID(0)
		for i, r := range access.BuiltInRoles {
			if r.Name == m.role {
				role = models.ID(i + 1)
			}
		}
		if err := d.Tenancy.CreateMembership(ctx, sys, &models.Membership{UserID: m.user, GroupID: m.group, RoleID: role}); err != nil {
			return err
		}
	}
	if err := d.catalogue(ctx, sys, vc); err != nil {
		return err
	}
	return d.actions(ctx, sys)
}

func (d *Demo) catalogue(ctx context.Context, sys access.Actor, vc VCenter) error {
	h := &models.ResourceHandler{Name: "Demo vCenter", Kind: models.HandlerVSphere, Description: "A simulated vCenter.", URL: vc.URL, Username: vc.Username, NewPassword: vc.Password}
	if err := d.Catalog.Handlers.Create(ctx, sys, h); err != nil {
		return err
	}
	for i, b := range []*models.OSBuild{
		{Name: "Debian 12", OSFamily: "linux", OSVersion: "12"},
		{Name: "Rocky Linux 9", OSFamily: "linux", OSVersion: "9"},
	} {
		b.Templates = []models.OSBuildTemplate{{HandlerID: h.ID, Template: vc.Templates[i]}}
		if err := d.Catalog.OSBuilds.Create(ctx, sys, b); err != nil {
			return err
		}
	}
	const cpu = 7*models.Unit + models.Unit/5 // 7.20
	for _, s := range []*models.Size{
		{Name: "small", CPUs: 1, MemoryMB: 1024, Rate: 2 * cpu},
		{Name: "medium", CPUs: 2, MemoryMB: 2048, Rate: 4 * cpu},
		{Name: "large", CPUs: 4, MemoryMB: 8192, Rate: 8 * cpu},
	} {
		if err := d.Catalog.Sizes.Create(ctx, sys, s); err != nil {
			return err
		}
	}
	for _, e := range []*models.Environment{
		{Name: "Advanced Environment", GroupIDs: []models.ID{foo}},
		{Name: "Simple Environment", GroupIDs: []models.ID{foo, bar}},
		{Name: "Dev Lab", GroupIDs: []models.ID{bar, globex}},
	} {
		e.HandlerID, e.Domain = h.ID, "demo.example"
		e.CPURate, e.MemRate = cpu, cpu
		e.Datacenter, e.Cluster, e.Datastore, e.Folder, e.Network = vc.Datacenter, vc.Cluster, vc.Datastore, vc.Folder, vc.Network
		if err := d.Catalog.Environments.Create(ctx, sys, e); err != nil {
			return err
		}
	}
	pool := &models.IPPool{Name: "Demo network", HandlerID: h.ID, Network: vc.Network, FirstIP: "10.20.0.10", LastIP: "10.20.3.250", Prefix: 22, Gateway: "10.20.0.1", DNS: []string{"10.20.0.2"}}
	if err := d.Catalog.IPPools.Create(ctx, sys, pool); err != nil {
		return err
	}
	sizes := []string{"small", "medium", "large"}
	for _, b := range []*models.Blueprint{
		{
			Name: "Custom Server", Description: "One server, as you like it.",
			Inputs: []models.Input{
				{Name: "vm-size", Label: "Size", Type: models.InputSize, Options: sizes, Description: "1 CPU 1 GB, 2 CPU 2 GB or 4 CPU 8 GB."},
				{Name: "sw-stack", Label: "Software stack", Type: models.InputText, Options: []string{"Dev", "Test", "Prod"}},
				{Name: "expiration-date", Label: "Expires on", Type: models.InputDate},
				{Name: "os_build", Label: "Operating system", Type: models.InputOSBuild},
				{Name: "mem_size", Label: "Memory", Type: models.InputMemory, Minimum: new(int64(512)), Maximum: new(int64(64 << 10)), Description: "Instead of the size's: 2 GB, 1536 MB, or a number of GB. Priced by the GB."},
				{Name: "cpu-cnt", Label: "Processors", Type: models.InputInteger, Minimum: new(int64(1)), Maximum: new(int64(16)), Description: "Instead of the size's, priced by the piece."},
			},
			Items: []models.BlueprintItem{{Name: "Server", Type: models.BlueprintItemServer, Quantity: 1, EnvironmentID: simple, OSBuildID: 1, SizeID: 1, Hostname: "server-{order}-{n}"}},
		},
		{
			Name: "LAMP Stack", Description: "Two web servers and a database.",
			Inputs: []models.Input{
				{Name: "sw-stack", Label: "Software stack", Type: models.InputText, Options: []string{"Dev", "Test", "Prod"}},
				{Name: "expiration-date", Label: "Expires on", Type: models.InputDate},
			},
			Items: []models.BlueprintItem{
				{Name: "Web", Type: models.BlueprintItemServer, Quantity: 2, EnvironmentID: simple, OSBuildID: 1, SizeID: 1, Hostname: "web-{order}-{n}"},
				{Name: "Database", Type: models.BlueprintItemServer, Quantity: 1, EnvironmentID: simple, OSBuildID: 2, SizeID: 2, Hostname: "db-{order}-{n}"},
			},
		},
	} {
		b.State = models.BlueprintActive
		if err := d.Catalog.Blueprints.Create(ctx, sys, b); err != nil {
			return err
		}
	}
	return nil
}

// History places three orders: one that succeeds, one that waits for bob's approval, and
// one whose job fails and can be retried. The workers must be running; it returns when
// they are done.
func (d *Demo) History(ctx context.Context) error {
	requestor, err := d.actor(ctx, alice)
	if err != nil {
		return err
	}
	server := func(group, env, build models.ID, size string) order.Draft {
		return order.Draft{GroupID: group, Submit: true, Items: []models.OrderItem{{
			Kind: models.ItemDeploy,
			Deploy: &models.DeployItem{BlueprintID: 1, Arguments: []models.BuildItemArgs{{
				Item: "Server", EnvironmentID: env, OSBuildID: build,
				Parameters: []models.Param{{Name: "vm-size", Value: size}, {Name: "sw-stack", Value: "Dev"}},
			}}},
		}}}
	}
	first, err := d.Orders.Create(ctx, requestor, server(foo, simple, 1, "small"))
	if err != nil {
		return err
	}
	if _, err := d.Orders.Create(ctx, requestor, server(bar, simple, 1, "medium")); err != nil {
		return err
	}
	// The template of this operating system is missing at first: the job fails, and a
	// retry succeeds after the template is set again.
	rocky, err := d.Catalog.OSBuilds.Find(ctx, access.System("demo"), "2")
	if err != nil {
		return err
	}
	original := rocky.Templates[0].Template
	setTemplate := func(name string) error {
		_, err := d.Catalog.OSBuilds.Update(ctx, access.System("demo"), "2", func(o *models.OSBuild) error {
			o.Templates[0].Template = name
			return nil
		})
		return err
	}
	if err := setTemplate("rocky-9-missing"); err != nil {
		return err
	}
	failing, err := d.Orders.Create(ctx, requestor, server(foo, simple, 2, "small"))
	if err != nil {
		return err
	}
	for _, o := range []*models.Order{first, failing} {
		if err := d.waitUntilEnded(ctx, requestor, o.ID); err != nil {
			return err
		}
	}
	return setTemplate(original)
}

func (d *Demo) waitUntilEnded(ctx context.Context, a access.Actor, id models.ID) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		o, err := d.Orders.Find(ctx, a, id.String())
		if err != nil || o.Ended() {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("order %s did not end: %w", id, ctx.Err())
		case <-tick.C:
		}
	}
}

func (d *Demo) actor(ctx context.Context, id models.ID) (access.Actor, error) {
	u, err := d.RefData.UserByID(ctx, id)
	if err != nil {
		return access.Actor{}, err
	}
	return d.RefData.Actor(ctx, u, "")
}

// UpdateVCenter sets the address and credentials of the demo's vCenter, which differ in
// each run.
func (d *Demo) UpdateVCenter(ctx context.Context, vc VCenter) error {
	_, err := d.Catalog.Handlers.Update(ctx, access.System("demo"), "1", func(h *models.ResourceHandler) error {
		h.URL, h.Username, h.NewPassword = vc.URL, vc.Username, vc.Password
		return nil
	})
	return err
}
