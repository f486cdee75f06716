package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"halcyon/pkg/auth"
	"halcyon/pkg/demo"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/web"
)

// bad is a request that has to be refused.
type bad struct {
	name   string
	call   call
	status int
	names  string // what the answer has to name: in its detail or in a pointer
}

const deployItem = `{"group": 2, "items": {"deploy-items": [{"blueprint": 1, "blueprint-items-arguments": {"build-item-Server": %s}}]}}`

func posted(path, body string) call {
	return call{actor: "alice", method: "POST", path: path, body: body}
}

func ordered(body string) call { return posted("/api/v2/orders/", body) }

func byAdmin(method, path, body string) call {
	return call{actor: "admin", method: method, path: path, body: body}
}

// TestBadInput sends what is wrong in every way that came to mind, in both shapes:
// the answer is a 4xx that names the culprit, and nothing is written.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var cases []bad
	add := func(name string, c call, status int, names string) {
		cases = append(cases, bad{name, c, status, names})
	}

	// Bodies that are no JSON object.
	for _, x := range []struct{ body, names string }{
		{`{`, "ends too early"},
		{`{"group": }`, "not JSON"},
		{`{"group": 2,}`, "not JSON"},
		{`{'group': 2}`, "not JSON"},
		{`[]`, "an array"},
		{`"text"`, "a string"},
		{`17`, "a number"},
		{`null`, "null"},
		{`true`, "true or false"},
		{`nul`, "not JSON"},
		{`{} {}`, "goes on"},
		{"{\"name\": \"\xff\xfe\"}", "UTF-8"},
		{`{"name": "a", "name": "b"}`, "twice"},
		{"{\"name\": \"a\x00\"}", "not JSON"},
		{`{"name": "a\u0000b"}`, "NUL"},
		{`{"a\u0000b": 1}`, ""},
		{strings.Repeat(`{"items":`, 40) + "1" + strings.Repeat("}", 40), "nested"},
		{strings.Repeat(`[`, 100000), "nested"},
		{`{"items": ` + strings.Repeat(`[`, 50000) + strings.Repeat(`]`, 50000) + `}`, "nested"},
	} {
		add("body "+cut(x.body), ordered(x.body), http.StatusBadRequest, x.names)
	}

	// Members of the wrong type, unknown ones, and those that nobody sets.
	for _, x := range []struct{ body, names string }{
		{`{"group": true}`, "/group"},
		{`{"group": []}`, "/group"},
		{`{"group": {"id": 2}}`, "/group"},
		{`{"group": 2.5}`, "/group"},
		{`{"group": -2}`, "/group"},
		{`{"group": 1e3}`, "/group"},
		{`{"group": 99999999999999999999999}`, "/group"},
		{`{"group": "GRP-nothing1"}`, "/group"},
		{`{"group": "/api/v2/users/2"}`, "/group"},
		{`{"group": "/api/v2/groups/"}`, "/group"},
		{`{"group": "/api/v1/groups/2"}`, "/group"},
		{`{"group": "../groups/2"}`, "/group"},
		{`{"group": "2; DROP TABLE users"}`, "/group"},
		{`{"group": "00000000-0000-0000-0000-000000000000"}`, "/group"},
		{`{"group": 5}`, "/group"},
		{`{"group": 999}`, "/group"},
		{`{"name": {}}`, "/name"},
		{`{"name": []}`, "/name"},
		{`{"submit-now": "perhaps"}`, "/submit-now"},
		{`{"submit-now": []}`, "/submit-now"},
		{`{"submit-now": 2}`, "/submit-now"},
		{`{"items": []}`, "/items"},
		{`{"items": "none"}`, "/items"},
		{`{"items": {"deploy-items": {}}}`, "/items/deploy-items"},
		{`{"items": {"deploy-items": ["one"]}}`, "/items/deploy-items/0"},
		{`{"items": {"deploy-items": [null]}}`, "/items/deploy-items/0/blueprint"},
		{`{"items": {"deploy-items": [{}]}}`, "/items/deploy-items/0/blueprint"},
		{`{"items": {"deploy-items": [{"blueprint": 99}]}}`, "/items/deploy-items/0/blueprint"},
		{`{"items": {"mod-items": [{}]}}`, "/items/mod-items/0/server"},
		{`{"group": 2, "items": {"mod-items": [{"server": 1, "parameters": {"mem_size": "lots"}}]}}`, "/items/mod-items/0/parameters/mem_size"},
		{`{"group": 2, "items": {"mod-items": [{"server": 1, "parameters": {"colour": "red"}}]}}`, "colour"},
		{`{"group": 2, "items": {"decom-items": [{"servers": [99]}]}}`, "/items/decom-items/0/servers/0"},
		{`{"group": 2, "items": {"decom-items": [{"servers": [1, 1]}]}}`, "servers"},
		{`{"group": 2, "submit-now": true, "items": {"decom-items": [{}]}}`, "decom-items"},
		{`{"group": 2, "items": {"prov-items": [{"environment": 2, "os-build": 1, "applications": ["/api/v2/applications/99"]}]}}`, "/items/prov-items/0/applications/0"},
		{`{"group": 2, "items": {"prov-items": [{"environment": 1, "os-build": 1, "parameters": {"vm-size": "small"}}]}}`, "environment"},
		{`{"group": 2, "items": {"prov-items": [{"environment": 4, "os-build": 1, "parameters": {"vm-size": "small"}}]}}`, "environment"},
		{`{"nope": 1}`, "/nope"},
		{`{"items": {"nope": []}}`, "/items/nope"},
		{`{"items": {"deploy-items": [{"blueprint": 1, "nope": 1}]}}`, "/items/deploy-items/0/nope"},
		{`{"id": 7}`, "/id"},
		{`{"status": "SUCCESS"}`, "/status"},
		{`{"approved-by": "/api/v2/users/2"}`, "/approved-by"},
		{`{"rate": 0}`, "/rate"},
		{`{"owner": "/api/v2/users/4"}`, "/owner"},
		{`{"recipient": 4}`, "/recipient"},
		{`{"group": 2, "submit-now": true}`, "/items"},
		{`{"submit-now": true, "items": {"prov-items": [{"environment": 3, "os-build": 1, "parameters": {"vm-size": "small"}}]}}`, "/group"},
	} {
		add("order "+cut(x.body), ordered(x.body), http.StatusBadRequest, x.names)
	}
	for _, x := range []struct{ argument, names string }{
		{`{"attributes": {"quantity": -1}}`, "quantity"},
		{`{"attributes": {"quantity": 0}}`, "quantity"},
		{`{"attributes": {"quantity": 101}}`, "quantity"},
		{`{"attributes": {"quantity": 1000000000000}}`, "quantity"},
		{`{"attributes": {"quantity": 99999999999999999999}}`, "quantity"},
		{`{"attributes": {"quantity": 1e99}}`, "quantity"},
		{`{"attributes": {"quantity": 1.5}}`, "quantity"},
		{`{"attributes": {"quantity": "many"}}`, "quantity"},
		{`{"attributes": {"quantity": [1]}}`, "quantity"},
		{`{"attributes": {"nope": 1}}`, "nope"},
		{`{"environment": 3, "parameters": {"vm-size": "small"}, "attributes": {"hostname": "a b"}}`, "hostname"},
		{`{"environment": 3, "parameters": {"vm-size": "small"}, "attributes": {"hostname": "` + strings.Repeat("a", 300) + `"}}`, "hostname"},
		{`{"environment": 3, "parameters": {"vm-size": "gigantic"}}`, "vm-size"},
		{`{"environment": 3, "parameters": {"vm-size": ["small"]}}`, "vm-size"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "cpu-cnt": -1}}`, "cpu-cnt"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "cpu-cnt": 1e9}}`, "cpu-cnt"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "cpu-cnt": "9223372036854775808"}}`, "cpu-cnt"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "mem_size": "-1 GB"}}`, "mem_size"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "mem_size": "1e308 GB"}}`, "mem_size"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "mem_size": "9999999999999999999 GB"}}`, "mem_size"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "mem_size": "NaN GB"}}`, "mem_size"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "expiration-date": "1999-01-01"}}`, "expiration-date"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "expiration-date": "tomorrow"}}`, "expiration-date"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "expiration-date": "2999-02-30"}}`, "expiration-date"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "sw-stack": "Wild"}}`, "sw-stack"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "colour": "red"}}`, "colour"},
		{`{"environment": 3, "parameters": {"vm-size": "small", "a\u0000b": "red"}}`, ""},
		{`{"environment": 3, "parameters": {"vm-size": "small", "vm_size": "large"}}`, "vm_size"},
		{`{"environment": 3, "parameters": []}`, "parameters"},
		{`{"environment": 3, "os-build": 77, "parameters": {"vm-size": "small"}}`, "os-build"},
		{`{"environment": 4, "parameters": {"vm-size": "small"}}`, "environment"},
		{`{"environment": [3], "parameters": {"vm-size": "small"}}`, "environment"},
	} {
		add("argument "+cut(x.argument), ordered(fmt.Sprintf(deployItem, x.argument)), http.StatusBadRequest, x.names)
	}

	// Administration: required members, limits, references, what nobody may set.
	for _, x := range []struct {
		path, body, names string
	}{
		{"users", `{}`, "/username"},
		{"users", `{"username": ""}`, "/username"},
		{"users", `{"username": 7, "is-active": "perhaps"}`, "/is-active"},
		{"users", `{"username": "eve", "password": ["a"]}`, "/password"},
		{"users", `{"username": "eve", "password-hash": "x"}`, "/password-hash"},
		{"users", `{"username": "eve", "password_hash": "x"}`, "/password_hash"},
		{"users", `{"username": "eve", "groups": [1]}`, "/groups"},
		{"users", `{"username": "` + strings.Repeat("e", 5000) + `"}`, "username"},
		{"users", `{"username": "eve\u0000"}`, "NUL"},
		{"groups", `{}`, "/name"},
		{"groups", `{"name": "  "}`, "name"},
		{"groups", `{"name": "X", "parent": 999}`, "/parent"},
		{"groups", `{"name": "` + strings.Repeat("x", 5000) + `"}`, "name"},
		{"groups", `{"name": "X", "auto-approval": "maybe"}`, "/auto-approval"},
		{"roles", `{"name": "r", "permissions": ["rule.the.world"]}`, "permissions"},
		{"roles", `{"name": "r", "permissions": 7}`, "/permissions"},
		{"roles", `{"name": "r", "built-in": true}`, "/built-in"},
		{"memberships", `{}`, "/user"},
		{"memberships", `{"user": 2, "group": 2, "role": 99}`, "/role"},
		{"memberships", `{"user": 2, "group": 2, "role": 1, "expires": "1999-01-01T00:00:00"}`, "/expires"},
		{"memberships", `{"user": 2, "group": 2, "role": 1, "expires": "soon"}`, "/expires"},
		{"environments", `{}`, "/name"},
		{"environments", `{"name": "E", "groups": "all"}`, "/groups"},
		{"environments", `{"name": "E", "groups": [99]}`, "/groups/0"},
		{"environments", `{"name": "E", "cpu-rate": "free"}`, "/cpu-rate"},
		{"environments", `{"name": "E", "cpu-rate": "99999999999999999999999"}`, "/cpu-rate"},
		{"environments", `{"name": "E", "cpu-rate": -1}`, "cpu-rate"},
		{"resource-handlers", `{"name": "H", "type": "abacus", "url": "http://x"}`, "type"},
		{"resource-handlers", `{"name": "H", "type": "vsphere", "url": "gopher://x"}`, "url"},
		{"resource-handlers", `{"name": "H", "type": "vsphere", "url": "http://x", "product": "mine"}`, "/product"},
		{"ip-pools", `{"name": "P", "resource-handler": 1, "network": "n", "first-ip": "10.0.0.9", "last-ip": "10.0.0.1", "prefix": 24}`, "/last-ip"},
		{"ip-pools", `{"name": "P", "resource-handler": 1, "network": "n", "first-ip": "ten", "last-ip": "10.0.0.1", "prefix": 40}`, "/first-ip"},
		{"os-builds", `{"name": "O", "templates": [{"template": "t"}]}`, "/templates/0"},
		{"os-builds", `{"name": "O", "templates": ["t"]}`, "/templates/0"},
		{"perf-types", `{"name": "S", "cpu-cnt": 0, "mem-size": "1 GB"}`, "cpu-cnt"},
		{"perf-types", `{"name": "S", "cpu-cnt": -4, "mem-size": "1 GB"}`, "cpu-cnt"},
		{"perf-types", `{"name": "S", "cpu-cnt": 99999999999, "mem-size": "1 GB"}`, "cpu-cnt"},
		{"perf-types", `{"name": "S", "cpu-cnt": 1, "mem-size": "much"}`, "/mem-size"},
		{"perf-types", `{"name": "S", "cpu-cnt": 1, "mem-size": "1 GB", "rate": "-1"}`, "rate"},
		{"perf-types", `{"name": "S", "cpu-cnt": 1, "mem-size": "1 GB", "gpu-cnt": -1}`, "gpu-cnt"},
		{"blueprints", `{"name": "B"}`, "build-items"},
		{"blueprints", `{"name": "B", "state": "asleep", "build-items": []}`, "state"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A"}, {"name": "A"}]}`, "/build-items/1/name"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A", "quantity": -1}]}`, "/build-items/0/quantity"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A", "quantity": 1e9}]}`, "quantity"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A"}], "inputs": [{"name": "x", "type": "colour"}]}`, "inputs"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A"}], "inputs": [{"name": "x", "pattern": "("}]}`, "inputs"},
		{"blueprints", `{"name": "B", "build-items": [{"name": "A"}], "inputs": [{"name": "x", "type": "integer", "minimum": 9, "maximum": 1}]}`, "inputs"},
	} {
		add(x.path+" "+cut(x.body), byAdmin("POST", "/api/v2/"+x.path+"/", x.body), http.StatusBadRequest, x.names)
	}
	add("own parent", byAdmin("PATCH", "/api/v2/groups/5", `{"parent": 6}`), http.StatusBadRequest, "/parent")
	add("name of another", byAdmin("POST", "/api/v2/users/", `{"username": "ALICE"}`), http.StatusConflict, "")
	add("built-in role", byAdmin("PATCH", "/api/v2/roles/1", `{"name": "boss"}`), http.StatusConflict, "built in")
	add("Unassigned", byAdmin("DELETE", "/api/v2/groups/1", ""), http.StatusConflict, "Unassigned")
	add("oneself", byAdmin("DELETE", "/api/v2/users/1", ""), http.StatusConflict, "")

	// Forms.
	form := func(body string) call {
		return call{actor: "alice", method: "POST", path: "/api/v2/orders/", body: body, label: "application/x-www-form-urlencoded"}
	}
	add("form with NUL", form("name=a%00b"), http.StatusBadRequest, "name")
	add("form with NUL in a name", form("na%00me=a"), http.StatusBadRequest, "")
	add("form that is not UTF-8", form("name=%ff%fe"), http.StatusBadRequest, "")
	add("form with a bad escape", form("name=%zz"), http.StatusBadRequest, "form")
	add("form with a name twice", form("name=a&name=b"), http.StatusBadRequest, "name")
	add("form with an unknown name", form("nope=1"), http.StatusBadRequest, "nope")

	// Labels and sizes.
	for _, label := range []string{"text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", "application/json; charset=\"", "/", "x"} {
		c := ordered(`{"group": 2}`)
		c.label = label
		add("label "+label, c, http.StatusUnsupportedMediaType, "application/json")
	}
	huge := `{"name": "` + strings.Repeat("x", web.MaxBody) + `"}`
	add("too large", ordered(huge), http.StatusRequestEntityTooLarge, "1048576")
	add("too large for an action", posted("/api/v2/orders/1/actions/duplicate", huge), http.StatusRequestEntityTooLarge, "1048576")
	add("too large for a token", call{method: "POST", path: "/api/v2/api-token-auth/", body: huge}, http.StatusRequestEntityTooLarge, "1048576")
	for _, path := range []string{"/api/v2/orders/", "/api/v2/orders/1/actions/duplicate", "/api/v2/user/current-order/prov-items"} {
		c := posted(path, huge)
		c.stream = true
		add("too large, without its length, for "+path, c, http.StatusRequestEntityTooLarge, "1048576")
	}
	add("a long name", ordered(`{"name": "`+strings.Repeat("x", 10000)+`"}`), http.StatusBadRequest, "name")

	// Queries.
	for _, x := range []struct{ query, names string }{
		{"nope=1", "nope"},
		{"filter=" + strings.Repeat("x", 5000), "filter"},
		{"filter=" + strings.Repeat("id:1;", 17), "filter"},
		{"filter=hostname:" + strings.Repeat("x", 600), "filter"},
		{"filter=hostname:%00", "filter"},
		{"filter=hostname:%ff", "filter"},
		{"filter=hostname:%zz", ""},
		{"filter=hostname.in:" + strings.Repeat("x,", 101), "filter"},
		{"filter=cpu-cnt.range:1", "filter"},
		{"filter=cpu-cnt.range:1,2,3", "filter"},
		{"filter=cpu-cnt:99999999999999999999", "filter"},
		{"filter=a.b.c.d.e:1", "filter"},
		{"filter=:1", "filter"},
		{"filter=.:1", "filter"},
		{"filter=environment..name:1", "filter"},
		{"filter=created:yesterday", "filter"},
		{"filter=hostname:a\\", "filter"},
		{"filter=hostname:'+OR+1=1--;x:1", "filter"},
		{"filter=resource-handler.password:x", "filter"},
		{"attributes=nope", "attributes"},
		{"attributes=" + strings.Repeat("x,", 200), "attributes"},
		{"attributes=owner.password", "attributes"},
		{"attributes=jobs.status", "attributes"},
		{"order=nope", "order"},
		{"order=--id", "order"},
		{"order=" + strings.Repeat("id,", 50), "order"},
		{"order=owner.password", "order"},
		{"page=0", "page"},
		{"page=-1", "page"},
		{"page=x", "page"},
		{"page=1.5", "page"},
		{"page=99999999999999999999", "page"},
		{"page_size=0", "page_size"},
		{"page_size=-5", "page_size"},
		{"page_size=x", "page_size"},
		{"after=garbage", "after"},
		{"before=garbage", "before"},
		{"after=%00", "after"},
	} {
		add("query "+cut(x.query), call{actor: "alice", path: "/api/v2/servers/?" + x.query}, http.StatusBadRequest, x.names)
	}
	add("attributes of an item", call{actor: "alice", path: "/api/v2/orders/1?attributes=nope"}, http.StatusBadRequest, "attributes")
	add("query of an item", call{actor: "alice", path: "/api/v2/orders/1?page=1"}, http.StatusBadRequest, "page")
	add("query of a write", posted("/api/v2/orders/?force=1", `{}`), http.StatusBadRequest, "force")
	add("dry run that is neither on nor off", posted("/api/v2/orders/?dry-run=2", `{}`), http.StatusBadRequest, "dry-run")
	add("query beside a dry run", posted("/api/v2/orders/?dry-run=1&force=1", `{}`), http.StatusBadRequest, "force")
	add("dry run of what has none", posted("/api/v2/orders/1/actions/approve?dry-run=1", `{}`), http.StatusBadRequest, "dry-run")
	add("query of an action", posted("/api/v2/orders/1/actions/duplicate?now=1", `{}`), http.StatusBadRequest, "now")
	add("query of the root", call{actor: "alice", path: "/api/v2/?x=1"}, http.StatusBadRequest, "x")
	add("query of a token", call{method: "POST", path: "/api/v2/api-token-auth/?x=1", body: `{}`}, http.StatusBadRequest, "x")

	// Ids of every wrong kind, and paths that lead nowhere.
	for _, id := range []string{
		"0", "-1", "+1", "01x", "1.0", "1e0", "0x1", "abc", "99999999999999999999", "9223372036854775808", "ORD-nothing1", "GRP-th3gr0up", "ORD-",
		"00000000-0000-0000-0000-000000000000", "%00", "1%00", "%ff", "%2e%2e", "..%2f..", "1%20", "%D9%A1", "'%20OR%201=1", "null", "[]", strings.Repeat("9", 3000), "1;2", "*",
	} {
		for _, at := range []string{"orders/", "jobs/", "servers/", "groups/"} {
			add("id "+at+cut(id), call{actor: "alice", path: "/api/v2/" + at + id}, http.StatusNotFound, "")
		}
		add("id of a write "+cut(id), posted("/api/v2/orders/"+id+"/actions/cancel", ""), http.StatusNotFound, "")
		add("id of an item "+cut(id), call{actor: "alice", method: "PATCH", path: "/api/v2/orders/2/prov-items/" + id, body: "{}"}, 0, "")
	}
	// What is hidden is not found, whatever the body holds.
	for _, body := range []string{`{"nope": 1}`, `{`, `[]`} {
		add("hidden order, denied with "+body, call{actor: "carol", method: "POST", path: "/api/v2/orders/2/actions/deny", body: body}, http.StatusNotFound, "ot found")
		add("hidden order, changed by "+body, call{actor: "carol", method: "PATCH", path: "/api/v2/orders/2", body: body}, http.StatusNotFound, "ot found")
		add("hidden order, given "+body, call{actor: "carol", method: "POST", path: "/api/v2/orders/2/prov-items", body: body}, http.StatusNotFound, "ot found")
		add("another's order, given "+body, call{actor: "bob", method: "POST", path: "/api/v2/orders/2/prov-items", body: body}, http.StatusForbidden, "owner")
	}
	for _, path := range []string{"nothing", "orders/1/nothing", "orders/1/actions", "orders/1/actions/explode", "orders/1/actions/submit/now", "user/nothing", "docs/nothing", "docs/rels/nothing", "docs/problems/nothing", "jobs/1/log-download-pdf"} {
		add("path "+path, call{actor: "alice", path: "/api/v2/" + path}, http.StatusNotFound, "ot found")
		if !strings.HasPrefix(path, "docs") {
			add("path without credentials "+path, call{path: "/api/v2/" + path}, http.StatusUnauthorized, "")
		}
	}

	// Conditions and keys that cannot be read, or do not hold.
	headed := func(c call, header, value string) call {
		c.header = http.Header{header: {value}}
		return c
	}
	for _, tag := range []string{"", "1", "*, *", `"open`, `W/`, `w/"1-a"`, `"1-a" "2-b"`, `"a b"`, `'1-a'`, ",", strings.Repeat(`"`, 5001)} {
		add("If-Match "+cut(tag), headed(byAdmin("PATCH", "/api/v2/groups/2", `{"name": "X"}`), "If-Match", tag), http.StatusBadRequest, "If-Match")
		add("If-None-Match "+cut(tag), headed(call{actor: "alice", path: "/api/v2/groups/2"}, "If-None-Match", tag), http.StatusBadRequest, "If-None-Match")
	}
	for _, tag := range []string{`"0-a"`, `"999-a"`, `"-1-a"`, `"1"`, `"x-1"`, `"99999999999999999999-a"`, `W/"999-a", "998-b"`} {
		for _, c := range []call{
			byAdmin("PATCH", "/api/v2/groups/2", `{"name": "X"}`), byAdmin("PUT", "/api/v2/groups/2", `{"name": "X"}`), byAdmin("DELETE", "/api/v2/groups/2", ""),
			posted("/api/v2/orders/1/actions/duplicate", ""), posted("/api/v2/user/current-order/prov-items/", `{}`), posted("/api/v2/servers/1/actions/reboot/", ""),
		} {
			add("stale If-Match "+tag+" "+c.method+" "+c.path, headed(c, "If-Match", tag), http.StatusPreconditionFailed, "If-Match")
		}
	}
	for _, key := range []string{"", `""`, strings.Repeat("k", 256), "caf\u00e9", "a\tb"} {
		add("Idempotency-Key "+cut(key), headed(ordered(`{}`), "Idempotency-Key", key), http.StatusBadRequest, "Idempotency-Key")
	}

	// Replacements, merges, relations to embed, and several rows at once.
	add("PUT without what is required", byAdmin("PUT", "/api/v2/perf-types/1", `{"name": "X"}`), http.StatusBadRequest, "/cpu-cnt")
	add("PUT of another id", byAdmin("PUT", "/api/v2/perf-types/1", `{"name": "X", "cpu-cnt": 1, "mem-size": "1 GB", "id": "2"}`), http.StatusBadRequest, "/id")
	add("PUT of links that lead elsewhere", byAdmin("PUT", "/api/v2/environments/3", `{"name": "X", "_links": {"group": {"href": "/api/v2/users/1"}}}`), http.StatusBadRequest, "group")
	add("PUT of an item that is not there", call{actor: "alice", method: "PUT", path: "/api/v2/user/current-order/prov-items/9", body: `{}`}, http.StatusNotFound, "ot found")
	add("PATCH that takes what is required", byAdmin("PATCH", "/api/v2/perf-types/1", `{"name": null}`), http.StatusBadRequest, "/name")
	add("embed of nothing known", call{actor: "alice", path: "/api/v2/servers/?embed=nope"}, http.StatusBadRequest, "embed")
	add("embed of what is hidden", call{actor: "alice", path: "/api/v2/servers/1/?embed=owner,resource-handler"}, http.StatusBadRequest, "embed")
	add("embed beyond a relation", call{actor: "alice", path: "/api/v2/servers/1/?embed=owner.groups"}, http.StatusBadRequest, "embed")
	add("embed that is long", call{actor: "alice", path: "/api/v2/servers/?embed=" + strings.Repeat("x", 5000)}, http.StatusBadRequest, "embed")
	many := "[" + strings.Repeat("1,", 100) + "2]"
	for body, names := range map[string]string{
		``: "/items", `{}`: "/items", `[]`: "/items", `{"items": null}`: "/items", `{"items": {}}`: "/items", `{"items": {"id": "1"}}`: "/items", `[[1]]`: "/items/0",
		many: "/items", `[1, 1]`: "/items/1", `["1", 1]`: "/items/1", `["999", "999"]`: "/items/1", `[null]`: "/items/0", `[{"id": 1}]`: "/items/0", `[1`: "ends too early", `[1] [2]`: "",
	} {
		add("bulk "+cut(body), posted("/api/v2/orders/actions/cancel", body), http.StatusBadRequest, names)
	}

	add("path elsewhere", call{actor: "alice", path: "/api/v3/orders"}, http.StatusNotFound, "")

	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.want(t, http.StatusOK, call{actor: "alice", path: "/api/v2/user/current-order"})
		c.stopWorkers(t)
		before := c.fingerprint(t)
		types := map[string]bool{}
		for _, x := range cases {
			for _, accept := range []string{"application/hal+json", "application/json"} {
				x.call.accept = accept
				c.refused(t, x, types)
			}
			if after := c.fingerprint(t); after != before {
				t.Errorf("%s: something was written\n%s", x.name, diff(before, after))
				before = after
			}
		}
		// Every kind of problem is explained.
		delete(types, "") // the token endpoints answer in the short shape, which has no type
		for kind := range types {
			if a := c.ask(t, call{path: kind}); a.status != http.StatusOK {
				t.Errorf("%s: %d", kind, a.status)
			}
		}
		if len(types) < 6 {
			t.Errorf("only %d kinds of problems were seen: %v", len(types), types)
		}
	})
}

// refused sends a bad request and looks at the answer. Its shape has been looked
// at by then.
func (c *cloud) refused(t *testing.T, x bad, types map[string]bool) {
	t.Helper()
	a, err := c.do(x.call)
	if err != nil {
		t.Errorf("%s: %v", x.name, cut(err.Error()))
		return
	}
	if a.status != x.status && (x.status != 0 || a.status < 400) {
		t.Errorf("%s: %d instead of %d: %s", x.name, a.status, x.status, cut(string(a.body)))
		return
	}
	if a.status < 400 {
		return
	}
	said := a.text(t, "/detail") + " " + a.text(t, "/error")
	if x.call.accept == "application/json" {
		want := x.names
		if strings.HasPrefix(want, "/") { // a pointer, which this shape writes with dots
			want = strings.ReplaceAll(want[1:], "/", ".")
		}
		if !strings.Contains(said, want) {
			t.Errorf("%s: %q does not name %q", x.name, cut(said), want)
		}
		return
	}
	said += " " + a.text(t, "/errors/*/pointer")
	if !strings.Contains(said, x.names) {
		t.Errorf("%s: %q does not name %q", x.name, cut(said), x.names)
	}
	types[a.text(t, "/type")] = true
}

// cut makes a text short enough for a message.
func cut(s string) string {
	if len(s) > 300 {
		return s[:120] + "…" + fmt.Sprintf("(%d bytes)", len(s))
	}
	return s
}

// TestHiddenFieldsDoNotExist asks for secrets by filter, attributes and order: the
// answer is the one for a name that nobody ever thought of.
func TestHiddenFieldsDoNotExist(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		for _, actor := range []string{"alice", "admin"} {
			for _, list := range []string{"users", "resource-handlers", "servers"} {
				for _, secret := range []string{"password", "password-hash", "password_hash", "passwordhash", "password-gen", "token", "secret", "key"} {
					for _, ask := range []string{"filter=%s:x", "filter=%s.startswith:a", "attributes=%s", "order=%s", "order=-%s"} {
						missing := strings.Repeat("z", len(secret))
						x := c.ask(t, call{actor: actor, path: "/api/v2/" + list + "/?" + fmt.Sprintf(ask, secret)})
						y := c.ask(t, call{actor: actor, path: "/api/v2/" + list + "/?" + fmt.Sprintf(ask, missing)})
						got := strings.ReplaceAll(strings.ReplaceAll(string(x.body), strings.ReplaceAll(secret, "_", "-"), missing), secret, missing)
						if x.status != http.StatusBadRequest || x.status != y.status || got != string(y.body) {
							t.Errorf("%s: "+ask+" on %s: %d and %d\n%s", actor, secret, list, x.status, y.status, diff(string(y.body), got))
						}
					}
				}
			}
		}
		// What is set and never shown is in no document either.
		for _, path := range []string{"/api/v2/users/2", "/api/v2/resource-handlers/1", "/api/v2/users/?page_size=100", "/api/v2/resource-handlers/", "/api/v2/history/?page_size=100"} {
			a := c.want(t, http.StatusOK, call{actor: "admin", path: path})
			for _, secret := range []string{c.vc.Password, "argon2", `"password":`} {
				if bytes.Contains(a.body, []byte(secret)) {
					t.Errorf("%s holds %q\n%s", path, secret, a.body)
				}
			}
		}
		if bytes.Contains([]byte(c.log.String()), []byte(c.vc.Password)) {
			t.Error("the log holds the vCenter's password")
		}
	})
}

// TestReferencesHideToo names, in bodies, what the caller does not see: the answer
// is the one for what does not exist.
func TestReferencesHideToo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		for _, x := range []struct{ body, hidden string }{
			{`{"group": "/api/v2/groups/%s"}`, "5"},
			{`{"group": %s}`, "6"},
			{`{"recipient": %s}`, "4"},
			{`{"owner": %s}`, "1"},
			{`{"group": 2, "items": {"mod-items": [{"server": "/api/v2/servers/%s/", "parameters": {"mem_size": "2 GB"}}]}}`, "3"},
			{`{"group": 2, "items": {"decom-items": [{"servers": ["%s"]}]}}`, "4"},
			{`{"group": 2, "items": {"prov-items": [{"environment": %s, "os-build": 1, "parameters": {"vm-size": "small"}}]}}`, "1"},
		} {
			const missing = "987654"
			hidden := c.want(t, http.StatusBadRequest, ordered(fmt.Sprintf(x.body, x.hidden)))
			absent := c.want(t, http.StatusBadRequest, ordered(fmt.Sprintf(x.body, missing)))
			// The reference is what stands between / or " and ".
			got := string(hidden.body)
			for _, quote := range []string{`/%s/\"`, `/%s\"`, `\"%s\"`} {
				got = strings.ReplaceAll(got, fmt.Sprintf(quote, x.hidden), fmt.Sprintf(quote, missing))
			}
			if got != string(absent.body) {
				t.Errorf("%s: hidden and absent differ\n%s", x.body, diff(string(absent.body), got))
			}
		}
	})
}

