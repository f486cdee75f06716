package job

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"halcyon/models"
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
