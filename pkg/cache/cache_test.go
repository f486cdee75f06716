package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// has reports whether the key is in the cache.
func has[V any](c *cache.Cache[string, V], key string) bool {
	_, ok := c.Get(key, noon)
	return ok
}

func TestLoadKeepsUntilPurge(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](10)
	if has(c, "a") {
		t.Error("an empty cache has an entry")
	}
	v, err := c.Load("a", func() (int, error) { return 1, nil })
	if got, ok := c.Get("a", noon); err != nil || v != 1 || got != 1 || !ok {
		t.Errorf("loaded %d, %v; kept %d, %v", v, err, got, ok)
	}
	failure := errors.New("no answer")
	if _, err := c.Load("b", func() (int, error) { return 2, failure }); !errors.Is(err, failure) || has(c, "b") {
		t.Errorf("an error is kept, or lost: %v", err)
	}
	c.Delete("a")
	if has(c, "a") {
		t.Error("the entry is there after Delete")
	}
	c.Put("a", 3, time.Time{})
	c.Purge()
	if n := c.Len(); n != 0 {
		t.Errorf("%d entries after Purge", n)
	}
}

func TestEntriesEndAtTheirLimit(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](10)
	c.Put("a", 1, noon.Add(time.Second))
	for at, want := range map[time.Time]bool{noon: true, noon.Add(time.Second): false, noon.Add(time.Hour): false} {
		if _, ok := c.Get("a", at); ok != want {
			t.Errorf("at %v: %v", at, ok)
		}
	}
}

