package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/demo"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/subscription"
)

var update = flag.Bool("update", false, "rewrite the documents in testdata to what the tests see")

// patience is how long a test waits for something to happen before it fails.
const patience = 60 * time.Second

// cloud is a whole installation in this process: the application with its
// workers, the demo's content, a vCenter simulator of its own, and an HTTP server.
type cloud struct {
	app *app.App
	sim *vcsim.Server
	vc  demo.VCenter
	srv *httptest.Server
	log *logBuffer

	stopEvents func() // nothing is numbered or handed out any more

	keysDir string    // of the keys that sign its tokens
	count   *sql.Stmt // see fingerprint
}

// each runs the test on every database, with a constructor of clouds on it.
func each(t *testing.T, fn func(t *testing.T, open func(testing.TB) string)) {
	t.Helper()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open)
		})
	}
}

// newCloud starts an installation on a fresh database and ends it with the test.
func newCloud(t testing.TB, url string, change ...func(*app.Settings)) *cloud {
	t.Helper()
	dir, err := os.MkdirTemp("", "halcyon-cloud-") // a t.TempDir has the script's name, which may be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cloud{log: &logBuffer{}, keysDir: filepath.Join(dir, "keys")}
	c.vc = app.SimulatedVCenter("halcyon", "canary-of-the-vcenter")
	if c.sim, err = vcsim.Start(vcsim.Options{Username: c.vc.Username, Password: c.vc.Password}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	c.vc.URL = c.sim.URL()
	s := app.Settings{
		DatabaseURL: url, MaxConns: 8,
		KeysDir: c.keysDir, SecretKeyFile: filepath.Join(dir, "secret.key"), SigningAlg: "EdDSA",
		TokenLifetime: 5 * time.Minute, Workers: 4, Lease: 15 * time.Second,
		Log: slog.New(slog.NewTextHandler(c.log, nil)),
	}
	s.Webhooks = subscription.Policy{Poll: 20 * time.Millisecond, Timeout: 2 * time.Second}
	s.Audit = func(what string) { t.Errorf("a document is not what was remembered of it: %s", what) }
	for _, fn := range change {
		fn(&s)
	}
	ctx := context.Background()
	if c.app, err = app.New(ctx, s); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	var events sync.WaitGroup
	events.Go(func() { c.app.Events.Run(running) })
	c.stopEvents = func() { stop(); events.Wait() }
	t.Cleanup(func() {
		c.stopEvents()
		end, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.app.Close(end); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log's end:\n%s", c.log.tail())
		}
	})
	if err := c.app.Engine.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c.app.Sender.Start()
	fill, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.app.Fill(fill, c.vc, ""); err != nil {
		t.Fatal(err)
	}
	c.srv = httptest.NewServer(c.app.Web)
	t.Cleanup(c.srv.Close)
	return c
}

// stopWorkers leaves the cloud with an API alone: what is queued stays queued, and
// what happens gets no numbers.
func (c *cloud) stopWorkers(t testing.TB) {
	t.Helper()
	defer c.stopEvents()
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.app.Engine.Stop(end); err != nil {
		t.Fatal(err)
	}
	c.app.Sender.Stop(end)
}

