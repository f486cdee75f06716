package refdata_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

// site is a store with a company in it that was drawn by lot.
type site struct {
	t     *testing.T
	store *store.Store
	dir   *refdata.Cache
	dice  *rand.Rand

	users, groups, roles, environments, blueprints []models.ID
}

func newSite(t *testing.T, s *store.Store, seed uint64) *site {
	t.Helper()
	if err := tenancy.Bootstrap(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	s.Listen()
	x := &site{t: t, store: s, dir: refdata.New(s), dice: rand.New(rand.NewPCG(seed, 1))}
	for i := range access.BuiltInRoles {
		x.roles = append(x.roles, models.ID(i+1))
	}
	x.roles = append(x.roles, x.insert(refdata.Roles, &models.Role{Name: "nothing", Permissions: []string{}}))
	return x
}

// insert writes a row and announces it, as the services do.
func (x *site) insert(table string, row models.Keyed) models.ID {
	x.t.Helper()
	x.inTx(func(tx *store.Tx) error {
		tx.Signal(table, 0)
		return store.Insert(tx, row)
	})
	return row.Key().ID
}

func (x *site) inTx(fn func(tx *store.Tx) error) {
	x.t.Helper()
	if err := x.store.InTx(context.Background(), fn); err != nil {
		x.t.Fatal(err)
	}
}

// one draws an id, now and then none.
func (x *site) one(ids []models.ID) models.ID {
	if len(ids) == 0 || x.dice.IntN(4) == 0 {
		return 0
	}
	return ids[x.dice.IntN(len(ids))]
}

func (x *site) grow(n int) {
	x.t.Helper()
	handler := x.insert(refdata.Handlers, &models.ResourceHandler{Name: "H", Kind: models.HandlerSimulated})
	for i := range n {
		x.groups = append(x.groups, x.insert(refdata.Groups, &models.Group{Name: fmt.Sprintf("g%d", i), Type: "Team", ParentID: x.one(x.groups)}))
		u := &models.User{Username: fmt.Sprintf("u%d", i), Active: true}
		switch i {
		case 0:
			u.SuperAdmin = true
		case 1:
			u.GlobalViewer = true
		}
		x.users = append(x.users, x.insert(refdata.Users, u))
	}
	for i := range n {
		e := &models.Environment{Name: fmt.Sprintf("e%d", i), GroupID: x.one(x.groups)}
		if x.dice.IntN(3) > 0 {
			e.HandlerID = handler
		}
		x.environments = append(x.environments, x.insert(refdata.Environment, e))
		b := &models.Blueprint{Name: fmt.Sprintf("b%d", i), State: models.BlueprintStates[x.dice.IntN(len(models.BlueprintStates))], GroupID: x.one(x.groups)}
		if x.dice.IntN(2) == 0 {
			b.State = models.BlueprintActive
		}
		x.blueprints = append(x.blueprints, x.insert(refdata.Blueprints, b))
		x.open(e.ID, b.ID)
	}
	for range 2 * n {
		x.grant()
	}
}

// open lets some groups use an environment and a blueprint.
func (x *site) open(env, blueprint models.ID) {
	x.t.Helper()
	x.inTx(func(tx *store.Tx) error {
		for range x.dice.IntN(3) {
			g := x.groups[x.dice.IntN(len(x.groups))]
			if err := tx.Exec("INSERT INTO environment_groups (environment_id, group_id) VALUES (?, ?) ON CONFLICT DO NOTHING", env, g).Error; err != nil {
				return err
			}
			if err := tx.Exec("INSERT INTO blueprint_groups (blueprint_id, group_id) VALUES (?, ?) ON CONFLICT DO NOTHING", blueprint, g).Error; err != nil {
				return err
			}
		}
		tx.Signal(refdata.Environment, env)
		tx.Signal(refdata.Blueprints, blueprint)
		return nil
	})
}

func (x *site) grant() {
	x.t.Helper()
	m := &models.Membership{
		UserID:  x.users[x.dice.IntN(len(x.users))],
		GroupID: x.groups[x.dice.IntN(len(x.groups))],
		RoleID:  x.roles[x.dice.IntN(len(x.roles))],
	}
	if x.dice.IntN(5) == 0 {
		at := x.store.Now().Add(-time.Hour)
		m.ExpiresAt = &at
	}
	err := x.store.InTx(context.Background(), func(tx *store.Tx) error {
		tx.Signal(refdata.Memberships, 0)
		return store.Insert(tx, m)
	})
	if err != nil && !fault.Is(err, fault.Conflict) { // they have it already
		x.t.Fatal(err)
	}
}

func (x *site) actor(user models.ID) access.Actor {
	x.t.Helper()
	u, err := x.dir.UserByID(context.Background(), user)
	if err != nil {
		x.t.Fatal(err)
	}
	a, err := x.dir.Actor(context.Background(), u, "")
	if err != nil {
		x.t.Fatal(err)
	}
	return a
}

// agree holds, for each user and each row of the tables that the directory keeps,
// what it says of visibility against what the database says. It gives the number
// of rows that were seen and that were hidden.
func (x *site) agree(when string) (seen, hidden int) {
	x.t.Helper()
	ctx := context.Background()
	for _, user := range x.users {
		a := x.actor(user)
		for _, table := range []string{refdata.Users, refdata.Groups, refdata.Roles, refdata.Environment, refdata.Blueprints, refdata.OSBuilds, refdata.Sizes, refdata.Handlers} {
			var all, rows []models.ID
			read := x.store.Read(ctx)
			if err := read.Table(table).Order("id").Pluck("id", &all).Error; err != nil {
				x.t.Fatal(err)
			}
			db := x.store.Read(ctx).Table(table + " t").Order("t.id")
			if w := access.Visible(table, a, "t"); !w.IsAll() {
				db = db.Where(w.SQL, w.Args...)
			}
			if err := db.Pluck("t.id", &rows).Error; err != nil {
				x.t.Fatal(err)
			}
			titles, err := x.dir.Titles(ctx)
			if err != nil {
				x.t.Fatal(err)
			}
			for _, id := range append(all, 1<<40) {
				title, ok := titles.Title(a, table, id)
				if want := slices.Contains(rows, id); ok != want {
					x.t.Errorf("%s: user %s, %s %s: the directory says %v, the database %v", when, user, table, id, ok, want)
				} else if ok && title == "" {
					x.t.Errorf("%s: user %s, %s %s: has no title", when, user, table, id)
				}
			}
			titles.Release()
			seen, hidden = seen+len(rows), hidden+len(all)-len(rows)
		}
	}
	return seen, hidden
}

// The directory and access.Visible are two ways to say the same; here they are
// held against each other, row by row, before and after changes.
func TestVisibilityAgrees(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newSite(t, s, 20240601)
		x.grow(12)
		seen, hidden := x.agree("at first")
		if seen < 100 || hidden < 100 {
			t.Errorf("%d rows were seen and %d hidden: that proves little", seen, hidden)
		}
		for range 10 {
			x.grant()
		}
		x.agree("after grants")
		x.inTx(func(tx *store.Tx) error {
			list, err := store.Find[models.Membership](tx.Order("id").Limit(8))
			if err != nil {
				return err
			}
			for _, m := range list {
				if err := tx.Exec("DELETE FROM memberships WHERE id = ?", m.ID).Error; err != nil {
					return err
				}
				tx.Signal(refdata.Memberships, m.ID)
			}
			return nil
		})
		x.agree("after grants were taken")
		x.inTx(func(tx *store.Tx) error {
			g, err := store.First[models.Group](tx.Where("id = ?", x.groups[3]))
			if err != nil {
				return err
			}
			g.ParentID = x.groups[0]
			tx.Signal(refdata.Groups, g.ID)
			return store.Save(tx, g, "parent_id")
		})
		x.agree("after a group moved")
		for i := range x.environments {
			x.open(x.environments[i], x.blueprints[i])
		}
		x.agree("after places were opened")
		x.inTx(func(tx *store.Tx) error {
			for _, id := range x.environments[:6] {
				e, err := store.First[models.Environment](tx.Where("id = ?", id))
				if err != nil {
					return err
				}
				e.HandlerID = 0
				tx.Signal(refdata.Environment, id)
				if err := store.Save(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		x.agree("after places were closed")
	})
}

// TestSeesEmail holds access.SeesEmail, in memory, against access.EmailRows, in SQL.
func TestSeesEmail(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newSite(t, s, 7)
		x.grow(8)
		for _, user := range x.users {
			a := x.actor(user)
			for _, other := range x.users {
				var n int64
				of := s.Read(t.Context()).Table("users u").Where("u.id = ?", other)
				if w := access.EmailRows(a, "u"); !w.IsAll() {
					of = of.Where(w.SQL, w.Args...)
				}
				if err := of.Count(&n).Error; err != nil {
					t.Fatal(err)
				}
				want := n > 0
				if got := x.dir.SeesEmail(a, &models.User{Row: models.Row{ID: other}}); got != want {
					t.Errorf("user %s of %s: %v instead of %v", user, other, got, want)
				}
			}
		}
	})
}

// An expired grant is one no more, without anybody saying so.
func TestRightsExpire(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
			s, err := store.Open(context.Background(), store.Config{URL: url(t), MaxConns: 4, Clock: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			x := newSite(t, s, 1)
			group, user := x.insert(refdata.Groups, &models.Group{Name: "g", Type: "Team"}), x.insert(refdata.Users, &models.User{Username: "u", Active: true})
			end := now.Add(time.Hour)
			x.insert(refdata.Memberships, &models.Membership{UserID: user, GroupID: group, RoleID: 1, ExpiresAt: &end})
			for _, step := range []struct {
				at   time.Duration
				want bool
			}{{0, true}, {59 * time.Minute, true}, {60 * time.Minute, false}, {61 * time.Minute, false}} {
				now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).Add(step.at)
				if got := x.actor(user).Can(access.OrderSubmit, group); got != step.want {
					t.Errorf("after %s: %v instead of %v", step.at, got, step.want)
				}
			}
		})
	}
}
