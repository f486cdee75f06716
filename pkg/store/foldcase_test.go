package store_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// Both databases fold every letter alike, and as strings.EqualFold compares.
func TestFoldCase(t *testing.T) {
	t.Parallel()
	var letters []rune
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.SimpleFold(r) != r {
			letters = append(letters, r)
		}
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var folded string
		if err := s.Read(t.Context()).Raw("SELECT "+store.FoldCase+"(CAST(? AS text))", string(letters)).Scan(&folded).Error; err != nil {
			t.Fatal(err)
		}
		got := []rune(folded)
		if len(got) != len(letters) {
			t.Fatalf("%d letters, folded %d", len(letters), len(got))
		}
		standsFor := map[rune]rune{} // a representative -> one of its letters
		for i, r := range letters {
			if !strings.EqualFold(string(r), string(got[i])) {
				t.Errorf("%q is folded to %q", r, got[i])
			}
			for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
				if j, _ := slices.BinarySearch(letters, o); got[j] != got[i] {
					t.Errorf("%q is folded to %q, %q to %q", r, got[i], o, got[j])
				}
			}
			if o, ok := standsFor[got[i]]; ok && !strings.EqualFold(string(o), string(r)) {
				t.Errorf("%q and %q are folded to %q", o, r, got[i])
			}
			standsFor[got[i]] = r
		}
		var null *string
		if err := s.Read(t.Context()).Raw("SELECT " + store.FoldCase + "(CAST(NULL AS text))").Scan(&null).Error; err != nil || null != nil {
			t.Errorf("NULL is folded to %v, %v", null, err)
		}
	})
}
