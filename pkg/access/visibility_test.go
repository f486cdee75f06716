package access_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestConditionsCombine(t *testing.T) {
	t.Parallel()
	col := func(ids ...models.ID) access.Where { return access.In("x.id", ids) }
	below := access.Where{SQL: "x.id < ?", Args: []any{4}}
	above := access.Where{SQL: "x.id > ?", Args: []any{1}}
	cases := []struct {
		name  string
		where access.Where
		want  []models.ID // of the rows 1 to 5
		all   bool
	}{
		{"All", access.All, []models.ID{1, 2, 3, 4, 5}, true},
		{"None", access.None, nil, false},
		{"In nothing", col(), nil, false},
		{"In one", col(2), []models.ID{2}, false},
		{"In several", col(1, 4, 9), []models.ID{1, 4}, false},
		{"And of nothing", access.And(), []models.ID{1, 2, 3, 4, 5}, true},
		{"And of All", access.And(access.All, access.All), []models.ID{1, 2, 3, 4, 5}, true},
		{"And", access.And(below, access.All, above), []models.ID{2, 3}, false},
		{"And with None", access.And(below, access.None), nil, false},
		{"Or of nothing", access.Or(), nil, false},
		{"Or", access.Or(col(1), col(5)), []models.ID{1, 5}, false},
		{"Or with All", access.Or(col(1), access.All), []models.ID{1, 2, 3, 4, 5}, true},
		{"Or with None", access.Or(access.None, col(3)), []models.ID{3}, false},
		{"Or of None", access.Or(access.None, access.None), nil, false},
		{"And of Or", access.And(access.Or(col(1), col(2), col(5)), below), []models.ID{1, 2}, false},
		{"Or of And", access.Or(access.And(above, below), col(5)), []models.ID{2, 3, 5}, false},
		{"And within And", access.And(access.And(below, above), col(3)), []models.ID{3}, false},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, c := range cases {
			if c.where.IsAll() != c.all {
				t.Errorf("%s: IsAll is %v", c.name, c.where.IsAll())
			}
			db := s.Read(t.Context()).Table("(SELECT 1 AS id UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) x").Order("id")
			if !c.where.IsAll() {
				db = db.Where(c.where.SQL, c.where.Args...)
			}
			var got []models.ID
			if err := db.Pluck("id", &got).Error; err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: rows %v, want %v", c.name, got, c.want)
			}
		}
	})
}

// company is a random company, in the database and in memory. It repeats the rules row by row, as the
// documentation of Visible states them.
type company struct {
	t    *testing.T
	tx   *store.Tx
	dice *rand.Rand

	parent map[models.ID]models.ID
	grants []models.Membership
	roles  map[models.ID][]access.Permission
	users  []*models.User

	groups, environments, blueprints, services []models.ID

	rules    map[string]map[models.ID]rule // the viewers of each row, by table and id
	events   []models.Event
	machines []models.Server

	serviceOwners []models.ID
}

// rule reports whether a user sees a row.
type rule func(user models.ID) bool

// one draws an id, sometimes 0.
func (c *company) one(ids []models.ID) models.ID {
	if len(ids) == 0 || c.dice.IntN(4) == 0 {
		return 0
	}
	return ids[c.dice.IntN(len(ids))]
}

func (c *company) user() models.ID { return c.users[c.dice.IntN(len(c.users))].ID }

// anyone draws a user, sometimes 0.
func (c *company) anyone() models.ID {
	if c.dice.IntN(4) == 0 {
		return 0
	}
	return c.user()
}

func (c *company) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// insert writes a row that users see by a rule.
func (c *company) insert(table string, row models.Keyed, see rule) models.ID {
	c.t.Helper()
	c.check(store.Insert(c.tx, row))
	c.note(table, row.Key().ID, see)
	return row.Key().ID
}

