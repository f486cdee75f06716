package order_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
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
)

// The demo's ids.
const (
	foo, bar, globex     = 2, 3, 5
	advanced, simple     = 2, 3
	lab                  = 4
	custom, lamp         = 1, 2
	debian, rocky        = 1, 2
	small, medium, large = 1, 2, 3
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Context() context.Context
}

// rig is an installation with the demo's catalogue and a simulated back end. Its dispatcher only records
// jobs: nothing runs except by work.
type rig struct {
	store   *store.Store
	tenancy *tenancy.Service
	catalog *catalog.Service
	jobs    *job.Service
	orders  *order.Service
	servers *server.Service
	queue   *queue
	cloud   *simulated.Cloud
	dir     *refdata.Cache
	later   atomic.Int64 // offset of the clock for waits

	admin, alice, bob, carol access.Actor
}

// queue is a Dispatcher that tests drive by hand.
type queue struct {
	mu   sync.Mutex
	ids  []models.ID
	run  job.Work
	full bool // accepts nothing more
}

func (q *queue) WakeTx(tx *store.Tx, id models.ID, _ int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full {
		return errors.New("the queue is full")
	}
	tx.OnCommit(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.ids = append(q.ids, id)
	})
	return nil
}

func (q *queue) Plan([]job.Due) (int, bool) { return 0, false }

func (q *queue) Start(_ context.Context, run, _ job.Work, _ func()) error {
	q.run = run
	return nil
}

func (q *queue) Stop(context.Context) error { return nil }

