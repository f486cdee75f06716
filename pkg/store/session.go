package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"halcyon/models"
)

// A transaction may hold writes back whose outcome nobody waits for. Whatever it
// asks of the database afterwards, and its commit, sends them first: so they are
// never missed, and on PostgreSQL many of them are one round trip.

// session is what gorm talks to inside a transaction.
type session struct {
	*sql.Tx
	conn  *sql.Conn              // on PostgreSQL: the transaction's own, for batches
	ids   map[string][]models.ID // by table: reserved, and not used yet
	last  map[string]models.ID   // on SQLite: the highest that was reserved
	rows  []held                 // in the order in which they were written
	keyed map[models.Keyed]bool  // those of them that Save may come upon
	notes []held                 // rows that no other row refers to: they go last
	err   error                  // of a flush that could not tell its caller
}

// held is a statement that has not been sent, or a row that has not been written.
type held struct {
	table *table
	row   any // a pointer to it
	sql   string
	args  []any
}

// begin opens a transaction.
func (s *Store) begin(ctx context.Context) (*session, error) {
	pool := s.SQLDB()
	if s.dialect == SQLite {
		tx, err := pool.BeginTx(ctx, nil)
		return &session{Tx: tx}, err
	}
	for try := 1; ; try++ {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, err
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err == nil {
			return &session{Tx: tx, conn: conn}, nil
		}
		_ = conn.Close() // the error that matters is the other one
		if try == 3 || !errors.Is(err, driver.ErrBadConn) {
			return nil, err
		}
	}
}

// release gives the connection back, after Commit or Rollback.
func (s *session) release() {
	if s.conn != nil {
		_ = s.conn.Close() // it only goes back to the pool
	}
}

// ExecContext implements gorm.ConnPool.
func (s *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.Tx.ExecContext(ctx, query, args...)
}

// QueryContext implements gorm.ConnPool.
func (s *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext implements gorm.ConnPool.
func (s *session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = s.flush(ctx) // it stays in err, and the transaction will not commit
	return s.Tx.QueryRowContext(ctx, query, args...)
}

// PrepareContext implements gorm.ConnPool.
func (s *session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return s.Tx.PrepareContext(ctx, query)
}

// holds reports whether the row waits to be written.
func (s *session) holds(row models.Keyed) bool {
	return s.keyed[row]
}

// flush sends what was held back.
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

// drop forgets what was held back, and why it could not be sent: the transaction
// has gone back to where it was before.
func (s *session) drop() { s.rows, s.notes, s.keyed, s.err = nil, nil, nil, nil }

func (s *session) send(ctx context.Context, list []statement) error {
	if s.conn == nil {
		for _, x := range list {
			if _, err := s.Tx.ExecContext(ctx, x.sql, x.args...); err != nil {
				return err
			}
		}
		return nil
	}
	return s.conn.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("send a batch over a %T", c)
		}
		var b pgx.Batch
		for _, x := range list {
			b.Queue(x.sql, x.args...)
		}
		results := conn.Conn().SendBatch(ctx, &b)
		for range list {
			if _, err := results.Exec(); err != nil {
				return errors.Join(err, ignored(results.Close()))
			}
		}
		return results.Close()
	})
}

// ignored drops the error of an end that follows from another one.
func ignored(error) error { return nil }

// session gives what the transaction talks to, and nil outside of one.
func (tx *Tx) session() *session {
	s, _ := tx.Statement.ConnPool.(*session)
	return s
}
