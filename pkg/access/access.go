// Package access holds the rights of callers: who they are, what they may do, and which rows they may see.
// Rights come from role grants, which are inherited down the group tree. Visibility is one scope per table,
// which narrows every query of it.
package access

import (
	"maps"
	"slices"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// Permission is a right that a role grants on its group and the groups below it.
type Permission string

// The permissions.
const (
	OrderSubmit    Permission = "order.submit"    // order for the group
	OrderApprove   Permission = "order.approve"   // decide on the group's orders
	GroupView      Permission = "group.view"      // see the group's orders, jobs, servers, services
	ServerPower    Permission = "server.power"    // switch the group's servers on and off
	ServerManage   Permission = "server.manage"   // change and remove the group's servers
	JobManage      Permission = "job.manage"      // cancel and retry the group's jobs
	MemberManage   Permission = "member.manage"   // grant roles in the group, and see e-mail addresses
	GroupManage    Permission = "group.manage"    // edit the group and what is below it
	OfferingManage Permission = "offering.manage" // manage offerings of the group as their provider
)

// Permissions lists all permissions.
var Permissions = []Permission{OrderSubmit, OrderApprove, GroupView, ServerPower, ServerManage, JobManage, MemberManage, GroupManage, OfferingManage}

// BuiltInRole is a role that every installation has.
type BuiltInRole struct {
	Name, Label, Description string
	Permissions              []Permission
}

// BuiltInRoles are the roles of a new installation, in the order of their ids.
var BuiltInRoles = []BuiltInRole{
	{"requestor", "Requestor", "Orders for the group, and sees what is their own.", []Permission{OrderSubmit}},
	{"approver", "Approver", "Decides on the group's orders.", []Permission{GroupView, OrderApprove}},
	{"resource_admin", "Resource Admin", "Runs the group's servers and services.", []Permission{GroupView, OrderSubmit, ServerPower, ServerManage, JobManage}},
	{"group_admin", "Group Admin", "Manages the group, its members and what they ordered.", []Permission{GroupView, MemberManage, GroupManage, OfferingManage}},
	{"viewer", "Viewer", "Sees what the group has.", []Permission{GroupView}},
	{"PROJECT.MEMBER", "Project member", "Sees the project, and orders subject to approval.", []Permission{GroupView, OrderSubmit}},
	{"PROJECT.ADMIN", "Project administrator", "Runs the project's resources.", []Permission{GroupView, OrderSubmit, ServerPower, ServerManage, JobManage}},
	{"PROJECT.MANAGER", "Project manager", "Runs the project's resources and manages its members.", []Permission{GroupView, OrderSubmit, ServerPower, ServerManage, JobManage, MemberManage}},
	{"CUSTOMER.OWNER", "Owner", "Everything in the organization, and the provider's side of what it offers.", Permissions},
}

// Actor is the caller. The zero value is a caller without a user and without any rights.
type Actor struct {
	ID           models.ID
	UUID         string
	Username     string
	SuperAdmin   bool
	GlobalViewer bool
	Session      string // uuid of the session that the credentials belong to, "" for none

	Token    models.ID // the API token in use, 0 for none
	ReadOnly bool      // the API token only allows reads

	rights *Rights
}

// Rights are the rights from all grants of a user. They are computed once and shared by all requests of the
// user until groups, roles or grants change.
type Rights struct {
	Own   []models.ID                // groups with a grant, and all below them; sorted
	Named []models.ID                // Own and all groups above them; sorted
	By    map[Permission][]models.ID // groups with each permission; sorted
}

// NewActor returns the actor for a user and their rights.
func NewActor(u *models.User, session string, rights *Rights) Actor {
	return Actor{
		ID: u.ID, UUID: u.UUID, Username: u.Username,
		SuperAdmin: u.SuperAdmin, GlobalViewer: u.GlobalViewer,
		Session: session, rights: rights,
	}
}

// System returns the actor of automatic work: it may do anything, and the history shows it without a user.
func System(name string) Actor { return Actor{Username: name, SuperAdmin: true} }

// Writes returns an error if the actor's credentials are read-only. Call it before every guard.
func (a Actor) Writes() error {
	if a.ReadOnly {
		return fault.Forbiddenf("This API token is good for reading alone.")
	}
	return nil
}

// Personal returns an error if the actor is a program with an API token. It guards operations on the
// credentials of people.
func (a Actor) Personal() error {
	if a.Token != 0 {
		return fault.Forbiddenf("An API token cannot do this: sign in with the password.")
	}
	return nil
}

// SeesAll reports whether the actor sees everything.
func (a Actor) SeesAll() bool { return a.SuperAdmin || a.GlobalViewer }

// Can reports whether the actor holds the permission on the group.
func (a Actor) Can(p Permission, group models.ID) bool {
	if a.SuperAdmin {
		return true
	}
	return group != 0 && has(a.With(p), group)
}

// With returns the groups on which the actor holds the permission, sorted. It ignores that super admins
// hold it on all groups.
func (a Actor) With(p Permission) []models.ID {
	if a.rights == nil {
		return nil
	}
	return a.rights.By[p]
}

// own returns the groups in which the actor has any role, by grant or inheritance.
func (a Actor) own() []models.ID {
	if a.rights == nil {
		return nil
	}
	return a.rights.Own
}

// Named returns the groups that the actor sees by name: Own and the groups above them.
func (a Actor) Named() []models.ID {
	if a.rights == nil {
		return nil
	}
	return a.rights.Named
}

// Member reports whether the actor has any role in the group.
func (a Actor) Member(group models.ID) bool { return has(a.own(), group) }

func has(ids []models.ID, id models.ID) bool {
	_, ok := slices.BinarySearch(ids, id)
	return ok
}

// Grant is one role of a user on one group, as input of NewRights.
type Grant struct {
	Group       models.ID
	Permissions []string
}

// NewRights computes the rights from grants, given the group tree: the children of each group, and the
// parent of each (0 for none).
func NewRights(grants []Grant, children map[models.ID][]models.ID, parent map[models.ID]models.ID) *Rights {
	own := map[models.ID]bool{}
	named := map[models.ID]bool{}
	by := map[Permission]map[models.ID]bool{}
	var walk func(id models.ID, visit func(models.ID))
	walk = func(id models.ID, visit func(models.ID)) {
		visit(id)
		for _, c := range children[id] {
			walk(c, visit)
		}
	}
	for _, g := range grants {
		walk(g.Group, func(id models.ID) {
			own[id], named[id] = true, true
			for _, p := range g.Permissions {
				if by[Permission(p)] == nil {
					by[Permission(p)] = map[models.ID]bool{}
				}
				by[Permission(p)][id] = true
			}
		})
		for id := parent[g.Group]; id != 0; id = parent[id] {
			named[id] = true
		}
	}
	r := &Rights{Own: sorted(own), Named: sorted(named), By: make(map[Permission][]models.ID, len(by))}
	for p, ids := range by {
		r.By[p] = sorted(ids)
	}
	return r
}

func sorted(set map[models.ID]bool) []models.ID {
	return slices.Sorted(maps.Keys(set))
}
