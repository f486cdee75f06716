package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// tree is a company (1) with two departments (2, 3), a team (4) in the first of them,
// and another company (9).
var tree = struct {
	children map[models.ID][]models.ID
	parent   map[models.ID]models.ID
}{
	map[models.ID][]models.ID{1: {2, 3}, 2: {4}},
	map[models.ID]models.ID{2: 1, 3: 1, 4: 2},
}

func grant(group models.ID, p ...access.Permission) access.Grant {
	g := access.Grant{Group: group}
	for _, x := range p {
		g.Permissions = append(g.Permissions, string(x))
	}
	return g
}

func rights(grants ...access.Grant) *access.Rights {
	return access.NewRights(grants, tree.children, tree.parent)
}

func TestRightsAreInheritedDownTheTree(t *testing.T) {
	t.Parallel()
	type by = map[access.Permission][]models.ID
	for name, c := range map[string]struct {
		grants []access.Grant
		want   access.Rights
	}{
		"none": {nil, access.Rights{By: by{}}},
		"on a team": {
			[]access.Grant{grant(4, access.GroupView)},
			access.Rights{Own: []models.ID{4}, Named: []models.ID{1, 2, 4}, By: by{access.GroupView: {4}}},
		},
		"on a department": {
			[]access.Grant{grant(2, access.GroupView, access.OrderSubmit)},
			access.Rights{Own: []models.ID{2, 4}, Named: []models.ID{1, 2, 4}, By: by{access.GroupView: {2, 4}, access.OrderSubmit: {2, 4}}},
		},
		"on a company": {
			[]access.Grant{grant(1, access.OrderApprove)},
			access.Rights{Own: []models.ID{1, 2, 3, 4}, Named: []models.ID{1, 2, 3, 4}, By: by{access.OrderApprove: {1, 2, 3, 4}}},
		},
		"several": {
			[]access.Grant{grant(9, access.JobManage), grant(3, access.GroupView), grant(4, access.GroupView), grant(4, access.OrderSubmit)},
			access.Rights{Own: []models.ID{3, 4, 9}, Named: []models.ID{1, 2, 3, 4, 9}, By: by{
				access.JobManage: {9}, access.GroupView: {3, 4}, access.OrderSubmit: {4},
			}},
		},
		"a role without permissions": {
			[]access.Grant{grant(4)},
			access.Rights{Own: []models.ID{4}, Named: []models.ID{1, 2, 4}, By: by{}},
		},
	} {
		if d := cmp.Diff(&c.want, rights(c.grants...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestActorCan(t *testing.T) {
	t.Parallel()
	member := access.NewActor(&models.User{Row: models.Row{ID: 7, UUID: "u"}, Username: "member"}, "session", rights(grant(2, access.OrderSubmit)))
	super := access.NewActor(&models.User{Row: models.Row{ID: 8}, SuperAdmin: true}, "", rights())
	viewer := access.NewActor(&models.User{Row: models.Row{ID: 9}, GlobalViewer: true}, "", rights())
	for _, c := range []struct {
		name  string
		actor access.Actor
		p     access.Permission
		group models.ID
		want  bool
	}{
		{"member in the group", member, access.OrderSubmit, 2, true},
		{"member below the group", member, access.OrderSubmit, 4, true},
		{"member above the group", member, access.OrderSubmit, 1, false},
		{"member beside the group", member, access.OrderSubmit, 3, false},
		{"member without the permission", member, access.OrderApprove, 2, false},
		{"member without a group", member, access.OrderSubmit, 0, false},
		{"a grant without a group", access.NewActor(&models.User{}, "", rights(grant(0, access.OrderSubmit))), access.OrderSubmit, 0, false},
		{"super admin", super, access.OrderApprove, 3, true},
		{"super admin without a group", super, access.OrderApprove, 0, true},
		{"global viewer", viewer, access.GroupView, 2, false},
		{"no actor", access.Actor{}, access.GroupView, 2, false},
		{"system", access.System("test"), access.JobManage, 2, true},
	} {
		if got := c.actor.Can(c.p, c.group); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if d := cmp.Diff([]models.ID{2, 4}, member.With(access.OrderSubmit)); d != "" {
		t.Errorf("With (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]models.ID{1, 2, 4}, member.Named()); d != "" {
		t.Errorf("Named (-want +got):\n%s", d)
	}
	if !member.Member(4) || member.Member(1) || super.Member(1) || (access.Actor{}).Member(1) {
		t.Error("Member is true for groups with a role, inherited ones among them, and for no others")
	}
	if member.ID != 7 || member.UUID != "u" || member.Username != "member" || member.Session != "session" {
		t.Errorf("the actor is %+v", member)
	}
	for who, sees := range map[*access.Actor]bool{&member: false, &super: true, &viewer: true} {
		if who.SeesAll() != sees {
			t.Errorf("user %s sees all: %v", who.ID, !sees)
		}
	}
}

func TestAPITokensAreLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		actor            access.Actor
		writes, personal bool
	}{
		"password":        {access.Actor{ID: 1}, true, true},
		"writing token":   {access.Actor{ID: 1, Token: 5}, true, false},
		"read-only token": {access.Actor{ID: 1, Token: 5, ReadOnly: true}, false, false},
		"read-only admin": {access.Actor{ID: 1, Token: 5, ReadOnly: true, SuperAdmin: true}, false, false},
	} {
		for what, x := range map[string]struct {
			err error
			ok  bool
		}{"Writes": {c.actor.Writes(), c.writes}, "Personal": {c.actor.Personal(), c.personal}} {
			if x.ok && x.err != nil || !x.ok && !fault.Is(x.err, fault.Forbidden) {
				t.Errorf("%s: %s is %v", name, what, x.err)
			}
		}
	}
}

func TestBuiltInRolesGrantKnownPermissions(t *testing.T) {
	t.Parallel()
	known := map[access.Permission]bool{}
	for _, p := range access.Permissions {
		known[p] = true
	}
	for _, r := range access.BuiltInRoles {
		for _, p := range r.Permissions {
			if !known[p] {
				t.Errorf("role %s grants %s", r.Name, p)
			}
		}
	}
}
