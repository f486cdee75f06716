package store_test

import (
	"testing"
	"time"

	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// A lease belongs to one holder until it expires or is released.
func TestHold(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for i, step := range []struct {
			holder string
			length time.Duration
			mine   bool
		}{
			{"one", time.Hour, true},
			{"two", time.Hour, false},
			{"one", time.Hour, true}, // extended
			{"two", 0, false},
			{"one", 0, true}, // released
			{"two", time.Hour, true},
			{"one", time.Hour, false},
		} {
			mine, err := s.AcquireLease(t.Context(), "sweeping", step.holder, step.length)
			if err != nil || mine != step.mine {
				t.Errorf("%d: %+v: %v %v", i, step, mine, err)
			}
		}
		if mine, err := s.AcquireLease(t.Context(), "dusting", "one", time.Hour); err != nil || !mine {
			t.Errorf("another duty: %v %v", mine, err)
		}
	})
}
