// Package refdata keeps the small tables that almost every request needs in
// memory: who the users are and what they may do, and what groups, environments
// and the rest of the catalogue are called. It is kept right by the store's
// signals, in every replica; while those are not heard it reads the tables again.
//
// It is not a pkg/cache: it answers questions about all rows at once (who is in a
// group, what is below it), so it holds whole tables, and nothing is ever evicted.
//
// What it says about visibility must be what access.Visible says in SQL; a test
// compares the two row by row.
package refdata

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// staleAfter is how old the copy may be while signals are not heard.
const staleAfter = 100 * time.Millisecond

// Cache is the copy. It is safe for concurrent use.
type Cache struct {
	store *store.Store

	mu      sync.RWMutex
	pending map[string]bool // tables to be read again; "" for all
	loaded  time.Time

	users    map[models.ID]*models.User
	byName   map[string]*models.User // lower case
	byUUID   map[string]*models.User
	groups   map[models.ID]*models.Group
	children map[models.ID][]models.ID
	parent   map[models.ID]models.ID
	roles    map[models.ID]*models.Role
	grants   map[models.ID][]models.Membership // by user
	members  map[models.ID][]models.ID         // users with a grant, by group
	rights   map[models.ID]*entry              // by user, worked out when asked for

	environments map[models.ID]*place
	blueprints   map[models.ID]*place
	titles       map[string]map[models.ID]string // of the tables that hold nothing else of interest
}

// entry is what a user's grants amount to until the first of them expires.
type entry struct {
	rights *access.Rights
	until  time.Time // zero for no end
}

// place is an environment or a blueprint, and who may use it.
type place struct {
	name     string
	usable   bool // has a handler, or is active
	provider models.ID
	groups   []models.ID // none: everybody
}

// The tables that are kept here, as signals name them.
const (
	Users       = "users"
	Groups      = "groups"
	Roles       = "roles"
	Memberships = "memberships"
	Handlers    = "resource_handlers"
	Environment = "environments"
	OSBuilds    = "os_builds"
	Sizes       = "sizes"
	Blueprints  = "blueprints"
)

// New returns a copy that fills itself on first use.
func New(s *store.Store) *Cache {
	c := &Cache{store: s, pending: map[string]bool{"": true}}
	s.OnSignal(func(topic, _ string) { c.forget(topic) })
	return c
}

func (c *Cache) forget(table string) {
	switch table {
	case "", Users, Groups, Roles, Memberships, Handlers, Environment, OSBuilds, Sizes, Blueprints:
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[table] = true
}

// rlock brings the copy up to date and takes the lock for reading. A table that changes
// before the lock is taken is read again: no caller reads a copy from before a signal
// that has arrived.
func (c *Cache) rlock(ctx context.Context) error {
	for refreshed := false; ; refreshed = true {
		live := c.store.SignalsLive()
		c.mu.RLock()
		if len(c.pending) == 0 && (live || refreshed) {
			return nil
		}
		c.mu.RUnlock()
		if err := c.refresh(ctx, live); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return store.Fault(err)
		}
	}
}

// refresh reads the tables that have changed, and all of them when signals are not
// heard and the copy is older than staleAfter.
func (c *Cache) refresh(ctx context.Context, live bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !live && c.store.Now().Sub(c.loaded) > staleAfter {
		c.pending[""] = true
	}
	return c.reload(ctx)
}

