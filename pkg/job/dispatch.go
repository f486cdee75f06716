package job

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Work processes a job. It returns the delay until the job needs attention again, or a
// negative duration for none.
type Work func(ctx context.Context, id models.ID) (again time.Duration)

// Due is an open job that needs attention.
type Due struct {
	ID       models.ID
	Priority int           // 1 comes first
	Wait     time.Duration // 0 for at once
	Expired  bool          // the lease of its worker has ended
}

// Dispatcher brings jobs to workers. It may bring one to several workers, or to one
// worker several times: leases decide who works. The engine finds the jobs that it
// loses.
type Dispatcher interface {
	// WakeTx has a worker look at the job once the transaction has committed.
	WakeTx(tx *store.Tx, id models.ID, priority int) error
	// Plan has this process look at jobs that were found in the database, unless it
	// does so anyway. It returns how many are due that it did not know, and whether it
	// has no room for further ones that are due.
	Plan(list []Due) (lost int, full bool)
	// Start begins to call work. Before that it calls look for a job that another
	// process may have: look only returns the delay until the job needs attention. More
	// is called when there is room again for jobs that the dispatcher could not hold.
	Start(ctx context.Context, work, look Work, more func()) error
	// Stop starts no more work, and returns when the running work has ended.
	Stop(ctx context.Context) error
}

// topicWake is the signal that a job needs attention. Its key is the queue that sends
// it, the job's priority and its id, separated by colons.
const topicWake = "jobs.wake"

// Another process's job is left to that process for a moment, which most often has
// begun it by then. The moments differ, so that not all processes look at once.
const (
	otherDelay  = 25 * time.Millisecond
	otherSpread = 50 * time.Millisecond
)

// Queue is the Dispatcher of a process: it keeps in memory the jobs that need attention
// and their times, and runs them on a fixed number of workers. Signals announce new
// jobs.
//
// It holds a limited number of jobs. When it is full, a job that is due takes the place of
// one that waits, or of a due one of lower priority. The engine finds the others in the
// database: those that are due as soon as half of the room is free, those that wait with
// its next sweep.
type Queue struct {
	store   *store.Store
	workers int
	room    int    // how many jobs it holds
	id      string // tells its own signals from others'

	mu      sync.Mutex
	open    bool
	work    func(models.ID) time.Duration
	look    func(models.ID) time.Duration
	cancel  context.CancelFunc // of what runs
	jobs    map[models.ID]*entry
	ready   readyList
	arrival uint64 // counts what became ready
	running int
	runs    sync.WaitGroup
	left    []*entry // jobs that this process has begun, at its stop
	dropped bool     // a due job was not held
	more    func()
}

// entry is a job in a Queue.
type entry struct {
	id       models.ID
	priority int
	state    entryState
	foreign  bool        // another process may have it
	again    bool        // woken while a worker attends to it
	timer    *time.Timer // of a waiting one
	at       time.Time   // when a waiting one is due
	arrival  uint64      // of a ready one
}

type entryState int

const (
	entryWaiting entryState = iota // until its timer ends
	entryReady                     // for a free worker
	entryRunning
)

// room is how many jobs a queue holds, at least: some 200 bytes each. A queue with many
// workers holds roomPerWorker for each of them.
const (
	room          = 4096
	roomPerWorker = 64
)

// NewQueue returns the queue of a process with that number of workers, which may be 0.
// Before Start it only announces.
func NewQueue(s *store.Store, workers int) *Queue {
	q := &Queue{store: s, workers: workers, room: max(room, roomPerWorker*workers), id: uuid.NewString()[:8], jobs: map[models.ID]*entry{}}
	if workers > 0 {
		s.OnSignal(q.heard)
	}
	return q
}

// WakeTx implements Dispatcher.
func (q *Queue) WakeTx(tx *store.Tx, id models.ID, priority int) error {
	tx.OnCommit(func() { q.wake(id, priority, 0, false) })
	tx.Hint(topicWake, fmt.Sprintf("%s:%d:%s", q.id, priority, id))
	return nil
}

// heard handles a signal of another queue.
func (q *Queue) heard(topic, key string) {
	if topic != topicWake {
		return
	}
	from, rest, _ := strings.Cut(key, ":")
	level, number, _ := strings.Cut(rest, ":")
	priority, err := strconv.Atoi(level)
	id, err2 := strconv.ParseInt(number, 10, 64)
	if from == q.id || err != nil || err2 != nil {
		return
	}
	q.wake(models.ID(id), priority, aMoment(), true)
}

func aMoment() time.Duration {
	return otherDelay + rand.N(otherSpread) //nolint:gosec // it only spreads load
}

// wake brings a job forward, or adds it.
func (q *Queue) wake(id models.ID, priority int, wait time.Duration, foreign bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return
	}
	e := q.jobs[id]
	switch {
	case e == nil:
		q.add(id, priority, wait, foreign)
	case e.state == entryRunning:
		e.again = true
	case e.state == entryWaiting:
		q.schedule(e, wait, foreign)
	default:
		e.foreign = e.foreign && foreign
	}
}

// Plan implements Dispatcher.
func (q *Queue) Plan(list []Due) (lost int, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return 0, false
	}
	for _, d := range list {
		e := q.jobs[d.ID]
		switch {
		case e == nil, e.state == entryRunning && d.Expired: // its worker here hangs
			held := q.add(d.ID, d.Priority, d.Wait, true)
			if d.Wait == 0 {
				if !held {
					return lost, true
				}
				lost++
			}
		case e.state == entryWaiting && d.Wait == 0:
			q.schedule(e, 0, true)
		}
	}
	return lost, false
}

