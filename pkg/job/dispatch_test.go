package job

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// known returns the jobs that the queue knows.
func (q *Queue) known() []models.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []models.ID
	for id := range q.jobs {
		ids = append(ids, id)
	}
	return ids
}

// forgetful is a Dispatcher whose signals are lost.
type forgetful struct{ *Queue }

func (forgetful) WakeTx(*store.Tx, models.ID, int) error { return nil }

// forgotten inserts a job of which no process hears.
func forgotten(t *testing.T, s *store.Store, spec Spec) (id models.ID) {
	t.Helper()
	svc := New(s, forgetful{}, nil)
	inTx(t, s, func(tx *store.Tx) error {
		j, err := svc.InsertTx(tx, spec)
		if err == nil {
			id = j.ID
		}
		return err
	})
	return id
}

// onSignalsAlone are settings with which a process finds nothing by looking.
func onSignalsAlone() Config {
	c := quick()
	c.Sweep, c.Reconcile = time.Hour, time.Hour
	return c
}

// others opens the database once more, as another process does, and has it listen.
func others(t *testing.T, url string) *store.Store {
	t.Helper()
	s := storetest.Open(t, url)
	s.Listen()
	eventually(t, "it listens", s.SignalsLive)
	return s
}

func TestAJobOfAnotherProcessWakesAnIdleWorker(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			w := newWorld("one")
			api := newProcessWith(t, others(t, url), w, onSignalsAlone(), 0)
			newProcess(t, others(t, url), w, onSignalsAlone()).start(t)
			for range 3 {
				id := api.insert(t, Spec{})[0]
				await(t, api.store, id, models.JobSuccess)
			}
			// A canceled job that rests is woken, too.
			w.do("one", func(context.Context, provider.Memo) (time.Duration, error) { return time.Hour, nil })
			id := api.insert(t, Spec{})[0]
			eventually(t, "it rests", func() bool { return w.called(id, "one") == 1 })
			if _, err := api.Cancel(t.Context(), root, id); err != nil {
				t.Fatal(err)
			}
			await(t, api.store, id, models.JobCanceled)
		})
	}
}

// When a process stops, another one goes on with its resting jobs at their times.
func TestAStoppedProcessHandsItsRestingJobsOver(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			w := newWorld("one")
			rested := make(chan struct{})
			var once sync.Once
			w.do("one", func(context.Context, provider.Memo) (wait time.Duration, err error) {
				once.Do(func() { wait = time.Second; close(rested) })
				return wait, nil
			})
			a := newProcess(t, others(t, url), w, onSignalsAlone())
			if err := a.engine.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			b := newProcess(t, others(t, url), w, onSignalsAlone()).start(t)
			id := a.insert(t, Spec{})[0]
			<-rested
			a.stop(t)
			await(t, b.store, id, models.JobSuccess)
		})
	}
}

func TestAJobThatRestsGoesOnInTime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const rest = 400 * time.Millisecond
		w := newWorld("one")
		var mu sync.Mutex
		var calls []time.Time
		w.do("one", func(context.Context, provider.Memo) (time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			if calls = append(calls, time.Now()); len(calls) < 3 {
				return rest, nil
			}
			return 0, nil
		})
		p := newProcess(t, s, w, onSignalsAlone()).start(t)
		await(t, s, p.insert(t, Spec{})[0], models.JobSuccess)
		for i := 1; i < len(calls); i++ {
			if took := calls[i].Sub(calls[i-1]); took < rest || took > rest+time.Second {
				t.Errorf("it was called again after %s", took)
			}
		}
	})
}

func TestAnIdleQueueAsksTheDatabaseNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var statements atomic.Int64
		count := func(*gorm.DB) { statements.Add(1) }
		watch := func(db *gorm.DB) error {
			c := db.Callback()
			for _, err := range []error{
				c.Query().Before("*").Register("count", count), c.Row().Before("*").Register("count", count),
				c.Raw().Before("*").Register("count", count), c.Create().Before("*").Register("count", count),
				c.Update().Before("*").Register("count", count), c.Delete().Before("*").Register("count", count),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		}
		if err := watch(s.Read(t.Context()).DB); err != nil {
			t.Fatal(err)
		}
		if s.Dialect() == store.SQLite { // it has connections of their own for writing
			inTx(t, s, func(tx *store.Tx) error { return watch(tx.DB) })
		}
		p := newProcess(t, s, newWorld("one"), onSignalsAlone()).start(t)
		await(t, s, p.insert(t, Spec{})[0], models.JobSuccess)
		eventually(t, "its end is known", func() bool { return len(p.queue.known()) == 0 })
		before := statements.Load()
		if before == 0 {
			t.Fatal("nothing is counted")
		}
		time.Sleep(time.Second)
		if n := statements.Load() - before; n != 0 {
			t.Errorf("%d statements in a second without work", n)
		}
	})
}

func TestWhatIsUrgentComesFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		var mu sync.Mutex
		var order []models.ID
		p := newProcessWith(t, s, &ordered{world: w, began: func(id models.ID) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, id)
		}}, onSignalsAlone(), 1).start(t)
		w.do("one", g.step)
		p.insert(t, Spec{})
		<-g.entered
		ids := p.insert(t, Spec{Type: models.JobSyncVMs}, Spec{Type: models.JobModify}, Spec{}, Spec{Type: models.JobModify}, Spec{})
		close(g.open)
		for _, id := range ids {
			await(t, s, id, models.JobSuccess)
		}
		if want := []models.ID{ids[2], ids[4], ids[1], ids[3], ids[0]}; !slices.Equal(order[1:], want) {
			t.Errorf("the order was %v, want %v", order[1:], want)
		}
	})
}

