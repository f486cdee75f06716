// Package refdata keeps the small tables that almost every request needs in
// memory: who the users are and what they may do, and what groups, environments
// and the rest of the catalogue are called. It is kept right by the store's
// signals, in every replica; while those are not heard it reads anew.
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
	until  time.Time // zero: for good
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

// New makes a directory that fills itself when it is first asked.
func New(s *store.Store) *Cache {
	d := &Cache{store: s, pending: map[string]bool{"": true}}
	s.OnSignal(func(topic, _ string) { d.forget(topic) })
	return d
}

func (d *Cache) forget(table string) {
	switch table {
	case "", Users, Groups, Roles, Memberships, Handlers, Environment, OSBuilds, Sizes, Blueprints:
	default:
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending[table] = true
}

// rlock brings the copy up to date and takes the lock for reading. A table that changes
// before the lock is taken is read again: no caller reads a copy from before a signal
// that has arrived.
func (d *Cache) rlock(ctx context.Context) error {
	for refreshed := false; ; refreshed = true {
		live := d.store.SignalsLive()
		d.mu.RLock()
		if len(d.pending) == 0 && (live || refreshed) {
			return nil
		}
		d.mu.RUnlock()
		if err := d.refresh(ctx, live); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return store.Fault(err)
		}
	}
}

// refresh reads the tables that have changed, and all of them when signals are not
// heard and the copy is older than staleAfter.
func (d *Cache) refresh(ctx context.Context, live bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !live && d.store.Now().Sub(d.loaded) > staleAfter {
		d.pending[""] = true
	}
	return d.reload(ctx)
}

// reload reads the tables that have changed.
func (d *Cache) reload(ctx context.Context) error {
	if len(d.pending) == 0 {
		return nil
	}
	now := d.store.Now()
	tx := d.store.ReadOutsideTx(ctx) // transactions ask as well
	all := d.pending[""]
	want := func(tables ...string) bool {
		return all || slices.ContainsFunc(tables, func(t string) bool { return d.pending[t] })
	}
	for _, part := range []struct {
		want bool
		load func(*store.Tx) error
	}{
		{want(Users), d.loadUsers},
		{want(Groups), d.loadGroups},
		{want(Roles), d.loadRoles},
		{want(Memberships, Users, Groups), d.loadMemberships},
		{want(Environment), d.loadEnvironments},
		{want(Blueprints), d.loadBlueprints},
		{all, func(*store.Tx) error { d.titles = map[string]map[models.ID]string{}; return nil }},
		{want(Handlers), d.loadTitles(Handlers)},
		{want(OSBuilds), d.loadTitles(OSBuilds)},
		{want(Sizes), d.loadTitles(Sizes)},
	} {
		if part.want {
			if err := part.load(tx); err != nil {
				return store.Fault(err)
			}
		}
	}
	if want(Groups, Roles, Memberships, Users) {
		d.rights = map[models.ID]*entry{}
	}
	d.pending = map[string]bool{}
	d.loaded = now
	return nil
}

func (d *Cache) loadUsers(tx *store.Tx) error {
	rows, err := store.Find[models.User](tx.DB)
	if err != nil {
		return err
	}
	d.users, d.byName, d.byUUID = make(map[models.ID]*models.User, len(rows)), make(map[string]*models.User, len(rows)), make(map[string]*models.User, len(rows))
	for i := range rows {
		u := &rows[i]
		d.users[u.ID], d.byName[strings.ToLower(u.Username)], d.byUUID[u.UUID] = u, u, u
	}
	return nil
}

func (d *Cache) loadGroups(tx *store.Tx) error {
	rows, err := store.Find[models.Group](tx.Order("id"))
	if err != nil {
		return err
	}
	d.groups, d.children, d.parent = map[models.ID]*models.Group{}, map[models.ID][]models.ID{}, map[models.ID]models.ID{}
	for i := range rows {
		g := &rows[i]
		d.groups[g.ID] = g
		if g.ParentID != 0 {
			d.parent[g.ID] = g.ParentID
			d.children[g.ParentID] = append(d.children[g.ParentID], g.ID)
		}
	}
	return nil
}