// TestWrongMethods asks every path for every method that it does not have.
func TestWrongMethods(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	c.stopWorkers(t)
	before := c.fingerprint(t)
	table := map[string][]string{}
	for _, r := range c.app.Face.Routes() {
		if r.Path == "/" {
			continue // not the face's alone
		}
		table[r.Path] = append(table[r.Path], r.Method)
		if r.Method == http.MethodGet {
			table[r.Path] = append(table[r.Path], http.MethodHead)
		}
	}
	for path, have := range table {
		at := strings.NewReplacer(":id", "1", ":n", "1", ":rel", "submit", ":problem", "invalid").Replace(path)
		// A path that is also matched by another pattern has its methods too, but for
		// an import, which is no item.
		for other, more := range table {
			if other != path && !strings.HasSuffix(path, "/import") && matches(other, at) {
				have = append(have, more...)
			}
		}
		options := c.ask(t, call{actor: "alice", method: http.MethodOptions, path: at})
		checkAllow(t, options, http.StatusNoContent, have)
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
			if slices.Contains(have, method) {
				continue
			}
			for _, accept := range []string{"application/hal+json", "application/json"} {
				a := c.ask(t, call{actor: "alice", method: method, path: at, accept: accept, body: "{}"})
				checkAllow(t, a, http.StatusMethodNotAllowed, have)
				if !strings.Contains(string(a.body), method) {
					t.Errorf("%s: the answer does not name the method\n%s", a.call, a.body)
				}
			}
		}
	}
	if after := c.fingerprint(t); after != before {
		t.Errorf("something was written\n%s", diff(before, after))
	}
}

