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

// streams is how many people look on.
const streams = 1000

// arrivals gathers how late events came.
type arrivals struct {
	mu    sync.Mutex
	count map[string]int // streams that have had the event, by its id
	late  []time.Duration
	err   error
}

func (a *arrivals) add(id string, late time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count[id]++
	a.late = append(a.late, late)
}

// read follows a stream: of each order that is made it notes how late that was heard.
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
		var e struct{ ID, Type, Date string }
		at, bad := time.Time{}, json.Unmarshal([]byte(text), &e)
		if bad == nil {
			at, bad = time.Parse("2006-01-02T15:04:05.000000", e.Date)
		}
		if bad == nil && e.Type == "order.created" {
			a.add(e.ID, now.Sub(at))
		}
	}
}

// open begins a stream on a connection of its own.
func open(ctx context.Context, c *client, last string) (net.Conn, *bufio.Reader, error) {
	host := strings.TrimPrefix(c.base, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /api/v2/events/?resource=orders HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %s\r\nUser-Agent: bench\r\n\r\n", host, c.token, last)
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

// row shows a footprint in a table.
func (m footprint) row(name string) []string {
	return []string{name, fmt.Sprintf("%.1f", m.rss), fmt.Sprintf("%.1f", m.rss-m.anon), fmt.Sprintf("%.1f", m.anon)}
}

// events measures what open event streams take, and how late events come. The goal of
// 60 MB is held against all that is resident. Most of that is the program itself: its
// file is mapped, and what was ever touched of it counts until the kernel needs the
// room. What the streams take is in the anonymous part, next to that of the same
// process before anybody came.
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
	signedIn := memory(p.cmd.Process.Pid)
	a := &arrivals{count: map[string]int{}}
	for i := range streams {
		conn, reader, err := open(ctx, clients[i%users], "0")
		if err != nil {
			return err
		}
		defer conn.Close()
		go a.read(reader)
	}
	silent := memory(p.cmd.Process.Pid)
	orders := r.some(40, 15)
	server := cpu(p.cmd.Process.Pid)
	for i := range orders {
		if _, err := clients[0].text(ctx, order(i)); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond) // as if by people
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		a.mu.Lock()
		got, err := len(a.late), a.err
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
	slices.Sort(a.late)
	most := a.late[len(a.late)-1]
	r.out.table("Memory with open event streams, MB",
		[]string{"", "resident", "pages of files", "anonymous"},
		idle.row("nobody has come"),
		signedIn.row(fmt.Sprintf("%d users have signed in", users)),
		silent.row(fmt.Sprintf("%d streams, silent", streams)),
		append(busy.row(fmt.Sprintf("%d streams, after %d orders", streams, orders)), fmt.Sprintf("goal 60 MB resident: %s", met(busy.rss < 60))),
		[]string{"a stream, silent", "", "", fmt.Sprintf("%.1f kB", (silent.anon-idle.anon)*1024/streams)},
		[]string{"a stream, after the orders", "", "", fmt.Sprintf("%.1f kB", (busy.anon-idle.anon)*1024/streams)})
	r.out.table(fmt.Sprintf("%d open event streams of %d users", streams, users),
		[]string{fmt.Sprintf("%d orders, from their transaction to each stream", orders), fmt.Sprintf("p50 %s ms, p99 %s ms, most %s ms", ms(quantile(a.late, .5)), ms(quantile(a.late, .99)), ms(most)), fmt.Sprintf("goal 200 ms: %s", met(most <= 200*time.Millisecond))},
		[]string{"processor ms of the server by order, with its work", perRequest(server, orders), ""})
	return nil
}
