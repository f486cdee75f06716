package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"halcyon/pkg/provider"
	"halcyon/pkg/provider/vsphere"
)

// million compares E2 on 1,000,000 servers, and a page in the middle with the first.
func (r *rig) million(ctx context.Context) error {
	db := r.pg.with("million")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE million TEMPLATE bench"); err != nil {
		return err
	}
	if err := addServers(ctx, db, small+1, large); err != nil {
		return err
	}
	list, stop, err := r.contenders(ctx, db, "--workers=8")
	if err != nil {
		return err
	}
	defer stop()
	if err := checkSameDocuments(ctx, list, large); err != nil {
		return err
	}
	rounds, n := r.scaled(5, 3), r.scaled(60, 20)
	if err := r.compare(ctx, "E2 a page of 100 of 1,000,000 servers, filtered", .2, rounds, n, list, pageOfServers); err != nil {
		return err
	}
	const first = "/api/v2/servers/?page_size=100"
	page, err := list[0].c.text(ctx, get(first+"&page=5000"))
	if err != nil {
		return err
	}
	var doc struct {
		Links struct{ Next struct{ Href string } } `json:"_links"`
	}
	if err := json.Unmarshal([]byte(page), &doc); err != nil {
		return err
	}
	next := doc.Links.Next.Href
	if !strings.Contains(next, "after=") {
		return fmt.Errorf("page 5,000 has no next link with a cursor: %q", next)
	}
	pages := []struct{ name, path string }{{"page 1", first}, {"page 5,001 by its link", next}, {"page 5,001 by its number", first + "&page=5001"}}
	used := make([][]usage, len(pages))
	for range rounds {
		for i, p := range pages {
			u, err := r.round(ctx, list[0], n, func(int) request { return get(p.path) })
			if err != nil {
				return err
			}
			used[i] = append(used[i], u)
		}
	}
	rows := [][]string{{"", "processor ms", "of page 1", "p50 ms"}}
	for i, p := range pages {
		u, one := best(used[i]), best(used[0])
		ratio := float64(u.cpu()) / float64(one.cpu())
		of := fmt.Sprintf("%.2f", ratio)
		if i == 1 {
			of += fmt.Sprintf(" (goal 1.5: %s)", met(ratio <= 1.5))
		}
		rows = append(rows, []string{p.name, perRequest(u.server+u.sql, u.n), of, ms(quantile(u.took, .5))})
	}
	r.out.table("A page of 100 of 1,000,000 servers, all of them", rows...)
	return nil
}

// starting measures the time until Halcyon is ready on an existing database.
func (r *rig) starting(ctx context.Context) error {
	var took []time.Duration
	for range 5 {
		p, err := r.serve(ctx, r.db, "--workers=8")
		if err != nil {
			return err
		}
		p.stop()
		took = append(took, p.took)
	}
	slices.Sort(took)
	t := quantile(took, .5)
	r.out.table("Start on a database with 10,000 servers", []string{fmt.Sprintf("%.2f s", t.Seconds()), fmt.Sprintf("goal 0.5 s: %s", met(t <= 500*time.Millisecond))})
	return nil
}

// demo measures the demo's start and size.
func (r *rig) demo(ctx context.Context) error {
	var all []*process
	for range 3 {
		p, err := start(ctx, r.halcyon, "demo", "--listen=127.0.0.1:0")
		if err != nil {
			return err
		}
		defer p.stop()
		all = append(all, p)
		if len(all) < 3 {
			p.stop()
		}
	}
	last := all[len(all)-1]
	slices.SortFunc(all, func(a, b *process) int { return cmp.Compare(a.took, b.took) })
	m := memory(last.cmd.Process.Pid)
	t := all[1].took
	r.out.table("The demo, with its simulated vCenter and its history",
		[]string{fmt.Sprintf("ready in %.2f s", t.Seconds()), fmt.Sprintf("goal 2 s: %s", met(t <= 2*time.Second))},
		[]string{fmt.Sprintf("%.0f MB resident, %.0f MB of its own share", m.rss, m.pss), fmt.Sprintf("goal 100 MB: %s", met(m.pss <= 100))})
	return nil
}

