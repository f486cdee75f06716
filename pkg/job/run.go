package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// cleanupBase is the position behind which the steps of a cleanup are.
const cleanupBase = 1000

// prepare is the name of the step that counts the failures to determine a job's steps.
// Its position is the base itself.
const prepare = "prepare"

// never means that a job needs no attention until a signal.
const never time.Duration = -1

// next means that the job can continue at once.
const next time.Duration = 0

// trouble is the delay before the retry of a job whose state could not be written.
const trouble = 2 * time.Second

// shortWait is the longest wait for which a worker keeps the job.
const shortWait = 100 * time.Millisecond

// work runs a job as far as it can go now, for the dispatcher.
func (e *Engine) work(ctx context.Context, id models.ID) (again time.Duration) {
	if e.draining.Load() {
		return trouble // for another process
	}
	turn, cancel := context.WithTimeout(ctx, e.cfg.Turn)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			e.svc.counts.stuck.Add(1)
			e.cfg.Log.ErrorContext(ctx, "job ran into a panic", "job", id, "panic", p, "stack", string(debug.Stack()))
			again = trouble
		}
	}()
	for {
		again, err := e.advance(ctx, turn, id)
		if err != nil {
			// The database or a hook has returned an error: no change was committed.
			e.svc.counts.stuck.Add(1)
			e.cfg.Log.ErrorContext(ctx, "job cannot go on for now", "job", id, "error", err)
			return trouble
		}
		switch {
		case again < 0:
			return again
		case e.draining.Load() || turn.Err() != nil:
			return again
		case again > shortWait:
			return again
		case again > 0:
			select {
			case <-turn.Done():
			case <-time.After(again):
			}
		}
	}
}

// advance brings a job further: by a step at least, and until the turn is over when
// one step leads to the next.
func (e *Engine) advance(ctx, turn context.Context, id models.ID) (time.Duration, error) {
	read := e.store.Read(ctx)
	j, err := store.First[models.Job](read.Where("id = ?", id))
	if fault.Is(err, fault.NotFound) {
		return never, nil
	}
	if err != nil {
		return next, err
	}
	if j.Ended() || j.Type == models.JobDeploy {
		return never, nil
	}
	kind, known := e.svc.kinds[j.Type]
	if !known {
		return next, fmt.Errorf("nobody here knows jobs of type %s", j.Type)
	}
	p := phase{status: j.Status}
	switch j.Status {
	case models.JobPending, models.JobQueued:
		return e.begin(ctx, kind, id)
	case models.JobRunning:
		p.list, p.err = kind.Steps(ctx, read, j)
	case models.JobToCancel:
		p.base = cleanupBase
		rows, err := stepsOf(read, id)
		if err != nil {
			return next, err
		}
		p.list, p.err = kind.Cleanup(ctx, read, j, merge(rows))
	case models.JobSuccess, models.JobWarning, models.JobFailure, models.JobCanceled:
		return never, nil
	}
	if p.err != nil {
		p.list = []Step{{Step: provider.Step{Name: prepare, Title: "Preparing"}}}
	}
	p.list = distinct(p.list)
	t, wait, err := e.take(ctx, kind, id, p)
	if t == nil || err != nil {
		return wait, err
	}
	for {
		wait, err = e.run(ctx, t, p.err)
		for err == nil && wait <= 0 && turn.Err() == nil && !e.draining.Load() && e.along(t) {
			wait, err = e.run(ctx, t, nil)
		}
		following, again, err := e.commit(ctx, turn, t, wait, err)
		if err != nil || again != next {
			return again, err
		}
		t, err = e.onward(ctx, kind, t, following)
		if t == nil || err != nil {
			return next, err
		}
	}
}

// onward continues after a finished step. It reads the list of steps again, since the
// step may have changed it. If it has, onward releases the step that was already leased
// and the job is evaluated from its first step.
func (e *Engine) onward(ctx context.Context, kind Kind, t, following *taken) (*taken, error) {
	if t.row.Position >= cleanupBase || t.list == nil {
		return nil, nil
	}
	list, err := kind.Steps(ctx, e.store.Read(ctx), t.job)
	list = distinct(list)
	same := err == nil && slices.EqualFunc(list, t.list, func(a, b Step) bool { return a.Name == b.Name && a.Title == b.Title })
	switch {
	case following == nil && same && t.last():
		return nil, e.finish(ctx, kind, t.job.ID, phase{status: models.JobRunning, list: list})
	case following == nil:
		return nil, nil
	case !same || e.draining.Load():
		return nil, e.putBack(ctx, following)
	}
	// The steps of the old list do not know the result of the finished step.
	following.list = list
	following.step = list[slices.IndexFunc(list, func(s Step) bool { return s.Name == following.row.Name })]
	return following, nil
}

