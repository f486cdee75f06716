package client

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering starts a server and returns a client of it.
func answering(t *testing.T, fn http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(fn)
	t.Cleanup(srv.Close)
	transport, err := Transport("", false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(srv.URL, transport, Fixed("x"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hal(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/hal+json")
	fmt.Fprint(w, text)
}

// What breaks on the way is sent again, with the same key, so that it happens once.
func TestRequestsAreSentAgain(t *testing.T) {
	t.Parallel()
	var keys []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch len(keys) {
		case 1:
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			hal(w, `{"id":"1"}`)
		}
	})
	d, err := c.Send(t.Context(), http.MethodPost, "/orders/", Object{{"group", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if d.Body.text("id") != "1" || len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("%v after the keys %q", d.Body, keys)
	}
	if _, err := c.Send(t.Context(), http.MethodPost, "/orders/", nil); err != nil || keys[3] == keys[0] {
		t.Errorf("%v; another request has the key %q", err, keys[3])
	}
}

// A server that stays busy, or asks for more patience than there is, is not asked
// for ever.
func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		after string
		want  int32
	}{{"", tries}, {"3600", 1}} {
		var n atomic.Int32
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.Header().Set("Retry-After", x.after)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if _, err := c.Get(t.Context(), "/"); KindOf(err) != Unreachable || n.Load() != x.want {
			t.Errorf("%v after %d requests instead of %d", err, n.Load(), x.want)
		}
	}
}

// The token goes to its server alone: not where a link or a redirect leads.
func TestTokensStay(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(other.Close)
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, other.URL, http.StatusFound)
			return
		}
		hal(w, `{"_links":{"self":{"href":"/api/v2/"},"cb:elsewhere":{"href":"`+other.URL+`/secret"}}}`)
	})
	if _, err := c.Resolve(t.Context(), "elsewhere"); KindOf(err) != Refused {
		t.Errorf("a link to another server: %v", err)
	}
	if _, err := c.Get(t.Context(), "/moved"); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("a redirect: %v", err)
	}
	if asked.Load() != 0 {
		t.Errorf("the other server was asked %d times", asked.Load())
	}
}

// TestCertificates calls a server whose certificate nobody has signed.
func TestCertificates(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hal(w, `{"_links":{"self":{"href":"/api/v2/"}}}`) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of who refuses it
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	for _, x := range []struct {
		name, url, caFile string
		insecure          bool
		want              string // "" for an answer
		kind              Kind
	}{
		{"nobody is named", srv.URL, "", false, "its certificate is not trusted", Unreachable},
		{"it is named", srv.URL, good, false, "", 0},
		{"any will do", srv.URL, "", true, "", 0},
		{"of another name", strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), good, false, "localhost", Unreachable},
		{"no such file", srv.URL, filepath.Join(dir, "none"), false, "cannot be read", Usage},
		{"no certificate in it", srv.URL, file("bad.pem", []byte("hello")), false, "no certificate in", Usage},
	} {
		transport, err := Transport(x.caFile, x.insecure)
		if err == nil {
			var c *Client
			if c, err = New(x.url, transport, Fixed("x"), "test"); err != nil {
				t.Fatal(err)
			}
			_, err = c.Root(t.Context())
		}
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want) || KindOf(err) != x.kind) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

func TestNotAnAPI(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ kind, text, want string }{
		{"text/html", "<html>", "not as a Halcyon API does"},
		{"application/json", "[1]", "not as a Halcyon API does"},
		{"application/hal+json", `{"_links":`, "JSON that cannot be read"},
		{"application/hal+json", strings.Repeat("[", 100_000), "JSON that cannot be read"},
	} {
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", x.kind)
			fmt.Fprint(w, x.text)
		})
		if _, err := c.Root(t.Context()); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.20q: %v", x.text, err)
		}
	}
}

func TestRootURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cloud.example.org": "https://cloud.example.org/api/v2/", "http://x:80": "http://x:80/api/v2/",
		"https://x/cloud/api/v2": "https://x/cloud/api/v2/", "http://x/api/v2/?page=1#a": "http://x/api/v2/",
		"ftp://x": "", "": "", "http://": "", "http://a:hunter2@x": "", "http://a:hunter2@x:y": "",
	} {
		u, err := RootURL(text)
		switch {
		case want == "" && (KindOf(err) != Usage || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%q: %v, %v", text, u, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: %v, %v instead of %s", text, u, err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]step{
		"orders":                  {{name: "orders"}},
		"orders/item[3]/jobs/":    {{name: "orders"}, {name: "item", choose: "3", chosen: true}, {name: "jobs"}},
		"servers[name=a/b]/owner": {{name: "servers", choose: "name=a/b", chosen: true}, {name: "owner"}},
		"":                        nil, "a//b": nil, "a[": nil, "a]": nil, "a[]": nil, "[a]": nil, "a[b]c": nil, "a[b][c]d": nil,
	} {
		got, err := splitPath(path)
		if want == nil && KindOf(err) != Usage || want != nil && (err != nil || !cmp.Equal(got, want, cmp.AllowUnexported(step{}))) {
			t.Errorf("%q: %v, %v", path, got, err)
		}
	}
}

func FuzzPaths(f *testing.F) {
	f.Add("orders/item[3]/jobs")
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := splitPath(path)
		for _, s := range steps {
			if err == nil && s.name == "" {
				t.Errorf("%q has a step without a name", path)
			}
		}
	})
}