func matches(pattern, path string) bool {
	x, y := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && !strings.HasPrefix(x[i], ":") {
			return false
		}
	}
	return true
}

func checkAllow(t *testing.T, a *answer, status int, have []string) {
	t.Helper()
	want := slices.Compact(slices.Sorted(slices.Values(append([]string{"OPTIONS"}, have...))))
	got := slices.Compact(slices.Sorted(slices.Values(strings.Split(a.header.Get("Allow"), ", "))))
	if a.status != status || !slices.Equal(got, want) {
		t.Errorf("%s: %d instead of %d, Allow %v instead of %v", a.call, a.status, status, got, want)
	}
}

// TestTokensThatAreNone is the short list of attacks on tokens, over HTTP: pkg/auth
// has the long one.
func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		signIn := func(user, password string) (access, refresh string) {
			a := c.want(t, http.StatusOK, call{method: "POST", path: "/api/v2/api-token-auth/", body: fmt.Sprintf(`{"username": %q, "password": %q}`, user, password)})
			return a.text(t, "/token"), a.text(t, "/refresh-token")
		}
		with := func(scheme, token string) *answer {
			return c.ask(t, call{path: "/api/v2/user", header: http.Header{"Authorization": {scheme + " " + token}}})
		}
		good, refresh := signIn("alice", demo.Password)
		if a := with("Bearer", good); a.status != http.StatusOK {
			t.Fatalf("the good token: %d\n%s", a.status, a.body)
		}

		claims, err := c.app.Auth.Verify(context.Background(), good)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := auth.LoadKeys(c.keysDir, auth.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// forge signs with our own key, as it was at another time or for another audience.
		forge := func(keys *auth.Keys, config auth.TokenIssuerConfig, change func(*auth.Grant)) string {
			issuer, err := auth.NewTokenIssuer(keys, config)
			if err != nil {
				t.Fatal(err)
			}
			g := auth.Grant{Subject: claims.Subject, Username: claims.Username, Session: claims.Session, Generation: claims.Generation, OrigIssuedAt: claims.OrigIssuedAt}
			if change != nil {
				change(&g)
			}
			token, _, err := issuer.Access(g)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		now := func() time.Time { return time.Now().UTC() }
		if a := with("Bearer", forge(keys, auth.TokenIssuerConfig{Life: time.Minute, Now: now}, nil)); a.status != http.StatusOK {
			t.Fatalf("a token of our own making: %d\n%s", a.status, a.body) // or nothing below would prove anything
		}
		foreign, err := auth.LoadKeys(t.TempDir(), auth.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(good, ".")
		seg := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
		flipped := []byte(parts[2])
		flipped[10] ^= 1
		other, _ := signIn("bob", demo.Password)
		for name, token := range map[string]string{
			"alg none":                    seg(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
			"alg none, signed":            seg(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
			"no signature":                parts[0] + "." + parts[1] + ".",
			"two parts":                   parts[0] + "." + parts[1],
			"another signature":           parts[0] + "." + parts[1] + "." + strings.Split(other, ".")[2],
			"a flipped bit":               parts[0] + "." + parts[1] + "." + string(flipped),
			"claims of another":           parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2],
			"refresh as access":           refresh,
			"expired":                     forge(keys, auth.TokenIssuerConfig{Life: time.Minute, Now: func() time.Time { return now().Add(-time.Hour) }}, nil),
			"not yet":                     forge(keys, auth.TokenIssuerConfig{Life: time.Hour, Now: func() time.Time { return now().Add(time.Hour) }}, nil),
			"another issuer":              forge(keys, auth.TokenIssuerConfig{Issuer: "somebody", Now: now}, nil),
			"another audience":            forge(keys, auth.TokenIssuerConfig{Audience: "something", Now: now}, nil),
			"another key":                 forge(foreign, auth.TokenIssuerConfig{Now: now}, nil),
			"another password generation": forge(keys, auth.TokenIssuerConfig{Now: now}, func(g *auth.Grant) { g.Generation += 1 }),
			"no such user":                forge(keys, auth.TokenIssuerConfig{Now: now}, func(g *auth.Grant) { g.Subject = "00000000-0000-4000-8000-000000000000" }),
			"no such session":             forge(keys, auth.TokenIssuerConfig{Now: now}, func(g *auth.Grant) { g.Session = "00000000-0000-4000-8000-000000000000" }),
			"garbage":                     "garbage", "dots": "..", "a megabyte": strings.Repeat("x", 50000), "a password": demo.Password,
		} {
			for _, scheme := range []string{"Bearer", "JWT"} {
				if a := with(scheme, token); a.status != http.StatusUnauthorized {
					t.Errorf("%s as %s: %d\n%s", name, scheme, a.status, a.body)
				}
			}
			// Nor does it verify or renew.
			if name != "refresh as access" {
				for _, path := range []string{"/api/v2/api-token-verify/", "/api/v2/api-token-refresh/"} {
					if name == "expired" && strings.Contains(path, "refresh") {
						continue // that is what it is for
					}
					a := c.ask(t, call{method: "POST", path: path, body: fmt.Sprintf(`{"token": %q}`, token)})
					if a.status != http.StatusUnauthorized {
						t.Errorf("%s at %s: %d\n%s", name, path, a.status, a.body)
					}
				}
			}
		}
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer  ", good, "Basic", "Basic !!!", "Basic " + base64.StdEncoding.EncodeToString([]byte("alice")), "Negotiate x", "Bearer " + good + " " + good} {
			if a := c.ask(t, call{path: "/api/v2/user", header: http.Header{"Authorization": {header}}}); a.status != http.StatusUnauthorized {
				t.Errorf("Authorization %q: %d", cut(header), a.status)
			}
		}

		// What was good ends with the session ...
		c.want(t, http.StatusNoContent, call{method: "POST", path: "/api/v2/user/actions/sign-out", header: http.Header{"Authorization": {"Bearer " + good}}})
		c.dead(t, "signed out", good, refresh)
		// ... with the password ...
		good, refresh = signIn("alice", demo.Password)
		c.want(t, http.StatusOK, call{actor: "admin", method: "PATCH", path: "/api/v2/users/2", body: `{"password": "another one"}`})
		c.dead(t, "another password", good, refresh)
		if a := c.ask(t, call{actor: "alice", path: "/api/v2/user"}); a.status != http.StatusUnauthorized {
			t.Errorf("the old password: %d", a.status)
		}
		// ... and with the user.
		good, refresh = signIn("alice", "another one")
		c.want(t, http.StatusOK, call{actor: "admin", method: "PATCH", path: "/api/v2/users/2", body: `{"is-active": false}`})
		c.dead(t, "inactive", good, refresh)
		if a := c.ask(t, call{method: "POST", path: "/api/v2/api-token-auth/", body: `{"username": "alice", "password": "another one"}`}); a.status != http.StatusUnauthorized {
			t.Errorf("an inactive user signs in: %d", a.status)
		}
		c.want(t, http.StatusOK, call{actor: "admin", method: "PATCH", path: "/api/v2/users/2", body: `{"is-active": true}`})
		if a := c.ask(t, call{path: "/api/v2/user", header: http.Header{"Authorization": {basic("alice", "another one")}}}); a.status != http.StatusOK {
			t.Errorf("active again: %d\n%s", a.status, a.body)
		}
		if strings.Contains(c.log.String(), parts[2]) {
			t.Error("the log holds a token")
		}
	})
}