func (c *company) note(table string, id models.ID, see rule) {
	if c.rules[table] == nil {
		c.rules[table] = map[models.ID]rule{}
	}
	c.rules[table][id] = see
}

func (c *company) sees(user models.ID, table string, id models.ID) bool {
	see := c.rules[table][id]
	return see != nil && see(user)
}

// above reports whether group equals of or is above it.
func (c *company) above(group, of models.ID) bool {
	for id := of; id != 0; id = c.parent[id] {
		if id == group {
			return true
		}
	}
	return false
}

// holds reports whether a role of the user, on the group or above it, has a permission.
func (c *company) holds(user models.ID, p access.Permission, group models.ID) bool {
	return slices.ContainsFunc(c.grants, func(m models.Membership) bool {
		return m.UserID == user && c.above(m.GroupID, group) && slices.Contains(c.roles[m.RoleID], p)
	})
}

func (c *company) member(user, group models.ID) bool {
	return slices.ContainsFunc(c.grants, func(m models.Membership) bool { return m.UserID == user && c.above(m.GroupID, group) })
}

// named reports whether the user sees the group by name: as a member, or from below.
func (c *company) named(user, group models.ID) bool {
	return c.member(user, group) ||
		slices.ContainsFunc(c.grants, func(m models.Membership) bool { return m.UserID == user && c.above(group, m.GroupID) })
}

func (c *company) build() {
	all := func(models.ID) bool { return true }
	for i, r := range access.BuiltInRoles {
		row := &models.Role{Name: r.Name, Permissions: []string{}}
		for _, p := range r.Permissions {
			row.Permissions = append(row.Permissions, string(p))
		}
		c.roles[c.insert("roles", row, all)] = access.BuiltInRoles[i].Permissions
	}
	for _, p := range access.Permissions { // no built-in role has one of them without another
		c.roles[c.insert("roles", &models.Role{Name: string(p), Permissions: []string{string(p)}}, all)] = []access.Permission{p}
	}
	c.roles[c.insert("roles", &models.Role{Name: "nothing", Permissions: []string{}}, all)] = nil
	for i := range 8 {
		parent := c.one(c.groups)
		id := c.insert("groups", &models.Group{Name: fmt.Sprint("g", i), Type: "Team", ParentID: parent}, nil)
		c.note("groups", id, func(u models.ID) bool { return c.named(u, id) })
		c.parent[id], c.groups = parent, append(c.groups, id)
	}
	for i := range 40 {
		u := &models.User{Username: fmt.Sprint("u", i), Active: true, SuperAdmin: i == 0, GlobalViewer: i == 1}
		id := c.insert("users", u, nil)
		c.note("users", id, func(by models.ID) bool {
			return by == id || slices.ContainsFunc(c.grants, func(m models.Membership) bool { return m.UserID == id && c.named(by, m.GroupID) })
		})
		c.users = append(c.users, u)
	}
	c.memberships()
	c.catalogue()
	for i := range 14 {
		c.work(i)
	}
	c.personal()
}

func (c *company) memberships() {
	taken := map[[3]models.ID]bool{}
	for i, u := range c.users {
		for range c.dice.IntN(3) {
			m := models.Membership{UserID: u.ID, GroupID: c.groups[c.dice.IntN(len(c.groups))], RoleID: models.ID(1 + i%len(c.roles))}
			key := [3]models.ID{m.UserID, m.GroupID, m.RoleID}
			if taken[key] {
				continue
			}
			taken[key] = true
			c.insert("memberships", &m, func(by models.ID) bool { return by == m.UserID || c.member(by, m.GroupID) })
			c.grants = append(c.grants, m)
		}
	}
}

