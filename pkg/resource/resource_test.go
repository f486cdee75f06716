package resource_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/bundle"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/resource"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

type (
	group = models.Group
	size  = models.Size
	order = models.Order

	service = models.Service
)

// kiosk serves declared resources: groups, sizes, orders, which belong to a group, and services, which
// belong to an order.
type kiosk struct {
	t      *testing.T
	store  *store.Store
	reg    *resource.Registry
	groups crud.Table[group, *group]
	sizes  crud.Table[size, *size]
	orders crud.Table[order, *order]

	services crud.Table[service, *service]
	fills    atomic.Int64
}

// The entities of the kiosk.
var (
	groups = &query.Entity{Name: "group", Plural: "groups", Table: "groups", Prefix: "GRP", Row: new(group), Small: true}
	sizes  = &query.Entity{
		Name: "size", Plural: "sizes", Table: "sizes", Prefix: "SIZ", Row: new(size), Small: true,
		Scopes: []query.Scope{{Rows: access.PlaceRows, Fields: []string{"description"}}},
	}
	orders = &query.Entity{
		Name: "order", Plural: "orders", Table: "orders", Prefix: "ORD", Row: new(order),
		Relations: []query.Relation{query.One("group", "group"), query.Many("sizes", "size", "{to}.id <= {from}.id")},
	}
	services = &query.Entity{
		Name: "service", Plural: "services", Table: "services", Prefix: "SVC", Row: new(service),
		Relations: []query.Relation{query.One("order", "order")},
	}
)

