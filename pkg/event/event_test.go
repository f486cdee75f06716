package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

func inTx(t testing.TB, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.InTx(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func newService(s *store.Store) *Service { return New(Config{Store: s, Users: refdata.New(s)}) }

// owner makes somebody who can own something.
func owner(t testing.TB, s *store.Store) models.ID {
	t.Helper()
	u := &models.User{Username: "ada", Active: true, SuperAdmin: true}
	inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, u) })
	return u.ID
}

// waiting returns the events in the outbox.
func waiting(t testing.TB, s *store.Store) []models.Event {
	t.Helper()
	rows, err := store.Find[models.OutboxRow](s.Read(context.Background()).Order("id"))
	if err != nil {
		t.Fatal(err)
	}
	var list []models.Event
	for _, r := range rows {
		list = append(list, r.Events...)
	}
	return list
}

func empty(t testing.TB, s *store.Store) {
	t.Helper()
	inTx(t, s, func(tx *store.Tx) error { return tx.Exec("DELETE FROM event_outbox").Error })
}

// mover is a row whose status can be changed.
type mover struct {
	row  models.Keyed
	move func() error
	from string
	to   string
}

// edges returns a row for each pair of statuses of each kind, whether it can be moved
// from the one to the other or not.
func edges(owner models.ID) []mover {
	var list []mover
	for _, from := range models.OrderStatuses {
		for _, to := range models.OrderStatuses {
			o := &models.Order{Status: from, OwnerID: owner}
			list = append(list, mover{o, func() error { return o.MoveTo(to) }, string(from), string(to)})
		}
	}
	for _, from := range models.JobStatuses {
		for _, to := range models.JobStatuses {
			j := &models.Job{Type: models.JobAction, Status: from, OwnerID: owner}
			list = append(list, mover{j, func() error { return j.MoveTo(to) }, string(from), string(to)})
		}
	}
	for _, from := range models.ServerStatuses {
		for _, to := range models.ServerStatuses {
			sv := &models.Server{Status: from, PowerStatus: models.PowerOn, Labels: []string{}, Parameters: []models.Param{}}
			list = append(list, mover{sv, func() error { return sv.MoveTo(to) }, string(from), string(to)})
		}
	}
	for _, from := range models.ServiceStatuses {
		for _, to := range models.ServiceStatuses {
			x := &models.Service{Status: from, Parameters: []models.Param{}}
			list = append(list, mover{x, func() error { return x.MoveTo(to) }, string(from), string(to)})
		}
	}
	return list
}

// TestEveryEdgeLeavesItsEvent moves a row along every edge that there is, writes it in
// either way, and looks at what the transaction has left.
func TestEveryEdgeLeavesItsEvent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		newService(s)
		ada := access.NewActor(&models.User{Row: models.Row{ID: 7}, Username: "ada"}, "", nil)
		moves := 0
		for i, m := range edges(owner(t, s)) {
			inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, m.row) })
			made := waiting(t, s)
			facts, _ := factsOf(m.row)
			if len(made) != 1 || made[0].Type != facts.ObjectType+".created" || made[0].Status != m.from {
				t.Fatalf("a new row has left %+v", made)
			}
			empty(t, s)
			refused := errors.New("refused")
			err := s.InTx(context.Background(), func(tx *store.Tx) error {
				if m.move() != nil {
					return refused
				}
				if err := history.Add(tx, ada, facts.ObjectType, m.row.Key().ID, "moved", "", nil, nil); err != nil {
					return err
				}
				if i%2 == 0 {
					return store.Rewrite(tx, m.row, "status")
				}
				return store.Save(tx, m.row)
			})
			if errors.Is(err, refused) {
				if list := waiting(t, s); len(list) != 0 {
					t.Errorf("%s from %s to %s is refused, and leaves %+v", facts.ObjectType, m.from, m.to, list)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			moves++
			list := waiting(t, s)
			empty(t, s)
			want := moved(facts.ObjectType, m.from, m.to)
			if len(list) != len(want) {
				t.Errorf("%s from %s to %s leaves %+v", facts.ObjectType, m.from, m.to, list)
				continue
			}
			for i, e := range list {
				if e.Type != want[i] || !Known(e.Type) || e.Status != m.to || e.Data.Was != m.from || e.ObjectID != m.row.Key().ID || e.ActorID != 7 || e.CreatedAt.IsZero() {
					t.Errorf("%s from %s to %s leaves %+v", facts.ObjectType, m.from, m.to, e)
				}
			}
		}
		if moves < 40 {
			t.Errorf("there are %d edges", moves)
		}
	})
}

