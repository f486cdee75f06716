package query

import (
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// This file finds totals in counters that the database keeps, where rows would have
// to be counted: a table with a column n for each combination of some columns, in
// which they are called as they are in the table that it counts.

type counters struct {
	table   string
	columns []string
}

var countersOf = map[string]counters{
	"servers": {"server_counts", []string{"environment_id", "group_id", "status"}},
}

// total returns an expression for the number of the rows that meet the condition and
// that the actor sees, and false when the counters do not know it: when it depends
// on anything but their columns.
func (k counters) total(e *Entity, a access.Actor, asked access.Where) (access.Where, bool) {
	if k.table == "" || e.HiddenFrom(a) || !about(asked.SQL, k.columns) {
		return access.None, false
	}
	groups, owner, ok := access.Shares(e.Table, a)
	if !ok {
		return access.None, false
	}
	var b builder
	seen := access.All
	if !a.SeesAll() {
		seen = access.In(Root+".group_id", groups)
	}
	b.text("(SELECT CAST(coalesce(sum(" + Root + ".n), 0) AS bigint) FROM " + k.table + " " + Root).where(access.And(asked, seen)).text(")")
	if owner != 0 {
		// The caller's own are few, and found by index: those that are not among the
		// groups' are added.
		b.text(" + (SELECT count(*) FROM " + e.Table + " " + Root).where(access.And(asked, elsewhere(owner, groups))).text(")")
	}
	return b.build(), true
}

func elsewhere(owner models.ID, groups []models.ID) access.Where {
	own := access.Where{SQL: Root + ".owner_id = " + owner.String()}
	if len(groups) == 0 {
		return own
	}
	return access.And(own, access.Where{SQL: Root + ".group_id IS NULL OR NOT " + access.In(Root+".group_id", groups).SQL})
}

// about reports whether a condition is about no other columns of Root than these.
func about(sql string, columns []string) bool {
	for {
		i := strings.Index(sql, Root)
		if i < 0 {
			return true
		}
		if i > 0 && (alphanumeric(sql[i-1:i]) || sql[i-1] == '_') {
			return false // something else ends in it: better not
		}
		rest, ok := strings.CutPrefix(sql[i+len(Root):], ".")
		if !ok {
			return false
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
		if end < 0 {
			end = len(rest)
		}
		if !slices.Contains(columns, rest[:end]) {
			return false
		}
		sql = rest[end:]
	}
}