// logBuffer keeps the log of a cloud.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tail returns the last lines.
func (l *logBuffer) tail() string {
	const most = 40
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// call is a request.
type call struct {
	actor  string // user with the demo's password; "" and "anon" for nobody
	method string // GET when empty
	path   string // with its query, as it goes over the wire
	accept string // application/hal+json when empty, "-" for no header
	body   string
	label  string // Content-Type; application/json when there is a body and this is empty, "-" for none
	header http.Header
	stream bool // the body is sent without its length
}

// answer is what came back, already checked for what holds of every answer.
type answer struct {
	call   call
	status int
	header http.Header
	body   []byte
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// do sends the request and checks what must hold of every answer.
func (c *cloud) do(r call) (*answer, error) {
	if r.method == "" {
		r.method = http.MethodGet
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.stream {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), r.method, c.srv.URL+r.path, body)
	if err != nil {
		return nil, err
	}
	switch r.accept {
	case "":
		req.Header.Set("Accept", "application/hal+json")
	case "-":
	default:
		req.Header.Set("Accept", r.accept)
	}
	switch {
	case r.label != "" && r.label != "-":
		req.Header.Set("Content-Type", r.label)
	case r.label == "" && r.body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if r.actor != "" && r.actor != "anon" && r.actor != actorBrowser && r.header.Get("Authorization") == "" {
		req.Header.Set("Authorization", basic(r.actor, demo.Password))
	}
	maps.Copy(req.Header, r.header)
	res, err := noRedirects.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{call: r, status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	err = a.check()
	if err == nil {
		err = c.asDescribed(a)
	}
	if err != nil {
		return a, fmt.Errorf("%w\n%s", err, a.body)
	}
	return a, nil
}

// asDescribed holds the answer against the API's description of itself.
func (c *cloud) asDescribed(a *answer) error {
	if a.call.accept == pageType && (a.call.method == http.MethodPost || a.status >= 300) {
		return nil // forms and their redirects are between browsers and the edge; see pkg/web/forms.go
	}
	d, err := described(c.app.Web)
	if err != nil {
		return err
	}
	return d.check(a)
}

// noRedirects is a client that would show a redirect, of which there is none.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
	Timeout:       patience,
}

// ask is do for tests that go on only with an answer.
func (c *cloud) ask(t testing.TB, r call) *answer {
	t.Helper()
	a, err := c.do(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// want is ask with the status that the answer must have.
func (c *cloud) want(t testing.TB, status int, r call) *answer {
	t.Helper()
	a := c.ask(t, r)
	if a.status != status {
		t.Fatalf("%s: %d instead of %d\n%s", a.call, a.status, status, a.body)
	}
	return a
}

func (r call) String() string {
	return fmt.Sprintf("%s %s %s", r.actor, r.method, r.path)
}

// leaked is what no answer may hold: a stack, a query, a driver's words.
var leaked = regexp.MustCompile(`goroutine \d|\.go:\d|runtime error|SQLSTATE|sql: |constraint failed|\bSELECT\b|argon2id`)

// check holds an answer against what is promised of all.
func (a *answer) check() error {
	if a.status >= 500 {
		return fmt.Errorf("%s: %d", a.call, a.status)
	}
	html := strings.HasPrefix(a.call.accept, pageType)
	onward := html && a.status == http.StatusSeeOther
	if a.status >= 300 && a.status < 400 && a.status != http.StatusNotModified && !onward {
		return fmt.Errorf("%s: a redirect, %d", a.call, a.status)
	}
	if x := leaked.Find(a.body); x != nil {
		return fmt.Errorf("%s: the answer says %q", a.call, x)
	}
	if a.header.Get("X-Request-Id") == "" {
		return fmt.Errorf("%s: no X-Request-Id", a.call)
	}
	if a.status == http.StatusUnauthorized {
		want := []string{`Bearer error="invalid_token"`, `Basic realm="api"`}
		if scheme, _, _ := strings.Cut(a.call.header.Get("Authorization"), " "); scheme == "" || scheme == "Basic" {
			want[0] = `Bearer realm="api"` // a token that was not sent is not wrong
		}
		if html {
			want = want[:1]
		}
		if got := a.header.Values("WWW-Authenticate"); !slices.Equal(got, want) {
			return fmt.Errorf("%s: WWW-Authenticate is %q instead of %q", a.call, got, want)
		}
	}
	if a.call.method == http.MethodHead {
		if len(a.body) > 0 {
			return fmt.Errorf("%s: HEAD has a body", a.call)
		}
		return nil
	}
	if strings.HasSuffix(a.kind(), "json") && a.status != http.StatusNoContent {
		if err := noTwins(json.NewDecoder(bytes.NewReader(a.body)), ""); err != nil {
			return fmt.Errorf("%s: %w", a.call, err)
		}
	}
	if a.kind() == pageType {
		return a.checkPage()
	}
	if a.status >= 400 && !html {
		return a.checkFault()
	}
	if a.kind() == "application/hal+json" || a.kind() == "application/prs.hal-forms+json" {
		return validHAL(a.body)
	}
	if a.kind() == "application/json" {
		if err := sdkReads(a.body); err != nil {
			return fmt.Errorf("%s: %w\n%s", a.call, err, a.body)
		}
	}
	return nil
}

// noTwins looks for objects that have two members of one name, of which readers
// silently drop one.
func noTwins(dec *json.Decoder, place string) error {
	t, err := dec.Token()
	if err != nil {
		return fmt.Errorf("at %q: %w", place, err)
	}
	d, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; dec.More(); i++ {
		name := strconv.Itoa(i)
		if d == '{' {
			k, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ = k.(string)
			if seen[name] {
				return fmt.Errorf("%s/%s is there twice", place, name)
			}
			seen[name] = true
		}
		if err := noTwins(dec, place+"/"+name); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func (a *answer) kind() string {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return kind
}

// checkFault holds an error document against its shape.
func (a *answer) checkFault() error {
	var p struct {
		Type, Title, Detail, Instance, Error string
		Status                               int
		StatusCode                           int `json:"status_code"`
		Errors                               []struct{ Pointer, Reason string }
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		return fmt.Errorf("%s: %d: not JSON: %w", a.call, a.status, err)
	}
	if p.StatusCode != a.status || p.Detail == "" || p.Error == "" {
		return fmt.Errorf("%s: %d: status_code, detail or error is missing or wrong", a.call, a.status)
	}
	want := "application/problem+json"
	if strings.HasPrefix(strings.ToLower(a.call.accept), "application/json") || strings.Contains(a.call.path, "/api-token-") {
		want = "application/json"
	}
	if a.kind() != want {
		return fmt.Errorf("%s: %d: Content-Type is %q instead of %q", a.call, a.status, a.header.Get("Content-Type"), want)
	}
	if want == "application/json" {
		return nil
	}
	if p.Type == "" || p.Title == "" || p.Status != a.status || p.Instance == "" {
		return fmt.Errorf("%s: %d: type, title, status or instance is missing or wrong", a.call, a.status)
	}
	for _, e := range p.Errors {
		if e.Pointer == "" && !strings.HasPrefix(e.Reason, "and ") || e.Reason == "" { // "and 23 more" is of no place
			return fmt.Errorf("%s: %d: an error without pointer or reason", a.call, a.status)
		}
	}
	return nil
}

// json returns the body as a value.
func (a *answer) json(t testing.TB) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%s: %v\n%s", a.call, err, a.body)
	}
	return v
}

// text returns what stands at a JSON pointer, as text.
func (a *answer) text(t testing.TB, pointer string) string {
	t.Helper()
	s, err := at(a.body, pointer)
	if err != nil {
		t.Fatalf("%s: %v\n%s", a.call, err, a.body)
	}
	return s
}

// at returns what stands at a JSON pointer, as text: scalars as they are, all else
// as JSON. The segment * stands for every element in turn, whose texts are joined
// by spaces, and the last segment # for the number of elements. What is not there
// is the empty text.
func at(doc []byte, pointer string) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	if pointer == "" {
		return plain(v), nil
	}
	segments := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	return strings.Join(walk(v, segments), " "), nil
}

func walk(v any, segments []string) []string {
	if len(segments) == 0 {
		return []string{plain(v)}
	}
	seg := strings.NewReplacer("~1", "/", "~0", "~").Replace(segments[0])
	switch x := v.(type) {
	case map[string]any:
		if seg == "#" {
			return []string{strconv.Itoa(len(x))}
		}
		if y, ok := x[seg]; ok {
			return walk(y, segments[1:])
		}
	case []any:
		switch seg {
		case "#":
			return []string{strconv.Itoa(len(x))}
		case "*":
			var out []string
			for _, y := range x {
				out = append(out, walk(y, segments[1:])...)
			}
			return out
		}
		if i, err := strconv.Atoi(seg); err == nil && i >= 0 && i < len(x) {
			return walk(x[i], segments[1:])
		}
	}
	return nil
}

func plain(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// schema is the strict schema of HAL documents.
var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile("../../../testdata/hal.schema.json")
})

// validHAL holds a document against the schema.
func validHAL(doc []byte) error {
	s, err := schema()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// varying is what differs from run to run, and what it is shown as.
var varying = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`"eyJ[A-Za-z0-9_.-]+"`), `"TOKEN"`},
	{regexp.MustCompile(`\b(hc[str]_)[A-Za-z0-9]{38}\b`), "${1}SECRET"},
	{regexp.MustCompile(`\b(hct_)[A-Za-z0-9]{8}\b`), "${1}PREFIX"},
	{regexp.MustCompile(`"v1:[A-Za-z0-9+/=]+"`), `"SEALED"`},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b([A-Z]{2,3})-[0-9a-z]{8}\b`), "$1-ID"},
	{regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/=]+`), "whsec_SECRET"},
	{regexp.MustCompile(`\bmsg_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "msg_UUID"},
	{regexp.MustCompile(`"duration-ms": \d+`), `"duration-ms": N`},
	// How many events there are depends on how the work falls into steps.
	{regexp.MustCompile(`"id": "\d+"(,\s+"type": "[a-z]+\.)`), `"id": "N"$1`},
	{regexp.MustCompile(`\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b`), "MAC"},
	{regexp.MustCompile(`\b10\.20\.\d+\.\d+\b`), "IP"},
	{regexp.MustCompile(`\b127\.0\.0\.1:\d+`), "HOST"},
	{regexp.MustCompile(`\b(after|before)=[A-Za-z0-9_=%-]+`), "$1=CURSOR"},
	{regexp.MustCompile(`\b(vm|disk|ethernet|host|dvportgroup)-+\d+(-\d+)?\b`), "$1-N"},
	{regexp.MustCompile(`\((\d+) bytes\)`), "(N bytes)"},
	// PostgreSQL gives no number twice, also when a transaction is rolled back.
	{regexp.MustCompile(`/history/\d+\b`), "/history/N"},
	{regexp.MustCompile(`\bEvent id \d+`), "Event id N"},
	{regexp.MustCompile(`/events/\d+\b`), "/events/N"},
	{regexp.MustCompile(`(?m)^id: \d+$`), "id: N"},
	{regexp.MustCompile(`"id":"\d+","type"`), `"id":"N","type"`},
	{regexp.MustCompile(`"id": "\d+"(,\s+"date")`), `"id": "N"$1`},
}

// steady takes out of a text what differs from run to run.
func steady(text string) string {
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.as)
	}
	return text
}

