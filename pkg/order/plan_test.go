package order_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func money(t *testing.T, s string) models.Money {
	t.Helper()
	m, err := models.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// An item costs the price of its size, or of its components without a size. A change costs the difference,
// and a removal saves.
func TestPrice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		sv := r.server(t, r.alice, foo, "small")
		other := r.server(t, r.alice, foo, "large")
		three := deploy(simple, "vm-size", "small")
		three.Deploy.Arguments[0].Quantity = 3
		later := s.Now().AddDate(0, 0, 90).Format(time.DateOnly)
		for name, c := range map[string]struct {
			items []models.OrderItem
			rates []string // of the items
			want  string
		}{
			"small":             {[]models.OrderItem{deploy(simple, "vm-size", "small")}, []string{"14.40"}, "14.40"},
			"large":             {[]models.OrderItem{deploy(simple, "vm-size", "large")}, []string{"57.60"}, "57.60"},
			"three":             {[]models.OrderItem{three}, []string{"43.20"}, "43.20"},
			"more processors":   {[]models.OrderItem{deploy(simple, "vm-size", "small", "cpu-cnt", "2")}, []string{"21.60"}, "21.60"},
			"more memory":       {[]models.OrderItem{deploy(simple, "vm_size", "medium", "mem-size", "1.5 GB")}, []string{"25.20"}, "25.20"},
			"the same amounts":  {[]models.OrderItem{deploy(simple, "vm-size", "small", "cpu_cnt", "1", "mem_size", "1024 MB")}, []string{"14.40"}, "14.40"},
			"of no size":        {[]models.OrderItem{deploy(simple, "cpu-cnt", "4", "mem_size", "8 GB")}, []string{"86.40"}, "86.40"},
			"a stack":           {[]models.OrderItem{stack()}, []string{"57.60"}, "57.60"},
			"no blueprint":      {[]models.OrderItem{prov(advanced, 2, "", "vm-size", "medium")}, []string{"57.60"}, "57.60"},
			"grown":             {[]models.OrderItem{mod(sv.ID, "mem_size", "2 GB")}, []string{"7.20"}, "7.20"},
			"another size":      {[]models.OrderItem{mod(sv.ID, "vm-size", "medium")}, []string{"14.40"}, "14.40"},
			"a size, and more":  {[]models.OrderItem{mod(sv.ID, "vm-size", "medium", "cpu-cnt", "3")}, []string{"21.60"}, "21.60"},
			"shrunk":            {[]models.OrderItem{mod(other.ID, "vm-size", "small")}, []string{"-43.20"}, "-43.20"},
			"kept longer":       {[]models.OrderItem{mod(sv.ID, "expiration-date", later)}, []string{"0.00"}, "0.00"},
			"removed":           {[]models.OrderItem{decom(sv.ID, other.ID)}, []string{"-72.00"}, "-72.00"},
			"one for the other": {[]models.OrderItem{deploy(simple, "vm-size", "large"), decom(sv.ID)}, []string{"57.60", "-14.40"}, "43.20"},
		} {
			o := r.create(t, r.alice, foo, false, c.items...)
			var rates []string
			for _, it := range r.find(t, o.ID).Items {
				rates = append(rates, it.Rate.String())
			}
			if got := r.find(t, o.ID).Rate.String(); got != c.want || !slices.Equal(rates, c.rates) {
				t.Errorf("%s costs %s (%v), want %s (%v)", name, got, rates, c.want, c.rates)
			}
		}
	})
}