// dead holds that neither token of a pair is good for anything.
func (c *cloud) dead(t *testing.T, why, access, refresh string) {
	t.Helper()
	for _, scheme := range []string{"Bearer ", "JWT "} {
		if a := c.ask(t, call{path: "/api/v2/user", header: http.Header{"Authorization": {scheme + access}}}); a.status != http.StatusUnauthorized {
			t.Errorf("%s: the token is still good: %d", why, a.status)
		}
	}
	for _, token := range []string{access, refresh} {
		for _, path := range []string{"/api/v2/api-token-verify/", "/api/v2/api-token-refresh/"} {
			a := c.ask(t, call{method: "POST", path: path, body: fmt.Sprintf(`{"token": %q}`, token)})
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s: %s: %d\n%s", why, path, a.status, a.body)
			}
		}
	}
}

// FuzzPostOrders sends bodies to the order of orders: whatever they hold, the
// answer is a document or a refusal that says why.
func FuzzPostOrders(f *testing.F) {
	for _, seed := range []string{
		`{"group": "/api/v2/groups/2", "submit-now": "true", "items": {"deploy-items": [{"blueprint": "/api/v2/blueprints/1", "blueprint-items-arguments": {"build-item-Server": {"attributes": {"quantity": 1}, "environment": "/api/v2/environments/3", "parameters": {"expiration-date": "2099-12-19", "os_build": "/api/v2/os-builds/1", "vm-size": "small"}}}, "service-name": ""}]}}`,
		`{"group": 2, "items": {"prov-items": [{"environment": 3, "os-build": 1, "attributes": {"hostname": "a", "quantity": 2}, "parameters": {"cpu-cnt": 2, "mem_size": "4 GB"}}]}}`,
		`{"group": 2, "items": {"mod-items": [{"environment": 3, "server": "/api/v2/servers/1", "parameters": {"mem_size": "2 GB", "disk_size": 20}, "disk-uuid": "x"}]}}`,
		`{"group": 2, "items": {"decom-items": [{"environment": 3, "servers": ["/api/v2/servers/1"], "services": [{"href": "/api/v2/services/2"}]}]}}`,
		`{"group": "/api/v2/groups/3", "name": "x", "recipient": 2, "owner": "", "submit-now": false}`,
		`{"items": {"deploy-items": [{"blueprint": 2, "resource-name": "a", "resource-parameters": {"sw_stack": "Dev"}, "blueprint-items-arguments": {"build-item-Web": {"environment": {"href": "/api/v2/environments/2"}}}}]}}`,
		`{"group": null, "items": null}`, `{}`, ``, `[]`, `{"group": 1e400}`, "{\"name\": \"\u2028\"}",
	} {
		f.Add([]byte(seed), "application/json")
		f.Add([]byte(seed), "application/x-www-form-urlencoded")
	}
	f.Add([]byte("group=2&name=a%20b&submit-now=false"), "application/x-www-form-urlencoded")
	c := newCloud(f, storetest.SQLiteURL(f))
	c.stopWorkers(f)
	token := basic("alice", demo.Password)
	f.Fuzz(func(t *testing.T, body []byte, label string) {
		req := httptest.NewRequest(http.MethodPost, "/api/v2/orders/", bytes.NewReader(body))
		req.Header["Authorization"], req.Header["Content-Type"] = []string{token}, []string{label}
		rec := httptest.NewRecorder()
		c.app.Web.ServeHTTP(rec, req)
		res := rec.Result()
		a := &answer{call: call{actor: "alice", method: http.MethodPost, path: "/api/v2/orders/"}, status: res.StatusCode, header: res.Header}
		defer res.Body.Close()
		var err error
		if a.body, err = io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
		if err := a.check(); err != nil {
			t.Errorf("%v\n%s", err, a.body)
		}
	})
}