func (c *company) catalogue() {
	none := func(models.ID) bool { return false }
	handler := c.insert("resource_handlers", &models.ResourceHandler{Name: "H", Kind: models.HandlerSimulated}, none)
	c.insert("os_builds", &models.OSBuild{Name: "Debian"}, func(models.ID) bool { return true })
	c.insert("sizes", &models.Size{Name: "small", CPUs: 1, MemoryMB: 512}, func(models.ID) bool { return true })
	place := func(works bool, provider models.ID, open *[]models.ID) rule {
		return func(u models.ID) bool {
			usable := len(*open) == 0 || slices.ContainsFunc(*open, func(g models.ID) bool { return c.named(u, g) })
			return works && usable || c.holds(u, access.OfferingManage, provider)
		}
	}
	link := func(kind string, id models.ID) (open []models.ID) {
		for range c.dice.IntN(3) {
			if g := c.one(c.groups); g != 0 && !slices.Contains(open, g) {
				c.check(c.tx.Exec(fmt.Sprintf("INSERT INTO %s_groups (%s_id, group_id) VALUES (?, ?)", kind, kind), id, g).Error)
				open = append(open, g)
			}
		}
		return open
	}
	for i := range 10 {
		e := &models.Environment{Name: fmt.Sprint("e", i), GroupID: c.one(c.groups)}
		if c.dice.IntN(3) > 0 {
			e.HandlerID = handler
		}
		var open []models.ID
		id := c.insert("environments", e, place(e.HandlerID != 0, e.GroupID, &open))
		open = link("environment", id)
		c.environments = append(c.environments, id)

		b := &models.Blueprint{Name: fmt.Sprint("b", i), State: models.BlueprintStates[c.dice.IntN(len(models.BlueprintStates))], GroupID: c.one(c.groups)}
		var public []models.ID
		id = c.insert("blueprints", b, place(b.State == models.BlueprintActive, b.GroupID, &public))
		public = link("blueprint", id)
		c.blueprints = append(c.blueprints, id)
		c.note("provided blueprints", id, func(u models.ID) bool { return c.holds(u, access.OfferingManage, b.GroupID) })

		q := &models.Quota{GroupID: c.one(c.groups), EnvironmentID: c.one(c.environments), Kind: models.QuotaKinds[i%len(models.QuotaKinds)], Limit: 1}
		if i < len(models.QuotaKinds) && (q.GroupID != 0 || q.EnvironmentID != 0) {
			c.insert("quotas", q, func(u models.ID) bool {
				return (q.GroupID == 0 || c.sees(u, "groups", q.GroupID)) && (q.EnvironmentID == 0 || c.sees(u, "environments", q.EnvironmentID))
			})
		}
	}
}