func TestTerms(t *testing.T) {
	t.Parallel()
	for _, x := range [][3]string{
		{"status", "ACTIVE", "status:ACTIVE"}, {"name", `a;b:c,d\e`, `name:a\;b\:c\,d\\e`}, {"id.in", "1,2", "id.in:1,2"},
	} {
		if got := Term(x[0], x[1]); got != x[2] {
			t.Errorf("%s=%s: %s instead of %s", x[0], x[1], got, x[2])
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"filter": "a:b;c", "page": "2", "empty": ""}
	for template, want := range map[string]string{
		"/x/{?filter,order,page}": "/x/?filter=a%3Ab%3Bc&page=2", "/x/?y=1{&page}": "/x/?y=1&page=2", "/{page}/": "/2/",
		"/x/{?empty,none}": "/x/", "/x": "/x", "{": "{",
	} {
		if got := Expand(template, vars); got != want {
			t.Errorf("%s: %s instead of %s", template, got, want)
		}
	}
}

// Members keep their order, numbers their digits, and no byte that comes out is a
// command to a terminal.
func TestValues(t *testing.T) {
	t.Parallel()
	const text = `{"z":1.10,"a":[true,null,{}],"b":"\u001b[31m\u009b\u202e\n\"é"}`
	v, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(AppendJSON(nil, v, "")), strings.ReplaceAll(text, "é", "é"); got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	for _, bad := range []string{"", "{", "1 2", `{"a":}`, strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300)} {
		if v, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%.20q: %v", bad, v)
		}
	}
}

func FuzzReadFile(f *testing.F) {
	f.Add("group: 2\nitems: {a: [1, 2]}\n")
	f.Add(`{"group": 2, "items": {"a": [1.5, null, "x"]}}`)
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ReadFile("order", []byte(text))
		if err != nil {
			if KindOf(err) != Usage {
				t.Errorf("%v", err)
			}
			return
		}
		out := AppendJSON(nil, file.Body, "")
		again, err := Decode(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if second := AppendJSON(nil, again, ""); string(second) != string(out) {
			t.Errorf("%s, and then %s", out, second)
		}
	})
}

// A file that doubles with every line is no way to fill the memory.
func TestAliasesAreCounted(t *testing.T) {
	t.Parallel()
	text := "a0: &a0 [x, x]\n"
	for i := range 40 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	if _, err := ReadFile("bomb.yaml", []byte(text)); KindOf(err) != Usage {
		t.Error(err)
	}
}

// Who changes the file at once waits for the other: nothing is lost.
func TestCredentialsAreKept(t *testing.T) {
	t.Parallel()
	k := &Keeper{Path: filepath.Join(t.TempDir(), "halcyon", "credentials.json")}
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			err := k.Change(func(b *Book) error {
				b.Profiles[fmt.Sprint(i)] = Profile{URL: "http://x/", Access: "secret"}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	b, err := k.Read()
	if err != nil || len(b.Profiles) != 20 {
		t.Fatalf("%d profiles, %v", len(b.Profiles), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(k.Path), ".credentials*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	for path, want := range map[string]fs.FileMode{k.Path: 0o600, filepath.Dir(k.Path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if said := fmt.Sprintf("%v %+v %#v %v", b, b, b.Profiles["1"], Tokens{Access: "secret"}); strings.Contains(said, "secret") {
		t.Errorf("a token is printed: %s", said)
	}
	stays := errors.New("no")
	if err := k.Change(func(b *Book) error { clear(b.Profiles); return stays }); !errors.Is(err, stays) {
		t.Error(err)
	}
	if b, err = k.Read(); err != nil || len(b.Profiles) != 20 {
		t.Errorf("a change that failed is kept: %d profiles, %v", len(b.Profiles), err)
	}
}

// Processes that find the same token at its end renew it once.
func TestTokensAreRenewedOnce(t *testing.T) {
	t.Parallel()
	k := &Keeper{Path: filepath.Join(t.TempDir(), "credentials.json")}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := k.Change(func(b *Book) error {
		b.Profiles["p"] = Profile{URL: "http://x/", Access: "old", Refresh: "r", RenewAt: RenewAt(now, 5*time.Minute)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var renewed atomic.Int32
	session := func(at time.Time) *Kept {
		return &Kept{Keeper: k, Name: "p", Now: func() time.Time { return at }, Renew: func(_ context.Context, refresh string) (Tokens, error) {
			if refresh != "r" {
				return Tokens{}, Errorf(SignedOut, "%s", refresh)
			}
			return Tokens{Access: fmt.Sprint("new", renewed.Add(1)), Life: 5 * time.Minute}, nil
		}}
	}
	if got, err := session(now).Token(t.Context(), ""); err != nil || got != "old" {
		t.Fatalf("%s, %v", got, err)
	}
	late := now.Add(4*time.Minute + 50*time.Second)
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			if got, err := session(late).Token(t.Context(), ""); err != nil || got != "new1" {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	wait.Wait()
	if renewed.Load() != 1 {
		t.Errorf("renewed %d times", renewed.Load())
	}
	if got, err := session(late).Token(t.Context(), "new1"); err != nil || got != "new2" {
		t.Errorf("after new1 was refused: %s, %v", got, err)
	}
}

// The stream of events gives hints, and goes on behind the last event when it breaks.
func TestEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var from []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			hal(w, `{}`)
			return
		}
		mu.Lock()
		from = append(from, r.Header.Get("Last-Event-ID"))
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": hello\n\nid: 7\nevent: order.ended\ndata: {}\n\nid: 8\n")
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	hints := make(chan struct{}, 1)
	if c.Events(ctx, "/none", hints) {
		t.Error("a list was taken for a stream")
	}
	if !c.Events(ctx, "/events/?about=/orders/1", hints) {
		t.Fatal("there is no stream")
	}
	for end := time.Now().Add(time.Minute); ; {
		<-hints
		mu.Lock()
		n := len(from)
		mu.Unlock()
		if n >= 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the stream was not taken up again")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if from[0] != "" || from[1] != "7" {
		t.Errorf("the streams began behind %q", from)
	}
}