// An order creates the servers that it describes.
func TestMade(t *testing.T) {
	t.Parallel()
	type facts struct {
		Host, Tier, Key, Build string
		CPUs, MemoryMB         int
		Rate                   string
		Expires                string
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		later := s.Now().AddDate(0, 0, 90).Format(time.DateOnly)
		o := r.create(t, r.alice, foo, true,
			deploy(simple, "vm-size", "small", "mem_size", "4", "expiration-date", later, "sw-stack", "dev"),
			stack(), prov(advanced, 2, "shop.example.org", "vm-size", "medium"))
		if o.Status != models.OrderActive {
			t.Fatalf("the order is %s", o.Status)
		}
		id := o.ID.String()
		small := facts{Tier: "Web", Build: "1", CPUs: 1, MemoryMB: 1024, Rate: "14.40"}
		web1, web2 := small, small
		web1.Host, web1.Key = "web-"+id+"-1.demo.example", "deploy/2/Web/1"
		web2.Host, web2.Key = "web-"+id+"-2.demo.example", "deploy/2/Web/2"
		want := []facts{
			{"server-" + id + "-1.demo.example", "Server", "deploy/1/Server/1", "1", 1, 4096, "36.00", later},
			web1, web2,
			{"db-" + id + "-1.demo.example", "Database", "deploy/2/Database/1", "2", 2, 2048, "28.80", ""},
			{"shop-1.example.org", "", "prov/1/1", "1", 2, 2048, "28.80", ""},
			{"shop-2.example.org", "", "prov/1/2", "1", 2, 2048, "28.80", ""},
		}
		var got []facts
		for _, sv := range r.made(t, o) {
			if sv.Status != models.ServerProv || sv.OwnerID != r.alice.ID || sv.GroupID != foo || sv.HandlerID != 1 {
				t.Errorf("server %s: %s of user %s and group %s on handler %s", sv.Hostname, sv.Status, sv.OwnerID, sv.GroupID, sv.HandlerID)
			}
			got = append(got, facts{sv.Hostname, sv.Tier, sv.ItemKey, sv.OSBuildID.String(), sv.CPUs, sv.MemoryMB, sv.Rate.String(), sv.ExpiresOn})
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("servers (-want +got):\n%s", d)
		}
		first := r.made(t, o)[0]
		params := []models.Param{{Name: "vm-size", Value: "small"}, {Name: "mem_size", Value: "4 GB"}, {Name: "expiration-date", Value: later}, {Name: "sw-stack", Value: "Dev"}}
		if d := cmp.Diff(params, first.Parameters); d != "" {
			t.Errorf("parameters (-want +got):\n%s", d)
		}
		if want := "Provisioning of server-" + id + "-1.demo.example, web-" + id + "-1.demo.example, web-" + id + "-2.demo.example, 3 more"; o.Summary != want {
			t.Errorf("summary %q, want %q", o.Summary, want)
		}
		r.work(t)
		if got := r.find(t, o.ID); got.Status != models.OrderSuccess || !got.Ended() {
			t.Errorf("the order ended as %s", got.Status)
		}

		// Changes and removals work as well.
		c := r.create(t, r.alice, foo, true, mod(first.ID, "vm-size", "large", "expiration-date", later), decom(r.made(t, o)[1].ID))
		r.work(t)
		if got := r.find(t, c.ID); got.Status != models.OrderSuccess {
			t.Fatalf("the change ended as %s", got.Status)
		}
		changed := r.made(t, o)
		if sv := changed[0]; sv.Status != models.ServerActive || sv.CPUs != 4 || sv.MemoryMB != 8192 || sv.Rate != money(t, "57.60") || sv.SizeID != large {
			t.Errorf("the server has %d processors, %d MB, size %s, for %s", sv.CPUs, sv.MemoryMB, sv.SizeID, sv.Rate)
		}
		if sv := changed[1]; sv.Status != models.ServerHistorical {
			t.Errorf("the removed server is %s", sv.Status)
		}
	})
}

