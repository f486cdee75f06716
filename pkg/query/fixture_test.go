package query_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// The declarations under test. Each caller gets new ones, because tests may change them.
type schemas struct{ servers, groups, users, environments, handlers, jobs *query.Schema }

func declare() schemas {
	d := schemas{&query.Schema{}, &query.Schema{}, &query.Schema{}, &query.Schema{}, &query.Schema{}, &query.Schema{}}
	*d.servers = query.Schema{
		Entity: &query.Entity{Name: "server", Plural: "servers", Table: "servers", Prefix: "SVR"},
		Name:   "server", Plural: "servers",
		Fields: []query.Field{
			{Name: "hostname", Column: "hostname", Kind: query.Text, Sort: true},
			{Name: "status", Column: "status", Kind: query.Enum, Enum: codes(models.ServerStatuses), Sort: true},
			{Name: "cpu-cnt", Column: "cpus", Kind: query.Int, Sort: true},
			{Name: "mem-size", Column: "memory_mb", Kind: query.Int, Scale: 1024, Sort: true},
			{Name: "rate", Column: "rate", Kind: query.Int, Scale: int64(models.Unit)},
			{Name: "date-added", Column: "added_at", Kind: query.Time, Sort: true},
			{Name: "synced", Column: "synced_at", Kind: query.Time, Sort: true},
			{Name: "expires-on", Column: "expires_on", Kind: query.Date, Sort: true},
			{Name: "owner", Column: "owner_id", Kind: query.Ref, Target: d.users},
			{Name: "os-build", Column: "os_build_id", Kind: query.Ref, Target: d.groups}, // always NULL here
			{Name: "backend", Column: "backend_name", Kind: query.Text, Scope: func(a access.Actor, _ string) access.Where {
				if a.SeesAll() {
					return access.All
				}
				return access.None
			}},
		},
		Hops: []query.Hop{
			{Name: "owner", Target: d.users, Join: "{to}.id = {from}.owner_id", Column: "owner_id"},
			{Name: "group", Target: d.groups, Join: "{to}.id = {from}.group_id", Column: "group_id"},
			{Name: "environment", Target: d.environments, Join: "{to}.id = {from}.environment_id", Column: "environment_id"},
			{Name: "resource-handler", Target: d.handlers, Join: "{to}.id = {from}.handler_id", Column: "handler_id"},
			{Name: "jobs", Target: d.jobs, Many: true, Join: "{to}.server_id = {from}.id"},
		},
	}
	*d.groups = query.Schema{
		Entity: &query.Entity{Name: "group", Plural: "groups", Table: "groups", Prefix: "GRP", Small: true},
		Name:   "group", Plural: "groups",
		Fields: []query.Field{
			{Name: "name", Column: "name", Kind: query.Text, Sort: true},
			{Name: "date", Column: "type", Kind: query.Text}, // has the name of a lookup
			{Name: "auto-approval", Column: "auto_approval", Kind: query.Bool, Sort: true},
		},
		Hops: []query.Hop{
			{Name: "parent", Target: d.groups, Join: "{to}.id = {from}.parent_id", Column: "parent_id"},
			{Name: "servers", Target: d.servers, Many: true, Join: "{to}.group_id = {from}.id"},
		},
	}
	*d.users = query.Schema{
		Entity: &query.Entity{Name: "user", Plural: "users", Table: "users", Prefix: "USR"},
		Name:   "user", Plural: "users",
		Fields: []query.Field{
			{Name: "username", Column: "username", Kind: query.Text, Sort: true},
			{Name: "first-name", Column: "first_name", Kind: query.Text, Sort: true},
			{Name: "is-superuser", Column: "super_admin", Kind: query.Bool},
			{Name: "email", Column: "email", Kind: query.Text, Sort: true, Scope: func(a access.Actor, alias string) access.Where {
				if a.SeesAll() {
					return access.All
				}
				return access.Where{SQL: alias + ".id = ?", Args: []any{int64(a.ID)}}
			}},
		},
		Hops: []query.Hop{{Name: "servers", Target: d.servers, Many: true, Join: "{to}.owner_id = {from}.id"}},
	}
	*d.environments = query.Schema{
		Entity: &query.Entity{Name: "environment", Plural: "environments", Table: "environments", Prefix: "ENV", Small: true},
		Name:   "environment", Plural: "environments",
		Fields: []query.Field{{Name: "name", Column: "name", Kind: query.Text, Sort: true}},
		Hops:   []query.Hop{{Name: "group", Target: d.groups, Join: "{to}.id = {from}.group_id", Column: "group_id"}},
	}
	*d.handlers = query.Schema{
		Entity: &query.Entity{Name: "resource-handler", Plural: "resource-handlers", Table: "resource_handlers", Prefix: "RH", Hidden: func(a access.Actor) bool { return !a.SuperAdmin }},
		Name:   "resource-handler", Plural: "resource-handlers",
		Fields: []query.Field{{Name: "name", Column: "name", Kind: query.Text}},
	}
	*d.jobs = query.Schema{
		Entity: &query.Entity{Name: "job", Plural: "jobs", Table: "jobs", Prefix: "JOB"},
		Name:   "job", Plural: "jobs",
		Fields: []query.Field{
			{Name: "type", Column: "type", Kind: query.Enum, Enum: codes(models.JobTypes), Codes: map[string]string{"deploy blueprint": "deploy_blueprint"}},
			{Name: "status", Column: "status", Kind: query.Enum, Enum: codes(models.JobStatuses)},
			{Name: "start-date", Column: "started_at", Kind: query.Time},
		},
		Hops: []query.Hop{
			{Name: "owner", Target: d.users, Join: "{to}.id = {from}.owner_id", Column: "owner_id"},
			{Name: "server", Target: d.servers, Join: "{to}.id = {from}.server_id", Column: "server_id"},
		},
	}
	return d
}

