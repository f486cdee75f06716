package job

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

var root = access.System("root")

func TestAJobRunsItsStepsInOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one", "two", "three")
		polls := 0
		w.do("two", func(_ context.Context, memo provider.Memo) (time.Duration, error) {
			if memo["one"] == "" {
				return 0, fault.Invalidf("What the first step left is missing.")
			}
			if polls++; polls < 3 {
				return time.Millisecond, nil
			}
			return 0, nil
		})
		p := newProcess(t, s, w, quick()).start(t)
		id := p.insert(t, Spec{})[0]
		j := await(t, s, id, models.JobSuccess)
		wantLines(t, messages(t, s, id), []string{
			"info: Doing one", "info: Doing two", "info: Doing three",
			fmt.Sprintf("info: Job %s is done with 6 notes.", id),
		})
		if j.TotalTasks != 3 || j.CompletedTasks != 3 || j.Attempts != 1 || j.StartedAt == nil || j.EndedAt == nil {
			t.Errorf("ended as %+v", j)
		}
		if n := w.called(id, "two"); n != 3 {
			t.Errorf("two was called %d times", n)
		}
		if !strings.Contains(log(t, s, j), fmt.Sprintf("info    job %s (Run Action): Doing two\n", id)) {
			t.Errorf("log:\n%s", log(t, s, j))
		}
		if err := p.engine.Alive(); err != nil {
			t.Error(err)
		}
		eventually(t, "it is counted, which is after it was written", func() bool {
			st := p.engine.Stats()
			return st.Succeeded == 1 && st.Steps == 3 && st.Running == 0
		})
	})
}

func TestTransientErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one", "two")
		w.do("one", times(2, unavailable()))
		w.do("two", times(3, errors.New("dial tcp: password=hunter2")))
		p := newProcess(t, s, w, quick()).start(t)
		id := p.insert(t, Spec{})[0]
		await(t, s, id, models.JobSuccess)
		wantLines(t, messages(t, s, id)[:6], []string{
			"info: Doing one",
			"warning: Doing one: The back end is away. Trying again in 5ms (failure 1 of 4).",
			"warning: Doing one: The back end is away. Trying again in 10ms (failure 2 of 4).",
			"info: Doing two",
			"warning: Doing two: Something unexpected happened; the server's log says more. Trying again in 5ms (failure 1 of 4).",
			"warning: Doing two: Something unexpected happened; the server's log says more. Trying again in 10ms (failure 2 of 4).",
		})

		w.do("one", times(100, unavailable()))
		id = p.insert(t, Spec{})[0]
		j := await(t, s, id, models.JobFailure)
		if want := "Doing one: The back end is away. (given up after 4 attempts)"; j.Errors != want {
			t.Errorf("errors %q, want %q", j.Errors, want)
		}
		if n := w.called(id, "one"); n != 4 {
			t.Errorf("tried %d times", n)
		}
	})
}

func TestPermanentErrorsEndTheJob(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		refused := fault.Wrap(fault.Invalid, errors.New("secret"), "There is no such template.")
		for _, c := range []struct {
			name   string
			break_ func(w *world)
			errors string
		}{
			{"step", func(w *world) { w.do("one", times(9, refused)) }, "Doing one: There is no such template."},
			{"apply", func(w *world) { w.set("apply one", refused) }, "Doing one: There is no such template."},
			{"steps", func(w *world) { w.set("steps", refused) }, "Preparing: There is no such template."},
			{"started", func(w *world) { w.set("started", refused) }, "There is no such template."},
			{"succeeded", func(w *world) { w.set("succeeded", errors.New("a bug")) }, "Something unexpected happened; the server's log says more."},
			{"failed", func(w *world) { w.do("one", times(9, refused)); w.set("failed", errors.New("a bug")) }, "Doing one: There is no such template."},
			{"panic", func(w *world) {
				w.do("one", func(context.Context, provider.Memo) (time.Duration, error) { panic("secret") })
			}, "Doing one: Something unexpected happened; the server's log says more."},
		} {
			w := newWorld("one", "two")
			c.break_(w)
			p := newProcess(t, s, w, quick()).start(t)
			id := p.insert(t, Spec{})[0]
			j := await(t, s, id, models.JobFailure)
			if j.Errors != c.errors || j.EndedAt == nil {
				t.Errorf("%s: errors %q, want %q", c.name, j.Errors, c.errors)
			}
			if c.name != "succeeded" && w.called(id, "two") != 0 {
				t.Errorf("%s: it went on", c.name)
			}
			p.stop(t)
		}
	})
}

func TestStepsThatCannotBeListedAreTriedAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		w.set("steps", unavailable())
		c := quick()
		c.MaxFailures = 1000
		p := newProcess(t, s, w, c).start(t)
		id := p.insert(t, Spec{})[0]
		eventually(t, "a message", func() bool { return len(messages(t, s, id)) > 1 })
		w.set("steps", nil)
		j := await(t, s, id, models.JobSuccess)
		if j.TotalTasks != 1 || j.CompletedTasks != 1 {
			t.Errorf("progress %d of %d", j.CompletedTasks, j.TotalTasks)
		}
	})
}

func TestARolledBackJobIsNeverDispatched(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newProcess(t, s, newWorld("one"), quick()).start(t)
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			if _, err := p.InsertTx(tx, Spec{Type: models.JobAction}); err != nil {
				return err
			}
			return errors.New("no")
		})
		if err == nil {
			t.Fatal("it was committed")
		}
		if known := p.queue.known(); len(known) != 0 {
			t.Errorf("dispatched %v", known)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := p.InsertTx(tx, Spec{Type: "nonsense"})
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("a type that does not exist: %v", err)
		}
	})
}

func TestCancelBeforeItBegins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		p := newProcess(t, s, w, quick())
		ids := p.insert(t, Spec{}, Spec{})
		j, err := p.Cancel(t.Context(), root, ids[0])
		if err != nil || j.Status != models.JobCanceled || j.EndedAt == nil {
			t.Fatalf("canceled %+v, %v", j, err)
		}
		if _, err := p.Cancel(t.Context(), root, ids[0]); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "CANCELED") {
			t.Errorf("canceled twice: %v", err)
		}
		p.start(t)
		await(t, s, ids[1], models.JobSuccess)
		if n := w.called(ids[0], "one"); n != 0 {
			t.Errorf("it ran %d times", n)
		}
		wantLines(t, w.notes, []string{"canceled " + ids[0].String()})
		var n int64
		if err := s.Read(t.Context()).Model(&models.History{}).Where("object_type = 'job' AND object_id = ? AND event = 'canceled' AND actor_name = 'root'", ids[0]).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d history rows, %v", n, err)
		}
	})
}

func TestCancelWhileRunningCleansUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one", "two", "three")
		w.cleanup = []string{"undo", "undo more"}
		w.do("undo", times(2, unavailable()))
		g := newGate()
		w.do("two", g.step)
		p := newProcess(t, s, w, quick()).start(t)
		id := p.insert(t, Spec{})[0]
		<-g.entered
		j, err := p.Cancel(t.Context(), root, id)
		if err != nil || j.Status != models.JobToCancel {
			t.Fatalf("canceling %+v, %v", j, err)
		}
		j = await(t, s, id, models.JobCanceled)
		for step, want := range map[string]int{"one": 1, "two": 1, "three": 0, "undo": 3, "undo more": 1} {
			if n := w.called(id, step); n != want {
				t.Errorf("%s was called %d times, want %d", step, n, want)
			}
		}
		if j.TotalTasks != 3 || j.CompletedTasks != 1 {
			t.Errorf("progress %d of %d", j.CompletedTasks, j.TotalTasks)
		}
		if err := retryable(j); err != nil {
			t.Error(err)
		}
		// What was cleaned up is made afresh.
		if _, err := p.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		await(t, s, id, models.JobSuccess)
		if n := w.called(id, "one"); n != 2 {
			t.Errorf("one was called %d times", n)
		}
	})
}

func TestCancelReachesAnotherProcess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		c := quick()
		c.Lease = 900 * time.Millisecond // its renewal notices
		c.Sweep = time.Minute
		worker := newProcess(t, s, w, c)
		worker.start(t)
		api := newProcessWith(t, s, w, quick(), 0) // it runs none
		id := api.insert(t, Spec{})[0]
		<-g.entered
		// As if the signal had been lost: only the row says it.
		inTx(t, s, func(tx *store.Tx) error {
			return tx.Model(&models.Job{}).Where("id = ?", id).UpdateColumn("status", models.JobToCancel).Error
		})
		await(t, s, id, models.JobCanceled)
	})
}