// An invalid order reports all problems at once, with their paths in the request, and writes nothing.
func TestInvalid(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		mine := r.server(t, r.alice, foo, "small")
		theirs := r.server(t, r.alice, bar, "small")
		strangers := r.server(t, r.admin, bar, "small")
		limited := &models.Environment{Name: "Limited", HandlerID: 1, GroupIDs: []models.ID{foo}, SizeIDs: []models.ID{small}, OSBuildIDs: []models.ID{debian}}
		if err := r.catalog.Environments.Create(t.Context(), r.admin, limited); err != nil {
			t.Fatal(err)
		}
		bare := &models.OSBuild{Name: "Bare"}
		if err := r.catalog.OSBuilds.Create(t.Context(), r.admin, bare); err != nil {
			t.Fatal(err)
		}
		paused := &models.Blueprint{Name: "Paused", State: models.BlueprintPaused, Items: []models.BlueprintItem{{Name: "Server", Type: models.BlueprintItemServer, Quantity: 1}}}
		if err := r.catalog.Blueprints.Create(t.Context(), r.admin, paused); err != nil {
			t.Fatal(err)
		}
		plain := &models.Blueprint{Name: "Plain", State: models.BlueprintActive, Items: []models.BlueprintItem{{Name: "Server", Type: models.BlueprintItemServer, Quantity: 1}}}
		if err := r.catalog.Blueprints.Create(t.Context(), r.admin, plain); err != nil {
			t.Fatal(err)
		}
		var (
			item   = fault.Item("deploy", 0)
			args   = item.BuildItem("Server")
			prov1  = fault.Item("prov", 0)
			mod1   = fault.Item("mod", 0)
			decom1 = fault.Item("decom", 0)
		)
		with := func(it models.OrderItem, change func(*models.BuildItemArgs)) models.OrderItem {
			change(&it.Deploy.Arguments[0])
			return it
		}
		good := deploy(simple, "vm-size", "small")
		for name, c := range map[string]struct {
			items []models.OrderItem
			want  []fault.Field
		}{
			"no such blueprint": {
				[]models.OrderItem{{Kind: models.ItemDeploy, Deploy: &models.DeployItem{BlueprintID: 99}}},
				[]fault.Field{{Path: item.Member("blueprint"), Reason: "cannot be ordered by this group"}},
			},
			"a blueprint that is paused": {
				[]models.OrderItem{{Kind: models.ItemDeploy, Deploy: &models.DeployItem{BlueprintID: paused.ID}}},
				[]fault.Field{{Path: item.Member("blueprint"), Reason: "cannot be ordered by this group"}},
			},
			"no such build item": {
				[]models.OrderItem{with(deploy(simple), func(a *models.BuildItemArgs) { a.Item = "Servant" })},
				[]fault.Field{
					{Path: item.BuildItem("Servant"), Reason: "is no build item of Custom Server, which has", Instead: fault.BuildItem("Server")},
				},
			},
			"nothing said": {
				[]models.OrderItem{{Kind: models.ItemDeploy, Deploy: &models.DeployItem{BlueprintID: plain.ID}}},
				[]fault.Field{
					{Path: args.Member("environment"), Reason: "is required. Choose from: Advanced Environment, Simple Environment, Limited"},
					{Path: args.Member("os-build"), Reason: "is required"},
					{Path: args.Parameter("vm-size"), Reason: "is required, unless both cpu-cnt and mem_size are given"},
				},
			},
			"another tenant's environment": {
				[]models.OrderItem{deploy(lab, "vm-size", "small")},
				[]fault.Field{{Path: args.Member("environment"), Reason: "cannot be ordered into by this group"}},
			},
			"an environment without a back end": {
				[]models.OrderItem{deploy(models.UnassignedID, "vm-size", "small")},
				[]fault.Field{{Path: args.Member("environment"), Reason: "cannot be ordered into by this group"}},
			},
			"parameters": {
				[]models.OrderItem{deploy(simple, "colour", "red", "vm-size", "giant", "cpu-cnt", "many", "mem_size", "2 bananas", "sw-stack", "Play", "expiration-date", "2001-01-31")},
				[]fault.Field{
					{Path: args.Parameter("colour"), Reason: "is no parameter that is known here"},
					{Path: args.Parameter("vm-size"), Reason: `"giant" is none of small, medium, large`},
					{Path: args.Parameter("cpu-cnt"), Reason: `"many" is no whole number`},
					{Path: args.Parameter("mem_size"), Reason: `"2 bananas" is no amount of memory such as 2 GB`},
					{Path: args.Parameter("sw-stack"), Reason: `"Play" is none of Dev, Test, Prod`},
					{Path: args.Parameter("expiration-date"), Reason: "2001-01-31 is in the past"},
				},
			},
			"too much of it": {
				[]models.OrderItem{with(deploy(simple, "vm-size", "small", "cpu-cnt", "17", "mem_size", "128 GB"), func(a *models.BuildItemArgs) { a.Quantity = 101 })},
				[]fault.Field{
					{Path: args.Parameter("cpu-cnt"), Reason: "17 is more than 16"},
					{Path: args.Parameter("mem_size"), Reason: "128 GB is more than 64 GB"},
					{Path: args.Member("quantity"), Reason: "101 is not between 1 and 100"},
				},
			},
			"less than nothing of it": {
				[]models.OrderItem{prov(simple, -1, "", "vm-size", "small")},
				[]fault.Field{{Path: prov1.Member("quantity"), Reason: "-1 is not between 1 and 100"}},
			},
			"no such OS build": {
				[]models.OrderItem{deploy(simple, "vm-size", "small", "os_build", "/base/os-builds/77/")},
				[]fault.Field{{Path: args.Parameter("os_build"), Reason: `"/base/os-builds/77/" does not exist`}},
			},
			"two OS builds": {
				[]models.OrderItem{with(deploy(simple, "vm-size", "small", "os_build", "2"), func(a *models.BuildItemArgs) { a.OSBuildID = debian })},
				[]fault.Field{{Path: args.Parameter("os_build"), Reason: "is another OS build than os-build names"}},
			},
			"an OS build without a template": {
				[]models.OrderItem{with(deploy(simple, "vm-size", "small"), func(a *models.BuildItemArgs) { a.OSBuildID = bare.ID })},
				[]fault.Field{{Path: args.Member("os-build"), Reason: "Bare has no template for Simple Environment"}},
			},
			"what the environment does not have": {
				[]models.OrderItem{deploy(limited.ID, "vm-size", "large", "os_build", "2")},
				[]fault.Field{
					{Path: args.Parameter("os_build"), Reason: "Rocky Linux 9 is not allowed in Limited"},
					{Path: args.Parameter("vm-size"), Reason: "large is not allowed in Limited"},
				},
			},
			"what is not known of servers without a blueprint": {
				[]models.OrderItem{{Kind: models.ItemProv, Prov: &models.ProvItem{EnvironmentID: simple, Quantity: 1, Applications: []string{"nginx"}, Preconfigurations: []string{"web"}, Parameters: pairs([]string{"vm-size", "huge"})}}},
				[]fault.Field{
					{Path: prov1.Member("preconfigurations").Entry(0), Reason: `"web" does not exist`},
					{Path: prov1.Member("os-build"), Reason: "is required"},
					{Path: prov1.Parameter("vm-size"), Reason: `"huge" is no size`},
					{Path: prov1.Member("applications").Entry(0), Reason: `"nginx" does not exist`},
				},
			},
			"a host name": {
				[]models.OrderItem{prov(simple, 1, "under_score", "vm-size", "small")},
				[]fault.Field{{Path: prov1.Member("hostname"), Reason: `"under_score.demo.example" is no host name`}},
			},
			"no such server": {
				[]models.OrderItem{mod(999, "mem_size", "2 GB")},
				[]fault.Field{{Path: mod1.Member("server"), Reason: "does not exist"}},
			},
			"a server that is not seen": {
				[]models.OrderItem{mod(strangers.ID, "mem_size", "2 GB"), decom(strangers.ID)},
				[]fault.Field{{Path: mod1.Member("server"), Reason: "does not exist"}, {Path: decom1.Member("servers").Entry(0), Reason: "does not exist"}},
			},
			"another group's server": {
				[]models.OrderItem{mod(theirs.ID, "mem_size", "2 GB"), decom(theirs.ID)},
				[]fault.Field{
					{Path: mod1.Member("server"), Reason: theirs.Hostname + " belongs to another group than the order"},
					{Path: decom1.Member("servers").Entry(0), Reason: theirs.Hostname + " belongs to another group than the order"},
				},
			},
			"a server twice": {
				[]models.OrderItem{mod(mine.ID, "mem_size", "2 GB"), decom(mine.ID)},
				[]fault.Field{{Path: decom1.Member("servers").Entry(0), Reason: mine.Hostname + " is in the order twice"}},
			},
			"a server elsewhere": {
				[]models.OrderItem{{Kind: models.ItemMod, Mod: &models.ModItem{ServerID: mine.ID, EnvironmentID: advanced}}},
				[]fault.Field{{Path: mod1.Member("server"), Reason: mine.Hostname + " is not in this environment"}},
			},
			"no change": {
				[]models.OrderItem{mod(mine.ID, "vm-size", "small")},
				[]fault.Field{{Path: mod1.Member("parameters"), Reason: "change nothing"}},
			},
			"a disk that is not there": {
				[]models.OrderItem{{Kind: models.ItemMod, Mod: &models.ModItem{ServerID: mine.ID, DiskUUID: "nowhere", Parameters: pairs([]string{"disk_size", "80"})}}},
				[]fault.Field{{Path: mod1.Member("disk-uuid"), Reason: `"nowhere" is no disk of ` + mine.Hostname}},
			},
			"nothing to remove": {
				[]models.OrderItem{decom()},
				[]fault.Field{{Path: decom1.Member("servers"), Reason: "is required, unless services are given"}},
			},
			"no such service": {
				[]models.OrderItem{{Kind: models.ItemDecom, Decom: &models.DecomItem{ServiceIDs: []models.ID{999}}}},
				[]fault.Field{{Path: decom1.Member("services").Entry(0), Reason: "does not exist"}},
			},
			"one of two": {
				[]models.OrderItem{fresh(good), deploy(lab, "vm-size", "small")},
				[]fault.Field{{Path: fault.Item("deploy", 1).BuildItem("Server").Member("environment"), Reason: "cannot be ordered into by this group"}},
			},
		} {
			for _, submit := range []bool{false, true} {
				before := counts(t, s)
				var items []models.OrderItem
				for _, it := range c.items {
					items = append(items, fresh(it))
				}
				_, err := r.orders.Create(t.Context(), r.alice, order.Draft{GroupID: foo, Submit: submit, Items: items})
				if d := cmp.Diff(c.want, fields(err)); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
				if d := cmp.Diff(before, counts(t, s)); d != "" {
					t.Errorf("%s left something behind (-before +after):\n%s", name, d)
				}
			}
		}
		if got := len(r.queue.take()); got != 0 {
			t.Errorf("%d jobs were dispatched", got)
		}
	})
}