func (d *Cache) loadRoles(tx *store.Tx) error {
	rows, err := store.Find[models.Role](tx.DB)
	if err != nil {
		return err
	}
	d.roles = map[models.ID]*models.Role{}
	for i := range rows {
		d.roles[rows[i].ID] = &rows[i]
	}
	return nil
}

func (d *Cache) loadMemberships(tx *store.Tx) error {
	rows, err := store.Find[models.Membership](tx.DB)
	if err != nil {
		return err
	}
	d.grants, d.members = map[models.ID][]models.Membership{}, map[models.ID][]models.ID{}
	for _, m := range rows {
		d.grants[m.UserID] = append(d.grants[m.UserID], m)
		d.members[m.GroupID] = append(d.members[m.GroupID], m.UserID)
	}
	return nil
}

func (d *Cache) loadEnvironments(tx *store.Tx) error {
	rows, err := store.Find[models.Environment](tx.Select("id", "name", "handler_id", "group_id"))
	if err != nil {
		return err
	}
	links, err := store.Find[models.EnvironmentGroup](tx.DB)
	if err != nil {
		return err
	}
	d.environments = map[models.ID]*place{}
	for _, e := range rows {
		d.environments[e.ID] = &place{name: e.Name, usable: e.HandlerID != 0, provider: e.GroupID}
	}
	for _, l := range links {
		if p := d.environments[l.EnvironmentID]; p != nil {
			p.groups = append(p.groups, l.GroupID)
		}
	}
	return nil
}

func (d *Cache) loadBlueprints(tx *store.Tx) error {
	rows, err := store.Find[models.Blueprint](tx.Select("id", "name", "state", "group_id"))
	if err != nil {
		return err
	}
	links, err := store.Find[models.BlueprintGroup](tx.DB)
	if err != nil {
		return err
	}
	d.blueprints = map[models.ID]*place{}
	for _, b := range rows {
		d.blueprints[b.ID] = &place{name: b.Name, usable: b.State == models.BlueprintActive, provider: b.GroupID}
	}
	for _, l := range links {
		if p := d.blueprints[l.BlueprintID]; p != nil {
			p.groups = append(p.groups, l.GroupID)
		}
	}
	return nil
}

func (d *Cache) loadTitles(table string) func(*store.Tx) error {
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
		d.titles[table] = names
		return nil
	}
}

// UserByName finds a user by name, in any letter case. NotFound when there is none.
func (d *Cache) UserByName(ctx context.Context, username string) (*models.User, error) {
	return d.user(ctx, func() *models.User { return d.byName[strings.ToLower(username)] })
}

// UserByUUID finds a user. NotFound when there is none.
func (d *Cache) UserByUUID(ctx context.Context, uuid string) (*models.User, error) {
	return d.user(ctx, func() *models.User { return d.byUUID[uuid] })
}

// UserByID finds a user. NotFound when there is none.
func (d *Cache) UserByID(ctx context.Context, id models.ID) (*models.User, error) {
	return d.user(ctx, func() *models.User { return d.users[id] })
}

func (d *Cache) user(ctx context.Context, get func() *models.User) (*models.User, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	u := get()
	if u == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	c := *u // callers may change theirs
	return &c, nil
}

// Rights gives what the user's grants amount to now.
func (d *Cache) Rights(ctx context.Context, user models.ID) (*access.Rights, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	e := d.rights[user]
	now := d.store.Now()
	if e != nil && (e.until.IsZero() || now.Before(e.until)) {
		d.mu.RUnlock()
		return e.rights, nil
	}
	d.mu.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	e = &entry{}
	var grants []access.Grant
	for _, m := range d.grants[user] {
		if m.ExpiresAt != nil {
			if !m.ExpiresAt.After(now) {
				continue
			}
			if e.until.IsZero() || m.ExpiresAt.Before(e.until) {
				e.until = *m.ExpiresAt
			}
		}
		if r := d.roles[m.RoleID]; r != nil {
			grants = append(grants, access.Grant{Group: m.GroupID, Permissions: r.Permissions})
		}
	}
	e.rights = access.NewRights(grants, d.children, d.parent)
	d.rights[user] = e
	return e.rights, nil
}

