package catalog_test

import (
	"context"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestPasswordsAreSealed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		h, err := x.Handlers.Find(ctx, system, x.first.ID.String())
		if err != nil || h.Password != "sealed secret" || h.NewPassword != "" {
			t.Errorf("%+v, %v", h, err)
		}
		h, err = x.Handlers.Update(ctx, system, h.ID.String(), func(h *models.ResourceHandler) error { h.Description = "d"; return nil })
		if err != nil || h.Password != "sealed secret" {
			t.Errorf("a change of something else: %+v, %v", h, err)
		}
		_, err = x.Handlers.Update(ctx, system, h.ID.String(), func(h *models.ResourceHandler) error { h.NewPassword = "unsealable"; return nil })
		wants(t, "a seal that breaks", err, fault.Internal)
		if h, err = x.Handlers.Find(ctx, system, h.ID.String()); err != nil || h.Password != "sealed secret" {
			t.Errorf("after it: %+v, %v", h, err)
		}
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		h, err := x.Verify(ctx, system, x.first.ID.String())
		if err != nil || h.Product != "Halcyon simulated cloud" || h.VerifiedAt == nil {
			t.Errorf("%+v, %v", h, err)
		}
		_, err = x.Verify(ctx, viewer, x.first.ID.String())
		wants(t, "by who only looks", err, fault.Forbidden)
		x.cloud.SetDown(true)
		_, err = x.Verify(ctx, system, x.second.ID.String())
		wants(t, "out of reach", err, fault.Unavailable)
		if h, err := x.Handlers.Find(ctx, system, x.second.ID.String()); err != nil || h.VerifiedAt != nil || h.Version != 1 {
			t.Errorf("out of reach, and yet %+v, %v", h, err)
		}
	})
}

func TestValidBlueprint(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		server := func(name string, change ...func(*models.BlueprintItem)) models.BlueprintItem {
			it := models.BlueprintItem{Name: name, Type: models.BlueprintItemServer, Quantity: 1}
			for _, fn := range change {
				fn(&it)
			}
			return it
		}
		for what, c := range map[string]struct {
			b      models.Blueprint
			blamed []string
		}{
			"no name":         {models.Blueprint{Items: []models.BlueprintItem{server("A")}}, []string{"name"}},
			"nothing":         {models.Blueprint{Name: "B"}, []string{"build-items"}},
			"a blank item":    {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server(" ")}}, []string{"build-items.0.name"}},
			"two of one name": {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server("A"), server("A")}}, []string{"build-items.1.name"}},
			"another type":    {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server("A", func(it *models.BlueprintItem) { it.Type = "boat" })}}, []string{"build-items.0.type"}},
			"none of it":      {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server("A", func(it *models.BlueprintItem) { it.Quantity = 0 })}}, []string{"build-items.0.quantity"}},
			"too many":        {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server("A", func(it *models.BlueprintItem) { it.Quantity = catalog.MaxQuantity + 1 })}}, []string{"build-items.0.quantity"}},
			"odd characters":  {models.Blueprint{Name: "B", Items: []models.BlueprintItem{server("A\x1b")}, Inputs: []models.Input{{Name: "i\x00", Type: models.InputText}}}, []string{"build-items.0.name", "inputs.0.name"}},
		} {
			c.b.State = models.BlueprintActive
			blames(t, what, x.Blueprints.Create(ctx, system, &c.b), c.blamed...)
		}
		wants(t, "a draft of nothing", x.Blueprints.Create(ctx, system, &models.Blueprint{Name: "Draft", State: models.BlueprintDraft}), "")
		wants(t, "the most", x.Blueprints.Create(ctx, system, &models.Blueprint{Name: "Most", State: models.BlueprintActive, Items: []models.BlueprintItem{
			server("A", func(it *models.BlueprintItem) { it.Quantity = catalog.MaxQuantity }),
		}}), "")
	})
}

func TestValidPool(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		good := func() models.IPPool {
			return models.IPPool{Name: "P", HandlerID: x.first.ID, Network: "lan", FirstIP: "10.0.0.1", LastIP: "10.0.0.9", Prefix: 24, Gateway: "10.0.0.254", DNS: []string{"10.0.0.253"}}
		}
		for what, c := range map[string]struct {
			change func(*models.IPPool)
			blamed string
		}{
			"no name":              {func(p *models.IPPool) { p.Name = " " }, "name"},
			"no network":           {func(p *models.IPPool) { p.Network = "" }, "network"},
			"no first address":     {func(p *models.IPPool) { p.FirstIP = "10.0.0" }, "first-ip"},
			"no last address":      {func(p *models.IPPool) { p.LastIP = "ten" }, "last-ip"},
			"the wrong way round":  {func(p *models.IPPool) { p.LastIP = "10.0.0.0" }, "last-ip"},
			"two families":         {func(p *models.IPPool) { p.LastIP = "fe80::1" }, "last-ip"},
			"a prefix too long":    {func(p *models.IPPool) { p.Prefix = 33 }, "prefix"},
			"no prefix":            {func(p *models.IPPool) { p.Prefix = 0 }, "prefix"},
			"a gateway by name":    {func(p *models.IPPool) { p.Gateway = "router" }, "gateway"},
			"a name server's name": {func(p *models.IPPool) { p.DNS = []string{"10.0.0.1", "dns"} }, "dns.1"},
		} {
			p := good()
			c.change(&p)
			blames(t, what, x.IPPools.Create(ctx, system, &p), c.blamed)
		}
		p := good()
		wants(t, "a good one", x.IPPools.Create(ctx, system, &p), "")
		six := models.IPPool{Name: "Six", HandlerID: x.first.ID, Network: "wan", FirstIP: "2001:db8::1", LastIP: "2001:db8::ff", Prefix: 64}
		wants(t, "one of IPv6", x.IPPools.Create(ctx, system, &six), "")
	})
}

