package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// evil is a name that would do harm wherever it is not written as what it is.
const evil = "</script><script>alert('x')</script>\"&<b>\\ \u2028 {rel} ${x} %0d%0a"

// TestNamesAreOnlyNames gives everything that can be named a name of HTML, quotes
// and what else means something somewhere, and looks at every document in every
// representation: the name is there as it was given, the documents are valid, and
// no header says it.
func TestNamesAreOnlyNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		planted := c.plant(t)
		found := map[string]int{}
		queue := []visit{{"/api/v2/", "nowhere"}}
		seen := map[string]bool{"/api/v2/": true}
		for i := 0; i < len(queue); i++ {
			if isAction(queue[i].url) || strings.HasSuffix(queue[i].url, "/templates/") && !strings.Contains(queue[i].url, "/1/") { // its back end is made up
				continue
			}
			for _, accept := range []string{"application/hal+json", formsType, "application/json", pageType} {
				a := c.want(t, http.StatusOK, call{actor: "admin", path: queue[i].url, accept: accept})
				c.harmless(t, a)
				if a.kind() == pageType {
					for _, more := range []string{"_source=forms", "_select=1"} {
						c.harmless(t, c.want(t, http.StatusOK, call{actor: "admin", path: beside(queue[i].url, more), accept: pageType}))
					}
				}
				if strings.Contains(string(a.body), "alert") {
					found[accept]++
				}
				if accept != "application/hal+json" || !strings.Contains(a.kind(), "hal") {
					continue
				}
				for _, next := range c.named(t, a) {
					if !seen[next] && !strings.HasPrefix(next, "/api/v2/docs/") {
						seen[next] = true
						queue = append(queue, visit{next, queue[i].url})
					}
				}
			}
		}
		for _, href := range planted {
			if !seen[href] {
				t.Errorf("%s was not looked at", href)
			}
		}
		t.Logf("%d pages; the name is in %v", len(queue), found)
		for accept, n := range found {
			if n < 25 {
				t.Errorf("%s: the name is in %d documents only", accept, n)
			}
		}
	})
}

// plant makes one of everything that has a name, and returns their addresses.
func (c *cloud) plant(t *testing.T) []string {
	t.Helper()
	var made []string
	make := func(path string, body map[string]any) string {
		t.Helper()
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a := c.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: path, body: string(data)})
		made = append(made, a.header.Get("Location"))
		return a.header.Get("Location")
	}
	type m = map[string]any
	group := make("/api/v2/groups/", m{"name": evil, "type": evil, "description": evil, "auto-approval": true})
	make("/api/v2/users/", m{"username": "<script>alert(1)<&'\"", "first-name": evil, "last-name": evil, "email": "<script>@alert"})
	make("/api/v2/roles/", m{"name": evil, "label": evil, "description": evil, "permissions": []string{"group.view"}})
	handler := make("/api/v2/resource-handlers/", m{"name": evil, "description": evil, "type": "vsphere", "url": c.vc.URL, "username": evil})
	env := make("/api/v2/environments/", m{"name": evil, "description": evil, "resource-handler": handler, "folder": evil})
	build := make("/api/v2/os-builds/", m{"name": evil, "os-family": evil, "templates": []m{{"resource-handler": handler, "template": evil}}})
	size := make("/api/v2/perf-types/", m{"name": evil, "description": evil, "cpu-cnt": 1, "mem-size": "1 GB"})
	make("/api/v2/ip-pools/", m{"name": evil, "network": evil, "first-ip": "192.0.2.1", "last-ip": "192.0.2.9", "prefix": 24, "resource-handler": handler})
	blueprint := make("/api/v2/blueprints/", m{
		"name": evil, "description": evil,
		"build-items": []m{{"name": "<script>alert", "os-build": build, "perf-type": size}},
		"inputs":      []m{{"name": "<script>alert&", "label": evil, "description": evil, "options": []string{evil, "other"}, "default": evil}},
	})
	make("/api/v2/orders/", m{"name": evil, "group": group, "submit-now": true, "items": m{"deploy-items": []m{{
		"blueprint": blueprint, "service-name": evil, "environment": env, "resource-parameters": m{"<script>alert&": evil},
	}}}})
	// The form takes its members' names from the blueprint.
	make(blueprint+"/actions/order", m{"group": group, "environment": env, "<script>alert&": evil, "name": evil, "service-name": evil})
	c.want(t, http.StatusBadRequest, call{actor: "admin", method: "POST", path: blueprint + "/actions/order", body: `{"<script>alert(1)": "x"}`})
	make("/api/v2/webhooks/", m{"name": evil, "url": "https://hooks.example.com/<script>alert", "event-types": []string{"*"}, "group": group})
	return made
}

// harmless holds that the name, where a document has it, is whole, that nothing
// of it is raw where it would end a script, and that no header has it.
func (c *cloud) harmless(t *testing.T, a *answer) {
	t.Helper()
	for name, values := range a.header {
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "<\r\n") }) {
			t.Errorf("%s: the header %s is %q", a.call, name, values)
		}
	}
	if a.kind() == pageType {
		onlyText(t, a)
		return
	}
	if !strings.HasSuffix(a.kind(), "json") {
		return
	}
	if strings.Contains(string(a.body), "\u2028") {
		t.Errorf("%s: a line separator stands as it is", a.call)
	}
	var read func(v any)
	read = func(v any) {
		switch x := v.(type) {
		case string:
			if strings.Contains(x, "</script>") && !strings.Contains(x, evil) && !strings.Contains(x, `\u2028`) {
				t.Errorf("%s: the name has become %q", a.call, x)
			}
		case []any:
			for _, y := range x {
				read(y)
			}
		case map[string]any:
			for _, y := range x {
				read(y)
			}
		}
	}
	read(a.json(t))
}

// beside adds a parameter to an address.
func beside(address, parameter string) string {
	if strings.Contains(address, "?") {
		return address + "&" + parameter
	}
	return address + "?" + parameter
}

// onlyText holds that nothing of a name has become an element or an attribute of a
// page, and that it is whole where it is written.
func onlyText(t *testing.T, a *answer) {
	t.Helper()
	for n := range a.page(t).Descendants() {
		switch n.Type {
		case html.ElementNode:
			if n.Data == "b" || n.Data == "script" && attribute(n, "src") == "" {
				t.Errorf("%s: a name has become the element %s", a.call, n.Data)
			}
			for _, x := range n.Attr {
				if strings.Trim(x.Key, "abcdefghijklmnopqrstuvwxyz-") != "" || strings.HasPrefix(x.Key, "on") || strings.HasPrefix(x.Val, "javascript:") {
					t.Errorf("%s: a name has become the attribute %s=%q of %s", a.call, x.Key, x.Val, n.Data)
				}
			}
		case html.TextNode:
			if strings.Contains(n.Data, "</script>") && !strings.Contains(n.Data, evil) && !strings.Contains(n.Data, `\"&<b>`) {
				t.Errorf("%s: the name has become %q", a.call, n.Data)
			}
		case html.ErrorNode, html.DocumentNode, html.CommentNode, html.DoctypeNode, html.RawNode:
		}
	}
}
