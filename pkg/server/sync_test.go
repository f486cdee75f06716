package server

import (
	"strings"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// sync compares the back end with the servers, and returns the job's message.
func (r *rig) sync(t *testing.T) string {
	t.Helper()
	jobs, err := r.SyncVMs(t.Context(), root, r.handler.ID)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("sync: %v, %v", jobs, err)
	}
	return r.await(t, jobs[0].ID, models.JobSuccess).Output
}

func TestSync(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		if err := r.cloud.Populate(45); err != nil { // more than two pages
			t.Fatal(err)
		}
		r.start(t)
		ours := r.active(t, "web")
		says := func(want string) {
			t.Helper()
			if got := r.sync(t); got != want {
				t.Errorf("says %q, want %q", got, want)
			}
		}
		says("Found 46 machines: 45 new, 0 changed, 0 gone.")
		count := func(where string, args ...any) int64 {
			t.Helper()
			var n int64
			if err := s.Read(t.Context()).Model(&models.Server{}).Where(where, args...).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count("status = 'ACTIVE' AND group_id = 1 AND environment_id = 1 AND power_status = 'POWERON' AND ip <> '' AND hostname LIKE 'legacy-%'"); n != 45 {
			t.Errorf("%d new servers", n)
		}
		var versions int64
		if err := s.Read(t.Context()).Raw("SELECT sum(version) FROM servers").Scan(&versions).Error; err != nil {
			t.Fatal(err)
		}
		says("Found 46 machines: 0 new, 0 changed, 0 gone.")
		var after int64
		if err := s.Read(t.Context()).Raw("SELECT sum(version) FROM servers").Scan(&after).Error; err != nil || after != versions {
			t.Errorf("a second run wrote %d rows, %v", after-versions, err)
		}

		// Something changes and something disappears, also of ours.
		found, err := store.Find[models.Server](s.Read(t.Context()).Where("hostname LIKE 'legacy-%'").Order("id").Limit(3))
		if err != nil {
			t.Fatal(err)
		}
		run(t, r.back(t).Power(found[0].BackendRef, provider.OpPowerOff))
		run(t, r.back(t).Destroy(found[1].BackendRef, ""))
		kept, err := r.back(t).Inspect(t.Context(), ours.BackendRef)
		if err != nil {
			t.Fatal(err)
		}
		run(t, r.back(t).Destroy(ours.BackendRef, ours.UUID))
		making, _ := r.server(t, "being made", func(sv *models.Server) { sv.OSBuildID = 0 }) // it fails, and has no machine
		says("Found 44 machines: 0 new, 1 changed, 2 gone.")
		r.is(t, found[0].ID, models.ServerActive, models.PowerOff, found[0].IP)
		r.is(t, found[1].ID, models.ServerHistorical, models.PowerUnknown, found[1].IP)
		r.is(t, ours.ID, models.ServerHistorical, models.PowerUnknown, "")
		if sv := r.read(t, making.ID); sv.Status == models.ServerHistorical {
			t.Error("a server that is being made was taken for gone")
		}

		// Our server returns, with another ref.
		run(t, r.back(t).Create(provider.Spec{Tag: ours.UUID, Name: kept.Name, Hostname: "web", Template: "debian-12"}))
		says("Found 45 machines: 0 new, 1 changed, 0 gone.")
		if sv := r.is(t, ours.ID, models.ServerActive, models.PowerOn, ""); sv.BackendRef == kept.Ref {
			t.Error("the ref is the old one")
		}
		says("Found 45 machines: 0 new, 0 changed, 0 gone.")
	})
}

