package job

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// What a step changes about the steps after it is kept to, although the next one
// is taken together with its result.
func TestStepsThatChangeTheList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after, done []string }{
		"one comes between":  {[]string{"a", "b", "c"}, []string{"a", "x", "b", "c"}, []string{"a", "x", "b", "c"}},
		"the next one goes":  {[]string{"a", "b", "c"}, []string{"a", "c"}, []string{"a", "c"}},
		"all others go":      {[]string{"a", "b", "c"}, []string{"a"}, []string{"a"}},
		"they change places": {[]string{"a", "b", "c"}, []string{"a", "c", "b"}, []string{"a", "c", "b"}},
		"more at the end":    {[]string{"a"}, []string{"a", "b"}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				w := newWorld(c.before...)
				var order []string
				for _, step := range []string{"a", "b", "c", "x"} {
					w.do(step, func(context.Context, provider.Memo) (time.Duration, error) {
						w.mu.Lock()
						defer w.mu.Unlock()
						order = append(order, step)
						if step == "a" {
							w.steps = c.after
						}
						return 0, nil
					})
				}
				p := newProcess(t, s, w, quick()).start(t)
				id := p.insert(t, Spec{})[0]
				await(t, s, id, models.JobSuccess)
				w.mu.Lock()
				defer w.mu.Unlock()
				if !slices.Equal(order, c.done) {
					t.Errorf("did %q instead of %q", order, c.done)
				}
				for _, step := range c.done {
					if n := w.applied[fmt.Sprintf("%s/%s", id, step)]; n != 1 {
						t.Errorf("%s was applied %d times", step, n)
					}
				}
			})
		})
	}
}

// The memo goes from step to step, also within one turn.
func TestMemoGoesOn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("a", "b", "c")
		seen := make(chan provider.Memo, 1)
		w.do("c", func(_ context.Context, memo provider.Memo) (time.Duration, error) {
			seen <- memo
			return 0, nil
		})
		p := newProcess(t, s, w, quick()).start(t)
		await(t, s, p.insert(t, Spec{})[0], models.JobSuccess)
		memo := <-seen
		for _, key := range []string{"a", "applied a", "b", "applied b"} {
			if memo[key] == "" {
				t.Errorf("%q is not in the memo: %v", key, memo)
			}
		}
	})
}

// A job that is canceled while a step runs does not go on to the next.
func TestCancelBetweenSteps(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("a", "b")
		g := newGate()
		g.deaf = true
		w.do("a", g.step)
		p := newProcess(t, s, w, quick()).start(t)
		id := p.insert(t, Spec{})[0]
		<-g.entered
		if _, err := p.Cancel(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		close(g.open)
		await(t, s, id, models.JobCanceled)
		if n := w.called(id, "b"); n != 0 {
			t.Errorf("the next step was called %d times", n)
		}
	})
}

// row is a kind whose steps all go along with the first.
type row struct {
	Base
	w *world
}

func (k row) Steps(_ context.Context, _ *store.Tx, j *models.Job) ([]Step, error) {
	list := k.w.list(j, k.w.steps)
	for i := range list {
		list[i].Apply, list[i].WithPrevious = nil, i > 0
	}
	return list, nil
}

// Steps that go along are done and shown one by one, and each is its own: what
// fails is tried again, and nothing before it.
func TestStepsThatGoAlong(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, c := range []struct {
			name  string
			does  func(context.Context, provider.Memo) (time.Duration, error)
			calls int // of the third step
			want  models.JobStatus
			lines []string
		}{
			{"well", nil, 1, models.JobSuccess, []string{"info: Doing a", "info: Doing b", "info: Doing c", "info: Doing d"}},
			{"with trouble", times(2, unavailable()), 3, models.JobSuccess, nil},
			{"badly", times(1, fault.Conflictf("It is broken.")), 1, models.JobFailure, []string{"info: Doing a", "info: Doing b", "info: Doing c", "error: Doing c: It is broken."}},
		} {
			w := newWorld("a", "b", "c", "d")
			if c.does != nil {
				w.do("c", c.does)
			}
			w.do("d", func(_ context.Context, memo provider.Memo) (time.Duration, error) {
				for _, key := range []string{"a", "b", "c"} {
					if memo[key] == "" {
						t.Errorf("%s: %s is not in the memo", c.name, key)
					}
				}
				return 0, nil
			})
			p := newProcess(t, s, row{w: w}, quick()).start(t)
			id := p.insert(t, Spec{})[0]
			j := await(t, s, id, c.want)
			for step, n := range map[string]int{"a": 1, "b": 1, "c": c.calls} {
				if got := w.called(id, step); got != n {
					t.Errorf("%s: %s was called %d times instead of %d", c.name, step, got, n)
				}
			}
			if c.lines != nil {
				wantLines(t, messages(t, s, id), c.lines)
			}
			if c.want == models.JobFailure {
				if j.CompletedTasks != 2 || j.TotalTasks != 4 {
					t.Errorf("%s: %d of %d tasks", c.name, j.CompletedTasks, j.TotalTasks)
				}
				if _, err := p.Retry(t.Context(), root, id); err != nil {
					t.Fatal(err)
				}
				j = await(t, s, id, models.JobSuccess)
				if a, b := w.called(id, "a"), w.called(id, "b"); a != 1 || b != 1 {
					t.Errorf("%s: a was called %d times and b %d", c.name, a, b)
				}
			}
			if j.CompletedTasks != 4 || j.TotalTasks != 4 {
				t.Errorf("%s: %d of %d tasks", c.name, j.CompletedTasks, j.TotalTasks)
			}
			rows, err := stepsOf(s.Read(t.Context()), id)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				if r.Status != models.StepDone || r.Attempt == 0 || r.StartedAt == nil || r.EndedAt == nil || r.LeaseUntil != nil || r.LeaseOwner != "" {
					t.Errorf("%s: step %s is %+v", c.name, r.Name, r)
				}
			}
			p.stop(t)
		}
	})
}

// A worker that hangs in the middle of such a row loses all of it: whoever takes
// over begins with the step that was leased, and the late answer changes nothing.
func TestTakeoverOfStepsThatGoAlong(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("a", "b", "c")
		g := newGate()
		g.deaf = true
		w.do("b", g.step)
		c := quick()
		c.Lease, c.Sweep = 300*time.Millisecond, 100*time.Millisecond
		hangs := newProcess(t, s, row{w: w}, c)
		hangs.engine.frozen = true
		hangs.start(t)
		id := hangs.insert(t, Spec{})[0]
		<-g.entered
		other := newProcess(t, s, row{w: w}, c).start(t)
		await(t, s, id, models.JobSuccess)
		close(g.open)
		eventually(t, "the late answer is dropped", func() bool { return hangs.engine.Stats().Fenced+other.engine.Stats().Fenced > 0 })
		// On a slow machine the first step was recorded by itself.
		if n := w.called(id, "a"); n != 1 && n != 2 {
			t.Errorf("the first step was called %d times", n)
		}
		if j := read(t, s, id); j.Status != models.JobSuccess || j.CompletedTasks != 3 {
			t.Errorf("the job is %s with %d tasks", j.Status, j.CompletedTasks)
		}
	})
}
