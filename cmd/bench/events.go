package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// streams is the number of open event streams.
const streams = 1000

// arrivals collects the latencies of events.
type arrivals struct {
	since time.Time // earlier events are not counted
	mu    sync.Mutex
	list  []arrival
	err   error
}

// arrival is the arrival of one event at one stream.
type arrival struct{ happened, heard time.Time }

func (a *arrivals) add(x arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, x)
}

// latencies returns the times from the start of an order's transaction to the arrival of
// its event, and from the answer to the client to that arrival, both sorted.
func (a *arrivals) latencies(posts []post) (began, answered []time.Duration) {
	for _, x := range a.list {
		began = append(began, x.heard.Sub(x.happened))
		at := slices.IndexFunc(posts, func(p post) bool { return !x.happened.Before(p.sent) && x.happened.Before(p.answered) })
		if at >= 0 {
			answered = append(answered, max(0, x.heard.Sub(posts[at].answered)))
		}
	}
	slices.Sort(began)
	slices.Sort(answered)
	return began, answered
}

// read follows a stream and records the arrival of each order's event.
func (a *arrivals) read(r *bufio.Reader) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.err = fmt.Errorf("a stream has ended: %w", err)
			return
		}
		text, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		now := time.Now()
		var e struct{ Type, Date string }
		at, bad := time.Time{}, json.Unmarshal([]byte(text), &e)
		if bad == nil {
			at, bad = time.Parse("2006-01-02T15:04:05.000000", e.Date)
		}
		if bad == nil && e.Type == "order.created" && at.After(a.since) {
			a.add(arrival{at, now})
		}
	}
}

// open opens a stream on a connection of its own.
func open(ctx context.Context, c *client) (net.Conn, *bufio.Reader, error) {
	host := strings.TrimPrefix(c.base, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /api/v2/events/?resource=orders HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\nUser-Agent: bench\r\n\r\n", host, c.token)
	r := bufio.NewReaderSize(conn, 1024)
	for err == nil {
		var line string
		if line, err = r.ReadString('\n'); strings.HasPrefix(line, "id: ") {
			return conn, r, nil
		}
		if strings.HasPrefix(line, "HTTP/") && !strings.Contains(line, " 200 ") {
			err = fmt.Errorf("a stream is answered %s", strings.TrimSpace(line))
		}
	}
	_ = conn.Close()
	return nil, nil, err
}

// post is an order that was placed.
type post struct{ sent, answered time.Time }

// orderSlowly places orders at the pace of people.
func orderSlowly(ctx context.Context, c *client, n int) ([]post, error) {
	posts := make([]post, n)
	for i := range posts {
		posts[i].sent = time.Now()
		if _, err := c.text(ctx, order(i)); err != nil {
			return nil, err
		}
		posts[i].answered = time.Now()
		time.Sleep(200 * time.Millisecond)
	}
	return posts, nil
}

// row returns a footprint as a table row.
func (m footprint) row(name string) []string {
	return []string{name, fmt.Sprintf("%.1f", m.rss), fmt.Sprintf("%.1f", m.rss-m.anon), fmt.Sprintf("%.1f", m.anon)}
}

// events measures the memory of open event streams and the latency of events. The limit
// of 60 MB applies to all resident memory. Most of it is the program's mapped file, whose
// pages count until the kernel needs the memory. The streams' own use is in the anonymous
// memory, compared with that of a process that did the same work without them.
func (r *rig) events(ctx context.Context) error {
	const users = 8
	db := r.pg.with("events")
	if err := exec1(ctx, r.pg.url, "CREATE DATABASE events TEMPLATE bench"); err != nil {
		return err
	}
	for i := range users {
		if err := run(ctx, password, r.halcyon, "--log-level=warn", "user", "add", "--password-file=-", "--database-url", db, "--data-dir", r.data, fmt.Sprintf("looker%d", i), "--super-admin"); err != nil {
			return err
		}
	}
	p, err := r.serve(ctx, db, "--workers=8")
	if err != nil {
		return err
	}
	defer p.stop()
	idle := memory(p.cmd.Process.Pid)
	var clients []*client
	for i := range users {
		c, err := signIn(ctx, p.url, fmt.Sprintf("looker%d", i))
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	// The reference does the same work, while the memory of password hashing is released.
	orders := r.scaled(40, 15)
	if _, err := orderSlowly(ctx, clients[0], orders); err != nil {
		return err
	}
	alone := memory(p.cmd.Process.Pid)
	a := &arrivals{since: time.Now()}
	for i := range streams {
		conn, reader, err := open(ctx, clients[i%users])
		if err != nil {
			return err
		}
		defer conn.Close()
		go a.read(reader)
	}
	silent := memory(p.cmd.Process.Pid)
	server := cpu(p.cmd.Process.Pid)
	posts, err := orderSlowly(ctx, clients[0], orders)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		a.mu.Lock()
		got, err := len(a.list), a.err
		a.mu.Unlock()
		if err != nil {
			return err
		}
		if got >= orders*streams {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d events have arrived", got, orders*streams)
		}
	}
	server = cpu(p.cmd.Process.Pid) - server
	busy := memory(p.cmd.Process.Pid)
	a.mu.Lock()
	defer a.mu.Unlock()
	began, answered := a.latencies(posts)
	took := make([]time.Duration, len(posts))
	for i, p := range posts {
		took[i] = p.answered.Sub(p.sent)
	}
	slices.Sort(took)
	r.out.table("Memory with open event streams, MB",
		[]string{"", "resident", "of it pages of files", "anonymous"},
		idle.row("nobody has come"),
		alone.row(fmt.Sprintf("%d users, %d orders", users, orders)),
		silent.row(fmt.Sprintf("%d streams, silent", streams)),
		append(busy.row(fmt.Sprintf("%d streams, %d orders", streams, orders)), fmt.Sprintf("goal 60 MB resident: %s", met(busy.rss < 60))),
		[]string{"a stream, of the same work without", "", "", fmt.Sprintf("%.1f kB", (busy.anon-alone.anon)*1024/streams)})
	r.out.table(fmt.Sprintf("%d open event streams of %d users", streams, users),
		[]string{fmt.Sprintf("%d orders, from their answer to each stream", orders), spread(answered), fmt.Sprintf("goal 200 ms: %s", met(answered[len(answered)-1] <= 200*time.Millisecond))},
		[]string{"the same from the beginning of their transaction", spread(began), ""},
		[]string{"the orders themselves, to their answer", spread(took), ""},
		[]string{"processor ms of the server by order, with its work", perRequest(server, orders), ""})
	return nil
}

// spread formats quantiles of sorted durations.
func spread(list []time.Duration) string {
	return fmt.Sprintf("p50 %s ms, p99 %s ms, most %s ms", ms(quantile(list, .5)), ms(quantile(list, .99)), ms(list[len(list)-1]))
}
