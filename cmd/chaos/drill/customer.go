package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/demo"
)

// The kinds of orders.
const (
	kindServer = "Custom Server"
	kindStack  = "LAMP Stack"
	kindModify = "modification"
	kindDecom  = "deletion"
)

var kinds = []string{kindServer, kindStack, kindModify, kindDecom}

// pollInterval is the wait between two requests of a customer.
const pause = 50 * time.Millisecond

// customers places orders, all as alice.
type customers struct {
	drill *drill
	http  *http.Client
	base  string

	mu       sync.Mutex
	plan     []string            // kinds of the orders to come
	free     []string            // hrefs of servers without work in progress
	memory   map[string]int      // expected memory of each server in MB, by href
	removed  map[string]bool     // servers that should be removed, by href
	orders   map[string]*outcome // by name
	unknown  int
	accepted int
	busy     int
}

// outcome is the result of an order.
type outcome struct {
	kind    string
	id      string
	status  models.OrderStatus
	servers []string // hrefs
}

func newCustomers(d *drill) *customers {
	c := &customers{
		drill: d, base: "http://" + d.listen,
		// Connections to a killed server are useless, and a hung one must not block the
		// drill.
		http:   &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		memory: map[string]int{}, removed: map[string]bool{}, orders: map[string]*outcome{},
	}
	rng := rand.New(rand.NewPCG(d.Seed, 1)) //nolint:gosec // has to be the same with the same seed
	for range d.Orders {
		switch n := rng.IntN(100); {
		case n < 55:
			c.plan = append(c.plan, kindServer)
		case n < 63:
			c.plan = append(c.plan, kindStack)
		case n < 73:
			c.plan = append(c.plan, kindModify)
		default:
			c.plan = append(c.plan, kindDecom)
		}
	}
	return c
}