// reload reads the tables that have changed.
func (c *Cache) reload(ctx context.Context) error {
	if len(c.pending) == 0 {
		return nil
	}
	now := c.store.Now()
	tx := c.store.ReadOutsideTx(ctx) // transactions ask as well
	all := c.pending[""]
	want := func(tables ...string) bool {
		return all || slices.ContainsFunc(tables, func(t string) bool { return c.pending[t] })
	}
	for _, part := range []struct {
		want bool
		load func(*store.Tx) error
	}{
		{want(Users), c.loadUsers},
		{want(Groups), c.loadGroups},
		{want(Roles), c.loadRoles},
		{want(Memberships, Users, Groups), c.loadMemberships},
		{want(Environment), c.loadEnvironments},
		{want(Blueprints), c.loadBlueprints},
		{all, func(*store.Tx) error { c.titles = map[string]map[models.ID]string{}; return nil }},
		{want(Handlers), c.loadTitles(Handlers)},
		{want(OSBuilds), c.loadTitles(OSBuilds)},
		{want(Sizes), c.loadTitles(Sizes)},
	} {
		if part.want {
			if err := part.load(tx); err != nil {
				return store.Fault(err)
			}
		}
	}
	if want(Groups, Roles, Memberships, Users) {
		c.rights = map[models.ID]*entry{}
	}
	c.pending = map[string]bool{}
	c.loaded = now
	return nil
}

func (c *Cache) loadUsers(tx *store.Tx) error {
	rows, err := store.Find[models.User](tx.DB)
	if err != nil {
		return err
	}
	c.users, c.byName, c.byUUID = make(map[models.ID]*models.User, len(rows)), make(map[string]*models.User, len(rows)), make(map[string]*models.User, len(rows))
	for i := range rows {
		u := &rows[i]
		c.users[u.ID], c.byName[strings.ToLower(u.Username)], c.byUUID[u.UUID] = u, u, u
	}
	return nil
}

func (c *Cache) loadGroups(tx *store.Tx) error {
	rows, err := store.Find[models.Group](tx.Order("id"))
	if err != nil {
		return err
	}
	c.groups, c.children, c.parent = map[models.ID]*models.Group{}, map[models.ID][]models.ID{}, map[models.ID]models.ID{}
	for i := range rows {
		g := &rows[i]
		c.groups[g.ID] = g
		if g.ParentID != 0 {
			c.parent[g.ID] = g.ParentID
			c.children[g.ParentID] = append(c.children[g.ParentID], g.ID)
		}
	}
	return nil
}

func (c *Cache) loadRoles(tx *store.Tx) error {
	rows, err := store.Find[models.Role](tx.DB)
	if err != nil {
		return err
	}
	c.roles = map[models.ID]*models.Role{}
	for i := range rows {
		c.roles[rows[i].ID] = &rows[i]
	}
	return nil
}

func (c *Cache) loadMemberships(tx *store.Tx) error {
	rows, err := store.Find[models.Membership](tx.DB)
	if err != nil {
		return err
	}
	c.grants, c.members = map[models.ID][]models.Membership{}, map[models.ID][]models.ID{}
	for _, m := range rows {
		c.grants[m.UserID] = append(c.grants[m.UserID], m)
		c.members[m.GroupID] = append(c.members[m.GroupID], m.UserID)
	}
	return nil
}

func (c *Cache) loadEnvironments(tx *store.Tx) error {
	rows, err := store.Find[models.Environment](tx.Select("id", "name", "handler_id", "group_id"))
	if err != nil {
		return err
	}
	links, err := store.Find[models.EnvironmentGroup](tx.DB)
	if err != nil {
		return err
	}
	c.environments = map[models.ID]*place{}
	for _, e := range rows {
		c.environments[e.ID] = &place{name: e.Name, usable: e.HandlerID != 0, provider: e.GroupID}
	}
	for _, l := range links {
		if p := c.environments[l.EnvironmentID]; p != nil {
			p.groups = append(p.groups, l.GroupID)
		}
	}
	return nil
}

func (c *Cache) loadBlueprints(tx *store.Tx) error {
	rows, err := store.Find[models.Blueprint](tx.Select("id", "name", "state", "group_id"))
	if err != nil {
		return err
	}
	links, err := store.Find[models.BlueprintGroup](tx.DB)
	if err != nil {
		return err
	}
	c.blueprints = map[models.ID]*place{}
	for _, b := range rows {
		c.blueprints[b.ID] = &place{name: b.Name, usable: b.State == models.BlueprintActive, provider: b.GroupID}
	}
	for _, l := range links {
		if p := c.blueprints[l.BlueprintID]; p != nil {
			p.groups = append(p.groups, l.GroupID)
		}
	}
	return nil
}

