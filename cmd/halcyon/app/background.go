package app

import (
	"context"
	"time"

	"halcyon/pkg/server"
)

// compactEvery is how often the numbers of servers are compacted: after some thousand changes.
const compactEvery = 5 * time.Second

// housekeeping deletes ended sessions, old idempotency keys and old webhook deliveries once an hour.
func (a *App) housekeeping(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		n, err := a.Auth.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("ended sessions could not be removed", "error", err)
		case n > 0:
			a.log.Debug("ended sessions were removed", "count", n)
		}
		if n, err = a.idempotency.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("old idempotency keys could not be removed", "error", err)
		} else if n > 0 {
			a.log.Debug("old idempotency keys were removed", "count", n)
		}
		if n, err = a.subscriptions.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("old deliveries of webhooks could not be removed", "error", err)
		} else if n > 0 {
			a.log.Debug("old deliveries of webhooks were removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// seenEvery is how often it is written down which sessions and tokens were used.
const seenEvery = time.Minute

// writeSeen writes that down; what is left at the end is close's.
func (a *App) writeSeen(ctx context.Context) {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.Auth.WriteLastUsed(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the use of sessions could not be written down", "error", err)
		}
	}
}

// endLeases looks at the leases, now and then.
func (a *App) endLeases(ctx context.Context) {
	if a.leaseSweep <= 0 {
		return
	}
	tick := time.NewTicker(a.leaseSweep)
	defer tick.Stop()
	for {
		done, err := a.Servers.SweepLeases(ctx)
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
