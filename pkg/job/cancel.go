package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// topicCancel is the signal that tells the process in which a job runs to stop it.
const topicCancel = "jobs.cancel"

// visible starts every query of a caller's request.
func visible(tx *store.Tx, a access.Actor, id models.ID) error {
	db := tx.Model(&models.Job{}).Where("jobs.id = ?", id)
	if w := access.Visible("jobs", a, "jobs"); !w.IsAll() {
		db = db.Where(w.SQL, w.Args...)
	}
	var n int64
	if err := db.Count(&n).Error; err != nil {
		return store.Fault(err)
	}
	if n == 0 {
		return fault.NotFoundf("Not found.")
	}
	return nil
}

// Cancel stops a job: at once when it has not begun, and otherwise as soon as its
// worker has cleaned up. A parent's open children are canceled.
func (s *Service) Cancel(ctx context.Context, a access.Actor, id models.ID) (*models.Job, error) {
	var out *models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		if err := visible(tx, a, id); err != nil {
			return err
		}
		l, err := lockLineage(tx, id)
		if err != nil {
			return err
		}
		if err := CanCancel(a, l.job); err != nil {
			return err
		}
		out = l.job
		return s.cancel(tx, a, l)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CancelTx cancels in the caller's transaction, which has checked the actor's rights:
// to cancel an order takes the right to cancel orders. A job that is already being
// canceled stays unchanged; j holds the row afterwards.
func (s *Service) CancelTx(tx *store.Tx, a access.Actor, j *models.Job) error {
	l, err := lockLineage(tx, j.ID)
	if err != nil {
		return err
	}
	if l.job.Status != models.JobToCancel {
		if err := CanCancel(access.System(a.Username), l.job); err != nil {
			return err
		}
		if err := s.cancel(tx, a, l); err != nil {
			return err
		}
	}
	*j = *l.job
	return nil
}

func (s *Service) cancel(tx *store.Tx, a access.Actor, l *lineage) error {
	j, was := l.job, l.job.Status
	now := tx.Now
	j.CancelRequestedAt = &now
	if err := Say(tx, j.ID, "warning", "Canceled by "+name(a)+"."); err != nil {
		return err
	}
	var err error
	switch {
	case j.Type == models.JobDeploy:
		err = s.cancelChildren(tx, a, l)
	case j.Status == models.JobRunning:
		if err = j.MoveTo(models.JobToCancel); err != nil {
			return err
		}
		if err = store.Save(tx, j); err != nil {
			return fmt.Errorf("save job %s: %w", j.ID, err)
		}
		tx.Signal(topicCancel, j.ID)
		err = s.wake(tx, j) // it may be waiting for its next attempt
	default:
		rows, e := stepsOf(tx, j.ID)
		if e != nil {
			return e
		}
		if err = s.kind(j.Type).Canceled(tx, j, merge(rows)); err == nil {
			err = s.end(tx, l, models.JobCanceled)
		}
	}
	if err != nil {
		return fmt.Errorf("cancel job %s: %w", j.ID, err)
	}
	return s.record(tx, a, j, "canceled", "", was)
}

func (s *Service) cancelChildren(tx *store.Tx, a access.Actor, l *lineage) error {
	p := l.job
	if p.Status == models.JobRunning {
		if err := p.MoveTo(models.JobToCancel); err != nil {
			return err
		}
	}
	if err := store.Save(tx, p); err != nil {
		return fmt.Errorf("save job %s: %w", p.ID, err)
	}
	children, err := store.Find[models.Job](tx.ForUpdate().Where("parent_id = ? AND status IN ?", p.ID, open).Order("id"))
	if err != nil {
		return fmt.Errorf("children of job %s: %w", p.ID, err)
	}
	for i := range children {
		c := &children[i]
		if c.Status == models.JobToCancel {
			continue
		}
		below := &lineage{job: c, parents: append([]*models.Job{p}, l.parents...)}
		if err := s.cancel(tx, a, below); err != nil {
			return err
		}
	}
	if p.Ended() {
		return nil
	}
	return s.follow(tx, l)
}

// Retry has a job that failed go on from the step that failed. Of a parent it
// retries the children that did not succeed.
func (s *Service) Retry(ctx context.Context, a access.Actor, id models.ID) (*models.Job, error) {
	var out *models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		if err := visible(tx, a, id); err != nil {
			return err
		}
		l, err := lockLineage(tx, id)
		if err != nil {
			return err
		}
		if err := s.spend(tx, l.job); err != nil {
			return err
		}
		if err := CanRetry(a, l.job); err != nil {
			return err
		}
		out = l.job
		if l.job.Type == models.JobDeploy {
			return s.retryChildren(tx, a, l)
		}
		return s.retry(tx, a, l)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) retryChildren(tx *store.Tx, a access.Actor, l *lineage) error {
	p := l.job
	children, err := store.Find[models.Job](tx.ForUpdate().Where("parent_id = ?", p.ID).Order("id"))
	if err != nil {
		return fmt.Errorf("children of job %s: %w", p.ID, err)
	}
	children = slices.DeleteFunc(children, func(c models.Job) bool { return retryable(&c) != nil })
	if len(children) == 0 {
		return fault.Conflictf("None of the job's parts can be retried. Current state of job is %s", p.Status)
	}
	was, tried := p.Status, 0
	var refused error
	for i := range children {
		below := &lineage{job: &children[i], parents: append([]*models.Job{p}, l.parents...)}
		switch err := s.retry(tx, a, below); {
		case err == nil:
			tried++
		case fault.Is(err, fault.Conflict) && !errors.Is(err, store.ErrStale):
			refused = err // nothing is left of this one; the others go on
		default:
			return err
		}
	}
	if tried == 0 {
		return refused
	}
	return s.record(tx, a, p, "retried", "", was)
}

func (s *Service) retry(tx *store.Tx, a access.Actor, l *lineage) error {
	j, was := l.job, l.job.Status
	again, err := s.kind(j.Type).Retried(tx, j)
	if err != nil {
		return fmt.Errorf("retry job %s: %w", j.ID, err)
	}
	if err := s.rewind(tx, j, again); err != nil {
		return err
	}
	to := models.JobQueued
	before, err := prerequisite(tx, j)
	if err != nil {
		return err
	}
	if before != nil && !before.Ended() {
		to = models.JobPending
	}
	if err := s.reopen(tx, j, to); err != nil {
		return err
	}
	if err := Say(tx, j.ID, "info", "Tried again by "+name(a)+"."); err != nil {
		return err
	}
	if err := s.record(tx, a, j, "retried", "", was); err != nil {
		return err
	}
	for i, p := range l.parents {
		if p.Ended() {
			if err := s.reopen(tx, p, models.JobRunning); err != nil {
				return err
			}
		}
		if err := s.follow(tx, &lineage{job: p, parents: l.parents[i+1:]}); err != nil {
			return err
		}
	}
	if to == models.JobPending {
		return nil
	}
	return s.wake(tx, j)
}

// rewind resets the steps so that the job can continue. If its cleanup had started, the
// job starts again from its first step.
func (s *Service) rewind(tx *store.Tx, j *models.Job, again []string) error {
	rows, err := stepsOf(tx, j.ID)
	if err != nil {
		return err
	}
	afresh := slices.ContainsFunc(rows, func(r models.JobStep) bool { return r.Position >= cleanupBase })
	if afresh {
		return store.Fault(tx.Where("job_id = ?", j.ID).Delete(&models.JobStep{}).Error)
	}
	for i := range rows {
		r := &rows[i]
		if r.Status == models.StepDone && !slices.Contains(again, r.Name) {
			continue
		}
		r.Status, r.Failures, r.NotBefore, r.EndedAt = models.StepWaiting, 0, nil, nil
		r.LeaseOwner, r.LeaseUntil = "", nil
		r.Attempt++ // whoever still runs it comes too late
		if err := saveStep(tx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) reopen(tx *store.Tx, j *models.Job, to models.JobStatus) error {
	if err := j.MoveTo(to); err != nil {
		return err
	}
	j.EndedAt, j.CancelRequestedAt, j.Errors = nil, nil, ""
	if err := store.Save(tx, j); err != nil {
		return fmt.Errorf("save job %s: %w", j.ID, err)
	}
	for _, fn := range s.onRetry {
		if err := fn(tx, j); err != nil {
			return fmt.Errorf("retry of job %s: %w", j.ID, err)
		}
	}
	return nil
}

func name(a access.Actor) string {
	if a.Username == "" {
		return "nobody"
	}
	return a.Username
}

// stepColumns are those that ever change.
var stepColumns = []string{"status", "attempt", "failures", "memo", "lease_owner", "lease_until", "not_before", "started_at", "ended_at"}

func saveStep(tx *store.Tx, r *models.JobStep) error {
	if r.Memo == nil {
		r.Memo = map[string]string{}
	}
	if err := store.RewritePart(tx, r, stepColumns...); err != nil {
		return fmt.Errorf("save step %s of job %s: %w", r.Name, r.JobID, err)
	}
	return nil
}
