package catalog_test

import (
	"context"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

// goods is a catalogue in one process; two of them may share a database.
type goods struct {
	store   *store.Store
	catalog *catalog.Service
}

func newGoods(t *testing.T, url string, listen bool) goods {
	t.Helper()
	s := storetest.Open(t, url)
	if err := tenancy.Bootstrap(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if listen {
		s.Listen()
		eventually(t, "signals are heard", s.SignalsLive)
	}
	return goods{s, catalog.New(s, refdata.New(s), nil, func(p string) (string, error) { return p, nil })}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

var admin = access.Actor{ID: 1, Username: "admin", SuperAdmin: true}

// size looks a size up as an order does.
func (x goods) size(t *testing.T, id models.ID) (size *models.Size, err error) {
	t.Helper()
	_ = x.store.InTx(t.Context(), func(tx *store.Tx) error {
		size, err = x.catalog.Size(tx, id)
		return nil
	})
	return size, err
}

func (x goods) change(t *testing.T, id models.ID, cpus int) {
	t.Helper()
	_, err := x.catalog.Sizes.Update(t.Context(), admin, id.String(), func(s *models.Size) error { s.CPUs = cpus; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func eachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, url(t))
		})
	}
}

func newSize(t *testing.T, x goods) models.ID {
	t.Helper()
	s := &models.Size{Name: "small", CPUs: 1, MemoryMB: 1024}
	if err := x.catalog.Sizes.Create(t.Context(), admin, s); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

// The next order in the same process sees a change at once, and orders in another process as soon as its
// signal has arrived.
func TestChangesReachTheCache(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		here, there := newGoods(t, url, true), newGoods(t, url, true)
		id := newSize(t, here)
		for n := 2; n < 6; n++ {
			for _, x := range []goods{here, there} {
				if _, err := x.size(t, id); err != nil {
					t.Fatal(err)
				}
			}
			here.change(t, id, n)
			if s, err := here.size(t, id); err != nil || s.CPUs != n {
				t.Fatalf("after the change to %d there is %+v, %v", n, s, err)
			}
			eventually(t, "the other process sees the change", func() bool {
				s, err := there.size(t, id)
				return err == nil && s.CPUs == n
			})
		}
		if err := here.catalog.Sizes.Delete(t.Context(), admin, id.String()); err != nil {
			t.Fatal(err)
		}
		if _, err := here.size(t, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("a size that was deleted: %v", err)
		}
	})
}

// Without signals every order reads the catalogue from the database.
func TestNothingIsKeptWithoutSignals(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		here, deaf := newGoods(t, url, true), newGoods(t, url, false)
		id := newSize(t, here)
		for n := 2; n < 5; n++ {
			here.change(t, id, n)
			if s, err := deaf.size(t, id); err != nil || s.CPUs != n {
				t.Errorf("after the change to %d there is %+v, %v", n, s, err)
			}
		}
	})
}

// A transaction sees its own changes, and others see them only after the commit.
func TestAnUncommittedChangeIsNotKept(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		x := newGoods(t, url, true)
		id := newSize(t, x)
		if _, err := x.size(t, id); err != nil {
			t.Fatal(err)
		}
		err := x.store.InTx(t.Context(), func(tx *store.Tx) error {
			row, err := x.catalog.Sizes.FindTx(tx, admin, id.String())
			if err != nil {
				return err
			}
			row.CPUs = 7
			tx.Signal(refdata.Sizes, id)
			if err := store.Save(tx, row); err != nil {
				return err
			}
			if s, err := x.catalog.Size(tx, id); err != nil || s.CPUs != 7 {
				t.Errorf("the transaction sees %+v, %v", s, err)
			}
			return context.Canceled
		})
		if err == nil {
			t.Fatal("the transaction was to fail")
		}
		if s, err := x.size(t, id); err != nil || s.CPUs != 1 {
			t.Errorf("afterwards there is %+v, %v", s, err)
		}
	})
}

// Callers get a copy: their changes to it do not affect later callers.
func TestAnswersAreCopies(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		x := newGoods(t, url, true)
		id := newSize(t, x)
		for range 3 {
			s, err := x.size(t, id)
			if err != nil || s.CPUs != 1 {
				t.Fatalf("there is %+v, %v", s, err)
			}
			s.CPUs = 99
		}
	})
}
