package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/demo"
	"halcyon/pkg/refdata"
	"halcyon/pkg/resource"
)

// until waits for something to become true.
func until(t testing.TB, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !fn(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// lively is a cloud with more in it than the demo has: the vCenter's own machines,
// carts with items of each kind, a denied order. Its workers have stopped.
func lively(t testing.TB, url string) *cloud {
	t.Helper()
	c := newCloud(t, url)
	sync := c.want(t, http.StatusAccepted, call{actor: "admin", method: "POST", path: "/api/v2/resource-handlers/actions/sync-vms"})
	at := sync.header.Get("Location")
	until(t, "synchronisation", func() bool {
		return c.ask(t, call{actor: "admin", path: at}).text(t, "/status") == "SUCCESS"
	})
	c.want(t, http.StatusOK, call{actor: "alice", method: "PATCH", path: "/api/v2/user/current-order", body: `{"group": 2, "name": "Cart"}`})
	for kind, item := range map[string]string{
		"deploy": `{"blueprint": 2, "blueprint-items-arguments": {"build-item-Web": {"environment": 3}, "build-item-Database": {"environment": 2}}}`,
		"prov":   `{"environment": 3, "os-build": 1, "parameters": {"vm-size": "small"}}`,
		"mod":    `{"server": 1, "parameters": {"mem_size": "3 GB"}}`,
		"decom":  `{"servers": [2]}`,
	} {
		c.want(t, http.StatusOK, call{actor: "alice", method: "POST", path: "/api/v2/user/current-order/" + kind + "-items", body: item})
	}
	for _, limit := range []string{`{"group": 4, "kind": "money", "limit": "500"}`, `{"group": 5, "environment": 4, "kind": "disk", "limit": 100}`, `{"environment": 3, "kind": "cpu", "limit": 50}`} {
		c.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/quotas/", body: limit})
	}
	own := c.want(t, http.StatusCreated, call{actor: "alice", method: "POST", path: "/api/v2/orders/", body: `{"group": 3, "submit-now": true, "items": {"prov-items": [{"environment": 4, "os-build": 1, "parameters": {"vm-size": "small"}}]}}`})
	c.want(t, http.StatusOK, call{actor: "bob", method: "POST", path: own.header.Get("Location") + "/actions/deny", body: `{"reason": "No."}`})
	c.want(t, http.StatusOK, call{actor: "carol", path: "/api/v2/user/current-order"})
	leased := c.want(t, http.StatusCreated, call{actor: "alice", method: "POST", path: "/api/v2/orders/", body: `{"group": 2, "submit-now": true, "items": {"deploy-items": [
		{"blueprint": 2, "resource-parameters": {"expiration-date": "2999-12-31"}, "blueprint-items-arguments": {"build-item-Web": {"environment": 3}, "build-item-Database": {"environment": 2}}}]}}`})
	until(t, "the order of what expires", func() bool {
		return c.ask(t, call{actor: "alice", path: leased.header.Get("Location")}).text(t, "/status") == "SUCCESS"
	})
	hook := c.want(t, http.StatusCreated, call{actor: "alice", method: "POST", path: "/api/v2/webhooks/", body: `{"name": "Hook", "url": "https://hooks.example.com/", "event-types": ["order.*"], "about": "/api/v2/orders/1", "group": 2}`})
	do := hook.header.Get("Location") + "/actions/"
	c.want(t, http.StatusCreated, call{actor: "alice", method: "POST", path: do + "test"})
	c.want(t, http.StatusOK, call{actor: "alice", method: "POST", path: do + "disable"}) // the delivery has failed
	c.want(t, http.StatusOK, call{actor: "alice", method: "POST", path: do + "enable"})
	snapshot := c.want(t, http.StatusAccepted, call{actor: "alice", method: "POST", path: "/api/v2/servers/1/actions/snapshot/", body: `{"name": "before"}`})
	until(t, "snapshot", func() bool {
		return c.ask(t, call{actor: "alice", path: snapshot.header.Get("Location")}).text(t, "/status") == "SUCCESS"
	})
	c.stopWorkers(t)
	return c
}

// visit is what a crawler has to look at next, and where it found it.
type visit struct{ url, from string }

// TestEveryLinkLeadsSomewhere follows, as each of the demo's users, every link from
// the root: each answers, is valid, knows its own address, and has a HEAD; every
// action that is offered is one. Paths in values count as links too.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		for _, u := range demo.Users {
			pages := c.crawl(t, u.Name)
			t.Logf("%s: %d pages", u.Name, pages)
			if pages < 30 {
				t.Errorf("%s: only %d pages were found", u.Name, pages)
			}
		}
	})
}

