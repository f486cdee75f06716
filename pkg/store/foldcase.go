package store

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"modernc.org/sqlite"
)

// FoldCase is the name of the SQL function that folds the letters of a text by Unicode's simple case
// folding, on both databases. Their own lower() folds ASCII only (SQLite), or depends on the locale of the
// cluster (PostgreSQL). On PostgreSQL migration 0013 creates it.
const FoldCase = "fold_case"

// registerFoldCase registers the function for SQLite connections, once per process.
var registerFoldCase = sync.OnceFunc(func() {
	sqlite.MustRegisterDeterministicScalarFunction(FoldCase, 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		switch text := args[0].(type) {
		case nil:
			return nil, nil
		case string:
			return strings.Map(foldRune, text), nil
		}
		return nil, fmt.Errorf("%s of a %T", FoldCase, args[0])
	})
})

// foldRune returns the representative of all letters that differ from r only by case: the small letter of
// the first of them.
func foldRune(r rune) rune {
	if r <= unicode.MaxASCII {
		return unicode.ToLower(r)
	}
	first := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		first = min(first, o)
	}
	small := unicode.ToLower(first)
	for o := unicode.SimpleFold(first); o != first; o = unicode.SimpleFold(o) {
		if o == small {
			return small
		}
	}
	return first
}