// last reports whether no step of the list comes after this one.
func (t *taken) last() bool { return t.list[len(t.list)-1].Name == t.row.Name }

// putBack releases a leased step that has not run.
func (e *Engine) putBack(ctx context.Context, t *taken) error {
	return e.store.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if _, err := lockJob(tx, t.job.ID); err != nil {
			return err
		}
		r, err := store.First[models.JobStep](tx.ForUpdate().Where("id = ?", t.row.ID))
		if err != nil {
			return fmt.Errorf("put step %s of job %s back: %w", t.row.Name, t.job.ID, err)
		}
		if r.Attempt != t.row.Attempt || r.Status != models.StepRunning {
			return nil // somebody has it by now
		}
		r.Status, r.LeaseOwner, r.LeaseUntil = models.StepWaiting, "", nil
		return saveStep(tx, r)
	})
}

// phase is the part of a job that runs: its own steps, or its cleanup.
type phase struct {
	status models.JobStatus
	base   int
	list   []Step
	err    error // why list is not known
}

// distinct renames steps so that their names are unique.
func distinct(list []Step) []Step {
	seen := map[string]int{}
	for i := range list {
		name := list[i].Name
		seen[name]++
		if n := seen[name]; n > 1 {
			list[i].Name = fmt.Sprintf("%s#%d", name, n)
		}
	}
	return list
}

// begin starts a waiting job, or fails it if its prerequisite failed.
func (e *Engine) begin(ctx context.Context, kind Kind, id models.ID) (time.Duration, error) {
	again := next
	var refused error
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		again, refused = next, nil
		l, err := lockLineage(tx, id)
		if err != nil {
			return err
		}
		j := l.job
		if j.Status != models.JobPending && j.Status != models.JobQueued {
			return nil // somebody was quicker
		}
		known := j.PrerequisiteID
		before, err := prerequisite(tx, j)
		if err != nil {
			return err
		}
		if before != nil {
			if !before.Ended() {
				again = never // its end wakes this one
				if j.PrerequisiteID == known {
					return nil
				}
				return store.Save(tx, j)
			}
			if !endedWell(before.Status) {
				reason := fmt.Sprintf("Job id %s (%s), which has to come first, ended as %s.", before.ID, before.Type.Title(), before.Status)
				return e.fail(tx, kind, l, reason)
			}
		}
		if err := kind.Started(tx, j); err != nil {
			refused = err
			return err
		}
		if err := j.MoveTo(models.JobRunning); err != nil {
			return err
		}
		now := tx.Now
		j.StartedAt, j.EndedAt = &now, nil
		j.Attempts++
		if err := store.Rewrite(tx, j); err != nil {
			return fmt.Errorf("save job %s: %w", id, err)
		}
		if len(l.parents) > 0 {
			return e.svc.follow(tx, &lineage{job: l.parents[0], parents: l.parents[1:]})
		}
		return nil
	})
	if refused != nil && !passing(refused) {
		return next, e.giveUp(ctx, kind, id, e.reason(ctx, id, refused), models.JobPending, models.JobQueued)
	}
	return again, err
}

// taken is a step that this worker has leased.
type taken struct {
	job  *models.Job
	row  models.JobStep
	step Step
	memo provider.Memo
	list []Step           // of the phase; nil when it is not known
	rest []models.JobStep // the rows of the steps behind this one

	passed []models.JobStep // rows of the steps that were done in one go before this one
	since  time.Time        // when the lease began
}

// leased is the row that holds the lease: the first of those that are done in one go.
func (t *taken) leased() *models.JobStep {
	if len(t.passed) > 0 {
		return &t.passed[0]
	}
	return &t.row
}

