package server

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// List returns a page of the servers that the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Server], error) {
	return query.List[models.Server](s.store.Read(ctx), Servers, a, q, opts...)
}

// Find returns a server.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Server, error) {
	return FindTx(s.store.Read(ctx), a, ref)
}

// FindTx is Find in the caller's transaction.
func FindTx(tx *store.Tx, a access.Actor, ref string) (*models.Server, error) {
	return query.Find[models.Server](tx, Servers, a, ref)
}

// ListServices returns a page of the deployed blueprints that the actor sees.
func (s *Service) ListServices(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Service], error) {
	return query.List[models.Service](s.store.Read(ctx), Services, a, q, opts...)
}

// FindService returns a deployed blueprint.
func (s *Service) FindService(ctx context.Context, a access.Actor, ref string) (*models.Service, error) {
	return ServiceTx(s.store.Read(ctx), a, ref)
}

// ServiceTx is FindService in the caller's transaction.
func ServiceTx(tx *store.Tx, a access.Actor, ref string) (*models.Service, error) {
	svc, err := query.Find[models.Service](tx, Services, a, ref)
	if err != nil {
		return nil, err
	}
	svc.Busy, err = busy(tx, svc.ID)
	return svc, err
}

// CanDeleteService guards the removal of a service with all its servers.
func CanDeleteService(a access.Actor, svc *models.Service) error {
	if !owns(a, svc.OwnerID, svc.GroupID) && !a.Can(access.ServerManage, svc.GroupID) {
		return fault.Forbiddenf("You may not delete this service.")
	}
	switch svc.Status {
	case models.ServiceActive, models.ServiceProvFailed:
		if svc.Busy != "" {
			return fault.New(fault.Conflict, "%s", svc.Busy)
		}
		return nil
	case models.ServiceHistorical:
		return nil // removing it again succeeds for clients
	case models.ServiceProvisioning:
	}
	return fault.Conflictf("Only services that are in 'Active', 'PROVFAILED' or 'Historical' state can be deleted. Current state of service is %s", svc.Status)
}

// CanScale guards adding and removing servers in a tier of a service.
func CanScale(a access.Actor, svc *models.Service) error {
	if !owns(a, svc.OwnerID, svc.GroupID) && !a.Can(access.ServerManage, svc.GroupID) {
		return fault.Forbiddenf("You may not scale this service.")
	}
	if svc.Status != models.ServiceActive {
		return fault.Conflictf("Only services that are in 'Active' state can be scaled. Current state of service is %s", svc.Status)
	}
	if svc.Busy != "" {
		return fault.New(fault.Conflict, "%s", svc.Busy)
	}
	return nil
}
