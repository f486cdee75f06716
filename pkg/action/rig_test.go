package action_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/action"
	"halcyon/pkg/catalog"
	"halcyon/pkg/demo"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/refdata"
	"halcyon/pkg/secret"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
	"halcyon/pkg/tenancy"
	"halcyon/pkg/webhook"
)

// Ids of the demo's rows.
const (
	foo, bar = 2, 3
	simple   = 3
	debian   = 1
)

var root = access.System("root")

// rig is an installation with the demo's catalogue, a simulated back end, and a
// dispatcher that is driven by hand.
type rig struct {
	*action.Service
	store   *store.Store
	tenancy *tenancy.Service
	jobs    *job.Service
	orders  *order.Service
	servers *server.Service
	refdata *refdata.Cache
	queue   *queue
	out     *outbox
	later   atomic.Int64

	alice, bob access.Actor
}

// queue is a Dispatcher that tests drive by hand.
type queue struct {
	mu  sync.Mutex
	ids []models.ID
	run job.Work
}

func (q *queue) WakeTx(tx *store.Tx, id models.ID, _ int) error {
	tx.OnCommit(func() { q.put(id) })
	return nil
}

func (q *queue) put(id models.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ids = append(q.ids, id)
}

func (q *queue) Plan([]job.Due) (int, bool) { return 0, false }

func (q *queue) Start(_ context.Context, run, _ job.Work, _ func()) error { q.run = run; return nil }

func (q *queue) Stop(context.Context) error { return nil }

func (q *queue) take() []models.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := q.ids
	q.ids = nil
	return ids
}

// outbox is a Sender that records messages, and answers with the function answer.
type outbox struct {
	mu     sync.Mutex
	sent   []webhook.Message
	answer func(m webhook.Message) error
}

func (o *outbox) Check(string) error { return nil }

func (o *outbox) Send(_ context.Context, m webhook.Message) (status, message string, err error) {
	o.mu.Lock()
	o.sent = append(o.sent, m)
	answer := o.answer
	o.mu.Unlock()
	if answer != nil {
		if err := answer(m); err != nil {
			return "", "", err
		}
	}
	return "200 OK", "", nil
}

