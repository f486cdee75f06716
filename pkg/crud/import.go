package crud

import (
	"context"

	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
)

// Import writes the row of a name as fill makes it: a new one or, when replace is
// set, the one that has the name. Fill sets all that a file tells; what a file never
// holds, such as a secret, stays as it was. Import tells whether a row was replaced.
// The error is a Conflict that names the row when there is one and replace is not
// set. The table needs a column name.
func (t *Table[T, P]) Import(ctx context.Context, a access.Actor, name string, replace bool, fill func(tx *store.Tx, row *T) error) (row *T, replaced bool, err error) {
	err = t.Store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		row, err = store.First[T](tx.ForUpdate().Table(t.Entity.Table).Where("name = ?", name))
		switch {
		case fault.Is(err, fault.NotFound):
			row, replaced = new(T), false
			return t.importNew(tx, a, name, row, fill)
		case err != nil:
			return err
		case !replace:
			return t.exists(name)
		}
		replaced = true
		return t.importOver(tx, a, row, fill)
	})
	if err != nil {
		return nil, false, err
	}
	return row, replaced, nil
}

func (t *Table[T, P]) exists(name string) error {
	return fault.Conflictf("There is a %s with the name %q already. It can be replaced.", t.Entity.Name, name)
}

func (t *Table[T, P]) importNew(tx *store.Tx, a access.Actor, name string, row *T, fill func(tx *store.Tx, row *T) error) error {
	if err := fill(tx, row); err != nil {
		return err
	}
	if err := t.CanCreate(a, row); err != nil {
		return err
	}
	if err := t.Validate(tx, row); err != nil {
		return err
	}
	if err := store.Insert(tx, P(row)); err != nil {
		if fault.Is(err, fault.Conflict) { // by who came between
			return t.exists(name)
		}
		return err
	}
	if err := t.written(tx, row); err != nil {
		return err
	}
	return history.Add(tx, a, t.Object, P(row).Key().ID, "imported", "", nil, nil)
}

func (t *Table[T, P]) importOver(tx *store.Tx, a access.Actor, row *T, fill func(tx *store.Tx, row *T) error) error {
	if t.Load != nil {
		if err := store.Fault(t.Load(tx, row)); err != nil {
			return err
		}
	}
	return t.change(tx, a, row, func() error { return fill(tx, row) }, "imported", "In place of what it was.")
}