// along continues with the next step without recording the result of this one, if the
// next one allows that. Their results are recorded together.
func (e *Engine) along(t *taken) bool {
	if len(t.rest) == 0 || t.row.Position >= cleanupBase || t.step.Apply != nil || e.cfg.Clock().Sub(t.since) > e.cfg.Lease/8 {
		return false
	}
	row := t.rest[0]
	step := t.list[slices.IndexFunc(t.list, func(s Step) bool { return s.Name == row.Name })]
	if !step.WithPrevious || row.Attempt != 0 || row.Status != models.StepWaiting || row.NotBefore != nil {
		return false
	}
	t.row.Memo = maps.Clone(t.memo)
	t.passed, t.row, t.step, t.rest = append(t.passed, t.row), row, step, t.rest[1:]
	return true
}

// pass records the steps that ran together before the one whose outcome is to be
// recorded, and returns the row of that step.
func (e *Engine) pass(tx *store.Tx, t *taken, j *models.Job, first *models.JobStep) (*models.JobStep, error) {
	if len(t.passed) == 0 {
		return first, nil
	}
	began := func(r *models.JobStep) error {
		r.Attempt++
		r.StartedAt = &tx.Now
		if r.Title == "" {
			return nil
		}
		return Say(tx, j.ID, "info", r.Title)
	}
	for i := range t.passed {
		r := t.passed[i]
		if i == 0 {
			r = *first
			r.Memo = t.passed[0].Memo
		} else if err := began(&r); err != nil {
			return nil, err
		}
		r.Status, r.LeaseOwner, r.LeaseUntil, r.Failures, r.EndedAt = models.StepDone, "", nil, 0, &tx.Now
		if err := saveStep(tx, &r); err != nil {
			return nil, err
		}
	}
	n := len(t.passed)
	j.CompletedTasks = min(j.CompletedTasks+n, j.TotalTasks)
	tx.OnCommit(func() { e.svc.counts.steps.Add(int64(n)) })
	r := t.row
	return &r, began(&r)
}

// take leases the job's current step for this worker. It ends the job if no step is
// left.
func (e *Engine) take(ctx context.Context, kind Kind, id models.ID, p phase) (t *taken, wait time.Duration, err error) {
	finish := false
	err = e.store.InTx(ctx, func(tx *store.Tx) error {
		t, wait, finish = nil, next, false
		j, err := lockJob(tx, id)
		if err != nil {
			return err
		}
		if j.Status != p.status || e.draining.Load() {
			return nil
		}
		now := e.cfg.Clock()
		rows, err := stepsOf(tx, id)
		if err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			if r.Status != models.StepRunning {
				continue
			}
			if r.LeaseUntil != nil && r.LeaseUntil.After(now) {
				wait = r.LeaseUntil.Sub(now) // it is being worked on, unless its worker dies
				return nil
			}
			e.cfg.Log.WarnContext(ctx, "a step's worker has gone", "job", id, "step", r.Name, "worker", r.LeaseOwner)
			tx.OnCommit(func() { e.svc.counts.takeovers.Add(1) })
			r.Status, r.LeaseOwner, r.LeaseUntil = models.StepWaiting, "", nil
			r.Attempt++ // its answer will come too late
			if err := saveStep(tx, r); err != nil {
				return err
			}
		}
		mine, others, err := e.arrange(tx, j, rows, p)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(mine, func(r models.JobStep) bool { return r.Status != models.StepDone })
		if at < 0 || mine[at].Status == models.StepFailed {
			finish = true
			return nil
		}
		r := mine[at]
		if r.NotBefore != nil && r.NotBefore.After(now) {
			wait = r.NotBefore.Sub(now)
			return nil
		}
		memo := provider.Memo{}
		for _, before := range others {
			maps.Copy(memo, before.Memo)
		}
		for _, before := range mine[:at] {
			maps.Copy(memo, before.Memo)
		}
		if err := e.lease(tx, &r, memo); err != nil {
			return err
		}
		if p.base == 0 && p.err == nil && (j.TotalTasks != len(mine) || j.CompletedTasks != at) {
			j.TotalTasks, j.CompletedTasks = len(mine), at
			if err := store.Rewrite(tx, j, "total_tasks", "completed_tasks"); err != nil {
				return fmt.Errorf("save job %s: %w", id, err)
			}
		}
		t = &taken{job: j, row: r, step: p.list[at], memo: maps.Clone(r.Memo), since: now}
		if p.err == nil {
			t.list, t.rest = p.list, mine[at+1:]
		}
		return nil
	})
	if err != nil {
		return nil, next, err
	}
	if finish {
		return nil, next, e.finish(ctx, kind, id, p)
	}
	return t, wait, nil
}

