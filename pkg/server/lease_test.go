package server

import (
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestWarningsDue(t *testing.T) {
	t.Parallel()
	p := LeasePolicy{Warnings: []int{7, 1, 3}}
	for _, c := range []struct{ left, warned, want int }{
		{8, 0, 0}, {7, 0, 7}, {6, 7, 0}, {5, 0, 7}, {3, 7, 3}, {2, 3, 0}, {1, 3, 1}, {1, 7, 1}, {0, 0, 1}, {0, 1, 0},
	} {
		if got := p.due(c.left, c.warned); got != c.want {
			t.Errorf("%d days before, warned %d: %d, want %d", c.left, c.warned, got, c.want)
		}
	}
	if got := (LeasePolicy{}).due(1, 0); got != 0 {
		t.Errorf("without warnings: %d", got)
	}
}

func TestLeasePolicies(t *testing.T) {
	t.Parallel()
	if err := defaultLeases.Validate(); err != nil {
		t.Error(err)
	}
	for _, p := range []LeasePolicy{
		{},
		{Expired: "explode"},
		{Expired: expiredPowerOff, Warnings: []int{3, 0}},
		{Expired: expiredPowerOff, Grace: -1},
		{Expired: expiredPowerOff, Maximum: -1},
	} {
		if err := p.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// until computes the end of an extended lease, on a fixed day.
func TestUntil(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 31, 23, 30, 0, 0, time.UTC)
	const group = models.ID(7)
	member := access.NewActor(&models.User{Row: models.Row{ID: 1}}, "", &access.Rights{Own: []models.ID{group}})
	manager := access.NewActor(&models.User{Row: models.Row{ID: 2}}, "", &access.Rights{Own: []models.ID{group}, By: map[access.Permission][]models.ID{access.GroupManage: {group}}})
	for _, c := range []struct {
		a       access.Actor
		maximum int
		expires string
		e       Extension
		want    string
		code    fault.Code
	}{
		{member, 0, "2027-02-10", Extension{Days: 5}, "2027-02-15", ""},
		{member, 0, "2027-01-10", Extension{Days: 1}, "2027-02-01", ""}, // it has ended
		{member, 0, "2027-01-10", Extension{Day: "2027-01-31"}, "2027-01-31", ""},
		{member, 0, "2027-01-10", Extension{Day: "2027-01-30"}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Day: "2027-02-10"}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Day: "2027-02-31"}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Days: -1}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Days: maxDays + 1}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Day: "2027-03-01", Days: 1}, "", fault.Invalid},
		{member, 0, "2027-02-10", Extension{Day: models.Never}, "", fault.Forbidden},
		{manager, 0, "2027-02-10", Extension{Day: models.Never}, "", ""},
		{member, 28, "2027-02-10", Extension{Day: "2027-02-28"}, "2027-02-28", ""},
		{member, 28, "2027-02-10", Extension{Day: "2027-03-01"}, "", fault.Invalid},
		{member, 28, "2027-02-10", Extension{Days: 19}, "", fault.Invalid},
		{manager, 28, "2027-02-10", Extension{Day: "2027-03-01"}, "", fault.Invalid},
	} {
		s := &Service{Leases: LeasePolicy{Maximum: c.maximum}}
		got, err := s.until(c.a, group, c.expires, c.e, now)
		if got != c.want || fault.CodeOf(err) != c.code {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
}

// The suggested extension is accepted, and a lease at its maximum is not offered for extension.
func TestSuggestedIsTaken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		r.Leases = LeasePolicy{Maximum: 40}
		sv, _ := r.server(t, "web-1", func(sv *models.Server) { sv.ExpiresOn = day(s.Now().AddDate(0, 0, 5)) })
		member := access.NewActor(r.user, "", &access.Rights{Own: []models.ID{r.group.ID}})
		for range 2 { // by 30 days, and by the remaining 5
			row := r.read(t, sv.ID)
			if err := r.CanExtend(member, row); err != nil {
				t.Fatal(err)
			}
			next, last := r.suggested(member, row.GroupID, row.ExpiresOn)
			got, _, err := r.Extend(t.Context(), member, sv.ID.String(), Extension{Day: next})
			if err != nil || got.ExpiresOn != next || next > last {
				t.Fatalf("%s of %s: %+v %v", next, last, got, err)
			}
		}
		row := r.read(t, sv.ID)
		if err := r.CanExtend(member, row); !fault.Is(err, fault.Conflict) {
			t.Errorf("beyond the end: %v", err)
		}
		if next, _ := r.suggested(root, row.GroupID, row.ExpiresOn); next != models.Never {
			t.Errorf("root is offered %s", next)
		}
		if got, _, err := r.Extend(t.Context(), root, sv.ID.String(), Extension{Day: models.Never}); err != nil || got.ExpiresOn != "" {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// One process at a time sweeps the leases. An expired lease waits for work on its server; with the policy
// decommission the server is removed at once.
func TestSweepLeases(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s).start(t)
		sv := r.active(t, "web-1")
		r.stop(t)
		r.Leases = LeasePolicy{Expired: expiredDecommission}
		r.inTx(t, func(tx *store.Tx) error {
			return tx.Model(&models.Server{}).Where("id = ?", sv.ID).UpdateColumn("expires_on", day(tx.Now.AddDate(0, 0, -1))).Error
		})
		if _, err := s.AcquireLease(t.Context(), dutyLeases, "another process", time.Hour); err != nil {
			t.Fatal(err)
		}
		if done, err := r.SweepLeases(t.Context()); err != nil || done != (LeaseSweep{}) {
			t.Errorf("beside another process: %+v %v", done, err)
		}
		if _, err := s.AcquireLease(t.Context(), dutyLeases, "another process", 0); err != nil {
			t.Fatal(err)
		}
		j, err := r.Act(t.Context(), root, sv.ID, ActionRefresh, models.JobArgs{})
		if err != nil {
			t.Fatal(err)
		}
		if done, err := r.SweepLeases(t.Context()); err != nil || done != (LeaseSweep{}) {
			t.Errorf("beside an action: %+v %v", done, err)
		}
		if _, err := r.jobs.Cancel(t.Context(), root, j.ID); err != nil {
			t.Fatal(err)
		}
		if done, err := r.SweepLeases(t.Context()); err != nil || done != (LeaseSweep{Removed: 1}) {
			t.Errorf("%+v %v", done, err)
		}
		if got := r.read(t, sv.ID); got.Status != models.ServerDecom {
			t.Errorf("the server is %s", got.Status)
		}
		if done, err := r.SweepLeases(t.Context()); err != nil || done != (LeaseSweep{}) {
			t.Errorf("once more: %+v %v", done, err)
		}
	})
}
