package job

import (
	"fmt"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// staged inserts a tree with a job of each given stage.
func (p *process) staged(t *testing.T, stages ...int) (parent models.ID, children []models.ID) {
	t.Helper()
	specs := make([]Spec, len(stages))
	for i, stage := range stages {
		specs[i] = Spec{Type: models.JobProvision, Stage: stage}
	}
	inTx(t, p.store, func(tx *store.Tx) error {
		jobs, err := p.InsertTreeTx(tx, Spec{Type: models.JobDeploy}, specs, func(int, *Spec) error { return nil })
		if err != nil {
			return err
		}
		parent, children = jobs[0].ID, nil
		for _, j := range jobs[1:] {
			children = append(children, j.ID)
		}
		return nil
	})
	return parent, children
}

// A job starts after all jobs of the earlier stages, those that were added while it waited
// included.
func TestStages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		p := newProcess(t, s, w, quick()).start(t)
		parent, ids := p.staged(t, 0, 0, 0, 1, 2, 2)
		<-g.entered
		// As a hook after a job does.
		added := p.insert(t, Spec{ParentID: parent})[0]
		for _, id := range ids[3:] {
			if j := read(t, s, id); j.Status != models.JobPending || j.PrerequisiteID == 0 {
				t.Errorf("job %s is %s and waits for %q", id, j.Status, j.PrerequisiteID)
			}
		}
		close(g.open)
		await(t, s, parent, models.JobSuccess)
		stages := [][]models.ID{append(slices.Clone(ids[:3]), added), ids[3:4], ids[4:]}
		for i, stage := range stages[1:] {
			for _, id := range stage {
				j := read(t, s, id)
				for _, before := range slices.Concat(stages[:i+1]...) {
					if b := read(t, s, before); j.StartedAt.Before(*b.EndedAt) {
						t.Errorf("job %s of stage %d began at %v, before job %s ended at %v", id, i+1, j.StartedAt, before, b.EndedAt)
					}
				}
			}
		}
	})
}

// After a failure in one stage the later ones fail without having begun, and a retry of the
// parent runs all of them in order.
func TestStagesAfterAFailure(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		w.do("one", times(1, fault.Conflictf("No.")))
		p := newProcess(t, s, w, quick()).start(t)
		parent, ids := p.staged(t, 0, 0, 1, 2)
		await(t, s, parent, models.JobWarning)
		failed := ids[0]
		if read(t, s, failed).Status == models.JobSuccess {
			failed = ids[1]
		}
		for i, id := range ids[2:] {
			j := read(t, s, id)
			before := []models.ID{failed, ids[2]}[i]
			want := fmt.Sprintf("Job id %s (Provision Server), which has to come first, ended as FAILURE.", before)
			if i == 1 && j.PrerequisiteID == failed {
				want = fmt.Sprintf("Job id %s (Provision Server), which has to come first, ended as FAILURE.", failed)
			}
			if j.Status != models.JobFailure || j.Errors != want || w.called(id, "one") != 0 {
				t.Errorf("job %s: %s, %q, want %q", id, j.Status, j.Errors, want)
			}
		}
		if _, err := p.Retry(t.Context(), root, ids[3]); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the last to fail again", func() bool { return read(t, s, ids[3]).Status == models.JobFailure && w.called(ids[3], "one") == 0 })
		if _, err := p.Retry(t.Context(), root, parent); err != nil {
			t.Fatal(err)
		}
		await2(t, s, parent, models.JobSuccess)
		if first, last := read(t, s, ids[2]), read(t, s, ids[3]); last.StartedAt.Before(*first.EndedAt) || first.StartedAt.Before(*read(t, s, failed).EndedAt) {
			t.Error("the stages overlapped")
		}
	})
}