func newModel(t *testing.T, s *store.Store, data *refdata.Cache) *query.Model {
	t.Helper()
	m, err := query.NewModel(s.Read(t.Context()), data.Names, groups, sizes, orders, services)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ada may do everything, vera sees everything, and otto sees only his own rows.
var (
	ada  = access.NewActor(&models.User{Row: models.Row{ID: 1}, Username: "ada", SuperAdmin: true}, "", nil)
	vera = access.NewActor(&models.User{Row: models.Row{ID: 2}, Username: "vera", GlobalViewer: true}, "", nil)
	otto = access.NewActor(&models.User{Row: models.Row{ID: 3}, Username: "otto"}, "", nil)
)

func newKiosk(t *testing.T, s *store.Store) *kiosk {
	t.Helper()
	x := &kiosk{t: t, store: s}
	x.groups = table[group](s, groups)
	x.groups.Validate = func(_ *store.Tx, g *group) error { return g.Validate() }
	x.sizes = table[size](s, sizes)
	x.sizes.Validate = func(_ *store.Tx, z *size) error { return z.Validate() }
	x.orders = table[order](s, orders)
	x.orders.Validate = func(*store.Tx, *order) error { return nil }
	x.services = table[service](s, services)
	var err error
	data := refdata.New(s)
	x.reg, err = resource.NewRegistry("/base", s, newModel(t, s, data), data,
		resource.Define(x.declareGroups()), resource.Define(x.declareSizes()), resource.Define(x.declareOrders()), resource.Define(x.declareServices()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "vera", "otto"} {
		x.insert(&models.User{Username: name})
	}
	return x
}

func table[T any, P crud.Row[T]](s *store.Store, e *query.Entity) crud.Table[T, P] {
	admin := func(a access.Actor, _ P) error { return crud.Admin("do this")(a) }
	return crud.Table[T, P]{
		Store: s, Entity: e, Object: e.Plural,
		CanCreate: admin, CanUpdate: admin, CanDelete: admin,
	}
}

func (x *kiosk) insert(row models.Keyed) models.ID {
	x.t.Helper()
	err := x.store.InTx(context.Background(), func(tx *store.Tx) error {
		tx.Signal("groups", 0)
		return store.Insert(tx, row)
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return row.Key().ID
}

func (x *kiosk) declareGroups() resource.Resource[group] {
	key := func(g *group) *models.Row { return &g.Row }
	return resource.Resource[group]{
		Name: "group", Plural: "groups", Noun: "Groups", Entity: groups, Doc: "A group.",
		Key: key, Title: func(g *group) string { return g.Name }, TitleFrom: []string{"name"},
		Fields: []resource.Field[group]{
			resource.Text("name", func(g *group) string { return g.Name }, "Name.").On("name").Listed(),
			resource.ID(key),
		},
		List: x.groups.List, Find: x.groups.Find,
	}
}

func (x *kiosk) declareSizes() resource.Resource[size] {
	key := func(z *size) *models.Row { return &z.Row }
	return resource.Resource[size]{
		Name: "perf-type", Plural: "perf-types", Noun: "Perf Types", Entity: sizes, Doc: "A size.",
		Key: key, Title: func(z *size) string { return z.Name }, TitleFrom: []string{"name"}, Slash: true,
		Fields: append([]resource.Field[size]{
			resource.Text("name", func(z *size) string { return z.Name }, "Name.").On("name").Listed().Required().
				SetText(func(z *size, v string) { z.Name = v }),
			resource.ID(key),
			resource.Int("cpu-cnt", func(z *size) int64 { return int64(z.CPUs) }, "Processors.").On("cpus").Required().
				SetInt(func(z *size, v int) { z.CPUs = v }),
			resource.Memory("mem-size", func(z *size) int { return z.MemoryMB }, "Memory.").On("memory_mb"),
			resource.Rate("rate", func(z *size) models.Money { return z.Rate }, "Price.").On("rate").
				SetMoney(func(z *size, v models.Money) { z.Rate = v }),
			resource.Text("note", func(z *size) string { return z.Description }, "For administrators.").On("description").
				SeenBy(func(a access.Actor, _ *size) bool { return a.SeesAll() }),
			resource.Value("never", func(*size) hal.Value { return hal.Null() }, "Left out when there is none.").OmitEmpty(),
			resource.WriteOnly[size]("secret", "Never shown.").Set(func(n *jsonbody.Value, _ *resource.Refs) func(*size) {
				v := n.String()
				return func(z *size) { z.Description = "secret " + v }
			}),
			resource.Value("length", func(z *size) hal.Value { return hal.Int(int64(z.GPUs)) }, "Length of the name.").Filled(),
			resource.Fetched("orders", x.countOrders, "How many orders there are."),
		}, resource.Identity(key)...),
		Actions: []resource.Action[size]{
			{
				Rel: "praise", Title: "Praise", Doc: "Says something good.",
				Can: func(a access.Actor, z *size) error {
					if z.CPUs < 2 {
						return fault.Conflictf("It is too small.")
					}
					return nil
				},
				Do: func(context.Context, access.Actor, string, *jsonbody.Value) (resource.Result[size], error) {
					return resource.Result[size]{Work: resource.Work{Of: "jobs", ID: 5}, Other: resource.Other{Of: "groups", Made: true}}, nil
				},
			},
		},
		Subs: []resource.Sub[size]{{
			Path: "orders", Rel: "cb:orders", Of: "orders", Doc: "Orders.", Title: func(z *size) string { return "Orders Of " + z.Name },
			Rows: func(context.Context, models.ID) (query.ListOption, error) { return query.Base(access.All), nil },
		}},
		List: x.sizes.List, Find: x.sizes.Find, New: func() *size { return &size{MemoryMB: 512} },
		CanCreate: crud.Admin("do this"), Create: x.sizes.Create,
		CanUpdate: x.sizes.CanUpdate, Update: x.sizes.Update,
		CanDelete: x.sizes.CanDelete,
		Delete: func(ctx context.Context, a access.Actor, ref string) (resource.Result[size], error) {
			return resource.Result[size]{}, x.sizes.Delete(ctx, a, ref)
		},
		Fill: func(_ context.Context, _ access.Actor, rows []*size) error {
			x.fills.Add(1)
			for _, z := range rows {
				z.GPUs = len(z.Name)
			}
			return nil
		},
		Bundle: &resource.Bundle[size]{
			Export: func(context.Context, access.Actor, string) (bundle.Manifest, error) {
				return bundle.Manifest{Name: "x"}, nil
			},
			Import: func(_ context.Context, _ access.Actor, _ *jsonbody.Value, replace bool) (*size, bool, error) {
				return &size{Name: "x"}, replace, nil
			},
		},
	}
}

func (x *kiosk) countOrders(ctx context.Context, _ access.Actor, z *size) (hal.Value, error) {
	if z.Name == "broken" {
		return hal.Null(), fault.New(fault.Unavailable, "Nobody counts.")
	}
	var n int64
	err := x.store.Read(ctx).Model(&order{}).Count(&n).Error
	return hal.Int(n), err
}

func (x *kiosk) declareOrders() resource.Resource[order] {
	key := func(o *order) *models.Row { return &o.Row }
	return resource.Resource[order]{
		Name: "order", Plural: "orders", Noun: "Orders", Entity: orders, Doc: "An order.",
		Key: key, Title: func(o *order) string { return "Order id " + o.ID.String() },
		Fields: []resource.Field[order]{
			resource.ID(key),
			resource.Text("name", func(o *order) string { return o.Name }, "Name.").On("name").SetText(func(o *order, v string) { o.Name = v }),
			resource.Time("submitted", func(o *order) *time.Time { return o.SubmittedAt }, "When it was submitted.").On("submitted_at"),
		},
		Relations: []resource.Relation[order]{
			resource.One("group", "groups", "group", func(o *order) models.ID { return o.GroupID }, "Group.").
				Set(func(o *order, id models.ID) { o.GroupID = id }).Required(),
			resource.Many[order]("sizes", "perf-types", "sizes", "Sizes."),
			resource.Path("alternate", func(base string, o *order) (hal.Link, bool) {
				return hal.Link{Href: base + "/elsewhere"}, o.Name != ""
			}, "Elsewhere."),
		},
		List: x.orders.List, Find: x.orders.Find,
		CanCreate: func(access.Actor) error { return nil },
		Post: func(ctx context.Context, a access.Actor, refs *resource.Refs, n *jsonbody.Value) (*order, error) {
			o := &order{Status: models.OrderCart, OwnerID: a.ID, GroupID: refs.To(n.Field("group"), "groups")}
			for _, id := range refs.Each(n.Field("groups"), "groups") {
				o.GroupID = id
			}
			n.Done()
			if err := n.Faults().Err(); err != nil {
				return nil, err
			}
			return o, nil
		},
		CanUpdate: x.orders.CanUpdate, Update: x.orders.Update,
	}
}

func (x *kiosk) declareServices() resource.Resource[service] {
	key := func(v *service) *models.Row { return &v.Row }
	return resource.Resource[service]{
		Name: "service", Plural: "services", Noun: "Services", Entity: services, Doc: "A service.",
		Key: key, Title: func(v *service) string { return v.Name }, TitleFrom: []string{"name"},
		Fields: []resource.Field[service]{resource.ID(key)},
		Relations: []resource.Relation[service]{
			resource.One("order", "orders", "order", func(v *service) models.ID { return v.OrderID }, "Order."),
		},
		List: x.services.List, Find: x.services.Find,
	}
}

// item returns a row's document as JSON.
func (x *kiosk) item(a access.Actor, plural string, id models.ID) string {
	x.t.Helper()
	ctx, d := context.Background(), x.reg.Def(plural)
	row, err := d.Find(ctx, a, id.String())
	if err != nil {
		x.t.Fatal(err)
	}
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := x.reg.Item(ctx, a, d, row, sheet)
	if err != nil {
		x.t.Fatal(err)
	}
	return string(hal.Encoder{}.AppendJSON(nil, doc, hal.HAL))
}

// list returns a page of a list as JSON.
func (x *kiosk) list(a access.Actor, plural, raw string) (string, error) {
	x.t.Helper()
	ctx, d := context.Background(), x.reg.Def(plural)
	q, err := query.Parse(raw, d.Schema, a, query.Options{Attribute: func(path []string) bool { return d.Attribute(a, path) }})
	if err != nil {
		return "", err
	}
	rows, err := d.List(ctx, a, q, d.ListOptions(q)...)
	if err != nil {
		return "", err
	}
	defer rows.Release()
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := x.reg.List(ctx, a, d, resource.Page{}, q, rows, sheet)
	if err != nil {
		return "", err
	}
	return string(hal.Encoder{}.AppendJSON(nil, &hal.Document{Embedded: doc.Embedded}, hal.HAL)), nil
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\ninstead of\n%s", what, got, want)
	}
}

func TestItem(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newKiosk(t, s)
		large := &size{Name: "large", Description: "Dear.", CPUs: 2, MemoryMB: 1280, Rate: 28*models.Unit + models.Unit/2}
		small := &size{Name: "small", CPUs: 1, MemoryMB: 512}
		x.insert(large)
		x.insert(small)
		x.insert(&order{Status: models.OrderCart, OwnerID: otto.ID})
		ids := fmt.Sprintf(`"global-id":%q,"uuid":%q`, large.GlobalID, large.UUID)
		same(t, "what an administrator sees", x.item(ada, "perf-types", large.ID), `{"_links":{`+
			`"self":{"href":"/base/perf-types/1/","title":"large"},`+
			`"cb:orders":{"href":"/base/perf-types/1/orders/","title":"Orders Of large"},`+
			`"cb:export":{"href":"/base/perf-types/1/export/","title":"Export 'large'","type":"application/zip"},`+
			`"collection":{"href":"/base/perf-types/","title":"List of Perf Types"},`+
			`"describedby":{"href":"/base/docs/schemas/perf-type","title":"Schema","type":"application/schema+json"},`+
			`"cb:praise":{"href":"/base/perf-types/1/actions/praise","title":"Praise 'large'"},`+
			`"actions":[{"href":"/base/perf-types/1/actions/praise","name":"praise","title":"Praise 'large'","praise":{"href":"/base/perf-types/1/actions/praise","title":"Praise 'large'"}}]},`+
			`"name":"large","id":"1","cpu-cnt":2,"mem-size":"1.2500 GB","rate":"28.50/month","note":"Dear.","length":0,"orders":1,`+ids+`}`)
		if got := x.item(otto, "perf-types", large.ID); strings.Contains(got, "note") || strings.Contains(got, "cb:export") || !strings.Contains(got, "cb:praise") {
			t.Errorf("otto sees %s", got)
		}
		if got := x.item(ada, "perf-types", small.ID); strings.Contains(got, "cb:praise") || !strings.Contains(got, `"actions":[]`) {
			t.Errorf("of the small one, ada sees %s", got)
		}
		broken := x.insert(&size{Name: "broken", CPUs: 1, MemoryMB: 512})
		row, err := x.reg.Def("perf-types").Find(context.Background(), ada, broken.String())
		if err == nil {
			_, err = x.reg.Item(context.Background(), ada, x.reg.Def("perf-types"), row, resource.NewArena())
		}
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("a look-up that fails: %v", err)
		}
	})
}

