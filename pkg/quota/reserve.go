package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// place is where a server counts.
type place struct{ group, environment models.ID }

// change is what a transaction changes about reservations. The counters follow at
// its end, all in one go: they are what every order of a group wants.
type change struct {
	by   map[place]models.Amounts
	asks bool // there has to be room; otherwise it is a fact
}

type changeKey struct{}

func changeOf(tx *store.Tx) *change {
	return tx.BeforeCommit(changeKey{}, func() store.BeforeCommit { return &change{by: map[place]models.Amounts{}} }).(*change)
}

func (t *change) add(at place, a models.Amounts, asks bool) {
	t.by[at] = t.by[at].Plus(a)
	t.asks = t.asks || asks
}

// Flush implements store.BeforeCommit: it moves the counters, and is a Conflict when a
// transaction asked for more than there is.
func (t *change) Flush(tx *store.Tx) error {
	moved, err := t.effects(tx, true)
	if err != nil || len(moved) == 0 {
		return err
	}
	if t.asks {
		if err := exceeded(tx, moved); err != nil {
			return err
		}
	}
	for _, e := range moved {
		err := tx.Exec("UPDATE quotas SET used = used + ?, version = version + 1, updated_at = ? WHERE id = ?", e.More, tx.Now, e.Quota.ID).Error
		if err != nil {
			return fmt.Errorf("count in quota %s: %w", e.Quota.ID, store.Fault(err))
		}
	}
	return nil
}

// Effect is what something does to a quota.
type Effect struct {
	Quota models.Quota
	More  int64 // negative when it frees
}

// After is what is used then.
func (e *Effect) After() int64 { return e.Quota.Used + e.More }

// over reports whether more is taken than there is. Who takes nothing of it does
// not care that others took too much.
func (e *Effect) over() bool { return e.More > 0 && e.After() > e.Quota.Limit }

// limit is a quota as it holds for one of the groups of a change.
type limit struct {
	models.Quota
	Root models.ID // that group, or none when the quota is for all
}

// effects returns the quotas that the change moves, by id. It is one statement, which
// finds nothing where nothing is limited, and locks the quotas in the order of
// their ids. The tree is read with it: a group is never moved while an order
// counts by where it was, see recount.
func (t *change) effects(tx *store.Tx, lock bool) ([]Effect, error) {
	maps.DeleteFunc(t.by, func(_ place, a models.Amounts) bool { return a == models.Amounts{} })
	if len(t.by) == 0 {
		return nil, nil
	}
	var groups, environments []models.ID
	for at := range t.by {
		groups, environments = append(groups, at.group), append(environments, at.environment)
	}
	slices.Sort(groups)
	slices.Sort(environments)
	query := `WITH RECURSIVE up (root, id, parent_id) AS (
			SELECT id, id, parent_id FROM groups WHERE id IN ?
			UNION SELECT up.root, g.id, g.parent_id FROM groups g JOIN up ON g.id = up.parent_id)
		SELECT q.*, up.root FROM quotas q LEFT JOIN up ON up.id = q.group_id
		WHERE (q.group_id IS NULL OR up.id IS NOT NULL) AND (q.environment_id IS NULL OR q.environment_id IN ?)
		ORDER BY q.id`
	if lock && tx.Dialect() == store.Postgres {
		query += " FOR UPDATE OF q"
	}
	var limits []limit
	if err := tx.Raw(query, slices.Compact(groups), slices.Compact(environments)).Scan(&limits).Error; err != nil {
		return nil, fmt.Errorf("quotas: %w", store.Fault(err))
	}
	return t.moved(limits), nil
}

func (t *change) moved(limits []limit) []Effect {
	var out []Effect
	for _, l := range limits {
		if len(out) == 0 || out[len(out)-1].Quota.ID != l.ID {
			out = append(out, Effect{Quota: l.Quota})
		}
		for at, a := range t.by {
			if (l.GroupID == 0 || l.Root == at.group) && (l.EnvironmentID == 0 || l.EnvironmentID == at.environment) {
				out[len(out)-1].More += a.Of(l.Kind)
			}
		}
	}
	return slices.DeleteFunc(out, func(e Effect) bool { return e.More == 0 })
}

// exceeded is a Conflict that names every quota in which there is no room.
func exceeded(tx *store.Tx, moved []Effect) error {
	var said []string
	for i := range moved {
		e := &moved[i]
		if !e.over() {
			continue
		}
		of, err := scope(tx, &e.Quota)
		if err != nil {
			return err
		}
		k := e.Quota.Kind
		said = append(said, fmt.Sprintf("Quota of %s exceeded: %s %s of %s used, %s more asked",
			of, k, k.Format(e.Quota.Used), k.Format(e.Quota.Limit), k.Format(e.More)))
	}
	if len(said) == 0 {
		return nil
	}
	return fault.Conflictf("%s", strings.Join(said, "; "))
}

// scope says for people what a quota is for.
func scope(tx *store.Tx, q *models.Quota) (string, error) {
	var names []string
	for _, of := range []struct {
		table string
		id    models.ID
	}{{"groups", q.GroupID}, {"environments", q.EnvironmentID}} {
		if of.id == 0 {
			continue
		}
		var name string
		if err := tx.Table(of.table).Select("name").Where("id = ?", of.id).Scan(&name).Error; err != nil {
			return "", store.Fault(err)
		}
		names = append(names, name)
	}
	return strings.Join(names, " in "), nil
}

// Preview returns those quotas that reservations would move and the actor sees, by
// id, and the Conflict in which they would end when there is no room, be it seen or
// not. It writes and locks nothing.
func Preview(tx *store.Tx, a access.Actor, list []models.Reservation) ([]Effect, error) {
	t := &change{by: map[place]models.Amounts{}}
	for _, r := range list {
		t.add(place{r.GroupID, r.EnvironmentID}, r.Reserved, true)
	}
	moved, err := t.effects(tx, false)
	if err != nil || len(moved) == 0 {
		return nil, err
	}
	full := exceeded(tx, moved)
	ids := make([]models.ID, len(moved))
	for i := range moved {
		ids[i] = moved[i].Quota.ID
	}
	db := tx.Table("quotas").Where("quotas.id IN ?", ids)
	if w := access.Visible("quotas", a, "quotas"); !w.IsAll() {
		db = db.Where(w.SQL, w.Args...)
	}
	var seen []models.ID
	if err := db.Pluck("quotas.id", &seen).Error; err != nil {
		return nil, fmt.Errorf("quotas: %w", store.Fault(err))
	}
	return slices.DeleteFunc(moved, func(e Effect) bool { return !slices.Contains(seen, e.Quota.ID) }), full
}
