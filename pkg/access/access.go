// Package access says who the caller is, what they may do, and what they may
// see. Rights come from role grants, which are inherited down the group tree;
// visibility is one scope per table, and it narrows whatever is read from it.
package access

import (
	"maps"
	"slices"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// Permission is one thing that a role allows on its group and what is below it.
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
	OfferingManage Permission = "offering.manage" // the provider's side of what the group offers
)

// Permissions are all of them.
var Permissions = []Permission{OrderSubmit, OrderApprove, GroupView, ServerPower, ServerManage, JobManage, MemberManage, GroupManage, OfferingManage}

// BuiltInRole is a role that every installation has.
type BuiltInRole struct {
	Name, Label, Description string
	Permissions              []Permission
}

// BuiltInRoles are the roles of a fresh installation, in the order of their ids.
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

// Actor is the caller. The zero value is a caller without a user, who may do nothing.
type Actor struct {
	ID           models.ID
	UUID         string
	Username     string
	SuperAdmin   bool
	GlobalViewer bool
	Session      string // uuid of the session that the credentials belong to, "" for none

	Token    models.ID // the API token that the credentials are, 0 for none
	ReadOnly bool      // the API token is good for reading alone

	rights *Rights
}

// Rights is what a user's grants amount to. It is computed once and shared by
// all requests of the user until something about groups, roles or grants changes.
type Rights struct {
	Own   []models.ID                // groups with any grant, and all below them; sorted
	Named []models.ID                // Own and the way up from them; sorted
	By    map[Permission][]models.ID // groups where each permission holds; sorted
}

// NewActor puts a user and their rights together.
func NewActor(u *models.User, session string, rights *Rights) Actor {
	return Actor{
		ID: u.ID, UUID: u.UUID, Username: u.Username,
		SuperAdmin: u.SuperAdmin, GlobalViewer: u.GlobalViewer,
		Session: session, rights: rights,
	}
}

// System is the actor behind what happens by itself: it may do anything, and
// history shows it without a user.
func System(name string) Actor { return Actor{Username: name, SuperAdmin: true} }

// Writes is nil unless the actor's credentials are good for reading alone. It comes
// before every guard.
func (a Actor) Writes() error {
	if a.ReadOnly {
		return fault.Forbiddenf("This API token is good for reading alone.")
	}
	return nil
}

// Personal is nil unless the actor is a program with an API token: what concerns
// the credentials of people is not for it.
func (a Actor) Personal() error {
	if a.Token != 0 {
		return fault.Forbiddenf("An API token cannot do this: sign in with the password.")
	}
	return nil
}

// SeesAll reports whether nothing is hidden from the actor.
func (a Actor) SeesAll() bool { return a.SuperAdmin || a.GlobalViewer }

// Can reports whether the actor holds the permission on the group.
func (a Actor) Can(p Permission, group models.ID) bool {
	if a.SuperAdmin {
		return true
	}
	return group != 0 && has(a.With(p), group)
}

// With returns the groups on which the actor holds the permission, sorted. It
// says nothing about super admins, who hold it everywhere.
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

// Named returns Own and the groups above them, which the actor sees by name.
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

// Grant is one role of a user on one group, as NewRights needs it.
type Grant struct {
	Group       models.ID
	Permissions []string
}

// NewRights works out what grants amount to, given the group tree: children of
// each group, and the parent of each (0 for none).
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