// work inserts an order and its results.
func (c *company) work(i int) {
	seen := func(owner, group, service models.ID) rule {
		return func(u models.ID) bool {
			return u == owner || c.holds(u, access.GroupView, group) || c.sees(u, "provided services", service)
		}
	}
	o := &models.Order{Status: models.OrderCart, OwnerID: c.user(), GroupID: c.one(c.groups), RecipientID: c.anyone()}
	item := c.one(c.blueprints)
	c.insert("orders", o, func(u models.ID) bool {
		return u == o.OwnerID || u == o.RecipientID || c.holds(u, access.GroupView, o.GroupID) || c.sees(u, "provided blueprints", item)
	})
	if item != 0 {
		c.check(c.tx.Create(&models.OrderItem{OrderID: o.ID, Kind: models.ItemDeploy, Position: 1, BlueprintID: item}).Error)
	}
	x := &models.Service{Status: models.ServiceActive, OwnerID: c.anyone(), GroupID: c.one(c.groups), BlueprintID: c.one(c.blueprints), OrderID: o.ID, Parameters: []models.Param{}}
	c.services = append(c.services, c.insert("services", x, func(u models.ID) bool {
		return u == x.OwnerID || c.holds(u, access.GroupView, x.GroupID) || c.sees(u, "provided blueprints", x.BlueprintID)
	}))
	c.serviceOwners = append(c.serviceOwners, x.OwnerID)
	c.note("provided services", x.ID, func(u models.ID) bool { return c.sees(u, "provided blueprints", x.BlueprintID) })
	sv := &models.Server{Hostname: fmt.Sprint("s", i), Status: models.ServerActive, OwnerID: c.anyone(), GroupID: c.one(c.groups), ServiceID: c.one(c.services), Labels: []string{}, Parameters: []models.Param{}}
	c.insert("servers", sv, seen(sv.OwnerID, sv.GroupID, sv.ServiceID))
	c.machines = append(c.machines, *sv)
	j := &models.Job{Type: models.JobProvision, Status: models.JobQueued, OwnerID: c.anyone(), GroupID: c.one(c.groups), ServerID: sv.ID, ServiceID: c.one(c.services), OrderID: o.ID}
	c.insert("jobs", j, seen(j.OwnerID, j.GroupID, j.ServiceID))
	c.insert("snapshots", &models.Snapshot{ServerID: sv.ID, Name: "before", BackendRef: "s", TakenAt: c.tx.Now}, func(u models.ID) bool { return c.sees(u, "servers", sv.ID) })
	for _, e := range []models.Event{
		{ObjectType: models.ObjectOrder, ObjectID: o.ID, OwnerID: o.OwnerID, RecipientID: o.RecipientID, GroupID: o.GroupID},
		{ObjectType: models.ObjectService, ObjectID: x.ID, OwnerID: x.OwnerID, GroupID: x.GroupID, ServiceID: x.ID},
		{ObjectType: models.ObjectServer, ObjectID: sv.ID, OwnerID: sv.OwnerID, GroupID: sv.GroupID, ServiceID: sv.ServiceID},
		{ObjectType: models.ObjectJob, ObjectID: j.ID, OwnerID: j.OwnerID, GroupID: j.GroupID, ServiceID: j.ServiceID},
	} {
		c.happens(e)
	}
	c.happens(models.Event{ObjectType: models.ObjectGroup, ObjectID: c.groups[0]}) // for actors who see everything
}

// happens inserts an event, and a history entry of the same object.
func (c *company) happens(e models.Event) {
	c.t.Helper()
	see := func(u models.ID) bool {
		return c.sees(u, e.ObjectType+"s", e.ObjectID) && e.ObjectType != models.ObjectGroup
	}
	e.ID, e.Type, e.CreatedAt = models.ID(len(c.events)+1), e.ObjectType+".changed", c.tx.Now
	c.check(c.tx.Create(&e).Error)
	c.note("events", e.ID, see)
	c.events = append(c.events, e)
	h := &models.History{ObjectType: e.ObjectType, ObjectID: e.ObjectID, Event: "changed", CreatedAt: c.tx.Now}
	c.check(c.tx.Create(h).Error)
	c.note("history", h.ID, see)
}

