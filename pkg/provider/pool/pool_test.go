package pool

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// opened is a provider that records whether it was closed.
type opened struct {
	*simulated.Provider
	config provider.Config
	closed chan struct{}
}

func (o *opened) Close(context.Context) error { close(o.closed); return nil }

func (o *opened) open() bool {
	select {
	case <-o.closed:
		return false
	default:
		return true
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h := &models.ResourceHandler{Name: "H", Kind: models.HandlerSimulated, URL: "a", Password: "sealed"}
		odd := &models.ResourceHandler{Name: "Odd", Kind: models.HandlerVSphere}
		save := func(change func()) {
			t.Helper()
			err := s.InTx(t.Context(), func(tx *store.Tx) error { change(); return store.Save(tx, h) })
			if err != nil {
				t.Fatal(err)
			}
		}
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return errors.Join(store.Insert(tx, h), store.Insert(tx, odd)) })
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		opens := 0
		p := New(s, map[models.HandlerKind]func(provider.Config) (provider.Provider, error){
			models.HandlerSimulated: func(c provider.Config) (provider.Provider, error) {
				mu.Lock()
				defer mu.Unlock()
				opens++
				if c.URL == "broken" {
					return nil, fault.New(fault.Unavailable, "Broken.")
				}
				return &opened{Provider: simulated.New(c, simulated.NewCloud(simulated.Options{})), config: c, closed: make(chan struct{})}, nil
			},
		}, func(s string) (string, error) {
			if s != "sealed" {
				return "", errors.New("bad seal")
			}
			return "secret", nil
		})
		p.closeDelay = 10 * time.Millisecond
		get := func() *opened {
			t.Helper()
			made, _, err := p.For(t.Context(), h.ID)
			if err != nil {
				t.Fatal(err)
			}
			return made.(*opened)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, _, err := p.For(t.Context(), h.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		first := get()
		if opens != 1 || first.config.Password != "secret" || first.config.URL != "a" {
			t.Errorf("opened %d times, with %+v", opens, first.config)
		}
		save(func() { h.Product = "Cloud 1" })
		if get() != first {
			t.Error("opened again for nothing")
		}
		save(func() { h.URL = "b" })
		second := get()
		if second == first || second.config.URL != "b" {
			t.Errorf("still %+v", second.config)
		}
		select {
		case <-first.closed:
		case <-time.After(time.Minute):
			t.Error("the old one stays open")
		}
		save(func() { h.URL = "broken" })
		if _, _, err := p.For(t.Context(), h.ID); !fault.Is(err, fault.Unavailable) {
			t.Errorf("broken: %v", err)
		}
		save(func() { h.Password = "garbage" })
		if _, _, err := p.For(t.Context(), h.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("bad seal: %v", err)
		}
		if _, _, err := p.For(t.Context(), odd.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("an unknown kind: %v", err)
		}
		if _, _, err := p.For(t.Context(), 99); !fault.Is(err, fault.NotFound) {
			t.Errorf("no handler: %v", err)
		}
		if !second.open() {
			t.Error("closed too early")
		}
		if err := p.Close(t.Context()); err != nil || second.open() {
			t.Errorf("open after Close, %v", err)
		}
		if _, _, err := p.For(t.Context(), h.ID); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
}
