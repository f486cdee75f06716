// Package crud serves the rows that administrators keep: users, groups, the
// catalogue. They are created, changed and removed one by one, under a guard,
// with a line of history each, and announced to caches.
package crud

import (
	"context"
	"encoding/json"
	"errors"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Row is what a table can hold.
type Row[T any] interface {
	*T
	models.Keyed
}

// Table serves the rows of one type.
type Table[T any, P Row[T]] struct {
	Store  *store.Store
	Entity *query.Entity
	Object string // history's object type

	CanCreate func(a access.Actor, row P) error
	CanUpdate func(a access.Actor, row P) error
	CanDelete func(a access.Actor, row P) error
	CanMove   func(a access.Actor, was, is P) error // a change of what the row belongs to; nil: CanUpdate suffices
	Validate  func(tx *store.Tx, row P) error       // the row by itself, and beside others
	Load      func(tx *store.Tx, row P) error       // what belongs to the row, after it was read
	Write     func(tx *store.Tx, row P) error       // what belongs to the row, when it was written
	Before    func(tx *store.Tx, row P) error       // a deletion: refuse, or clear what hangs on the row
	InUse     string                                // what a refused deletion says
	Locks     bool                                  // an update locks the row before it reads it: others count in it
}

// List returns a page of what the actor sees.
func (t *Table[T, P]) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[T], error) {
	return query.List[T](t.Store.Read(ctx), t.Entity, a, q, opts...)
}

// Find returns one row that the actor sees, by any form of id.
func (t *Table[T, P]) Find(ctx context.Context, a access.Actor, ref string) (*T, error) {
	return t.find(t.Store.Read(ctx), a, ref)
}

// FindTx returns one row that the actor sees, within a transaction.
func (t *Table[T, P]) FindTx(tx *store.Tx, a access.Actor, ref string) (*T, error) {
	return t.find(tx, a, ref)
}

func (t *Table[T, P]) find(tx *store.Tx, a access.Actor, ref string, opts ...query.ListOption) (*T, error) {
	row, err := query.Find[T](tx, t.Entity, a, ref, opts...)
	if err != nil {
		return nil, err
	}
	if t.Load != nil {
		if err := t.Load(tx, row); err != nil {
			return nil, store.Fault(err)
		}
	}
	return row, nil
}

// Create writes a new row.
func (t *Table[T, P]) Create(ctx context.Context, a access.Actor, row *T) error {
	if err := t.CanCreate(a, row); err != nil {
		return err
	}
	return t.Store.InTx(ctx, func(tx *store.Tx) error { return t.CreateTx(tx, a, row) })
}

// CreateTx writes a new row within a transaction, without asking the guard.
func (t *Table[T, P]) CreateTx(tx *store.Tx, a access.Actor, row *T) error {
	if err := t.Validate(tx, row); err != nil {
		return err
	}
	if err := store.Insert(tx, P(row)); err != nil {
		return taken(err)
	}
	if err := t.written(tx, row); err != nil {
		return err
	}
	return history.Add(tx, a, t.Object, P(row).Key().ID, "created", "", nil, nil)
}

// Update changes a row. Apply works on the row as it is in the transaction.
func (t *Table[T, P]) Update(ctx context.Context, a access.Actor, ref string, apply func(*T) error) (*T, error) {
	var row *T
	err := t.Store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		var lock []query.ListOption
		if t.Locks {
			lock = append(lock, query.ForUpdate())
		}
		if row, err = t.find(tx, a, ref, lock...); err != nil {
			return err
		}
		return t.change(tx, a, row, func() error { return apply(row) }, "changed", "")
	})
	if err != nil {
		return nil, err
	}
	return row, nil
}

