package providertest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Failure is a fault that a Proxy injects into a call.
type Failure int

// The failures.
const (
	Pass       Failure = iota // no failure
	Answer500                 // status 500, without calling the back end
	Answer503                 // status 503, without calling the back end
	CutBefore                 // the connection closes before the back end is called
	CutAfter                  // the back end is called, the answer is lost
	SlowAnswer                // the answer arrives after Proxy.Delay
	NoSession                 // the back end does not recognize the client's session
)

// Proxy is a reverse proxy in front of a SOAP back end that injects failures on request.
type Proxy struct {
	Delay time.Duration // of SlowAnswer

	server *httptest.Server
	target *url.URL

	mu    sync.Mutex
	rules map[string][]Failure
	calls map[string]int
	last  map[string]string // body of the last call
}

// NewProxy starts a proxy for the back end at the URL target. It closes with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Delay: time.Second, target: u, rules: map[string][]Failure{}, calls: map[string]int{}, last: map[string]string{}}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

// URL returns the proxy's address, with the path of the back end's.
func (p *Proxy) URL() string { return p.server.URL + p.target.Path }

// Next injects failures into the next calls of a SOAP method such as CloneVM_Task, one
// per call. The method "*" is any.
func (p *Proxy) Next(method string, failures ...Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules[method] = append(p.rules[method], failures...)
}

// Calls returns how often a method was sent to the back end.
func (p *Proxy) Calls(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[method]
}

// Last returns the body of the last call of a method that was sent to the back end.
func (p *Proxy) Last(method string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[method]
}

// Pending returns the number of failures for a method that were not injected yet.
func (p *Proxy) Pending(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rules[method])
}

var methodName = regexp.MustCompile(`Body[^>]*>\s*<(?:\w+:)?(\w+)`)

func (p *Proxy) next(method string) Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range []string{method, "*"} {
		if rule := p.rules[m]; len(rule) > 0 {
			p.rules[m] = rule[1:]
			return rule[0]
		}
	}
	return 0
}

// ServeHTTP forwards a call, or injects the next failure.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		cut(w)
		return
	}
	method := ""
	if m := methodName.FindSubmatch(body); m != nil {
		method = string(m[1])
	}
	failure := p.next(method)
	switch failure {
	case Answer500:
		http.Error(w, "injected", http.StatusInternalServerError)
		return
	case Answer503:
		http.Error(w, "injected", http.StatusServiceUnavailable)
		return
	case CutBefore:
		cut(w)
		return
	case Pass, CutAfter, SlowAnswer, NoSession:
	}
	to := *r.URL
	to.Scheme, to.Host = p.target.Scheme, p.target.Host
	// The back end completes the call even if the client has disconnected, like a real one.
	out, err := http.NewRequest(r.Method, to.String(), bytes.NewReader(body)) //nolint:noctx,gosec // see above; the test names the target
	if err != nil {
		cut(w)
		return
	}
	out.Header = r.Header.Clone()
	if failure == NoSession {
		out.Header.Del("Cookie")
	}
	p.mu.Lock()
	p.calls[method]++
	p.last[method] = string(body)
	p.mu.Unlock()
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		cut(w)
		return
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || failure == CutAfter {
		cut(w)
		return
	}
	if failure == SlowAnswer {
		select {
		case <-time.After(p.Delay):
		case <-r.Context().Done():
			return
		}
	}
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer)
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
