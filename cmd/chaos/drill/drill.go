// Package drill kills the server repeatedly while it works, and then checks whether an
// order was lost, or a machine is missing or was created twice.
// The server and the vCenter simulator are separate processes. Customers order over the API and retry as clients of a real cloud must: an order whose answer was lost is searched by its name before it is sent again.
package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"halcyon/pkg/demo"
	"halcyon/pkg/provider/vcsim"
)

// Config configures a drill. Seed has no default, so that every drill can be repeated.
type Config struct {
	Halcyon     func(args ...string) *exec.Cmd // the program, not yet started
	DatabaseURL string                         // of an empty database
	Dir         string                         // for keys and logs
	Orders      int
	Kills       int
	Customers   int // concurrent customers; 16
	Seed        uint64
	Patience    time.Duration // maximum time from sending an order to its end; 2 min
	Log         func(format string, args ...any)
}

// Report is the result of a drill.
type Report struct {
	Elapsed  time.Duration
	Settled  time.Duration // from the last start to the end of the last order
	Kills    int
	Orders   map[string]int // by kind
	Servers  int            // ACTIVE at the end, with one machine each
	Removed  int            // removed servers
	Unknown  int            // orders whose answer was lost
	Accepted int            // of those, the ones that were accepted
	Busy     int            // answers 503
	MemoryMB int            // of the server process at the end, resident
	PeakMB   int            // peak resident memory
	Counters map[string]int // job metrics of the last server process
}

// String returns the report as text.
func (r *Report) String() string {
	var orders []string
	for _, k := range kinds {
		orders = append(orders, fmt.Sprintf("%d %s", r.Orders[k], k))
	}
	return fmt.Sprintf(`orders      %s
servers     %d with one machine each, %d removed again
kills       %d; %d orders got no answer, %d of which had been taken; %d answers 503
time        %s; the last order ended %s after the last start
memory      %d MB resident at the end, %d MB at most
last server %d steps, %d taken over from the dead, %d jobs found without a signal, %d late answers dropped`,
		strings.Join(orders, ", "), r.Servers, r.Removed, r.Kills, r.Unknown, r.Accepted, r.Busy,
		r.Elapsed.Round(100*time.Millisecond), r.Settled.Round(100*time.Millisecond), r.MemoryMB, r.PeakMB,
		r.Counters["steps"], r.Counters["takeovers"], r.Counters["rescued"], r.Counters["fenced"])
}

// drill is one run.
type drill struct {
	Config
	rng       *rand.Rand
	vcenter   demo.VCenter
	listen    string
	serverLog *os.File
	sent      atomic.Int64 // number of orders that were started
	server    *process
	lastStart time.Time
}

// Run performs a drill. The error lists all problems that it found.
func Run(ctx context.Context, c Config) (report *Report, err error) {
	if c.Customers <= 0 {
		c.Customers = 16
	}
	if c.Patience <= 0 {
		c.Patience = 2 * time.Minute
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	d := &drill{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0))} //nolint:gosec // has to be the same with the same seed
	begun := time.Now()
	simulator, err := d.startSimulator(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, simulator.stop()) }()
	if err := d.seed(ctx); err != nil {
		return nil, fmt.Errorf("seed the database: %w", err)
	}
	if d.listen, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if d.serverLog, err = os.Create(filepath.Join(c.Dir, "server.log")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.serverLog.Close()) }()
	if err := d.start(); err != nil {
		return nil, err
	}
	defer func() { d.server.kill() }()

	customers := newCustomers(d)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	killer := make(chan error, 1)
	go func() {
		err := d.kill(ctx)
		if err != nil {
			cancel(err)
		}
		killer <- err
	}()
	if err := customers.run(ctx); err != nil {
		cancel(err)
		return nil, errors.Join(err, <-killer, d.logErrors())
	}
	ended := time.Now()
	if err := <-killer; err != nil {
		return nil, errors.Join(err, d.logErrors())
	}
	report = customers.report()
	report.Kills, report.Settled = c.Kills, max(ended.Sub(d.lastStart), 0)
	if err := d.ready(ctx); err != nil {
		return report, errors.Join(err, d.logErrors())
	}
	if err := d.measure(ctx, report); err != nil {
		return report, err
	}
	if err := d.server.shutDown(30 * time.Second); err != nil {
		return report, errors.Join(fmt.Errorf("the server did not stop in order: %w", err), d.logErrors())
	}
	err = errors.Join(d.logErrors(), d.check(ctx, customers, report))
	report.Elapsed = time.Since(begun)
	return report, err
}

func (d *drill) startSimulator(ctx context.Context) (*process, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(d.Dir, "simulator.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	d.vcenter = demo.VCenter{
		URL: "http://" + address + "/sdk", Username: "halcyon", Password: "halcyon",
		Datacenter: vcsim.Datacenter, Cluster: vcsim.Cluster, Datastore: vcsim.Datastore,
		Folder: vcsim.Folder, Network: vcsim.Network, Templates: vcsim.Templates(),
	}
	p, err := start(d.Halcyon("simulator", "--listen", address, "--username", d.vcenter.Username, "--machines", "0"), log)
	if err != nil {
		return nil, err
	}
	if err := p.listening(ctx, address); err != nil {
		p.kill()
		return nil, fmt.Errorf("the simulator did not start: %w", err)
	}
	return p, nil
}

// start starts the server without waiting until it is ready.
func (d *drill) start() error {
	p, err := start(d.Halcyon("serve",
		"--database-url", d.DatabaseURL, "--data-dir", d.Dir, "--listen", d.listen,
		"--lease", "2s", "--log-level", "warn"), d.serverLog)
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	d.server, d.lastStart = p, time.Now()
	return nil
}

// kill kills the server at random moments while customers order, and restarts it
// immediately. The moments are spread over the orders, so that work is always
// interrupted.
func (d *drill) kill(ctx context.Context) error {
	moments := make([]int64, d.Kills)
	for i := range moments {
		moments[i] = 1 + d.rng.Int64N(int64(max(d.Orders-d.Customers, 1)))
	}
	slices.Sort(moments)
	for i, moment := range moments {
		for d.sent.Load() < moment {
			if err := d.wait(ctx, 2*time.Millisecond); err != nil {
				return err
			}
		}
		// Some of these waits end before the server is ready.
		if err := d.wait(ctx, time.Duration(d.rng.Int64N(int64(time.Second)))); err != nil {
			return err
		}
		d.Log("kill %d of %d after %d orders, %s after its start", i+1, d.Kills, d.sent.Load(), time.Since(d.lastStart).Round(time.Millisecond))
		d.server.kill()
		if err := d.start(); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the server reports that it is ready.
func (d *drill) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the server is not ready a minute after its last start"))
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close() // only the status is used
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := d.wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// wait waits for t, and returns an error if the server ends on its own.
func (d *drill) wait(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.server.done:
		return fmt.Errorf("the server ended by itself: %w", d.server.err)
	case <-time.After(t):
		return nil
	}
}

// logErrors returns an error for messages in the server's log that must not occur.
func (d *drill) logErrors() error {
	data, err := os.ReadFile(d.serverLog.Name())
	if err != nil {
		return err
	}
	var bad []error
	for line := range strings.Lines(string(data)) {
		for _, sign := range []string{"panic", "DATA RACE", "level=ERROR", "fatal error"} {
			if strings.Contains(line, sign) && len(bad) < 20 {
				bad = append(bad, errors.New("the server's log says: "+strings.TrimSpace(line)))
				break
			}
		}
	}
	return errors.Join(bad...)
}

// freeAddress returns an unused local address.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
