package main

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

	"halcyon/models"
	"halcyon/pkg/demo"
	"halcyon/pkg/event"
	"halcyon/pkg/store"
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
		if err := p.cloud.app.store.Read(ctx).Table("event_outbox").Count(&waits).Error; err != nil {
			return err
		}
		if waits == 0 {
			return p.cloud.app.events.Prune(ctx)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// replica is a further process of the installation, as far as the database and its
// clients can tell.
type replica struct {
	app  *app
	srv  *httptest.Server
	stop func() // numbering and handing out, as a process that ends does
}

// beside starts another replica of a cloud.
func (c *cloud) beside(t testing.TB, url string) *replica {
	t.Helper()
	s := settings{
		databaseURL: url, maxConns: 8, keysDir: c.keysDir, secretKeyFile: c.keysDir + "/../secret.key", signingAlg: "EdDSA",
		tokenLifetime: 5 * time.Minute, log: slog.New(slog.DiscardHandler),
	}
	a, err := newApp(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{app: a}
	r.run(t)
	r.srv = httptest.NewServer(a.web)
	t.Cleanup(func() {
		r.stop()
		r.srv.Close()
		if err := a.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *replica) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { r.app.events.Run(ctx) })
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
		begin, _, err := c.app.events.Numbers(ctx)
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
			{actor: "admin"}, {actor: "alice"}, {actor: "bob"}, {actor: "carol"}, {actor: "admin"}, {actor: "alice"},
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
		for i, s := range []*store.Store{c.app.store, other.app.store} {
			writing.Go(func() { write(s, total/2, rand.New(rand.NewPCG(9, uint64(i)))) })
		}
		seen := func() models.ID {
			last, _, err := c.app.events.Numbers(ctx)
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
			u, err := c.app.directory.UserByName(ctx, r.actor)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.app.directory.Actor(ctx, u, "")
			if err != nil {
				t.Fatal(err)
			}
			list, err := c.app.events.After(ctx, a, begin, 1_000_000, 100_000, r.filter)
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
