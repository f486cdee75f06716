package server

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// CanRun guards the actions that administrators define for servers.
func CanRun(a access.Actor, sv *models.Server) error {
	return switchable(a, sv, "run actions on", "acted upon")
}

// CanRunService guards the actions that administrators define for services.
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
