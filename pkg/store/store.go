// Package store opens the database, runs transactions and migrations, and turns the drivers' errors into
// faults. It supports SQLite and PostgreSQL, and hides the difference from all other packages.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// Dialect is the kind of database.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Config configures a Store.
type Config struct {
	URL      string           // sqlite:PATH, or postgres://… as libpq writes it
	MaxConns int              // of the PostgreSQL pool, idle = open; 0 means 16
	Clock    func() time.Time // 0 means the wall clock
	Log      *slog.Logger
}

// Store is an open database.
type Store struct {
	dialect Dialect
	write   *gorm.DB // SQLite: the single writer; PostgreSQL: the pool
	read    *gorm.DB // SQLite: a pool of readers; PostgreSQL: the pool
	aside   *gorm.DB // see ReadOutsideTx
	clock   func() time.Time
	log     *slog.Logger
	url     string
	signals *signals
	onWrite []func(tx *Tx, row any, fresh bool)
}

// Open connects to the database and checks that it answers. It does not migrate.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{clock: c.Clock, log: c.Log, url: c.URL}
	if s.clock == nil {
		s.clock = wallClock
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	switch scheme, rest, _ := strings.Cut(c.URL, ":"); scheme {
	case "sqlite":
		err = s.openSQLite(strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		err = s.openPostgres(c)
	default:
		return nil, fault.Invalidf("The database URL begins neither with sqlite: nor with postgres://.")
	}
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	s.signals = newSignals(s)
	return s, nil
}

func (s *Store) gormConfig() *gorm.Config {
	return &gorm.Config{
		// Every write that needs a transaction uses InTx.
		SkipDefaultTransaction: true,
		TranslateError:         false,
		Logger:                 logger.Discard,
		NowFunc:                func() time.Time { return s.Now() },
	}
}

// openSQLite opens one connection that writes and a pool that reads. SQLite has one writer at a time:
// queueing for it in Go is fair, waiting for its lock is not.
func (s *Store) openSQLite(path string) error {
	s.dialect = SQLite
	registerFoldCase()
	// Times are sortable texts, in the format of SQLite's own functions.
	const common = "_time_format=sqlite&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=temp_store(memory)"
	open := func(params string, conns int) (*gorm.DB, error) {
		// modernc.org/sqlite registers the driver. A second package that does so panics.
		pool, err := sql.Open("sqlite", "file:"+path+"?"+common+"&"+params)
		if err != nil {
			return nil, translate(err)
		}
		pool.SetMaxOpenConns(conns)
		pool.SetMaxIdleConns(conns)
		return gorm.Open(sqliteDialector{pool}, s.gormConfig())
	}
	var err error
	if s.write, err = open("_txlock=immediate&_pragma=synchronous(FULL)", 1); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if s.read, err = open("_pragma=query_only(1)", 8); err != nil {
		return fmt.Errorf("open %s for reading: %w", path, err)
	}
	s.aside = s.read
	return nil
}

func (s *Store) openPostgres(c Config) error {
	s.dialect = Postgres
	conf, err := pgx.ParseConfig(c.URL)
	if err != nil {
		// pgx's own error sometimes repeats the URL with its password.
		return fault.Invalidf("The database URL cannot be read.")
	}
	conf.RuntimeParams["timezone"] = "UTC"
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "halcyon"
	}
	pool := stdlib.OpenDB(*conf)
	conns := c.MaxConns
	if conns == 0 {
		conns = 16
	}
	// With fewer idle than open connections database/sql closes and dials all the time.
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if s.write, err = gorm.Open(postgres.New(postgres.Config{Conn: pool}), s.gormConfig()); err != nil {
		return translate(err)
	}
	s.read = s.write
	few := stdlib.OpenDB(*conf)
	few.SetMaxOpenConns(2)
	few.SetMaxIdleConns(2)
	if s.aside, err = gorm.Open(postgres.New(postgres.Config{Conn: few}), s.gormConfig()); err != nil {
		return translate(err)
	}
	return nil
}

