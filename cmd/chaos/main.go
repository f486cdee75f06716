// Command chaos kills the server repeatedly while it works, on SQLite and on PostgreSQL,
// and reports lost orders and missing or duplicate machines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"halcyon/cmd/chaos/drill"
)

// postgresEnv is the environment variable with the URL of a PostgreSQL server on which a
// database may be created. scripts/with-postgres.sh sets it.
const postgresEnv = "HALCYON_TEST_POSTGRES"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context) error {
	orders := flag.Int("orders", 1000, "orders to send")
	kills := flag.Int("kills", 50, "times to kill the server")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random; the time when it is left out")
	on := flag.String("on", "sqlite,postgres", "databases; postgres is left out when "+postgresEnv+" is not set")
	binary := flag.String("binary", "bin/halcyon", "the program")
	keep := flag.Bool("keep", false, "keep the directories with the logs")
	flag.Parse()
	program, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	for _, kind := range strings.Split(*on, ",") {
		if kind == "postgres" && os.Getenv(postgresEnv) == "" {
			fmt.Printf("postgres    left out: %s is not set\n", postgresEnv)
			continue
		}
		if err := once(ctx, kind, *keep, drill.Config{
			Halcyon: func(args ...string) *exec.Cmd { return exec.Command(program, args...) }, //nolint:gosec // the program comes from the command line
			Orders:  *orders, Kills: *kills, Seed: *seed,
			Log: func(format string, args ...any) {
				fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05.000 ")+format+"\n", args...)
			},
		}); err != nil {
			return err
		}
	}
	return nil
}

func once(ctx context.Context, kind string, keep bool, c drill.Config) (err error) {
	if c.Dir, err = os.MkdirTemp("", "halcyon-chaos-"); err != nil {
		return err
	}
	c.DatabaseURL = "sqlite:" + filepath.Join(c.Dir, "halcyon.db")
	if kind == "postgres" {
		drop, err := createDatabase(ctx, &c)
		if err != nil {
			return err
		}
		defer drop()
	}
	fmt.Printf("database    %s, seed %d\n", kind, c.Seed)
	report, err := drill.Run(ctx, c)
	if report != nil {
		fmt.Println(report)
	}
	if err != nil || keep {
		fmt.Printf("logs        %s\n", c.Dir)
	} else {
		err = os.RemoveAll(c.Dir)
	}
	if err != nil {
		return fmt.Errorf("on %s with seed %d: %w", kind, c.Seed, err)
	}
	fmt.Printf("verdict     every order ended, no machine is missing or doubled\n\n")
	return nil
}

// createDatabase creates a database for the drill.
func createDatabase(ctx context.Context, c *drill.Config) (drop func(), err error) {
	name := fmt.Sprintf("chaos_%d", os.Getpid())
	exec := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, os.Getenv(postgresEnv))
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, statement)
		return errors.Join(err, conn.Close(ctx))
	}
	if err := exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	u, err := url.Parse(os.Getenv(postgresEnv))
	if err != nil {
		return nil, err
	}
	u.Path = "/" + name
	c.DatabaseURL = u.String()
	return func() {
		if err := exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
		}
	}, nil
}
