package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"modernc.org/sqlite"

	"halcyon/pkg/fault"
)

var forUpdate = clause.Locking{Strength: "UPDATE"}

// SQLite's extended result codes, https://www.sqlite.org/rescode.html.
const (
	sqliteBusy             = 5
	sqliteLocked           = 6
	sqliteFull             = 13
	sqliteConstraintFK     = 787
	sqliteConstraintPK     = 1555
	sqliteConstraintUnique = 2067
)

// translate turns a driver's error into a fault. Faults and cancellations by the caller pass through.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows):
		return fault.Wrap(fault.NotFound, err, "Not found.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, err, "The request was given up.")
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "23505": // unique_violation
			return fault.Wrap(fault.Conflict, err, "Another one like it exists already.")
		case "23503": // foreign_key_violation
			return fault.Wrap(fault.Conflict, err, "It is in use, or refers to something that is gone.")
		case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
			return fault.Wrap(fault.Unavailable, err, "The database is busy, try again.")
		}
		if class := pg.Code[:min(2, len(pg.Code))]; class == "08" || class == "53" || class == "57" {
			return fault.Wrap(fault.Unavailable, err, "The database is not available.")
		}
		return fault.Wrap(fault.Internal, err, "Internal error.")
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() {
		case sqliteConstraintUnique, sqliteConstraintPK:
			return fault.Wrap(fault.Conflict, err, "Another one like it exists already.")
		case sqliteConstraintFK:
			return fault.Wrap(fault.Conflict, err, "It is in use, or refers to something that is gone.")
		}
		switch lite.Code() & 0xff {
		case sqliteBusy, sqliteLocked:
			return fault.Wrap(fault.Unavailable, err, "The database is busy, try again.")
		case sqliteFull:
			return fault.Wrap(fault.Unavailable, err, "The database's disk is full.")
		}
		return fault.Wrap(fault.Internal, err, "Internal error.")
	}
	var dial *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &dial) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return fault.Wrap(fault.Unavailable, err, "The database is not available.")
	}
	return err
}

// Fault turns an error of gorm or a driver into a fault, for queries by Read, outside InTx.
func Fault(err error) error { return translate(err) }

// retryable reports whether running the transaction again can help.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code()&0xff == sqliteBusy || lite.Code()&0xff == sqliteLocked)
}
