// Package storetest gives tests a migrated database of their own, on every kind
// of database that Halcyon runs on.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"halcyon/pkg/store"
)

// env names the variable with the URL of a PostgreSQL server that tests may make
// databases on. `make test` starts one and sets it; without it, tests run on
// SQLite alone.
const env = "HALCYON_TEST_POSTGRES"

// Each runs the test on every database.
func Each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	for name, open := range Databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t))
		})
	}
}

// Databases returns a constructor of a fresh migrated store for each database.
func Databases(t *testing.T) map[string]func(testing.TB) *store.Store {
	t.Helper()
	m := map[string]func(testing.TB) *store.Store{"sqlite": SQLite}
	if os.Getenv(env) != "" {
		m["postgres"] = postgres
	}
	return m
}

// URLs gives, for each database, a constructor of the URL of a fresh, migrated
// one, for tests that run Halcyon as a process of its own.
func URLs(t *testing.T) map[string]func(testing.TB) string {
	t.Helper()
	m := map[string]func(testing.TB) string{"sqlite": SQLiteURL}
	if os.Getenv(env) != "" {
		m["postgres"] = postgresURL
	}
	return m
}

// Open opens a store on the URL and closes it with the test.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{URL: url, MaxConns: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// SQLite returns a store on a fresh file.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, SQLiteURL(t))
}

// postgres returns a store on a fresh database.
func postgres(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, postgresURL(t))
}

var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "halcyon-template")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "t.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// SQLiteURL returns the URL of a fresh, migrated file.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	data, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "halcyon.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

var (
	databases        atomic.Int64
	postgresTemplate = sync.OnceValues(func() (string, error) {
		name := fmt.Sprintf("template_%d_%d", os.Getpid(), time.Now().UnixNano())
		if err := admin("CREATE DATABASE " + name); err != nil {
			return "", err
		}
		return name, migrate(withDatabase(os.Getenv(env), name))
	})
)

// postgresURL returns the URL of a fresh, migrated database.
func postgresURL(t testing.TB) string {
	t.Helper()
	template, err := postgresTemplate()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), databases.Add(1))
	if err := admin("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Logf("the database %s stays: %v", name, err)
		}
	})
	return withDatabase(os.Getenv(env), name)
}

func migrate(url string) error {
	s, err := store.Open(context.Background(), store.Config{URL: url})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Migrate(context.Background())
}

var adminMu sync.Mutex // CREATE DATABASE from one template does not run side by side

func admin(statement string) error {
	adminMu.Lock()
	defer adminMu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, os.Getenv(env))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// withDatabase puts another database's name into a postgres:// URL.
func withDatabase(url, name string) string {
	base, query, hasQuery := strings.Cut(url, "?")
	slash := strings.LastIndexByte(base, '/')
	out := base[:slash+1] + name
	if hasQuery {
		out += "?" + query
	}
	return out
}
