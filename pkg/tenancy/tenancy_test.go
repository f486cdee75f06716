package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

var system = access.System("test")

// town is an installation with groups in it: Acme over Foo, and Globex.
type town struct {
	*tenancy.Service
	t       *testing.T
	store   *store.Store
	refdata *refdata.Cache

	acme, foo, globex models.ID
}

func newTown(t *testing.T, s *store.Store) *town {
	t.Helper()
	ctx := context.Background()
	if err := tenancy.Bootstrap(ctx, s); err != nil {
		t.Fatal(err)
	}
	ref := refdata.New(s)
	x := &town{t: t, store: s, refdata: ref}
	x.Service = tenancy.New(s, ref, func(_ context.Context, password string) (string, error) {
		if password == "short" {
			return "", fault.InvalidField(fault.Member("password"), "is too short")
		}
		return "hash of " + password, nil
	})
	x.acme = x.group("Acme", 0)
	x.foo = x.group("Foo", x.acme)
	x.globex = x.group("Globex", 0)
	return x
}

func (x *town) group(name string, parent models.ID) models.ID {
	x.t.Helper()
	g := &models.Group{Name: name, ParentID: parent}
	if err := x.Groups.Create(context.Background(), system, g); err != nil {
		x.t.Fatal(err)
	}
	return g.ID
}

func role(name string) models.ID {
	return models.ID(slices.IndexFunc(access.BuiltInRoles, func(r access.BuiltInRole) bool { return r.Name == name }) + 1)
}

// user makes a user with a role on a group, and gives them as an actor.
func (x *town) user(name string, group models.ID, roleName string) access.Actor {
	x.t.Helper()
	ctx := context.Background()
	u := &models.User{Username: name, Active: true}
	if err := x.CreateUser(ctx, system, u); err != nil {
		x.t.Fatal(err)
	}
	if group != 0 {
		if err := x.CreateMembership(ctx, system, &models.Membership{UserID: u.ID, GroupID: group, RoleID: role(roleName)}); err != nil {
			x.t.Fatal(err)
		}
	}
	return x.actor(u.ID)
}

func (x *town) actor(id models.ID) access.Actor {
	x.t.Helper()
	u, err := x.refdata.UserByID(context.Background(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	a, err := x.refdata.Actor(context.Background(), u, "")
	if err != nil {
		x.t.Fatal(err)
	}
	return a
}

func wants(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: %v instead of %q", what, err, code)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		x := tenancy.New(s, refdata.New(s), nil)
		for range 2 { // a second start finds all there
			if err := tenancy.Bootstrap(ctx, s); err != nil {
				t.Fatal(err)
			}
			roles, err := store.Find[models.Role](s.Read(ctx).Order("id"))
			if err != nil {
				t.Fatal(err)
			}
			if len(roles) != len(access.BuiltInRoles) {
				t.Fatalf("%d roles", len(roles))
			}
			for i, b := range access.BuiltInRoles {
				if r := roles[i]; r.ID != models.ID(i+1) || r.Name != b.Name || !r.BuiltIn || fmt.Sprint(r.Permissions) != fmt.Sprint(b.Permissions) {
					t.Errorf("role %d is %+v", i+1, r)
				}
			}
			g, err := x.Groups.Find(ctx, system, "1")
			if err != nil || g.Name != "Unassigned" {
				t.Errorf("the group 1 is %+v, %v", g, err)
			}
			var n int64
			if err := s.Read(ctx).Model(&models.Environment{}).Where("id = 1 AND name = 'Unassigned'").Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%d environments Unassigned, %v", n, err)
			}
		}
		if empty, err := x.Empty(ctx); err != nil || !empty {
			t.Errorf("empty is %t, %v", empty, err)
		}
		if err := x.CreateUser(ctx, system, &models.User{Username: "ada"}); err != nil {
			t.Fatal(err)
		}
		if empty, err := x.Empty(ctx); err != nil || empty {
			t.Errorf("with a user, empty is %t, %v", empty, err)
		}
	})
}

func TestWhoManagesGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newTown(t, s)
		boss := x.user("boss", x.acme, "group_admin")
		clerk := x.user("clerk", x.acme, "requestor")
		local := x.user("local", x.foo, "group_admin")
		create := func(a access.Actor, name string, parent models.ID) error {
			return x.Groups.Create(ctx, a, &models.Group{Name: name, ParentID: parent})
		}
		wants(t, "below one's own", create(boss, "Bar", x.acme), "")
		wants(t, "further below", create(boss, "Baz", x.foo), "")
		wants(t, "at the top", create(boss, "Top", 0), fault.Forbidden)
		wants(t, "elsewhere", create(boss, "Qux", x.globex), fault.Forbidden)
		wants(t, "by a requestor", create(clerk, "Quux", x.acme), fault.Forbidden)
		wants(t, "a name that its parent has", create(system, "Foo", x.acme), fault.Conflict)
		wants(t, "the same name elsewhere", create(system, "Foo", x.globex), "")

		update := func(a access.Actor, id models.ID, parent models.ID) error {
			_, err := x.Groups.Update(ctx, a, id.String(), func(g *models.Group) error { g.ParentID = parent; return nil })
			return err
		}
		wants(t, "to another's", update(boss, x.foo, x.globex), fault.Forbidden)
		wants(t, "below itself", update(system, x.acme, x.acme), fault.Invalid)
		wants(t, "below its own", update(system, x.acme, x.foo), fault.Invalid)
		wants(t, "another's", update(boss, x.globex, 0), fault.NotFound)
		wants(t, "by the group's own admin", update(local, x.foo, x.acme), "")

		wants(t, "deletion of one's own top", x.Groups.Delete(ctx, boss, x.acme.String()), fault.Forbidden)
		wants(t, "deletion with groups in it", x.Groups.Delete(ctx, system, x.acme.String()), fault.Conflict)
		wants(t, "deletion of Unassigned", x.Groups.Delete(ctx, system, "1"), fault.Conflict)
		for what, c := range map[string]struct {
			a  access.Actor
			ok bool
		}{"boss": {boss, true}, "clerk": {clerk, false}, "super admin": {system, true}} {
			if got := x.CanCreateAnyGroup(c.a) == nil; got != c.ok {
				t.Errorf("%s may create groups: %t", what, got)
			}
		}
	})
}

func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newTown(t, s)
		boss := x.user("boss", x.acme, "group_admin")
		clerk := x.user("clerk", x.acme, "requestor")
		grant := func(a access.Actor, group models.ID, roleName string) error {
			return x.CreateMembership(ctx, a, &models.Membership{UserID: clerk.ID, GroupID: group, RoleID: role(roleName)})
		}
		wants(t, "a role that holds less", grant(boss, x.foo, "viewer"), "")
		wants(t, "a permission that the granter has not", grant(boss, x.foo, "approver"), fault.Forbidden)
		wants(t, "in another group", grant(boss, x.globex, "viewer"), fault.Forbidden)
		wants(t, "by a requestor", grant(clerk, x.acme, "requestor"), fault.Forbidden)
		wants(t, "the same again", grant(system, x.foo, "viewer"), fault.Conflict)

		m := &models.Membership{UserID: clerk.ID, GroupID: x.globex, RoleID: role("viewer")}
		past, future := s.Now().Add(-time.Hour), s.Now().Add(time.Hour)
		m.ExpiresAt = &past
		wants(t, "one that has ended", x.CreateMembership(ctx, system, m), fault.Invalid)
		m.ExpiresAt = &future
		wants(t, "one that ends", x.CreateMembership(ctx, system, m), "")
		if m.CreatedByID != system.ID {
			t.Errorf("it was granted by %s", m.CreatedByID)
		}
		mine := &models.Membership{UserID: clerk.ID, GroupID: x.acme, RoleID: role("viewer")}
		wants(t, "a grant of one's own", x.CreateMembership(ctx, boss, mine), "")
		_, err := x.UpdateMembership(ctx, boss, mine.ID.String(), func(m *models.Membership) error { m.RoleID = role("CUSTOMER.OWNER"); return nil })
		wants(t, "a grant that becomes more", err, fault.Forbidden)
		_, err = x.UpdateMembership(ctx, boss, mine.ID.String(), func(m *models.Membership) error { m.GroupID = x.globex; return nil })
		wants(t, "a grant that goes elsewhere", err, fault.Forbidden)
		if x.CanGrantAny(boss) != nil || x.CanGrantAny(clerk) == nil {
			t.Error("the managers of members are not those who can grant")
		}
	})
}