func TestAFailedCleanupIsAFailure(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		w.cleanup = []string{"undo"}
		w.do("undo", times(1, fault.Conflictf("It is locked.")))
		g := newGate()
		w.do("one", g.step)
		p := newProcess(t, s, w, quick()).start(t)
		id := p.insert(t, Spec{})[0]
		<-g.entered
		if _, err := p.Cancel(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		j := await(t, s, id, models.JobFailure)
		if want := "It was canceled, but what it had made could not be cleaned up. Doing undo: It is locked."; j.Errors != want {
			t.Errorf("errors %q", j.Errors)
		}
		if _, err := p.Retry(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
		await(t, s, id, models.JobSuccess)
	})
}

func TestRetryGoesOnFromTheFailedStep(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("zero", "one", "two", "three")
		w.again = []string{"zero"}
		w.do("two", times(1, fault.Conflictf("Not now.")))
		p := newProcess(t, s, w, quick())
		var heard []string
		p.OnEnd(func(_ *store.Tx, j *models.Job) error { w.note("end %s", j.Status); return nil })
		p.OnRetry(func(_ *store.Tx, j *models.Job) error { w.note("retry %s", j.Status); return nil })
		p.start(t)
		id := p.insert(t, Spec{})[0]
		await(t, s, id, models.JobFailure)
		j, err := p.Retry(t.Context(), root, id)
		if err != nil || j.Status != models.JobQueued || j.Errors != "" || j.EndedAt != nil {
			t.Fatalf("retried %+v, %v", j, err)
		}
		j = await(t, s, id, models.JobSuccess)
		for step, want := range map[string]int{"zero": 2, "one": 1, "two": 2, "three": 1} {
			if n := w.called(id, step); n != want {
				t.Errorf("%s was called %d times, want %d", step, n, want)
			}
		}
		if j.Attempts != 2 {
			t.Errorf("%d attempts", j.Attempts)
		}
		w.mu.Lock()
		heard = append(heard, w.notes...)
		w.mu.Unlock()
		wantLines(t, heard, []string{"end FAILURE", "retry QUEUED", "end SUCCESS"})
		if _, err := p.Retry(t.Context(), root, id); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "SUCCESS") {
			t.Errorf("retry of a success: %v", err)
		}
	})
}

func TestAHookThatRefusesKeepsTheJobOpen(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		p := newProcess(t, s, w, quick())
		p.OnEnd(func(*store.Tx, *models.Job) error { return w.no("hook") })
		w.set("hook", errors.New("not now"))
		p.start(t)
		id := p.insert(t, Spec{})[0]
		eventually(t, "a refused end", func() bool { return p.engine.Stats().HookFailures > 0 })
		if j := read(t, s, id); j.Status != models.JobRunning {
			t.Errorf("the job is %s", j.Status)
		}
		w.set("hook", nil)
		await(t, s, id, models.JobSuccess)
		if n := w.called(id, "one"); n != 1 {
			t.Errorf("one was called %d times", n)
		}
	})
}

func TestALateAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one", "two")
		g := newGate()
		g.deaf = true
		w.do("one", func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			wait, err := g.step(ctx, memo) // only its first caller waits
			return wait, err
		})
		c := quick()
		c.Lease = 400 * time.Millisecond
		c.Sweep, c.Reconcile = time.Minute, time.Minute
		a := newProcessWith(t, s, w, c, 1)
		a.engine.frozen = true
		a.start(t)
		id := a.insert(t, Spec{})[0]
		<-g.entered

		c.Lease = 20 * time.Second
		c.Sweep = 50 * time.Millisecond
		b := newProcess(t, s, w, c).start(t)
		j := await(t, s, id, models.JobSuccess)
		if n := w.called(id, "one"); n != 2 {
			t.Errorf("one was called %d times", n)
		}
		eventually(t, "B counts that it took over", func() bool { return b.engine.Stats().Takeovers == 1 })
		rows, err := stepsOf(s.Read(t.Context()), id)
		if err != nil {
			t.Fatal(err)
		}
		said := messages(t, s, id)

		close(g.open)
		eventually(t, "A's late answer", func() bool { return a.engine.Stats().Fenced == 1 })
		after, err := stepsOf(s.Read(t.Context()), id)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(rows) == "" || fmt.Sprintf("%+v", strip(rows)) != fmt.Sprintf("%+v", strip(after)) {
			t.Errorf("steps were\n%+v\nand are\n%+v", rows, after)
		}
		wantLines(t, messages(t, s, id), said)
		if now := read(t, s, id); now.Version != j.Version {
			t.Errorf("the job's version went from %d to %d", j.Version, now.Version)
		}
		if n := w.applied[id.String()+"/one"]; n != 1 {
			t.Errorf("one was applied %d times", n)
		}
	})
}

