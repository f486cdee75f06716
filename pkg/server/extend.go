package server

import (
	"context"
	"fmt"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
)

// This file extends leases.

// Extension is the requested extension of a lease. Exactly one of Day and Days is set.
type Extension struct {
	Day     string // the new last day, or models.Never
	Days    int    // days to add to the last day or to today, whichever is later
	PowerOn bool   // switch on what was switched off when the lease ended
}

// maxDays is the maximum of one extension: a hundred years.
const maxDays = 36500

// CanExtend guards the extension of a server's lease: by callers who may change the server, while it has a
// lease that is not at its maximum.
func (s *Service) CanExtend(a access.Actor, sv *models.Server) error {
	if err := manageable(a, sv, "extend the lease of"); err != nil {
		return err
	}
	if err := state(sv, "extended", models.ServerActive, models.ServerProv, models.ServerModify, models.ServerProvFailed); err != nil {
		return err
	}
	return s.extendable(a, "server", sv.GroupID, sv.ExpiresOn)
}

// CanExtendService guards the extension of a service's lease, which applies to all its servers.
func (s *Service) CanExtendService(a access.Actor, svc *models.Service) error {
	if !owns(a, svc.OwnerID, svc.GroupID) && !a.Can(access.ServerManage, svc.GroupID) {
		return fault.Forbiddenf("You may not extend the lease of this service.")
	}
	if svc.Status == models.ServiceHistorical {
		return fault.Conflictf("Only services that are there can be extended. Current state of service is %s", svc.Status)
	}
	if svc.Busy != "" { // possibly the removal of its servers
		return fault.New(fault.Conflict, "%s", svc.Busy)
	}
	return s.extendable(a, "service", svc.GroupID, svc.ExpiresOn)
}

func (s *Service) extendable(a access.Actor, what string, group models.ID, expires string) error {
	if expires == "" {
		return fault.Conflictf("This %s has a lease without end.", what)
	}
	if last := s.lastDay(s.store.Now()); last != "" && expires >= last && !a.Can(access.GroupManage, group) {
		return fault.Conflictf("The lease is as long as it may be: until %s.", expires)
	}
	return nil
}

// lastDay returns the maximum last day of an extended lease, "" for no limit.
func (s *Service) lastDay(now time.Time) string {
	if s.Leases.Maximum == 0 {
		return ""
	}
	return day(now.AddDate(0, 0, s.Leases.Maximum))
}

// after returns the date that many days after expires, or after today if that is later.
func after(expires string, days int, now time.Time) string {
	from, err := time.Parse(time.DateOnly, max(expires, day(now)))
	if err != nil {
		from = now
	}
	return day(from.AddDate(0, 0, days))
}

// until returns the new last day of a lease, "" for no expiry, or an error if the
// extension is not allowed.
func (s *Service) until(a access.Actor, group models.ID, expires string, e Extension, now time.Time) (string, error) {
	date, days := fault.Member("expiration-date"), fault.Member("days")
	at, to := date, e.Day
	switch {
	case e.Day != "" && e.Days != 0:
		return "", fault.InvalidField(days, "cannot be given together with expiration-date")
	case e.Day == models.Never:
		if !a.Can(access.GroupManage, group) {
			return "", fault.Forbiddenf("Only who manages the group can take the end off a lease.")
		}
		return "", nil
	case e.Days < 0 || e.Days > maxDays:
		return "", fault.InvalidField(days, "%d is not between 1 and %d", e.Days, maxDays)
	case e.Days > 0:
		at, to = days, after(expires, e.Days, now)
	case e.Day == "":
		return "", fault.InvalidField(date, "is required, unless days are given")
	}
	if _, err := time.Parse(time.DateOnly, to); err != nil {
		return "", fault.InvalidField(at, "%q is no date such as 2027-01-31", to)
	}
	switch last := s.lastDay(now); {
	case to < day(now):
		return "", fault.InvalidField(at, "%s is in the past", to)
	case to <= expires:
		return "", fault.InvalidField(at, "%s is not after %s, when the lease ends", to, expires)
	case last != "" && to > last:
		return "", fault.InvalidField(at, "%s is after %s: a lease may last %d days from now", to, last, s.Leases.Maximum)
	}
	return to, nil
}

