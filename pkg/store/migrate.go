package store

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"halcyon/models/migrations"
)

// Migrate updates the schema to the newest version. Several processes may call it at once: one works, the
// others wait (PostgreSQL by an advisory lock, SQLite by its single writer).
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
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