// strip leaves what can be compared as text.
func strip(rows []models.JobStep) []models.JobStep {
	out := make([]models.JobStep, len(rows))
	for i, r := range rows {
		r.StartedAt, r.EndedAt, r.LeaseUntil, r.NotBefore = nil, nil, nil, nil
		out[i] = r
	}
	return out
}

// While B still works on the step, A's answer is late as well.
func TestALateAnswerDoesNotEndAnothersStep(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		frozen, working := newGate(), newGate()
		frozen.deaf = true
		calls := make(chan struct{}, 1)
		calls <- struct{}{}
		w.do("one", func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			select {
			case <-calls:
				memo["by"] = "A"
				return frozen.step(ctx, memo)
			default:
				memo["by"] = "B"
				return working.step(ctx, memo)
			}
		})
		c := quick()
		c.Lease = 400 * time.Millisecond
		c.Sweep = time.Minute
		a := newProcessWith(t, s, w, c, 1)
		a.engine.frozen = true
		a.start(t)
		id := a.insert(t, Spec{})[0]
		<-frozen.entered
		b := newProcess(t, s, w, quick()).start(t)
		<-working.entered
		close(frozen.open)
		eventually(t, "A's late answer", func() bool { return a.engine.Stats().Fenced == 1 })
		if j := read(t, s, id); j.Status != models.JobRunning {
			t.Errorf("A's answer made the job %s", j.Status)
		}
		close(working.open)
		await(t, s, id, models.JobSuccess)
		rows, err := stepsOf(s.Read(t.Context()), id)
		if err != nil || rows[0].Memo["by"] != "B" {
			t.Errorf("memo %v, %v", rows, err)
		}
		if st := b.engine.Stats(); st.Fenced != 0 {
			t.Errorf("stats of B: %+v", st)
		}
	})
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		w.do("one", func(context.Context, provider.Memo) (time.Duration, error) {
			time.Sleep(10 * time.Millisecond) // long enough to meet others
			return 0, nil
		})
		a, b := newProcess(t, s, w, quick()), newProcess(t, s, w, quick())
		var ids []models.ID
		inTx(t, s, func(tx *store.Tx) error {
			for range 50 {
				j, err := a.InsertTx(tx, Spec{Type: models.JobAction})
				if err != nil {
					return err
				}
				ids = append(ids, j.ID)
				if err := a.queue.WakeTx(tx, j.ID, 1); err != nil { // what it says twice is done once
					return err
				}
			}
			return nil
		})
		a.start(t)
		b.start(t)
		var left int64
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			err := s.Read(t.Context()).Model(&models.Job{}).Where("status IN ?", open).Count(&left).Error
			if err != nil || left == 0 {
				break
			}
		}
		for _, id := range ids {
			await(t, s, id, models.JobSuccess)
			for _, step := range w.steps {
				if n := w.called(id, step); n != 1 {
					t.Errorf("%s of job %s was called %d times", step, id, n)
				}
			}
		}
	})
}