func fields(err error) []fault.Field {
	if err == nil || !fault.Is(err, fault.Invalid) {
		return []fault.Field{{Reason: fmt.Sprint(err)}}
	}
	return fault.From(err).Fields
}

// counts returns the number of rows in every table that an order touches.
func counts(t *testing.T, s *store.Store) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, table := range []string{"orders", "order_items", "jobs", "job_steps", "job_messages", "servers", "services", "ip_addresses", "history", "signals"} {
		var n int64
		if err := s.Read(t.Context()).Table(table).Count(&n).Error; err != nil {
			t.Fatal(err)
		}
		out[table] = n
	}
	return out
}

// A server has the name in the order, or the one from its blueprint.
func TestHostnames(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		for i, c := range []struct {
			template, service, asked string
			quantity                 int
			want                     []string // {order} stands for the order's id
		}{
			{"server-{order}-{n}", "", "", 2, []string{"server-{order}-1.demo.example", "server-{order}-2.demo.example"}},
			{"", "", "", 1, []string{"node-{order}-1.demo.example"}},
			{"{name}-{item}-{owner}", "Shop für Alle!", "", 1, []string{"shop-f-r-alle-node-alice.demo.example"}},
			{"{name}.{owner}.example.org", "v1.2", "", 1, []string{"v1-2.alice.example.org"}},
			{"{name}", "…", "", 1, []string{"server.demo.example"}},
			{"same", "", "", 2, []string{"same-1.demo.example", "same-2.demo.example"}},
			{"full.example.org", "", "", 1, []string{"full.example.org"}},
			{"x", "", "web", 1, []string{"web.demo.example"}},
			{"x", "", "web", 2, []string{"web-1.demo.example", "web-2.demo.example"}},
			{"x", "", "web.example.org", 2, []string{"web-1.example.org", "web-2.example.org"}},
			{"{name}-{n}", strings.Repeat("long-", 30), "", 2, []string{strings.Repeat("long-", 9) + "lon-1.demo.example", strings.Repeat("long-", 9) + "lon-2.demo.example"}},
		} {
			bp := &models.Blueprint{Name: fmt.Sprintf("Names %d", i), State: models.BlueprintActive, Items: []models.BlueprintItem{
				{Name: "Node", Type: models.BlueprintItemServer, Quantity: 1, OSBuildID: debian, SizeID: small, Hostname: c.template},
			}}
			if err := r.catalog.Blueprints.Create(t.Context(), r.admin, bp); err != nil {
				t.Fatal(err)
			}
			o := r.create(t, r.alice, foo, true, models.OrderItem{Kind: models.ItemDeploy, Deploy: &models.DeployItem{
				BlueprintID: bp.ID, Name: c.service,
				Arguments: []models.BuildItemArgs{{Item: "Node", EnvironmentID: simple, Quantity: c.quantity, Hostname: c.asked}},
			}})
			var got, want []string
			for _, sv := range r.made(t, o) {
				got = append(got, sv.Hostname)
			}
			for _, w := range c.want {
				want = append(want, strings.ReplaceAll(w, "{order}", o.ID.String()))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%q of %q, %q asked for (-want +got):\n%s", c.template, c.service, c.asked, d)
			}
		}
	})
}

