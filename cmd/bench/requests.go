package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// contender is one of the servers in a comparison.
type contender struct {
	name string
	p    *process
	c    *client
}

// usage is the resource use of one round of a contender.
type usage struct {
	n           int
	server, sql time.Duration // processor time
	took        []time.Duration
	pss         float64
}

func (u *usage) cpu() time.Duration { return (u.server + u.sql) / time.Duration(u.n) }

// round performs n calls and returns their resource use.
func (r *rig) round(ctx context.Context, x *contender, n int, call func(i int) request) (usage, error) {
	server, sql := cpu(x.p.cmd.Process.Pid), treeCPU(r.pg.pid)
	took, err := x.c.load(ctx, n, call)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", x.name, err)
	}
	u := usage{n: n, took: took}
	u.server, u.sql = cpu(x.p.cmd.Process.Pid)-server, treeCPU(r.pg.pid)-sql
	u.pss = memory(x.p.cmd.Process.Pid).pss
	return u, nil
}

// best returns the round with the lowest processor time: other load only increases it,
// through cold caches.
func best(rounds []usage) usage {
	return slices.MinFunc(rounds, func(a, b usage) int { return cmp.Compare(a.cpu(), b.cpu()) })
}

// compare runs the same calls on the contenders in turn and prints a table. The first is
// Halcyon, and the last is the reference that the goal refers to.
func (r *rig) compare(ctx context.Context, title string, goal float64, rounds, n int, list []*contender, call func(i int) request) error {
	r.out.progress(title)
	for _, x := range list { // warm up connections, plans and caches
		if _, err := x.c.load(ctx, max(n/5, 50), call); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	used := map[*contender][]usage{}
	for i := range rounds {
		for _, x := range list {
			end := r.profiling(ctx, x, title, i)
			u, err := r.round(ctx, x, n, call)
			end()
			if err != nil {
				return err
			}
			used[x] = append(used[x], u)
		}
	}
	rows := [][]string{{"", "server", "PostgreSQL", "together", "of floor", "p50 ms", "p99 ms", "memory MB"}}
	floor := best(used[list[len(list)-1]])
	for i, x := range list {
		u := best(used[x])
		ratio := float64(u.cpu()) / float64(floor.cpu())
		of := fmt.Sprintf("%.2f", ratio)
		if i == 0 && goal > 0 {
			of += fmt.Sprintf(" (goal %.1f: %s)", goal, met(ratio <= goal))
		}
		rows = append(rows, []string{
			x.name, perRequest(u.server, u.n), perRequest(u.sql, u.n), perRequest(u.server+u.sql, u.n), of,
			ms(quantile(u.took, .5)), ms(quantile(u.took, .99)), fmt.Sprintf("%.0f", u.pss),
		})
	}
	r.out.table(fmt.Sprintf("%s: processor ms by request, the best of %d rounds of %d", title, rounds, n), rows...)
	return nil
}

// profiling records a profile of Halcyon during the second round, if --profile is set.
func (r *rig) profiling(ctx context.Context, x *contender, title string, round int) func() {
	if r.profile == "" || x.name != "halcyon" || round != 1 {
		return func() {}
	}
	name, _, _ := strings.Cut(title, " ")
	path, err := filepath.Abs(filepath.Join(r.profile, name+".perf"))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o750)
	}
	if err != nil {
		r.out.progress("no profile: " + err.Error())
		return func() {}
	}
	perf := osexec.CommandContext(ctx, "perf", "record", "-q", "-F", "2000", "-g", "-o", path, "-p", fmt.Sprint(x.p.cmd.Process.Pid)) //nolint:gosec // a profiler
	if err := perf.Start(); err != nil {
		r.out.progress("no profile: " + err.Error())
		return func() {}
	}
	time.Sleep(200 * time.Millisecond)
	return func() {
		_ = perf.Process.Signal(os.Interrupt)
		_ = perf.Wait()
	}
}

const (
	listPath  = "/api/v2/servers/?page_size=100&filter=environment.name.contains:Dev&attributes=owner,group,environment"
	orderBody = `{"group":"/api/v2/groups/2","submit-now":"true","items":{"deploy-items":[{"blueprint":"/api/v2/blueprints/1",` +
		`"blueprint-items-arguments":{"build-item-Server":{"attributes":{"quantity":1},"environment":"/api/v2/environments/3","os-build":"/api/v2/os-builds/1",` +
		`"parameters":{"vm-size":"small","sw-stack":"Dev"}}},"resource-name":"My App","resource-parameters":{}}]}}`
)

