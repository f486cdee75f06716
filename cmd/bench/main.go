// Command bench measures Halcyon: processor time, memory and latency of its three
// most common requests compared with a hand-written reference (floor), then the speed of
// start, jobs, paging and synchronization. It runs on a private PostgreSQL with
// fsync on, needs Linux (/proc), and ends by itself:
//
//	go run ./cmd/bench           10,000 servers, under four minutes
//	go run ./cmd/bench --quick   fewer requests, under one minute
//	go run ./cmd/bench --big     also 1,000,000 servers
//
// The tables compare processor time per request, of the server and PostgreSQL together: it depends less on other load than requests per second. docs/performance.md explains the tables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// childEnv is set for the process that runs inside the private cluster.
const started = "HALCYON_BENCH_STARTED"

func main() {
	o := options{}
	flag.BoolVar(&o.quick, "quick", false, "fewer requests and rounds")
	flag.BoolVar(&o.big, "big", false, "also measure with 1,000,000 servers")
	only := flag.String("only", "", "parts to run, separated by commas: "+strings.Join(benchmarkNames(), ", "))
	flag.StringVar(&o.profile, "profile", "", "directory for processor profiles of Halcyon during E1, E2 and E3, written by perf")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		os.Exit(1)
	}
}

type options struct {
	quick, big bool
	only       []string
	profile    string
}

// scaled returns a count, reduced for quick runs.
func (o *options) scaled(usual, quick int) int {
	if o.quick {
		return quick
	}
	return usual
}

// benchmark is one measurement.
type benchmark struct {
	name string
	big  bool // only with --big
	run  func(*rig, context.Context) error
}

var benchmarks = []benchmark{
	{"requests", false, (*rig).requests},
	{"order", false, (*rig).order},
	{"million", true, (*rig).million},
	{"idle", false, (*rig).idle},
	{"start", false, (*rig).starting},
	{"demo", false, (*rig).demo},
	{"orders", false, (*rig).orders},
	{"sync", false, (*rig).sync},
	{"events", false, (*rig).events},
	{"docs", false, (*rig).docs},
}

func benchmarkNames() []string {
	names := make([]string, len(benchmarks))
	for i, p := range benchmarks {
		names[i] = p.name
	}
	return names
}

// rig holds what the benchmarks share.
type rig struct {
	options
	out     *report
	dir     string // temporary files
	halcyon string // paths of the programs
	floor   string
	pg      *cluster
	data    string // data directory with Halcyon's keys
	db      string // URL of the database with 10,000 servers
}

func bench(ctx context.Context, o options) error {
	for _, name := range o.only {
		if !slices.Contains(benchmarkNames(), name) {
			return fmt.Errorf("there is no part %q, only %s", name, strings.Join(benchmarkNames(), ", "))
		}
	}
	if _, err := os.Stat("scripts/with-postgres.sh"); err != nil {
		return errors.New("run it in the top directory of the repository")
	}
	if os.Getenv(started) == "" {
		return inCluster(ctx)
	}
	r := &rig{options: o, out: newReport(os.Stdout)}
	if err := r.prepare(ctx); err != nil {
		return errors.Join(err, r.clean())
	}
	begin := time.Now()
	for _, p := range benchmarks {
		if len(o.only) > 0 && !slices.Contains(o.only, p.name) || p.big && !o.big {
			continue
		}
		r.out.progress(p.name)
		if err := p.run(r, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), r.clean())
		}
	}
	r.out.end(time.Since(begin))
	return r.clean()
}

// inCluster runs this program as a child process inside a private PostgreSQL cluster.
func inCluster(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "scripts/with-postgres.sh", append([]string{self}, os.Args[1:]...)...) //nolint:gosec // this program
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env = append(os.Environ(), started+"=1", "POSTGRES_FSYNC=on")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func (r *rig) clean() error { return os.RemoveAll(r.dir) }

const password = "a-password-for-the-bench"

// prepare builds the programs and fills the database.
func (r *rig) prepare(ctx context.Context) (err error) {
	if r.dir, err = os.MkdirTemp("", "halcyon-bench-"); err != nil {
		return err
	}
	if r.pg, err = findCluster(ctx, os.Getenv("HALCYON_TEST_POSTGRES")); err != nil {
		return fmt.Errorf("find the PostgreSQL: %w", err)
	}
	r.out.progress("build")
	// In bin/ they are linked only after changes.
	r.halcyon, r.floor, r.data = "bin/halcyon", "bin/floor", filepath.Join(r.dir, "data")
	for path, pkg := range map[string]string{r.halcyon: "./cmd/halcyon", r.floor: "./cmd/bench/floor"} {
		if err := run(ctx, "", "go", "build", "-o", path, pkg); err != nil {
			return err
		}
	}
	r.out.progress("fill")
	r.db = r.pg.with("bench")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE bench"); err != nil {
		return err
	}
	for _, user := range [][]string{{"admin", "--super-admin"}, {"member"}} {
		args := append([]string{"--log-level=warn", "user", "add", "--password-file=-", "--database-url", r.db, "--data-dir", r.data}, user...)
		if err := run(ctx, password, r.halcyon, args...); err != nil {
			return err
		}
	}
	if err := exec1(ctx, r.db, fillSQL); err != nil {
		return err
	}
	return addServers(ctx, r.db, 1, small)
}

// small and large are numbers of servers.
const small, large = 10_000, 1_000_000

// serve starts Halcyon.
func (r *rig) serve(ctx context.Context, db string, args ...string) (*process, error) {
	all := append([]string{"--log-level=info", "serve", "--listen=127.0.0.1:0", "--token-lifetime=2h", "--database-url", db, "--data-dir", r.data}, args...)
	return start(ctx, r.halcyon, all...)
}

// signIn returns a client with a token.
func signIn(ctx context.Context, url, user string) (*client, error) {
	c := newClient(url, "")
	answer, err := c.text(ctx, request{"POST", "/api/v2/api-token-auth/", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password)})
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(answer, `"token":"`)
	token, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return nil, fmt.Errorf("no token in %s", answer)
	}
	return newClient(url, token), nil
}