func TestUsersAndTheirPasswords(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newTown(t, s)
		u := &models.User{Username: "ada", Active: true, NewPassword: "correct horse"}
		wants(t, "a user", x.CreateUser(ctx, system, u), "")
		if u.PasswordHash != "hash of correct horse" || u.NewPassword != "" {
			t.Errorf("the user is kept as %+v", u)
		}
		wants(t, "a password that will not do", x.CreateUser(ctx, system, &models.User{Username: "eve", NewPassword: "short"}), fault.Invalid)
		wants(t, "a name that is taken", x.CreateUser(ctx, system, &models.User{Username: "ada"}), fault.Conflict)
		a := x.user("alice", x.foo, "group_admin")
		wants(t, "by somebody else", x.CreateUser(ctx, a, &models.User{Username: "eve"}), fault.Forbidden)

		update := func(a access.Actor, apply func(*models.User)) (*models.User, error) {
			return x.UpdateUser(ctx, a, u.ID.String(), func(u *models.User) error { apply(u); return nil })
		}
		got, err := update(system, func(u *models.User) { u.FirstName = "Ada" })
		if err != nil || got.PasswordGen != u.PasswordGen || got.PasswordHash != u.PasswordHash {
			t.Errorf("without a new password: %+v, %v", got, err)
		}
		got, err = update(system, func(u *models.User) { u.NewPassword = "battery staple" })
		if err != nil || got.PasswordGen != u.PasswordGen+1 || got.PasswordHash != "hash of battery staple" {
			t.Errorf("with a new password: %+v, %v", got, err)
		}
		_, err = update(system, func(u *models.User) { u.NewPassword = "short" })
		wants(t, "a new password that will not do", err, fault.Invalid)
		_, err = update(a, func(u *models.User) { u.NewPassword = "mine now" })
		wants(t, "the password of somebody who is not seen", err, fault.NotFound)
		given := errors.New("given up")
		if _, err = x.UpdateUser(ctx, system, u.ID.String(), func(*models.User) error { return given }); !errors.Is(err, given) {
			t.Errorf("given up: %v", err)
		}
		events, err := store.Find[models.History](s.Read(ctx).Where("before LIKE '%hash%' OR after LIKE '%hash%' OR after LIKE '%horse%'"))
		if err != nil || len(events) != 0 {
			t.Errorf("history tells passwords: %+v, %v", events, err)
		}
		ada := x.actor(u.ID)
		ada.SuperAdmin = true
		wants(t, "one's own deletion", x.Users.Delete(ctx, ada, u.ID.String()), fault.Conflict)
		wants(t, "deletion", x.Users.Delete(ctx, system, u.ID.String()), "")
	})
}

