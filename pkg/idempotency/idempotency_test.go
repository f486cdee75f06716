package idempotency_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// clock is one that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is the service on a database, as two processes have it.
type rig struct {
	*clock
	store *store.Store
	here  *idempotency.Service
	there *idempotency.Service
	alice access.Actor
	bob   access.Actor
}

func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Helper()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{clock: &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}}
			at := url(t)
			open := func() (*store.Store, *idempotency.Service) {
				s, err := store.Open(t.Context(), store.Config{URL: at, Clock: r.read, MaxConns: 4})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return s, idempotency.New(s, seal, unseal)
			}
			r.store, r.here = open()
			_, r.there = open()
			r.alice, r.bob = r.user(t, "alice"), r.user(t, "bob")
			fn(t, r)
		})
	}
}

const sealed = "sealed:"

func seal(text string) (string, error) { return sealed + strings.ToUpper(text), nil }

func unseal(text string) (string, error) {
	text, ok := strings.CutPrefix(text, sealed)
	if !ok {
		return "", errors.New("it was not sealed")
	}
	return strings.NewReplacer("TYPE", "type", "LOCATION", "location", "BODY", "body").Replace(text), nil
}

func (r *rig) user(t *testing.T, name string) access.Actor {
	t.Helper()
	u := &models.User{Username: name, Active: true}
	if err := r.store.InTx(t.Context(), func(tx *store.Tx) error { return store.Insert(tx, u) }); err != nil {
		t.Fatal(err)
	}
	return access.NewActor(u, "", nil)
}

// effect makes a group and answers.
func (r *rig) effect(name string, answer idempotency.Answer) func(context.Context) (idempotency.Answer, error) {
	return func(ctx context.Context) (idempotency.Answer, error) {
		err := r.store.InTx(ctx, func(tx *store.Tx) error { return store.Insert(tx, &models.Group{Name: name}) })
		return answer, err
	}
}

func (r *rig) groups(t *testing.T) (n int64) {
	t.Helper()
	if err := r.store.Read(t.Context()).Table("groups").Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	request = idempotency.Request{Method: "POST", Target: "/groups", Key: "k", Digest: "one"}
	created = idempotency.Answer{Status: 201, ContentType: "A/B", Location: "/GROUPS/1"}
)

func never(context.Context) (idempotency.Answer, error) {
	return idempotency.Answer{}, errors.New("it ran a second time")
}

func TestARequestHappensOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		answer, replayed, err := r.here.Do(t.Context(), r.alice, request, r.effect("A", created))
		if err != nil || replayed || !cmp.Equal(answer, created) {
			t.Fatalf("%+v, %v, %v", answer, replayed, err)
		}
		r.forward(idempotency.Lifetime - time.Second)
		answer, replayed, err = r.there.Do(t.Context(), r.alice, request, never)
		if err != nil || !replayed || !cmp.Equal(answer, created) {
			t.Errorf("again: %+v, %v, %v", answer, replayed, err)
		}
		other := request
		other.Digest = "two"
		if _, _, err := r.there.Do(t.Context(), r.alice, other, never); !errors.Is(err, idempotency.ErrReused) || !fault.Is(err, fault.Invalid) {
			t.Errorf("another body: %v", err)
		}
		// Another caller, another place: another request.
		if _, replayed, err := r.there.Do(t.Context(), r.bob, request, r.effect("B", created)); err != nil || replayed {
			t.Errorf("another caller: %v, %v", replayed, err)
		}
		elsewhere := request
		elsewhere.Target = "/groups?dry-run=1"
		if _, replayed, err := r.there.Do(t.Context(), r.alice, elsewhere, r.effect("C", created)); err != nil || replayed {
			t.Errorf("another target: %v, %v", replayed, err)
		}
		if n := r.groups(t); n != 3 {
			t.Errorf("%d groups", n)
		}
		// After its time the key is new, whether it was removed or not.
		r.forward(2 * time.Second)
		if _, replayed, err := r.here.Do(t.Context(), r.alice, other, r.effect("D", created)); err != nil || replayed {
			t.Errorf("a day later: %v, %v", replayed, err)
		}
		r.forward(idempotency.Lifetime + time.Second)
		if n, err := r.here.Sweep(t.Context()); err != nil || n != 3 {
			t.Errorf("removed %d, %v", n, err)
		}
	})
}