// orders measures the delay until work starts, and the throughput.
func (r *rig) orders(ctx context.Context) error {
	db := r.pg.with("work")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE work TEMPLATE bench"); err != nil {
		return err
	}
	p, err := r.serve(ctx, db, "--workers=8")
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := signIn(ctx, p.url, "admin")
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	done := func(n int) error {
		deadline := time.Now().Add(2 * time.Minute)
		for {
			var ended, well int
			err := conn.QueryRow(ctx, "SELECT count(*) FILTER (WHERE ended_at IS NOT NULL), count(*) FILTER (WHERE status = 'SUCCESS') FROM orders").Scan(&ended, &well)
			switch {
			case err != nil:
				return err
			case ended >= n && well < ended:
				return fmt.Errorf("of %d orders %d succeeded", ended, well)
			case ended >= n:
				return nil
			case time.Now().After(deadline):
				return fmt.Errorf("only %d of %d orders have ended in two minutes", ended, n)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	before, few, many := r.scaled(200, 100), r.scaled(60, 20), r.scaled(600, 150)
	if err := addHistory(ctx, db, func() error {
		if _, err := c.load(ctx, before, order); err != nil {
			return err
		}
		return done(before)
	}); err != nil {
		return err
	}
	for i := range few {
		if _, err := c.text(ctx, order(i)); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := done(before + few); err != nil {
		return err
	}
	var half, most float64
	if err := conn.QueryRow(ctx, `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s), percentile_cont(0.99) WITHIN GROUP (ORDER BY s) FROM (
		SELECT 1000 * extract(epoch FROM min(st.started_at) - o.submitted_at)::float8 AS s
		FROM orders o JOIN jobs j ON j.order_id = o.id JOIN job_steps st ON st.job_id = j.id WHERE o.id > $1 GROUP BY o.id) x`, before).Scan(&half, &most); err != nil {
		return err
	}
	server, sql, begin := cpu(p.cmd.Process.Pid), treeCPU(r.pg.pid), time.Now()
	if _, err := c.load(ctx, many, order); err != nil {
		return err
	}
	accepted := time.Since(begin)
	if err := done(before + few + many); err != nil {
		return err
	}
	took := time.Since(begin)
	server, sql = cpu(p.cmd.Process.Pid)-server, treeCPU(r.pg.pid)-sql
	pss := memory(p.cmd.Process.Pid).pss
	rate := float64(many) / took.Seconds()
	r.out.table("Orders with the simulated provider, 8 workers",
		[]string{"from submit to the first step of a job", fmt.Sprintf("p50 %.0f ms, p99 %.0f ms", half, most), fmt.Sprintf("goal p99 1000 ms: %s", met(most <= 1000))},
		[]string{fmt.Sprintf("%d orders, from the first POST to the last end", many), fmt.Sprintf("%.0f orders/s (accepted in %.1f s, done in %.1f s)", rate, accepted.Seconds(), took.Seconds()), fmt.Sprintf("goal 100: %s", met(rate >= 100))},
		[]string{"processor ms by order, to its end", fmt.Sprintf("%s server, %s PostgreSQL", perRequest(server, many), perRequest(sql, many)), ""},
		[]string{"memory", fmt.Sprintf("%.0f MB", pss), fmt.Sprintf("goal 60 MB: %s", met(pss <= 60))})
	return nil
}

var jobHref = regexp.MustCompile(`/api/v2/jobs/(\d+)`)

// sync measures the synchronization of servers with a vCenter, compared with only reading
// it.
func (r *rig) sync(ctx context.Context) error {
	machines := r.scaled(1000, 400)
	db := r.pg.with("sync")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE sync TEMPLATE bench"); err != nil {
		return err
	}
	const user, secret = "halcyon", "halcyon"
	sim, err := start(ctx, r.halcyon, "simulator", "--listen=127.0.0.1:0", "--machines", fmt.Sprint(machines))
	if err != nil {
		return err
	}
	defer sim.stop()
	p, err := r.serve(ctx, db, "--workers=8")
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := signIn(ctx, p.url, "admin")
	if err != nil {
		return err
	}
	answer, err := c.text(ctx, request{"POST", "/api/v2/resource-handlers/", fmt.Sprintf(`{"name":"Simulator","type":"vsphere","url":%q,"username":%q,"password":%q}`, sim.url, user, secret)})
	if err != nil {
		return err
	}
	var handler struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &handler); err != nil {
		return err
	}
	bare := vsphere.New(provider.Config{Name: "Simulator", URL: sim.url, Username: user, Password: secret}, slog.New(slog.DiscardHandler))
	defer func() { _ = bare.Close(context.WithoutCancel(ctx)) }()
	var reads []time.Duration
	for range 3 {
		begin := time.Now()
		n, err := readAll(ctx, bare)
		if err != nil {
			return err
		}
		reads = append(reads, time.Since(begin))
		machines = n
	}
	slices.Sort(reads)
	read := reads[1]
	rows := [][]string{
		{"", "seconds", "of the bare read", ""},
		{fmt.Sprintf("reading %d machines, and no more", machines), fmt.Sprintf("%.2f", read.Seconds()), "1.00", ""},
	}
	for _, x := range []struct {
		what string
		goal float64
	}{{"sync-vms, all of them new", 1.3}, {"sync-vms again, nothing changed", 1.1}} {
		answer, err := c.text(ctx, request{"POST", "/api/v2/resource-handlers/" + handler.ID + "/actions/sync-vms", ""})
		if err != nil {
			return err
		}
		m := jobHref.FindStringSubmatch(answer)
		if m == nil {
			return fmt.Errorf("no job in %s", answer)
		}
		took, err := r.job(ctx, db, m[1])
		if err != nil {
			return err
		}
		ratio := took.Seconds() / read.Seconds()
		rows = append(rows, []string{x.what, fmt.Sprintf("%.2f", took.Seconds()), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("goal %.1f: %s", x.goal, met(ratio <= x.goal))})
	}
	pss := memory(p.cmd.Process.Pid).pss
	rows = append(rows, []string{"memory", fmt.Sprintf("%.0f MB", pss), "", fmt.Sprintf("goal 100 MB: %s", met(pss <= 100))})
	r.out.table("Synchronisation with a simulated vCenter", rows...)
	return nil
}

// readAll reads all machines page by page and discards them.
func readAll(ctx context.Context, p provider.Provider) (n int, err error) {
	after := ""
	for {
		const limit = 200
		page, err := p.List(ctx, after, limit)
		if err != nil {
			return n, err
		}
		if n += len(page); len(page) < limit {
			return n, nil
		}
		after = page[len(page)-1].Ref
	}
}

// job waits for a job and returns its duration.
func (r *rig) job(ctx context.Context, db, id string) (time.Duration, error) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var status, errs string
		var seconds *float64
		if err := row(ctx, db, "SELECT status, errors, extract(epoch FROM ended_at - started_at)::float8 FROM jobs WHERE id = "+id, &status, &errs, &seconds); err != nil {
			return 0, err
		}
		switch {
		case status == "SUCCESS" && seconds != nil:
			return time.Duration(*seconds * float64(time.Second)), nil
		case seconds != nil:
			return 0, fmt.Errorf("job %s: %s: %s", id, status, errs)
		case time.Now().After(deadline):
			return 0, fmt.Errorf("job %s is %s after two minutes", id, status)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
