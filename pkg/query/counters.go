package query

import (
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
)

// This file reads totals from counters that the database maintains, instead of counting rows. The counter
// table has a column n for each combination of some columns, which have the same names as in the counted
// table.

type counters struct {
	table   string
	columns []string
}

var countersOf = map[string]counters{
	"servers": {"server_counts", []string{"environment_id", "group_id", "status"}},
}

// total returns an expression for the number of rows that meet the condition and that the actor sees. It
// returns false if the condition depends on anything but the columns of the counters.
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
		// The caller's own rows are few and found by index. Add those that are not already counted for the
		// groups.
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

// about reports whether a condition uses only these columns of Root.
func about(sql string, columns []string) bool {
	for {
		i := strings.Index(sql, Root)
		if i < 0 {
			return true
		}
		if i > 0 && (alphanumeric(sql[i-1:i]) || sql[i-1] == '_') {
			return false // part of a longer name: be safe
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