func TestStopReleasesWhatRuns(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one", "two")
		g := newGate()
		w.do("one", g.step)
		c := quick()
		c.Drain = 10 * time.Millisecond
		a := newProcess(t, s, w, c)
		if err := a.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := a.insert(t, Spec{})[0]
		<-g.entered
		c = quick()
		c.Sweep, c.Reconcile = time.Hour, time.Hour // it hears of what A leaves, or never
		b := newProcess(t, s, w, c).start(t)
		a.stop(t)
		if err := a.engine.Alive(); err == nil {
			t.Error("it is alive after its stop")
		}
		await(t, s, id, models.JobSuccess)
		if n := w.called(id, "one"); n != 2 {
			t.Errorf("one was called %d times", n)
		}
		if st := b.engine.Stats(); st.Takeovers != 0 || st.Retries != 0 {
			t.Errorf("the lease was not given back: %+v", st)
		}
	})
}

func TestPrerequisites(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		p := newProcess(t, s, w, quick()).start(t)
		first := p.insert(t, Spec{})[0]
		<-g.entered
		second := p.insert(t, Spec{PrerequisiteID: first})[0]
		third := p.insert(t, Spec{PrerequisiteID: second})[0]
		if j := read(t, s, third); j.Status != models.JobPending {
			t.Errorf("the third is %s", j.Status)
		}
		close(g.open)
		c := await(t, s, third, models.JobSuccess)
		b := await(t, s, second, models.JobSuccess)
		if c.StartedAt.Before(*b.EndedAt) {
			t.Errorf("the third began at %v, before the second ended at %v", c.StartedAt, b.EndedAt)
		}
		await(t, s, p.insert(t, Spec{PrerequisiteID: first})[0], models.JobSuccess)

		w.do("one", times(1, fault.Conflictf("No.")))
		first = p.insert(t, Spec{})[0]
		second = p.insert(t, Spec{PrerequisiteID: first})[0]
		third = p.insert(t, Spec{PrerequisiteID: second})[0]
		c = await(t, s, third, models.JobFailure)
		want := fmt.Sprintf("Job id %s (Run Action), which has to come first, ended as FAILURE.", second)
		if c.Errors != want || w.called(third, "one") != 0 {
			t.Errorf("errors %q, want %q", c.Errors, want)
		}
		if _, err := p.Retry(t.Context(), root, first); err != nil {
			t.Fatal(err)
		}
		await(t, s, first, models.JobSuccess)
	})
}

func TestReconcileRepairs(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]bool{"nobody was told": false, "a dead process has it all": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, s *store.Store) { reconcileRepairs(t, s, hold) })
		})
	}
}

// reconcileRepairs has a process find jobs in every state in which a crash may leave
// them; hold says that the steps of running jobs have leases that have ended.
func reconcileRepairs(t *testing.T, s *store.Store, hold bool) {
	w := newWorld("one")
	p := newProcess(t, s, w, quick())
	parent := p.insert(t, Spec{Type: models.JobDeploy})[0]
	lost := p.insert(t, Spec{}, Spec{}, Spec{}, Spec{ParentID: parent, Type: models.JobProvision})
	waits := p.insert(t, Spec{PrerequisiteID: lost[1]})[0]
	empty := p.insert(t, Spec{Type: models.JobDeploy})[0]
	stale := p.insert(t, Spec{Type: models.JobDeploy})[0]
	child := p.insert(t, Spec{Type: models.JobProvision, ParentID: stale})[0]
	inTx(t, s, func(tx *store.Tx) error {
		for _, change := range []struct {
			id     models.ID
			status models.JobStatus
		}{{lost[1], models.JobSuccess}, {lost[2], models.JobToCancel}, {stale, models.JobRunning}, {child, models.JobSuccess}} {
			if err := tx.Model(&models.Job{}).Where("id = ?", change.id).UpdateColumn("status", change.status).Error; err != nil {
				return err
			}
		}
		if !hold {
			return nil
		}
		for _, id := range []models.ID{lost[0], lost[3], waits} {
			if err := tx.Model(&models.Job{}).Where("id = ?", id).UpdateColumn("status", models.JobRunning).Error; err != nil {
				return err
			}
			ended := s.Now().Add(-time.Second)
			step := &models.JobStep{
				JobID: id, Position: 1, Name: "one", Title: "Doing one", Status: models.StepRunning,
				Attempt: 1, Memo: map[string]string{}, LeaseOwner: "dead", LeaseUntil: &ended,
			}
			if err := tx.Create(step).Error; err != nil {
				return err
			}
		}
		return nil
	})
	c := quick()
	c.Sweep, c.Reconcile = time.Hour, time.Hour // at the start, or never
	newProcess(t, s, w, c).start(t)
	await(t, s, lost[0], models.JobSuccess)
	await(t, s, lost[2], models.JobCanceled)
	await(t, s, lost[3], models.JobSuccess)
	await(t, s, waits, models.JobSuccess)
	await(t, s, parent, models.JobSuccess)
	await(t, s, empty, models.JobSuccess)
	await(t, s, stale, models.JobSuccess)
	for _, id := range []models.ID{lost[0], lost[3], waits} {
		if n := w.called(id, "one"); n != 1 {
			t.Errorf("job %s ran %d times", id, n)
		}
	}
}