// shown are the headers that documents in testdata have.
var shown = []string{"Content-Type", "Location", "Idempotent-Replayed", "Allow", "Set-Cookie", "WWW-Authenticate", "Content-Disposition", "Retry-After"}

// print returns the answer as it stands in testdata.
func (a *answer) print() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", a.status, http.StatusText(a.status))
	for _, name := range shown {
		for _, v := range a.header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if len(a.body) == 0 {
		return steady(b.String())
	}
	b.WriteByte('\n')
	var pretty bytes.Buffer
	if strings.HasSuffix(a.kind(), "json") && json.Indent(&pretty, a.body, "", "  ") == nil {
		b.Write(pretty.Bytes())
		b.WriteByte('\n')
	} else if a.kind() == "application/zip" {
		fmt.Fprintf(&b, "(%d bytes)\n", len(a.body))
	} else {
		b.Write(a.body)
	}
	return steady(b.String())
}

// golden compares a text with a file below testdata, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(string(want), got); d != "" {
		t.Errorf("%s is not what is seen; go test ./cmd/halcyon/e2e -update rewrites it\n%s", name, d)
	}
}

// diff returns the difference of two texts, "" for none.
func diff(want, got string) string {
	if want == got {
		return ""
	}
	d, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(want), B: difflib.SplitLines(got), FromFile: "want", ToFile: "got", Context: 3,
	})
	if err != nil {
		return err.Error()
	}
	return d
}
