package store

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"modernc.org/sqlite"
)

// FoldCase is the name of the SQL function that returns a text with its letters folded by
// Unicode's simple case folding, on both databases. Their own lower() folds ASCII only
// (SQLite), or what the locale of the cluster says (PostgreSQL). On PostgreSQL the
// migration 0013 creates it.
const FoldCase = "fold_case"

// registerFoldCase gives SQLite's connections the function, once in a process.
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

// foldRune returns the letter that stands for r and all letters that differ from it by
// their case alone: the small letter of the first of them.
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