// lease leases a waiting step for this worker. The step's memo is merged over that of
// the steps before it.
func (e *Engine) lease(tx *store.Tx, r *models.JobStep, before provider.Memo) error {
	fresh := r.Attempt == 0
	memo := maps.Clone(before)
	maps.Copy(memo, r.Memo)
	until := e.cfg.Clock().Add(e.cfg.Lease)
	r.Status, r.LeaseOwner, r.LeaseUntil, r.NotBefore = models.StepRunning, e.id, &until, nil
	r.Attempt++
	r.Memo = memo
	if r.StartedAt == nil {
		begun := tx.Now
		r.StartedAt = &begun
	}
	if err := saveStep(tx, r); err != nil {
		return err
	}
	if fresh && r.Title != "" && r.Name != prepare {
		return Say(tx, r.JobID, "info", r.Title)
	}
	return nil
}

// arrange updates the rows of steps that have not started to match the list. It returns
// the phase's rows in the list's order, and those of the other phase.
func (e *Engine) arrange(tx *store.Tx, j *models.Job, rows []models.JobStep, p phase) (mine, others []models.JobStep, err error) {
	have := map[string]models.JobStep{}
	last := p.base // the last position in use
	var unbegun []models.JobStep
	for _, r := range rows {
		if (r.Position >= cleanupBase) != (p.base == cleanupBase) {
			if r.Position < p.base {
				others = append(others, r)
			}
			continue
		}
		if r.Attempt == 0 {
			unbegun = append(unbegun, r)
			continue
		}
		have[r.Name] = r
		last = max(last, r.Position)
	}
	// Rows that are in the right place stay.
	want := slices.DeleteFunc(slices.Clone(p.list), func(s Step) bool { _, ok := have[s.Name]; return ok })
	same := slices.EqualFunc(want, unbegun, func(s Step, r models.JobStep) bool { return s.Name == r.Name && s.Title == r.Title })
	if same {
		for _, r := range unbegun {
			have[r.Name] = r
		}
	} else {
		for _, r := range unbegun {
			if err := tx.Delete(&models.JobStep{}, "id = ?", r.ID).Error; err != nil {
				return nil, nil, fmt.Errorf("steps of job %s: %w", j.ID, store.Fault(err))
			}
		}
		fresh := make([]models.JobStep, 0, len(want))
		for _, s := range want {
			position := p.base
			if s.Name != prepare {
				last++
				position = last
			}
			fresh = append(fresh, models.JobStep{
				JobID: j.ID, Position: position, Name: s.Name, Title: s.Title,
				Status: models.StepWaiting, Memo: map[string]string{},
			})
		}
		if len(fresh) > 0 {
			if err := tx.Create(&fresh).Error; err != nil {
				return nil, nil, fmt.Errorf("steps of job %s: %w", j.ID, store.Fault(err))
			}
		}
		for _, r := range fresh {
			have[r.Name] = r
		}
	}
	if r, was := have[prepare]; was && p.err == nil {
		if err := tx.Delete(&models.JobStep{}, "id = ?", r.ID).Error; err != nil {
			return nil, nil, fmt.Errorf("steps of job %s: %w", j.ID, store.Fault(err))
		}
	}
	for _, s := range p.list {
		mine = append(mine, have[s.Name])
	}
	return mine, others, nil
}

// run calls the step outside of any transaction, and renews its lease meanwhile.
func (e *Engine) run(ctx context.Context, t *taken, prepared error) (time.Duration, error) {
	if prepared != nil {
		return 0, prepared
	}
	if t.step.Run == nil {
		return 0, nil
	}
	cancelable, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.track(t, cancel)
	defer e.untrack(t)
	bounded, stop := context.WithTimeoutCause(cancelable, e.cfg.StepTimeout, errSlow)
	defer stop()
	if !e.frozen {
		renewing, end := context.WithCancel(context.WithoutCancel(ctx))
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			e.renew(renewing, t, cancel)
		}()
		defer func() { end(); <-gone }()
	}
	wait, err := guarded(bounded, t)
	if err != nil && bounded.Err() != nil {
		switch cause := context.Cause(bounded); {
		case errors.Is(cause, errCanceled), errors.Is(cause, errStopping):
			return 0, cause
		case ctx.Err() != nil: // the dispatcher does not wait any longer
			return 0, errStopping
		case errors.Is(cause, errSlow):
			return 0, fault.Wrap(fault.Unavailable, err, "It took longer than %s.", e.cfg.StepTimeout)
		}
	}
	return wait, err
}

