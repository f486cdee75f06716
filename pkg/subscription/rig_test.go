package subscription_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/subscription"
	"halcyon/pkg/webhook"
)

// patience is how long a test waits for something to happen before it fails.
const patience = 2 * time.Minute

// rig is a database with a few people on it, and replicas that send webhooks.
type rig struct {
	t     *testing.T
	url   string
	ahead atomic.Int64 // how far its clock is before the wall's

	*subscription.Service
	store   *store.Store
	refdata *refdata.Cache

	alice, bob  access.Actor // in groups of their own
	admin       access.Actor
	groups      map[string]models.ID
	mine, other *models.Order // alice's, and bob's
}

// loopback lets webhooks call the receivers of tests.
var loopback = webhook.Allowed{netip.MustParsePrefix("127.0.0.0/8")}

// each runs the test on every database.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, url: open(t), groups: map[string]models.ID{}}
			r.store = r.open()
			r.Service, r.refdata = r.replica(r.store, webhook.NewPrivate(loopback), subscription.Policy{})
			r.people()
			test(t, r)
		})
	}
}

// now is the clock of all replicas.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

func (r *rig) later(d time.Duration) { r.ahead.Add(int64(d)) }

// open opens the database once more, as another process would.
func (r *rig) open() *store.Store {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), store.Config{URL: r.url, MaxConns: 6, Clock: r.now})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(s.Close)
	s.Listen()
	return s
}

func (r *rig) replica(s *store.Store, caller subscription.Caller, p subscription.Policy) (*subscription.Service, *refdata.Cache) {
	same := func(text string) (string, error) { return text, nil }
	if p.Poll == 0 {
		p.Poll = 10 * time.Millisecond
	}
	if p.Timeout == 0 {
		p.Timeout = 5 * time.Second
	}
	ref := refdata.New(s)
	svc := subscription.New(subscription.Config{Store: s, RefData: ref, Caller: caller, Seal: same, Open: same, Policy: p})
	svc.Render = func(e *models.Event) []byte {
		return fmt.Appendf(nil, `{"id":"%s","object":"%s %s"}`, e.ID, e.ObjectType, e.ObjectID)
	}
	return svc, ref
}

// start has a replica send until the test ends.
func (r *rig) start(svc *subscription.Service) *subscription.Sender {
	x := svc.Sender()
	x.Start()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		x.Stop(ctx)
	})
	return x
}

func (r *rig) insert(rows ...models.Keyed) {
	r.t.Helper()
	err := r.store.InTx(r.t.Context(), func(tx *store.Tx) error {
		for _, row := range rows {
			if err := store.Insert(tx, row); err != nil {
				return err
			}
		}
		for _, table := range []string{refdata.Users, refdata.Groups, refdata.Roles, refdata.Memberships} {
			tx.Signal(table, 0)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// people makes two tenants and an administrator.
func (r *rig) people() {
	r.t.Helper()
	actor := func(u *models.User) access.Actor {
		a, err := r.refdata.Actor(r.t.Context(), u, "")
		if err != nil {
			r.t.Fatal(err)
		}
		return a
	}
	role := &models.Role{Name: "sees-all-of-it", Permissions: []string{string(access.GroupView)}}
	acme, globex := &models.Group{Name: "acme"}, &models.Group{Name: "globex"}
	alice, bob := &models.User{Username: "alice", Active: true}, &models.User{Username: "bob", Active: true}
	admin := &models.User{Username: "root", Active: true, SuperAdmin: true}
	r.insert(role, acme, globex, alice, bob, admin)
	team := &models.Group{Name: "team", ParentID: acme.ID}
	r.insert(team,
		&models.Membership{UserID: alice.ID, GroupID: acme.ID, RoleID: role.ID},
		&models.Membership{UserID: bob.ID, GroupID: globex.ID, RoleID: role.ID})
	r.groups["acme"], r.groups["globex"], r.groups["team"] = acme.ID, globex.ID, team.ID
	r.mine = &models.Order{Status: models.OrderCart, OwnerID: alice.ID, GroupID: acme.ID}
	r.other = &models.Order{Status: models.OrderCart, OwnerID: bob.ID, GroupID: globex.ID}
	r.insert(r.mine, r.other)
	r.alice, r.bob, r.admin = actor(alice), actor(bob), actor(admin)
}

// happen has events of a type happen to an order, with their numbers, and gives the
// last number.
func (r *rig) happen(o *models.Order, kind string, times int) models.ID {
	r.t.Helper()
	var last models.ID
	err := r.store.InTx(r.t.Context(), func(tx *store.Tx) error {
		if err := tx.Raw("SELECT last FROM event_numbers").Scan(&last).Error; err != nil {
			return err
		}
		for range times {
			last++
			e := &models.Event{
				ID: last, Type: kind, ObjectType: models.ObjectOrder, ObjectID: o.ID, Status: string(o.Status),
				OwnerID: o.OwnerID, GroupID: o.GroupID, OrderID: o.ID, CreatedAt: tx.Now,
			}
			if err := tx.Create(e).Error; err != nil {
				return err
			}
		}
		tx.Signal("events", last)
		return tx.Exec("UPDATE event_numbers SET last = ?", int64(last)).Error
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return last
}

// hook makes a webhook.
func (r *rig) hook(a access.Actor, url string, change ...func(*models.Webhook)) *models.Webhook {
	r.t.Helper()
	w := &models.Webhook{Name: "hook", URL: url, Types: []string{"*"}}
	for _, fn := range change {
		fn(w)
	}
	if err := r.Create(r.t.Context(), a, w); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// deliveries returns all deliveries of a webhook, oldest first.
func (r *rig) deliveries(w *models.Webhook) []models.WebhookDelivery {
	r.t.Helper()
	list, err := store.Find[models.WebhookDelivery](r.store.Read(r.t.Context()).Where("webhook_id = ?", w.ID).Order("id"))
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) reload(w *models.Webhook) *models.Webhook {
	r.t.Helper()
	got, err := store.First[models.Webhook](r.store.Read(r.t.Context()).Where("id = ?", w.ID))
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// until waits for a condition.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not in time: %s", what)
		}
	}
}

// statuses tells how many deliveries of a webhook have each status.
func (r *rig) statuses(w *models.Webhook) map[models.DeliveryStatus]int {
	r.t.Helper()
	out := map[models.DeliveryStatus]int{}
	for _, d := range r.deliveries(w) {
		out[d.Status]++
	}
	return out
}

// receiver keeps what it is sent.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

type request struct {
	id, signature, stamp string
	body                 []byte
}

// receive starts a receiver that answers as told; nil is 200.
func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	x := &receiver{}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.got = append(x.got, request{r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Signature"), r.Header.Get("Webhook-Timestamp"), body})
		x.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) requests() []request {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]request(nil), x.got...)
}

// ids tells how often each message has come.
func (x *receiver) ids() map[string]int {
	out := map[string]int{}
	for _, r := range x.requests() {
		out[r.id]++
	}
	return out
}
