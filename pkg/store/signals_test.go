package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// ear records the keys that a store receives for a topic.
type ear struct {
	mu   sync.Mutex
	keys map[string]int
}

func listen(s *store.Store, topic string) *ear {
	e := &ear{keys: map[string]int{}}
	s.OnSignal(func(t, key string) {
		if t != topic {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.keys[key]++
	})
	return e
}

func (e *ear) heard() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.keys)
}

func TestOtherProcessesHearHints(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			here, there := storetest.Open(t, url), storetest.Open(t, url)
			there.Listen()
			within(t, "it listens", there.SignalsLive)
			own, other := listen(here, "topic"), listen(there, "topic")

			const many = 2000 // more than fit into one notification
			refused := errors.New("no")
			err := here.InTx(t.Context(), func(tx *store.Tx) error {
				tx.Hint("topic", "of-nothing")
				return refused
			})
			if !errors.Is(err, refused) {
				t.Fatal(err)
			}
			ctx, unit := here.UnitOfWork(t.Context())
			err = here.InTx(ctx, func(tx *store.Tx) error {
				for i := range many {
					tx.Hint("topic", fmt.Sprintf("key-%d", i))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := own.heard(); n != 0 {
				t.Errorf("%d hints before the commit", n)
			}
			if err := unit.Commit(); err != nil {
				t.Fatal(err)
			}
			if n := own.heard(); n != many {
				t.Errorf("%d hints were heard here when the transaction had ended", n)
			}
			within(t, "they are heard there", func() bool { return other.heard() == many })
			if other.keys["of-nothing"] != 0 {
				t.Error("a transaction that was rolled back was announced")
			}
		})
	}
}

// within polls until ok, and fails the test otherwise.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