func TestARequestThatFails(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		refused := fault.Conflictf("no")
		// What it did is not kept, its answer is.
		_, _, err := r.here.Do(t.Context(), r.alice, request, func(ctx context.Context) (idempotency.Answer, error) {
			_, err := r.effect("A", created)(ctx)
			return idempotency.Answer{Status: 409}, errors.Join(err, refused)
		})
		if !errors.Is(err, refused) {
			t.Errorf("the error is %v", err)
		}
		if answer, replayed, err := r.there.Do(t.Context(), r.alice, request, never); err != nil || !replayed || answer.Status != 409 {
			t.Errorf("again: %+v, %v, %v", answer, replayed, err)
		}
		// Without an answer, be it by a panic, the request is free at once.
		free := request
		free.Key = "free"
		if _, _, err := r.here.Do(t.Context(), r.alice, free, never); err == nil {
			t.Error("no error")
		}
		func() {
			defer func() { _ = recover() }()
			_, _, _ = r.here.Do(t.Context(), r.alice, free, func(ctx context.Context) (idempotency.Answer, error) {
				_, _ = r.effect("B", created)(ctx)
				panic("a mistake")
			})
		}()
		if n := r.groups(t); n != 0 {
			t.Errorf("%d groups", n)
		}
		if _, replayed, err := r.there.Do(t.Context(), r.alice, free, r.effect("C", created)); err != nil || replayed {
			t.Errorf("free again: %v, %v", replayed, err)
		}
	})
}

// While one process answers, the others say so; when it dies its claim ends with
// the lease, and should it come late after all, it changes nothing.
func TestTakeover(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		_, _, err := r.here.Do(t.Context(), r.alice, request, func(context.Context) (idempotency.Answer, error) {
			if _, _, err := r.there.Do(t.Context(), r.alice, request, never); !errors.Is(err, idempotency.ErrRunning) || !fault.Is(err, fault.Conflict) {
				t.Errorf("while it runs: %v", err)
			}
			other := request
			other.Digest = "two"
			if _, _, err := r.there.Do(t.Context(), r.alice, other, never); !errors.Is(err, idempotency.ErrReused) {
				t.Errorf("another body while it runs: %v", err)
			}
			r.forward(idempotency.Lease)
			// The process is thought dead, and the other one does the work.
			_, replayed, err := r.there.Do(t.Context(), r.alice, request, r.effect("there", created))
			if err != nil || replayed {
				t.Errorf("after the lease: %v, %v", replayed, err)
			}
			return created, nil
		})
		if !errors.Is(err, idempotency.ErrLost) || !fault.Is(err, fault.Conflict) {
			t.Errorf("the late one: %v", err)
		}
		late := request
		late.Key = "late"
		_, _, err = r.here.Do(t.Context(), r.alice, late, func(ctx context.Context) (idempotency.Answer, error) {
			r.forward(idempotency.Lease)
			if _, _, err := r.there.Do(t.Context(), r.alice, late, func(context.Context) (idempotency.Answer, error) { return created, nil }); err != nil {
				t.Error(err)
			}
			return r.effect("late", created)(ctx)
		})
		if !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("the late one: %v", err)
		}
		if n := r.groups(t); n != 1 {
			t.Errorf("%d groups", n)
		}
		if _, replayed, err := r.here.Do(t.Context(), r.alice, late, never); err != nil || !replayed {
			t.Errorf("again: %v, %v", replayed, err)
		}
	})
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, good := range map[string]bool{
		"a": true, "8e03978e-40d5-43dd-bc93-6894a57f9324": true, "with space": true, strings.Repeat("k", 255): true,
		"": false, strings.Repeat("k", 256): false, "caf\u00e9": false, "a\tb": false, "a\x00": false, "\x7f": false,
	} {
		if err := idempotency.CheckKey(key); (err == nil) != good || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
