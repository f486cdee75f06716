package order

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// jobEnded runs in the transaction in which a job ends. It starts the follow-up work of
// the job, and ends the order after its last job.
func (s *Service) jobEnded(tx *store.Tx, j *models.Job) error {
	if j.OrderID == 0 {
		return nil
	}
	// First the follow-up jobs, since the order also waits for them.
	if err := s.hooks.Ended(tx, j); err != nil {
		return err
	}
	if j.ParentID != 0 {
		return nil // the parent job is still open, and so is the order
	}
	o, err := store.First[models.Order](tx.ForUpdate().Where("id = ?", j.OrderID))
	if err != nil {
		return err
	}
	return s.finish(tx, o)
}

// finish ends an active order when all of its jobs have ended.
func (s *Service) finish(tx *store.Tx, o *models.Order) error {
	if o.Status != models.OrderActive {
		return nil
	}
	jobs, err := store.Find[models.Job](tx.Select("id", "type", "status").Where("order_id = ?", o.ID))
	if err != nil {
		return err
	}
	count := map[models.JobStatus]int{}
	leaves := 0
	for _, j := range jobs {
		if !j.Ended() {
			return nil
		}
		if j.Type != models.JobDeploy { // the status of a parent follows from its children
			count[j.Status]++
			leaves++
		}
	}
	to := outcome(count, leaves)
	if err := o.MoveTo(to); err != nil {
		return err
	}
	o.EndedAt = &tx.Now
	if err := s.record(tx, access.System("halcyon"), o, "ended", string(to)); err != nil {
		return err
	}
	return store.Rewrite(tx, o, "status", "ended_at")
}

// outcome returns the final status of an order with that many jobs, counted by status:
// the common status of all jobs, FAILURE when none ended with a success or a warning,
// WARNING otherwise. An order without jobs is a SUCCESS.
func outcome(count map[models.JobStatus]int, jobs int) models.OrderStatus {
	switch jobs {
	case count[models.JobSuccess]:
		return models.OrderSuccess
	case count[models.JobFailure]:
		return models.OrderFailure
	case count[models.JobCanceled]:
		return models.OrderCanceled
	}
	if count[models.JobSuccess]+count[models.JobWarning] == 0 {
		return models.OrderFailure
	}
	return models.OrderWarning
}

// jobRetried makes an ended order active again when one of its jobs is retried.
func (s *Service) jobRetried(tx *store.Tx, j *models.Job) error {
	if j.OrderID == 0 {
		return nil
	}
	o, err := lockID(tx, j.OrderID)
	if err != nil {
		return err
	}
	if o.Status == models.OrderActive || o.ApprovedAt == nil {
		return nil // jobs that follow a submission can be retried before the approval
	}
	if err := o.MoveTo(models.OrderActive); err != nil {
		return err
	}
	o.EndedAt, o.CancelRequestedAt = nil, nil
	if err := s.record(tx, access.System("halcyon"), o, "resumed", "Job id "+j.ID.String()+" began again"); err != nil {
		return err
	}
	return store.Save(tx, o)
}
