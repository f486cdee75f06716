package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func insert(ctx context.Context, s *store.Store, name string) error {
	return s.InTx(ctx, func(tx *store.Tx) error {
		tx.Signal("groups", 0)
		return store.Insert(tx, &models.Group{Name: name})
	})
}

func names(t *testing.T, tx *store.Tx) []string {
	t.Helper()
	var list []string
	if err := tx.Table("groups").Order("name").Pluck("name", &list).Error; err != nil {
		t.Fatal(err)
	}
	return list
}

func TestUnitIsKeptAsAWhole(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		heard := 0
		s.OnSignal(func(string, string) { heard++ })
		ctx, unit := s.UnitOfWork(t.Context())
		told := 0
		if err := s.InTx(ctx, func(tx *store.Tx) error {
			tx.OnCommit(func() { told++ })
			return store.Insert(tx, &models.Group{Name: "A"})
		}); err != nil {
			t.Fatal(err)
		}
		// A failed part leaves the others, also if the database rejected it.
		if err := insert(ctx, s, "A"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a doubled name: %v", err)
		}
		if err := insert(ctx, s, "B"); err != nil {
			t.Fatal(err)
		}
		if got := names(t, s.Read(ctx)); !slices.Equal(got, []string{"A", "B"}) {
			t.Errorf("within the unit there is %v", got)
		}
		if got := names(t, s.ReadOutsideTx(t.Context())); len(got) != 0 {
			t.Errorf("others see %v before the commit", got)
		}
		if told != 0 || heard != 0 {
			t.Errorf("told %d, heard %d before the commit", told, heard)
		}
		if err := unit.Commit(func(tx *store.Tx) error { return store.Insert(tx, &models.Group{Name: "C"}) }); err != nil {
			t.Fatal(err)
		}
		unit.Rollback()
		if got := names(t, s.Read(t.Context())); !slices.Equal(got, []string{"A", "B", "C"}) {
			t.Errorf("there is %v", got)
		}
		if told != 1 || heard != 1 {
			t.Errorf("told %d, heard %d", told, heard)
		}
	})
}

func TestUnitIsDroppedAsAWhole(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for name, end := range map[string]func(*store.UnitOfWork) error{
			"rollback": func(u *store.UnitOfWork) error { u.Rollback(); return errors.New("dropped") },
			"a last part that fails": func(u *store.UnitOfWork) error {
				return u.Commit(func(*store.Tx) error { return fault.Conflictf("no") })
			},
		} {
			ctx, unit := s.UnitOfWork(t.Context())
			if err := insert(ctx, s, "A"); err != nil {
				t.Fatal(err)
			}
			if err := end(unit); err == nil {
				t.Errorf("%s: no error", name)
			}
			if got := names(t, s.Read(t.Context())); len(got) != 0 {
				t.Errorf("%s: there is %v", name, got)
			}
			// The connection is usable by others.
			if err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Exec("SELECT 1").Error }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestUnitOfNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		_, unit := s.UnitOfWork(t.Context())
		if err := unit.Commit(); err != nil {
			t.Error(err)
		}
		ctx, unit := s.UnitOfWork(t.Context())
		defer unit.Rollback()
		// Nothing is locked before the first transaction: others can write.
		if got := names(t, s.Read(ctx)); len(got) != 0 {
			t.Errorf("there is %v", got)
		}
		if err := insert(t.Context(), s, "A"); err != nil {
			t.Error(err)
		}
	})
}

func TestExpectationIsHeldOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := newGroup(t, s, "A")
		var list []string
		check := func(name string, want int64) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				list = append(list, name)
				row, err := store.First[models.Group](tx.ForUpdate().Where("id = ?", g.ID))
				if err == nil && row.Version != want {
					err = fault.New(fault.Precondition, "It has version %d.", row.Version)
				}
				return err
			}
		}
		rename := func(ctx context.Context, name string) error {
			return s.InTx(ctx, func(tx *store.Tx) error {
				row, err := store.First[models.Group](tx.Where("id = ?", g.ID))
				if err != nil {
					return err
				}
				row.Name = name
				return store.Save(tx, row)
			})
		}
		stale := store.WithPrecondition(t.Context(), check("stale", 7))
		if err := rename(stale, "B"); !fault.Is(err, fault.Precondition) {
			t.Errorf("a stale precondition: %v", err)
		}
		// Its own changes do not break it, and a nested one checks both.
		good := store.WithPrecondition(store.WithPrecondition(t.Context(), check("outer", 1)), check("inner", 1))
		for _, name := range []string{"C", "D"} {
			if err := rename(good, name); err != nil {
				t.Error(err)
			}
		}
		if want := []string{"stale", "outer", "inner"}; !slices.Equal(list, want) {
			t.Errorf("checked %v, not %v", list, want)
		}
		if got := names(t, s.Read(t.Context())); !slices.Equal(got, []string{"D"}) {
			t.Errorf("there is %v", got)
		}
	})
}
