package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// request is one call of an API.
type request struct {
	method, path, body string
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

// client calls one server over persistent connections.
type client struct {
	http  *http.Client
	base  string
	token string
	kind  string    // media type that it accepts; "" is HAL
	tags  *sync.Map // entity tags by path, for conditional requests; nil sends none
}

// withCache returns a copy of the client that caches documents and sends conditional
// requests.
func (c *client) withCache() *client {
	k := *c
	k.tags = &sync.Map{}
	return &k
}

// withAccept returns a copy of the client that accepts another media type.
func (c *client) withAccept(kind string) *client {
	k := *c
	k.kind = kind
	return &k
}

const concurrency = 8

func newClient(base, token string) *client {
	return &client{base: base, token: token, http: &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			MaxIdleConns: concurrency, MaxIdleConnsPerHost: concurrency,
			// Compression is not measured: clients on fast networks do not need it.
			DisableCompression: true,
		},
	}}
}

// do performs a call and returns the body. A status other than 2xx is an error.
func (c *client) do(ctx context.Context, r request, into *bytes.Buffer) error {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", cmp.Or(c.kind, "application/hal+json"))
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.tags != nil {
		if tag, ok := c.tags.Load(r.path); ok {
			req.Header.Set("If-None-Match", tag.(string))
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	into.Reset()
	if _, err := io.Copy(into, resp.Body); err != nil {
		return err
	}
	if c.tags != nil {
		c.tags.Store(r.path, resp.Header.Get("ETag"))
		if resp.StatusCode == http.StatusNotModified {
			return nil
		}
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", r.method, r.path, resp.Status, into.String())
	}
	return nil
}

func (c *client) text(ctx context.Context, r request) (string, error) {
	var b bytes.Buffer
	err := c.do(ctx, r, &b)
	return b.String(), err
}

// load performs the calls 1 to n, several at a time, and returns their durations, sorted.
func (c *client) load(ctx context.Context, n int, call func(i int) request) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range concurrency {
		all.Go(func() {
			var b bytes.Buffer
			for {
				i := int(next.Add(1))
				if i > n || ctx.Err() != nil {
					return
				}
				begin := time.Now()
				if err := c.do(ctx, call(i), &b); err != nil {
					cancel(err)
					return
				}
				took[i-1] = time.Since(begin)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	slices.Sort(took)
	return took, nil
}

// quantile returns the q-quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}