// TestLinksGoWhereTheActorSees links an order to a group that its owner does not see.
func TestLinksGoWhereTheActorSees(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newKiosk(t, s)
		x.insert(&size{Name: "small", CPUs: 1, MemoryMB: 512})
		x.insert(&size{Name: "large", CPUs: 2, MemoryMB: 512})
		g := x.insert(&group{Name: "Acme"})
		at := time.Date(2027, 1, 31, 12, 0, 0, 5000, time.UTC)
		o := x.insert(&order{Status: models.OrderCart, OwnerID: otto.ID, GroupID: g, SubmittedAt: &at})
		p := x.insert(&order{Name: "Second", Status: models.OrderCart, OwnerID: otto.ID})
		const self, sizes = `"self":{"href":"/base/orders/%s","title":"Order id %s"},`, `"sizes":[{"href":"/base/perf-types/1/","title":"small"}%s],`
		const end = `"collection":{"href":"/base/orders/","title":"List of Orders"},"describedby":{"href":"/base/docs/schemas/order","title":"Schema","type":"application/schema+json"}},"id":"%s",`
		same(t, "vera's", x.item(vera, "orders", o), `{"_links":{`+fmt.Sprintf(self, o, o)+
			`"group":{"href":"/base/groups/1","title":"Acme"},`+fmt.Sprintf(sizes, "")+fmt.Sprintf(end, o)+`"name":"","submitted":"2027-01-31T12:00:00.000005"}`)
		same(t, "otto's", x.item(otto, "orders", o), `{"_links":{`+fmt.Sprintf(self, o, o)+
			fmt.Sprintf(sizes, "")+fmt.Sprintf(end, o)+`"name":"","submitted":"2027-01-31T12:00:00.000005"}`)
		same(t, "the second", x.item(otto, "orders", p), `{"_links":{`+fmt.Sprintf(self, p, p)+
			fmt.Sprintf(sizes, `,{"href":"/base/perf-types/2/","title":"large"}`)+`"alternate":{"href":"/base/elsewhere"},`+fmt.Sprintf(end, p)+`"name":"Second","submitted":null}`)
	})
}