// Actor gives the user as an actor.
func (d *Cache) Actor(ctx context.Context, user *models.User, session string) (access.Actor, error) {
	r, err := d.Rights(ctx, user.ID)
	if err != nil {
		return access.Actor{}, err
	}
	return access.NewActor(user, session, r), nil
}

// Titles is a way to look many titles up under one lock. It must be released.
type Titles struct{ d *Cache }

// Titles brings the directory up to date and holds it still until Release.
func (d *Cache) Titles(ctx context.Context) (Titles, error) {
	if err := d.rlock(ctx); err != nil {
		return Titles{}, err
	}
	return Titles{d}, nil
}

// Release lets the directory go on.
func (t Titles) Release() { t.d.mu.RUnlock() }

// Keeps reports whether the directory knows the table's titles.
func Keeps(table string) bool {
	switch table {
	case Users, Groups, Roles, Handlers, Environment, OSBuilds, Sizes, Blueprints:
		return true
	}
	return false
}

// Names visits the rows of a table that the actor sees, with their names. It is
// not for users, who go by their number.
func (d *Cache) Names(ctx context.Context, a access.Actor, table string, visit func(id models.ID, name string)) error {
	t, err := d.Titles(ctx)
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
		for id := range d.groups {
			see(id)
		}
	case Roles:
		for id := range d.roles {
			see(id)
		}
	case Environment:
		for id := range d.environments {
			see(id)
		}
	case Blueprints:
		for id := range d.blueprints {
			see(id)
		}
	default:
		for id := range d.titles[table] {
			see(id)
		}
	}
	return nil
}

// Title gives what a row is called, and false when the actor may not see it or it
// is gone.
func (t Titles) Title(a access.Actor, table string, id models.ID) (string, bool) {
	d := t.d
	switch table {
	case Users:
		if d.users[id] == nil || !a.SeesAll() && id != a.ID && !d.fellow(a, id) {
			return "", false
		}
		return "User id " + strconv.FormatInt(int64(id), 10), true
	case Groups:
		g := d.groups[id]
		if g == nil || !a.SeesAll() && !slices.Contains(a.Named(), id) {
			return "", false
		}
		return g.Name, true
	case Roles:
		r := d.roles[id]
		if r == nil {
			return "", false
		}
		return r.Name, true
	case Environment:
		return d.environments[id].title(a)
	case Blueprints:
		return d.blueprints[id].title(a)
	case Handlers:
		if !a.SeesAll() {
			return "", false
		}
	}
	name, ok := d.titles[table][id]
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
func (d *Cache) fellow(a access.Actor, user models.ID) bool {
	for _, m := range d.grants[user] {
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

// Ancestry gives the group and the groups above it, nearest first.
func (d *Cache) Ancestry(ctx context.Context, group models.ID) ([]models.ID, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	return d.up(group), nil
}

// Holders gives the active users whose roles give them a permission on a group,
// by id. Super admins need no role, and are not among them.
func (d *Cache) Holders(ctx context.Context, p access.Permission, group models.ID) ([]models.ID, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	now := d.store.Now()
	var out []models.ID
	for g := group; g != 0; g = d.parent[g] {
		for _, user := range d.members[g] {
			if u := d.users[user]; u == nil || !u.Active {
				continue
			}
			for _, m := range d.grants[user] {
				r := d.roles[m.RoleID]
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

// Role gives a role by id, NotFound when there is none.
func (d *Cache) Role(ctx context.Context, id models.ID) (*models.Role, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	r := d.roles[id]
	if r == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	c := *r
	return &c, nil
}

// Group gives a group by id, NotFound when there is none.
func (d *Cache) Group(ctx context.Context, id models.ID) (*models.Group, error) {
	if err := d.rlock(ctx); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	g := d.groups[id]
	if g == nil {
		return nil, fault.NotFoundf("Not found.")
	}
	c := *g
	return &c, nil
}

// SeesEmail reports whether the actor may know the user's e-mail address: see
// access.SeesEmail.
func (d *Cache) SeesEmail(a access.Actor, u *models.User) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return access.SeesEmail(a, u.ID, d.grants[u.ID])
}
