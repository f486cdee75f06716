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

// New returns a service.
func New(s *store.Store) *Service { return &Service{store: s} }

// List returns a page of what happened to the objects that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.History], error) {
	return query.List[models.History](s.store.Read(ctx), Events, a, q, opts...)
}

// Find returns one event.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.History, error) {
	return query.Find[models.History](s.store.Read(ctx), Events, a, ref)
}
