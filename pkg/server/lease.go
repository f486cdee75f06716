package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/store"
)

// This file ends the leases of servers. A server's expiration date is the last day of
// its lease. History warns of it some days before; on the day after, the server is
// switched off, and removed some days later, or removed at once.

// The values of LeasePolicy.Expired: the operation on a server with an expired lease.
const (
	expiredPowerOff     = "power_off"    // switched off, and removed after the grace
	expiredDecommission = "decommission" // removed at once
)

// LeasePolicy configures the end of leases and their maximum length. Numbers are in
// days.
type LeasePolicy struct {
	Warnings []int  // before the end; each is sent once
	Expired  string // power_off or decommission
	Grace    int    // from when a server was switched off until it is removed
	Maximum  int    // from today to the end of an extended lease; 0 for no limit
}

// defaultLeases is the policy of an installation without configuration.
var defaultLeases = LeasePolicy{Warnings: []int{7, 3, 1}, Expired: expiredPowerOff, Grace: 14}

// Validate checks a configured policy.
func (p LeasePolicy) Validate() error {
	for _, w := range p.Warnings {
		if w < 1 {
			return fault.InvalidField(fault.Member("lease-warnings"), "%d is not a number of days above 0", w)
		}
	}
	switch {
	case p.Expired != expiredPowerOff && p.Expired != expiredDecommission:
		return fault.InvalidField(fault.Member("lease-expired-action"), "%q is neither %s nor %s", p.Expired, expiredPowerOff, expiredDecommission)
	case p.Grace < 0:
		return fault.InvalidField(fault.Member("lease-grace"), "%d is less than 0", p.Grace)
	case p.Maximum < 0:
		return fault.InvalidField(fault.Member("lease-maximum"), "%d is less than 0", p.Maximum)
	}
	return nil
}

// LeaseSweep counts the results of a sweep for servers and services.
type LeaseSweep struct {
	Warned, SwitchedOff, Removed int
}

// dutyLeases is the duty of the sweep: one process runs it for all.
const dutyLeases = "leases"

// holdLeases is the length of the lease on the duty: how long a process that died blocks the others.
const holdLeases = 5 * time.Minute

// SweepLeases sends the warnings that are due and ends expired leases, unless another process is doing so.
// A later sweep handles servers that are busy now. An error about one server does not stop the others.
func (s *Service) SweepLeases(ctx context.Context) (LeaseSweep, error) {
	var done LeaseSweep
	mine, err := s.store.AcquireLease(ctx, dutyLeases, s.id, holdLeases)
	if err != nil || !mine {
		return done, err
	}
	errs := []error{
		s.eachLease(ctx, "servers", []any{models.ServerActive, models.ServerProvFailed}, func(id models.ID) error { return s.sweepServer(ctx, id, &done) }),
		s.eachLease(ctx, "services", []any{models.ServiceActive, models.ServiceProvFailed}, func(id models.ID) error { return s.sweepService(ctx, id, &done) }),
	}
	_, err = s.store.AcquireLease(ctx, dutyLeases, s.id, 0)
	return done, errors.Join(append(errs, err)...)
}

// eachLease calls fn for all rows in those states with leases that end soon or have ended, as long as this
// process holds the duty.
func (s *Service) eachLease(ctx context.Context, table string, states []any, fn func(models.ID) error) error {
	const batch = 200
	var errs []error
	soon := day(s.store.Now().AddDate(0, 0, slices.Max(append(s.Leases.Warnings, 0))))
	for last := models.ID(0); ; {
		var ids []models.ID
		err := s.store.Read(ctx).Table(table).Where("expires_on <> '' AND expires_on <= ? AND status IN ? AND id > ?", soon, states, int64(last)).
			Order("id").Limit(batch).Pluck("id", &ids).Error
		if err != nil {
			return fmt.Errorf("leases of %s: %w", table, store.Fault(err))
		}
		for _, id := range ids {
			if err := fn(id); err != nil {
				errs = append(errs, fmt.Errorf("lease of %s %s: %w", table, id, err))
			}
			last = id
		}
		if len(ids) < batch {
			return errors.Join(errs...)
		}
		if mine, err := s.store.AcquireLease(ctx, dutyLeases, s.id, holdLeases); err != nil || !mine {
			return errors.Join(append(errs, err)...)
		}
	}
}

// day returns the date of an instant.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// daysLeft returns the days from today to the last day of a lease: 0 on that day, and negative after the
// end.
func daysLeft(expires string, now time.Time) int {
	last, err := time.Parse(time.DateOnly, expires)
	if err != nil {
		return 0 // no date: the lease does not end
	}
	return int(last.Sub(now.UTC().Truncate(24*time.Hour)) / (24 * time.Hour))
}