// Close ends all connections.
func (s *Store) Close() {
	if s.signals != nil {
		s.signals.close()
	}
	// Close the writer last: SQLite's last connection merges the log into the file, which a reader may not
	// do.
	for _, db := range []*gorm.DB{s.aside, s.read, s.write} {
		if db == nil {
			continue
		}
		if pool, err := db.DB(); err == nil {
			_ = pool.Close() // nothing is lost: all writes are committed
		}
	}
}

// Dialect returns the kind of database.
func (s *Store) Dialect() Dialect { return s.dialect }

// Now returns the current time in UTC, truncated to microseconds, the resolution of both databases.
func (s *Store) Now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error {
	for _, db := range []*gorm.DB{s.write, s.read} {
		pool, err := db.DB()
		if err != nil {
			return err
		}
		if err := pool.PingContext(ctx); err != nil {
			return translate(err)
		}
	}
	return nil
}

// SQLDB returns the writing pool, for libraries that use database/sql.
func (s *Store) SQLDB() *sql.DB {
	pool, err := s.write.DB()
	if err != nil {
		panic(err) // gorm opened it from a *sql.DB
	}
	return pool
}

// Stats returns the counters of the writing pool, for /metrics.
func (s *Store) Stats() sql.DBStats { return s.SQLDB().Stats() }

// Tx is a transaction or, from Read, a view of the last committed state. Inside a transaction all access to
// the database must go through it.
type Tx struct {
	*gorm.DB
	Now      time.Time // the same instant for the whole transaction
	store    *Store
	writes   bool
	whole    *Tx // for a part of a UnitOfWork: the unit's transaction; nil for none
	deferred []deferredWork
	onCommit []func()
	signals  []signal
	hints    []signal
	inserted map[string]int // number of rows, by the prefix of their kind
	actor    models.ID
}

// Read returns a handle for queries outside a transaction. Each query sees the committed state at its
// start; within a UnitOfWork that has begun, it also sees the unit's writes.
func (s *Store) Read(ctx context.Context) *Tx {
	if u := s.unitOf(ctx); u != nil && u.tx != nil {
		return &Tx{DB: u.tx.WithContext(ctx), Now: u.tx.Now, store: s, whole: u.tx}
	}
	return &Tx{DB: s.read.WithContext(ctx), Now: s.Now(), store: s}
}

// ReadOutsideTx is Read on connections that no transaction uses, for reads while transactions are open. If
// all transactions waited for one more connection of their own pool, none would ever end.
func (s *Store) ReadOutsideTx(ctx context.Context) *Tx {
	return &Tx{DB: s.aside.WithContext(ctx), Now: s.Now(), store: s}
}

// InTx runs fn in a writing transaction: it commits if fn returns nil, and rolls back otherwise. It runs a
// transaction again that lost a race in the database (deadlock, serialization), so fn must not have effects
// outside of it except by OnCommit. Within a UnitOfWork it is a part of the unit's transaction; if the unit
// has done something before, a lost race is Unavailable.
func (s *Store) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	const tries = 5
	u := s.unitOf(ctx)
	joins := u != nil && u.tx != nil
	fn, done := withPrecondition(ctx, fn)
	for try := 1; ; try++ {
		err := s.try(ctx, u, fn)
		if err == nil {
			done()
			return nil
		}
		if u != nil && !joins {
			u.restart() // nothing done yet: do not keep the transaction open during external calls
		}
		if again := retryable(err); again && !joins && try < tries && ctx.Err() == nil {
			s.log.DebugContext(ctx, "transaction runs again", "try", try, "error", err)
			time.Sleep(time.Duration(try*try) * 5 * time.Millisecond)
			continue
		} else if again {
			return fault.Wrap(fault.Unavailable, err, "The database is busy, try again.")
		}
		return translate(err)
	}
}

