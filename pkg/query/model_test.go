package query_test

import (
	"strings"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// entities returns machines, people and places, declared as services declare them. Each caller gets new
// ones, because tests change them.
func entities() (machines, people, places *query.Entity) {
	machines = &query.Entity{
		Name: "server", Plural: "servers", Table: "servers", Prefix: "SVR", Row: new(models.Server),
		Enums:     []query.Enumeration{query.Codes("status", models.ServerStatuses)},
		Days:      []string{"expires_on"},
		Internal:  []string{"backend_ref"},
		Relations: []query.Relation{query.One("owner", "user"), query.One("environment", "environment")},
	}
	people = &query.Entity{
		Name: "user", Plural: "users", Table: "users", Prefix: "USR", Row: new(models.User),
		Scopes:    []query.Scope{{Rows: access.EmailRows, Fields: []string{"email"}}},
		Relations: []query.Relation{query.Many("servers", "server", "{to}.owner_id = {from}.id")},
	}
	places = &query.Entity{
		Name: "environment", Plural: "environments", Table: "environments", Prefix: "ENV", Row: new(models.Environment), Small: true,
	}
	return machines, people, places
}

func fieldOf(s *query.Schema, name string) *query.Field { return s.Field(name, access.System("test")) }

func TestModelDerivesFields(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		machines, people, places := entities()
		m, err := query.NewModel(s.Read(t.Context()), nil, machines, people, places)
		if err != nil {
			t.Fatal(err)
		}
		for name, kind := range map[string]query.Kind{
			"hostname": query.Text, "status": query.Enum, "cpus": query.Int, "rate": query.Int, "added_at": query.Time, "synced_at": query.Time,
			"expires_on": query.Date, "global_id": query.Text, "created_at": query.Time,
		} {
			if f := fieldOf(m.Schema(machines), name); f == nil || f.Kind != kind || f.Column != name {
				t.Errorf("%s is %+v", name, f)
			}
		}
		// JSON, a secret, references, and internal columns.
		for _, name := range []string{"labels", "item_key", "owner_id", "size_id", "backend_ref"} {
			if f := fieldOf(m.Schema(machines), name); f != nil {
				t.Errorf("%s is %+v", name, f)
			}
		}
		for _, f := range m.Schema(people).Fields {
			if strings.Contains(f.Name, "password") {
				t.Errorf("users can be asked by %s", f.Name)
			}
		}
		if fieldOf(m.Schema(people), "email").Scope == nil {
			t.Error("everybody may ask by any e-mail address")
		}
	})
}

// TestModelIsAskedInDomainTerms queries without the names of any face.
func TestModelIsAskedInDomainTerms(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		machines, people, places := entities()
		tx := f.store.Read(t.Context())
		m, err := query.NewModel(tx, nil, machines, people, places)
		if err != nil {
			t.Fatal(err)
		}
		name := f.environments[0].Name
		in, err := query.Eq(m.Schema(machines), "environment.name", name)
		if err != nil {
			t.Fatal(err)
		}
		by, err := query.Desc(m.Schema(machines), "hostname")
		if err != nil {
			t.Fatal(err)
		}
		then, err := query.Asc(m.Schema(machines), "id")
		if err != nil {
			t.Fatal(err)
		}
		want := f.hosts(t, f.carol, "filter=environment.name:"+name+"&order=-hostname,id")
		p, err := query.List[models.Server](tx, machines, f.carol, query.Query{Filter: []query.Term{in}, Order: []query.Key{by, then}, Size: 100})
		if err != nil || int(p.Total) != len(want) || len(want) == 0 {
			t.Fatalf("%d rows instead of %d, %v", p.Total, len(want), err)
		}
		for i, row := range p.Rows {
			if row.Hostname != want[i] {
				t.Errorf("row %d is %s instead of %s", i, row.Hostname, want[i])
			}
		}
		owner := f.servers[0].OwnerID
		p, err = query.List[models.Server](tx, machines, f.carol, query.Query{Size: 100}, query.Related(people, "servers", owner))
		for _, row := range p.Rows {
			if row.OwnerID != owner {
				t.Errorf("%s belongs to %s", row.Hostname, row.OwnerID)
			}
		}
		if err != nil || len(p.Rows) == 0 {
			t.Errorf("%d rows, %v", len(p.Rows), err)
		}
	})
}

func TestModelFindsMistakes(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	for want, breakIt := range map[string]func(machines, people *query.Entity){
		"enumeration of nosuch":      func(m, _ *query.Entity) { m.Enums[0].Field = "nosuch" },
		"a day of nosuch":            func(m, _ *query.Entity) { m.Days = []string{"nosuch"} },
		"a scope of password_hash":   func(_, p *query.Entity) { p.Scopes[0].Fields = []string{"password_hash"} },
		"which is not declared":      func(m, _ *query.Entity) { m.Relations[0].To = "boat" },
		"no column hostname":         func(_, p *query.Entity) { p.Row = new(models.Server) },
		`no column "boat_id"`:        func(m, _ *query.Entity) { m.Relations[0] = query.One("boat", "user") },
		"no table":                   func(m, _ *query.Entity) { m.Table = "boats" },
		"the name is declared twice": func(m, _ *query.Entity) { m.Name = "user" },
	} {
		machines, people, places := entities()
		breakIt(machines, people)
		if _, err := query.NewModel(s.Read(t.Context()), nil, machines, people, places); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	machines, people, places := entities()
	m, err := query.NewModel(s.Read(t.Context()), nil, machines, people, places)
	if err != nil {
		t.Fatal(err)
	}
	codes := query.Codes("status", models.ServerStatuses).Codes
	names := func() query.Names {
		return query.Names{
			Name: "vm", Plural: "vms",
			Fields: []query.FieldName{
				{Name: "mem-size", Of: "memory_mb", Kind: query.Int, Scale: 1024},
				{Name: "state", Of: "status", Kind: query.Enum, Enum: codes},
			},
			Relations: []query.RelationName{{Name: "creator", Of: "owner", Target: &query.Schema{Entity: people, Name: "user", Plural: "users"}}},
		}
	}
	var face query.Schema
	if err := m.Translate(&face, machines, names()); err != nil {
		t.Fatal(err)
	}
	if f := fieldOf(&face, "mem-size"); f == nil || f.Column != "memory_mb" || f.Scale != 1024 || fieldOf(&face, "hostname") != nil {
		t.Errorf("the face has %+v", face.Fields)
	}
	if f := fieldOf(m.Schema(machines), "memory_mb"); f.Scale != 0 {
		t.Error("the unit of a face has changed the domain")
	}
	for want, breakIt := range map[string]func(n *query.Names){
		"which servers do not have":      func(n *query.Names) { n.Fields[0].Of = "nosuch" },
		"mem-size is a text":             func(n *query.Names) { n.Fields[0].Kind = query.Text },
		"the field state has the codes":  func(n *query.Names) { n.Fields[1].Enum = codes[1:] },
		"no relation of servers":         func(n *query.Names) { n.Relations[0].Of = "nosuch" },
		"to as many":                     func(n *query.Names) { n.Relations[0].Many = true },
		"leads to other rows than owner": func(n *query.Names) { n.Relations[0].Target = &query.Schema{Entity: places} },
	} {
		n := names()
		breakIt(&n)
		if err := m.Translate(&face, machines, n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
