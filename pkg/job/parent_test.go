package job

import (
	"fmt"
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func TestAParentIsWhatItsChildrenAre(t *testing.T) {
	t.Parallel()
	const (
		ok  = models.JobSuccess
		bad = models.JobFailure
		off = models.JobCanceled
	)
	for _, c := range []struct {
		children []models.JobStatus
		want     models.JobStatus
	}{
		{[]models.JobStatus{ok}, ok},
		{[]models.JobStatus{ok, ok}, ok},
		{[]models.JobStatus{bad, bad}, bad},
		{[]models.JobStatus{off, off}, off},
		{[]models.JobStatus{ok, bad}, models.JobWarning},
		{[]models.JobStatus{ok, off}, models.JobWarning},
		{[]models.JobStatus{bad, off}, bad},
		{[]models.JobStatus{ok, bad, off}, models.JobWarning},
		{[]models.JobStatus{models.JobWarning, models.JobWarning}, models.JobWarning},
		{nil, ok},
	} {
		jobs := make([]models.Job, len(c.children))
		for i, st := range c.children {
			jobs[i].Status = st
		}
		if got := summary(jobs); got != c.want {
			t.Errorf("%v amount to %s, want %s", c.children, got, c.want)
		}
	}
}

func TestAParentFollowsItsChildren(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		p := newProcess(t, s, w, quick())
		p.OnEnd(func(_ *store.Tx, j *models.Job) error { w.note("end %s %s", j.Type, j.Status); return nil })
		p.OnRetry(func(_ *store.Tx, j *models.Job) error { w.note("retry %s", j.Type); return nil })
		p.start(t)
		tree := func(n int) (parent models.ID, children []models.ID) {
			inTx(t, s, func(tx *store.Tx) error {
				j, err := p.InsertTx(tx, Spec{Type: models.JobDeploy})
				if err != nil {
					return err
				}
				parent, children = j.ID, nil
				for range n {
					c, err := p.InsertTx(tx, Spec{Type: models.JobProvision, ParentID: j.ID})
					if err != nil {
						return err
					}
					children = append(children, c.ID)
				}
				return store.Save(tx, j) // the version is still what it was
			})
			return parent, children
		}
		parent, _ := tree(3)
		<-g.entered
		eventually(t, "the others", func() bool { j := read(t, s, parent); return j.Status == models.JobRunning && j.CompletedTasks == 2 })
		if j := read(t, s, parent); j.TotalTasks != 3 {
			t.Errorf("%d tasks", j.TotalTasks)
		}
		close(g.open)
		j := await(t, s, parent, models.JobSuccess)
		if j.CompletedTasks != 3 || j.Attempts != 1 || j.Output == "" || j.EndedAt == nil {
			t.Errorf("ended as %+v", j)
		}

		// One of two fails; the retry of the parent is that of the child.
		w.mu.Lock()
		w.notes = nil
		w.mu.Unlock()
		w.do("one", times(1, fault.Conflictf("No.")))
		parent, children := tree(2)
		j = await(t, s, parent, models.JobWarning)
		failed := children[0]
		if read(t, s, failed).Status == models.JobSuccess {
			failed = children[1]
		}
		if want := fmt.Sprintf("Job id %s: Doing one: No.", failed); j.Errors != want {
			t.Errorf("errors %q, want %q", j.Errors, want)
		}
		if _, err := p.Retry(t.Context(), root, parent); err != nil {
			t.Fatal(err)
		}
		j = await2(t, s, parent, models.JobSuccess)
		if j.Errors != "" || j.CompletedTasks != 2 {
			t.Errorf("ended as %+v", j)
		}
		w.mu.Lock()
		got := w.notes
		w.mu.Unlock()
		if len(got) != 7 || got[3] != "retry provision" || got[4] != "retry deploy_blueprint" || got[6] != "end deploy_blueprint SUCCESS" {
			t.Errorf("hooks heard %q", got)
		}
	})
}

// await2 waits for a status also where the job has ended before.
func await2(t *testing.T, s *store.Store, id models.ID, want models.JobStatus) *models.Job {
	t.Helper()
	eventually(t, fmt.Sprintf("job %s %s", id, want), func() bool { return read(t, s, id).Status == want })
	return read(t, s, id)
}

func TestCancelingAParent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		p := newProcess(t, s, w, quick())
		parent := p.insert(t, Spec{Type: models.JobDeploy})[0]
		first := p.insert(t, Spec{Type: models.JobProvision, ParentID: parent})[0]
		p.insert(t, Spec{Type: models.JobProvision, ParentID: parent, PrerequisiteID: first})
		j, err := p.Cancel(t.Context(), root, parent)
		if err != nil || j.Status != models.JobCanceled || j.CompletedTasks != 2 {
			t.Fatalf("canceled %+v, %v", j, err)
		}

		g := newGate()
		w.do("one", g.step)
		p.start(t)
		parent = p.insert(t, Spec{Type: models.JobDeploy})[0]
		running := p.insert(t, Spec{Type: models.JobProvision, ParentID: parent})[0]
		<-g.entered
		waiting := p.insert(t, Spec{Type: models.JobProvision, ParentID: parent, PrerequisiteID: running})[0]
		inTx(t, s, func(tx *store.Tx) error {
			j := read(t, s, parent)
			if err := p.CancelTx(tx, root, j); err != nil {
				return err
			}
			if j.Status != models.JobToCancel {
				t.Errorf("the parent is %s", j.Status)
			}
			return p.CancelTx(tx, root, j) // once more is no harm
		})
		await(t, s, waiting, models.JobCanceled)
		await(t, s, running, models.JobCanceled)
		await(t, s, parent, models.JobCanceled)
		if _, err := p.Retry(t.Context(), root, parent); !fault.Is(err, fault.Conflict) {
			t.Errorf("retry of a canceled deployment: %v", err)
		}
	})
}
