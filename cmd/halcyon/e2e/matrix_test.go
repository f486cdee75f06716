package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/demo"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
	"halcyon/pkg/web"
)

// The callers of the matrix. Two tenants: Acme, with Group Foo, and Globex. What a
// tenant has was ordered by alice for Group Foo, and by erin for Globex.
var callers = []struct{ name, what, tenant string }{
	{"anon", "no credentials", "acme"},
	{"alice", "requestor of Group Foo, who ordered it all", "acme"},
	{"anna", "another requestor of Group Foo", "acme"},
	{"bob", "approver of Group Foo", "acme"},
	{"vera", "viewer of Group Foo", "acme"},
	{"rita", "resource admin of Group Foo", "acme"},
	{"gus", "group admin of Group Foo", "acme"},
	{"carol", "owner of Globex", "globex"},
	{"gwen", "global viewer", "acme"},
	{"admin", "super admin", "acme"},
}

const absent = "999999999"

// matrix makes the targets of requests. One that a request has changed is not
// asked again, so that no request finds what another has left.
type matrix struct {
	*cloud
	t      *testing.T
	serial int
	groups map[string]models.ID // of each tenant
	owners map[string]models.ID
	ready  map[string]string // targets, by what they are, until a request changes them
	known  string            // the fingerprint, while nothing has been written since
}

// TestAuthorization asks for every route, as every caller, of what is the caller's
// tenant's, of what is another's, and of what does not exist, and compares the
// table of the answers with testdata/authorization.txt. A route that no target is
// known for fails it. What is hidden and what is absent must answer alike, byte
// for byte, and a refused request must change nothing.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		m := &matrix{cloud: c, t: t, ready: map[string]string{}}
		m.people()
		var table [][]string
		head := []string{"ROUTE"}
		for _, who := range callers {
			head = append(head, who.name)
		}
		table = append(table, head)
		for _, r := range c.app.Face.Routes() {
			row := []string{fmt.Sprintf("%-6s %s", r.Method, r.Path)}
			for _, who := range callers {
				row = append(row, m.cell(r, who.name, who.tenant))
			}
			table = append(table, row)
		}
		if got := explained(table); !t.Failed() || *update {
			golden(t, "authorization.txt", got)
		}
	})
}

func explained(table [][]string) string {
	var b strings.Builder
	b.WriteString("Who may do what. Each cell has the status for what belongs to the caller's own tenant,\n" +
		"for what belongs to another, and for what does not exist; a single one where there is\n" +
		"nothing to tell apart. Bodies are empty objects: 400 says that the caller may, and that\n" +
		"something is missing. Written by go test ./cmd/halcyon -run TestAuthorization -update.\n\n")
	for _, who := range callers {
		fmt.Fprintf(&b, "%-7s %s\n", who.name, who.what)
	}
	b.WriteByte('\n')
	b.WriteString(aligned(table))
	return b.String()
}

