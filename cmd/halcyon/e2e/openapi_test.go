package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"halcyon/pkg/apidoc"
	"halcyon/pkg/store/storetest"
)

// envOpenAPI names the variable with the folder that holds the node_modules of
// testdata/openapi. scripts/with-node.sh sets it.
const envOpenAPI = "HALCYON_TEST_OPENAPI"

func quietCloud(t *testing.T) *cloud {
	t.Helper()
	c := newCloud(t, storetest.SQLiteURL(t))
	c.stopWorkers(t)
	return c
}

// TestOpenAPIDescribesEveryRoute finds an operation for each line of the table, with
// more to say than the line has, and none for what is no route.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	c := quietCloud(t)
	d, err := described(c.app.Web)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for _, r := range c.app.Face.Routes() {
		path := apidoc.Template(r.Path)
		routes[r.Method+" "+path] = true
		op, _ := d.doc["paths"].(map[string]any)[path].(map[string]any)[strings.ToLower(r.Method)].(map[string]any)
		if op == nil {
			t.Errorf("%s %s is not described", r.Method, r.Path)
			continue
		}
		if title, _ := op["summary"].(string); title == "" || title == r.Method+" "+r.Path {
			t.Errorf("%s %s: handlers/v2/operations.go does not say what it does", r.Method, r.Path)
		}
	}
	for path, item := range d.doc["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" && !routes[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is described, and is no route", method, path)
			}
		}
	}
}

// TestOpenAPINoticesMistakes holds answers with one mistake each against the
// description: a check that takes them would take everything.
func TestOpenAPINoticesMistakes(t *testing.T) {
	t.Parallel()
	c := quietCloud(t)
	d, err := described(c.app.Web)
	if err != nil {
		t.Fatal(err)
	}
	good := c.want(t, 200, call{actor: "alice", path: "/api/v2/groups/2"})
	change := func(old, new string) *answer {
		t.Helper()
		a := *good
		if a.body = bytes.Replace(good.body, []byte(old), []byte(new), 1); bytes.Equal(a.body, good.body) {
			t.Fatalf("%s is not in %s", old, good.body)
		}
		return &a
	}
	status, kind, route := *good, *good, *good
	status.status = http.StatusTeapot
	kind.header = http.Header{"Content-Type": {"application/xml"}}
	route.call.path = "/api/v2/nowhere"
	for what, a := range map[string]*answer{
		"another type":       change(`"id":"2"`, `"id":2`),
		"a missing member":   change(`"id":"2",`, ``),
		"a new member":       change(`"id":"2"`, `"id":"2","colour":"red"`),
		"a new relation":     change(`"collection":`, `"cb:nowhere":{"href":"/"},"collection":`),
		"a list in its form": change(`"subgroups":[`, `"subgroups":[[],`),
		"a status":           &status,
		"a content type":     &kind,
		"a route":            &route,
	} {
		if err := d.check(a); err == nil {
			t.Errorf("%s goes unnoticed", what)
		}
	}
	if err := d.check(good); err != nil {
		t.Error(err)
	}
}

// TestOpenAPISchemasStandAlone compiles every schema and holds a document against
// it that says it is described by it.
func TestOpenAPISchemasStandAlone(t *testing.T) {
	t.Parallel()
	c := quietCloud(t)
	for _, def := range c.app.Face.Declarations() {
		list := c.want(t, 200, call{actor: "admin", path: def.Path()})
		paths := []string{def.Path()}
		if first, _ := at(list.body, "/_embedded/"+def.Plural+"/0/_links/self/href"); first != "" {
			paths = append(paths, first)
		}
		for _, path := range paths {
			doc := c.want(t, 200, call{actor: "admin", path: path})
			href := doc.text(t, "/_links/describedby/href")
			schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.want(t, 200, call{path: href, accept: "-"}).body))
			if err != nil {
				t.Fatal(err)
			}
			compiler := jsonschema.NewCompiler()
			if err := compiler.AddResource("http://halcyon.test"+href, schema); err != nil {
				t.Fatal(err)
			}
			compiled, err := compiler.Compile("http://halcyon.test" + href)
			if err != nil {
				t.Fatalf("%s: %v", href, err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc.body))
			if err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(v); err != nil {
				t.Errorf("%s is not as %s says: %v", path, href, err)
			}
		}
	}
}