// personal inserts rows that belong to one user.
func (c *company) personal() {
	action := &models.Action{Name: "a", Kind: models.ActionWebhook}
	c.insert("actions", action, func(models.ID) bool { return false })
	for _, enabled := range []bool{true, false} {
		name := fmt.Sprint("enabled ", enabled)
		runs := func(own func(models.ID) bool) rule {
			return func(u models.ID) bool {
				return enabled && (own(u) || slices.ContainsFunc(c.groups, func(g models.ID) bool {
					return c.holds(u, access.ServerPower, g) || c.holds(u, access.OrderSubmit, g)
				}))
			}
		}
		c.insert("server_actions", &models.ServerAction{Name: name, ActionID: action.ID, Enabled: enabled}, runs(func(u models.ID) bool {
			return slices.ContainsFunc(c.machines, func(sv models.Server) bool { return sv.OwnerID == u })
		}))
		c.insert("service_actions", &models.ServiceAction{Name: name, ActionID: action.ID, Enabled: enabled}, runs(func(u models.ID) bool {
			return slices.Contains(c.serviceOwners, u)
		}))
	}
	for i := range 8 {
		owner := c.user()
		own := func(u models.ID) bool { return u == owner }
		w := &models.Webhook{OwnerID: owner, Name: fmt.Sprint("w", i), URL: "https://example.org", Types: []string{"*"}, Secret: "sealed"}
		c.insert("webhooks", w, own)
		c.insert("webhook_deliveries", &models.WebhookDelivery{WebhookID: w.ID, EventType: "test", MessageID: fmt.Sprint(i), Payload: "{}", Status: models.DeliverySuccess, Log: []models.DeliveryAttempt{}}, own)
		c.insert("api_tokens", &models.APIToken{UserID: owner, Name: fmt.Sprint("t", i), Scope: models.ScopeWrite, SecretHash: fmt.Sprint(i)}, own)
		session := &models.Session{UUID: fmt.Sprint(i), Version: 1, UserID: owner, SeenAt: c.tx.Now, ExpiresAt: c.tx.Now.Add(time.Hour), CreatedAt: c.tx.Now}
		c.check(c.tx.Create(session).Error)
		c.note("sessions", session.ID, own)
		c.happens(models.Event{ObjectType: models.ObjectWebhook, ObjectID: w.ID, OwnerID: owner})
	}
}

// actor returns the user with the rights that refdata would compute.
func (c *company) actor(u *models.User) access.Actor {
	children := map[models.ID][]models.ID{}
	for _, g := range c.groups {
		children[c.parent[g]] = append(children[c.parent[g]], g)
	}
	var grants []access.Grant
	for _, m := range c.grants {
		if m.UserID == u.ID {
			grants = append(grants, grant(m.GroupID, c.roles[m.RoleID]...))
		}
	}
	return access.NewActor(u, "", access.NewRights(grants, children, c.parent))
}

// visible returns the ids of the rows that the database shows the actor.
func visible(t *testing.T, s *store.Store, table string, a access.Actor) []models.ID {
	t.Helper()
	db := s.Read(t.Context()).Table(table + " t").Order("t.id")
	if w := access.Visible(table, a, "t"); !w.IsAll() {
		db = db.Where(w.SQL, w.Args...)
	}
	var ids []models.ID
	if err := db.Pluck("t.id", &ids).Error; err != nil {
		t.Fatal(err)
	}
	return ids
}

func eachCompany(t *testing.T, fn func(t *testing.T, s *store.Store, c *company)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for seed := range uint64(2) {
			c := &company{
				t: t, dice: rand.New(rand.NewPCG(seed, 1)), parent: map[models.ID]models.ID{},
				roles: map[models.ID][]access.Permission{}, rules: map[string]map[models.ID]rule{},
			}
			if seed > 0 {
				s = storetest.Databases(t)[string(s.Dialect())](t)
			}
			err := s.InTx(t.Context(), func(tx *store.Tx) error { c.tx = tx; c.build(); return nil })
			if err != nil {
				t.Fatal(err)
			}
			fn(t, s, c)
		}
	})
}

// Visible in SQL agrees with the rules for each row and user.
func TestVisibleRows(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, s *store.Store, c *company) {
		for table, rules := range c.rules {
			if table == "provided blueprints" || table == "provided services" {
				continue
			}
			all := visible(t, s, table, access.System("test"))
			seen, hidden := 0, 0
			for _, u := range c.users {
				a := c.actor(u)
				var want []models.ID
				for _, id := range all {
					see := rules[id]
					if see == nil {
						t.Fatalf("%s %s has no rule", table, id)
					}
					if a.SeesAll() || see != nil && see(u.ID) {
						want = append(want, id)
					}
				}
				if d := cmp.Diff(want, visible(t, s, table, a), cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%s of user %s (-want +got):\n%s", table, u.ID, d)
				}
				if !a.SeesAll() {
					seen, hidden = seen+len(want), hidden+len(all)-len(want)
				}
			}
			switch table {
			case "roles", "os_builds", "sizes", "resource_handlers", "actions":
			default:
				if seen == 0 || hidden == 0 {
					t.Errorf("%s: %d rows seen, %d hidden: that proves little", table, seen, hidden)
				}
			}
		}
	})
}

