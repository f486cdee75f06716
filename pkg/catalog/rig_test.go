package catalog_test

import (
	"context"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/tenancy"
)

var (
	system = access.System("test")
	viewer = access.NewActor(&models.User{Row: models.Row{ID: 9}, Username: "vera", GlobalViewer: true}, "", nil)
)

// shop is an installation with a catalogue: two handlers of one simulated cloud,
// the groups Acme over Foo and Globex, two OS builds and two sizes.
type shop struct {
	*catalog.Service
	t       *testing.T
	store   *store.Store
	refdata *refdata.Cache
	cloud   *simulated.Cloud

	first, second     *models.ResourceHandler
	acme, foo, globex models.ID
	debian, rocky     models.ID
	small, large      models.ID
	lab, mark         models.ID // an environment and an action, once whole has been called
}

// backends opens the same cloud for every handler.
type backends struct{ x *shop }

func (b backends) For(ctx context.Context, id models.ID) (provider.Provider, *models.ResourceHandler, error) {
	h, err := store.First[models.ResourceHandler](b.x.store.Read(ctx).Where("id = ?", id))
	if err != nil {
		return nil, nil, err
	}
	return simulated.New(provider.Config{}, b.x.cloud), h, nil
}

func newShop(t *testing.T, s *store.Store) *shop {
	t.Helper()
	ctx := context.Background()
	if err := tenancy.Bootstrap(ctx, s); err != nil {
		t.Fatal(err)
	}
	x := &shop{t: t, store: s, refdata: refdata.New(s), cloud: simulated.NewCloud(simulated.Options{})}
	x.Service = catalog.New(s, x.refdata, backends{x}, func(password string) (string, error) {
		if password == "unsealable" {
			return "", fault.New(fault.Internal, "The seal is broken.")
		}
		return "sealed " + password, nil
	})
	people := tenancy.New(s, x.refdata, nil)
	for _, g := range []struct {
		name   string
		parent *models.ID
		id     *models.ID
	}{{"Acme", new(models.ID), &x.acme}, {"Foo", &x.acme, &x.foo}, {"Globex", new(models.ID), &x.globex}} {
		row := &models.Group{Name: g.name, ParentID: *g.parent}
		x.must(people.Groups.Create(ctx, system, row))
		*g.id = row.ID
	}
	x.first = &models.ResourceHandler{Name: "First", Kind: models.HandlerSimulated, NewPassword: "secret"}
	x.second = &models.ResourceHandler{Name: "Second", Kind: models.HandlerSimulated}
	x.must(x.Handlers.Create(ctx, system, x.first))
	x.must(x.Handlers.Create(ctx, system, x.second))
	for name, id := range map[string]*models.ID{"Debian": &x.debian, "Rocky": &x.rocky} {
		o := &models.OSBuild{Name: name}
		if name == "Debian" {
			o.Templates = []models.OSBuildTemplate{{HandlerID: x.first.ID, Template: simulated.Templates()[0]}}
		}
		x.must(x.OSBuilds.Create(ctx, system, o))
		*id = o.ID
	}
	for name, id := range map[string]*models.ID{"small": &x.small, "large": &x.large} {
		row := &models.Size{Name: name, CPUs: 1, MemoryMB: 1024}
		x.must(x.Sizes.Create(ctx, system, row))
		*id = row.ID
	}
	return x
}

func (x *shop) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *shop) environment(e models.Environment) models.ID {
	x.t.Helper()
	x.must(x.Environments.Create(context.Background(), system, &e))
	return e.ID
}

// within returns the ids of the rows of a table that meet a condition.
func (x *shop) within(e *query.Entity, narrow query.ListOption, err error) []models.ID {
	x.t.Helper()
	x.must(err)
	p, err := query.List[struct{ ID models.ID }](x.store.Read(context.Background()), e, system, query.Query{Size: 100}, narrow, query.Columns("id"))
	x.must(err)
	ids := make([]models.ID, len(p.Rows))
	for i, row := range p.Rows {
		ids[i] = row.ID
	}
	return ids
}

func wants(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: %v instead of %q", what, err, code)
	}
}

// blames checks that an error is a 400 that names these paths.
func blames(t *testing.T, what string, err error, paths ...string) {
	t.Helper()
	wants(t, what, err, fault.Invalid)
	var got []string
	for _, f := range fault.From(err).Fields {
		got = append(got, f.Path.String())
	}
	if !slices.Equal(got, paths) {
		t.Errorf("%s: blamed is %q instead of %q", what, got, paths)
	}
}
