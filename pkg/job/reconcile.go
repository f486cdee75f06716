package job

import (
	"context"
	"fmt"
	"slices"
	"time"

	"halcyon/models"
	"halcyon/pkg/store"
)

// sweeps looks after the jobs until the engine stops.
func (e *Engine) sweeps(ctx context.Context) {
	defer close(e.done)
	sweep := time.NewTicker(e.cfg.Sweep)
	defer sweep.Stop()
	full := time.NewTicker(e.cfg.Reconcile)
	defer full.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			err = e.rescue(ctx, false)
		case <-full.C:
			err = e.Reconcile(ctx, false)
		}
		switch {
		case err == nil:
			e.swept.Store(e.cfg.Clock().UnixNano())
		case ctx.Err() == nil:
			e.cfg.Log.WarnContext(ctx, "jobs were not looked after", "error", err)
		}
	}
}

// Reconcile compares the jobs with each other and with the dispatcher, and
// repairs what a crash left: work that nobody has, parents whose children have
// ended, jobs whose prerequisite has. At the start it repairs at once; later it
// gives what looks lost until the next look, since it may just be changing hands.
func (e *Engine) Reconcile(ctx context.Context, start bool) error {
	if err := e.repairParents(ctx); err != nil {
		return err
	}
	return e.rescue(ctx, start)
}

func (e *Engine) repairParents(ctx context.Context) error {
	var ids []models.ID
	err := e.store.Read(ctx).Raw(`SELECT p.id FROM jobs p
		WHERE p.type = ? AND p.status IN ?
		AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = p.id AND c.status IN ?)
		ORDER BY p.id`, models.JobDeploy, open, open).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("open parents: %w", store.Fault(err))
	}
	for _, id := range ids {
		err := e.store.InTx(ctx, func(tx *store.Tx) error {
			l, err := lockLineage(tx, id)
			if err != nil {
				return err
			}
			return e.svc.follow(tx, l)
		})
		if err != nil {
			return fmt.Errorf("repair parent %s: %w", id, err)
		}
		e.cfg.Log.InfoContext(ctx, "a parent job was brought to its children's end", "job", id)
	}
	return nil
}

// openJob is what has to be known of a job to see whether somebody has it.
type openJob struct {
	ID      models.ID
	Status  models.JobStatus
	Before  *models.JobStatus // the prerequisite's
	Version int64
}

// rescue dispatches open jobs that nobody works on and that no row of the
// dispatcher will bring to anybody.
func (e *Engine) rescue(ctx context.Context, now bool) error {
	e.sweepMu.Lock()
	defer e.sweepMu.Unlock()
	read := e.store.Read(ctx)
	var jobs []openJob
	err := read.Raw(`SELECT j.id, j.status, j.version, b.status AS before
		FROM jobs j LEFT JOIN jobs b ON b.id = j.prerequisite_id
		WHERE j.status IN ? AND j.type <> ? ORDER BY j.id`, open, models.JobDeploy).Scan(&jobs).Error
	if err != nil {
		return fmt.Errorf("open jobs: %w", store.Fault(err))
	}
	var held []models.JobStep
	err = read.Raw(`SELECT s.* FROM job_steps s JOIN jobs j ON j.id = s.job_id
		WHERE s.status = ? AND j.status IN ?`, models.StepRunning, open).Scan(&held).Error
	if err != nil {
		return fmt.Errorf("running steps: %w", store.Fault(err))
	}
	at := e.cfg.Clock()
	live, expired := map[models.ID]bool{}, map[models.ID]bool{}
	for _, s := range held {
		if s.LeaseUntil != nil && s.LeaseUntil.After(at) {
			live[s.JobID] = true
		} else {
			expired[s.JobID] = true
		}
	}
	jobs = slices.DeleteFunc(jobs, func(j openJob) bool {
		waits := j.Status == models.JobPending && j.Before != nil && !j.Before.Ended()
		return waits || live[j.ID]
	})
	suspects := map[models.ID]string{}
	if len(jobs) > 0 {
		runnable, err := e.svc.dispatch.Runnable(read)
		if err != nil {
			return err
		}
		var lost []models.ID
		for _, j := range jobs {
			if runnable[j.ID] {
				continue
			}
			state := fmt.Sprintf("%s %d", j.Status, j.Version)
			if now || expired[j.ID] || e.suspects[j.ID] == state {
				lost = append(lost, j.ID)
			} else {
				suspects[j.ID] = state
			}
		}
		for part := range slices.Chunk(lost, 200) {
			if err := e.redispatch(ctx, part); err != nil {
				return err
			}
		}
	}
	e.suspects = suspects
	return nil
}

func (e *Engine) redispatch(ctx context.Context, ids []models.ID) error {
	return e.store.InTx(ctx, func(tx *store.Tx) error {
		jobs, err := store.Find[models.Job](tx.Where("id IN ? AND status IN ?", ids, open).Order("id"))
		if err != nil {
			return err
		}
		for i := range jobs {
			if err := e.svc.wake(tx, &jobs[i]); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { e.svc.counts.rescued.Add(int64(len(jobs))) })
		if len(jobs) > 0 {
			e.cfg.Log.InfoContext(ctx, "jobs that nobody had were dispatched again", "jobs", len(jobs), "first", jobs[0].ID)
		}
		return nil
	})
}