func (o *outbox) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sent)
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{store: s, refdata: refdata.New(s), queue: &queue{}, out: &outbox{}}
	ctx := t.Context()
	if err := tenancy.Bootstrap(ctx, s); err != nil {
		t.Fatal(err)
	}
	key, err := secret.LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	box, cloud := secret.New(key), simulated.NewCloud(simulated.Options{})
	pool := pool.New(s, map[models.HandlerKind]func(provider.Config) (provider.Provider, error){
		models.HandlerVSphere: func(c provider.Config) (provider.Provider, error) { return simulated.New(c, cloud), nil },
	}, box.Open)
	r.tenancy = tenancy.New(s, r.refdata, func(_ context.Context, password string) (string, error) { return "hash of " + password, nil })
	goods := catalog.New(s, r.refdata, pool, box.Seal)
	r.jobs = job.New(s, r.queue, nil)
	r.servers = server.New(s, r.jobs, pool, nil)
	r.orders = order.New(s, goods, r.jobs)
	r.Service = action.New(action.Config{Store: s, RefData: r.refdata, Jobs: r.jobs, Sender: r.out, Seal: box.Seal, Open: box.Open})
	r.Use(r.orders)
	r.orders.Use(r.Service)
	d := demo.Demo{Tenancy: r.tenancy, Catalog: goods, Orders: r.orders, Actions: r.Service, RefData: r.refdata, Now: s.Now}
	err = d.Seed(ctx, demo.VCenter{URL: "http://127.0.0.1:1/sdk", Username: "x", Password: "y", Network: "lan", Templates: []string{"debian-12", "rocky-9"}})
	if err != nil {
		t.Fatal(err)
	}
	r.alice, r.bob = r.actor(t, 2), r.actor(t, 3)
	engine := job.NewEngine(r.jobs, job.Config{
		Sweep: time.Hour, Reconcile: time.Hour,
		Clock: func() time.Time { return s.Now().Add(time.Duration(r.later.Load())) },
	})
	if err := engine.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) actor(t *testing.T, id models.ID) access.Actor {
	t.Helper()
	u, err := r.refdata.UserByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.refdata.Actor(t.Context(), u, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// work runs all jobs to their ends.
func (r *rig) work(t *testing.T) {
	t.Helper()
	for range 1000 {
		r.later.Add(int64(time.Minute))
		ids := r.queue.take()
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			if again := r.queue.run(t.Context(), id); again >= 0 {
				r.queue.put(id)
			}
		}
	}
	t.Fatal("the jobs never end")
}

// define creates an action.
func (r *rig) define(t *testing.T, x models.Action) models.ID {
	t.Helper()
	if x.Kind == "" {
		x.Kind = models.ActionBuiltIn
	}
	if x.Kind == models.ActionWebhook {
		x.URL, x.Timeout = "https://hooks.example.com/", 5
	}
	if err := r.Actions.Create(t.Context(), root, &x); err != nil {
		t.Fatal(err)
	}
	return x.ID
}

// hook attaches an action to a trigger point.
func (r *rig) hook(t *testing.T, act models.ID, at models.Trigger, condition string) {
	t.Helper()
	x := &models.OrchestrationAction{Name: string(at) + " " + act.String() + " " + condition, ActionID: act, Trigger: at, Condition: condition, Enabled: true}
	if err := r.OrchestrationActions.Create(t.Context(), root, x); err != nil {
		t.Fatal(err)
	}
}

// create creates and submits an order of one server.
func (r *rig) create(t *testing.T, group models.ID) (*models.Order, error) {
	t.Helper()
	return r.orders.Create(t.Context(), r.alice, order.Draft{GroupID: group, Submit: true, Items: []models.OrderItem{{
		Kind: models.ItemProv, Prov: &models.ProvItem{EnvironmentID: simple, OSBuildID: debian, Quantity: 1, Parameters: []models.Param{{Name: "vm-size", Value: "small"}}},
	}}})
}

// server orders a server and returns it.
func (r *rig) server(t *testing.T) *models.Server {
	t.Helper()
	o, err := r.create(t, foo)
	if err != nil {
		t.Fatal(err)
	}
	r.work(t)
	sv, err := store.First[models.Server](r.store.Read(t.Context()).Where("order_id = ?", o.ID))
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

func (r *rig) reread(t *testing.T, sv *models.Server) *models.Server {
	t.Helper()
	sv, err := r.servers.Find(t.Context(), root, sv.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

func (r *rig) job(t *testing.T, id models.ID) *models.Job {
	t.Helper()
	j, err := r.jobs.Find(t.Context(), root, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (r *rig) order(t *testing.T, id models.ID) *models.Order {
	t.Helper()
	o, err := r.orders.Find(t.Context(), root, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// wantFault fails the test unless err has the code and the message.
func wantFault(t *testing.T, err error, code fault.Code, message string) {
	t.Helper()
	if !fault.Is(err, code) || fault.Message(err) != message {
		t.Errorf("%v, want %s: %s", err, code, message)
	}
}

// countStatements returns a counter of the statements on a store.
func countStatements(t *testing.T, s *store.Store) *atomic.Int64 {
	t.Helper()
	n := new(atomic.Int64)
	count := func(*gorm.DB) { n.Add(1) }
	on := func(db *gorm.DB) {
		cb := db.Callback()
		for _, err := range []error{
			cb.Query().Register("test:count", count), cb.Create().Register("test:count", count), cb.Update().Register("test:count", count),
			cb.Delete().Register("test:count", count), cb.Row().Register("test:count", count), cb.Raw().Register("test:count", count),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	on(s.ReadOutsideTx(t.Context()).DB)
	err := s.InTx(t.Context(), func(tx *store.Tx) error { on(tx.DB); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
