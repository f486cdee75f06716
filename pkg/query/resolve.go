package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
)

// fewIDs is how many ids are still worth a statement of their own.
const fewIDs = 8

// resolver finds the ids that conditions on a small table leave, before the
// statement is made: with ids in it PostgreSQL knows how many rows to expect, and
// which index has them.
type resolver struct {
	tx  *store.Tx
	err error
}

// ids returns the ids of the rows that meet the terms, when they are few. sub is the
// subselect that asks for the same.
func (r *resolver) ids(a access.Actor, s *Schema, terms []pending, sub access.Where) (ids []models.ID, few bool) {
	if r.err != nil {
		return nil, false
	}
	if s.Names != nil && !slices.ContainsFunc(terms, func(p pending) bool { return !p.aboutName() }) {
		r.err = s.Names(r.tx.Statement.Context, a, func(id models.ID, name string) {
			for _, p := range terms {
				if !p.term.matches(name) {
					return
				}
			}
			ids = append(ids, id)
		})
	} else {
		ids, r.err = r.read(sub)
	}
	slices.Sort(ids) // one statement for the same ids, whatever order they came in
	return ids, r.err == nil && len(ids) <= fewIDs
}

// read asks the database.
func (r *resolver) read(sub access.Where) (ids []models.ID, err error) {
	rows, err := r.tx.Raw(sub.SQL+fmt.Sprintf(" LIMIT %d", fewIDs+1), sub.Args...).Rows()
	if err != nil {
		return nil, store.Fault(err)
	}
	defer func() { err = errors.Join(err, store.Fault(rows.Close())) }()
	for rows.Next() {
		var id models.ID
		if err := rows.Scan(&id); err != nil {
			return nil, store.Fault(err)
		}
		ids = append(ids, id)
	}
	return ids, store.Fault(rows.Err())
}

// aboutName reports whether Go can tell as well as the database whether a name
// meets the term: letter case is left to the database, and so is order.
func (p pending) aboutName() bool {
	if len(p.hops) > 0 || p.term.Any != nil || p.term.Field.Column != "name" || p.term.Field.Kind != Text || p.term.Field.Scope != nil {
		return false
	}
	//exhaustive:ignore
	switch p.term.Lookup {
	case Exact, In, Contains, StartsWith, EndsWith:
		return true
	}
	return false
}

func (t *Term) matches(name string) bool {
	return slices.ContainsFunc(t.Values, func(v Value) bool {
		//exhaustive:ignore
		switch t.Lookup {
		case Contains:
			return strings.Contains(name, v.Text)
		case StartsWith:
			return strings.HasPrefix(name, v.Text)
		case EndsWith:
			return strings.HasSuffix(name, v.Text)
		}
		return name == v.Text
	})
}