const mostPages = 2000

func (c *cloud) crawl(t *testing.T, actor string) int {
	t.Helper()
	queue := []visit{{"/api/v2/", "nowhere"}}
	seen := map[string]bool{"/api/v2/": true}
	for i := 0; i < len(queue) && i < mostPages; i++ {
		v := queue[i]
		for _, found := range c.inspect(t, actor, v) {
			if !seen[found] {
				seen[found] = true
				queue = append(queue, visit{found, v.url})
			}
		}
	}
	if len(queue) > mostPages {
		t.Errorf("%s: more than %d pages; the rest was not looked at", actor, mostPages)
	}
	return len(queue)
}

// inspect looks at one page and returns the addresses that it names.
func (c *cloud) inspect(t *testing.T, actor string, v visit) []string {
	t.Helper()
	a, err := c.do(call{actor: actor, path: v.url})
	if err != nil {
		t.Errorf("%s, from %s: %v", actor, v.from, err)
		return nil
	}
	if isAction(v.url) {
		if a.status != http.StatusMethodNotAllowed || !slices.Contains(strings.Split(a.header.Get("Allow"), ", "), "POST") {
			t.Errorf("%s: GET of the action %s: %d, Allow: %s", actor, v.url, a.status, a.header.Get("Allow"))
		}
		return nil
	}
	if a.status != http.StatusOK {
		t.Errorf("%s: %s, linked from %s: %d", actor, v.url, v.from, a.status)
		return nil
	}
	head, err := c.do(call{actor: actor, method: http.MethodHead, path: v.url})
	if err != nil || head.status != a.status || head.header.Get("Content-Type") != a.header.Get("Content-Type") {
		t.Errorf("%s: HEAD %s: %v %+v", actor, v.url, err, head)
	}
	c.options(t, actor, v.url)
	if a.kind() != "application/hal+json" {
		return nil
	}
	if self := a.text(t, "/_links/self/href"); self != canonical(v.url) {
		t.Errorf("%s: %s says that it is %s", actor, v.url, self)
	}
	return c.named(t, a)
}

func isAction(url string) bool {
	// There is a collection of that name as well.
	return strings.Contains(strings.TrimPrefix(url, "/api/v2/actions"), "/actions/") || strings.HasSuffix(url, "/import/")
}

// canonical returns the address that a page says it has: the same, but for what is
// the same page at another place.
func canonical(url string) string {
	switch url {
	case "/api/v2/resources/":
		return "/api/v2/resources/service/?page=1"
	}
	path, query, _ := strings.Cut(url, "?")
	if query == "" {
		if strings.HasSuffix(path, "-items/") || strings.HasSuffix(path, "/templates/") || path == "/api/v2/" || strings.HasPrefix(path, "/api/v2/docs/") || !strings.HasSuffix(path, "/") || !isList(path) {
			return url
		}
		return url + "?page=1"
	}
	// A cursor only makes it quick.
	var keep []string
	if !strings.Contains(query, "page=") {
		keep = append(keep, "page=1")
	}
	for _, pair := range strings.Split(query, "&") {
		if !strings.HasPrefix(pair, "after=") && !strings.HasPrefix(pair, "before=") {
			keep = append(keep, pair)
		}
	}
	return path + "?" + strings.Join(keep, "&")
}