// TestWhoMayUseWhat compares the SQL conditions with the look-ups for one group, on environments and
// blueprints that are open to all, to a group above, and to others.
func TestWhoMayUseWhat(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		open := x.environment(models.Environment{Name: "Open", HandlerID: x.first.ID})
		above := x.environment(models.Environment{Name: "Above", HandlerID: x.first.ID, GroupIDs: []models.ID{x.acme}})
		own := x.environment(models.Environment{Name: "Own", HandlerID: x.first.ID, GroupIDs: []models.ID{x.foo, x.globex}})
		other := x.environment(models.Environment{Name: "Other", HandlerID: x.first.ID, GroupIDs: []models.ID{x.globex}})
		x.environment(models.Environment{Name: "Idle"}) // has no handler
		for what, c := range map[string]struct {
			group models.ID
			want  []models.ID
		}{
			"Foo":    {x.foo, []models.ID{open, above, own}},
			"Acme":   {x.acme, []models.ID{open, above}},
			"Globex": {x.globex, []models.ID{open, own, other}},
		} {
			w, err := x.Usable(ctx, c.group)
			if got := x.within(catalog.Environments, w, err); !slices.Equal(got, c.want) {
				t.Errorf("%s may use %v instead of %v", what, got, c.want)
			}
			for _, id := range []models.ID{open, above, own, other} {
				_, err := x.EnvironmentFor(s.Read(ctx), c.group, id)
				if may := slices.Contains(c.want, id); may != (err == nil) || !may && !fault.Is(err, fault.NotFound) {
					t.Errorf("%s and environment %s: %v", what, id, err)
				}
			}
		}
		blueprint := func(name string, state models.BlueprintState, groups ...models.ID) models.ID {
			b := &models.Blueprint{Name: name, State: state, GroupIDs: groups, Items: []models.BlueprintItem{{Name: "A", Type: models.BlueprintItemServer, Quantity: 1}}}
			x.must(x.Blueprints.Create(ctx, system, b))
			return b.ID
		}
		all, acme, paused := blueprint("All", models.BlueprintActive), blueprint("Acme", models.BlueprintActive, x.acme), blueprint("Paused", models.BlueprintPaused)
		globex := blueprint("Globex", models.BlueprintActive, x.globex)
		w, err := x.Orderable(ctx, x.foo)
		if got := x.within(catalog.Blueprints, w, err); !slices.Equal(got, []models.ID{all, acme}) {
			t.Errorf("Foo may order %v", got)
		}
		b, err := x.BlueprintFor(s.Read(ctx), x.foo, acme)
		if err != nil || len(b.Items) != 1 || !slices.Equal(b.GroupIDs, []models.ID{x.acme}) {
			t.Errorf("%+v, %v", b, err)
		}
		for _, id := range []models.ID{paused, globex, 999} {
			_, err := x.BlueprintFor(s.Read(ctx), x.foo, id)
			wants(t, "a blueprint that Foo may not order", err, fault.NotFound)
		}
	})
}

func TestFitting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		all := x.environment(models.Environment{Name: "All", HandlerID: x.first.ID})
		few := x.environment(models.Environment{Name: "Few", HandlerID: x.first.ID, SizeIDs: []models.ID{x.large}, OSBuildIDs: []models.ID{x.rocky}})
		idle := x.environment(models.Environment{Name: "Idle"})
		for what, c := range map[string]struct {
			env           models.ID
			sizes, builds []models.ID
		}{
			"all that have a template": {all, []models.ID{x.small, x.large}, []models.ID{x.debian}},
			"few, of which none has":   {few, []models.ID{x.large}, nil},
			"nowhere":                  {idle, []models.ID{x.small, x.large}, nil},
		} {
			sizes, builds, err := x.Fitting(ctx, c.env)
			x.must(err)
			var gotSizes, gotBuilds []models.ID
			for _, z := range sizes {
				gotSizes = append(gotSizes, z.ID)
			}
			for _, o := range builds {
				gotBuilds = append(gotBuilds, o.ID)
			}
			slices.Sort(c.sizes)
			if !slices.Equal(gotSizes, c.sizes) || !slices.Equal(gotBuilds, c.builds) {
				t.Errorf("%s: sizes %v and OS builds %v", what, gotSizes, gotBuilds)
			}
		}
		_, _, err := x.Fitting(ctx, 999)
		wants(t, "an environment that there is not", err, fault.NotFound)
	})
}