// take empties the queue.
func (q *queue) take() []models.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := q.ids
	q.ids = nil
	return ids
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{store: s, queue: &queue{}, cloud: simulated.NewCloud(simulated.Options{}), dir: refdata.New(s)}
	ctx := t.Context()
	if err := tenancy.Bootstrap(ctx, s); err != nil {
		t.Fatal(err)
	}
	key, err := secret.LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	box := secret.New(key)
	pool := pool.New(s, map[models.HandlerKind]func(provider.Config) (provider.Provider, error){
		models.HandlerVSphere: func(c provider.Config) (provider.Provider, error) { return simulated.New(c, r.cloud), nil },
	}, box.Open)
	r.tenancy = tenancy.New(s, r.dir, func(_ context.Context, password string) (string, error) { return "hash of " + password, nil })
	r.catalog = catalog.New(s, r.dir, pool, box.Seal)
	r.jobs = job.New(s, r.queue, nil)
	r.servers = server.New(s, r.jobs, pool, nil)
	r.orders = order.New(s, r.catalog, r.jobs)
	d := demo.Demo{Tenancy: r.tenancy, Catalog: r.catalog, Orders: r.orders, RefData: r.dir, Now: s.Now}
	err = d.Seed(ctx, demo.VCenter{URL: "http://127.0.0.1:1/sdk", Username: "x", Password: "y", Network: "lan", Templates: []string{"debian-12", "rocky-9"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range []*access.Actor{&r.admin, &r.alice, &r.bob, &r.carol} {
		*a = r.actor(t, models.ID(i+1))
	}
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

func (r *rig) actor(t tester, id models.ID) access.Actor {
	t.Helper()
	u, err := r.dir.UserByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.dir.Actor(t.Context(), u, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// one runs every dispatched job once, ignoring its waiting time.
func (r *rig) one(t tester) (left int) {
	t.Helper()
	r.later.Add(int64(time.Minute))
	for _, id := range r.queue.take() {
		if again := r.queue.run(t.Context(), id); again >= 0 {
			r.queue.mu.Lock()
			r.queue.ids = append(r.queue.ids, id)
			r.queue.mu.Unlock()
			left++
		}
	}
	return left
}

// work runs all jobs to their ends.
func (r *rig) work(t tester) {
	t.Helper()
	for range 1000 {
		if r.one(t) == 0 {
			return
		}
	}
	t.Fatal("the jobs never end")
}

// template changes an OS build's template in the back end.
func (r *rig) template(t tester, build int, name string) {
	t.Helper()
	_, err := r.catalog.OSBuilds.Update(t.Context(), access.System("test"), models.ID(build).String(), func(o *models.OSBuild) error {
		o.Templates[0].Template = name
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// create makes an order.
func (r *rig) create(t tester, a access.Actor, group models.ID, submit bool, items ...models.OrderItem) *models.Order {
	t.Helper()
	o, err := r.orders.Create(t.Context(), a, order.Draft{GroupID: group, Submit: submit, Items: items})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// find reads the order as an actor who sees everything.
func (r *rig) find(t tester, id models.ID) *models.Order {
	t.Helper()
	o, err := r.orders.Find(t.Context(), r.admin, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// made returns the servers that an order has created, in order.
func (r *rig) made(t tester, o *models.Order) []models.Server {
	t.Helper()
	list, err := store.Find[models.Server](r.store.Read(t.Context()).Where("order_id = ?", o.ID).Order("id"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// jobsOf returns the jobs of an order, without parent jobs.
func (r *rig) jobsOf(t tester, o *models.Order) []models.Job {
	t.Helper()
	list, err := store.Find[models.Job](r.store.Read(t.Context()).Where("order_id = ? AND type <> ?", o.ID, models.JobDeploy).Order("id"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// begin starts the order's jobs, which then wait because the back end is unavailable.
func (r *rig) begin(t tester, o *models.Order) {
	t.Helper()
	r.cloud.SetDown(true)
	for _, j := range r.jobsOf(t, o) {
		r.queue.run(t.Context(), j.ID)
	}
	r.cloud.SetDown(false)
	for _, j := range r.jobsOf(t, o) {
		if j.Status != models.JobRunning {
			t.Fatalf("job %s is %s", j.ID, j.Status)
		}
	}
}

// machines returns the machines in the back end.
func (r *rig) machines(t tester) []provider.Machine {
	t.Helper()
	all, err := simulated.New(provider.Config{}, r.cloud).List(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// server orders a server of a size and waits for its creation.
func (r *rig) server(t tester, a access.Actor, group models.ID, size string) models.Server {
	t.Helper()
	o := r.create(t, a, group, true, deploy(simple, "vm-size", size))
	if o.Status == models.OrderPending {
		if _, err := r.orders.Approve(t.Context(), r.bob, o.ID.String()); err != nil {
			t.Fatal(err)
		}
	}
	r.work(t)
	list := r.made(t, o)
	if len(list) != 1 || list[0].Status != models.ServerActive {
		t.Fatalf("the server was not made: %+v", list)
	}
	return list[0]
}

// deploy returns an item for one Custom Server; params alternates names and values.
func deploy(env models.ID, params ...string) models.OrderItem {
	return models.OrderItem{Kind: models.ItemDeploy, Deploy: &models.DeployItem{
		BlueprintID: custom, Arguments: []models.BuildItemArgs{{Item: "Server", EnvironmentID: env, Parameters: pairs(params)}},
	}}
}

// stack returns an item for a LAMP Stack.
func stack() models.OrderItem {
	return models.OrderItem{Kind: models.ItemDeploy, Deploy: &models.DeployItem{
		BlueprintID: lamp, Arguments: []models.BuildItemArgs{{Item: "Web", EnvironmentID: simple}, {Item: "Database", EnvironmentID: simple}},
	}}
}

// prov returns an item for servers without a blueprint.
func prov(env models.ID, quantity int, host string, params ...string) models.OrderItem {
	return models.OrderItem{Kind: models.ItemProv, Prov: &models.ProvItem{
		EnvironmentID: env, Quantity: quantity, Hostname: host, OSBuildID: debian, Parameters: pairs(params),
	}}
}

func mod(sv models.ID, params ...string) models.OrderItem {
	return models.OrderItem{Kind: models.ItemMod, Mod: &models.ModItem{ServerID: sv, Parameters: pairs(params)}}
}

func decom(servers ...models.ID) models.OrderItem {
	return models.OrderItem{Kind: models.ItemDecom, Decom: &models.DecomItem{ServerIDs: servers}}
}

func pairs(params []string) []models.Param {
	var out []models.Param
	for pair := range slices.Chunk(params, 2) {
		out = append(out, models.Param{Name: pair[0], Value: pair[1]})
	}
	return out
}

// wants fails the test unless err has the code and these words.
func wants(t tester, err error, code fault.Code, message string) {
	t.Helper()
	if !fault.Is(err, code) || fault.Message(err) != message {
		t.Errorf("%v, want %s: %s", err, code, message)
	}
}
