package server

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// CanRun guards what administrators offer to be run on servers.
func CanRun(a access.Actor, sv *models.Server) error {
	return switchable(a, sv, "run actions on", "acted upon")
}

// CanRunService guards what administrators offer to be run on services.
func CanRunService(a access.Actor, svc *models.Service) error {
	if !owns(a, svc.OwnerID, svc.GroupID) && !a.Can(access.ServerPower, svc.GroupID) {
		return fault.Forbiddenf("You may not run actions on this service.")
	}
	if svc.Status != models.ServiceActive {
		return fault.Conflictf("Only services that are in 'Active' state can be acted upon. Current state of service is %s", svc.Status)
	}
	if svc.Busy != "" {
		return fault.New(fault.Conflict, "%s", svc.Busy)
	}
	return nil
}
