package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// idleLoad is the load of a server without requests and without jobs, in a second.
type idleLoad struct {
	transactions float64
	dispatch     float64       // scans of the table of jobs: nothing but job dispatch makes them
	server, sql  time.Duration // processor time of Halcyon and of PostgreSQL
	wakeUps      float64       // times that a thread of Halcyon gave its processor back
}

// idle measures the load of an idle server, and what job dispatch adds to it. A
// transaction of the dispatcher scans the table of jobs at least once, so the scans are
// an upper bound of its transactions.
func (r *rig) idle(ctx context.Context) error {
	rows := [][]string{{"", "transactions", "of them dispatch", "server ms", "PostgreSQL ms", "wake-ups", ""}}
	for _, x := range []struct{ name, workers string }{{"without workers", "0"}, {"with eight workers", "8"}} {
		l, err := r.idleLoad(ctx, "--workers="+x.workers)
		if err != nil {
			return err
		}
		rows = append(rows, []string{
			x.name, fmt.Sprintf("%.2f", l.transactions), fmt.Sprintf("%.2f", l.dispatch), fmt.Sprintf("%.1f", ms64(l.server)),
			fmt.Sprintf("%.1f", ms64(l.sql)), fmt.Sprintf("%.0f", l.wakeUps), fmt.Sprintf("goal for dispatch, 1: %s", met(l.dispatch < 1)),
		})
	}
	r.out.table("An idle server, in a second", rows...)
	return nil
}

// idleLoad starts a server and measures it. A whole measurement covers the sweep and the
// reconciliation of jobs, which run every 30 seconds at most.
func (r *rig) idleLoad(ctx context.Context, args ...string) (idleLoad, error) {
	p, err := r.serve(ctx, r.db, args...)
	if err != nil {
		return idleLoad{}, err
	}
	defer p.stop()
	if err := sleep(ctx, 3*time.Second); err != nil { // the start's own work
		return idleLoad{}, err
	}
	pid := p.cmd.Process.Pid
	before, scans, err := r.counted(ctx)
	if err != nil {
		return idleLoad{}, err
	}
	server, sql, wakeUps, began := cpu(pid), treeCPU(r.pg.pid), switches(pid), time.Now()
	if err := sleep(ctx, time.Duration(r.scaled(35, 10))*time.Second); err != nil {
		return idleLoad{}, err
	}
	seconds := time.Since(began).Seconds()
	l := idleLoad{
		server:  time.Duration(float64(cpu(pid)-server) / seconds),
		sql:     time.Duration(float64(treeCPU(r.pg.pid)-sql) / seconds),
		wakeUps: float64(switches(pid)-wakeUps) / seconds,
	}
	after, scansAfter, err := r.counted(ctx)
	l.transactions, l.dispatch = float64(after-before)/seconds, float64(scansAfter-scans)/seconds
	return l, err
}

// counted returns how many transactions the database has seen, and how many scans the
// table of jobs.
func (r *rig) counted(ctx context.Context) (transactions, scans int64, err error) {
	err = row(ctx, r.db, `SELECT d.xact_commit + d.xact_rollback, t.seq_scan + coalesce(t.idx_scan, 0)
		FROM pg_stat_database d, pg_stat_user_tables t WHERE d.datname = current_database() AND t.relname = 'jobs'`, &transactions, &scans)
	return transactions, scans, err
}

// switches returns how often the threads of a process gave the processor back, by proc(5).
func switches(pid int) (n int64) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // of a process that this program has started
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		number, _, _ := strings.Cut(rest, "\n")
		if k, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64); err == nil {
			n += k
		}
	}
	return n
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ms64(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
