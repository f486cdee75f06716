package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/demo"
	"halcyon/pkg/store/storetest"
)

// relativeHref matches what a client of another origin would resolve against its own
// address.
var relativeHref = regexp.MustCompile(`"(href|target)":"/[^"]*"`)

// A script of an allowed origin gets absolute hrefs, in every representation; all others
// get paths.
func TestOtherOriginsGetAbsoluteHrefs(t *testing.T) {
	t.Parallel()
	const explorer = "https://explorer.example"
	c := newCloud(t, storetest.SQLiteURL(t), func(s *app.Settings) { s.Origins = []string{explorer} })
	from := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	for _, accept := range []string{"application/hal+json", formsType, "application/json"} {
		for _, path := range []string{"/api/v2/", "/api/v2/blueprints/1", "/api/v2/servers/", "/api/v2/groups/2", "/api/v2/docs/rels/", "/api/v2/none"} {
			r := call{actor: "alice", path: path, accept: accept, header: from(explorer)}
			a := c.ask(t, r)
			if x := relativeHref.Find(a.body); x != nil {
				t.Errorf("%s: %s", a.call, x)
			}
			if !slices.Contains(a.header.Values("Vary"), "Origin") {
				t.Errorf("%s: Vary is %q", a.call, a.header.Values("Vary"))
			}
			r.header = from("https://evil.example")
			other := c.ask(t, r)
			if strings.Contains(string(other.body), `"`+c.srv.URL) {
				t.Errorf("%s: an origin that is not allowed gets absolute hrefs", a.call)
			}
			if tag := a.header.Get("ETag"); tag != "" && tag == other.header.Get("ETag") {
				t.Errorf("%s: two documents have the tag %s", a.call, tag)
			}
			if tag := other.header.Get("ETag"); tag != "" {
				r.header = http.Header{"Origin": {explorer}, "If-None-Match": {tag}}
				if a := c.ask(t, r); a.status != http.StatusOK {
					t.Errorf("%s: %d to the tag of another document", a.call, a.status)
				}
			}
		}
	}
	made := c.want(t, http.StatusCreated, call{actor: "alice", method: http.MethodPost, path: "/api/v2/orders/", body: `{"group": 2}`, header: from(explorer)})
	if at := made.header.Get("Location"); !strings.HasPrefix(at, c.srv.URL+"/api/v2/orders/") {
		t.Errorf("Location is %q", at)
	}
	if p := c.want(t, http.StatusOK, call{path: "/api/v2/docs/rels/submit", accept: pageType}).header.Get("Content-Security-Policy"); !strings.HasSuffix(p, "frame-ancestors 'self' "+explorer) {
		t.Errorf("the policy of the documentation is %q", p)
	}
}

// HAL browsers follow presets and lists in the template alone: a single choice with a
// value has it in selectedValues, and required ones have minItems.
func TestTemplatesSayTheirPresets(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	presets := 0
	for _, path := range []string{"/api/v2/blueprints/1", "/api/v2/blueprints/2/order-form/", "/api/v2/blueprints/1/order-form/", "/api/v2/groups/2", "/api/v2/environments/3", "/api/v2/users/2", "/api/v2/groups/"} {
		a := c.ask(t, call{actor: "admin", path: path, accept: formsType})
		if a.status == http.StatusNotFound {
			continue
		}
		var doc struct {
			Templates map[string]struct {
				Properties []struct {
					Name, Value string
					Required    bool
					Options     *struct {
						Inline             []json.RawMessage
						Link               *struct{}
						SelectedValues     []string
						MinItems, MaxItems int
					}
				}
			} `json:"_templates"`
		}
		if err := json.Unmarshal(a.body, &doc); err != nil {
			t.Fatal(err)
		}
		for key, x := range doc.Templates {
			for _, p := range x.Properties {
				at := fmt.Sprintf("%s: %s of %s", path, p.Name, key)
				o := p.Options
				switch {
				case o == nil:
					continue
				case o.Link != nil:
					t.Errorf("%s: its few choices are a link", at)
				case p.Value != "" && !slices.Equal(o.SelectedValues, []string{p.Value}):
					t.Errorf("%s: value %q, selectedValues %q", at, p.Value, o.SelectedValues)
				case p.Required != (o.MinItems == 1):
					t.Errorf("%s: required %t, minItems %d", at, p.Required, o.MinItems)
				}
				if p.Value != "" {
					presets++
				}
			}
		}
	}
	if presets == 0 {
		t.Error("no template has a preset")
	}
}

// A page of another port orders a server as HAL browsers do, and follows it to its end.
func TestBrowserOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	modules := os.Getenv(envBrowser)
	if modules == "" {
		t.Skip(envBrowser + " is not set; scripts/with-chromium.sh sets it")
	}
	explorer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>A HAL browser</title><body></body></html>`))
	}))
	defer explorer.Close()
	c := newCloud(t, storetest.SQLiteURL(t), func(s *app.Settings) { s.Origins = []string{explorer.URL} })
	dir := copyScripts(t, filepath.Join("..", "..", "..", "testdata", "browser"), modules)
	cmd := exec.CommandContext(t.Context(), "node", "origin.mjs", c.srv.URL, explorer.URL, demo.Password)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, stderr.String())
	}
}
