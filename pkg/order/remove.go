package order

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file orders the removal of existing servers and services, for DELETE requests.

// CanDecommission guards the removal of a server by an order of its own.
func CanDecommission(a access.Actor, sv *models.Server) error {
	if err := server.CanDecom(a, sv); err != nil {
		return err
	}
	return CanOrderFor(a, sv.GroupID)
}

// CanDeleteService guards the removal of a service by an order of its own.
func CanDeleteService(a access.Actor, svc *models.Service) error {
	if err := server.CanDeleteService(a, svc); err != nil {
		return err
	}
	return CanOrderFor(a, svc.GroupID)
}

// Decommission submits an order that removes the server with the id ref.
func (s *Service) Decommission(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return s.order(ctx, a, func(tx *store.Tx) (Draft, error) {
		sv, err := server.FindTx(tx, a, ref)
		if err != nil {
			return Draft{}, err
		}
		return Draft{
			GroupID: sv.GroupID, Submit: true,
			Items: []models.OrderItem{{Kind: models.ItemDecom, Decom: &models.DecomItem{EnvironmentID: sv.EnvironmentID, ServerIDs: []models.ID{sv.ID}}}},
		}, CanDecommission(a, sv)
	})
}

// DeleteService submits an order that removes the service with the id ref, and all of its servers.
func (s *Service) DeleteService(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return s.order(ctx, a, func(tx *store.Tx) (Draft, error) {
		svc, err := server.ServiceTx(tx, a, ref)
		if err != nil {
			return Draft{}, err
		}
		return Draft{
			GroupID: svc.GroupID, Submit: true,
			Items: []models.OrderItem{{Kind: models.ItemDecom, Decom: &models.DecomItem{ServiceIDs: []models.ID{svc.ID}}}},
		}, CanDeleteService(a, svc)
	})
}

// order creates the order that draft returns, in one transaction with the reads of draft.
func (s *Service) order(ctx context.Context, a access.Actor, draft func(tx *store.Tx) (Draft, error)) (*models.Order, error) {
	var o *models.Order
	err := s.withApprovals(ctx, func(tx *store.Tx, c *ExternalApproval) error {
		d, err := draft(tx)
		if err != nil {
			return err
		}
		o, err = s.create(tx, a, d, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// actionDelete is the action of the parent job that removes the servers of a service.
const actionDelete = "delete"

// decommission starts the removal of servers. The servers that a scaled service loses, and several servers
// of a removed service, share a parent job each.
func (s *Service) decommission(tx *store.Tx, o *models.Order, p *PlannedDecom) error {
	parents := map[models.ID]models.ID{} // by service
	if p.Scaled != nil {
		j, err := s.changing(tx, o, p.Item, p.Scaled, actionScale)
		if err != nil {
			return err
		}
		parents[p.Scaled.ID] = j.ID
	}
	for _, svc := range p.Services {
		if !p.several(svc) {
			if err := claim(tx, svc); err != nil {
				return err
			}
			continue
		}
		j, err := s.changing(tx, o, p.Item, svc, actionDelete)
		if err != nil {
			return err
		}
		parents[svc.ID] = j.ID
	}
	for _, sv := range p.Servers {
		if err := s.start(tx, o, p.Item, sv, models.ServerDecom, models.JobDecom, models.JobArgs{}, parents[sv.ServiceID]); err != nil {
			return err
		}
	}
	return nil
}

// several reports whether the plan removes more than one server of the service.
func (p *PlannedDecom) several(svc *models.Service) bool {
	n := 0
	for _, sv := range p.Servers {
		if sv.ServiceID == svc.ID {
			n++
		}
	}
	return n > 1
}

// claim prevents concurrent changes of the service: of two plans with the same row the second one gets a
// Conflict.
func claim(tx *store.Tx, svc *models.Service) error { return store.Save(tx, svc, "status") }