func (c *Cache) loadTitles(table string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		var rows []struct {
			ID   models.ID
			Name string
		}
		if err := tx.Table(table).Select("id", "name").Scan(&rows).Error; err != nil {
			return err
		}
		names := make(map[models.ID]string, len(rows))
		for _, r := range rows {
			names[r.ID] = r.Name
		}
		c.titles[table] = names
		return nil
	}
}

// UserByName finds a user by name, in any letter case. NotFound when there is none.
func (c *Cache) UserByName(ctx context.Context, username string) (*models.User, error) {
	return c.user(ctx, func() *models.User { return c.byName[strings.ToLower(username)] })
}

// UserByUUID finds a user. NotFound when there is none.
func (c *Cache) UserByUUID(ctx context.Context, uuid string) (*models.User, error) {
	return c.user(ctx, func() *models.User { return c.byUUID[uuid] })
}

// UserByID finds a user. NotFound when there is none.
func (c *Cache) UserByID(ctx context.Context, id models.ID) (*models.User, error) {
	return c.user(ctx, func() *models.User { return c.users[id] })
}

func (c *Cache) user(ctx context.Context, get func() *models.User) (*models.User, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	u := get()
	if u == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	row := *u // callers may change theirs
	return &row, nil
}

// Rights returns what the user's grants amount to now.
func (c *Cache) Rights(ctx context.Context, user models.ID) (*access.Rights, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	e := c.rights[user]
	now := c.store.Now()
	if e != nil && (e.until.IsZero() || now.Before(e.until)) {
		c.mu.RUnlock()
		return e.rights, nil
	}
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	e = &entry{}
	var grants []access.Grant
	for _, m := range c.grants[user] {
		if m.ExpiresAt != nil {
			if !m.ExpiresAt.After(now) {
				continue
			}
			if e.until.IsZero() || m.ExpiresAt.Before(e.until) {
				e.until = *m.ExpiresAt
			}
		}
		if r := c.roles[m.RoleID]; r != nil {
			grants = append(grants, access.Grant{Group: m.GroupID, Permissions: r.Permissions})
		}
	}
	e.rights = access.NewRights(grants, c.children, c.parent)
	c.rights[user] = e
	return e.rights, nil
}

// Actor returns the user as an actor.
func (c *Cache) Actor(ctx context.Context, user *models.User, session string) (access.Actor, error) {
	r, err := c.Rights(ctx, user.ID)
	if err != nil {
		return access.Actor{}, err
	}
	return access.NewActor(user, session, r), nil
}

// Titles is a way to look many titles up under one lock. It must be released.
type Titles struct{ c *Cache }

// Titles brings the copy up to date and locks it for reading until Release.
func (c *Cache) Titles(ctx context.Context) (Titles, error) {
	if err := c.rlock(ctx); err != nil {
		return Titles{}, err
	}
	return Titles{c}, nil
}

// Release unlocks the copy.
func (t Titles) Release() { t.c.mu.RUnlock() }

// Keeps reports whether the copy has the table's titles.
func Keeps(table string) bool {
	switch table {
	case Users, Groups, Roles, Handlers, Environment, OSBuilds, Sizes, Blueprints:
		return true
	}
	return false
}

