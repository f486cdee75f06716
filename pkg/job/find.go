package job

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// List returns a page of the jobs that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Job], error) {
	return query.List[models.Job](s.store.Read(ctx), Jobs, a, q, opts...)
}

// Find returns a job with its messages.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Job, error) {
	tx := s.store.Read(ctx)
	j, err := query.Find[models.Job](tx, Jobs, a, ref)
	if err != nil {
		return nil, err
	}
	if j.Messages, err = messagesOf(tx, j.ID); err != nil {
		return nil, err
	}
	return j, s.spend(tx, j)
}

// Retryable is a Kind that knows when a failed job cannot be retried, since its object
// has changed meanwhile. CanRetry then returns a Conflict.
type Retryable interface {
	Retryable(tx *store.Tx, j *models.Job) error
}

// spend records whether an ended job can be retried: documents use CanRetry too, and an
// offered action must not be refused.
func (s *Service) spend(tx *store.Tx, j *models.Job) error {
	if retryable(j) != nil {
		return nil
	}
	if j.Type != models.JobDeploy {
		return s.spent(tx, j)
	}
	children, err := store.Find[models.Job](tx.Where("parent_id = ?", j.ID).Order("id"))
	if err != nil {
		return err
	}
	j.Spent = "None of the job's parts can be retried."
	for i := range children {
		c := &children[i]
		if retryable(c) != nil {
			continue
		}
		if err := s.spent(tx, c); err != nil {
			return err
		}
		if c.Spent == "" {
			j.Spent = ""
			return nil
		}
	}
	return nil
}

func (s *Service) spent(tx *store.Tx, j *models.Job) error {
	k, ok := s.kind(j.Type).(Retryable)
	if !ok {
		return nil
	}
	err := k.Retryable(tx, j)
	if fault.Is(err, fault.Conflict) {
		j.Spent = fault.Message(err)
		return nil
	}
	return err
}

// LogOf returns a job and the full text of its log.
func (s *Service) LogOf(ctx context.Context, a access.Actor, ref string) (*models.Job, string, error) {
	tx := s.store.Read(ctx)
	j, err := query.Find[models.Job](tx, Jobs, a, ref)
	if err != nil {
		return nil, "", err
	}
	text, err := Log(tx, j)
	return j, text, err
}
