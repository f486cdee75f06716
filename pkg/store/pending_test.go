package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func groupNames(t *testing.T, tx *store.Tx) []string {
	t.Helper()
	var list []string
	if err := tx.Model(&models.Group{}).Order("id").Pluck("name", &list).Error; err != nil {
		t.Error(err)
	}
	return list
}

// Every query of a transaction sees its deferred writes.
func TestHeldRowsAreNeverMissed(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(t *testing.T, tx *store.Tx) int{
		"gorm": func(t *testing.T, tx *store.Tx) int { return len(groupNames(t, tx)) },
		"one row": func(t *testing.T, tx *store.Tx) (n int) {
			if err := tx.Raw("SELECT count(*) FROM groups").Row().Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		},
		"an update": func(_ *testing.T, tx *store.Tx) int {
			return int(tx.Exec("UPDATE groups SET description = 'x'").RowsAffected)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				err := s.InTx(t.Context(), func(tx *store.Tx) error {
					before := look(t, tx)
					if err := tx.AllocateIDs(store.Count{Table: "groups", Rows: 2}); err != nil {
						return err
					}
					for i := range 2 {
						if err := store.Insert(tx, &models.Group{Name: fmt.Sprint("g", i)}); err != nil {
							return err
						}
						if got := look(t, tx); got != before+i+1 {
							t.Errorf("%d rows after %d were inserted, %d before", got, i+1, before)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// Reserved ids continue after the table's last id, for any number of rows, and rows come after the rows
// that they refer to.
func TestReserveManyRows(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 5, 9, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				first := newGroup(t, s, "first")
				var made []*models.Group
				err := s.InTx(t.Context(), func(tx *store.Tx) error {
					for range 2 { // ids may be reserved twice before a row is written
						if err := tx.AllocateIDs(store.Count{Table: "users", Rows: 1}, store.Count{Table: "groups", Rows: n}); err != nil {
							return err
						}
					}
					if err := store.Insert(tx, &models.User{Username: "u"}); err != nil {
						return err
					}
					parent := first.ID
					for i := range 2*n + 1 { // one more than was reserved
						g := &models.Group{Name: fmt.Sprint("g", i), ParentID: parent}
						if err := store.Insert(tx, g); err != nil {
							return err
						}
						parent, made = g.ID, append(made, g)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				rows, err := store.Find[models.Group](s.Read(t.Context()).Order("id"))
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) != len(made)+1 {
					t.Fatalf("%d rows instead of %d", len(rows), len(made)+1)
				}
				for i, g := range made {
					if r := rows[i+1]; r.ID != first.ID+models.ID(i)+1 || r.ID != g.ID || r.Name != g.Name || r.UUID != g.UUID || r.ParentID != g.ParentID || !r.CreatedAt.Equal(g.CreatedAt) {
						t.Fatalf("row %d is %+v, and %+v was inserted", i, r, *g)
					}
				}
				// The table continues after them.
				if g := newGroup(t, s, "last"); g.ID != rows[len(rows)-1].ID+1 {
					t.Errorf("the next id is %s, after %s", g.ID, rows[len(rows)-1].ID)
				}
			})
		})
	}
}

// Saving a deferred row writes it once, with its final values.
func TestSaveOfAHeldRow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := &models.Group{Name: "early"}
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			if err := tx.AllocateIDs(store.Count{Table: "groups", Rows: 1}); err != nil {
				return err
			}
			if err := store.Insert(tx, g); err != nil {
				return err
			}
			g.Name = "later"
			if err := store.Save(tx, g, "name"); err != nil {
				return err
			}
			if got := groupNames(t, tx); !slices.Contains(got, "later") || slices.Contains(got, "early") {
				t.Errorf("the groups are %q", got)
			}
			g.Name = "last"
			return store.Save(tx, g) // by now it is an ordinary row
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.First[models.Group](s.Read(t.Context()).Where("id = ?", g.ID))
		if err != nil || got.Name != "last" || got.Version != 3 || g.Version != 3 {
			t.Errorf("read %+v, %v", got, err)
		}
	})
}

// If the database rejects a deferred row, the transaction fails and leaves nothing, whether a later query
// or the commit notices.
func TestHeldRowsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(tx *store.Tx) error{
		"at the commit":  func(*store.Tx) error { return nil },
		"by a query":     func(tx *store.Tx) error { return tx.Exec("UPDATE groups SET description = 'x'").Error },
		"by a row":       func(tx *store.Tx) error { var n int; return tx.Raw("SELECT count(*) FROM groups").Row().Scan(&n) },
		"and overlooked": func(tx *store.Tx) error { _ = tx.Exec("UPDATE groups SET description = 'x'"); return nil },
		"in other words": func(tx *store.Tx) error {
			if err := tx.Exec("UPDATE groups SET description = 'x'").Error; err != nil {
				return &reworded{err}
			}
			return nil
		},
		"before a fault": func(tx *store.Tx) error {
			_ = tx.Exec("UPDATE groups SET description = 'x'")
			return errors.New("something that followed from it")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				newGroup(t, s, "taken")
				err := s.InTx(t.Context(), func(tx *store.Tx) error {
					if err := tx.AllocateIDs(store.Count{Table: "groups", Rows: 2}); err != nil {
						return err
					}
					for _, name := range []string{"free", "taken"} {
						if err := store.Insert(tx, &models.Group{Name: name}); err != nil {
							return err
						}
					}
					if err := store.Note(tx, &models.History{ObjectType: "group", ObjectID: 1, Event: "created", CreatedAt: tx.Now}); err != nil {
						return err
					}
					return then(tx)
				})
				var own *reworded
				if !fault.Is(store.Fault(err), fault.Conflict) || name == "in other words" && !errors.As(err, &own) {
					t.Errorf("the error is %v", err)
				}
				read := s.Read(t.Context())
				if got := groupNames(t, read); slices.Contains(got, "free") {
					t.Errorf("the groups are %q", got)
				}
				var n int64
				if err := s.Read(t.Context()).Model(&models.History{}).Count(&n).Error; err != nil || n != 0 {
					t.Errorf("%d lines of history, %v", n, err)
				}
			})
		})
	}
}

