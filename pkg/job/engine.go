package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Config configures an Engine. Zero members mean the defaults.
type Config struct {
	Lease       time.Duration    // how long a step is its worker's without a sign of life; 15 s
	StepTimeout time.Duration    // of one call of Run; 45 s
	Turn        time.Duration    // no further step begins later than this after the first; 10 s
	BackoffBase time.Duration    // after the first transient error, then twice as long each time; 1 s
	BackoffMax  time.Duration    // 30 s
	MaxFailures int              // so many transient errors in a row fail the job; 6
	Sweep       time.Duration    // how often jobs are looked for of which no signal told; 30 s
	Reconcile   time.Duration    // how often everything is compared; 1 min
	Drain       time.Duration    // how long Stop lets steps finish before it interrupts them; 20 s
	Clock       func() time.Time // of leases and waits; the store's clock
	Log         *slog.Logger
}

func (c Config) withDefaults(s *store.Store) Config {
	or := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	or(&c.Lease, 15*time.Second)
	or(&c.StepTimeout, 45*time.Second)
	or(&c.Turn, 10*time.Second)
	or(&c.BackoffBase, time.Second)
	or(&c.BackoffMax, 30*time.Second)
	or(&c.Sweep, 30*time.Second)
	or(&c.Reconcile, time.Minute)
	or(&c.Drain, 20*time.Second)
	if c.MaxFailures <= 0 {
		c.MaxFailures = 6
	}
	if c.Clock == nil {
		c.Clock = s.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Engine runs jobs in this process. Any number of processes may run one on the
// same database.
type Engine struct {
	svc   *Service
	store *store.Store
	cfg   Config
	id    string // of this process, in the leases that it holds

	mu      sync.Mutex
	running map[*taken]context.CancelCauseFunc

	draining atomic.Bool
	started  atomic.Bool
	swept    atomic.Int64 // unix nanoseconds of the last sweep that succeeded
	stop     context.CancelFunc
	done     chan struct{}
	missed   chan struct{} // the dispatcher may not hold all jobs

	frozen bool // tests: leases are not renewed, as in a process that hangs
}

// The causes for which a running step is interrupted.
var (
	errCanceled = errors.New("the job is being canceled")
	errStopping = errors.New("the process is stopping")
	errLost     = errors.New("the lease was lost")
	errSlow     = errors.New("the step took too long")
)

// NewEngine returns an engine for the jobs of a service.
func NewEngine(svc *Service, c Config) *Engine {
	e := &Engine{
		svc: svc, store: svc.store, cfg: c.withDefaults(svc.store), id: uuid.NewString(),
		running: map[*taken]context.CancelCauseFunc{}, missed: make(chan struct{}, 1),
	}
	svc.store.OnSignal(e.heard)
	return e
}

// heard handles a signal. The signal of a cancellation only saves time: a renewal of
// the lease notices it as well.
func (e *Engine) heard(topic, key string) {
	switch topic {
	case topicCancel:
		if id, err := strconv.ParseInt(key, 10, 64); err == nil {
			e.interruptCanceled(models.ID(id))
		}
	case "":
		e.rescueSoon()
	}
}

// rescueSoon has jobs looked for that the dispatcher does not hold.
func (e *Engine) rescueSoon() {
	select {
	case e.missed <- struct{}{}:
	default: // it is known already
	}
}

// Start repairs the effects of a crash, and starts to work.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.svc.dispatch.Start(ctx, e.work, e.look, e.rescueSoon); err != nil {
		return err
	}
	if err := e.reconcile(ctx); err != nil {
		return errors.Join(fmt.Errorf("reconcile the jobs: %w", err), e.svc.dispatch.Stop(ctx))
	}
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop, e.done = stop, make(chan struct{})
	e.swept.Store(e.cfg.Clock().UnixNano())
	e.started.Store(true)
	go e.sweeps(loop)
	return nil
}

// Stop starts no more steps and waits for the running ones. If they take longer than
// Config.Drain, or ctx is about to end, it interrupts them and releases their leases,
// so that another process can continue at once.
func (e *Engine) Stop(ctx context.Context) error {
	if !e.started.Load() {
		return nil
	}
	e.draining.Store(true)
	e.stop()
	<-e.done
	patience := e.cfg.Drain
	if end, ok := ctx.Deadline(); ok {
		// The deadline is the wall clock's, whatever clock the leases go by.
		patience = min(patience, time.Until(end)*2/3)
	}
	timer := time.AfterFunc(max(patience, 0), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, cancel := range e.running {
			cancel(errStopping)
		}
	})
	defer timer.Stop()
	err := e.svc.dispatch.Stop(ctx)
	e.started.Store(false)
	return err
}

// Alive is nil while the engine works: it was started, is not stopping, and has
// lately been able to look after its jobs.
func (e *Engine) Alive() error {
	switch {
	case !e.started.Load():
		return errors.New("the job engine has not been started")
	case e.draining.Load():
		return errors.New("the job engine is stopping")
	}
	if since := e.cfg.Clock().UnixNano() - e.swept.Load(); time.Duration(since) > 2*e.cfg.Sweep+10*time.Second {
		return fmt.Errorf("the job engine has not reached the database for %s", time.Duration(since).Round(time.Second))
	}
	return nil
}

// Stats are numbers since the process began, but for Running.
type Stats struct {
	Running      int64 // steps that run now
	Steps        int64 // steps that were done
	Retries      int64 // transient errors
	Takeovers    int64 // steps taken over from a worker whose lease ended
	Fenced       int64 // late answers that were dropped
	Rescued      int64 // jobs that were found without a signal
	Succeeded    int64 // jobs, by how they ended in this process
	Warned       int64
	Failed       int64
	Canceled     int64
	HookFailures int64 // ends of jobs that could not be written, and are tried again
}

// Stats returns the counters for /metrics.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	running := int64(len(e.running))
	e.mu.Unlock()
	c := &e.svc.counts
	return Stats{
		Running: running,
		Steps:   c.steps.Load(), Retries: c.retries.Load(), Takeovers: c.takeovers.Load(),
		Fenced: c.fenced.Load(), Rescued: c.rescued.Load(),
		Succeeded: c.succeeded.Load(), Warned: c.warned.Load(), Failed: c.failed.Load(), Canceled: c.canceled.Load(),
		HookFailures: c.stuck.Load(),
	}
}

type counters struct {
	steps, retries, takeovers, fenced, rescued, stuck atomic.Int64
	succeeded, warned, failed, canceled               atomic.Int64
}

// ended counts a job when its end has been committed.
func (c *counters) ended(tx *store.Tx, j *models.Job) {
	switch j.Status {
	case models.JobSuccess:
		tx.OnCommit(func() { c.succeeded.Add(1) })
	case models.JobWarning:
		tx.OnCommit(func() { c.warned.Add(1) })
	case models.JobFailure:
		tx.OnCommit(func() { c.failed.Add(1) })
	case models.JobCanceled:
		tx.OnCommit(func() { c.canceled.Add(1) })
	case models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel:
	}
}

// track remembers a running step so that it can be interrupted.
func (e *Engine) track(t *taken, cancel context.CancelCauseFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[t] = cancel
}

func (e *Engine) untrack(t *taken) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.running, t)
}

// interruptCanceled interrupts a canceled job's step, but not its cleanup.
func (e *Engine) interruptCanceled(id models.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for t, cancel := range e.running {
		if t.job.ID == id && t.row.Position < cleanupBase {
			cancel(errCanceled)
		}
	}
}
