package store

import (
	"context"
	"sync/atomic"

	"halcyon/pkg/fault"
)

// UnitOfWork joins several transactions into one: everything that goes through InTx with its context is
// committed or rolled back together, by its owner. The database transaction begins with the first InTx, so
// external calls before that happen outside of it. From then on Read sees the writes, and actions that wait
// for a commit (OnCommit, Signal) wait for the unit's.
//
// A unit belongs to one goroutine. On SQLite it is the only writer from its first InTx on: keep it short.
type UnitOfWork struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the transaction ends with what the unit was begun for
	tx    *Tx             // nil until the first InTx
	ended bool
}

type keyUnit struct{}

// UnitOfWork returns a context with a new unit of work. Its owner calls Commit or Rollback; Rollback after
// Commit does nothing.
func (s *Store) UnitOfWork(ctx context.Context) (context.Context, *UnitOfWork) {
	u := &UnitOfWork{store: s}
	u.ctx = context.WithValue(ctx, keyUnit{}, u)
	return u.ctx, u
}

// unitOf returns the context's unit on this store, or nil.
func (s *Store) unitOf(ctx context.Context) *UnitOfWork {
	u, _ := ctx.Value(keyUnit{}).(*UnitOfWork)
	if u == nil || u.store != s || u.ended {
		return nil
	}
	return u
}

func (u *UnitOfWork) begin() error {
	tx, err := u.store.open(u.ctx)
	if err != nil {
		return err
	}
	u.tx = tx
	return nil
}

// within runs fn as a part of the unit: if it fails, its writes are undone and earlier ones stay.
func (u *UnitOfWork) within(ctx context.Context, fn func(tx *Tx) error) error {
	if u.tx == nil {
		if err := u.begin(); err != nil {
			return err
		}
	}
	db := u.tx.WithContext(ctx)
	if err := db.Exec("SAVEPOINT part").Error; err != nil {
		return err
	}
	part := &Tx{DB: db, Now: u.tx.Now, store: u.store, writes: true, whole: u.tx}
	whole := false
	defer func() {
		if !whole {
			_ = u.undo(ctx) // panic: the owner rolls everything back
		}
	}()
	err := fn(part)
	if err == nil {
		err = part.flushBeforeCommit()
	}
	if x := part.session(); err == nil || x.err != nil {
		err = x.flush(ctx) // after an earlier failure, later errors follow from it
	}
	if err == nil {
		err = db.Exec("RELEASE SAVEPOINT part").Error
	}
	whole = true
	if err != nil {
		if failed := u.undo(ctx); failed != nil && !retryable(err) {
			return failed
		}
		return err
	}
	u.tx.onCommit = append(u.tx.onCommit, part.onCommit...)
	u.tx.hints = append(u.tx.hints, part.hints...)
	for _, sig := range part.signals {
		u.tx.signal(sig)
	}
	return nil
}

// undo undoes the current part and leaves the connection clean, even if the request was canceled.
func (u *UnitOfWork) undo(ctx context.Context) error {
	u.tx.session().drop()
	db := u.tx.WithContext(context.WithoutCancel(ctx))
	if err := db.Exec("ROLLBACK TO SAVEPOINT part").Error; err != nil {
		return err
	}
	return db.Exec("RELEASE SAVEPOINT part").Error
}

// Commit commits the unit. It first runs the last parts, if any, in the same transaction; if one of them
// fails it rolls everything back.
func (u *UnitOfWork) Commit(last ...func(tx *Tx) error) error {
	for _, fn := range last {
		if err := u.store.InTx(u.ctx, fn); err != nil {
			u.Rollback()
			return err
		}
	}
	if u.ended || u.tx == nil {
		u.ended = true
		return nil
	}
	u.tx.flushSignals()
	if err := u.tx.session().commit(u.ctx); err != nil {
		u.Rollback()
		if retryable(err) {
			return fault.Wrap(fault.Unavailable, err, "The database is busy, try again.")
		}
		return translate(err)
	}
	u.ended = true
	u.tx.committed()
	return nil
}

// Rollback rolls the unit back.
func (u *UnitOfWork) Rollback() {
	if u.tx != nil && !u.ended {
		u.tx.session().rollback(u.ctx)
	}
	u.ended = true
}

// restart drops a transaction with results that have not been used yet.
func (u *UnitOfWork) restart() {
	u.Rollback()
	u.tx, u.ended = nil, false
}

// precondition is a condition that must hold when the first transaction of a context begins.
type precondition struct {
	check func(tx *Tx) error
	met   atomic.Bool
}

type keyPrecondition struct{}

// WithPrecondition returns a context whose first transaction begins with check, and fails with its error.
// The caller's assumptions are thus checked against the state that is changed, not against an earlier one.
func WithPrecondition(ctx context.Context, check func(tx *Tx) error) context.Context {
	if outer, _ := ctx.Value(keyPrecondition{}).(*precondition); outer != nil && !outer.met.Load() {
		inner := check
		check = func(tx *Tx) error {
			if err := outer.check(tx); err != nil {
				return err
			}
			return inner(tx)
		}
	}
	return context.WithValue(ctx, keyPrecondition{}, &precondition{check: check})
}

// withPrecondition runs the context's precondition before fn, if it is still open.
func withPrecondition(ctx context.Context, fn func(tx *Tx) error) (run func(tx *Tx) error, done func()) {
	e, _ := ctx.Value(keyPrecondition{}).(*precondition)
	if e == nil || e.met.Load() {
		return fn, func() {}
	}
	return func(tx *Tx) error {
		if err := e.check(tx); err != nil {
			return err
		}
		return fn(tx)
	}, func() { e.met.Store(true) }
}