// TestATransactionIsToldOnce writes the same rows again and again.
func TestATransactionIsToldOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		newService(s)
		o := &models.Order{Status: models.OrderCart, OwnerID: owner(t, s)}
		old := &models.Order{Status: models.OrderSuccess, OwnerID: o.OwnerID}
		inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, old) })
		empty(t, s)
		sv := &models.Server{Hostname: "web", Status: models.ServerProv, PowerStatus: models.PowerOff, Labels: []string{}, Parameters: []models.Param{}}
		inTx(t, s, func(tx *store.Tx) error {
			if err := tx.AllocateIDs(store.Count{Table: "orders", Rows: 1}); err != nil {
				return err
			}
			if err := store.Insert(tx, o); err != nil {
				return err
			}
			for _, to := range []models.OrderStatus{models.OrderActive, models.OrderSuccess} {
				if err := o.MoveTo(to); err != nil {
					return err
				}
				if err := store.Save(tx, o); err != nil {
					return err
				}
			}
			sv.OrderID = old.ID
			if err := store.Insert(tx, sv); err != nil {
				return err
			}
			for _, to := range []models.ServerStatus{models.ServerActive, models.ServerModify} {
				if err := sv.MoveTo(to); err != nil {
					return err
				}
				if err := store.Save(tx, sv); err != nil {
					return err
				}
			}
			return nil
		})
		var got []string
		for _, e := range waiting(t, s) {
			got = append(got, fmt.Sprintf("%s %s %s of order %t", e.Type, e.Status, e.Data.Name, e.OrderID == o.ID))
		}
		want := []string{
			"order.created CART  of order true", "order.submitted ACTIVE  of order true", "order.approved ACTIVE  of order true",
			"order.ended SUCCESS  of order true", "server.created MODIFY web of order true",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		empty(t, s)
		refused := errors.New("given up")
		err := s.InTx(context.Background(), func(tx *store.Tx) error {
			if err := store.Save(tx, sv); err != nil {
				return err
			}
			return refused
		})
		if list := waiting(t, s); !errors.Is(err, refused) || len(list) != 0 {
			t.Errorf("what was undone has left %+v", list)
		}
	})
}

// TestProgressIsJoined has a job take a thousand steps before the relay looks.
func TestProgressIsJoined(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const steps = 1000
		ctx, svc := context.Background(), newService(s)
		j := &models.Job{OwnerID: owner(t, s), Type: models.JobProvision, Status: models.JobRunning, TotalTasks: steps}
		inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, j) })
		for i := range steps {
			inTx(t, s, func(tx *store.Tx) error {
				j.CompletedTasks = i + 1
				if err := store.Note(tx, &models.JobMessage{JobID: j.ID, Level: "info", Message: fmt.Sprint(i), CreatedAt: tx.Now}); err != nil {
					return err
				}
				return store.Rewrite(tx, j, "completed_tasks")
			})
			// It waits, and says nothing.
			inTx(t, s, func(tx *store.Tx) error { return store.Rewrite(tx, j, "completed_tasks") })
		}
		inTx(t, s, func(tx *store.Tx) error {
			return store.Note(tx, &models.JobMessage{JobID: j.ID, Level: "info", Message: "1000", CreatedAt: tx.Now}) // and nothing else
		})
		for {
			n, err := svc.relay(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		list, err := svc.After(ctx, access.System("test"), 0, 1_000_000, 5000, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for i, e := range list {
			if e.ID != models.ID(i+1) {
				t.Errorf("the event %d has the number %s", i+1, e.ID)
			}
			if i == 0 {
				continue
			}
			for _, m := range e.Data.Messages {
				if m.Text != fmt.Sprint(next) {
					t.Fatalf("the message %q comes where %d should", m.Text, next)
				}
				next++
			}
			if e.Type != jobProgress || e.Data.Completed != min(next, steps) {
				t.Errorf("after %d messages: %+v", next, e)
			}
		}
		if next != steps+1 || len(list) > 20 {
			t.Errorf("%d messages in %d events", next, len(list))
		}
	})
}

// TestTheRelayIsTakenOver has the process die that gives the numbers, with events
// that are committed and have none.
func TestTheRelayIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, url := context.Background(), open(t)
			var ahead atomic.Int64
			replica := func() (*store.Store, *Service) {
				s, err := store.Open(ctx, store.Config{URL: url, MaxConns: 4, Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return s, newService(s)
			}
			one, first := replica()
			_, second := replica()
			ada := owner(t, one)
			write := func(n int) {
				for range n {
					inTx(t, one, func(tx *store.Tx) error {
						return store.Insert(tx, &models.Order{Status: models.OrderCart, OwnerID: ada})
					})
				}
			}
			relay := func(svc *Service, want int) {
				t.Helper()
				if n, err := svc.relay(ctx); err != nil || n != want {
					t.Fatalf("%d were numbered and not %d: %v", n, want, err)
				}
			}
			write(3)
			relay(first, 3)
			write(4) // and the first is killed
			relay(second, 0)
			ahead.Store(int64(holdRelay + time.Second))
			relay(second, 4)
			relay(second, 0)
			// It was not dead, and both think that it is theirs.
			write(300)
			first.holds, second.holds = one.Now().Add(time.Hour), one.Now().Add(time.Hour)
			var both sync.WaitGroup
			for _, svc := range []*Service{first, second} {
				both.Go(func() {
					for range 20 {
						if _, err := svc.relay(ctx); err != nil {
							t.Error(err)
						}
					}
				})
			}
			both.Wait()
			list, err := first.After(ctx, access.System("test"), 0, 1_000_000, 5000, Filter{})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[models.ID]bool{}
			for i, e := range list {
				if e.ID != models.ID(i+1) || seen[e.ObjectID] {
					t.Fatalf("the event %d is %+v", i+1, e)
				}
				seen[e.ObjectID] = true
			}
			if last, _, err := first.Numbers(ctx); len(list) != 307 || last != 307 || err != nil {
				t.Errorf("%d events up to %s: %v", len(list), last, err)
			}
		})
	}
}