// add holds a job, if there is room or a less urgent one can leave. It reports whether it
// does.
func (q *Queue) add(id models.ID, priority int, wait time.Duration, foreign bool) bool {
	if q.jobs[id] == nil && len(q.jobs) >= q.room && !q.evict(priority, wait) {
		q.dropped = q.dropped || wait == 0
		return false
	}
	e := &entry{id: id, priority: priority}
	q.jobs[id] = e
	q.schedule(e, wait, foreign)
	return true
}

// evict removes a job that is less urgent than one of the priority that is due after the
// wait: the waiting one that is due last, or else the due one of the lowest priority that
// came last. It reports whether there was one. It looks at all jobs, and is called only
// when the queue is full.
func (q *Queue) evict(priority int, wait time.Duration) bool {
	var victim *entry
	for _, e := range q.jobs {
		if e.state == entryWaiting && (victim == nil || e.at.After(victim.at)) {
			victim = e
		}
	}
	switch {
	case victim != nil && (wait == 0 || victim.at.Sub(q.store.Now()) > wait):
		victim.timer.Stop()
		delete(q.jobs, victim.id)
		return true
	case wait > 0:
		return false
	}
	worst := -1
	for i, e := range q.ready {
		if e.priority > priority && (worst < 0 || q.ready.Less(worst, i)) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	delete(q.jobs, q.ready[worst].id)
	heap.Remove(&q.ready, worst)
	q.dropped = true
	return true
}

// schedule has a job attended to after a time.
func (q *Queue) schedule(e *entry, wait time.Duration, foreign bool) {
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.foreign = foreign
	if wait > 0 {
		e.state = entryWaiting
		e.at = q.store.Now().Add(wait)
		e.timer = time.AfterFunc(wait, func() { q.due(e) })
		return
	}
	e.state = entryReady
	q.arrival++
	e.arrival = q.arrival
	heap.Push(&q.ready, e)
	q.fill()
}

// due is called by an entry's timer.
func (q *Queue) due(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open && q.jobs[e.id] == e && e.state == entryWaiting {
		q.schedule(e, 0, e.foreign)
	}
}

// fill assigns due jobs to free workers.
func (q *Queue) fill() {
	for q.open && q.running < q.workers && len(q.ready) > 0 {
		e, _ := heap.Pop(&q.ready).(*entry)
		e.state = entryRunning
		q.running++
		q.runs.Go(func() { q.attend(e, e.foreign) })
	}
}

// attend runs a job as far as it can go now.
func (q *Queue) attend(e *entry, foreign bool) {
	wait := time.Duration(0)
	if foreign {
		wait = q.look(e.id)
	}
	if wait == 0 {
		wait, foreign = q.work(e.id), false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	defer q.fill()
	if q.open && q.dropped && len(q.ready) <= q.room/2 {
		q.dropped = false
		q.more()
	}
	if q.jobs[e.id] != e {
		return // another entry has taken its place
	}
	if e.again {
		wait, e.again, foreign = 0, false, false
	}
	switch {
	case wait < 0:
		delete(q.jobs, e.id)
	case !q.open:
		if !foreign {
			q.left = append(q.left, e)
		}
	case foreign && wait > 0:
		q.schedule(e, wait+aMoment(), true)
	default:
		q.schedule(e, wait, false)
	}
}

// Start implements Dispatcher. The context's end does not end the work: Stop does.
func (q *Queue) Start(ctx context.Context, work, look Work, more func()) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	ctx, q.cancel = context.WithCancel(context.WithoutCancel(ctx))
	q.work = func(id models.ID) time.Duration { return work(ctx, id) }
	q.look = func(id models.ID) time.Duration { return look(ctx, id) }
	q.more = more
	q.open = q.workers > 0
	return nil
}

// Stop implements Dispatcher. If ctx ends first, running work is interrupted. Signals
// hand the jobs over to other processes.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	q.open = false
	for _, e := range q.jobs {
		if e.timer == nil {
			continue
		}
		e.timer.Stop()
		if e.state == entryWaiting && !e.foreign {
			q.left = append(q.left, e)
		}
	}
	q.mu.Unlock()
	defer q.cancel()
	ended := make(chan struct{})
	go func() { q.runs.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("stop the workers: %w", ctx.Err())
	}
	return q.handOver(ctx)
}

// handOver announces the jobs that others expect this process to go on with: those
// whose leases it has released, and those that wait for a retry.
func (q *Queue) handOver(ctx context.Context) error {
	q.mu.Lock()
	left := q.left
	q.left, q.jobs, q.ready = nil, map[models.ID]*entry{}, nil
	q.mu.Unlock()
	if len(left) == 0 {
		return nil
	}
	err := q.store.InTx(ctx, func(tx *store.Tx) error {
		for _, e := range left {
			if err := q.WakeTx(tx, e.id, e.priority); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("hand jobs over: %w", err)
	}
	return nil
}

// readyList is a heap: the first is the one of highest priority that has been ready
// for longest.
type readyList []*entry

// Len implements heap.Interface.
func (l readyList) Len() int { return len(l) }

// Less implements heap.Interface.
func (l readyList) Less(i, j int) bool {
	if l[i].priority != l[j].priority {
		return l[i].priority < l[j].priority
	}
	return l[i].arrival < l[j].arrival
}

// Swap implements heap.Interface.
func (l readyList) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

// Push implements heap.Interface.
func (l *readyList) Push(x any) {
	if e, ok := x.(*entry); ok {
		*l = append(*l, e)
	}
}

// Pop implements heap.Interface.
func (l *readyList) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return e
}