// No two servers of an order have the same name.
func TestHostnamesDiffer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		o := r.create(t, r.alice, foo, true, deploy(simple, "vm-size", "small"), deploy(simple, "vm-size", "small"), prov(simple, 2, "", "vm-size", "small"))
		var got []string
		for _, sv := range r.made(t, o) {
			got = append(got, sv.Hostname)
		}
		id := o.ID.String()
		want := []string{"server-" + id + "-1.demo.example", "server-" + id + "-2.demo.example", "server-" + id + "-3.demo.example", "server-" + id + "-4.demo.example"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("names (-want +got):\n%s", d)
		}
		_, err := r.orders.Create(t.Context(), r.alice, order.Draft{GroupID: foo, Items: []models.OrderItem{
			prov(simple, 1, "web", "vm-size", "small"), prov(advanced, 1, "WEB.demo.example", "vm-size", "small"),
		}})
		if d := cmp.Diff([]fault.Field{{Path: fault.Item("prov", 1).Member("hostname"), Reason: `"WEB.demo.example" is in the order twice`}}, fields(err)); d != "" {
			t.Errorf("a name asked for twice (-want +got):\n%s", d)
		}
	})
}

// A change of a server belongs to the server's group: it cannot be ordered for another group with automatic
// approval.
func TestApproversCannotBeAvoided(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		sv := r.server(t, r.alice, bar, "small")
		other := []fault.Field{{Path: fault.Item("mod", 0).Member("server"), Reason: sv.Hostname + " belongs to another group than the order"}}

		// A cart without a group takes the server's.
		o := r.create(t, r.alice, 0, false, mod(sv.ID, "mem_size", "2 GB"))
		if o.GroupID != bar {
			t.Errorf("the cart is for group %s", o.GroupID)
		}
		// Its group cannot be changed afterwards.
		_, err := r.orders.Edit(ctx, r.alice, o.ID.String(), func(o *models.Order) error { o.GroupID = foo; return nil })
		if d := cmp.Diff(other, fields(err)); d != "" {
			t.Errorf("turned to another group (-want +got):\n%s", d)
		}
		// Nor can the item be added to a cart for another group, which stays unchanged.
		cart := r.create(t, r.alice, foo, false, deploy(simple, "vm-size", "small"))
		_, err = r.orders.AddItem(ctx, r.alice, cart.ID.String(), mod(sv.ID, "mem_size", "2 GB"))
		if d := cmp.Diff([]fault.Field{{Path: fault.Member("server"), Reason: other[0].Reason}}, fields(err)); d != "" {
			t.Errorf("put into another group's cart (-want +got):\n%s", d)
		}
		if got := r.find(t, cart.ID); len(got.Items) != 1 || got.Rate != money(t, "14.40") {
			t.Errorf("the cart has %d items for %s", len(got.Items), got.Rate)
		}
		// The same for removals, alone or with the service.
		for _, it := range []models.OrderItem{decom(sv.ID), {Kind: models.ItemDecom, Decom: &models.DecomItem{ServiceIDs: []models.ID{sv.ServiceID}}}} {
			if _, err := r.orders.Create(ctx, r.alice, order.Draft{GroupID: foo, Submit: true, Items: []models.OrderItem{it}}); !fault.Is(err, fault.Invalid) {
				t.Errorf("removed through another group: %v", err)
			}
		}
		// The permitted way needs bob's approval.
		del, err := r.orders.Decommission(ctx, r.alice, sv.ID.String())
		if err != nil || del.Status != models.OrderPending || del.GroupID != bar {
			t.Errorf("deletion: %+v %v", del, err)
		}
		// A user without the right to order for the server's group cannot order its change.
		none := access.Actor{ID: r.alice.ID, Username: "alice"}
		_, err = r.orders.Create(ctx, none, order.Draft{Items: []models.OrderItem{mod(sv.ID, "mem_size", "2 GB")}})
		wants(t, err, fault.Forbidden, "You may not order for this group.")
	})
}