// oneServer requests one server after the other, far apart.
func oneServer(total int) func(i int) request {
	return func(i int) request {
		return get(fmt.Sprintf("/api/v2/servers/%d/", 1+i*7919%total))
	}
}

func pageOfServers(int) request { return get(listPath) }

func order(int) request { return request{"POST", "/api/v2/orders/", orderBody} }

// contenders starts Halcyon, signs in an administrator and a member, and starts the
// reference.
func (r *rig) contenders(ctx context.Context, db string, args ...string) (list []*contender, stop func(), err error) {
	halcyon, err := r.serve(ctx, db, args...)
	if err != nil {
		return nil, nil, err
	}
	floor, err := start(ctx, r.floor, "--database-url", db)
	if err != nil {
		halcyon.stop()
		return nil, nil, err
	}
	stop = func() { halcyon.stop(); floor.stop() }
	for _, user := range []string{"admin", "member"} {
		c, err := signIn(ctx, halcyon.url, user)
		if err != nil {
			stop()
			return nil, nil, err
		}
		name := "halcyon"
		if user != "admin" {
			name = "halcyon, as a member"
		}
		list = append(list, &contender{name, halcyon, c})
	}
	return append(list, &contender{"floor", floor, newClient(floor.url, "")}), stop, nil
}

// cursor matches the paging cursors, in which the two differ.
var cursor = regexp.MustCompile(`after=[A-Za-z0-9_-]+`)

// checkSameDocuments returns an error unless the contenders answer the same documents.
func checkSameDocuments(ctx context.Context, list []*contender, total int) error {
	calls := []request{pageOfServers(1)}
	for i := range 20 {
		calls = append(calls, oneServer(total)(i))
	}
	for _, r := range calls {
		a, err := list[0].c.text(ctx, r)
		b, err2 := list[len(list)-1].c.text(ctx, r)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if a, b = cursor.ReplaceAllString(a, "after="), cursor.ReplaceAllString(b, "after="); a != b {
			return fmt.Errorf("the answers to %s differ:\n%s\n%s", r.path, a, b)
		}
	}
	return nil
}

// requests compares E1 and E2 on 10,000 servers.
func (r *rig) requests(ctx context.Context) error {
	list, stop, err := r.contenders(ctx, r.db, "--workers=8")
	if err != nil {
		return err
	}
	defer stop()
	if err := checkSameDocuments(ctx, list, small); err != nil {
		return err
	}
	rounds := r.scaled(5, 3)
	if err := r.compare(ctx, "E1 one server", 1.2, rounds, r.scaled(4000, 1500), []*contender{list[0], list[2]}, oneServer(small)); err != nil {
		return err
	}
	// The first round fills the client's cache and is never the best.
	keeps := &contender{"halcyon, 304", list[0].p, list[0].c.withCache()}
	if err := r.compare(ctx, "E1-304 one server that has not changed", 0, rounds, r.scaled(4000, 1500), []*contender{keeps, list[2]}, oneServer(small)); err != nil {
		return err
	}
	if err := r.compare(ctx, "E2 a page of 100 of 10,000 servers, filtered", .6, rounds, r.scaled(800, 300), list, pageOfServers); err != nil {
		return err
	}
	// The same rows and attributes as an HTML page.
	html := &contender{"halcyon, as a page", list[0].p, list[0].c.withAccept("text/html")}
	json := &contender{"halcyon, as HAL", list[0].p, list[0].c}
	return r.compare(ctx, "E2-HTML the same as a page, beside its JSON", 3, rounds, r.scaled(800, 300), []*contender{html, json}, pageOfServers)
}

// order compares E3.
func (r *rig) order(ctx context.Context) error {
	orders := r.pg.with("orders")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE orders TEMPLATE bench"); err != nil {
		return err
	}
	// Without workers only the POST is measured, not the jobs.
	list, stop, err := r.contenders(ctx, orders, "--workers=0")
	if err != nil {
		return err
	}
	defer stop()
	if err := addHistory(ctx, orders, func() error {
		for _, x := range []*contender{list[0], list[2]} {
			if _, err := x.c.load(ctx, r.scaled(400, 150), order); err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return r.compare(ctx, "E3 an order", 2.5, r.scaled(5, 3), r.scaled(600, 200), []*contender{list[0], list[2]}, order)
}

// addHistory adds orders and updates the statistics before a measurement: PostgreSQL would keep
// the plans that it made for empty tables.
func addHistory(ctx context.Context, db string, orders func() error) error {
	if err := orders(); err != nil {
		return err
	}
	return exec1(ctx, db, "VACUUM (ANALYZE)", "CHECKPOINT")
}