// A value that is read while the cache is purged may be the old one, and is not kept.
func TestValueReadDuringPurgeIsNotKept(t *testing.T) {
	t.Parallel()
	c := cache.New[string, string](10)
	reading, changed := make(chan struct{}), make(chan struct{})
	var got string
	var wg sync.WaitGroup
	wg.Go(func() {
		got, _ = c.Load("a", func() (string, error) {
			close(reading)
			<-changed
			return "old", nil
		})
	})
	<-reading // Load holds no lock: the others go on
	c.Put("b", "other", time.Time{})
	if !has(c, "b") {
		t.Error("another entry cannot be used during a Load")
	}
	c.Purge()
	close(changed)
	wg.Wait()
	if got != "old" {
		t.Errorf("the caller, who asked before the purge, got %q", got)
	}
	if has(c, "a") {
		t.Error("the old value is kept")
	}
	if _, err := c.Load("a", func() (string, error) { return "new", nil }); err != nil || !has(c, "a") {
		t.Errorf("what was read after the purge is not kept, %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](100)
	c.Put("first", 0, noon.Add(time.Hour))
	c.Put("unlimited", 0, time.Time{})
	for i := range 1000 {
		c.Put(fmt.Sprint(i), i, noon.Add(time.Minute))
	}
	if n := c.Len(); n != 100 {
		t.Errorf("%d entries of at most 100", n)
	}
	// Of eight entries one of those that end first goes.
	if !has(c, "first") || !has(c, "unlimited") {
		t.Error("an entry was dropped for one that ends sooner")
	}
	if !has(c, "999") {
		t.Error("the newest entry is missing")
	}
	c.Put("999", -1, time.Time{})
	if n := c.Len(); n != 100 {
		t.Errorf("writing an entry again leaves %d", n)
	}
}

// row is a row of a table, as a store has it.
type row struct {
	id, owner models.ID
	name      string
}

func listening(t *testing.T, s *store.Store) {
	t.Helper()
	s.Listen()
	for deadline := time.Now().Add(time.Minute); !s.SignalsLive(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no signals are heard")
		}
	}
}

// signal commits a transaction that announces a change.
func signal(t *testing.T, s *store.Store, topic string, key models.ID) {
	t.Helper()
	err := s.InTx(context.Background(), func(tx *store.Tx) error { tx.Signal(topic, key); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignalsDropEntries(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		all := cache.OfTables[string](10, cache.Tables[row]{Store: s, Topics: []string{"sizes", "os_builds"}})
		owned := cache.OfTables[string](10, cache.Tables[row]{Store: s, Topics: []string{"sessions"}, Owner: func(r row) models.ID { return r.owner }})
		fill := func() {
			for _, c := range []*cache.Cache[string, row]{all, owned} {
				for key, owner := range map[string]models.ID{"a": 1, "b": 2} {
					if _, err := c.Load(key, func() (row, error) { return row{owner: owner}, nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		fill()
		if all.Len() != 0 || has(all, "a") {
			t.Error("something is kept though no signals are heard")
		}
		listening(t, s)
		for _, step := range []struct {
			topic     string
			key       models.ID
			all, a, b bool // what is left: of all, and of owners 1 and 2
		}{
			{"groups", 1, true, true, true},
			{"sizes", 1, false, true, true},
			{"os_builds", 0, false, true, true},
			{"sessions", 1, true, false, true},
			{"sessions", 2, true, true, false},
			{"sessions", 3, true, true, true},
			{"sessions", 0, true, false, false},
			{"", 0, false, false, false}, // some signals may have been missed
		} {
			fill()
			key := "" // as the store hands it on
			if step.key != 0 {
				key = step.key.String()
			}
			cache.Signal(all, step.topic, key)
			cache.Signal(owned, step.topic, key)
			if got := has(all, "a"); got != step.all {
				t.Errorf("%s %d: %v is left", step.topic, step.key, got)
			}
			if a, b := has(owned, "a"), has(owned, "b"); a != step.a || b != step.b {
				t.Errorf("%s %d: of owner 1 %v is left, of owner 2 %v", step.topic, step.key, a, b)
			}
		}
	})
}

// The change of a row is announced while another process reads it: what was read is
// not kept, whether the signal names its owner, another owner, or none.
func TestValueReadDuringSignalIsNotKept(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		listening(t, s)
		c := cache.OfTables[string](10, cache.Tables[row]{Store: s, Topics: []string{"sessions"}, Owner: func(r row) models.ID { return r.owner }})
		for _, key := range []models.ID{0, 1, 2} {
			reading, changed := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = c.Load("a", func() (row, error) {
					close(reading)
					<-changed
					return row{owner: 1}, nil
				})
			})
			<-reading
			signal(t, s, "sessions", key)
			close(changed)
			wg.Wait()
			if has(c, "a") {
				t.Errorf("signal of %d: the old row is kept", key)
			}
		}
	})
}

func TestRow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		listening(t, s)
		c := cache.OfTables[models.ID](10, cache.Tables[row]{Store: s, Topics: []string{"sizes"}})
		reads := 0
		get := func(tx *store.Tx, name string) *row {
			t.Helper()
			r, err := cache.Row(c, tx, 1, func() (*row, error) { reads++; return &row{id: 1, name: name}, nil })
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		read := s.Read(t.Context())
		get(read, "one").name = "changed by the caller"
		if r := get(read, "two"); r.name != "one" || reads != 1 {
			t.Errorf("read %d times, the row is %+v", reads, r)
		}
		// A transaction that has changed the table sees what others may not.
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			if r := get(tx, "two"); r.name != "one" {
				t.Errorf("before its change a transaction gets %+v", r)
			}
			tx.Signal("sizes", 1)
			if r := get(tx, "uncommitted"); r.name != "uncommitted" {
				t.Errorf("after its change a transaction gets %+v", r)
			}
			if r := get(read, "two"); r.name != "one" {
				t.Errorf("before the commit others get %+v", r)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := get(read, "committed"); r.name != "committed" {
			t.Errorf("after the commit others get %+v", r)
		}
		failure := errors.New("no answer")
		if _, err := cache.Row(c, read, 2, func() (*row, error) { return nil, failure }); !errors.Is(err, failure) {
			t.Errorf("an error is lost: %v", err)
		}
	})
}

// The parts of a unit of work are one transaction: what one of them changed, the next
// does not keep before the commit.
func TestRowInUnitOfWork(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		listening(t, s)
		c := cache.OfTables[models.ID](10, cache.Tables[row]{Store: s, Topics: []string{"sizes"}})
		get := func(tx *store.Tx, name string) string {
			t.Helper()
			r, err := cache.Row(c, tx, 1, func() (*row, error) { return &row{name: name}, nil })
			if err != nil {
				t.Fatal(err)
			}
			return r.name
		}
		ctx, unit := s.UnitOfWork(t.Context())
		defer unit.Rollback()
		if err := s.InTx(ctx, func(tx *store.Tx) error { tx.Signal("sizes", 1); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := s.InTx(ctx, func(tx *store.Tx) error { get(tx, "uncommitted"); return nil }); err != nil {
			t.Fatal(err)
		}
		get(s.Read(ctx), "uncommitted")
		unit.Rollback()
		if name := get(s.Read(t.Context()), "committed"); name != "committed" {
			t.Errorf("others get what was rolled back: %s", name)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](50)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				key := fmt.Sprint((i * (g + 1)) % 200)
				if _, ok := c.Get(key, noon); !ok {
					_, _ = c.Load(key, func() (int, error) { return i, nil })
				}
				switch i % 100 {
				case 0:
					c.Purge()
				case 50:
					c.Delete(key)
				}
			}
		})
	}
	wg.Wait()
	if n := c.Len(); n > 50 {
		t.Errorf("%d entries of at most 50", n)
	}
}

func BenchmarkGet(b *testing.B) {
	c := cache.New[models.ID, row](8192)
	for id := range models.ID(8192) {
		c.Put(id, row{id: id}, time.Time{})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(4711, noon); !ok {
			b.Fatal("missing")
		}
	}
}

// BenchmarkPurgeOwner is what the end of a session costs those of all others.
func BenchmarkPurgeOwner(b *testing.B) {
	s := storetest.SQLite(b)
	c := cache.OfTables[models.ID](4096, cache.Tables[row]{Store: s, Topics: []string{"sessions"}, Owner: func(r row) models.ID { return r.owner }})
	for id := range models.ID(4096) {
		c.Put(id, row{owner: id}, time.Time{})
	}
	b.ResetTimer()
	for b.Loop() {
		cache.Signal(c, "sessions", "5000")
	}
}
