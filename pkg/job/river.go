package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Work looks at a job and does what can be done now. It asks to be called again
// after the time that it returns, unless that is negative.
type Work func(ctx context.Context, id models.ID) (again time.Duration)

// Dispatcher tells workers that a job wants attention. It may tell more than one,
// or more than once; what it forgets the reconciler finds.
type Dispatcher interface {
	// InsertTx has a worker look at the job once the transaction has committed.
	InsertTx(tx *store.Tx, id models.ID, priority int) error
	// Runnable gives the jobs that are certain to be looked at: those that a worker
	// holds already are not among them, since it may be dead.
	Runnable(tx *store.Tx) (map[models.ID]bool, error)
	// Start begins to call work.
	Start(ctx context.Context, work Work) error
	// Stop begins no more work, and returns when what runs has ended.
	Stop(ctx context.Context) error
}

// The times that River works by. A job may take JobTimeout at a time, and one
// that has not been heard of for RescueAfter is handed out again: the second net,
// behind the leases.
const (
	riverJobTimeout  = 60 * time.Second
	riverRescueAfter = 90 * time.Second
	riverSnoozeMax   = 4 * time.Second // longer ones would wait for River's leader
)

// RiverConfig says how River works.
type RiverConfig struct {
	MaxWorkers int           // jobs at a time in this process; 0 for a process that runs none
	Poll       time.Duration // how often it looks for work; 0 means 100 ms
	Log        *slog.Logger  // from warnings upwards
}

// River is the Dispatcher that keeps its rows beside ours.
type River struct {
	client *river.Client[*sql.Tx]
	work   atomic.Pointer[Work]
	idle   bool
}

// NewRiver makes the dispatcher of a migrated store.
func NewRiver(s *store.Store, c RiverConfig) (*River, error) {
	if c.Poll <= 0 {
		c.Poll = 100 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &River{idle: c.MaxWorkers <= 0}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{river: r})
	conf := &river.Config{
		Logger:               slog.New(atLeastWarn{c.Log.Handler()}),
		Workers:              workers,
		JobTimeout:           riverJobTimeout,
		RescueStuckJobsAfter: riverRescueAfter,
		FetchPollInterval:    c.Poll,
		FetchCooldown:        min(c.Poll, 50*time.Millisecond),
		// The rows say nothing that ours do not: no need to keep them.
		CompletedJobRetentionPeriod: time.Hour,
		CancelledJobRetentionPeriod: time.Hour,
		DiscardedJobRetentionPeriod: time.Hour,
	}
	if !r.idle {
		conf.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.MaxWorkers}}
	}
	var err error
	if s.Dialect() == store.Postgres {
		r.client, err = river.NewClient(riverdatabasesql.New(s.SQLDB()), conf)
	} else {
		r.client, err = river.NewClient(riversqlite.New(s.SQLDB()), conf)
	}
	if err != nil {
		return nil, fmt.Errorf("open the dispatcher: %w", err)
	}
	return r, nil
}

// InsertTx implements Dispatcher.
func (r *River) InsertTx(tx *store.Tx, id models.ID, priority int) error {
	if tx.Dialect() == store.Postgres {
		// What River's own statement writes, without reading it back: it waits for
		// nothing, and goes with the other rows of the transaction. The rest of the
		// columns, the times among them, are the table's defaults.
		tx.Later("INSERT INTO river_job (args, kind, max_attempts, priority, queue) VALUES ($1, $2, $3, $4, $5)",
			`{"job_id":`+id.String()+`}`, riverKind, river.MaxAttemptsDefault, priority, river.QueueDefault)
		return nil
	}
	sql, err := tx.SQL()
	if err != nil {
		return err
	}
	_, err = r.client.InsertTx(tx.Statement.Context, sql, riverArgs{JobID: id}, &river.InsertOpts{Priority: priority})
	return err
}

// Runnable implements Dispatcher.
func (r *River) Runnable(tx *store.Tx) (map[models.ID]bool, error) {
	var rows []string
	err := tx.Raw("SELECT CAST(args AS text) FROM river_job WHERE state IN ('available', 'scheduled', 'retryable') AND kind = ?", riverKind).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read the dispatcher's rows: %w", store.Fault(err))
	}
	out := make(map[models.ID]bool, len(rows))
	for _, text := range rows {
		var a riverArgs
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			continue // not ours
		}
		out[a.JobID] = true
	}
	return out, nil
}

// Start implements Dispatcher. The context's end does not end the work: Stop does.
func (r *River) Start(ctx context.Context, work Work) error {
	if r.idle {
		return nil
	}
	r.work.Store(&work)
	if err := r.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the dispatcher: %w", err)
	}
	return nil
}

// Stop implements Dispatcher.
func (r *River) Stop(ctx context.Context) error {
	if r.idle {
		return nil
	}
	if err := r.client.Stop(ctx); err != nil {
		return fmt.Errorf("stop the dispatcher: %w", err)
	}
	return nil
}

const riverKind = "halcyon_job"

type riverArgs struct {
	JobID models.ID `json:"job_id"`
}

// Kind implements river.JobArgs.
func (riverArgs) Kind() string { return riverKind }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	river *River
}

// Work implements river.Worker. It never fails: River's own way of trying again
// would only stand in the way of ours.
func (w *riverWorker) Work(ctx context.Context, row *river.Job[riverArgs]) error {
	work := w.river.work.Load()
	if work == nil {
		return river.JobSnooze(time.Second)
	}
	if again := (*work)(ctx, row.Args.JobID); again >= 0 {
		return river.JobSnooze(min(again, riverSnoozeMax))
	}
	return nil
}

// atLeastWarn drops what is less than a warning.
type atLeastWarn struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeastWarn) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}
