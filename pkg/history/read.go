package history

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Service reads history.
type Service struct{ store *store.Store }

// New makes the service.
func New(s *store.Store) *Service { return &Service{store: s} }

var schema = &query.Schema{Name: "history-event", Plural: "history", Table: "history"}

// List gives a page of what happened to the objects that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, sch *query.Schema, q query.Query, opts ...query.ListOption) (query.Page[models.History], error) {
	return query.List[models.History](s.store.Read(ctx), sch, a, q, opts...)
}

// Find gives one event.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.History, error) {
	return query.Find[models.History](s.store.Read(ctx), schema, a, ref)
}

// Of gives the condition for the history of one object.
func Of(objectType string, id models.ID) access.Where {
	return access.Where{
		SQL:  query.Root + ".object_type = ? AND " + query.Root + ".object_id = " + id.String(),
		Args: []any{objectType},
	}
}
