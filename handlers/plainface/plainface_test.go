package plainface_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/demo"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/web"
)

// patience is how long the test waits for work to end.
const patience = time.Minute

// client speaks the plain dialect.
type client struct {
	t     *testing.T
	url   string
	token string
}

func (c client) do(method, path, body string) (status int, h http.Header, doc any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(headerToken, c.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&doc); err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, answer.Header, doc
}

// wants sends a request and holds the whole answer against the one that is due.
func (c client) wants(status int, doc, method, path, body string) http.Header {
	c.t.Helper()
	got, h, have := c.do(method, path, body)
	var due any
	if err := json.Unmarshal([]byte(doc), &due); err != nil {
		c.t.Fatal(err)
	}
	if diff := cmp.Diff(due, have); got != status || diff != "" {
		c.t.Fatalf("%s %s: status %d, want %d; document (-want +got):\n%s", method, path, got, status, diff)
	}
	return h
}

// as signs a user of the demo in.
func (c client) as(user string) client {
	c.t.Helper()
	_, _, doc := c.do(http.MethodPost, base+"/token", `{"user": "`+user+`", "secret": "`+demo.Password+`"}`)
	token, _ := doc.(map[string]any)["token"].(string)
	if token == "" {
		c.t.Fatalf("no token for %s: %v", user, doc)
	}
	return client{t: c.t, url: c.url, token: token}
}

// newClient starts an application with the demo's content, and the face alone on it.
func newClient(t *testing.T, database string) client {
	t.Helper()
	dir, ctx := t.TempDir(), t.Context()
	vc := app.SimulatedVCenter("halcyon", "halcyon")
	sim, err := vcsim.Start(vcsim.Options{Username: vc.Username, Password: vc.Password})
	if err != nil {
		t.Fatal(err)
	}
	vc.URL = sim.URL()
	a, err := app.New(ctx, app.Settings{
		DatabaseURL: database, MaxConns: 8, KeysDir: filepath.Join(dir, "keys"), SecretKeyFile: filepath.Join(dir, "secret.key"),
		SigningAlg: "EdDSA", TokenLifetime: 5 * time.Minute, Workers: 4, Lease: 15 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Close(end); err != nil {
			t.Error(err)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := a.Engine.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := a.Fill(ctx, vc, ""); err != nil {
		t.Fatal(err)
	}
	e, err := web.New(web.Config{Faces: []web.Face{newFace(a)}, Log: slog.New(slog.DiscardHandler), Now: a.Store.Now, Metrics: web.NewMetrics(nil)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	return client{t: t, url: srv.URL}
}

// TestSecondFace plays one story through the plain face on each database: what is
// refused, hidden, found and approved there follows from the services alone.
func TestSecondFace(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nobody := newClient(t, open(t))
			story(t, nobody, nobody.as("alice"), nobody.as("bob"), nobody.as("carol"))
		})
	}
}

func story(t *testing.T, nobody, alice, bob, carol client) {
	t.Helper()
	const notFound, get, post = `{"detail": "Not found."}`, http.MethodGet, http.MethodPost
	nobody.wants(401, `{"detail": "Authentication credentials were not provided."}`, get, base+"/machines", "")
	nobody.wants(401, `{"detail": "Unable to log in with provided credentials."}`, post, base+"/token", `{"user": "alice", "secret": "wrong"}`)
	alice.wants(405, `{"detail": "Method \"DELETE\" not allowed."}`, http.MethodDelete, base+"/machines", "")

	// What is wrong is said of the attributes, all at once.
	alice.wants(400, `{"attributes": {"group": ["Not found."], "environment": ["Not found."]}}`, post, base+"/requests",
		`{"attributes": {"blueprint": "1", "group": "no-such", "environment": "999"}}`)
	alice.wants(400, `{"attributes": {"vm_size": ["\"huge\" is none of small, medium, large"], "color": ["is no parameter that is known here"]}}`, post, base+"/requests",
		`{"attributes": {"blueprint": "1", "group": "3", "environment": "3", "vm-size": "huge", "color": "red"}}`)

	// A request waits until another user approves it, and is hidden from strangers.
	status, _, made := alice.do(post, base+"/requests", `{"attributes": {"blueprint": "1", "group": "3", "environment": "3", "vm-size": "small"}}`)
	id, _ := made.(map[string]any)["id"].(float64)
	if status != http.StatusCreated || id == 0 {
		t.Fatalf("status %d: %v", status, made)
	}
	request := fmt.Sprintf("%s/requests/%v", base, id)
	state := func(s string) string { return fmt.Sprintf(`{"id": %v, "state": %q}`, id, s) }
	alice.wants(200, state("pending"), get, request, "")
	carol.wants(404, notFound, get, request, "")
	carol.wants(404, notFound, post, request+"/approve", "")
	alice.wants(403, `{"detail": "You may not approve orders of this group."}`, post, request+"/approve", "")
	bob.wants(200, state("active"), post, request+"/approve", "")
	bob.wants(409, `{"detail": "Only orders that are in 'PENDING' state can be approved. Current state of order is ACTIVE"}`, post, request+"/approve", "")
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, _, doc := alice.do(get, request, ""); cmp.Equal(doc.(map[string]any)["state"], "success") {
			break
		} else if time.Now().After(end) {
			t.Fatalf("still %v", doc)
		}
	}

	// What came of it is listed for those who see it, filtered, counted and in parts.
	list := base + "/machines?group=3&environment_name=Simple+Environment&state=active&field=name&field=memory_mb"
	name := fmt.Sprintf("server-%v-1.demo.example", id)
	h := alice.wants(200, fmt.Sprintf(`[{"name": %q, "memory_mb": 1024}]`, name), get, list, "")
	if n := h.Get(headerCount); n != "1" {
		t.Errorf("%s: %s", headerCount, n)
	}
	if h = carol.wants(200, `[]`, get, list, ""); h.Get(headerCount) != "0" {
		t.Errorf("%s: %s for who sees none", headerCount, h.Get(headerCount))
	}
	alice.wants(200, `[]`, get, list+"&page=2&page_size=1", "")
	alice.wants(400, `{"attributes": {"page_size": ["must be between 1 and 100"]}}`, get, list+"&page_size=1000", "")
	alice.wants(400, `{"attributes": {"field": ["\"color\" is not a field of machines"]}}`, get, list+"&field=color", "")
}