// isList tells a list from an item whose path ends with a slash.
func isList(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	last := parts[len(parts)-1]
	return strings.Trim(last, "0123456789") != ""
}

// named gives the addresses that a document names: in links, in values, and those
// of the explanations of its relations.
func (c *cloud) named(t *testing.T, a *answer) []string {
	t.Helper()
	var out []string
	var read func(v any)
	read = func(v any) {
		switch x := v.(type) {
		case string:
			if strings.HasPrefix(x, "/api/") && !strings.Contains(x, "{") {
				out = append(out, x)
			}
		case []any:
			for _, y := range x {
				read(y)
			}
		case map[string]any:
			for name, y := range x {
				if rel, ok := strings.CutPrefix(name, "cb:"); ok {
					out = append(out, "/api/v2/docs/rels/"+rel)
				}
				read(y)
			}
		}
	}
	read(a.json(t))
	slices.Sort(out)
	out = slices.Compact(out)
	// The caller's own user and cart have their canonical addresses elsewhere.
	return slices.DeleteFunc(out, func(u string) bool { return u == "/api/v2/user" || u == "/api/v2/user/current-order" })
}

// TestOffersAreKept holds, for each user and each object that they see, the actions
// that the document offers against what happens when they are asked for: what is
// offered is done, everything else is refused.
func TestOffersAreKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		kept, refused := 0, 0
		for _, u := range []string{"carol", "bob", "alice", "admin"} {
			for _, d := range c.app.Face.Declarations() {
				if len(d.Actions) == 0 {
					continue
				}
				list := c.ask(t, call{actor: u, path: d.Path() + "?page_size=100"})
				if list.status == http.StatusNotFound {
					continue
				}
				hrefs := list.text(t, "/_embedded/"+d.Plural+"/*/_links/self/href")
				for _, href := range strings.Fields(hrefs) {
					k, r := c.tryActions(t, u, d, href)
					kept, refused = kept+k, refused+r
					c.tryDelete(t, u, d, href)
				}
			}
		}
		t.Logf("%d actions were offered, %d were not", kept, refused)
		if kept < 20 || refused < 50 {
			t.Errorf("only %d actions were offered and %d were not", kept, refused)
		}
	})
}

// asking are the actions that need more than an empty body. TestEveryOfferIsKept
// fills their forms in.
var asking = map[string]bool{"order": true, "modify": true, "import-template": true, "change-password": true}

func (c *cloud) tryActions(t *testing.T, actor string, d *resource.Def, href string) (kept, refused int) {
	t.Helper()
	actions, err := d.ActionsOn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	actions = slices.Clone(actions)
	if d.Plural == "services" { // whose first action ends what the others are about
		slices.Reverse(actions)
	}
	for _, x := range actions {
		// What was done before may have changed what is offered.
		doc := c.want(t, http.StatusOK, call{actor: actor, path: href})
		var links struct {
			Links map[string]json.RawMessage `json:"_links"`
		}
		if err := json.Unmarshal(doc.body, &links); err != nil {
			t.Fatal(err)
		}
		_, offered := links.Links["cb:"+x.Rel]
		a := c.ask(t, call{
			actor: actor, method: "POST", path: strings.TrimSuffix(href, "/") + "/actions/" + x.Path,
			body: c.filledIn(t, actor, d, x, href, offered),
		})
		switch {
		case offered && a.status == http.StatusBadRequest && asking[x.Rel]:
			kept++
		case offered && a.status >= 300:
			t.Errorf("%s: %s of %s is offered, and refused: %s", actor, x.Rel, href, a.body)
		case !offered && a.status < 300:
			t.Errorf("%s: %s of %s is not offered, and done", actor, x.Rel, href)
		case offered:
			kept++
		default:
			refused++
		}
	}
	return kept, refused
}