func TestRoles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newTown(t, s)
		a := x.user("alice", x.foo, "CUSTOMER.OWNER")
		r := &models.Role{Name: "operator", Permissions: []string{string(access.ServerPower)}}
		wants(t, "a role", x.Roles.Create(ctx, system, r), "")
		wants(t, "a permission that there is not", x.Roles.Create(ctx, system, &models.Role{Name: "x", Permissions: []string{"server.fly"}}), fault.Invalid)
		wants(t, "by somebody else", x.Roles.Create(ctx, a, &models.Role{Name: "x"}), fault.Forbidden)
		wants(t, "a built-in one", x.Roles.Delete(ctx, system, "1"), fault.Conflict)
		_, err := x.Roles.Update(ctx, system, "1", func(r *models.Role) error { r.Permissions = nil; return nil })
		wants(t, "a change of a built-in one", err, fault.Conflict)
		m := &models.Membership{UserID: a.ID, GroupID: x.foo, RoleID: r.ID}
		wants(t, "its grant", x.CreateMembership(ctx, system, m), "")
		wants(t, "one that is granted", x.Roles.Delete(ctx, system, r.ID.String()), fault.Conflict)
		wants(t, "the end of the grant", x.Memberships.Delete(ctx, system, m.ID.String()), "")
		wants(t, "one that is not", x.Roles.Delete(ctx, system, r.ID.String()), "")
	})
}

func TestOrderableGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newTown(t, s)
		orderer, watcher := x.user("orderer", x.acme, "requestor"), x.user("watcher", x.acme, "viewer")
		root := &models.User{Username: "root", Active: true, SuperAdmin: true}
		if err := x.CreateUser(ctx, system, root); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			user models.ID
			want []models.ID
		}{
			"requestor":   {orderer.ID, []models.ID{x.acme, x.foo}},
			"viewer":      {watcher.ID, nil},
			"super admin": {root.ID, []models.ID{1, x.acme, x.foo, x.globex}},
		} {
			orderable, err := x.OrderableGroups(ctx, c.user)
			if err != nil {
				t.Fatal(err)
			}
			p, err := x.Groups.List(ctx, system, query.Query{Size: 100}, orderable)
			var got []models.ID
			for _, g := range p.Rows {
				got = append(got, g.ID)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v instead of %v, %v", what, got, c.want, err)
			}
		}
		if _, err := x.OrderableGroups(ctx, 999); !fault.Is(err, fault.NotFound) {
			t.Errorf("of nobody: %v", err)
		}
	})
}

// TestMovingAGroup moves groups as people who manage them: leaving asks for the right at
// the old parent, entering for that at the new one, and the top is for super admins.
func TestMovingAGroup(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newTown(t, s)
		low := x.group("Low", x.foo)
		side := x.group("Side", x.acme)
		owner := x.user("owner", x.acme, "CUSTOMER.OWNER")
		manager := x.user("manager", x.foo, "CUSTOMER.OWNER")
		lowest := x.user("lowest", low, "CUSTOMER.OWNER")
		for _, c := range []struct {
			name      string
			actor     access.Actor
			group, to models.ID
			want      fault.Code
		}{
			{"out of the organization", manager, x.foo, 0, fault.Forbidden},
			{"a part out of the organization", manager, low, 0, fault.Forbidden},
			{"out of the organization by its owner", owner, x.foo, 0, fault.Forbidden},
			{"into a sibling", manager, x.foo, side, fault.Forbidden},
			{"a part into a sibling", manager, low, side, fault.Forbidden},
			{"up, out of what another manages", lowest, low, x.acme, fault.Forbidden},
			{"within the organization by its owner", owner, low, side, ""},
			{"and back", owner, low, x.foo, ""},
			{"into another organization", owner, low, x.globex, fault.Forbidden},
			{"to the top by a super admin", system, low, 0, ""},
			{"from the top by its owner", lowest, low, side, fault.Forbidden},
			{"from the top by a super admin", system, low, x.foo, ""},
			{"nowhere", lowest, low, x.foo, ""},
		} {
			_, err := x.Groups.Update(context.Background(), c.actor, c.group.String(), func(g *models.Group) error { g.ParentID = c.to; return nil })
			wants(t, c.name, err, c.want)
		}
	})
}