func (d schemas) list() []*query.Schema {
	return []*query.Schema{d.servers, d.groups, d.users, d.environments, d.handlers, d.jobs}
}

func codes[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = string(c)
	}
	return out
}

// fixture is two tenants and their rows.
type fixture struct {
	schemas
	store        *store.Store
	groups       []*models.Group // Acme, Acme Lab below it, Globex
	users        []*models.User  // alice, bob, carol, dave
	environments []*models.Environment
	handler      *models.ResourceHandler
	servers      []*models.Server
	jobs         []*models.Job

	alice, bob, carol, dave, nobody access.Actor
}

func (f *fixture) actors() map[string]access.Actor {
	return map[string]access.Actor{"alice": f.alice, "bob": f.bob, "carol": f.carol, "dave": f.dave, "nobody": f.nobody}
}

var hostnames = []string{
	"web1", "WEB1", "web10", "a%b", "aXb", "a_b", `a\b`, "O'Brien", `say "hi"`, "semi;colon:comma,", "[abc]", "a*b?c", "]x^", "",
	"Größe", "GRÖSSE", "GRÖẞE", "école", "ÉCOLE", "ecole", "İstanbul", "istanbul", "ısparta", "\u212Aelvin", "kelvin", "\u017Fet", "SET",
	"ΣΊΣΥΦΟΣ", "σίσυφος", "😀 smile", "-- drop", "' OR 1=1 --", "(a+b)$", "***=x", "tab\there",
}

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func fill(t testing.TB, s *store.Store) *fixture {
	t.Helper()
	f := &fixture{schemas: declare(), store: s}
	if err := query.Prepare(s.Read(t.Context()), f.list()); err != nil {
		t.Fatal(err)
	}
	f.schemas.environments.Names = func(ctx context.Context, a access.Actor, visit func(models.ID, string)) error {
		db := s.Read(ctx).Table("environments t").Select("id", "name")
		if w := access.Visible("environments", a, "t"); !w.IsAll() {
			db = db.Where(w.SQL, w.Args...)
		}
		rows, err := store.Find[models.Environment](db)
		for _, e := range rows {
			visit(e.ID, e.Name)
		}
		return err
	}
	err := s.InTx(t.Context(), func(tx *store.Tx) error {
		put := func(rows ...models.Keyed) {
			for _, row := range rows {
				if err := store.Insert(tx, row); err != nil {
					t.Fatal(err)
				}
			}
		}
		acme := &models.Group{Name: "Acme", AutoApproval: true, Type: "x"}
		put(acme)
		lab := &models.Group{Name: "Acme Lab", ParentID: acme.ID, Type: "y"}
		globex := &models.Group{Name: "Globex Größe"}
		put(lab, globex)
		f.groups = []*models.Group{acme, lab, globex}
		for i, name := range []string{"alice", "bob", "carol", "dave"} {
			u := &models.User{Username: name, FirstName: strings.ToUpper(name[:1]) + name[1:], Email: name + "@example.com", Active: true, SuperAdmin: i == 2, GlobalViewer: i == 3}
			put(u)
			f.users = append(f.users, u)
		}
		for i, g := range []models.ID{acme.ID, globex.ID} {
			role := &models.Role{Name: fmt.Sprintf("r%d", i), Permissions: []string{string(access.OrderSubmit)}}
			put(role)
			put(&models.Membership{UserID: f.users[i].ID, GroupID: g, RoleID: role.ID})
		}
		f.handler = &models.ResourceHandler{Name: "vc", Kind: models.HandlerSimulated, Password: "s3cret"}
		put(f.handler)
		f.environments = []*models.Environment{
			{Name: "Dev East", HandlerID: f.handler.ID}, {Name: "Prod", GroupID: globex.ID}, {Name: "Dev Größe", HandlerID: f.handler.ID, GroupID: acme.ID},
		}
		put(f.environments[0], f.environments[1], f.environments[2])
		at := []time.Time{
			date("2018-07-26T17:43:47.463904Z"), date("2018-07-26T23:59:59.999999Z"), date("2018-07-27T00:00:00Z"),
			date("2019-01-01T00:00:00Z"), date("2018-12-31T23:59:59Z"), date("2020-02-29T12:00:00.5Z"),
		}
		for i, name := range hostnames {
			srv := &models.Server{
				Labels: []string{}, Disks: []models.ServerDisk{}, Networks: []models.ServerNIC{}, Parameters: []models.Param{}, TechDetails: []models.Param{},
				Hostname: name, Status: models.ServerStatuses[i%6], PowerStatus: models.PowerOn,
				CPUs: i % 5, MemoryMB: 512 * (i % 4), Rate: models.Money(i%3) * models.Unit / 2, BackendName: fmt.Sprint("vm", i%2),
				AddedAt: at[i%len(at)], GroupID: f.groups[i%3].ID, OwnerID: f.users[i%4].ID, EnvironmentID: f.environments[i%3].ID, HandlerID: f.handler.ID,
			}
			if i%3 == 1 {
				srv.SyncedAt = &at[(i+1)%len(at)]
			}
			if name == "SET" {
				last := date("9999-12-31T12:00:00Z")
				srv.SyncedAt = &last
			}
			if i%4 == 2 {
				srv.ExpiresOn = []string{"2018-07-26", "2019-01-01", "2020-02-29"}[i%3]
			}
			if i%7 == 6 {
				srv.OwnerID, srv.EnvironmentID = 0, 0
			}
			if i%11 == 5 {
				srv.GroupID = 0
			}
			put(srv)
			f.servers = append(f.servers, srv)
			for j := range i % 3 {
				job := &models.Job{Type: models.JobTypes[(i+j)%6], Status: models.JobStatuses[(i+2*j)%8], ServerID: srv.ID, OwnerID: f.users[(i+j)%4].ID, GroupID: f.groups[(i+j)%3].ID}
				if j == 0 {
					job.StartedAt = &at[i%len(at)]
				}
				put(job)
				f.jobs = append(f.jobs, job)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	children := map[models.ID][]models.ID{f.groups[0].ID: {f.groups[1].ID}}
	parent := map[models.ID]models.ID{f.groups[1].ID: f.groups[0].ID}
	submit, view := []string{string(access.OrderSubmit)}, []string{string(access.GroupView)}
	f.alice = access.NewActor(f.users[0], "", access.NewRights([]access.Grant{{Group: f.groups[0].ID, Permissions: submit}}, children, parent))
	f.bob = access.NewActor(f.users[1], "", access.NewRights([]access.Grant{{Group: f.groups[2].ID, Permissions: view}}, children, parent))
	f.carol = access.NewActor(f.users[2], "", nil)
	f.dave = access.NewActor(f.users[3], "", nil)
	return f
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { fn(t, fill(t, s)) })
}

func (f *fixture) parse(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *query.Schema, a access.Actor, raw string,
) query.Query {
	t.Helper()
	q, err := query.Parse(raw, s, a, query.Options{})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return q
}

// ids returns the ids of the first hundred rows.
func ids[T any](t interface {
	Helper()
	Fatalf(string, ...any)
}, f *fixture, s *query.Schema, a access.Actor, q query.Query, id func(*T) models.ID,
) []models.ID {
	t.Helper()
	q.Size = 100
	p, err := query.List[T](f.store.Read(ctx), s.Entity, a, q)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if int(p.Total) != len(p.Rows) {
		t.Fatalf("a total of %d for %d rows", p.Total, len(p.Rows))
	}
	out := make([]models.ID, 0, len(p.Rows))
	for _, r := range p.Rows {
		out = append(out, id(r))
	}
	return out
}

func serverID(s *models.Server) models.ID { return s.ID }

func (f *fixture) hosts(t *testing.T, a access.Actor, raw string) []string {
	t.Helper()
	q := f.parse(t, f.schemas.servers, a, raw)
	q.Size = 100
	p, err := query.List[models.Server](f.store.Read(t.Context()), f.schemas.servers.Entity, a, q)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	out := []string{}
	for _, r := range p.Rows {
		out = append(out, r.Hostname)
	}
	if len(q.Order) == 0 {
		slices.Sort(out)
	}
	return out
}

func newSQLite(t testing.TB) *store.Store { return storetest.SQLite(t) }

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func decode(s string) string {
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}