// guarded calls Run and returns a panic as an error.
func guarded(ctx context.Context, t *taken) (wait time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &fault.Error{
				Code: fault.Internal, Message: "Something unexpected happened.",
				Cause: fmt.Errorf("step %s of job %s: %w: %v\n%s", t.row.Name, t.job.ID, errPanic, p, debug.Stack()),
			}
		}
	}()
	return t.step.Run(ctx, t.memo)
}

var errPanic = errors.New("panic")

// renew keeps the lease alive while the step runs, but no longer than a step may
// take, and interrupts it when the lease is lost or the job is to be canceled.
func (e *Engine) renew(ctx context.Context, t *taken, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(e.cfg.Lease / 3)
	defer tick.Stop()
	limit := time.NewTimer(e.cfg.StepTimeout + e.cfg.Lease)
	defer limit.Stop()
	lease := time.NewTimer(e.cfg.Lease)
	defer lease.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			cancel(errSlow)
			return
		case <-lease.C:
			cancel(errLost) // the database has not been reached for so long
			return
		case <-tick.C:
		}
		var mine bool
		var status models.JobStatus
		bounded, end := context.WithTimeout(ctx, e.cfg.Lease/2)
		err := e.store.InTx(bounded, func(tx *store.Tx) error {
			res := tx.Model(&models.JobStep{}).
				Where("id = ? AND attempt = ? AND status = ?", t.leased().ID, t.leased().Attempt, models.StepRunning).
				UpdateColumn("lease_until", e.cfg.Clock().Add(e.cfg.Lease))
			mine = res.RowsAffected == 1
			if res.Error != nil || !mine {
				return res.Error
			}
			return tx.Model(&models.Job{}).Select("status").Where("id = ?", t.job.ID).Scan(&status).Error
		})
		end()
		switch {
		case err != nil:
			if ctx.Err() == nil {
				e.cfg.Log.WarnContext(ctx, "a lease was not renewed", "job", t.job.ID, "error", err)
			}
		case !mine:
			cancel(errLost)
			return
		default:
			lease.Reset(e.cfg.Lease)
			if status == models.JobToCancel && t.row.Position < cleanupBase {
				cancel(errCanceled)
			}
		}
	}
}

// commit records the outcome of a step, and leases the following one unless the turn is
// over. It retries for a while if the database is unavailable: meanwhile no other
// worker has the step, and the back end's answer must not be lost.
func (e *Engine) commit(ctx, turn context.Context, t *taken, wait time.Duration, outcome error) (following *taken, again time.Duration, err error) {
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		bounded, cancel := context.WithTimeout(ctx, max(e.cfg.Lease*2/3, 5*time.Second))
		following, again, err := e.record(bounded, t, wait, outcome, turn.Err() == nil && !e.draining.Load())
		late := bounded.Err() != nil
		cancel()
		var refused *applyError
		switch {
		case err == nil:
			return following, again, nil
		case errors.As(err, &refused) && !late:
			outcome = store.Fault(refused.err)
		case errors.Is(err, errFenced):
			e.svc.counts.fenced.Add(1)
			e.cfg.Log.WarnContext(ctx, "a late answer was dropped", "job", t.job.ID, "step", t.row.Name)
			return nil, never, nil
		case late || try == 4:
			return nil, next, fmt.Errorf("record step %s of job %s: %w", t.row.Name, t.job.ID, err)
		default:
			time.Sleep(time.Duration(try) * 200 * time.Millisecond)
		}
	}
}

var errFenced = errors.New("another worker has the step")

// applyError is an error of Apply: the step's outcome, and not an error of the
// transaction.
type applyError struct{ err error }

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

