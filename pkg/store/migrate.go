package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"halcyon/models/migrations"
)

// Migrate brings the schema to the newest version. Several processes may call it
// at once: one works, the others wait (PostgreSQL by an advisory lock, SQLite by
// its one writer).
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return s.migrateDispatcher(ctx)
}

// migrateDispatcher brings the tables of the job dispatcher (River) up. They are
// its own affair and hold nothing that ours do not also say.
func (s *Store) migrateDispatcher(ctx context.Context) error {
	var err error
	if s.dialect == Postgres {
		var m *rivermigrate.Migrator[*sql.Tx]
		if m, err = rivermigrate.New(riverdatabasesql.New(s.SQLDB()), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}); err == nil {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
	} else {
		var m *rivermigrate.Migrator[*sql.Tx]
		if m, err = rivermigrate.New(riversqlite.New(s.SQLDB()), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}); err == nil {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
	}
	if err != nil {
		return fmt.Errorf("migrate the dispatcher's tables: %w", err)
	}
	return nil
}

// Migrated reports whether the schema is at the newest version.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	p, err := s.goose()
	if err != nil {
		return false, err
	}
	pending, err := p.HasPending(ctx)
	return !pending, translate(err)
}

func (s *Store) goose() (*goose.Provider, error) {
	files, err := fs.Sub(migrations.Files, string(s.dialect))
	if err != nil {
		return nil, err
	}
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	dialect := goose.DialectSQLite3
	if s.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, s.SQLDB(), files, opts...)
}
