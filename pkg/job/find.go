package job

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

var schema = &query.Schema{Name: "job", Plural: "jobs", Table: "jobs", Prefix: "JOB"}

// List gives a page of the jobs that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, sch *query.Schema, q query.Query, opts ...query.ListOption) (query.Page[models.Job], error) {
	return query.List[models.Job](s.store.Read(ctx), sch, a, q, opts...)
}

// Find gives a job with its messages.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Job, error) {
	tx := s.store.Read(ctx)
	j, err := query.Find[models.Job](tx, schema, a, ref)
	if err != nil {
		return nil, err
	}
	j.Messages, err = Messages(tx, j.ID)
	return j, err
}

// LogOf gives a job and the full text of its log.
func (s *Service) LogOf(ctx context.Context, a access.Actor, ref string) (*models.Job, string, error) {
	tx := s.store.Read(ctx)
	j, err := query.Find[models.Job](tx, schema, a, ref)
	if err != nil {
		return nil, "", err
	}
	text, err := Log(tx, j)
	return j, text, err
}
