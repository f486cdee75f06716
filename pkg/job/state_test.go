package job

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// hand is a dispatcher that the test works by hand, and that it can rob.
type hand struct{ ids []models.ID }

func (h *hand) WakeTx(tx *store.Tx, id models.ID, _ int) error {
	tx.OnCommit(func() { h.ids = append(h.ids, id) })
	return nil
}

func (h *hand) Plan(list []Due) (lost int, full bool) {
	for _, d := range list {
		if !slices.Contains(h.ids, d.ID) {
			h.ids = append(h.ids, d.ID)
			lost++
		}
	}
	return lost, false
}

func (h *hand) Start(context.Context, Work, Work, func()) error { return nil }
func (h *hand) Stop(context.Context) error                      { return nil }

// maker makes one machine per job, and meets the trouble that the test has drawn.
type maker struct {
	Base
	machines map[models.ID]int
	trouble  []error // of the next calls
}

func (m *maker) step(name string, effect func()) Step {
	return Step{Step: provider.Step{Name: name, Title: name, Run: func(context.Context, provider.Memo) (time.Duration, error) {
		var err error
		if len(m.trouble) > 0 {
			err, m.trouble = m.trouble[0], m.trouble[1:]
		}
		if err == nil || fault.Is(err, fault.Unavailable) {
			effect() // its answer is what got lost
		}
		return 0, err
	}}}
}

func (m *maker) Steps(_ context.Context, _ *store.Tx, j *models.Job) ([]Step, error) {
	return []Step{
		m.step("make", func() { m.machines[j.ID] = 1 }),
		m.step("use", func() {
			if m.machines[j.ID] != 1 {
				panic(fmt.Sprintf("job %s uses what was not made", j.ID))
			}
		}),
	}, nil
}

func (m *maker) Cleanup(_ context.Context, _ *store.Tx, j *models.Job, _ provider.Memo) ([]Step, error) {
	return []Step{m.step("unmake", func() { delete(m.machines, j.ID) })}, nil
}

// Whatever is done to jobs, and whatever gets lost, in any order: in the end all
// have ended, parents are what their children are, and machines are where they
// should be.
func TestAnyOrderOfEventsEnds(t *testing.T) {
	t.Parallel()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("20"); err != nil {
			t.Fatal(err)
		}
	}
	s := storetest.SQLite(t)
	rapid.Check(t, func(rt *rapid.T) {
		d, m := &hand{}, &maker{machines: map[models.ID]int{}}
		svc := New(s, d, nil)
		svc.Register(models.JobProvision, m)
		svc.Register(models.JobAction, m)
		e := NewEngine(svc, Config{BackoffBase: time.Microsecond, BackoffMax: time.Microsecond, MaxFailures: 3})
		var ids []models.ID
		must := func(err error) {
			rt.Helper()
			if err != nil && !fault.Is(err, fault.Conflict) {
				rt.Fatal(err)
			}
		}
		insert := func(spec Spec) (id models.ID) {
			rt.Helper()
			must(s.InTx(t.Context(), func(tx *store.Tx) error {
				j, err := svc.InsertTx(tx, spec)
				if err == nil {
					id = j.ID
				}
				return err
			}))
			if id != 0 {
				ids = append(ids, id)
			}
			return id
		}
		any := func() models.ID {
			if len(ids) == 0 {
				return 0
			}
			return rapid.SampledFrom(ids).Draw(rt, "job")
		}
		work := func() {
			if len(d.ids) == 0 {
				return
			}
			i := rapid.IntRange(0, len(d.ids)-1).Draw(rt, "which")
			id := d.ids[i]
			d.ids = slices.Delete(d.ids, i, i+1)
			turn, over := context.WithCancel(t.Context())
			defer over()
			if rapid.Bool().Draw(rt, "one step only") {
				over()
			}
			again, err := e.advance(t.Context(), turn, id)
			if err != nil {
				rt.Fatal(err)
			}
			if again >= 0 {
				d.ids = append(d.ids, id)
			}
		}
		for range rapid.IntRange(1, 25).Draw(rt, "events") {
			switch rapid.SampledFrom([]string{"leaf", "tree", "work", "work", "work", "work", "trouble", "cancel", "retry", "lose", "look"}).Draw(rt, "event") {
			case "leaf":
				insert(Spec{Type: models.JobAction, PrerequisiteID: any()})
			case "tree":
				p := insert(Spec{Type: models.JobDeploy})
				var before models.ID
				for range rapid.IntRange(0, 3).Draw(rt, "children") {
					id := insert(Spec{Type: models.JobProvision, ParentID: p, PrerequisiteID: before})
					if rapid.Bool().Draw(rt, "chained") {
						before = id
					}
				}
			case "work":
				work()
			case "trouble":
				m.trouble = append(m.trouble, rapid.SampledFrom([]error{unavailable(), fault.Conflictf("No.")}).Draw(rt, "trouble"))
			case "cancel":
				if id := any(); id != 0 {
					_, err := svc.Cancel(t.Context(), root, id)
					must(err)
				}
			case "retry":
				if id := any(); id != 0 {
					_, err := svc.Retry(t.Context(), root, id)
					must(err)
				}
			case "lose":
				d.ids = nil
			case "look":
				must(e.reconcile(t.Context()))
			}
		}
		m.trouble = nil
		for i := 0; ; i++ {
			must(e.reconcile(t.Context()))
			if len(d.ids) == 0 {
				break
			}
			if i > 1000 {
				rt.Fatalf("%d jobs never end", len(d.ids))
			}
			for len(d.ids) > 0 {
				work()
			}
		}
		for _, id := range ids {
			check(rt, t, s, m, id)
		}
	})
}

func check(rt *rapid.T, t *testing.T, s *store.Store, m *maker, id models.ID) {
	rt.Helper()
	j := read(t, s, id)
	if !j.Ended() || j.EndedAt == nil {
		rt.Errorf("job %s is %s", id, j.Status)
	}
	steps, err := stepsOf(s.Read(t.Context()), id)
	if err != nil {
		rt.Fatal(err)
	}
	for _, r := range steps {
		if r.Status == models.StepRunning || r.LeaseUntil != nil {
			rt.Errorf("job %s ended with step %s %s", id, r.Name, r.Status)
		}
	}
	if j.Type == models.JobDeploy {
		children, err := store.Find[models.Job](s.Read(t.Context()).Where("parent_id = ?", id))
		if err != nil {
			rt.Fatal(err)
		}
		if want := summary(children); j.Status != want && (len(children) > 0 || j.Status != models.JobCanceled) {
			rt.Errorf("parent %s is %s, its children %s", id, j.Status, want)
		}
		if j.CompletedTasks != len(children) || j.TotalTasks != len(children) {
			rt.Errorf("parent %s has done %d of %d, of %d children", id, j.CompletedTasks, j.TotalTasks, len(children))
		}
		return
	}
	if j.Status == models.JobSuccess && m.machines[id] != 1 {
		rt.Errorf("job %s succeeded without a machine", id)
	}
	if j.Status == models.JobCanceled && j.Attempts == 1 && m.machines[id] != 0 {
		rt.Errorf("job %s was canceled and left a machine", id)
	}
}