// sweepServer handles one server. It adds to total only after the commit.
func (s *Service) sweepServer(ctx context.Context, id models.ID, total *LeaseSweep) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		sv, err := lock(tx, id)
		if err != nil {
			return err
		}
		if sv.ExpiresOn == "" || state(sv, "", models.ServerActive, models.ServerProvFailed) != nil {
			return nil
		}
		left := daysLeft(sv.ExpiresOn, tx.Now)
		switch {
		case left >= 0:
			due := s.Leases.due(left, sv.LeaseWarned)
			if due == 0 {
				return nil
			}
			sv.LeaseWarned = due
			if err := save(tx, sv); err != nil {
				return err
			}
			tx.OnCommit(func() { total.Warned++ })
			return warn(tx, models.ObjectServer, sv.ID, sv.ExpiresOn, left)
		case sv.ActionJobID != 0:
			return nil
		case s.Leases.Expired == expiredDecommission || sv.LeaseExpiredAt != nil && daysLeft(day(*sv.LeaseExpiredAt), tx.Now) <= -s.Leases.Grace:
			tx.OnCommit(func() { total.Removed++ })
			return s.remove(tx, sv)
		}
		return s.expire(tx, sv, total)
	})
}

// due returns the warning to send with that many days left, 0 for no warning. Of missed warnings only the
// last is sent late.
func (p LeasePolicy) due(left, warned int) int {
	due := 0
	for _, w := range p.Warnings {
		if left <= w && (due == 0 || w < due) {
			due = w
		}
	}
	if warned != 0 && warned <= due {
		return 0
	}
	return due
}

func warn(tx *store.Tx, kind string, id models.ID, expires string, left int) error {
	when := fmt.Sprintf("in %d days", left)
	switch left {
	case 0:
		when = "today"
	case 1:
		when = "tomorrow"
	}
	return history.Add(tx, system, kind, id, "lease_warning", fmt.Sprintf("The last day of the lease is %s, %s.", expires, when), nil, nil)
}

// expire switches a server off and records the time. A server that is on again, because the switch failed
// or by the back end, is switched off again.
func (s *Service) expire(tx *store.Tx, sv *models.Server, total *LeaseSweep) error {
	first := sv.LeaseExpiredAt == nil
	if first {
		now := tx.Now
		sv.LeaseExpiredAt = &now
		text := fmt.Sprintf("The last day of the lease was %s. The server is removed on %s.", sv.ExpiresOn, day(now.AddDate(0, 0, s.Leases.Grace)))
		if err := history.Add(tx, system, models.ObjectServer, sv.ID, "lease_expired", text, nil, nil); err != nil {
			return err
		}
	}
	if sv.PowerStatus != models.PowerOff && idle(sv, "") == nil {
		tx.OnCommit(func() { total.SwitchedOff++ })
		_, err := s.act(tx, system, sv, sv.OwnerID, ActionPowerOff, models.JobArgs{})
		return err // it has saved the row
	}
	if first {
		return save(tx, sv)
	}
	return nil
}

// remove starts the removal of a server, by a job without an order.
func (s *Service) remove(tx *store.Tx, sv *models.Server) error {
	if err := sv.MoveTo(models.ServerDecom); err != nil {
		return err
	}
	if err := save(tx, sv); err != nil {
		return err
	}
	j, err := s.jobs.InsertTx(tx, job.Spec{
		Type: models.JobDecom, OwnerID: sv.OwnerID, GroupID: sv.GroupID,
		HandlerID: sv.HandlerID, ServerID: sv.ID, ServiceID: sv.ServiceID,
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("The last day of the lease was %s. Job id %s", sv.ExpiresOn, j.ID)
	return history.Add(tx, system, models.ObjectServer, sv.ID, "lease_ended", text, nil, nil)
}

// sweepService sends the warnings about the end of a service, which ends with its servers.
func (s *Service) sweepService(ctx context.Context, id models.ID, total *LeaseSweep) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		svc, err := store.First[models.Service](tx.ForUpdate().Where("id = ?", id))
		if err != nil || svc.ExpiresOn == "" || svc.Status == models.ServiceHistorical {
			return err
		}
		left := daysLeft(svc.ExpiresOn, tx.Now)
		due := s.Leases.due(left, svc.LeaseWarned)
		if left < 0 || due == 0 {
			return nil
		}
		svc.LeaseWarned = due
		if err := store.Save(tx, svc); err != nil {
			return err
		}
		tx.OnCommit(func() { total.Warned++ })
		return warn(tx, models.ObjectService, svc.ID, svc.ExpiresOn, left)
	})
}

// leaseOf returns the last day of the longest lease of the servers, "" if one has no expiry, and was if no
// server is left.
func leaseOf(servers []models.Server, was string) string {
	last, any := "", false
	for i := range servers {
		switch sv := &servers[i]; {
		case sv.Status == models.ServerHistorical:
		case sv.ExpiresOn == "":
			return ""
		default:
			last, any = max(last, sv.ExpiresOn), true
		}
	}
	if !any {
		return was
	}
	return last
}