// TestMistakesAreNotMultiplied sends bodies of almost a megabyte that are wrong in every
// place. Neither the answer nor the log is long, and nobody need sign in for some of them.
func TestMistakesAreNotMultiplied(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		const size = 900_000
		many := func(format string) string { // members, each another
			var b strings.Builder
			for i := 0; b.Len() < size; i++ {
				fmt.Fprintf(&b, format, i)
			}
			return strings.TrimSuffix(b.String(), ",")
		}
		long := strings.Repeat("x", size)
		for name, r := range map[string]call{
			"unknown members, unknown caller": {path: "/api/v2/api-token-auth/", body: "{" + many(`"m%d":1,`) + "}"},
			"a long member":                   {path: "/api/v2/api-token-auth/", body: `{"` + long + `":1}`},
			"a long user name":                {path: "/api/v2/api-token-auth/", body: `{"username":"` + long + `","password":"x"}`},
			"unknown members":                 {actor: "admin", path: "/api/v2/groups/", body: "{" + many(`"m%d":1,`) + "}"},
			"a long name":                     {actor: "admin", path: "/api/v2/groups/", body: `{"name":"` + long + `"}`},
			"a long reference":                {actor: "admin", path: "/api/v2/groups/", body: `{"name":"x","parent":"` + long + `"}`},
			"unknown members, as a form":      {actor: "admin", path: "/api/v2/groups/", label: "application/x-www-form-urlencoded", body: strings.ReplaceAll(many("m%d=1,"), ",", "&")},
			"unknown items":                   {actor: "alice", path: "/api/v2/orders/", body: `{"group":2,"items":{"prov-items":[` + many(`{"m%d":1},`) + `]}}`},
			"empty items":                     {actor: "alice", path: "/api/v2/orders/", body: `{"group":2,"items":{"mod-items":[` + many(`{"server":"9%d"},`) + `]}}`},
			"unknown parameters":              {actor: "alice", path: "/api/v2/orders/", body: `{"group":2,"items":{"deploy-items":[{"blueprint":1,"blueprint-items-arguments":{"build-item-Server":{"parameters":{` + many(`"m%d":1,`) + `}}}}]}}`},
			"unknown build items":             {actor: "alice", path: "/api/v2/orders/", body: `{"group":2,"items":{"deploy-items":[{"blueprint":2,"blueprint-items-arguments":{` + many(`"build-item-%d":{},`) + `}}]}}`},
			"long values":                     {actor: "alice", path: "/api/v2/orders/", body: `{"group":2,"items":{"deploy-items":[{"blueprint":1,"blueprint-items-arguments":{"build-item-Server":{"parameters":{"cpu-cnt":"` + long + `"}}}}]}}`},
			"a long choice":                   {actor: "admin", path: "/api/v2/blueprints/", body: `{"name":"x","state":"` + long + `"}`},
			"servers for all at once":         {actor: "alice", method: http.MethodPatch, path: "/api/v2/user", body: "{" + many(`"m%d":1,`) + "}"},
			"not JSON":                        {actor: "admin", path: "/api/v2/groups/", body: `{"name": ` + long},
		} {
			if r.method == "" {
				r.method = http.MethodPost
			}
			before := len(c.log.String())
			a, err := c.do(r)
			if a == nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			const most = 64 << 10
			if n := len(c.log.String()) - before; len(a.body) > most || n > most {
				t.Errorf("%s: %d, %d bytes of answer, %d of log", name, a.status, len(a.body), n)
			}
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d", name, a.status)
			}
		}
	})
}