// TestOpenAPIFromMemory asks for the description as it is kept: the same bytes, by
// gzip or not, and nothing for who has them.
func TestOpenAPIFromMemory(t *testing.T) {
	t.Parallel()
	c := quietCloud(t)
	for _, path := range []string{openAPIPath, "/api/v2/openapi.yaml", "/api/v2/docs/schemas/server", "/api/v2/docs/", "/api/v2/docs/resources/servers"} {
		first := c.want(t, 200, call{path: path, accept: "-", header: http.Header{"Accept-Encoding": {"identity"}}})
		tag := first.header.Get("ETag")
		if again := c.want(t, 200, call{path: path, accept: "-", header: http.Header{"Accept-Encoding": {"identity"}}}); !bytes.Equal(again.body, first.body) || again.header.Get("ETag") != tag {
			t.Errorf("%s is another one each time", path)
		}
		small := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		c.app.Web.ServeHTTP(small, r)
		if small.Header().Get("Content-Encoding") != "gzip" || small.Body.Len() >= len(first.body) || small.Header().Get("ETag") == tag {
			t.Errorf("%s: %d bytes with %q instead of %d", path, small.Body.Len(), small.Header().Get("Content-Encoding"), len(first.body))
		}
		for _, have := range []string{tag, small.Header().Get("ETag"), `"other", ` + tag} {
			c.want(t, 304, call{path: path, accept: "-", header: http.Header{"If-None-Match": {have}}})
		}
		c.want(t, 400, call{path: path + "?version=2", accept: "-"})
	}
}

// TestOpenAPILint has the linters of npm judge the description.
func TestOpenAPILint(t *testing.T) {
	t.Parallel()
	modules := os.Getenv(envOpenAPI)
	if modules == "" {
		t.Skip(envOpenAPI + " is not set; scripts/with-node.sh sets it")
	}
	c := quietCloud(t)
	rules, err := filepath.Abs(filepath.Join("..", "..", "..", "testdata", "openapi"))
	if err != nil {
		t.Fatal(err)
	}
	doc := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(doc, c.want(t, 200, call{path: openAPIPath, accept: "-"}).body, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"redocly":  {"lint", "--config", filepath.Join(rules, "redocly.yaml"), doc},
		"spectral": {"lint", "--fail-severity", "hint", "--ruleset", filepath.Join(rules, "spectral.yaml"), doc},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(inTime(t), filepath.Join(modules, "node_modules", ".bin", name), args...)
			cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "CI=true")
			cmd.Dir = filepath.Dir(doc)
			play(t, cmd)
		})
	}
}

// inline is what a strict policy forbids in a page.
var inline = regexp.MustCompile(`<script(?:[^>]*)>[^<]|<style| style=| on[a-z]+=|javascript:`)

// TestDocsPagesKeepThePolicy looks at the HTML of the pages of documentation.
func TestDocsPagesKeepThePolicy(t *testing.T) {
	t.Parallel()
	c := quietCloud(t)
	for _, path := range []string{
		"/api/v2/docs/", "/api/v2/docs/guide/start", "/api/v2/docs/resources/orders", "/api/v2/docs/rels/submit", "/api/v2/docs/rels/",
		"/api/v2/docs/problems/not-found", "/api/v2/docs/problems/not_found", "/api/v2/docs/schemas/",
	} {
		a := c.want(t, 200, call{path: path, accept: "text/html"})
		if a.kind() != "text/html" || !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
			t.Errorf("%s: %s with the policy %q", path, a.kind(), a.header.Get("Content-Security-Policy"))
		}
		if x := inline.Find(a.body); x != nil {
			t.Errorf("%s has %q", path, x)
		}
	}
}

// BenchmarkDocs answers the description, a schema and a page of documentation.
func BenchmarkDocs(b *testing.B) {
	c := newCloud(b, storetest.SQLiteURL(b))
	for name, path := range map[string]string{"openapi": openAPIPath, "schema": "/api/v2/docs/schemas/server", "page": "/api/v2/docs/resources/servers"} {
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequest(http.MethodGet, path, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Accept", "text/html")
			req.Header.Set("Accept-Encoding", "gzip")
			b.ReportAllocs()
			for b.Loop() {
				w := discard{h: http.Header{}}
				c.app.Web.ServeHTTP(&w, req)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// discard counts what is answered and forgets it.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
