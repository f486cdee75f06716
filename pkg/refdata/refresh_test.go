package refdata

import (
	"context"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// between is a context whose first Err outside of the lock calls change: that is after
// a refresh, and before the copy is read.
type between struct {
	context.Context
	copy   *Cache
	change func()
}

func (b *between) Err() error {
	if b.change != nil && b.copy.mu.TryLock() {
		b.copy.mu.Unlock()
		change := b.change
		b.change = nil
		change()
	}
	return b.Context.Err()
}

// A change that is announced between the refresh of the copy and its use is read, too,
// whether or not the changes of other processes are heard.
func TestChangeAfterRefreshIsRead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, listening := range []bool{false, true} {
			if listening {
				s.Listen()
				for end := time.Now().Add(time.Minute); !s.SignalsLive(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("no signals are heard")
					}
				}
			}
			d := New(s)
			u := &models.User{Username: map[bool]string{false: "early", true: "late"}[listening], Active: true}
			changes := 0
			ctx := &between{Context: t.Context(), copy: d, change: func() {
				changes++
				err := s.InTx(t.Context(), func(tx *store.Tx) error {
					tx.Signal(Users, 0)
					return store.Insert(tx, u)
				})
				if err != nil {
					t.Error(err)
				}
			}}
			if _, err := d.UserByName(ctx, u.Username); err != nil || changes != 1 {
				t.Errorf("listening %v: after %d changes the user is not there: %v", listening, changes, err)
			}
		}
	})
}

// Who returns up does not wait for tables that change all the time.
func TestRefreshEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := New(s)
		ctx, cancel := context.WithCancel(t.Context())
		giving := &between{Context: ctx, copy: d, change: func() { d.forget(Users); cancel() }}
		if _, err := d.UserByName(giving, "x"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%v", err)
		}
	})
}
