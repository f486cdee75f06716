package server

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
)

var (
	servers  = &query.Schema{Name: "server", Plural: "servers", Table: "servers", Prefix: "SVR"}
	services = &query.Schema{Name: "service", Plural: "services", Table: "services", Prefix: "RSC"}
)

// List gives a page of the servers that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, sch *query.Schema, q query.Query, opts ...query.ListOption) (query.Page[models.Server], error) {
	return query.List[models.Server](s.store.Read(ctx), sch, a, q, opts...)
}

// Find gives a server.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Server, error) {
	return query.Find[models.Server](s.store.Read(ctx), servers, a, ref)
}

// ListServices gives a page of the deployed blueprints that the actor sees.
func (s *Service) ListServices(ctx context.Context, a access.Actor, sch *query.Schema, q query.Query, opts ...query.ListOption) (query.Page[models.Service], error) {
	return query.List[models.Service](s.store.Read(ctx), sch, a, q, opts...)
}

// FindService gives a deployed blueprint.
func (s *Service) FindService(ctx context.Context, a access.Actor, ref string) (*models.Service, error) {
	return query.Find[models.Service](s.store.Read(ctx), services, a, ref)
}

// CanDeleteService guards the removal of a service with all its servers.
func CanDeleteService(a access.Actor, svc *models.Service) error {
	if !a.SuperAdmin && (a.ID == 0 || a.ID != svc.OwnerID) && !a.Can(access.ServerManage, svc.GroupID) {
		return fault.Forbiddenf("You may not delete this service.")
	}
	switch svc.Status {
	case models.ServiceActive, models.ServiceProvFailed:
		return nil
	case models.ServiceProvisioning, models.ServiceHistorical:
	}
	return fault.Conflictf("Only services that are in 'Active' or 'PROVFAILED' state can be deleted. Current state of service is %s", svc.Status)
}