// Without a user nothing is visible, not even what every user sees.
func TestNothingIsVisibleWithoutAUser(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"os_builds", "sizes", "roles", "groups", "users", "orders", "events", "sessions", "unknown"} {
		if w := access.Visible(table, access.Actor{}, "t"); w.SQL != access.None.SQL {
			t.Errorf("%s: %s", table, w.SQL)
		}
	}
	known := access.NewActor(&models.User{Row: models.Row{ID: 5}}, "", rights(grant(1, access.Permissions...)))
	if w := access.Visible("unknown", known, "t"); w.SQL != access.None.SQL {
		t.Errorf("a table without a rule: %s", w.SQL)
	}
}

// SeesEvent decides in memory as Visible does in SQL.
func TestSeesEventAsVisible(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, s *store.Store, c *company) {
		byBlueprint := map[models.ID]models.ID{} // the group that provides it
		rows, err := store.Find[models.Blueprint](s.Read(t.Context()).DB)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range rows {
			byBlueprint[b.ID] = b.GroupID
		}
		providers := func(e *models.Event) (groups []models.ID) {
			read := s.Read(t.Context())
			var ids []models.ID
			db := read.Table("services").Where("id = ?", e.ServiceID)
			if e.ObjectType == models.ObjectOrder {
				db = read.Table("order_items").Where("order_id = ?", e.ObjectID)
			}
			if err := db.Where("blueprint_id IS NOT NULL").Pluck("blueprint_id", &ids).Error; err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if g := byBlueprint[id]; g != 0 {
					groups = append(groups, g)
				}
			}
			return groups
		}
		for _, u := range c.users {
			a := c.actor(u)
			var got []models.ID
			for i := range c.events {
				if access.SeesEvent(a, &c.events[i], providers(&c.events[i])) {
					got = append(got, c.events[i].ID)
				}
			}
			if d := cmp.Diff(visible(t, s, "events", a), got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("user %s (-Visible +SeesEvent):\n%s", u.ID, d)
			}
		}
		if access.SeesEvent(access.Actor{}, &models.Event{}, nil) {
			t.Error("an event without an owner is visible without a user")
		}
	})
}

// The two parts that Shares returns together equal the rows that Visible shows.
func TestSharesAsVisible(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, s *store.Store, c *company) {
		known := 0
		for _, u := range c.users {
			a := c.actor(u)
			groups, owner, ok := access.Shares("servers", a)
			if a.SeesAll() {
				if !ok || groups != nil || owner != 0 {
					t.Errorf("user %s, who sees all, has shares: %v %s %v", u.ID, groups, owner, ok)
				}
				continue
			}
			if !ok {
				if !slices.ContainsFunc(c.groups, func(g models.ID) bool { return c.holds(u.ID, access.OfferingManage, g) }) {
					t.Errorf("the shares of user %s are not known", u.ID)
				}
				continue
			}
			known++
			var got []models.ID
			for _, sv := range c.machines {
				if slices.Contains(groups, sv.GroupID) || owner != 0 && sv.OwnerID == owner {
					got = append(got, sv.ID)
				}
			}
			if d := cmp.Diff(visible(t, s, "servers", a), got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("user %s (-Visible +Shares):\n%s", u.ID, d)
			}
		}
		if known == 0 {
			t.Error("no user's shares are known")
		}
		for _, table := range []string{"orders", "jobs", "services"} {
			if _, _, ok := access.Shares(table, c.actor(c.users[2])); ok {
				t.Errorf("%s: more than two shares, and yet known", table)
			}
		}
		if _, _, ok := access.Shares("servers", access.Actor{}); ok {
			t.Error("shares without a user")
		}
	})
}
