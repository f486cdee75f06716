// Package server manages servers and their machines: their creation, changes, power, discovery and removal,
// by jobs and by people.
package server

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/store"
)

// The actions of a server: values of Job.Action.
const (
	ActionPowerOn  = "power_on"
	ActionPowerOff = "power_off"
	ActionReboot   = "reboot"
	ActionRefresh  = "refresh_info"
	ActionSnapshot = "snapshot"
)

// Service runs actions on servers.
type Service struct {
	// Leases must be set before the service is used.
	Leases LeasePolicy

	store *store.Store
	jobs  *job.Service
	id    string // of this process, as holder of duties
}

// New returns the service, and registers the kinds of jobs about servers.
func New(s *store.Store, jobs *job.Service, pool *pool.Pool, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := machines{store: s, pool: pool, log: log, places: newPlaces(s)}
	jobs.Register(models.JobProvision, provision{machines: m})
	jobs.Register(models.JobDecom, decom{machines: m})
	jobs.Register(models.JobModify, modify{machines: m})
	jobs.Register(models.JobAction, action{machines: m})
	jobs.Register(models.JobSyncVMs, newSync(m))
	svc := &Service{Leases: defaultLeases, store: s, jobs: jobs, id: uuid.NewString()}
	jobs.OnEnd(svc.actionEnded)
	jobs.OnRetry(svc.actionBegan)
	return svc
}

// state returns a Conflict unless the server is in one of the states.
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

// switchable returns an error unless the actor may run the actions of the server and it
// has a machine.
func switchable(a access.Actor, sv *models.Server, verb, participle string) error {
	if !owns(a, sv.OwnerID, sv.GroupID) && !a.Can(access.ServerPower, sv.GroupID) {
		return fault.Forbiddenf("You may not %s this server.", verb)
	}
	return idle(sv, participle)
}

// owns reports whether the actor is the owner and still in the group. An owner who has
// left the group can only see the object.
func owns(a access.Actor, owner, group models.ID) bool {
	return a.ID != 0 && a.ID == owner && a.Member(group)
}

// idle returns a Conflict unless the server has a machine and is idle.
func idle(sv *models.Server, participle string) error {
	if err := state(sv, participle, models.ServerActive); err != nil {
		return err
	}
	if err := unoccupied(sv); err != nil {
		return err
	}
	if sv.HandlerID == 0 || sv.BackendRef == "" {
		return fault.Conflictf("This server has no machine in a back end.")
	}
	return nil
}

// unoccupied returns a Conflict while an action occupies the server. Other work shows in the server's
// state.
func unoccupied(sv *models.Server) error {
	if sv.ActionJobID != 0 {
		return fault.Conflictf("Job id %s (%s) is still at work on this server.", sv.ActionJobID, models.JobAction.Title())
	}
	return nil
}

// CanPowerOn guards power_on.
func CanPowerOn(a access.Actor, sv *models.Server) error {
	if err := switchable(a, sv, "power on", "powered on"); err != nil {
		return err
	}
	if sv.LeaseExpiredAt != nil {
		return fault.Conflictf("The lease ended on %s, and the server was switched off. Extend the lease first.", sv.ExpiresOn)
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
	if owns(a, sv.OwnerID, sv.GroupID) || a.Can(access.ServerManage, sv.GroupID) {
		return nil
	}
	return fault.Forbiddenf("You may not %s this server.", verb)
}

// CanModify guards changes of a server by an order.
func CanModify(a access.Actor, sv *models.Server) error {
	if err := manageable(a, sv, "change"); err != nil {
		return err
	}
	return idle(sv, "modified")
}

// CanDecom guards the removal of a server by an order. A server whose creation failed can be removed as
// well, with the parts that exist.
func CanDecom(a access.Actor, sv *models.Server) error {
	if err := manageable(a, sv, "delete"); err != nil {
		return err
	}
	if err := state(sv, "deleted", models.ServerActive, models.ServerProvFailed); err != nil {
		return err
	}
	return unoccupied(sv)
}

// guards maps each action to its guard.
var guards = map[string]func(access.Actor, *models.Server) error{
	ActionPowerOn:  CanPowerOn,
	ActionPowerOff: CanPowerOff,
	ActionReboot:   CanReboot,
	ActionRefresh:  CanRefresh,
	ActionSnapshot: CanSnapshot,
}

var openJobs = []models.JobStatus{models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel}

// Act runs an action on a server as a job. Of args it uses only the settings of a snapshot: Name, which may
// be empty, Text and Memory. A repeated request returns the job that is already running.
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
		mine := models.JobArgs{}
		if err := guard(a, sv); err != nil {
			if out = underway(tx, a, sv, action, mine, err); out != nil {
				return nil
			}
			return err
		}
		if action == ActionSnapshot {
			mine = models.JobArgs{Text: args.Text, Memory: args.Memory}
			mine.Name = named(tx, args.Name)
		}
		out, err = s.act(tx, a, sv, a.ID, action, mine)
		return err
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

// CanSync guards the synchronization with back ends.
func CanSync(a access.Actor) error {
	if !a.SuperAdmin {
		return fault.Forbiddenf("Only administrators may synchronise resource handlers.")
	}
	return nil
}

// SyncVMs starts jobs that compare the machines of a resource handler with the servers, or those of all
// handlers for 0. For a handler with a running job it returns that job.
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