// run sends all orders and returns when every one has ended.
func (c *customers) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range c.drill.Customers {
		wg.Go(func() {
			for i := range next {
				if err := c.order(ctx, i); err != nil {
					cancel(fmt.Errorf("%s: %w", name(i), err))
					return
				}
			}
		})
	}
	for i := range c.drill.Orders {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func name(i int) string { return fmt.Sprintf("chaos-%04d", i) }

// order sends one order and waits for its end.
func (c *customers) order(ctx context.Context, i int) error {
	kind, href, memory, body := c.nextRequest(i)
	c.drill.sent.Add(1)
	id, err := c.send(ctx, name(i), body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.drill.Patience, fmt.Errorf("order %s (%s) has not ended within %s", id, kind, c.drill.Patience))
	defer cancel()
	doc, err := c.follow(ctx, id)
	if err != nil {
		return err
	}
	o := &outcome{kind: kind, id: id, status: doc.Status}
	for _, s := range doc.Links.Servers {
		o.servers = append(o.servers, s.Href)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders[name(i)] = o
	if doc.Status != models.OrderSuccess {
		return nil // the final check reports the details
	}
	switch kind {
	case kindServer, kindStack:
		for _, s := range doc.Links.Servers {
			c.memory[s.Href] = 1024
			if strings.HasPrefix(s.Title, "db-") {
				c.memory[s.Href] = 2048
			}
		}
		c.free = append(c.free, o.servers...)
	case kindModify:
		c.memory[href] = memory
		c.free = append(c.free, href)
	case kindDecom:
		delete(c.memory, href)
		c.removed[href] = true
	}
	return nil
}

// nextRequest returns the body of the next order. A change or removal that finds no idle
// server becomes an order of a new one.
func (c *customers) nextRequest(i int) (kind, href string, memory int, body map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind = c.plan[i]
	if kind == kindModify || kind == kindDecom {
		if len(c.free) == 0 {
			kind = kindServer
		} else {
			href, c.free = c.free[0], c.free[1:]
		}
	}
	const environment = "/api/v2/environments/3"
	var items map[string]any
	switch kind {
	case kindServer:
		items = deploy(1, map[string]any{"build-item-Server": map[string]any{
			"environment": environment, "parameters": map[string]any{"vm-size": "small"},
		}})
	case kindStack:
		items = deploy(2, map[string]any{
			"build-item-Web":      map[string]any{"environment": environment},
			"build-item-Database": map[string]any{"environment": environment},
		})
	case kindModify:
		memory = c.memory[href] + 1024
		items = map[string]any{"mod-items": []any{map[string]any{"server": href, "parameters": map[string]any{"mem_size": models.FormatMemory(memory)}}}}
	case kindDecom:
		items = map[string]any{"decom-items": []any{map[string]any{"servers": []string{href}}}}
	}
	return kind, href, memory, map[string]any{"name": name(i), "group": "/api/v2/groups/2", "submit-now": "true", "items": items}
}

func deploy(blueprint int, arguments map[string]any) map[string]any {
	return map[string]any{"deploy-items": []any{map[string]any{
		"blueprint":                 fmt.Sprintf("/api/v2/blueprints/%d", blueprint),
		"blueprint-items-arguments": arguments,
	}}}
}

// send sends an order until it is known to be accepted.
func (c *customers) send(ctx context.Context, name string, body map[string]any) (id string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	for unsure := false; ; {
		if unsure {
			id, err := c.byName(ctx, name)
			if err != nil {
				return "", err
			}
			if id != "" {
				c.mu.Lock()
				c.accepted++
				c.mu.Unlock()
				return id, nil
			}
		}
		var o order
		status, answer, err := c.call(ctx, http.MethodPost, "/api/v2/orders/", text, &o)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil && refused(err): // the server was down
		case err != nil, status == http.StatusServiceUnavailable:
			unsure = true
			c.mu.Lock()
			c.unknown++
			c.mu.Unlock()
		case status == http.StatusCreated:
			return o.ID, nil
		default:
			return "", fmt.Errorf("POST %s: %d %s", text, status, answer)
		}
		if err := rest(ctx); err != nil {
			return "", err
		}
	}
}

// byName returns the id of the order with the name, "" for none.
func (c *customers) byName(ctx context.Context, name string) (string, error) {
	var list struct {
		Total    int `json:"total"`
		Embedded struct {
			Orders []order `json:"orders"`
		} `json:"_embedded"`
	}
	if err := c.read(ctx, "/api/v2/orders/?filter="+url.QueryEscape("name:"+name), &list); err != nil {
		return "", err
	}
	switch list.Total {
	case 0:
		return "", nil
	case 1:
		return list.Embedded.Orders[0].ID, nil
	}
	return "", fmt.Errorf("there are %d orders with the name %s", list.Total, name)
}

// order holds the parts of an order that a customer reads.
type order struct {
	ID     string             `json:"id"`
	Status models.OrderStatus `json:"status"`
	Links  struct {
		Servers []struct {
			Href  string `json:"href"`
			Title string `json:"title"`
		} `json:"servers"`
	} `json:"_links"`
}

// follow polls the order until it has ended.
func (c *customers) follow(ctx context.Context, id string) (*order, error) {
	for {
		var o order
		if err := c.read(ctx, "/api/v2/orders/"+id, &o); err != nil {
			return nil, err
		}
		switch o.Status {
		case models.OrderSuccess, models.OrderWarning, models.OrderFailure, models.OrderCanceled, models.OrderDenied:
			return &o, nil
		case models.OrderCart, models.OrderPending:
			return nil, fmt.Errorf("order %s is %s", id, o.Status)
		case models.OrderActive:
		}
		if err := rest(ctx); err != nil {
			return nil, err
		}
	}
}

// read gets a document, retrying while the server is down.
func (c *customers) read(ctx context.Context, path string, doc any) error {
	for {
		status, answer, err := c.call(ctx, http.MethodGet, path, nil, doc)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil, status == http.StatusServiceUnavailable:
		case status == http.StatusOK:
			return nil
		default:
			return fmt.Errorf("GET %s: %d %s", path, status, answer)
		}
		if err := rest(ctx); err != nil {
			return err
		}
	}
}

func (c *customers) call(ctx context.Context, method, path string, body []byte, doc any) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth("alice", demo.Password)
	req.Header.Set("Accept", "application/hal+json")
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		return 0, nil, err
	}
	if res.StatusCode == http.StatusServiceUnavailable {
		c.mu.Lock()
		c.busy++
		c.mu.Unlock()
	}
	if res.StatusCode < 300 {
		err = json.Unmarshal(answer, doc)
	}
	return res.StatusCode, answer, err
}

// refused reports whether the request cannot have reached the server.
func refused(err error) bool {
	return strings.Contains(err.Error(), "connection refused")
}

func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pause):
		return nil
	}
}

func (c *customers) report() *Report {
	r := &Report{Orders: map[string]int{}, Unknown: c.unknown, Accepted: c.accepted, Busy: c.busy}
	for _, o := range c.orders {
		r.Orders[o.kind]++
	}
	return r
}

// measure reads the server's metrics.
func (d *drill) measure(ctx context.Context, r *Report) error {
	r.MemoryMB, r.PeakMB = d.server.memory()
	r.Counters = map[string]int{}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+"/metrics", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "halcyon_jobs_"); ok {
			var name string
			var value float64
			if _, err := fmt.Sscan(rest, &name, &value); err == nil {
				r.Counters[name] = int(value)
			}
		}
	}
	if len(r.Counters) == 0 {
		return errors.New("/metrics says nothing of jobs")
	}
	return nil
}