// change has apply change a row that was just read, and writes it with a line of
// history.
func (t *Table[T, P]) change(tx *store.Tx, a access.Actor, row *T, apply func() error, event, message string) error {
	if err := t.CanUpdate(a, row); err != nil {
		return err
	}
	before, err := json.Marshal(row)
	if err != nil {
		return err
	}
	original := *row
	if err := apply(); err != nil {
		return err
	}
	// The guard is asked again: a row cannot be moved to where its editor has no rights.
	if err := t.CanUpdate(a, row); err != nil {
		return err
	}
	if t.CanMove != nil {
		if err := t.CanMove(a, &original, row); err != nil {
			return err
		}
	}
	if err := t.Validate(tx, row); err != nil {
		return err
	}
	if err := store.Save(tx, P(row)); err != nil {
		return taken(err)
	}
	if err := t.written(tx, row); err != nil {
		return err
	}
	was, is, err := changes(before, row)
	if err != nil {
		return err
	}
	return history.Add(tx, a, t.Object, P(row).Key().ID, event, message, was, is)
}

// Delete removes a row that nothing refers to.
func (t *Table[T, P]) Delete(ctx context.Context, a access.Actor, ref string) error {
	return t.Store.InTx(ctx, func(tx *store.Tx) error {
		row, err := t.find(tx, a, ref)
		if err != nil {
			return err
		}
		if err := t.CanDelete(a, row); err != nil {
			return err
		}
		if t.Before != nil {
			if err := t.Before(tx, row); err != nil {
				return err
			}
		}
		if err := t.unused(tx, row); err != nil {
			return err
		}
		if err := store.Fault(tx.DB.Delete(row).Error); err != nil {
			if fault.Is(err, fault.Conflict) && t.InUse != "" {
				return fault.Wrap(fault.Conflict, err, "%s", t.InUse)
			}
			return err
		}
		tx.Signal(t.Entity.Table, P(row).Key().ID)
		return history.Add(tx, a, t.Object, P(row).Key().ID, "deleted", "", nil, nil)
	})
}

// Unused reports whether nothing keeps the row from being removed: it is a Conflict
// when others refer to it. The actor's rights are CanDelete's.
func (t *Table[T, P]) Unused(ctx context.Context, _ access.Actor, row *T) error {
	return t.unused(t.Store.Read(ctx), row)
}

func (t *Table[T, P]) unused(tx *store.Tx, row *T) error {
	used, err := store.Referred(tx, t.Entity.Table, P(row).Key().ID)
	if err != nil {
		return err
	}
	if used {
		if t.InUse != "" {
			return fault.Conflictf("%s", t.InUse)
		}
		return fault.Conflictf("Something still refers to it.")
	}
	return nil
}

func (t *Table[T, P]) written(tx *store.Tx, row *T) error {
	if t.Write != nil {
		if err := store.Fault(t.Write(tx, row)); err != nil {
			return err
		}
	}
	tx.Signal(t.Entity.Table, P(row).Key().ID)
	return nil
}

// taken makes a broken uniqueness a conflict that people understand.
func taken(err error) error {
	if fault.Is(err, fault.Conflict) && !errors.Is(err, store.ErrStale) {
		return fault.Wrap(fault.Conflict, err, "There is another one with this name.")
	}
	return err
}

// changes returns the members that differ, before and after. What is secret never
// comes out of the models' JSON.
func changes(before []byte, row any) (was, is map[string]any, err error) {
	after, err := json.Marshal(row)
	if err != nil {
		return nil, nil, err
	}
	var b, n map[string]any
	if err := json.Unmarshal(before, &b); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(after, &n); err != nil {
		return nil, nil, err
	}
	was, is = map[string]any{}, map[string]any{}
	for k, v := range n {
		switch k {
		case "Version", "UpdatedAt":
			continue
		}
		if x, y := text(b[k]), text(v); x != y {
			was[k], is[k] = b[k], v
		}
	}
	return was, is, nil
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// Admin is the guard of what only super admins may do.
func Admin(what string) func(access.Actor) error {
	return func(a access.Actor) error {
		if !a.SuperAdmin {
			return fault.Forbiddenf("Only super admins can %s.", what)
		}
		return nil
	}
}