// TestLinksToRowsThatNobodyRemembers does the same for rows outside the cache of reference data: otto has a
// service of an order that belongs to ada.
func TestLinksToRowsThatNobodyRemembers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newKiosk(t, s)
		mine := x.insert(&order{Status: models.OrderCart, OwnerID: otto.ID})
		hers := x.insert(&order{Status: models.OrderCart, OwnerID: ada.ID})
		for _, c := range []struct {
			who   access.Actor
			order models.ID
			seen  bool
		}{{otto, mine, true}, {otto, hers, false}, {vera, hers, true}} {
			v := x.insert(&service{Name: "S", Status: models.ServiceActive, OwnerID: otto.ID, OrderID: c.order})
			link := fmt.Sprintf(`"order":{"href":"/base/orders/%s","title":"Order id %s"}`, c.order, c.order)
			if got := x.item(c.who, "services", v); strings.Contains(got, link) != c.seen || strings.Contains(got, `"order"`) != c.seen {
				t.Errorf("%s sees %s", c.who.Username, got)
			}
			got, err := x.list(c.who, "services", "attributes=order,order.id&order=-id&page_size=1")
			if want := fmt.Sprintf(`"order.id":%q`, c.order); err != nil || strings.Contains(got, link) != c.seen || strings.Contains(got, want) != c.seen {
				t.Errorf("%s lists %s, %v", c.who.Username, got, err)
			}
		}
	})
}

