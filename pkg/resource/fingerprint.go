package resource

import (
	"context"
	"fmt"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// announced reports whether every change of the entity's rows is announced.
func announced(e *query.Entity) bool { return e.Cache != nil && e.Cache.Announced }

// Live reports whether the process receives the changes of other replicas.
func (r *Registry) Live() bool { return r.store.SignalsLive() }

// Now returns the current time.
func (r *Registry) Now() time.Time { return r.store.Now() }

// OnChange registers fn to be called for every announced change.
func (r *Registry) OnChange(fn func(topic, key string)) { r.store.OnSignal(fn) }

// Fingerprint returns a text that changes with every change of the inputs of the row's document, except
// announced changes. It takes one statement, or none if there are no other inputs. The error is NotFound if
// the actor sees no such row. The text is "" for a row with a document that has no fingerprint.
func (r *Registry) Fingerprint(ctx context.Context, a access.Actor, d *Def, ref string) (string, error) {
	if d.Entity.Cache.Complete() {
		return "announced", nil
	}
	v, err := query.ParseRef(d.Schema, ref)
	if err != nil {
		return "", fault.NotFoundf("Not found.")
	}
	tx := r.store.Read(ctx)
	list := d.fingerprinted(tx, a)
	value, err := query.Scalar(tx, d.Entity, a, v, strings.Join(list, " || ' ' || "))
	if err != nil || strings.HasPrefix(value, "never") {
		return "", err
	}
	return value, nil
}

// fingerprinted returns the SQL values that form the fingerprint of a row.
func (d *Def) fingerprinted(tx *store.Tx, a access.Actor) []string {
	const row = query.Root
	list := make([]string, 0, 2+len(d.Relations)+len(d.Entity.Cache.Also))
	if d.Entity.Cache.Never != "" {
		list = append(list, "CASE WHEN "+strings.ReplaceAll(d.Entity.Cache.Never, "{row}", row)+" THEN 'never' ELSE 'row' END")
	}
	list = append(list, text(row+".version"))
	for _, x := range d.Entity.Cache.Also {
		list = append(list, text(strings.ReplaceAll(x, "{row}", row)))
	}
	for _, rel := range d.Relations {
		if rel.target == nil || !rel.Many && announced(rel.target.Entity) || rel.target.Hidden(a) {
			continue
		}
		list = append(list, rel.fingerprint(tx, a))
	}
	return list
}

func text(value string) string { return "coalesce(CAST((" + value + ") AS text), '-')" }

// fingerprint returns the SQL value for the ids and versions of the relation's targets.
func (rel *RelationDef) fingerprint(tx *store.Tx, a access.Actor) string {
	where := rel.ofRow
	// Visibility has no bound values: it inlines ids of groups and users.
	if w := access.Visible(rel.target.Entity.Table, a, "t"); !w.IsAll() {
		where += " AND (" + w.SQL + ")"
	}
	one := "CAST(t.id AS text) || ':' || CAST(t.version AS text)"
	if !rel.Many {
		return text(fmt.Sprintf("SELECT %s FROM %s t WHERE %s", one, rel.target.Entity.Table, where))
	}
	list := "string_agg(" + one + ", ',' ORDER BY t.id)"
	if tx.Dialect() == store.SQLite {
		list = "group_concat(" + one + ", ',' ORDER BY t.id)"
	}
	return text(fmt.Sprintf("SELECT %s FROM %s t WHERE %s", list, rel.target.Entity.Table, where))
}

// WithPrecondition returns a context with a precondition: its first transaction locks the row and calls
// check with the row's version before anything else.
func (r *Registry) WithPrecondition(ctx context.Context, d *Def, id models.ID, check func(version int64) error) context.Context {
	return store.WithPrecondition(ctx, func(tx *store.Tx) error {
		row, err := store.First[struct{ Version int64 }](tx.ForUpdate().Table(d.Entity.Table).Select("version").Where("id = ?", id))
		if err != nil {
			return err
		}
		return check(row.Version)
	})
}