// Extend extends a server's lease. It returns the server, and the job that switches it
// on if the request asked for that and the server is off.
func (s *Service) Extend(ctx context.Context, a access.Actor, ref string, e Extension) (*models.Server, *models.Job, error) {
	var sv *models.Server
	var j *models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		j = nil
		seen, err := FindTx(tx, a, ref)
		if err != nil {
			return err
		}
		if sv, err = lock(tx, seen.ID); err != nil {
			return err
		}
		if err := s.CanExtend(a, sv); err != nil {
			return err
		}
		to, err := s.until(a, sv.GroupID, sv.ExpiresOn, e, tx.Now)
		if err != nil {
			return err
		}
		if err := lengthen(tx, a, sv, to); err != nil {
			return err
		}
		if err := follow(tx, sv.ServiceID); err != nil || !e.PowerOn || sv.PowerStatus == models.PowerOn {
			return err
		}
		if err := CanPowerOn(a, sv); err != nil {
			return err
		}
		j, err = s.act(tx, a, sv, a.ID, ActionPowerOn, models.JobArgs{})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return sv, j, nil
}

func lengthen(tx *store.Tx, a access.Actor, sv *models.Server, to string) error {
	was := sv.ExpiresOn
	sv.Lease(to)
	if err := save(tx, sv); err != nil {
		return err
	}
	return extended(tx, a, models.ObjectServer, sv.ID, was, to)
}

func extended(tx *store.Tx, a access.Actor, kind string, id models.ID, was, to string) error {
	text := "The last day of the lease is " + to + "."
	if to == "" {
		text = "The lease has no end any more."
	}
	return history.Add(tx, a, kind, id, "lease_extended", text, map[string]string{"expiration-date": was}, map[string]string{"expiration-date": to})
}

// ExtendService extends the leases of a service's servers, except those that already
// last longer.
func (s *Service) ExtendService(ctx context.Context, a access.Actor, ref string, e Extension) (*models.Service, error) {
	var svc *models.Service
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		seen, err := ServiceTx(tx, a, ref)
		if err != nil {
			return err
		}
		if err := s.CanExtendService(a, seen); err != nil {
			return err
		}
		to, err := s.until(a, seen.GroupID, seen.ExpiresOn, e, tx.Now)
		if err != nil {
			return err
		}
		rows, err := store.Find[models.Server](tx.ForUpdate().Where("service_id = ? AND status NOT IN ? AND expires_on <> ''",
			seen.ID, []models.ServerStatus{models.ServerHistorical, models.ServerDecom}).Order("id"))
		if err != nil {
			return fmt.Errorf("servers of service %s: %w", seen.ID, err)
		}
		for i := range rows {
			if to != "" && rows[i].ExpiresOn >= to {
				continue
			}
			if err := s.extendMember(tx, a, &rows[i], to, e.PowerOn); err != nil {
				return err
			}
		}
		if err := extended(tx, a, models.ObjectService, seen.ID, seen.ExpiresOn, to); err != nil {
			return err
		}
		if err := follow(tx, seen.ID); err != nil {
			return err
		}
		svc, err = ServiceTx(tx, a, seen.ID.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return svc, nil
}

// extendMember extends one server of a service; when asked to it switches on one that
// was switched off when its lease ended.
func (s *Service) extendMember(tx *store.Tx, a access.Actor, sv *models.Server, to string, on bool) error {
	on = on && sv.LeaseExpiredAt != nil && sv.PowerStatus == models.PowerOff
	if err := lengthen(tx, a, sv, to); err != nil || !on {
		return err
	}
	if err := CanPowerOn(a, sv); err != nil {
		return err
	}
	_, err := s.act(tx, a, sv, a.ID, ActionPowerOn, models.JobArgs{})
	return err
}