func (e *Engine) record(ctx context.Context, t *taken, wait time.Duration, outcome error, onward bool) (following *taken, again time.Duration, err error) {
	err = e.store.InTx(ctx, func(tx *store.Tx) error {
		following, again = nil, next
		j, err := lockJob(tx, t.job.ID)
		if err != nil {
			return err
		}
		r, err := store.First[models.JobStep](tx.ForUpdate().Where("id = ?", t.leased().ID))
		if fault.Is(err, fault.NotFound) {
			return errFenced
		}
		if err != nil {
			return err
		}
		if r.Attempt != t.leased().Attempt || r.Status != models.StepRunning {
			return errFenced
		}
		if r, err = e.pass(tx, t, j, r); err != nil {
			return err
		}
		memo := maps.Clone(t.memo)
		if outcome == nil && t.step.Apply != nil {
			if err := t.step.Apply(tx, j, memo); err != nil {
				return &applyError{err}
			}
		}
		now := e.cfg.Clock()
		later := func(d time.Duration) {
			at := now.Add(d)
			r.NotBefore, again = &at, d
		}
		r.Status, r.LeaseOwner, r.LeaseUntil, r.NotBefore = models.StepWaiting, "", nil, nil
		r.Memo = memo
		switch {
		case outcome == nil && wait > 0:
			r.Failures = 0
			later(wait)
		case outcome == nil:
			ended := tx.Now
			r.Status, r.Failures, r.EndedAt = models.StepDone, 0, &ended
			tx.OnCommit(func() { e.svc.counts.steps.Add(1) })
			if r.Position > 0 && r.Position < cleanupBase {
				j.CompletedTasks = min(j.CompletedTasks+1, j.TotalTasks)
			}
		case errors.Is(outcome, errCanceled), errors.Is(outcome, errStopping), errors.Is(outcome, errLost):
			// The worker that continues starts the step again.
		default:
			if err := e.failure(ctx, tx, j, r, outcome, later); err != nil {
				return err
			}
		}
		if err := saveStep(tx, r); err != nil {
			return err
		}
		if err := e.saveProgress(tx, t, j); err != nil {
			return err
		}
		// A lease begins before its step does: why not with the end of the one before.
		if onward && r.Status == models.StepDone && j.Status == models.JobRunning && len(t.rest) > 0 && t.rest[0].Status == models.StepWaiting && t.rest[0].NotBefore == nil {
			row := t.rest[0]
			if err := e.lease(tx, &row, memo); err != nil {
				return err
			}
			following = &taken{job: j, row: row, memo: maps.Clone(row.Memo), list: t.list, rest: t.rest[1:], since: now}
		}
		t.job = j
		return nil
	})
	return following, again, err
}

// saveProgress saves the changes of a step to its job: any field, if it has an Apply.
func (e *Engine) saveProgress(tx *store.Tx, t *taken, j *models.Job) error {
	var columns []string
	if t.step.Apply == nil {
		columns = []string{"completed_tasks", "errors"}
	}
	if err := store.Rewrite(tx, j, columns...); err != nil {
		return fmt.Errorf("save job %s: %w", j.ID, err)
	}
	return nil
}

// failure decides whether a step that failed is tried again.
func (e *Engine) failure(ctx context.Context, tx *store.Tx, j *models.Job, r *models.JobStep, outcome error, later func(time.Duration)) error {
	reason := e.reason(ctx, j.ID, outcome)
	title := r.Title
	if title == "" {
		title = r.Name
	}
	r.Failures++
	if permanent(outcome) || r.Failures >= e.cfg.MaxFailures {
		r.Status = models.StepFailed
		if !permanent(outcome) {
			reason = fmt.Sprintf("%s (given up after %d attempts)", reason, r.Failures)
		}
		j.Errors = title + ": " + reason
		return nil
	}
	wait := min(e.cfg.BackoffBase<<min(r.Failures-1, 20), e.cfg.BackoffMax)
	later(wait)
	tx.OnCommit(func() { e.svc.counts.retries.Add(1) })
	text := fmt.Sprintf("%s: %s Trying again in %s (failure %d of %d).", title, reason, wait, r.Failures, e.cfg.MaxFailures)
	return Say(tx, j.ID, "warning", text)
}

