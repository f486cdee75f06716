package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed fill.sql
var fillSQL string

//go:embed servers.sql
var serversSQL string

// cluster is the private PostgreSQL cluster.
type cluster struct {
	url string
	pid int // process id of the postmaster
}

func findCluster(ctx context.Context, url string) (*cluster, error) {
	c := &cluster{url: url}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(dir + "/postmaster.pid") //nolint:gosec // the path is our own
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	c.pid, err = strconv.Atoi(first)
	return c, err
}

// with returns the URL of one of the cluster's databases.
func (c *cluster) with(name string) string {
	u, err := url.Parse(c.url)
	if err != nil {
		panic(err) // pgx has parsed it
	}
	u.Path = "/" + name
	return u.String()
}

func exec1(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.60s…: %w", s, err)
		}
	}
	return nil
}

// addServers inserts the servers with the numbers from first to last.
func addServers(ctx context.Context, url string, from, to int) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	const batch = 100_000
	for ; from <= to; from += batch {
		if _, err := conn.Exec(ctx, serversSQL, from, min(from+batch-1, to)); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	// Measure an idle database.
	for _, s := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// row reads one row of numbers.
func row(ctx context.Context, url, statement string, into ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, statement).Scan(into...)
}