// A required parameter with a wrong value is reported once, at its position, and a missing one at its
// expected position.
func TestWrongIsNotMissing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		bp := &models.Blueprint{
			Name: "Floors", State: models.BlueprintActive,
			Inputs: []models.Input{{Name: "floor", Type: models.InputInteger, Required: true, Maximum: new(int64(9))}},
			Items:  []models.BlueprintItem{{Name: "A", Type: "server", Quantity: 1, OSBuildID: 1, SizeID: 1}, {Name: "B", Type: "server", Quantity: 1, OSBuildID: 1, SizeID: 1}},
		}
		if err := r.catalog.Blueprints.Create(t.Context(), access.System("test"), bp); err != nil {
			t.Fatal(err)
		}
		at := fault.Item("deploy", 0)
		for name, c := range map[string]struct {
			all, first []models.Param
			want       []fault.Field
		}{
			"for all":     {all: []models.Param{{Name: "floor", Value: "33"}}, want: []fault.Field{{Path: at.Parameter("floor"), Reason: "33 is more than 9"}}},
			"for one":     {first: []models.Param{{Name: "FLOOR", Value: "x"}}, want: []fault.Field{{Path: at.BuildItem("A").Parameter("FLOOR"), Reason: `"x" is no whole number`}, {Path: at.BuildItem("B").Parameter("floor"), Reason: "is required"}}},
			"none at all": {want: []fault.Field{{Path: at.BuildItem("A").Parameter("floor"), Reason: "is required"}, {Path: at.BuildItem("B").Parameter("floor"), Reason: "is required"}}},
		} {
			item := models.OrderItem{Kind: models.ItemDeploy, Deploy: &models.DeployItem{
				BlueprintID: bp.ID, EnvironmentID: simple, Parameters: c.all, Arguments: []models.BuildItemArgs{{Item: "A", Parameters: c.first}},
			}}
			_, err := r.orders.Create(t.Context(), r.alice, order.Draft{GroupID: foo, Items: []models.OrderItem{item}})
			if diff := cmp.Diff(c.want, fault.From(err).Fields); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}