func TestListsAreShort(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newKiosk(t, s)
		x.insert(&size{Name: "small", CPUs: 1, MemoryMB: 512, Description: "Cheap."})
		g := x.insert(&group{Name: "Acme"})
		x.insert(&order{Name: "A", Status: models.OrderCart, OwnerID: otto.ID, GroupID: g})
		x.insert(&order{Name: "B", Status: models.OrderCart, OwnerID: ada.ID, GroupID: g})
		one := func(plural, links, props string) string {
			return `{"_embedded":{"` + plural + `":[{"_links":{` + links + `},` + props + `}]}}`
		}
		const small, mine = `"self":{"href":"/base/perf-types/1/","title":"small"}`, `"self":{"href":"/base/orders/1","title":"Order id 1"}`
		for _, c := range []struct {
			who                    access.Actor
			plural, raw, want, bad string
		}{
			{otto, "perf-types", "", one("perf-types", small, `"name":"small","id":"1"`), ""},
			{otto, "perf-types", "attributes=cpu_cnt,rate", one("perf-types", small, `"name":"small","id":"1","cpu_cnt":1,"rate":"0.00/month"`), ""},
			{otto, "perf-types", "attributes=length", one("perf-types", small, `"name":"small","id":"1","length":5`), ""},
			{vera, "perf-types", "attributes=note", one("perf-types", small, `"name":"small","id":"1","note":"Cheap."`), ""},
			{otto, "orders", "", one("orders", mine, `"id":"1"`), ""},
			{otto, "orders", "attributes=group.name", one("orders", mine, `"id":"1","group.name":null`), ""},
			{vera, "orders", "attributes=group.name,group&filter=name:A", one("orders", mine+`,"group":{"href":"/base/groups/1","title":"Acme"}`, `"id":"1","group.name":"Acme"`), ""},
			{otto, "perf-types", "attributes=note", "", "note"},
			{ada, "perf-types", "attributes=secret", "", "secret"},
			{ada, "perf-types", "attributes=orders", "", "orders"}, // one look-up per row
			{ada, "perf-types", "attributes=nothing", "", "nothing"},
			{ada, "orders", "attributes=sizes", "", "sizes"},
		} {
			got, err := x.list(c.who, c.plural, c.raw)
			if c.bad != "" {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("%s?%s: %v", c.plural, c.raw, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s?%s: %v", c.plural, c.raw, err)
			}
			same(t, c.who.Username+"'s "+c.plural+"?"+c.raw, got, c.want)
		}
		x.insert(&size{Name: "large", CPUs: 1, MemoryMB: 512})
		if _, err := x.list(ada, "perf-types", "attributes=length"); err != nil || x.fills.Load() != 2 {
			t.Errorf("two lists, of one and of two, were filled %d times, %v", x.fills.Load(), err)
		}
	})
}

