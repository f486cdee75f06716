// Package server is what jobs do with machines, and what people do to servers:
// they are made, changed, switched, found in a back end, and removed.
package server

import (
	"context"
	"fmt"
	"log/slog"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/backend"
	"halcyon/pkg/directory"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/shelf"
	"halcyon/pkg/store"
)

// The actions of a server, as Job.Action has them.
const (
	ActionPowerOn  = "power_on"
	ActionPowerOff = "power_off"
	ActionReboot   = "reboot"
	ActionRefresh  = "refresh_info"
	ActionSnapshot = "snapshot"
)

// Service acts on servers.
type Service struct {
	store *store.Store
	jobs  *job.Service
}

// New makes the service, and registers what the jobs about servers do.
func New(s *store.Store, jobs *job.Service, pool *backend.Pool, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := machines{store: s, pool: pool, log: log, shelf: shelf.New(s, directory.Environment, directory.OSBuilds)}
	jobs.Register(models.JobProvision, provision{machines: m})
	jobs.Register(models.JobDecom, decom{machines: m})
	jobs.Register(models.JobModify, modify{machines: m})
	jobs.Register(models.JobAction, action{machines: m})
	jobs.Register(models.JobSyncVMs, newSync(m))
	return &Service{store: s, jobs: jobs}
}

// state is a Conflict unless the server's state is among those in which the thing
// can be done.
func state(sv *models.Server, participle string, in ...models.ServerStatus) error {
	list := ""
	for i, st := range in {
		if sv.Status == st {
			return nil
		}
		if i > 0 {
			list += " or "
		}
		list += "'" + string(st) + "'"
	}
	return fault.Conflictf("Only servers that are in %s state can be %s. Current state of server is %s", list, participle, sv.Status)
}

// switchable holds for whoever may run the actions of a server that has a machine.
func switchable(a access.Actor, sv *models.Server, verb, participle string) error {
	if !a.SuperAdmin && (a.ID == 0 || a.ID != sv.OwnerID) && !a.Can(access.ServerPower, sv.GroupID) {
		return fault.Forbiddenf("You may not %s this server.", verb)
	}
	if err := state(sv, participle, models.ServerActive); err != nil {
		return err
	}
	if sv.HandlerID == 0 || sv.BackendRef == "" {
		return fault.Conflictf("This server has no machine in a back end.")
	}
	return nil
}

// CanPowerOn guards power_on.
func CanPowerOn(a access.Actor, sv *models.Server) error {
	if err := switchable(a, sv, "power on", "powered on"); err != nil {
		return err
	}
	if sv.PowerStatus == models.PowerOn {
		return fault.Conflictf("The server is on already. Current power status of server is %s", sv.PowerStatus)
	}
	return nil
}

// CanPowerOff guards power_off.
func CanPowerOff(a access.Actor, sv *models.Server) error {
	if err := switchable(a, sv, "power off", "powered off"); err != nil {
		return err
	}
	if sv.PowerStatus == models.PowerOff {
		return fault.Conflictf("The server is off already. Current power status of server is %s", sv.PowerStatus)
	}
	return nil
}

// CanReboot guards reboot.
func CanReboot(a access.Actor, sv *models.Server) error {
	if err := switchable(a, sv, "reboot", "rebooted"); err != nil {
		return err
	}
	if sv.PowerStatus == models.PowerOff {
		return fault.Conflictf("The server is off. Current power status of server is %s", sv.PowerStatus)
	}
	return nil
}

// CanSnapshot guards snapshot.
func CanSnapshot(a access.Actor, sv *models.Server) error {
	return switchable(a, sv, "take snapshots of", "snapshot")
}

// CanRefresh guards refresh_info.
func CanRefresh(a access.Actor, sv *models.Server) error {
	return switchable(a, sv, "refresh", "refreshed")
}

func manageable(a access.Actor, sv *models.Server, verb string) error {
	if a.SuperAdmin || a.ID != 0 && a.ID == sv.OwnerID || a.Can(access.ServerManage, sv.GroupID) {
		return nil
	}
	return fault.Forbiddenf("You may not %s this server.", verb)
}

// CanModify guards changes of a server by an order.
func CanModify(a access.Actor, sv *models.Server) error {
	if err := manageable(a, sv, "change"); err != nil {
		return err
	}
	if err := state(sv, "modified", models.ServerActive); err != nil {
		return err
	}
	if sv.HandlerID == 0 || sv.BackendRef == "" {
		return fault.Conflictf("This server has no machine in a back end.")
	}
	return nil
}

