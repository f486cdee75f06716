package main

import (
	"context"
	"time"

	"halcyon/pkg/server"
)

// leaseFlags say how the leases of servers end.
type leaseFlags struct {
	LeaseWarnings      []int         `help:"Days before the end of a lease of which history warns." default:"7,3,1"`
	LeaseExpiredAction string        `help:"What happens on the day after the end: the server is switched off and, after the grace, removed; or it is removed at once." enum:"power_off,decommission" default:"power_off"`
	LeaseGrace         int           `help:"Days from when a server was switched off until it is removed." default:"14"`
	LeaseMaximum       int           `help:"Days from now until which a lease can be extended; 0 for no limit." default:"0"`
	LeaseSweep         time.Duration `help:"How often leases are looked at; 0 for never by this process." default:"1h"`
}

func (l *leaseFlags) policy() server.LeasePolicy {
	return server.LeasePolicy{Warnings: l.LeaseWarnings, Expired: l.LeaseExpiredAction, Grace: l.LeaseGrace, Maximum: l.LeaseMaximum}
}

func (l *leaseFlags) apply(s *settings) error {
	s.leases, s.leaseSweep = l.policy(), l.LeaseSweep
	return s.leases.Validate()
}

// endLeases looks at the leases, now and then.
func (a *app) endLeases(ctx context.Context) {
	if a.leaseSweep <= 0 {
		return
	}
	tick := time.NewTicker(a.leaseSweep)
	defer tick.Stop()
	for {
		done, err := a.servers.SweepLeases(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("leases could not all be looked at", "error", err)
		case done != server.LeaseSweep{}:
			a.log.Info("leases were looked at", "warned", done.Warned, "switched_off", done.SwitchedOff, "removed", done.Removed)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