// try runs fn once, in the unit or in a transaction of its own.
func (s *Store) try(ctx context.Context, u *UnitOfWork, fn func(tx *Tx) error) error {
	if u != nil {
		return u.within(ctx, fn)
	}
	tx, err := s.open(ctx)
	if err != nil {
		return err
	}
	x := tx.session()
	done := false
	defer func() {
		if !done {
			x.rollback(ctx)
		}
	}()
	if err = fn(tx); err == nil {
		if err = tx.end(); err == nil {
			err = x.commit(ctx)
		}
	}
	if x.err != nil && !errors.Is(err, x.err) {
		return x.err // later errors follow from it
	}
	if err != nil {
		return err
	}
	done = true
	tx.committed()
	return nil
}

// open begins a transaction. The caller releases its session after the end.
func (s *Store) open(ctx context.Context) (*Tx, error) {
	x, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	db := s.write.Session(&gorm.Session{Context: ctx, NewDB: true})
	db.Statement.ConnPool = x
	return &Tx{DB: db, Now: s.Now(), store: s, writes: true}, nil
}

// end runs the work deferred to the end.
func (tx *Tx) end() error {
	if err := tx.flushBeforeCommit(); err != nil {
		return err
	}
	tx.flushSignals()
	return nil
}

// committed calls the OnCommit functions and announces the changes.
func (tx *Tx) committed() {
	for _, fn := range tx.onCommit {
		fn()
	}
	tx.store.signals.local(tx.signals)
	tx.store.signals.local(tx.hints)
	tx.store.signals.announce(tx.hints)
}

// OnCommit registers fn to be called after the commit, in the order of registration. Use it only for hints
// that polling would find again: the call is lost if the process dies.
func (tx *Tx) OnCommit(fn func()) { tx.onCommit = append(tx.onCommit, fn) }

// OnWrite registers fn for every row that Insert, Save, Rewrite and Note write, in its transaction; fresh
// reports whether the row is new. Use it for rules about all writes of a kind, and call it before the first
// transaction.
func (s *Store) OnWrite(fn func(tx *Tx, row any, fresh bool)) { s.onWrite = append(s.onWrite, fn) }

func (tx *Tx) wrote(row any, fresh bool) {
	for _, fn := range tx.store.onWrite {
		fn(tx, row, fresh)
	}
}

// By sets the user on whose behalf the transaction writes. The first call wins; 0 is the system.
func (tx *Tx) By(actor models.ID) {
	if tx.actor == 0 {
		tx.actor = actor
	}
}

// Actor returns the user on whose behalf the transaction writes, as set by By, or 0 for the system.
func (tx *Tx) Actor() models.ID { return tx.actor }

// BeforeCommit is work that a transaction collects and runs at its end. Rows that many transactions need
// are then locked last, in one order, and only briefly.
type BeforeCommit interface {
	// Flush is called once, before the commit. An error undoes the transaction.
	Flush(tx *Tx) error
}

type deferredWork struct {
	key  any
	work BeforeCommit
}

// BeforeCommit returns the transaction's deferred work for a key; the first call creates it with fresh.
// Outside InTx it never runs.
func (tx *Tx) BeforeCommit(key any, fresh func() BeforeCommit) BeforeCommit {
	for _, l := range tx.deferred {
		if l.key == key {
			return l.work
		}
	}
	l := deferredWork{key, fresh()}
	tx.deferred = append(tx.deferred, l)
	return l.work
}

func (tx *Tx) flushBeforeCommit() error {
	for i := 0; i < len(tx.deferred); i++ { // Flush may add work with another key
		if err := tx.deferred[i].work.Flush(tx); err != nil {
			return err
		}
	}
	return nil
}

// Dialect returns the kind of database.
func (tx *Tx) Dialect() Dialect { return tx.store.dialect }

// ForUpdate locks the rows that the query reads until the transaction ends. On SQLite the transaction is
// already the only writer.
func (tx *Tx) ForUpdate() *gorm.DB {
	if tx.store.dialect == SQLite {
		return tx.DB
	}
	return tx.Clauses(forUpdate)
}

// ErrStale is returned by Save if the row has changed since it was read.
var ErrStale = errors.New("the row was changed meanwhile")

func wallClock() time.Time { return time.Now() } //nolint:forbidigo // the one clock that everything is given