func TestTheSweepFindsWhatIsLostLater(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newProcess(t, s, newWorld("one", "two"), quick()).start(t)
		id := forgotten(t, s, Spec{Type: models.JobModify})
		await(t, s, id, models.JobSuccess)
		eventually(t, "it is counted", func() bool { return p.engine.Stats().Rescued > 0 })
	})
}

func TestVisibilityAndRights(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newProcess(t, s, newWorld("one"), quick())
		users := map[string]*models.User{}
		g := &models.Group{Name: "G"}
		inTx(t, s, func(tx *store.Tx) error {
			for _, n := range []string{"owner", "manager", "viewer", "stranger"} {
				users[n] = &models.User{Username: n, Active: true}
				if err := store.Insert(tx, users[n]); err != nil {
					return err
				}
			}
			return store.Insert(tx, g)
		})
		actor := func(n string, perms ...access.Permission) access.Actor {
			r := &access.Rights{Own: []models.ID{g.ID}, By: map[access.Permission][]models.ID{}}
			for _, perm := range perms {
				r.By[perm] = []models.ID{g.ID}
			}
			return access.NewActor(users[n], "", r)
		}
		for _, c := range []struct {
			a    access.Actor
			want fault.Code
		}{
			{actor("stranger"), fault.NotFound},
			{actor("viewer", access.GroupView), fault.Forbidden},
			{actor("manager", access.GroupView, access.JobManage), ""},
			{actor("owner"), ""},
			{access.NewActor(users["owner"], "", nil), fault.Forbidden}, // who has left the group
			{root, ""},
			{access.Actor{}, fault.NotFound},
		} {
			id := p.insert(t, Spec{OwnerID: users["owner"].ID, GroupID: g.ID})[0]
			if _, err := p.Cancel(t.Context(), c.a, id); fault.CodeOf(err) != c.want {
				t.Errorf("cancel by %q: %v", c.a.Username, err)
			}
			if c.want == "" {
				if _, err := p.Retry(t.Context(), c.a, id); err != nil {
					t.Errorf("retry by %q: %v", c.a.Username, err)
				}
			}
		}
	})
}

func TestGuardsSayTheState(t *testing.T) {
	t.Parallel()
	type can struct{ cancel, retry fault.Code }
	no := fault.Conflict
	for st, want := range map[models.JobStatus]can{
		models.JobPending: {"", no}, models.JobQueued: {"", no}, models.JobRunning: {"", no}, models.JobToCancel: {no, no},
		models.JobSuccess: {no, no}, models.JobWarning: {no, no}, models.JobFailure: {no, ""}, models.JobCanceled: {no, ""},
	} {
		j := &models.Job{Type: models.JobAction, Status: st}
		if got := (can{fault.CodeOf(CanCancel(root, j)), fault.CodeOf(CanRetry(root, j))}); got != want {
			t.Errorf("%s: %v, want %v", st, got, want)
		}
	}
	for jt, want := range map[models.JobType]can{
		models.JobDeploy: {"", no}, models.JobProvision: {no, no}, models.JobDecom: {no, ""},
	} {
		warned := CanRetry(root, &models.Job{Type: jt, Status: models.JobWarning})
		canceled := CanRetry(root, &models.Job{Type: jt, Status: models.JobCanceled})
		if got := (can{fault.CodeOf(warned), fault.CodeOf(canceled)}); got != want {
			t.Errorf("retry of %s: warned, canceled: %v, want %v", jt, got, want)
		}
	}
}
