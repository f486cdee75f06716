package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// world is what the jobs of a test change: it outlives processes.
type world struct {
	Base
	mu      sync.Mutex
	steps   []string
	cleanup []string
	does    map[string]func(ctx context.Context, memo provider.Memo) (time.Duration, error)
	calls   map[string]int // "job/step"
	applied map[string]int
	notes   []string
	refuse  map[string]error // by method
	again   []string
}

func newWorld(steps ...string) *world {
	return &world{
		steps: steps, does: map[string]func(context.Context, provider.Memo) (time.Duration, error){},
		calls: map[string]int{}, applied: map[string]int{}, refuse: map[string]error{},
	}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *world) called(id models.ID, step string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[id.String()+"/"+step]
}

func (w *world) list(j *models.Job, names []string) []Step {
	out := make([]Step, len(names))
	for i, name := range names {
		key := j.ID.String() + "/" + name
		out[i] = Step{
			Step: provider.Step{Name: name, Title: "Doing " + name, Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
				w.mu.Lock()
				w.calls[key]++
				do := w.does[name]
				w.mu.Unlock()
				memo[name] = "called"
				if do == nil {
					return 0, nil
				}
				return do(ctx, memo)
			}},
			Apply: func(_ *store.Tx, _ *models.Job, memo provider.Memo) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.applied[key]++
				memo["applied "+name] = "yes"
				return w.refuse["apply "+name]
			},
		}
	}
	return out
}

func (w *world) no(method string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refuse[method]
}

func (w *world) set(method string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse[method] = err
}

func (w *world) do(step string, fn func(ctx context.Context, memo provider.Memo) (time.Duration, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.does[step] = fn
}

func (w *world) Steps(_ context.Context, _ *store.Tx, j *models.Job) ([]Step, error) {
	return w.list(j, w.steps), w.no("steps")
}

func (w *world) Cleanup(_ context.Context, _ *store.Tx, j *models.Job, _ provider.Memo) ([]Step, error) {
	return w.list(j, w.cleanup), w.no("cleanup")
}

func (w *world) Started(*store.Tx, *models.Job) error { return w.no("started") }

func (w *world) Succeeded(_ *store.Tx, j *models.Job, memo provider.Memo) error {
	if err := w.no("succeeded"); err != nil {
		return err
	}
	j.Output = fmt.Sprintf("Job %s is done with %d notes.", j.ID, len(memo))
	return nil
}

func (w *world) Failed(*store.Tx, *models.Job, provider.Memo, string) error { return w.no("failed") }

func (w *world) Canceled(_ *store.Tx, j *models.Job, _ provider.Memo) error {
	w.note("canceled %s", j.ID)
	return w.no("canceled")
}

func (w *world) Retried(*store.Tx, *models.Job) ([]string, error) { return w.again, w.no("retried") }

// process is what one process has.
type process struct {
	*Service
	engine *Engine
	queue  *Queue
}

// quick are settings for tests: patient with leases, impatient otherwise.
func quick() Config {
	return Config{
		Lease: 20 * time.Second, BackoffBase: 5 * time.Millisecond, BackoffMax: 20 * time.Millisecond,
		MaxFailures: 4, Sweep: time.Second, Reconcile: 3 * time.Second, Drain: 5 * time.Second,
	}
}

func newProcess(t *testing.T, s *store.Store, k Kind, c Config) *process {
	t.Helper()
	if c.Log == nil {
		c.Log = testLog(t)
	}
	return newProcessWith(t, s, k, c, 8)
}

// newProcessWith makes a process with so many workers.
func newProcessWith(t *testing.T, s *store.Store, k Kind, c Config, workers int) *process {
	t.Helper()
	q := NewQueue(s, workers)
	svc := New(s, q, c.Log)
	for _, jt := range models.JobTypes {
		if jt != models.JobDeploy {
			svc.Register(jt, k)
		}
	}
	return &process{Service: svc, engine: NewEngine(svc, c), queue: q}
}

// testLog writes to the test's log, as long as it runs.
func testLog(t *testing.T) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (p *process) start(t *testing.T) *process {
	t.Helper()
	if err := p.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	return p
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.engine.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func inTx(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (p *process) insert(t *testing.T, specs ...Spec) []models.ID {
	t.Helper()
	ids := make([]models.ID, 0, len(specs))
	inTx(t, p.store, func(tx *store.Tx) error {
		ids = ids[:0]
		for _, spec := range specs {
			if spec.Type == "" {
				spec.Type = models.JobAction
			}
			j, err := p.InsertTx(tx, spec)
			if err != nil {
				return err
			}
			ids = append(ids, j.ID)
		}
		return nil
	})
	return ids
}

func read(t *testing.T, s *store.Store, id models.ID) *models.Job {
	t.Helper()
	j, err := store.First[models.Job](s.Read(context.Background()).Where("id = ?", id))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// eventually polls until ok, and fails the test otherwise.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// await waits until the job has a status, and returns it.
func await(t *testing.T, s *store.Store, id models.ID, want models.JobStatus) *models.Job {
	t.Helper()
	var j *models.Job
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if j = read(t, s, id); j.Status == want {
			return j
		}
		if j.Ended() || time.Now().After(deadline) {
			t.Fatalf("job %s is %s, not %s; errors: %s\n%s", id, j.Status, want, j.Errors, log(t, s, j))
		}
	}
}

func log(t *testing.T, s *store.Store, j *models.Job) string {
	t.Helper()
	text, err := Log(s.Read(context.Background()), j)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func messages(t *testing.T, s *store.Store, id models.ID) []string {
	t.Helper()
	rows, err := messagesOf(s.Read(t.Context()), id)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i, m := range rows {
		out[i] = m.Level + ": " + m.Message
	}
	return out
}

func unavailable() error { return fault.New(fault.Unavailable, "The back end is away.") }

// times fails so often, and then succeeds.
func times(n int, err error) func(context.Context, provider.Memo) (time.Duration, error) {
	var mu sync.Mutex
	return func(context.Context, provider.Memo) (time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 {
			n--
			return 0, err
		}
		return 0, nil
	}
}

// gate is a step that waits until it is opened, or interrupted.
type gate struct {
	entered chan struct{}
	open    chan struct{}
	deaf    bool // to interruption
	once    sync.Once
}

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) step(ctx context.Context, _ provider.Memo) (time.Duration, error) {
	first := false
	g.once.Do(func() { first = true; close(g.entered) })
	if !first {
		return 0, nil
	}
	done := ctx.Done()
	if g.deaf {
		done = nil
	}
	select {
	case <-g.open:
		return 0, nil
	case <-done:
		return 0, errors.Join(errors.New("interrupted"), ctx.Err())
	}
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%q\nwant\n\t%q", got, want)
	}
}