// TestOldEventsGo keeps events for a day.
func TestOldEventsGo(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			var ahead atomic.Int64
			s, err := store.Open(ctx, store.Config{URL: open(t), MaxConns: 4, Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			if err := tenancy.Bootstrap(ctx, s); err != nil {
				t.Fatal(err)
			}
			dir := refdata.New(s)
			svc := New(Config{Store: s, Users: dir, Keep: 24 * time.Hour})
			ada := &models.User{Username: "ada", Active: true, SuperAdmin: true}
			inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, ada) })
			a := access.NewActor(ada, "", nil)
			write := func(n int) {
				for range n {
					inTx(t, s, func(tx *store.Tx) error {
						return store.Insert(tx, &models.Order{Status: models.OrderCart, OwnerID: ada.ID})
					})
				}
				if _, err := svc.relay(ctx); err != nil {
					t.Fatal(err)
				}
			}
			write(3)
			ahead.Store(int64(25 * time.Hour))
			write(2)
			for range 2 {
				if err := svc.Prune(ctx); err != nil {
					t.Fatal(err)
				}
			}
			list, err := svc.After(ctx, a, 0, 100, 100, Filter{})
			if err != nil || len(list) != 2 || list[0].ID != 4 {
				t.Errorf("%d are kept, from %+v: %v", len(list), list, err)
			}
			svc.hub.open = true
			for after, want := range map[string]string{
				"0": "3 true", "2": "3 true", "3": "3 false", "4": "4 false", "5": "5 false", "": "5 false",
				"6": "refused", "-1": "refused", "x": "refused", "03": "refused", "+3": "refused", "99999999999999999999": "refused",
			} {
				st, err := svc.Subscribe(ctx, a, Filter{}, after, "Last-Event-ID")
				got := "refused"
				if err == nil {
					got = fmt.Sprint(st.From, st.Reset)
				}
				if got != want {
					t.Errorf("after %q: %s and not %s", after, got, want)
				}
			}
		})
	}
}

// TestWhoReadsTooSlowlyIsCutOff has a stream that nobody reads: it ends, and all
// others go on.
func TestWhoReadsTooSlowlyIsCutOff(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	ctx, svc := context.Background(), newService(s)
	ada := &models.User{Username: "ada", Active: true, SuperAdmin: true}
	inTx(t, s, func(tx *store.Tx) error { return store.Insert(tx, ada) })
	svc.hub.open = true
	stream := func() *Stream {
		st, err := svc.Subscribe(ctx, access.NewActor(ada, "", nil), Filter{}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if list, err := st.Next(ctx); err != nil || len(list) != 0 {
			t.Fatal(list, err)
		}
		return st
	}
	slow, quick := stream(), stream()
	got, rounds := 0, 0
	for ; got <= backlog; rounds++ {
		inTx(t, s, func(tx *store.Tx) error {
			for range chunk {
				if err := store.Insert(tx, &models.Order{Status: models.OrderCart, OwnerID: ada.ID}); err != nil {
					return err
				}
			}
			return nil
		})
		if _, err := svc.relay(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := svc.feed(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := quick.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got += len(list)
	}
	if _, err := slow.Next(ctx); !errors.Is(err, ErrSlow) {
		t.Errorf("after %d events: %v", got, err)
	}
	if len(slow.pending) > 0 {
		t.Errorf("%d events are kept for nobody", len(slow.pending))
	}
	slow.Close()
	for range mostStreams - 1 {
		stream()
	}
	if _, err := svc.Subscribe(ctx, access.NewActor(ada, "", nil), Filter{}, "", ""); !fault.Is(err, fault.Limited) {
		t.Errorf("one stream more than there may be: %v", err)
	}
	svc.endAll()
	quick.Close()
	if n := svc.Streams(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]int{"*": len(Types), "job.*": 6, "job.ended": 1, "job": 0, "jo*": 0, "": 0, ".*": 0, "job.end*": 0} {
		n := 0
		for _, x := range Types {
			if selects(pattern, x.Name) {
				n++
			}
		}
		if n != want || Known(pattern) != (want > 0) {
			t.Errorf("%q selects %d types", pattern, n)
		}
	}
	var names []string
	for _, x := range Types {
		if !slices.Contains(Objects, x.Object) || x.Doc == "" {
			t.Errorf("%+v", x)
		}
		names = append(names, x.Name)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("a type is there twice: %q", names)
	}
}
