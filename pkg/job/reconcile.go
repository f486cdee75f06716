package job

import (
	"context"
	"fmt"
	"time"

	"halcyon/models"
	"halcyon/pkg/store"
)

// sweepAgain is how soon jobs are looked for again after the database failed.
const sweepAgain = 5 * time.Second

// sweeps looks after the jobs until the engine stops.
func (e *Engine) sweeps(ctx context.Context) {
	defer close(e.done)
	sweep := time.NewTimer(e.cfg.Sweep)
	defer sweep.Stop()
	full := time.NewTicker(e.cfg.Reconcile)
	defer full.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			err = e.rescue(ctx)
		case <-e.missed:
			err = e.rescue(ctx)
		case <-full.C:
			err = e.reconcile(ctx)
		}
		again := e.cfg.Sweep
		switch {
		case err == nil:
			e.swept.Store(e.cfg.Clock().UnixNano())
		case ctx.Err() == nil:
			again = min(again, sweepAgain)
			e.cfg.Log.WarnContext(ctx, "jobs were not looked after", "error", err)
		}
		sweep.Reset(again)
	}
}

// reconcile compares the jobs with each other and with the dispatcher's queue, and
// repairs the effects of a crash: parents whose children have ended, jobs whose
// prerequisite has ended, jobs without a signal.
func (e *Engine) reconcile(ctx context.Context) error {
	if err := e.repairParents(ctx); err != nil {
		return err
	}
	return e.rescue(ctx)
}

func (e *Engine) repairParents(ctx context.Context) error {
	for last := models.ID(0); ; {
		var ids []models.ID
		err := e.store.Read(ctx).Raw(`SELECT p.id FROM jobs p
			WHERE p.type = ? AND p.status IN ? AND p.id > ?
			AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = p.id AND c.status IN ?)
			ORDER BY p.id LIMIT ?`, models.JobDeploy, open, int64(last), open, jobsPage).Scan(&ids).Error
		if err != nil {
			return fmt.Errorf("open parents: %w", store.Fault(err))
		}
		if err := e.repair(ctx, ids); err != nil || len(ids) < jobsPage {
			return err
		}
		last = ids[len(ids)-1]
	}
}

// repair brings parents to the end of their children.
func (e *Engine) repair(ctx context.Context, ids []models.ID) error {
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

// jobsPage is how many jobs are read at a time.
const jobsPage = 1000

// rescue tells the dispatcher the jobs that need attention, as many as it holds. Mostly
// one page has them all; when there are more, those of the highest priority come first.
func (e *Engine) rescue(ctx context.Context) error {
	list, err := e.dueJobs(ctx, dueQuery{limit: jobsPage})
	if err != nil {
		return err
	}
	lost := 0
	if len(list) < jobsPage {
		lost, _ = e.svc.dispatch.Plan(list)
	} else if lost, err = e.rescueInOrder(ctx); err != nil {
		return err
	}
	if lost > 0 {
		e.svc.counts.rescued.Add(int64(lost))
		e.cfg.Log.InfoContext(ctx, "jobs were found of which no signal told", "jobs", lost)
	}
	return nil
}

// rescueInOrder is rescue with more jobs than one page. It returns how many the dispatcher
// did not know.
func (e *Engine) rescueInOrder(ctx context.Context) (lost int, err error) {
	for level := range lowestPriority {
		q := dueQuery{limit: jobsPage}
		for _, t := range models.JobTypes {
			if t != models.JobDeploy && priority(t) == level+1 {
				q.types = append(q.types, t)
			}
		}
		for {
			list, err := e.dueJobs(ctx, q)
			if err != nil {
				return lost, err
			}
			n, full := e.svc.dispatch.Plan(list)
			if lost += n; full {
				return lost, nil
			}
			if len(list) < jobsPage {
				break
			}
			q.after = list[len(list)-1].ID
		}
	}
	return lost, nil
}

// look returns the delay until the job needs attention, according to the database. It
// is for jobs that another process may have.
func (e *Engine) look(ctx context.Context, id models.ID) time.Duration {
	list, err := e.dueJobs(ctx, dueQuery{id: id, limit: 1})
	switch {
	case err != nil:
		e.cfg.Log.WarnContext(ctx, "a job cannot be looked at for now", "job", id, "error", err)
		return trouble
	case len(list) == 0:
		return never
	}
	return list[0].Wait
}

// dueQuery narrows the open jobs that dueJobs returns; zero fields narrow nothing.
type dueQuery struct {
	id    models.ID // this one alone
	after models.ID
	types []models.JobType
	limit int // 1 or more
}

// dueJobs returns open jobs in the order of their ids, at most the limit. A job waits while one of its steps is leased, and until the retry of a failed
// step is due. Parents are not among them, and neither are jobs whose prerequisite is
// open: its end wakes them.
func (e *Engine) dueJobs(ctx context.Context, q dueQuery) ([]Due, error) {
	// The statuses stand in the text, so that PostgreSQL finds the index of open jobs. The
	// limit is one of jobs, of which each may have several steps.
	query := `SELECT j.id, j.type, s.status AS step, s.lease_until, s.not_before
		FROM (SELECT j.id, j.type, j.status FROM jobs j LEFT JOIN jobs b ON b.id = j.prerequisite_id
			WHERE j.status IN ('PENDING', 'QUEUED', 'RUNNING', 'TO_CANCEL') AND j.type <> ? AND j.id > ?
			AND NOT (j.status = 'PENDING' AND coalesce(b.status, '') IN ('PENDING', 'QUEUED', 'RUNNING', 'TO_CANCEL'))`
	args := []any{models.JobDeploy, int64(q.after)} // an ID of 0 is NULL
	if q.id != 0 {
		query += " AND j.id = ?"
		args = append(args, q.id)
	}
	if len(q.types) > 0 {
		query += " AND j.type IN ?"
		args = append(args, q.types)
	}
	query += ` ORDER BY j.id LIMIT ?) j
		LEFT JOIN job_steps s ON s.job_id = j.id AND (s.status = 'RUNNING'
			OR s.not_before IS NOT NULL AND (s.position >= ?) = (j.status = 'TO_CANCEL'))`
	args = append(args, q.limit, cleanupBase)
	var rows []struct {
		ID         models.ID
		Type       models.JobType
		Step       models.StepStatus
		LeaseUntil *time.Time
		NotBefore  *time.Time
	}
	if err := e.store.Read(ctx).Raw(query+" ORDER BY j.id", args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("open jobs: %w", store.Fault(err))
	}
	now := e.cfg.Clock()
	var list []Due
	for _, r := range rows {
		if len(list) == 0 || list[len(list)-1].ID != r.ID {
			list = append(list, Due{ID: r.ID, Priority: priority(r.Type)})
		}
		d := &list[len(list)-1]
		until := r.NotBefore
		if r.Step == models.StepRunning {
			until = r.LeaseUntil
			d.Expired = d.Expired || until == nil || !until.After(now)
		}
		if until != nil {
			d.Wait = max(d.Wait, until.Sub(now))
		}
	}
	return list, nil
}
