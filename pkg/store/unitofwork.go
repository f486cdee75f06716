package store

import (
	"context"
	"sync/atomic"

	"halcyon/pkg/fault"
)

// UnitOfWork is a stretch of work whose transactions are one: whatever goes through
// InTx with its context is kept or dropped together, when its owner says so. The
// transaction begins with the first InTx, so that what is asked of others before
// that happens outside of it. From then on Read sees what was written, and what
// waits for a commit (OnCommit, Signal) waits for the unit's.
//
// A unit belongs to one goroutine. On SQLite it is the one writer from its first
// InTx on: keep it short.
type UnitOfWork struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the transaction ends with what the unit was begun for
	tx    *Tx             // nil until the first InTx
	ended bool
}

type keyUnit struct{}

// UnitOfWork returns a context whose transactions are one. Its owner calls Commit or
// Rollback; Rollback after Commit does nothing.
func (s *Store) UnitOfWork(ctx context.Context) (context.Context, *UnitOfWork) {
	u := &UnitOfWork{store: s}
	u.ctx = context.WithValue(ctx, keyUnit{}, u)
	return u.ctx, u
}

// unit returns the context's unit on this store, nil for none.
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

// within runs fn as a part of the unit: when it fails, what it wrote is undone
// and what the unit did before stands.
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
			_ = u.undo(ctx) // it panics: the owner rolls everything back
		}
	}()
	err := fn(part)
	if err == nil {
		err = part.flushBeforeCommit()
	}
	if x := part.session(); err == nil || x.err != nil {
		err = x.flush(ctx) // when it failed before, whatever else went wrong did so because of it
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

// undo takes back what the present part did, and leaves the connection clean, also
// when the request was given up.
func (u *UnitOfWork) undo(ctx context.Context) error {
	u.tx.session().drop()
	db := u.tx.WithContext(context.WithoutCancel(ctx))
	if err := db.Exec("ROLLBACK TO SAVEPOINT part").Error; err != nil {
		return err
	}
	return db.Exec("RELEASE SAVEPOINT part").Error
}

// Commit keeps what the unit did. The last parts, if any, run before that, in the
// same transaction; when one of them fails nothing is kept.
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

// Rollback drops what the unit did.
func (u *UnitOfWork) Rollback() {
	if u.tx != nil && !u.ended {
		u.tx.session().rollback(u.ctx)
	}
	u.ended = true
}

// restart drops a transaction whose results have not been used yet.
func (u *UnitOfWork) restart() {
	u.Rollback()
	u.tx, u.ended = nil, false
}

// precondition is what must hold when the first transaction of a context begins.
type precondition struct {
	check func(tx *Tx) error
	met   atomic.Bool
}

type keyPrecondition struct{}

// WithPrecondition returns a context whose first transaction begins with check, and fails
// with its error: what the caller takes for granted is held against the state
// that is changed, and not against one of a moment ago.
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

// expected puts the context's precondition, if it is still open, in front of fn.
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
