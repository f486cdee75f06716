package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/demo"
	"halcyon/pkg/event"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/web"
)

// follow opens a stream of events. The caller closes it.
func follow(ctx context.Context, base, path, credentials, last string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", web.EventStream)
	req.Header.Set("Authorization", credentials)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// frame is an event as a client reads it.
type frame struct {
	id, kind, data string
}

// frames reads a stream event by event.
type frames struct {
	lines *bufio.Reader
	last  string // as a browser would send it when it comes back
}

func (f *frames) next() (frame, error) {
	var x frame
	for {
		line, err := f.lines.ReadString('\n')
		if err != nil {
			return x, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			x.id = value
			f.last = value
		case "event":
			x.kind = value
		case "data":
			x.data = value
		case "":
			if line == "" && x.data != "" {
				return x, nil
			}
			if line == "" {
				x = frame{}
			}
		}
	}
}

// stream is the command of scripts.
func (p *player) stream(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) < 3 || len(args) > 4 {
		return errors.New("usage: stream ACTOR PATH TYPE [NUMBER]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := follow(ctx, p.cloud.srv.URL, args[1], basic(args[0], demo.Password), strings.Join(args[3:], ""))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%d %s\n", res.StatusCode, res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK {
		body, err := io.ReadAll(res.Body)
		fmt.Fprintln(ts.Stdout(), steady(string(body)))
		return err
	}
	f := &frames{lines: bufio.NewReader(res.Body)}
	for {
		x, err := f.next()
		if err != nil {
			return err
		}
		fmt.Fprint(ts.Stdout(), steady(fmt.Sprintf("\nid: %s\nevent: %s\ndata: %s\n", x.id, x.kind, x.data)))
		if x.kind == args[2] {
			return nil
		}
	}
}

// prune waits until what happened has its number, and removes what is too old.
func (p *player) prune(*testscript.TestScript, bool, []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		var waits int64
		if err := p.cloud.app.Store.Read(ctx).Table("event_outbox").Count(&waits).Error; err != nil {
			return err
		}
		if waits == 0 {
			return p.cloud.app.Events.Prune(ctx)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// replica is a further process of the installation, as far as the database and its
// clients can tell.
type replica struct {
	app  *app.App
	srv  *httptest.Server
	stop func() // numbering and handing out, as a process that ends does
}

// beside starts another replica of a cloud.
func (c *cloud) beside(t testing.TB, url string) *replica {
	t.Helper()
	s := app.Settings{
		DatabaseURL: url, MaxConns: 8, KeysDir: c.keysDir, SecretKeyFile: c.keysDir + "/../secret.key", SigningAlg: "EdDSA",
		TokenLifetime: 5 * time.Minute, Log: slog.New(slog.DiscardHandler),
	}
	a, err := app.New(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{app: a}
	r.run(t)
	r.srv = httptest.NewServer(a.Web)
	t.Cleanup(func() {
		r.stop()
		r.srv.Close()
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *replica) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { r.app.Events.Run(ctx) })
	r.stop = func() { cancel(); all.Wait() }
}

// TestStreamsMissNothingAndRepeatNothing has 2,000 events happen in two replicas,
// each of which stops once and comes back, and follows them as several users, whose
// streams are cut at random and go on at either replica. Everybody has to get what
// they see, once, and in one order.
func TestStreamsMissNothingAndRepeatNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		const total = 2000
		url := open(t)
		c := newCloud(t, url)
		other := c.beside(t, url)
		ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
		defer cancel()
		begin, _, err := c.app.Events.Numbers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		type reader struct {
			actor, query string
			filter       event.Filter
			got          []string
			n            atomic.Int64 // of them
			cuts         int
		}
		readers := []*reader{
			{actor: "admin"},
			{actor: "alice"},
			{actor: "bob"},
			{actor: "carol"},
			{actor: "admin"},
			{actor: "alice"},
			{actor: "bob", query: "?resource=orders&type=order.created", filter: event.Filter{Types: []string{"order.created"}}},
			{actor: "carol", query: "?type=server.*", filter: event.Filter{Types: []string{"server.*"}}},
		}
		bases := []string{c.srv.URL, other.srv.URL}
		var reading sync.WaitGroup
		for i, r := range readers {
			dice := rand.New(rand.NewPCG(uint64(i), 5))
			reading.Go(func() {
				last := begin.String()
				for ctx.Err() == nil {
					res, err := follow(ctx, bases[dice.IntN(2)], "/api/v2/events/"+r.query, basic(r.actor, demo.Password), last)
					if err != nil {
						continue // it stops, or starts
					}
					if res.StatusCode != http.StatusOK {
						res.Body.Close()
						if res.StatusCode != http.StatusServiceUnavailable {
							t.Errorf("%s: %s", r.actor, res.Status)
							return
						}
						continue
					}
					f := &frames{lines: bufio.NewReader(res.Body), last: last}
					for left := 1 + dice.IntN(60); left > 0; left-- {
						x, err := f.next()
						if err != nil {
							break
						}
						r.got = append(r.got, x.id)
						r.n.Add(1)
					}
					last = f.last
					r.cuts++
					res.Body.Close()
				}
			})
		}
		write := func(s *store.Store, n int, dice *rand.Rand) {
			for i := range n {
				err := s.InTx(ctx, func(tx *store.Tx) error {
					owner, group := models.ID(1+dice.IntN(4)), models.ID(2+dice.IntN(4))
					if i%2 == 0 {
						return store.Insert(tx, &models.Order{Status: models.OrderCart, OwnerID: owner, GroupID: group})
					}
					return store.Insert(tx, &models.Server{Status: models.ServerActive, OwnerID: owner, GroupID: group, AddedAt: tx.Now, Labels: []string{}, Parameters: []models.Param{}})
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		}
		var writing sync.WaitGroup
		for i, s := range []*store.Store{c.app.Store, other.app.Store} {
			writing.Go(func() { write(s, total/2, rand.New(rand.NewPCG(9, uint64(i)))) })
		}
		seen := func() models.ID {
			last, _, err := c.app.Events.Numbers(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return last - begin
		}
		// The replicas come and go meanwhile.
		until(t, "a third of the events", func() bool { return seen() > total/3 })
		other.stop()
		until(t, "two thirds of the events", func() bool { return seen() > total*2/3 })
		other.run(t)
		c.stopEvents()
		writing.Wait()
		until(t, "all events", func() bool { return seen() >= total })
		want := func(r *reader) []string {
			u, err := c.app.Refdata.UserByName(ctx, r.actor)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.app.Refdata.Actor(ctx, u, "")
			if err != nil {
				t.Fatal(err)
			}
			list, err := c.app.Events.After(ctx, a, begin, 1_000_000, 100_000, r.filter)
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]string, len(list))
			for i, e := range list {
				ids[i] = e.ID.String()
			}
			return ids
		}
		expected := make([][]string, len(readers))
		for i, r := range readers {
			if expected[i] = want(r); len(expected[i]) == 0 || r.actor != "admin" && len(expected[i]) >= total {
				t.Errorf("%s sees %d events: that proves nothing", r.actor, len(expected[i]))
			}
		}
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if !slices.ContainsFunc(readers, func(r *reader) bool { return int(r.n.Load()) < len(expected[slices.Index(readers, r)]) }) {
				break
			}
		}
		cancel()
		reading.Wait()
		for i, r := range readers {
			if d := cmp.Diff(expected[i], r.got); d != "" {
				t.Errorf("%s%s, cut %d times: %s", r.actor, r.query, r.cuts, d)
			}
			if r.cuts < 3 {
				t.Errorf("%s%s was cut %d times", r.actor, r.query, r.cuts)
			}
		}
	})
}

// listen opens a stream and reads its beginning.
func (c *cloud) listen(t testing.TB, path, credentials string) *frames {
	t.Helper()
	res, err := follow(t.Context(), c.srv.URL, path, credentials, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	f := &frames{lines: bufio.NewReader(res.Body)}
	for f.last == "" { // from then on it is open
		line, err := f.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			f.last = strings.TrimSpace(id)
		}
	}
	return f
}

// TestAStreamEndsWithItsCredentials signs out, disables and lets tokens expire, and
// each time has something happen that the stream would tell.
func TestAStreamEndsWithItsCredentials(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		var ahead atomic.Int64
		c := newCloud(t, open(t), unaudited, func(s *app.Settings) {
			s.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		u := &models.User{Username: "gwen", Active: true, GlobalViewer: true, NewPassword: demo.Password}
		if err := c.app.Tenancy.CreateUser(t.Context(), access.System("test"), u); err != nil {
			t.Fatal(err)
		}
		happens := func() {
			c.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/orders/", body: `{"group": 2}`})
		}
		token := func(user string) string {
			return "Bearer " + c.want(t, http.StatusOK, call{method: "POST", path: "/api/v2/api-token-auth/", body: `{"username": "` + user + `", "password": "` + demo.Password + `"}`}).text(t, "/token")
		}
		for name, end := range map[string]func(credentials string){
			"signed out": func(credentials string) {
				c.want(t, http.StatusNoContent, call{method: "POST", path: "/api/v2/user/actions/sign-out", header: http.Header{"Authorization": {credentials}}})
			},
			"expired":  func(string) { ahead.Add(int64(6 * time.Minute)) },
			"disabled": func(string) { c.activate(t, "gwen", false) },
		} {
			c.activate(t, "gwen", true)
			credentials := token("gwen")
			f := c.listen(t, "/api/v2/events/?resource=orders", credentials)
			happens()
			if x, err := f.next(); err != nil || x.kind != "order.created" {
				t.Fatalf("%s: before, %+v: %v", name, x, err)
			}
			end(credentials)
			happens()
			if x, err := f.next(); err == nil {
				t.Errorf("%s: it is still told %+v", name, x)
			}
			res, err := follow(t.Context(), c.srv.URL, "/api/v2/events/", credentials, f.last)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s", name, res.Status)
			}
		}
		if n := c.app.Events.Streams(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

func (c *cloud) activate(t testing.TB, user string, active bool) {
	t.Helper()
	u, err := c.app.Refdata.UserByName(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.app.Tenancy.Users.Update(t.Context(), access.System("test"), u.ID.String(), func(u *models.User) error {
		u.Active = active
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAStreamIsNotHeldUp asks as browsers do, who take compressed answers, and looks
// at what proxies look at; and at what is no stream.
func TestAStreamIsNotHeldUp(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	for _, accept := range []string{"text/event-stream", "text/event-stream, */*;q=0.1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.srv.URL+"/api/v2/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("Accept-Encoding", "gzip")
		req.Header.Set("Authorization", basic("alice", demo.Password))
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		first, err := bufio.NewReader(res.Body).ReadString('\n')
		res.Body.Close()
		if err != nil || first != "retry: 3000\n" {
			t.Errorf("it begins with %q: %v", first, err)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Content-Encoding": "", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Length": "",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
		if res.Header.Get("X-Request-Id") == "" {
			t.Error("no X-Request-Id")
		}
	}
	for accept, want := range map[string]string{"": "application/hal+json", "*/*": "application/hal+json", "text/event-stream;q=0, */*": "application/hal+json", "application/json": "application/json"} {
		if got := c.want(t, http.StatusOK, call{actor: "alice", path: "/api/v2/events/", accept: accept}).kind(); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
	head := c.want(t, http.StatusOK, call{actor: "alice", method: http.MethodHead, path: "/api/v2/events/", accept: "text/event-stream"})
	if head.kind() != "text/event-stream" {
		t.Errorf("HEAD: %s", head.kind())
	}
}

// TestAStreamSharesItsConnection has a stream over HTTP/2, whose connection serves other
// requests: events come, and the stream ends when the service stops.
func TestAStreamSharesItsConnection(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	srv := httptest.NewUnstartedServer(c.app.Web)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	request := func(method, accept, body string) *http.Response {
		path := "/api/v2/events/?type=order.created"
		if method == http.MethodPost {
			path = "/api/v2/orders/"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", basic("admin", demo.Password))
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := request(http.MethodGet, web.EventStream, "")
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
		t.Fatal(res.Proto, res.Status)
	}
	f := &frames{lines: bufio.NewReader(res.Body)}
	for range 3 {
		if made := request(http.MethodPost, "*/*", `{"group": 2}`); made.Body.Close() != nil || made.StatusCode != http.StatusCreated {
			t.Fatal(made.Status)
		}
		if x, err := f.next(); err != nil || x.kind != "order.created" {
			t.Fatalf("%+v: %v", x, err)
		}
	}
	c.stopEvents()
	if x, err := f.next(); !errors.Is(err, io.EOF) {
		t.Errorf("it goes on with %+v: %v", x, err)
	}
}

// TestStreamsDoNotKeepAServerFromStopping has some streams open when the server is
// told to stop.
func TestStreamsDoNotKeepAServerFromStopping(t *testing.T) {
	t.Parallel()
	c := newCloud(t, storetest.SQLiteURL(t))
	var open []*frames
	for range 3 {
		f := c.listen(t, "/api/v2/events/?resource=services", basic("alice", demo.Password))
		open = append(open, f)
	}
	until(t, "all streams", func() bool { return c.app.Events.Streams() == len(open) })
	c.stopEvents()
	for _, f := range open {
		if x, err := f.next(); err == nil {
			t.Errorf("it goes on with %+v", x)
		}
	}
	if err := c.srv.Config.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
