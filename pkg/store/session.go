package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"halcyon/models"
)

// This file is the riskiest hand-written code of the package: below GORM it replaces
// database/sql's begin and commit on PostgreSQL. Keep it isolated: nothing outside of
// this file may send BEGIN, COMMIT or ROLLBACK, and only pending.go adds to the writes
// that it sends.
//
// A transaction may defer writes whose result it does not need. The next query of the
// transaction, or its commit, sends them first. They are never missed, and many of them
// are one round trip to PostgreSQL.

// session is the connection pool that GORM sees inside a transaction. On PostgreSQL it
// sends BEGIN and COMMIT itself, so that the commit goes out with the last writes;
// database/sql would wait for each answer.
type session struct {
	gorm.ConnPool                        // the connection, or database/sql's transaction
	conn          *sql.Conn              // on PostgreSQL
	tx            *sql.Tx                // on SQLite
	ids           map[string][]models.ID // by table: reserved and unused
	last          map[string]models.ID   // on SQLite: the highest reserved id
	rows          []pendingWrite         // in the order of the writes
	keyed         map[models.Keyed]bool  // those of rows that Save may update
	notes         []pendingWrite         // rows that no other row refers to: written last
	err           error                  // of a flush that could not return it
}

// pendingWrite is a deferred statement or row.
type pendingWrite struct {
	table *table
	row   any // pointer to the row
	sql   string
	args  []any
}

// begin opens a transaction.
func (s *Store) begin(ctx context.Context) (*session, error) {
	pool := s.SQLDB()
	if s.dialect == SQLite {
		tx, err := pool.BeginTx(ctx, nil)
		return &session{ConnPool: tx, tx: tx}, err
	}
	for try := 1; ; try++ {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, err
		}
		x := &session{ConnPool: conn, conn: conn}
		if err = x.say(ctx, "begin"); err == nil {
			return x, nil
		}
		x.discard()
		if try == 3 || ctx.Err() != nil || !pgconn.SafeToRetry(err) {
			return nil, err
		}
	}
}

// say sends a statement without parameters and without result rows to PostgreSQL.
func (s *session) say(ctx context.Context, command string) error {
	return s.raw(func(conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, command).ReadAll()
		return err
	})
}

// raw calls fn with the pgx connection behind database/sql's.
func (s *session) raw(fn func(*pgx.Conn) error) error {
	return s.conn.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("PostgreSQL is behind a %T", c)
		}
		return fn(conn.Conn())
	})
}

// discard closes the connection, because its state is unknown.
func (s *session) discard() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close() // closed in any case
}

// commit sends the deferred writes and ends the transaction.
func (s *session) commit(ctx context.Context) error {
	if s.tx != nil {
		if err := s.flush(ctx); err != nil {
			return err
		}
		if err := s.tx.Commit(); err != nil {
			return err
		}
		s.release()
		return nil
	}
	s.rows, s.notes = append(s.rows, s.notes...), nil
	s.rows = append(s.rows, pendingWrite{sql: "commit"})
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.release()
	return nil
}

// rollback undoes the transaction, unless it has ended.
func (s *session) rollback(ctx context.Context) {
	switch {
	case s.tx != nil:
		_ = s.tx.Rollback() // the original error matters
		s.release()
	default:
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if s.say(end, "rollback") != nil {
			s.discard()
			return
		}
		s.release()
	}
}

// release returns the connection to the pool.
func (s *session) release() {
	if s.conn != nil {
		_ = s.conn.Close() // it only returns to the pool
	}
}

// ExecContext implements gorm.ConnPool.
func (s *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.ConnPool.ExecContext(ctx, query, args...)
}

// QueryContext implements gorm.ConnPool.
func (s *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.ConnPool.QueryContext(ctx, query, args...)
}

// QueryRowContext implements gorm.ConnPool.
func (s *session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = s.flush(ctx) // it stays in err, and the transaction will not commit
	return s.ConnPool.QueryRowContext(ctx, query, args...)
}

// PrepareContext implements gorm.ConnPool.
func (s *session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.ConnPool.PrepareContext(ctx, query)
}

// errOurs is returned to code that tries to end the transaction: gorm, which may only use savepoints here.
var errOurs = errors.New("store: a transaction ends with InTx")

// Commit implements gorm.TxCommitter.
func (s *session) Commit() error { return errOurs }

// Rollback implements gorm.TxCommitter.
func (s *session) Rollback() error { return errOurs }

// holds reports whether the row is deferred.
func (s *session) holds(row models.Keyed) bool {
	return s.keyed[row]
}

// flush sends the deferred writes.
func (s *session) flush(ctx context.Context) error {
	if s.err != nil || len(s.rows)+len(s.notes) == 0 {
		return s.err
	}
	list, err := statements(ctx, append(s.rows, s.notes...), s.conn != nil)
	s.rows, s.notes, s.keyed = nil, nil, nil
	if err == nil {
		err = s.send(ctx, list)
	}
	s.err = err
	return err
}

// drop discards the deferred writes and the error of sending them, after the transaction has returned to an
// earlier state.
func (s *session) drop() { s.rows, s.notes, s.keyed, s.err = nil, nil, nil, nil }

func (s *session) send(ctx context.Context, list []statement) error {
	if s.conn == nil {
		for _, x := range list {
			if _, err := s.tx.ExecContext(ctx, x.sql, x.args...); err != nil {
				return err
			}
		}
		return nil
	}
	return s.raw(func(conn *pgx.Conn) error {
		var b pgx.Batch
		for _, x := range list {
			b.Queue(x.sql, x.args...)
		}
		results := conn.SendBatch(ctx, &b)
		for range list {
			tag, err := results.Exec()
			if err == nil && tag.String() == "ROLLBACK" {
				err = pgx.ErrTxCommitRollback // a statement failed, and fn ignored it
			}
			if err != nil {
				return errors.Join(err, ignored(results.Close()))
			}
		}
		return results.Close()
	})
}

// ignored drops the error of a cleanup that follows another error.
func ignored(error) error { return nil }

// session returns the session of the transaction, and nil outside of one.
func (tx *Tx) session() *session {
	s, _ := tx.Statement.ConnPool.(*session)
	return s
}