func parse(t *testing.T, text string) *jsonbody.Value {
	t.Helper()
	n, err := jsonbody.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func blamed(err error) string {
	var list []string
	for _, f := range fault.From(err).Fields {
		list = append(list, f.Path.String())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newKiosk(t, s)
		d := x.reg.Def("perf-types")
		row, err := d.Create(ctx, ada, x.reg.Refs(ctx, ada), parse(t, `{"name": "tiny", "cpu_cnt": "3", "rate": 7.5, "secret": "s"}`))
		if err != nil {
			t.Fatal(err)
		}
		if z := row.(*size); z.Name != "tiny" || z.CPUs != 3 || z.Rate != 7*models.Unit+models.Unit/2 || z.Description != "secret s" || z.MemoryMB != 512 {
			t.Errorf("made was %+v", z)
		}
		for text, want := range map[string]string{
			`{}`:                                            "cpu-cnt name",
			`{"name": "", "cpu-cnt": 1}`:                    "name",
			`{"name": "x", "cpu-cnt": "many"}`:              "cpu-cnt",
			`{"name": "x", "cpu-cnt": 4294967296}`:          "cpu-cnt",
			`{"name": "x", "cpu-cnt": 1, "id": "7"}`:        "id",
			`{"name": "x", "cpu-cnt": 1, "orders": 7}`:      "orders",
			`{"name": "x", "cpu-cnt": 1, "x": 1, "y": 2}`:   "x y",
			`{"name": ["x"], "cpu-cnt": 1, "rate": "dear"}`: "name rate",
			`{"name": "x", "cpu-cnt": 5000}`:                "cpu-cnt", // the row's own rule
		} {
			_, err := d.Create(ctx, ada, x.reg.Refs(ctx, ada), parse(t, text))
			if !fault.Is(err, fault.Invalid) || blamed(err) != want {
				t.Errorf("%s: %v", text, err)
			}
		}
		_, err = d.Create(ctx, vera, x.reg.Refs(ctx, vera), parse(t, `{"x": 1}`))
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("who may not create learns %v", err)
		}
		update := func(a access.Actor, ref, text string) error {
			row, err := d.Update(ctx, a, ref, x.reg.Refs(ctx, a), parse(t, text))
			if err == nil && row.(*size).Name != "tiny" {
				t.Errorf("%s made it %+v", text, row)
			}
			return err
		}
		if err := update(ada, "1", `{"cpu-cnt": 4}`); err != nil {
			t.Error(err)
		}
		if err := update(ada, "1", `{"name": null}`); blamed(err) != "name" {
			t.Errorf("without its name: %v", err)
		}
		if err := update(vera, "1", `{"x": 1}`); !fault.Is(err, fault.Forbidden) {
			t.Errorf("who may not change learns %v", err)
		}
		if err := update(ada, "99", `{"x": 1}`); !fault.Is(err, fault.NotFound) {
			t.Errorf("of what is not there: %v", err)
		}
		if e, err := d.Action("praise").Do(ctx, ada, "1", parse(t, "")); err != nil || e.Work.ID != 5 || e.Row != nil || e.Other.Of != "groups" || !e.Other.Made {
			t.Errorf("praise led to %+v, %v", e, err)
		}
		if _, replaced, err := d.Import(ctx, ada, nil, true); err != nil || !replaced {
			t.Errorf("an import that replaces: %t, %v", replaced, err)
		}
		if e, err := d.Delete(ctx, ada, "1"); err != nil || e != (resource.AnyResult{}) {
			t.Errorf("deletion led to %+v, %v", e, err)
		}
	})
}

// TestReferences refers to one group in every way that clients do.
func TestReferences(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newKiosk(t, s)
		x.insert(&group{Name: "Other"})
		g := &group{Name: "Acme"}
		x.insert(g)
		d := x.reg.Def("orders")
		post := func(a access.Actor, text string) (*order, error) {
			row, err := d.Create(ctx, a, x.reg.Refs(ctx, a), parse(t, text))
			if err != nil {
				return nil, err
			}
			return row.(*order), nil
		}
		for _, text := range []string{
			`2`, `"2"`, `"/base/groups/2"`, `"/base/groups/2/"`, `"https://halcyon.example/base/groups/2"`,
			`{"href": "/base/groups/2", "title": "Acme"}`, `"` + g.GlobalID + `"`, `"` + g.UUID + `"`, `"/base/groups/` + g.GlobalID + `"`,
		} {
			o, err := post(ada, `{"group": `+text+`}`)
			if err != nil || o.GroupID != g.ID {
				t.Errorf("%s: %+v, %v", text, o, err)
			}
			o, err = post(ada, `{"groups": [1, `+text+`]}`)
			if err != nil || o.GroupID != g.ID {
				t.Errorf("a list with %s: %+v, %v", text, o, err)
			}
		}
		for _, text := range []string{`""`, `null`, `{}`} {
			if o, err := post(ada, `{"group": `+text+`}`); err != nil || o.GroupID != 0 {
				t.Errorf("%s: %+v, %v", text, o, err)
			}
		}
		for _, text := range []string{
			`"Nobody"`, `99`, `-1`, `"2x"`, `"/base/orders/2"`, `"/groups/2"`, `"https://elsewhere.example/2"`, `"SIZ-00000000"`,
			`true`, `["2"]`, `{"title": "Acme"}`, `"' OR 1=1 --"`, `"99999999999999999999"`,
		} {
			if o, err := post(ada, `{"group": `+text+`}`); blamed(err) != "group" {
				t.Errorf("%s: %+v, %v", text, o, err)
			}
		}
		if _, err := post(otto, `{"group": 2}`); blamed(err) != "group" {
			t.Errorf("a group that otto does not see: %v", err)
		}
		if _, err := post(ada, `{"groups": [2, 99, "x"]}`); blamed(err) != "groups.1 groups.2" {
			t.Errorf("some that there are not: %v", err)
		}
	})
}