// ordered tells of each job that begins.
type ordered struct {
	*world
	began func(models.ID)
}

func (o *ordered) Started(tx *store.Tx, j *models.Job) error {
	tx.OnCommit(func() { o.began(j.ID) })
	return o.world.Started(tx, j)
}

func TestNoMoreWorkersThanAllowed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		var now, most atomic.Int64
		w.do("one", func(context.Context, provider.Memo) (time.Duration, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			// The first ones wait for each other, so that the busiest moment has all workers.
			for begun := time.Now(); most.Load() < 3 && time.Since(begun) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(5 * time.Millisecond)
			return 0, nil
		})
		p := newProcessWith(t, s, w, onSignalsAlone(), 3).start(t)
		for _, id := range p.insert(t, make([]Spec, 12)...) {
			await(t, s, id, models.JobSuccess)
		}
		if most.Load() != 3 {
			t.Errorf("%d at a time", most.Load())
		}
	})
}

// A worker that hangs does not keep the job from the others of its process.
func TestAWorkerThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		g.deaf = true
		w.do("one", g.step)
		c := quick()
		c.Lease, c.Sweep = 300*time.Millisecond, 100*time.Millisecond
		p := newProcessWith(t, s, w, c, 2)
		p.engine.frozen = true
		p.start(t)
		id := p.insert(t, Spec{})[0]
		await(t, s, id, models.JobSuccess)
		close(g.open)
		eventually(t, "the late answer is dropped", func() bool { return p.engine.Stats().Fenced == 1 })
	})
}

// Who has lost a step does not keep alive the lease of the worker that has it now.
func TestALeaseIsRenewedByItsHolderAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		c := onSignalsAlone()
		c.Lease = 600 * time.Millisecond
		p := newProcess(t, s, w, c).start(t)
		id := p.insert(t, Spec{})[0]
		<-g.entered
		until := s.Now().Add(time.Hour)
		inTx(t, s, func(tx *store.Tx) error {
			return tx.Model(&models.JobStep{}).Where("job_id = ?", id).
				UpdateColumns(map[string]any{"attempt": gorm.Expr("attempt + 1"), "lease_owner": "another", "lease_until": until}).Error
		})
		eventually(t, "the first one gives up", func() bool { return p.engine.Stats().Fenced == 1 })
		rows, err := stepsOf(s.Read(t.Context()), id)
		if err != nil || rows[0].LeaseOwner != "another" || !rows[0].LeaseUntil.Equal(until) || rows[0].Status != models.StepRunning {
			t.Errorf("steps %+v, %v", rows, err)
		}
	})
}

// A queue that holds few jobs runs many, in their order. An urgent one that comes when it
// is full runs next, and one that becomes due while it is full is not lost.
func TestMoreJobsThanTheQueueHolds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld("one")
		g := newGate()
		w.do("one", g.step)
		var mu sync.Mutex
		var order []models.ID
		c := onSignalsAlone()
		p := newProcessWith(t, s, &ordered{world: w, began: func(id models.ID) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, id)
		}}, c, 1)
		p.queue.room = 6
		p.start(t)
		p.insert(t, Spec{Type: models.JobModify})
		<-g.entered
		specs := make([]Spec, 40)
		for i := range specs {
			specs[i].Type = models.JobModify
		}
		ids := p.insert(t, specs...)
		urgent := p.insert(t, Spec{})[0]
		p.queue.mu.Lock()
		held := len(p.queue.jobs)
		p.queue.mu.Unlock()
		if held > 6 {
			t.Errorf("the queue holds %d jobs", held)
		}
		close(g.open)
		for _, id := range append(ids, urgent) {
			await(t, s, id, models.JobSuccess)
		}
		mu.Lock()
		defer mu.Unlock()
		if want := append([]models.ID{order[0], urgent}, ids...); !slices.Equal(order, want) {
			t.Errorf("the order was %v, want %v", order, want)
		}
	})
}

// Jobs that wait leave a full queue for those that are due, the last of them first, and
// those are not taken for urgent ones.
func TestWhatLeavesAFullQueue(t *testing.T) {
	t.Parallel()
	q := NewQueue(storetest.SQLite(t), 1)
	q.room = 3
	if err := q.Start(t.Context(), nil, nil, func() {}); err != nil {
		t.Fatal(err)
	}
	q.running = 1 // nothing begins
	plan := func(list ...Due) (int, bool) { return q.Plan(list) }
	held := func(want ...models.ID) {
		t.Helper()
		got := slices.Sorted(maps.Keys(q.jobs))
		if !slices.Equal(got, want) {
			t.Errorf("it holds %v, want %v", got, want)
		}
	}
	plan(Due{ID: 1, Priority: 2, Wait: time.Hour}, Due{ID: 2, Priority: 2, Wait: 2 * time.Hour}, Due{ID: 3, Priority: 2})
	held(1, 2, 3)
	if lost, full := plan(Due{ID: 4, Priority: 3, Wait: 3 * time.Hour}); lost != 0 || full {
		t.Errorf("one that waits for longer: %d lost, full %t", lost, full)
	}
	held(1, 2, 3)
	plan(Due{ID: 5, Priority: 3, Wait: time.Minute})
	held(1, 3, 5)
	plan(Due{ID: 6, Priority: 3}, Due{ID: 7, Priority: 3})
	held(3, 6, 7)
	if _, full := plan(Due{ID: 8, Priority: 3}); !full || !q.dropped {
		t.Errorf("a further one: full %t, dropped %t", full, q.dropped)
	}
	held(3, 6, 7)
	plan(Due{ID: 9, Priority: 1})
	held(3, 6, 9)
	q.running = 0
	q.open = false
}
