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

// fewIDs is the largest number of ids to inline into a statement.
const fewIDs = 8

// resolver finds the ids that match conditions on a small table before the statement is compiled. With ids
// in it PostgreSQL knows how many rows to expect and which index to use.
type resolver struct {
	tx  *store.Tx
	err error
}

// ids returns the ids of the rows that meet the terms, if there are few. sub is the equivalent subselect.
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
	slices.Sort(ids) // one statement for the same ids, in any order
	return ids, r.err == nil && len(ids) <= fewIDs
}

// read runs the subselect.
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

// aboutName reports whether Go can evaluate the term on a name just like the database. Lookups that ignore
// case or compare order are left to the database.
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