func aligned(table [][]string) string {
	width := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range table {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("%-*s  ", width[i], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// people adds the callers that the demo does not have.
func (m *matrix) people() {
	m.t.Helper()
	sys, ctx := access.System("test"), context.Background()
	m.groups = map[string]models.ID{"acme": 2, "globex": 5}
	m.owners = map[string]models.ID{"acme": 2}
	for _, p := range []struct {
		name   string
		group  models.ID
		role   string
		global bool
	}{
		{"anna", 2, "requestor", false},
		{"vera", 2, "viewer", false},
		{"rita", 2, "resource_admin", false},
		{"gus", 2, "group_admin", false},
		{"erin", 5, "requestor", false},
		{"gwen", 0, "", true},
	} {
		u := &models.User{Username: p.name, Active: true, GlobalViewer: p.global, NewPassword: demo.Password}
		if err := m.app.Tenancy.CreateUser(ctx, sys, u); err != nil {
			m.t.Fatal(err)
		}
		if p.role != "" {
			m.grant(u.ID, p.group, p.role)
		}
		if p.name == "erin" {
			m.owners["globex"] = u.ID
		}
	}
}

func (m *matrix) grant(user, group models.ID, role string) models.ID {
	m.t.Helper()
	i := slices.IndexFunc(access.BuiltInRoles, func(r access.BuiltInRole) bool { return r.Name == role })
	g := &models.Membership{UserID: user, GroupID: group, RoleID: models.ID(i + 1)}
	if err := m.app.Tenancy.CreateMembership(context.Background(), access.System("test"), g); err != nil {
		m.t.Fatal(err)
	}
	return g.ID
}

// cell asks for a route as one caller and returns what the table says.
func (m *matrix) cell(r web.Route, actor, tenant string) string {
	m.t.Helper()
	other := map[string]string{"acme": "globex", "globex": "acme"}[tenant]
	own, ok := m.target(r, tenant)
	if !ok {
		m.t.Errorf("%s %s: no target is known for it", r.Method, r.Path)
		return "?"
	}
	if own == "" {
		return fmt.Sprint(m.ask(r, actor, r.Path, "").status)
	}
	theirs, _ := m.target(r, other)
	fill := func(id string) string {
		if strings.Contains(r.Path, ":id") {
			return strings.NewReplacer(":id", id, ":n", "1").Replace(r.Path)
		}
		return strings.NewReplacer(":rel", id, ":problem", id, ":plural", id, ":schema", id, ":chapter", id, ":n", id).Replace(r.Path)
	}
	a, b, c := m.ask(r, actor, fill(own), own), m.ask(r, actor, fill(theirs), theirs), m.ask(r, actor, fill(absent), absent)
	for _, hidden := range []*answer{a, b} {
		if hidden.status == http.StatusNotFound {
			m.alike(hidden, c)
		}
	}
	if a.status == b.status && !tenanted(r) {
		return fmt.Sprintf("%d %d", a.status, c.status)
	}
	return fmt.Sprintf("%d %d %d", a.status, b.status, c.status)
}

// tenanted reports whether what the route is about belongs to a tenant.
func tenanted(r web.Route) bool {
	for _, p := range []string{"roles", "resource-handlers", "ip-pools", "os-builds", "perf-types", "docs", "user", "actions", "server-actions", "service-actions", "orchestration-actions", "rules", "applications"} {
		if strings.HasPrefix(r.Path, "/api/v2/"+p+"/") {
			return false
		}
	}
	return true
}

// ask sends one request of the matrix. One that is refused must leave all as it was.
func (m *matrix) ask(r web.Route, actor, path, target string) *answer {
	m.t.Helper()
	q := call{actor: actor, method: r.Method, path: path}
	if r.Method != http.MethodGet {
		q.body = "{}"
	}
	if r.Method != http.MethodGet && m.known == "" {
		m.known = m.fingerprint(m.t)
	}
	a, err := m.do(q)
	if err != nil {
		m.t.Errorf("%s: %v", q, err)
		return &answer{}
	}
	if r.Method != http.MethodGet && a.status >= 400 {
		if after := m.fingerprint(m.t); after != m.known {
			m.t.Errorf("%s: %d, and yet something was written\n%s", q, a.status, diff(m.known, after))
			m.known = after
		}
	} else if r.Method != http.MethodGet || strings.Contains(path, "current-order") { // which is made on first use
		m.known = ""
		maps.DeleteFunc(m.ready, func(_, id string) bool { return id == target })
	}
	a.body = bytes.ReplaceAll(a.body, []byte("/"+target), []byte("/ID"))
	return a
}

// alike holds the answer about what is hidden against that about what is not there.
func (m *matrix) alike(hidden, absent *answer) {
	m.t.Helper()
	for _, h := range []http.Header{hidden.header, absent.header} {
		for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
			h.Del(name)
		}
	}
	var x, y bytes.Buffer
	_ = hidden.header.Write(&x)
	_ = absent.header.Write(&y)
	if hidden.status != absent.status || !bytes.Equal(hidden.body, absent.body) || x.String() != y.String() {
		m.t.Errorf("%s: hidden and absent differ\n%s", hidden.call, diff(fmt.Sprint(absent.status, "\n", y.String(), string(absent.body)), fmt.Sprint(hidden.status, "\n", x.String(), string(hidden.body))))
	}
}

// fingerprint returns the number of rows of every table, and of their changes.
func (c *cloud) fingerprint(t testing.TB) string {
	t.Helper()
	if c.count == nil {
		var parts []string
		for _, name := range c.tables(t) {
			parts = append(parts, fmt.Sprintf("SELECT '%s' AS name, count(*) AS n FROM %s", name, name))
		}
		for _, name := range versioned {
			parts = append(parts, fmt.Sprintf("SELECT '%s versions' AS name, coalesce(sum(version), 0) AS n FROM %s", name, name))
		}
		stmt, err := c.app.Store.SQLDB().Prepare(strings.Join(parts, " UNION ALL ") + " ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		c.count = stmt
		t.Cleanup(func() { _ = stmt.Close() })
	}
	rows, err := c.count.Query()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d\n", name, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// versioned are tables whose rows count their changes.
var versioned = []string{"users", "groups", "roles", "memberships", "environments", "resource_handlers", "ip_pools", "os_builds", "sizes", "blueprints", "orders", "jobs", "servers", "services", "snapshots", "quotas", "actions", "server_actions", "service_actions", "orchestration_actions", "rules", "applications", "webhooks", "webhook_deliveries"}

// tables returns the names of all tables but those that change by themselves.
func (c *cloud) tables(t testing.TB) []string {
	t.Helper()
	tx := c.app.Store.Read(context.Background())
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if tx.Dialect() == store.Postgres {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	var names []string
	if err := tx.Raw(query).Scan(&names).Error; err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(n string) bool {
		return strings.HasPrefix(n, "event") || n == "duties" || n == "signals" || n == "sessions"
	})
}

// target returns the id of what a route is about, in the tenant: "" when it is about
// nothing in particular.
func (m *matrix) target(r web.Route, tenant string) (string, bool) {
	m.t.Helper()
	rest, ok := strings.CutPrefix(r.Path, "/api/v2")
	if !ok || rest == "" {
		return "", r.Path == "/" || r.Path == "/api" || rest == ""
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case parts[0] == "docs" && !strings.Contains(rest, ":"):
		return "", true
	case parts[0] == "docs":
		return map[string]string{"rels": "submit", "problems": "invalid", "resources": "servers", "guide": "start", "schemas": "server"}[parts[1]], true
	case !strings.Contains(r.Path, ":"):
		return "", true
	case parts[0] == "password-reset":
		return "", true // a link that nobody was mailed
	case parts[0] == "user":
		return "1", true // an item of the caller's cart, which is empty
	}
	kind, action := parts[0], ""
	if kind == "resources" {
		kind = "services"
	}
	if i := slices.Index(parts, "actions"); i >= 0 {
		action = parts[i+1]
	}
	key := kind + " " + tenant + " " + action
	if id := m.ready[key]; id != "" {
		return id, true
	}
	fn, ok := makers[kind]
	if !ok {
		return "", false
	}
	id := fn(m, tenant, action).String()
	m.known = ""
	m.ready[key] = id
	return id, true
}

func (m *matrix) name(prefix string) string {
	m.serial++
	return fmt.Sprintf("%s-%d", prefix, m.serial)
}

func must[T any](m *matrix, row *T, err error) *T {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	return row
}

func (m *matrix) insert(row models.Keyed) models.ID {
	m.t.Helper()
	err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error { return store.Insert(tx, row) })
	if err != nil {
		m.t.Fatal(err)
	}
	return row.Key().ID
}

// makers make one object of a kind in a tenant, in the state that the action needs.
var makers = map[string]func(m *matrix, tenant, action string) models.ID{
	"users": func(m *matrix, tenant, _ string) models.ID {
		u := &models.User{Username: m.name("user"), Active: true}
		err := m.app.Tenancy.CreateUser(context.Background(), access.System("test"), u)
		must(m, u, err)
		m.grant(u.ID, m.groups[tenant], "requestor")
		return u.ID
	},
	"groups": func(m *matrix, tenant, _ string) models.ID {
		g := &models.Group{Name: m.name("group"), ParentID: m.groups[tenant]}
		return must(m, g, m.app.Tenancy.Groups.Create(context.Background(), access.System("test"), g)).ID
	},
	"roles": func(m *matrix, _, _ string) models.ID {
		r := &models.Role{Name: m.name("role"), Permissions: []string{"group.view"}}
		return must(m, r, m.app.Tenancy.Roles.Create(context.Background(), access.System("test"), r)).ID
	},
	"memberships": func(m *matrix, tenant, _ string) models.ID {
		u := &models.User{Username: m.name("member"), Active: true}
		must(m, u, m.app.Tenancy.CreateUser(context.Background(), access.System("test"), u))
		return m.grant(u.ID, m.groups[tenant], "viewer")
	},
	"environments": func(m *matrix, tenant, _ string) models.ID {
		e := &models.Environment{Name: m.name("environment"), HandlerID: 1, GroupIDs: []models.ID{m.groups[tenant]}}
		return must(m, e, m.app.Catalog.Environments.Create(context.Background(), access.System("test"), e)).ID
	},
	"resource-handlers": func(m *matrix, _, _ string) models.ID {
		h := &models.ResourceHandler{Name: m.name("handler"), Kind: models.HandlerVSphere, URL: m.vc.URL, Username: m.vc.Username, NewPassword: m.vc.Password}
		return must(m, h, m.app.Catalog.Handlers.Create(context.Background(), access.System("test"), h)).ID
	},
	"ip-pools": func(m *matrix, _, _ string) models.ID {
		p := &models.IPPool{Name: m.name("pool"), HandlerID: 1, Network: m.name("network"), FirstIP: "10.9.0.1", LastIP: "10.9.0.9", Prefix: 24, DNS: []string{}}
		return must(m, p, m.app.Catalog.IPPools.Create(context.Background(), access.System("test"), p)).ID
	},
	"os-builds": func(m *matrix, _, _ string) models.ID {
		o := &models.OSBuild{Name: m.name("build")}
		return must(m, o, m.app.Catalog.OSBuilds.Create(context.Background(), access.System("test"), o)).ID
	},
	"perf-types": func(m *matrix, _, _ string) models.ID {
		s := &models.Size{Name: m.name("size"), CPUs: 1, MemoryMB: 512}
		return must(m, s, m.app.Catalog.Sizes.Create(context.Background(), access.System("test"), s)).ID
	},
	"blueprints": func(m *matrix, tenant, _ string) models.ID {
		b := &models.Blueprint{
			Name: m.name("blueprint"), State: models.BlueprintActive, GroupIDs: []models.ID{m.groups[tenant]},
			Items: []models.BlueprintItem{{Name: "Server", Type: models.BlueprintItemServer, Quantity: 1, OSBuildID: 1, SizeID: 1}},
		}
		return must(m, b, m.app.Catalog.Blueprints.Create(context.Background(), access.System("test"), b)).ID
	},
	"quotas": func(m *matrix, tenant, _ string) models.ID {
		most := "5"
		g := &models.Group{Name: m.name("limited"), ParentID: m.groups[tenant]}
		must(m, g, m.app.Tenancy.Groups.Create(context.Background(), access.System("test"), g))
		q := &models.Quota{GroupID: g.ID, Kind: models.QuotaServers, NewLimit: &most}
		return must(m, q, m.app.Quotas.Quotas.Create(context.Background(), access.System("test"), q)).ID
	},
	"actions": func(m *matrix, _, _ string) models.ID { return m.act() },
	"server-actions": func(m *matrix, _, _ string) models.ID {
		x := &models.ServerAction{Name: m.name("offer"), ActionID: m.act(), Enabled: true}
		return must(m, x, m.app.Actions.ServerActions.Create(context.Background(), access.System("test"), x)).ID
	},
	"service-actions": func(m *matrix, _, _ string) models.ID {
		x := &models.ServiceAction{Name: m.name("offer"), ActionID: m.act(), Enabled: true}
		return must(m, x, m.app.Actions.ServiceActions.Create(context.Background(), access.System("test"), x)).ID
	},
	"orchestration-actions": func(m *matrix, _, _ string) models.ID {
		x := &models.OrchestrationAction{Name: m.name("hook"), ActionID: m.act(), Trigger: models.PostDecom}
		return must(m, x, m.app.Actions.OrchestrationActions.Create(context.Background(), access.System("test"), x)).ID
	},
	"rules": func(m *matrix, _, _ string) models.ID {
		x := &models.Rule{Name: m.name("rule"), ActionID: m.act(), Trigger: models.PostDecom, Condition: "false"}
		return must(m, x, m.app.Actions.Rules.Create(context.Background(), access.System("test"), x)).ID
	},
	"applications": func(m *matrix, _, _ string) models.ID {
		x := &models.Application{Name: m.name("application"), ActionID: m.act()}
		return must(m, x, m.app.Actions.Applications.Create(context.Background(), access.System("test"), x)).ID
	},
	"sessions": func(m *matrix, tenant, _ string) models.ID {
		now := m.app.Store.Now()
		s := &models.Session{UUID: uuid.NewString(), Version: 1, UserID: m.owners[tenant], CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
		err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error {
			u, err := store.First[models.User](tx.Where("id = ?", s.UserID))
			if err != nil {
				return err
			}
			s.Generation = u.PasswordGen
			return store.Fault(tx.Create(s).Error)
		})
		return must(m, s, err).ID
	},
	"api-tokens": func(m *matrix, tenant, _ string) models.ID {
		return m.insert(&models.APIToken{UserID: m.owners[tenant], Name: m.name("token"), Scope: models.ScopeRead, SecretHash: m.name("hash")})
	},
	"orders": (*matrix).order,
	"events": func(m *matrix, tenant, _ string) models.ID {
		m.serial++
		e := &models.Event{ID: models.ID(1_000_000 + m.serial), Type: "order.changed", ObjectType: models.ObjectOrder, ObjectID: m.order(tenant, ""), CreatedAt: m.app.Store.Now()}
		err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error { return store.Note(tx, e) })
		return must(m, e, err).ID
	},
	"jobs":     (*matrix).job,
	"servers":  (*matrix).server,
	"services": (*matrix).service,
	"snapshots": func(m *matrix, tenant, _ string) models.ID {
		return m.insert(&models.Snapshot{ServerID: m.server(tenant, ""), Name: m.name("snapshot"), BackendRef: m.name("ref"), TakenAt: m.app.Store.Now()})
	},
	"webhooks": func(m *matrix, tenant, action string) models.ID { return m.hook(tenant, action).ID },
	"webhook-deliveries": func(m *matrix, tenant, _ string) models.ID {
		return m.insert(&models.WebhookDelivery{
			WebhookID: m.hook(tenant, "").ID, EventType: "order.changed", MessageID: m.name("msg"), Payload: "{}",
			Status: models.DeliveryFailure, Log: []models.DeliveryAttempt{},
		})
	},
	"history": func(m *matrix, tenant, _ string) models.ID {
		order := m.order(tenant, "")
		var id models.ID
		err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error {
			if err := history.Add(tx, access.System("test"), models.ObjectOrder, order, "seen", "", nil, nil); err != nil {
				return err
			}
			return tx.Table("history").Select("max(id)").Scan(&id).Error
		})
		if err != nil {
			m.t.Fatal(err)
		}
		return id
	},
}

// act makes an action that changes a label, and little else.
func (m *matrix) act() models.ID {
	m.t.Helper()
	x := &models.Action{Name: m.name("action"), Kind: models.ActionBuiltIn, BuiltIn: models.BuiltInAddLabel, Settings: []models.Param{{Name: "label", Value: "x"}}}
	return must(m, x, m.app.Actions.Actions.Create(context.Background(), access.System("test"), x)).ID
}

// hook makes a webhook of the tenant's owner, in the state in which the action can be
// had.
func (m *matrix) hook(tenant, action string) *models.Webhook {
	m.t.Helper()
	w := &models.Webhook{OwnerID: m.owners[tenant], Name: m.name("hook"), URL: "https://hooks.example.com/", Types: []string{"*"}, Enabled: action != "enable"}
	m.insert(w)
	return w
}

// order makes a cart with one item of each kind, or an order in the state in which
// the action can be had.
func (m *matrix) order(tenant, action string) models.ID {
	m.t.Helper()
	o := &models.Order{Status: models.OrderCart, GroupID: m.groups[tenant], OwnerID: m.owners[tenant]}
	env := map[string]models.ID{"acme": 3, "globex": 4}[tenant]
	switch action {
	case "approve", "deny", "cancel":
		o.Status = models.OrderPending
	case "duplicate":
		now := m.app.Store.Now()
		o.Status, o.EndedAt = models.OrderSuccess, &now
	}
	id := m.insert(o)
	prov := models.OrderItem{OrderID: id, Kind: models.ItemProv, Position: 1, Prov: &models.ProvItem{
		EnvironmentID: env, OSBuildID: 1, Quantity: 1, Parameters: []models.Param{{Name: "vm-size", Value: "small"}},
	}}
	items := []models.OrderItem{prov}
	if action == "" {
		gone, kept, marked := m.server(tenant, ""), m.server(tenant, ""), m.server(tenant, "")
		items = append(items,
			models.OrderItem{OrderID: id, Kind: models.ItemDeploy, Position: 1, BlueprintID: 1, Deploy: &models.DeployItem{
				BlueprintID: 1, Arguments: []models.BuildItemArgs{{Item: "Server", EnvironmentID: env, Parameters: []models.Param{{Name: "vm-size", Value: "small"}}}},
			}},
			models.OrderItem{OrderID: id, Kind: models.ItemMod, Position: 1, Mod: &models.ModItem{ServerID: kept, Parameters: []models.Param{{Name: "mem_size", Value: "2 GB"}}}},
			models.OrderItem{OrderID: id, Kind: models.ItemAction, Position: 1, Action: &models.ActionItem{ServerID: marked, ActionID: 1}},
			models.OrderItem{OrderID: id, Kind: models.ItemDecom, Position: 1, Decom: &models.DecomItem{ServerIDs: []models.ID{gone}}},
		)
	}
	err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error { return store.Fault(tx.Create(&items).Error) })
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

func (m *matrix) server(tenant, action string) models.ID {
	m.t.Helper()
	power := models.PowerOn
	if action == "poweron" {
		power = models.PowerOff
	}
	expires := ""
	if action == "extend" {
		expires = "2999-12-31"
	}
	env := map[string]models.ID{"acme": 3, "globex": 4}[tenant]
	return m.insert(&models.Server{
		ExpiresOn: expires, Hostname: m.name("server"), Status: models.ServerActive, PowerStatus: power, CPUs: 1, MemoryMB: 1024,
		OwnerID: m.owners[tenant], GroupID: m.groups[tenant], EnvironmentID: env, HandlerID: 1, BackendRef: m.name("vm"),
		OSBuildID: 1, AddedAt: m.app.Store.Now(), Labels: []string{}, Parameters: []models.Param{},
	})
}

func (m *matrix) service(tenant, action string) models.ID {
	m.t.Helper()
	id := m.insert(&models.Service{
		Name: m.name("service"), Status: models.ServiceActive, BlueprintID: 1,
		OwnerID: m.owners[tenant], GroupID: m.groups[tenant], Parameters: []models.Param{},
		ExpiresOn: map[string]string{"extend": "2999-12-31"}[action],
	})
	server := m.server(tenant, action)
	err := m.app.Store.InTx(context.Background(), func(tx *store.Tx) error {
		return store.Fault(tx.Model(&models.Server{}).Where("id = ?", server).Update("service_id", id).Error)
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

func (m *matrix) job(tenant, action string) models.ID {
	m.t.Helper()
	j := &models.Job{
		Type: models.JobAction, Action: "refresh_info", Status: models.JobQueued,
		OwnerID: m.owners[tenant], GroupID: m.groups[tenant], HandlerID: 1, ServerID: m.server(tenant, ""),
	}
	if action == "retry" {
		now := m.app.Store.Now()
		j.Status, j.EndedAt = models.JobFailure, &now
	}
	return m.insert(j)
}