// TestBadDeclarationsFailAtTheStart breaks a good declaration in one way at a time.
func TestBadDeclarationsFailAtTheStart(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	x := newKiosk(t, s)
	data := refdata.New(s)
	model := newModel(t, s, data)
	for says, spoil := range map[string]func(r *resource.Resource[order]){
		"needs name, noun and doc": func(r *resource.Resource[order]) { r.Doc = "" },
		"field name has no doc":    func(r *resource.Resource[order]) { r.Fields[1].Doc = "" },
		"field id is there twice":  func(r *resource.Resource[order]) { r.Fields = append(r.Fields, r.Fields[0]) },
		"no column that it reads": func(r *resource.Resource[order]) {
			r.Fields[1] = resource.Value("x", func(*order) hal.Value { return hal.Null() }, "X.").Listed()
		},
		"relation group has no doc": func(r *resource.Resource[order]) { r.Relations[0].Doc = "" },
		"relation sizes goes to":    func(r *resource.Resource[order]) { r.Relations[1].To = "boats" },
		"has no doc or title":       func(r *resource.Resource[order]) { r.Actions = []resource.Action[order]{{Rel: "x", Doc: "X."}} },
		"lists boats":               func(r *resource.Resource[order]) { r.Subs = []resource.Sub[order]{{Path: "x", Of: "boats"}} },
		"groups is there twice":     func(r *resource.Resource[order]) { r.Plural = "groups" },
		"which needs both ways": func(r *resource.Resource[order]) {
			r.CanUpdate = nil
			r.Bundle = &resource.Bundle[order]{Export: func(context.Context, access.Actor, string) (bundle.Manifest, error) { return bundle.Manifest{}, nil }}
		},
		"which it does not have": func(r *resource.Resource[order]) {
			r.Display = &resource.Display[order]{Attributes: []string{"boats.name"}}
		},
		"is no list of it": func(r *resource.Resource[order]) {
			r.Display = &resource.Display[order]{Lists: []resource.Listing{{Rel: "boats"}}}
		},
		"nothing fills it":                 func(r *resource.Resource[order]) { r.Fields[1] = r.Fields[1].Filled() },
		"no relation of orders to as many": func(r *resource.Resource[order]) { r.Relations[0].Of = "sizes" },
		"leads to other rows":              func(r *resource.Resource[order]) { r.Relations[0].To = "perf-types" },
		"submitted is a text": func(r *resource.Resource[order]) {
			r.Fields[2] = resource.Text("submitted", func(o *order) string { return o.Name }, "X.").On("submitted_at")
		},
		"lists the relation group": func(r *resource.Resource[order]) {
			r.Subs = []resource.Sub[order]{{Path: "x", Of: "groups", Relation: "group"}}
		},
		"nocolumn":          func(r *resource.Resource[order]) { r.Fields[1] = r.Fields[1].On("nocolumn") },
		"column nothing is": func(r *resource.Resource[order]) { r.Columns = []string{"id", "group", "nothing"} },
		"column sizes is":   func(r *resource.Resource[order]) { r.Columns = []string{"sizes"} },
		"column group.x is": func(r *resource.Resource[order]) { r.Columns = []string{"group.name", "group.x"} },
	} {
		r := x.declareOrders()
		spoil(&r)
		_, err := resource.NewRegistry("/base", s, model, data, resource.Define(x.declareGroups()), resource.Define(x.declareSizes()), resource.Define(r))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}
