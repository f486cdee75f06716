package store_test

import (
	"errors"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// gathered is deferred work that records when it was done.
type gathered struct {
	words []string
	flush func(words []string) error
}

func (g *gathered) Flush(*store.Tx) error { return g.flush(g.words) }

// Deferred work is collected in one place, runs once before the commit, and can undo it.
func TestLate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var done []string
		var refuse error
		work := func(tx *store.Tx, word string) {
			g := tx.BeforeCommit("words", func() store.BeforeCommit {
				return &gathered{flush: func(words []string) error {
					done = append(append(done, "late"), words...)
					return refuse
				}}
			}).(*gathered)
			g.words = append(g.words, word)
		}
		run := func(name string) error {
			return s.InTx(t.Context(), func(tx *store.Tx) error {
				work(tx, "one")
				tx.OnCommit(func() { done = append(done, "committed") })
				work(tx, "two")
				return store.Insert(tx, &models.Role{Name: name})
			})
		}
		if err := run("a"); err != nil {
			t.Fatal(err)
		}
		if want := []string{"late", "one", "two", "committed"}; !slices.Equal(done, want) {
			t.Errorf("%v, want %v", done, want)
		}
		refuse, done = errors.New("no room"), nil
		if err := run("b"); !errors.Is(err, refuse) {
			t.Errorf("%v, want %v", err, refuse)
		}
		if want := []string{"late", "one", "two"}; !slices.Equal(done, want) {
			t.Errorf("%v, want %v", done, want)
		}
		var names []string
		if err := s.Read(t.Context()).Table("roles").Where("name IN ('a', 'b')").Pluck("name", &names).Error; err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("%v, %v", names, err)
		}
	})
}