// finish ends a job without remaining steps.
func (e *Engine) finish(ctx context.Context, kind Kind, id models.ID, p phase) error {
	var refused error
	var reason string
	err := e.store.InTx(ctx, func(tx *store.Tx) error {
		refused, reason = nil, ""
		l, err := lockLineage(tx, id)
		if err != nil {
			return err
		}
		j := l.job
		if j.Status != p.status {
			return nil // somebody was quicker
		}
		rows, err := stepsOf(tx, id)
		if err != nil {
			return err
		}
		switch done, failed := p.state(rows); {
		case failed && p.base == cleanupBase:
			reason = "It was canceled, but what it had made could not be cleaned up. " + j.Errors
		case failed:
			reason = j.Errors
		case !done:
		case p.base == cleanupBase:
			if refused = kind.Canceled(tx, j, merge(rows)); refused != nil {
				return refused
			}
			if err := Say(tx, id, "warning", "Canceled."); err != nil {
				return err
			}
			return e.svc.end(tx, l, models.JobCanceled)
		default:
			if refused = kind.Succeeded(tx, j, merge(rows)); refused != nil {
				return refused
			}
			j.CompletedTasks = j.TotalTasks
			if j.Output != "" {
				if err := Say(tx, id, "info", lastLine(j.Output)); err != nil {
					return err
				}
			}
			return e.svc.end(tx, l, models.JobSuccess)
		}
		return nil
	})
	if refused != nil && !passing(refused) {
		err, reason = nil, e.reason(ctx, id, refused)
	}
	if err == nil && reason != "" {
		return e.giveUp(ctx, kind, id, reason, p.status)
	}
	return err
}

// state reports whether all steps of the phase are done, and whether one failed.
func (p phase) state(rows []models.JobStep) (done, failed bool) {
	have := map[string]models.StepStatus{}
	for _, r := range rows {
		if (r.Position >= cleanupBase) == (p.base == cleanupBase) {
			have[r.Name] = r.Status
			failed = failed || r.Status == models.StepFailed
		}
	}
	done = !slices.ContainsFunc(p.list, func(s Step) bool { return have[s.Name] != models.StepDone })
	return done, failed
}

// giveUp fails a job that is still in one of the states. If its kind returns an error
// even then, the job ends without it, so that no job stays open forever.
func (e *Engine) giveUp(ctx context.Context, kind Kind, id models.ID, reason string, in ...models.JobStatus) error {
	try := func(kind Kind) error {
		return e.store.InTx(ctx, func(tx *store.Tx) error {
			l, err := lockLineage(tx, id)
			if err != nil || !slices.Contains(in, l.job.Status) {
				return err
			}
			return e.fail(tx, kind, l, reason)
		})
	}
	err := try(kind)
	var refused *kindError
	if errors.As(err, &refused) && !passing(err) {
		e.cfg.Log.ErrorContext(ctx, "a job's failure could not be handled by its kind", "job", id, "error", err)
		return try(Base{})
	}
	return err
}

// kindError is an error of a Kind's Failed.
type kindError struct{ err error }

func (e *kindError) Error() string { return e.err.Error() }
func (e *kindError) Unwrap() error { return e.err }

// passing reports whether the error is a temporary one of the database, so that a retry
// can succeed.
func passing(err error) bool {
	if errors.Is(err, store.ErrStale) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	return fault.Is(store.Fault(err), fault.Unavailable)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// fail ends a job badly.
func (e *Engine) fail(tx *store.Tx, kind Kind, l *lineage, reason string) error {
	j := l.job
	j.Errors = reason
	rows, err := stepsOf(tx, j.ID)
	if err != nil {
		return err
	}
	if err := kind.Failed(tx, j, merge(rows), reason); err != nil {
		return &kindError{fmt.Errorf("fail job %s: %w", j.ID, err)}
	}
	if err := Say(tx, j.ID, "error", reason); err != nil {
		return err
	}
	return e.svc.end(tx, l, models.JobFailure)
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	if errors.Is(err, store.ErrStale) {
		return false
	}
	if errors.Is(err, errPanic) {
		return true
	}
	switch fault.CodeOf(err) {
	case fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.Conflict, fault.Precondition:
		return true
	case fault.Limited, fault.Unavailable, fault.Internal:
		return false
	}
	return false
}

// reason returns the message of an error for people, and logs the details.
func (e *Engine) reason(ctx context.Context, id models.ID, err error) string {
	e.cfg.Log.WarnContext(ctx, "job met an error", "job", id, "error", err)
	var f *fault.Error
	switch {
	case errors.As(err, &f) && f.Code != fault.Internal:
		return f.Text(fault.Plain)
	case errors.Is(err, context.DeadlineExceeded):
		return "There was no answer in time."
	case errors.Is(err, context.Canceled):
		return "It was interrupted."
	}
	return "Something unexpected happened; the server's log says more."
}
