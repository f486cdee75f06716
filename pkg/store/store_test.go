package store_test

import (
	"errors"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func newGroup(t *testing.T, s *store.Store, name string) *models.Group {
	t.Helper()
	g := &models.Group{Name: name}
	if err := s.InTx(t.Context(), func(tx *store.Tx) error { return store.Insert(tx, g) }); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRowsRoundTrip(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := newGroup(t, s, "Größe")
		got, err := store.First[models.Group](s.Read(t.Context()).Where("id = ?", g.ID))
		if err != nil {
			t.Fatal(err)
		}
		if !got.CreatedAt.Equal(g.CreatedAt) || got.CreatedAt.Location().String() != "UTC" && got.CreatedAt.UTC() != g.CreatedAt {
			t.Errorf("created at %v, wrote %v", got.CreatedAt, g.CreatedAt)
		}
		if got.Name != "Größe" || got.ParentID != 0 || got.Version != 1 || got.UUID == "" || got.GlobalID == "" {
			t.Errorf("read %+v", got)
		}
	})
}

func TestSaveRefusesAStaleRow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := newGroup(t, s, "A")
		other := *g
		save := func(g *models.Group, name string) error {
			g.Name = name
			return s.InTx(t.Context(), func(tx *store.Tx) error { return store.Save(tx, g) })
		}
		if err := save(g, "B"); err != nil {
			t.Fatal(err)
		}
		if err := save(&other, "C"); !errors.Is(err, store.ErrStale) || !fault.Is(err, fault.Conflict) {
			t.Errorf("saving a stale row: %v", err)
		}
		got, err := store.First[models.Group](s.Read(t.Context()).Where("id = ?", g.ID))
		if err != nil || got.Name != "B" || got.Version != 2 {
			t.Errorf("read %+v, %v", got, err)
		}
	})
}

func TestDriverErrorsBecomeFaults(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		newGroup(t, s, "A")
		err := s.InTx(t.Context(), func(tx *store.Tx) error { return store.Insert(tx, &models.Group{Name: "A"}) })
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("a doubled name: %v", err)
		}
		err = s.InTx(t.Context(), func(tx *store.Tx) error { return store.Insert(tx, &models.Group{Name: "B", ParentID: 99}) })
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("a parent that does not exist: %v", err)
		}
		if _, err = store.First[models.Group](s.Read(t.Context()).Where("id = 99")); !fault.Is(err, fault.NotFound) {
			t.Errorf("an absent row: %v", err)
		}
	})
}

func TestRollbackLeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		told := false
		heard := 0
		s.OnSignal(func(string, string) { heard++ })
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			tx.OnCommit(func() { told = true })
			tx.Signal("groups", 1)
			if err := store.Insert(tx, &models.Group{Name: "A"}); err != nil {
				return err
			}
			return fault.Invalidf("no")
		})
		if !fault.Is(err, fault.Invalid) || told || heard != 0 {
			t.Errorf("rolled back with %v, told %v, heard %d", err, told, heard)
		}
		var n int64
		if err := s.Read(t.Context()).Table("groups").Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%d groups, %v", n, err)
		}
	})
}

func TestSignalsReachAnotherProcess(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			here, there := storetest.Open(t, at), storetest.Open(t, at)
			heard := make(chan string, 10)
			there.OnSignal(func(topic, key string) {
				if topic != "" {
					heard <- topic + " " + key
				}
			})
			there.Listen()
			for deadline := time.Now().Add(time.Minute); !there.SignalsLive() && time.Now().Before(deadline); {
				time.Sleep(5 * time.Millisecond)
			}
			if err := here.InTx(t.Context(), func(tx *store.Tx) error { tx.Signal("groups", 7); return nil }); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-heard:
				if got != "groups 7" {
					t.Errorf("heard %q", got)
				}
			case <-time.After(time.Minute):
				t.Error("heard nothing")
			}
		})
	}
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Migrated(t.Context()); !ok || err != nil {
			t.Errorf("migrated %v, %v", ok, err)
		}
	})
}