// reworded wraps the database's error.
type reworded struct{ error }

func (e *reworded) Unwrap() error { return e.error }

// Lines of history keep their order, among each other and after their subjects.
func TestNotesComeInOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 21
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			for i := range n {
				h := &models.History{ObjectType: "group", ObjectID: 1, Event: fmt.Sprint(i), CreatedAt: tx.Now}
				if err := store.Note(tx, h); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := store.Find[models.History](s.Read(t.Context()).Order("id"))
		if err != nil || len(rows) != n {
			t.Fatalf("%d lines, %v", len(rows), err)
		}
		for i, h := range rows {
			if h.Event != fmt.Sprint(i) {
				t.Errorf("line %d says %s", i, h.Event)
			}
		}
	})
}

// A panic in a transaction leaves neither rows nor a blocked connection.
func TestPanicInATransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for range 20 { // more than there are connections
			func() {
				defer func() { _ = recover() }()
				_ = s.InTx(t.Context(), func(tx *store.Tx) error {
					if err := store.Insert(tx, &models.Group{Name: "gone"}); err != nil {
						t.Error(err)
					}
					panic("oops")
				})
			}()
		}
		if got := groupNames(t, s.Read(t.Context())); slices.Contains(got, "gone") {
			t.Errorf("the groups are %q", got)
		}
	})
}

// Rewrite writes the given columns, with the values at the time of the call, and increments the version.
func TestRewrite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := newGroup(t, s, "first")
		err := s.InTx(t.Context(), func(tx *store.Tx) error {
			row, err := store.First[models.Group](tx.ForUpdate().Where("id = ?", g.ID))
			if err != nil {
				return err
			}
			row.Name, row.Description, row.UUID = "second", "unsaid", "other"
			if err := store.Rewrite(tx, row, "name"); err != nil {
				return err
			}
			row.Name = "too late"
			if got := groupNames(t, tx); !slices.Contains(got, "second") {
				t.Errorf("the groups are %q", got)
			}
			row.Name, row.Description = "third", "said"
			return store.Rewrite(tx, row)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.First[models.Group](s.Read(t.Context()).Where("id = ?", g.ID))
		if err != nil || got.Name != "third" || got.Description != "said" || got.Version != 3 || got.UUID != g.UUID || !got.CreatedAt.Equal(g.CreatedAt) {
			t.Errorf("read %+v, %v", got, err)
		}
	})
}

// A transaction with a failed statement does not commit, even if its function ignores the error.
func TestAFailedStatementSpoilsTheTransaction(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.Databases(t) {
		if name == "sqlite" {
			continue // there a statement fails on its own
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			err := s.InTx(t.Context(), func(tx *store.Tx) error {
				if err := store.Insert(tx, &models.Group{Name: "lost"}); err != nil {
					return err
				}
				_ = tx.Exec("SELECT nothing FROM nowhere")
				return nil
			})
			if err == nil {
				t.Error("it committed")
			}
			if got := groupNames(t, s.Read(t.Context())); slices.Contains(got, "lost") {
				t.Errorf("the groups are %q", got)
			}
		})
	}
}

// Cancellation in the middle ends the transaction, and leaks no connection.
func TestACanceledTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for range 20 { // more than there are connections
			ctx, cancel := context.WithCancel(t.Context())
			err := s.InTx(ctx, func(tx *store.Tx) error {
				if err := store.Insert(tx, &models.Group{Name: "gone"}); err != nil {
					return err
				}
				cancel()
				return store.Note(tx, &models.History{ObjectType: "group", ObjectID: 1, Event: "x", CreatedAt: tx.Now})
			})
			if err == nil {
				t.Fatal("it committed")
			}
		}
		if got := groupNames(t, s.Read(t.Context())); slices.Contains(got, "gone") {
			t.Errorf("the groups are %q", got)
		}
	})
}
