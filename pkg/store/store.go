// Package store opens the database, runs transactions and migrations, and turns
// the drivers' errors into faults. It knows SQLite and PostgreSQL; nothing above
// it has to.
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

// Config says which database to open.
type Config struct {
	URL      string           // sqlite:PATH, or postgres://… as libpq writes it
	MaxConns int              // of the PostgreSQL pool, idle = open; 0 means 16
	Clock    func() time.Time // 0 means the wall clock
	Log      *slog.Logger
}

// Store is an open database.
type Store struct {
	dialect Dialect
	write   *gorm.DB // SQLite: the one writer; PostgreSQL: the pool
	read    *gorm.DB // SQLite: a pool of readers; PostgreSQL: the pool
	aside   *gorm.DB // see Aside
	clock   func() time.Time
	log     *slog.Logger
	url     string
	signals *signals
	onWrite []func(tx *Tx, row any, fresh bool)
}

// Open connects and checks that the database answers. It does not migrate.
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
		// Every write that needs a transaction says so itself.
		SkipDefaultTransaction: true,
		TranslateError:         false,
		Logger:                 logger.Discard,
		NowFunc:                func() time.Time { return s.Now() },
	}
}

// openSQLite opens one connection that writes and a pool that reads. SQLite has
// one writer at a time: queueing for it in Go is fair, waiting for its lock is not.
func (s *Store) openSQLite(path string) error {
	s.dialect = SQLite
	registerFoldCase()
	// Times are texts that sort, as SQLite's own functions write them.
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
		// pgx's own error repeats the URL with its password in some cases.
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
	// The writer goes last: SQLite's last connection folds the log into the file,
	// which a reader may not.
	for _, db := range []*gorm.DB{s.aside, s.read, s.write} {
		if db == nil {
			continue
		}
		if pool, err := db.DB(); err == nil {
			_ = pool.Close() // nothing is lost: whatever mattered has been committed
		}
	}
}

// Dialect tells which database it is.
func (s *Store) Dialect() Dialect { return s.dialect }

// Now is the present instant, in UTC and in whole microseconds, which is what
// both databases keep.
func (s *Store) Now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Ping asks the database for a sign of life.
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

// SQLDB returns the writing pool to libraries that speak database/sql.
func (s *Store) SQLDB() *sql.DB {
	pool, err := s.write.DB()
	if err != nil {
		panic(err) // gorm opened it from a *sql.DB: it always has one
	}
	return pool
}

// Stats are the writing pool's counters, for /metrics.
func (s *Store) Stats() sql.DBStats { return s.SQLDB().Stats() }

// Tx is a transaction, or, from Read, a view of the last committed state. It is
// the only way to the database inside one.
type Tx struct {
	*gorm.DB
	Now      time.Time // one instant for all of it
	store    *Store
	writes   bool
	whole    *Tx // of the UnitOfWork that this is a part of, nil for none
	deferred []deferredWork
	onCommit []func()
	signals  []signal
	hints    []signal
	inserted map[string]int // rows, by the prefix of their kind
	actor    models.ID
}

// Read returns a handle for queries outside a transaction. Each query sees what
// was committed when it began; within a Unit that has begun, also what the unit
// has written.
func (s *Store) Read(ctx context.Context) *Tx {
	if u := s.unitOf(ctx); u != nil && u.tx != nil {
		return &Tx{DB: u.tx.WithContext(ctx), Now: u.tx.Now, store: s, whole: u.tx}
	}
	return &Tx{DB: s.read.WithContext(ctx), Now: s.Now(), store: s}
}

// ReadOutsideTx is Read on connections that no transaction takes, for what may be asked
// while transactions are open: were they all to wait for one more connection of
// their own pool, none would ever end.
func (s *Store) ReadOutsideTx(ctx context.Context) *Tx {
	return &Tx{DB: s.aside.WithContext(ctx), Now: s.Now(), store: s}
}

// InTx runs fn in a transaction that writes: it commits when fn returns nil, and
// rolls back otherwise. A transaction that lost a race in the database (deadlock,
// serialization) runs again, so fn must not leave traces outside of it except by
// OnCommit. Within a Unit it is a part of the unit's transaction; when the unit
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
			u.restart() // nothing was done: no transaction stays open while others are asked
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
		return x.err // whatever else went wrong did so because of it
	}
	if err != nil {
		return err
	}
	done = true
	tx.committed()
	return nil
}

// open begins a transaction. Its session is released after its end.
func (s *Store) open(ctx context.Context) (*Tx, error) {
	x, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	db := s.write.Session(&gorm.Session{Context: ctx, NewDB: true})
	db.Statement.ConnPool = x
	return &Tx{DB: db, Now: s.Now(), store: s, writes: true}, nil
}

// end does what was left for the end.
func (tx *Tx) end() error {
	if err := tx.flushBeforeCommit(); err != nil {
		return err
	}
	tx.flushSignals()
	return nil
}

// committed calls the functions that wait for the commit, and announces the changes.
func (tx *Tx) committed() {
	for _, fn := range tx.onCommit {
		fn()
	}
	tx.store.signals.local(tx.signals)
	tx.store.signals.local(tx.hints)
	tx.store.signals.announce(tx.hints)
}

// OnCommit has fn called after the commit, in the order of the calls. What it
// does is a hint that polling would find again: it is lost when the process dies.
func (tx *Tx) OnCommit(fn func()) { tx.onCommit = append(tx.onCommit, fn) }

// OnWrite has fn called for every row that Insert, Save, Rewrite and Note write, in
// its transaction; fresh says that the row is a new one. It is for what has to hold
// of all writes of a kind, and is said before the first transaction.
func (s *Store) OnWrite(fn func(tx *Tx, row any, fresh bool)) { s.onWrite = append(s.onWrite, fn) }

func (tx *Tx) wrote(row any, fresh bool) {
	for _, fn := range tx.store.onWrite {
		fn(tx, row, fresh)
	}
}

// By says on whose behalf the transaction writes. What it was told first counts; 0
// is the system.
func (tx *Tx) By(actor models.ID) {
	if tx.actor == 0 {
		tx.actor = actor
	}
}

// Actor returns on whose behalf the transaction writes, as By was told, 0 for the
// system.
func (tx *Tx) Actor() models.ID { return tx.actor }

// BeforeCommit is work that a transaction gathers and does at its end: rows that many
// transactions want are then locked last, in one order, and not for long.
type BeforeCommit interface {
	// Flush is called once, before the commit. Its error undoes the transaction.
	Flush(tx *Tx) error
}

type deferredWork struct {
	key  any
	work BeforeCommit
}

// BeforeCommit returns the transaction's own work of a kind, which fresh makes when it is
// first asked for. Outside InTx there is no end, and nothing is ever done.
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
	for i := 0; i < len(tx.deferred); i++ { // what is flushed may begin work of another kind
		if err := tx.deferred[i].work.Flush(tx); err != nil {
			return err
		}
	}
	return nil
}

// Dialect tells which database it is.
func (tx *Tx) Dialect() Dialect { return tx.store.dialect }

// ForUpdate locks the rows that the query reads until the transaction ends. On
// SQLite the transaction already is the only writer.
func (tx *Tx) ForUpdate() *gorm.DB {
	if tx.store.dialect == SQLite {
		return tx.DB
	}
	return tx.Clauses(forUpdate)
}

// ErrStale is returned by Save when the row was changed since it was read.
var ErrStale = errors.New("the row was changed meanwhile")

func wallClock() time.Time { return time.Now() } //nolint:forbidigo // the one clock that everything is given
