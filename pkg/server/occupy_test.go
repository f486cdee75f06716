package server

import (
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// An action occupies its server from the request until it ends, in any way, and again when it is retried.
func TestActionsOccupyServers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s).start(t)
		sv := r.active(t, "web-1")
		free := func(when string) {
			t.Helper()
			if got := r.read(t, sv.ID); got.ActionJobID != 0 || CanModify(root, got) != nil {
				t.Errorf("%s: the server is still job %s's: %v", when, got.ActionJobID, CanModify(root, got))
			}
		}
		done, err := r.Act(t.Context(), root, sv.ID, ActionPowerOff, models.JobArgs{})
		if err != nil {
			t.Fatal(err)
		}
		r.await(t, done.ID, models.JobSuccess)
		free("done")

		// A failed action blocks nothing.
		r.cloud.FailNext("power", simulated.Refused, 1)
		failed, err := r.Act(t.Context(), root, sv.ID, ActionPowerOn, models.JobArgs{})
		if err != nil {
			t.Fatal(err)
		}
		r.await(t, failed.ID, models.JobFailure)
		free("failed")

		// While another action runs it cannot be retried, and the error says so.
		r.stop(t)
		other, err := r.Act(t.Context(), root, sv.ID, ActionRefresh, models.JobArgs{})
		if err != nil {
			t.Fatal(err)
		}
		for _, guard := range []func(access.Actor, *models.Server) error{CanPowerOn, CanPowerOff, CanReboot, CanSnapshot, CanRefresh, CanModify, CanDecom} {
			if err := guard(root, r.read(t, sv.ID)); !fault.Is(err, fault.Conflict) {
				t.Errorf("beside job %s: %v", other.ID, err)
			}
		}
		j, err := r.jobs.Find(t.Context(), root, failed.ID.String())
		if err != nil || !fault.Is(job.CanRetry(root, j), fault.Conflict) {
			t.Errorf("the failed one may be tried again: %v %v", err, job.CanRetry(root, j))
		}
		if _, err := r.jobs.Retry(t.Context(), root, failed.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("the failed one is tried again: %v", err)
		}
		if _, err := r.jobs.Cancel(t.Context(), root, other.ID); err != nil {
			t.Fatal(err)
		}
		free("canceled")
		if _, err := r.jobs.Retry(t.Context(), root, failed.ID); err != nil {
			t.Fatal(err)
		}
		if got := r.read(t, sv.ID).ActionJobID; got != failed.ID {
			t.Errorf("the server is job %s's, and not %s's, which is tried again", got, failed.ID)
		}
		// The process that ran it died; another one takes over.
		r.process(t)
		r.start(t)
		r.await(t, failed.ID, models.JobSuccess)
		free("tried again")
	})
}