// Names visits the rows of a table that the actor sees, with their names. It is
// not for users, who go by their number.
func (c *Cache) Names(ctx context.Context, a access.Actor, table string, visit func(id models.ID, name string)) error {
	t, err := c.Titles(ctx)
	if err != nil {
		return err
	}
	defer t.Release()
	see := func(id models.ID) {
		if name, ok := t.Title(a, table, id); ok {
			visit(id, name)
		}
	}
	switch table {
	case Groups:
		for id := range c.groups {
			see(id)
		}
	case Roles:
		for id := range c.roles {
			see(id)
		}
	case Environment:
		for id := range c.environments {
			see(id)
		}
	case Blueprints:
		for id := range c.blueprints {
			see(id)
		}
	default:
		for id := range c.titles[table] {
			see(id)
		}
	}
	return nil
}

// Title returns what a row is called, and false when the actor may not see it or it
// is gone.
func (t Titles) Title(a access.Actor, table string, id models.ID) (string, bool) {
	c := t.c
	switch table {
	case Users:
		if c.users[id] == nil || !a.SeesAll() && id != a.ID && !c.fellow(a, id) {
			return "", false
		}
		return "User id " + strconv.FormatInt(int64(id), 10), true
	case Groups:
		g := c.groups[id]
		if g == nil || !a.SeesAll() && !slices.Contains(a.Named(), id) {
			return "", false
		}
		return g.Name, true
	case Roles:
		r := c.roles[id]
		if r == nil {
			return "", false
		}
		return r.Name, true
	case Environment:
		return c.environments[id].title(a)
	case Blueprints:
		return c.blueprints[id].title(a)
	case Handlers:
		if !a.SeesAll() {
			return "", false
		}
	}
	name, ok := c.titles[table][id]
	return name, ok
}

func (p *place) title(a access.Actor) (string, bool) {
	if p == nil {
		return "", false
	}
	if a.SeesAll() || p.provider != 0 && slices.Contains(a.With(access.OfferingManage), p.provider) {
		return p.name, true
	}
	if !p.usable {
		return "", false
	}
	return p.name, len(p.groups) == 0 || overlap(p.groups, a.Named())
}

// fellow reports whether the user has a grant in one of the actor's groups or above.
func (c *Cache) fellow(a access.Actor, user models.ID) bool {
	for _, m := range c.grants[user] {
		if _, ok := slices.BinarySearch(a.Named(), m.GroupID); ok {
			return true
		}
	}
	return false
}

func overlap(list, sorted []models.ID) bool {
	for _, id := range list {
		if _, ok := slices.BinarySearch(sorted, id); ok {
			return true
		}
	}
	return false
}

// Ancestry returns the group and the groups above it, nearest first.
func (c *Cache) Ancestry(ctx context.Context, group models.ID) ([]models.ID, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	return c.up(group), nil
}

// Holders returns the active users whose roles give them a permission on a group,
// by id. Super admins need no role, and are not among them.
func (c *Cache) Holders(ctx context.Context, p access.Permission, group models.ID) ([]models.ID, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	now := c.store.Now()
	var out []models.ID
	for g := group; g != 0; g = c.parent[g] {
		for _, user := range c.members[g] {
			if u := c.users[user]; u == nil || !u.Active {
				continue
			}
			for _, m := range c.grants[user] {
				r := c.roles[m.RoleID]
				live := m.ExpiresAt == nil || m.ExpiresAt.After(now)
				if m.GroupID == g && live && r != nil && slices.Contains(r.Permissions, string(p)) {
					out = append(out, user)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Role returns a role by id, NotFound when there is none.
func (c *Cache) Role(ctx context.Context, id models.ID) (*models.Role, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	r := c.roles[id]
	if r == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	row := *r
	return &row, nil
}

// Group returns a group by id, NotFound when there is none.
func (c *Cache) Group(ctx context.Context, id models.ID) (*models.Group, error) {
	if err := c.rlock(ctx); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	g := c.groups[id]
	if g == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	row := *g
	return &row, nil
}

// SeesEmail reports whether the actor may know the user's e-mail address: see
// access.SeesEmail.
func (c *Cache) SeesEmail(a access.Actor, u *models.User) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return access.SeesEmail(a, u.ID, c.grants[u.ID])
}