func TestSyncLinksByTag(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s).start(t)
		sv := r.active(t, "web")
		// The row has lost its ref, as in a restored database.
		r.inTx(t, func(tx *store.Tx) error {
			return tx.Model(&models.Server{}).Where("id = ?", sv.ID).UpdateColumn("backend_ref", "").Error
		})
		if got := r.sync(t); got != "Found 1 machines: 0 new, 1 changed, 0 gone." {
			t.Error(got)
		}
		if now := r.read(t, sv.ID); now.BackendRef != sv.BackendRef {
			t.Errorf("ref %q, want %q", now.BackendRef, sv.BackendRef)
		}
		// The machine was registered again: same tag, another ref.
		run(t, r.back(t).Destroy(sv.BackendRef, sv.UUID))
		run(t, r.back(t).Create(provider.Spec{Tag: sv.UUID, Name: "moved", Template: "debian-12"}))
		if got := r.sync(t); got != "Found 1 machines: 0 new, 1 changed, 0 gone." {
			t.Error(got)
		}
		if now := r.read(t, sv.ID); now.BackendRef == sv.BackendRef || now.BackendName != "moved" || now.Status != models.ServerActive {
			t.Errorf("moved: %+v", now)
		}
		// An unknown tag.
		const tag = "6b1f4f2e-8f0a-4c43-9a53-2f6f1f9f4b11"
		run(t, r.back(t).Create(provider.Spec{Tag: tag, Name: "foreign", Template: "debian-12"}))
		if got := r.sync(t); got != "Found 2 machines: 1 new, 0 changed, 0 gone." {
			t.Error(got)
		}
		if _, err := store.First[models.Server](s.Read(t.Context()).Where("uuid = ?", tag)); err != nil {
			t.Error(err)
		}
	})
}

func TestSyncBesideACreation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		sv, id := r.server(t, "web")
		// A clone without a tag yet.
		steps := r.back(t).Create(provider.Spec{Tag: sv.UUID, Name: backendName(sv), Template: "debian-12"})
		run(t, steps[:1])
		m, err := r.back(t).List(t.Context(), "", 10)
		if err != nil || len(m) != 1 {
			t.Fatalf("%v, %v", m, err)
		}
		// An extra row for it, created before its name was known.
		stray := &models.Server{Hostname: "stray", Status: models.ServerActive, GroupID: 1, EnvironmentID: 1, HandlerID: r.handler.ID, BackendRef: m[0].Ref}
		r.inTx(t, func(tx *store.Tx) error {
			stray.AddedAt = tx.Now
			bare(stray)
			return store.Insert(tx, stray)
		})
		r.start(t)
		r.await(t, id, models.JobSuccess)
		r.is(t, sv.ID, models.ServerActive, models.PowerOn, "")
		r.is(t, stray.ID, models.ServerHistorical, models.PowerUnknown, "")
		if got := r.sync(t); got != "Found 1 machines: 0 new, 0 changed, 0 gone." {
			t.Error(got)
		}
		if r.cloud.Len() != 1 {
			t.Errorf("%d machines", r.cloud.Len())
		}
	})
}

func TestSyncGoesOnAfterTrouble(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		if err := r.cloud.Populate(25); err != nil {
			t.Fatal(err)
		}
		r.cloud.FailNext("list", simulated.FailureMode(""), 1) // the first page is read
		r.cloud.FailNext("list", simulated.Unavailable, 4)     // and then nothing for a long time
		r.start(t)
		jobs, err := r.SyncVMs(t.Context(), root, 0)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%v, %v", jobs, err)
		}
		j := r.await(t, jobs[0].ID, models.JobFailure)
		if !strings.Contains(j.Errors, "Reading the machines of Cloud: The simulated cloud cannot be reached.") {
			t.Errorf("errors %q", j.Errors)
		}
		if _, err := r.jobs.Retry(t.Context(), root, j.ID); err != nil {
			t.Fatal(err)
		}
		if j = r.await(t, j.ID, models.JobSuccess); j.Output != "Found 25 machines: 25 new, 0 changed, 0 gone." {
			t.Errorf("output %q", j.Output)
		}
	})
}

func TestSyncIsForAdministratorsAndOncePerHandler(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		if _, err := r.SyncVMs(t.Context(), access.NewActor(r.user, "", nil), r.handler.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("by a user: %v", err)
		}
		if _, err := r.SyncVMs(t.Context(), root, 99); !fault.Is(err, fault.NotFound) {
			t.Errorf("of no handler: %v", err)
		}
		one, err := r.SyncVMs(t.Context(), root, 0)
		if err != nil {
			t.Fatal(err)
		}
		two, err := r.SyncVMs(t.Context(), root, r.handler.ID)
		if err != nil || len(one) != 1 || len(two) != 1 || one[0].ID != two[0].ID {
			t.Errorf("%v and %v, %v", one, two, err)
		}
	})
}