func TestWhatIsUsedStays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		x.environment(models.Environment{Name: "E", HandlerID: x.first.ID, SizeIDs: []models.ID{x.small, x.small}})
		x.must(x.Blueprints.Create(ctx, system, &models.Blueprint{
			Name: "B", State: models.BlueprintActive,
			Items: []models.BlueprintItem{{Name: "A", Type: models.BlueprintItemServer, Quantity: 1, OSBuildID: x.debian, SizeID: x.large}},
		}))
		wants(t, "a handler", x.Handlers.Delete(ctx, system, x.first.ID.String()), fault.Conflict)
		wants(t, "an OS build", x.OSBuilds.Delete(ctx, system, x.debian.String()), fault.Conflict)
		wants(t, "a size", x.Sizes.Delete(ctx, system, x.large.String()), fault.Conflict)
		wants(t, "Unassigned", x.Environments.Delete(ctx, system, "1"), fault.Conflict)
		wants(t, "a handler that nothing is in", x.Handlers.Delete(ctx, system, x.second.ID.String()), "")
		wants(t, "an OS build that nothing has", x.OSBuilds.Delete(ctx, system, x.rocky.String()), "")
		wants(t, "by who only looks", x.Sizes.Delete(ctx, viewer, x.small.String()), fault.Forbidden)
	})
}

func TestImportTemplate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShop(t, s)
		known := simulated.Templates()
		list, err := x.Templates(ctx, viewer, x.first.ID.String())
		x.must(err)
		imported := map[string]models.ID{}
		for _, tpl := range list {
			imported[tpl.Name] = tpl.OSBuildID
		}
		if len(list) != len(known) || imported[known[0]] != x.debian || imported[known[1]] != 0 || !slices.IsSortedFunc(list, func(a, b catalog.Template) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		}) {
			t.Errorf("the templates are %+v", list)
		}
		try := func(h *models.ResourceHandler, in catalog.TemplateImport) (*models.OSBuild, bool, error) {
			return x.ImportTemplate(ctx, system, h.ID.String(), in)
		}
		_, _, err = try(x.first, catalog.TemplateImport{Template: known[0]})
		wants(t, "one that an OS build has", err, fault.Conflict)
		_, _, err = try(x.first, catalog.TemplateImport{Template: known[1], OSBuildID: x.debian})
		wants(t, "into one that has another", err, fault.Conflict)
		_, _, err = try(x.first, catalog.TemplateImport{Template: "cp-m"})
		blames(t, "one that there is not", err, "template")
		_, _, err = try(x.first, catalog.TemplateImport{})
		blames(t, "none", err, "template")
		_, _, err = try(x.first, catalog.TemplateImport{Template: known[1], OSBuildID: x.rocky, Name: "N", OSFamily: "f"})
		blames(t, "new and there", err, "name", "os-family")
		_, _, err = try(x.first, catalog.TemplateImport{Template: known[1], OSBuildID: 999})
		blames(t, "into one that there is not", err, "os-build")
		_, _, err = try(x.first, catalog.TemplateImport{Template: known[1], Name: "Rocky"})
		wants(t, "under a name that is taken", err, fault.Conflict)
		_, _, err = x.ImportTemplate(ctx, viewer, x.first.ID.String(), catalog.TemplateImport{Template: known[1]})
		wants(t, "by who only looks", err, fault.Forbidden)
		var n int64
		x.must(s.Read(ctx).Model(&models.OSBuildTemplate{}).Count(&n).Error)
		if n != 1 {
			t.Errorf("%d templates are imported", n)
		}

		o, made, err := try(x.first, catalog.TemplateImport{Template: known[1], OSBuildID: x.rocky})
		if err != nil || made || o.ID != x.rocky || len(o.Templates) != 1 {
			t.Errorf("%+v, %t, %v", o, made, err)
		}
		o, made, err = try(x.second, catalog.TemplateImport{Template: known[1]})
		if err != nil || !made || o.Name != known[1] || o.OSFamily == "" || len(o.Templates) != 1 || o.Templates[0].HandlerID != x.second.ID {
			t.Errorf("%+v, %t, %v", o, made, err)
		}
		x.cloud.SetDown(true)
		_, err = x.Templates(ctx, system, x.first.ID.String())
		wants(t, "the templates of what is out of reach", err, fault.Unavailable)
		_, _, err = try(x.second, catalog.TemplateImport{Template: known[0]})
		wants(t, "one of what is out of reach", err, fault.Unavailable)
	})
}