// CanDecom guards the removal of a server by an order. One whose creation failed
// can be removed as well, with whatever there is of it.
func CanDecom(a access.Actor, sv *models.Server) error {
	if err := manageable(a, sv, "delete"); err != nil {
		return err
	}
	return state(sv, "deleted", models.ServerActive, models.ServerProvFailed)
}

// guards are those of the actions.
var guards = map[string]func(access.Actor, *models.Server) error{
	ActionPowerOn:  CanPowerOn,
	ActionPowerOff: CanPowerOff,
	ActionReboot:   CanReboot,
	ActionRefresh:  CanRefresh,
	ActionSnapshot: CanSnapshot,
}

var openJobs = []models.JobStatus{models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel}

// Act runs an action on a server as a job. Of args only a snapshot's Name counts,
// which may be empty. An action that is asked for again while it is at work is
// that same job.
func (s *Service) Act(ctx context.Context, a access.Actor, id models.ID, action string, args models.JobArgs) (*models.Job, error) {
	guard, ok := guards[action]
	if !ok {
		return nil, fault.NotFoundf("Not found.")
	}
	var out *models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		sv, err := visible(tx, a, id)
		if err != nil {
			return err
		}
		if err := guard(a, sv); err != nil {
			return err
		}
		args := models.JobArgs{Name: args.Name}
		if action != ActionSnapshot {
			args.Name = ""
		} else if args.Name == "" {
			args.Name = "halcyon-" + tx.Now.Format("20060102-150405")
		}
		busy, err := store.Find[models.Job](tx.Where("server_id = ? AND status IN ?", id, openJobs).Order("id"))
		if err != nil {
			return fmt.Errorf("jobs of server %s: %w", id, err)
		}
		for i := range busy {
			if busy[i].Type == models.JobAction && busy[i].Action == action && busy[i].OwnerID == a.ID && action != ActionSnapshot {
				out = &busy[i]
				return nil
			}
		}
		if len(busy) > 0 {
			return fault.Conflictf("Job id %s (%s) is still at work on this server.", busy[0].ID, busy[0].Type.Title())
		}
		out, err = s.jobs.InsertTx(tx, job.Spec{
			Type: models.JobAction, Action: action, Args: args,
			OwnerID: a.ID, GroupID: sv.GroupID,
			ServerID: sv.ID, ServiceID: sv.ServiceID, HandlerID: sv.HandlerID,
		})
		if err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectServer, sv.ID, action, "Job id "+out.ID.String(), nil, nil)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// visible reads a server that the actor may see, and locks it.
func visible(tx *store.Tx, a access.Actor, id models.ID) (*models.Server, error) {
	db := tx.ForUpdate().Where("servers.id = ?", id)
	if w := access.Visible("servers", a, "servers"); !w.IsAll() {
		db = db.Where(w.SQL, w.Args...)
	}
	return store.First[models.Server](db)
}

// CanSync guards the synchronisation with back ends.
func CanSync(a access.Actor) error {
	if !a.SuperAdmin {
		return fault.Forbiddenf("Only administrators may synchronise resource handlers.")
	}
	return nil
}

// SyncVMs has the machines of a resource handler, or of all with 0, compared with
// the servers. A handler that is being compared already answers with that job.
func (s *Service) SyncVMs(ctx context.Context, a access.Actor, handler models.ID) ([]*models.Job, error) {
	if err := CanSync(a); err != nil {
		return nil, err
	}
	var out []*models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		out = nil
		db := tx.ForUpdate().Order("id")
		if handler != 0 {
			db = db.Where("id = ?", handler)
		}
		list, err := store.Find[models.ResourceHandler](db)
		if err != nil {
			return fmt.Errorf("resource handlers: %w", err)
		}
		if handler != 0 && len(list) == 0 {
			return fault.NotFoundf("Not found.")
		}
		for i := range list {
			h := &list[i]
			busy, err := store.Find[models.Job](tx.Where("handler_id = ? AND type = ? AND status IN ?", h.ID, models.JobSyncVMs, openJobs).Order("id").Limit(1))
			if err != nil {
				return fmt.Errorf("jobs of resource handler %s: %w", h.ID, err)
			}
			if len(busy) > 0 {
				out = append(out, &busy[0])
				continue
			}
			j, err := s.jobs.InsertTx(tx, job.Spec{Type: models.JobSyncVMs, OwnerID: a.ID, HandlerID: h.ID})
			if err != nil {
				return err
			}
			if err := history.Add(tx, a, models.ObjectHandler, h.ID, "sync_vms", "Job id "+j.ID.String(), nil, nil); err != nil {
				return err
			}
			out = append(out, j)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