// tryDelete holds the guard of DELETE, from which templates are made, against what
// DELETE answers.
func (c *cloud) tryDelete(t *testing.T, actor string, d *resource.Def, href string) {
	t.Helper()
	if !slices.Contains([]string{"servers", "services", "resources", "snapshots"}, d.Plural) {
		return // what administrators keep is in use or not, which no row knows of itself
	}
	a, row := c.seen(t, actor, d, href)
	refusal := d.CanDelete(a, row)
	got := c.ask(t, call{actor: actor, method: "DELETE", path: href})
	if (refusal == nil) != (got.status < 300) {
		t.Errorf("%s: DELETE of %s: the guard says %v, the answer %d %s", actor, href, refusal, got.status, got.body)
	}
}

// seen returns a user as an actor, and the row that they see at an address.
func (c *cloud) seen(t *testing.T, actor string, d *resource.Def, href string) (access.Actor, any) {
	t.Helper()
	ctx := context.Background()
	user, err := c.app.Refdata.UserByName(ctx, actor)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.app.Refdata.Actor(ctx, user, "")
	if err != nil {
		t.Fatal(err)
	}
	row, err := d.Find(ctx, a, path.Base(href))
	if err != nil {
		t.Fatal(err)
	}
	return a, row
}

// filledIn returns the body of who sends an action's form as it comes, "" where there
// is none.
func (c *cloud) filledIn(t *testing.T, actor string, d *resource.Def, x *resource.ActionDef, href string, offered bool) string {
	t.Helper()
	a, row := c.seen(t, actor, d, href)
	if !offered || asking[x.Rel] {
		return ""
	}
	form, err := x.Form(context.Background(), a, row)
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]string{}
	for _, p := range form {
		if p.Value != "" {
			body[p.Name] = p.Value
		} else if p.Required {
			t.Errorf("%s: the form of %s has nothing to begin with for %s, which is required", href, x.Rel, p.Name)
		}
	}
	if len(body) == 0 {
		return ""
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOffersOnLists holds the same of what can be done with a whole collection.
func TestOffersOnLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		for _, u := range demo.Users {
			a := c.want(t, http.StatusOK, call{actor: u.Name, path: "/api/v2/"})
			offered := a.text(t, "/_links/cb:sync-vms/href")
			got := c.ask(t, call{actor: u.Name, method: "POST", path: "/api/v2/resource-handlers/actions/sync-vms"})
			if (offered != "") != (got.status < 300) {
				t.Errorf("%s: offered %q, answered %d", u.Name, offered, got.status)
			}
		}
	})
}

// TestTitlesAreWhatIsSeen holds the directory's memory, for rows of all its tables,
// against what the API lists for the same caller.
func TestTitlesAreWhatIsSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		ctx := context.Background()
		for _, u := range demo.Users {
			row, err := c.app.Refdata.UserByName(ctx, u.Name)
			if err != nil {
				t.Fatal(err)
			}
			actor, err := c.app.Refdata.Actor(ctx, row, "")
			if err != nil {
				t.Fatal(err)
			}
			for plural, table := range map[string]string{
				"users": refdata.Users, "groups": refdata.Groups, "environments": refdata.Environment,
				"blueprints": refdata.Blueprints, "resource-handlers": refdata.Handlers, "os-builds": refdata.OSBuilds, "perf-types": refdata.Sizes,
			} {
				list := c.ask(t, call{actor: u.Name, path: "/api/v2/" + plural + "/?page_size=100"})
				ids := strings.Fields(list.text(t, "/_embedded/"+plural+"/*/id"))
				titles, err := c.app.Refdata.Titles(ctx)
				if err != nil {
					t.Fatal(err)
				}
				var named []string
				for id := models.ID(1); id < 20; id++ {
					if _, ok := titles.Title(actor, table, id); ok {
						named = append(named, fmt.Sprint(id))
					}
				}
				titles.Release()
				if !slices.Equal(ids, named) {
					t.Errorf("%s: %s lists %v, and titles are known of %v", u.Name, plural, ids, named)
				}
			}
		}
	})
}
