package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"halcyon/pkg/fault"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var loopback = Allowed{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestPermits(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"93.184.216.34":          true,
		"1.1.1.1":                true,
		"172.15.255.255":         true,
		"172.32.0.0":             true,
		"100.63.255.255":         true,
		"100.128.0.0":            true,
		"2606:4700:4700::1111":   true,
		"0.0.0.0":                false,
		"0.1.2.3":                false,
		"10.0.0.1":               false,
		"100.64.0.1":             false,
		"100.127.255.254":        false,
		"127.0.0.1":              false,
		"127.255.255.254":        false,
		"169.254.169.254":        false,
		"172.16.0.1":             false,
		"172.31.255.254":         false,
		"192.0.0.8":              false,
		"192.0.2.1":              false,
		"192.168.1.1":            false,
		"198.18.0.1":             false,
		"198.19.255.255":         false,
		"203.0.113.9":            false,
		"224.0.0.1":              false,
		"239.255.255.255":        false,
		"255.255.255.255":        false,
		"::":                     false,
		"::1":                    false,
		"::ffff:127.0.0.1":       false, // IPv4-mapped
		"::ffff:10.0.0.1":        false,
		"::ffff:169.254.169.254": false,
		"::ffff:1.1.1.1":         true,
		"::127.0.0.1":            false, // IPv4-compatible
		"64:ff9b::7f00:1":        false, // NAT64
		"64:ff9b::a9fe:a9fe":     false,
		"64:ff9b:1::a00:1":       false,
		"2002:7f00:1::1":         false, // 6to4
		"2001:0:7f00:1::1":       false, // Teredo
		"2001:db8::1":            false,
		"fc00::1":                false,
		"fd00:ec2::254":          false,
		"fe80::1":                false,
		"fe80::1%eth0":           false,
		"fec0::1":                false,
		"ff02::1":                false,
	} {
		if got := Allowed(nil).permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v instead of %v", address, got, want)
		}
	}
	allowed, err := ParseAllowed([]string{"10.1.0.0/16", "fd00::7"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00::7": true, "fd00::8": false, "127.0.0.1": false,
	} {
		if got := allowed.permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v instead of %v, with 10.1.0.0/16 and fd00::7 allowed", address, got, want)
		}
	}
	if _, err := ParseAllowed([]string{"10.1.0.0/16", "home"}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "home") {
		t.Errorf("home is no network: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://hooks.example.com/a?b=c":        true,
		"http://hooks.example.com:8080":          true,
		"https://1.1.1.1/":                       true,
		"https://[2606:4700:4700::1111]/":        true,
		"https://h4x.example/":                   true,
		"":                                       false,
		"hooks.example.com/":                     false,
		"ftp://hooks.example.com/":               false,
		"file:///etc/passwd":                     false,
		"gopher://hooks.example.com/":            false,
		"http:hooks.example.com":                 false,
		"http://":                                false,
		"http://:80/":                            false,
		"https://user:word@hooks.example.com/":   false,
		"https://hooks.example.com:0/":           false,
		"https://hooks.example.com:70000/":       false,
		"http://localhost/":                      false,
		"http://LOCALHOST./":                     false,
		"http://a.localhost/":                    false,
		"http://127.0.0.1/":                      false,
		"http://127.0.0.1./":                     false,
		"http://[::1]/":                          false,
		"http://[::ffff:127.0.0.1]/":             false,
		"http://[64:ff9b::7f00:1]/":              false,
		"http://[fe80::1%25eth0]/":               false,
		"http://169.254.169.254/latest":          false,
		"http://0/":                              false,
		"http://2130706433/":                     false,
		"http://0x7f000001/":                     false,
		"http://0x7f.1/":                         false,
		"http://0177.0.0.1/":                     false,
		"http://127.1/":                          false,
		"http://" + strings.Repeat("a", 3000):    false,
		"http://10.0.0.1/":                       false,
		"http://100.64.0.1/":                     false,
		"http://hooks.example.com/\n":            false,
		"http://hooks.example.com@127.0.0.1/":    false,
		"http://127.0.0.1#@hooks.example.com/":   false,
		"http://127.0.0.1\\@hooks.example.com/":  false,
		"https://hooks.example.com/?u=127.0.0.1": true,
	} {
		err := Allowed(nil).check(url)
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && fault.From(err).Fields[0].Path.String() != "url" {
			t.Errorf("%q: the error does not name url: %v", url, err)
		}
	}
	if err := loopback.check("http://127.0.0.1:8080/x"); err != nil {
		t.Errorf("an allowed address: %v", err)
	}
	if err := loopback.check("http://localhost:8080/x"); err != nil {
		t.Errorf("an allowed name: %v", err)
	}
}

// server starts a receiver on loopback, and counts what arrives.
func server(t *testing.T, handle http.HandlerFunc) (url string, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, hits
}

func send(t *testing.T, c *Client, m Message) (string, string, error) {
	t.Helper()
	if m.Timeout == 0 {
		m.Timeout = 20 * time.Second
	}
	m.ID, m.At, m.Body = "msg_1", time.Unix(1_700_000_000, 0), []byte(`{"a":1}`)
	return c.Send(t.Context(), m)
}

// A name that is public when it is checked and private when it is called gets no
// connection: the address counts that the dialer has found.
func TestRefusedWhenConnecting(t *testing.T) {
	t.Parallel()
	url, hits := server(t, func(http.ResponseWriter, *http.Request) {})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		_, _, err := send(t, New(nil), Message{URL: "http://" + host + ":" + port})
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", host, err)
		}
		if strings.Contains(err.Error(), port) {
			t.Errorf("%s: the error names the address: %v", host, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	if _, _, err := send(t, New(loopback), Message{URL: "http://127.0.0.1:" + port}); err != nil || hits.Load() != 1 {
		t.Errorf("an allowed address: %v, %d requests", err, hits.Load())
	}
}

func TestSigned(t *testing.T) {
	t.Parallel()
	// The example of the specification's libraries.
	got, err := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s, %v", got, err)
	}
	url, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want, _ := sign(secret, "msg_1", "1700000000", body)
		h := r.Header
		if h.Get("Webhook-Signature") != want || h.Get("Webhook-Id") != "msg_1" || h.Get("Webhook-Timestamp") != "1700000000" ||
			h.Get("Content-Type") != "application/json" || h.Get("X-Key") != "key" || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	status, _, err := send(t, New(loopback), Message{URL: url, Secret: secret, Headers: map[string]string{"X-Key": "key", "Webhook-Id": "mine"}})
	if err != nil || status != "200 OK" {
		t.Errorf("%s, %v", status, err)
	}
	for _, bad := range []string{"", "secret", "whsec_", "whsec_!!!", "whsec_" + base64.StdEncoding.EncodeToString([]byte("short"))} {
		if err := CheckSecret(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status        int
		kind, body    string
		code          fault.Code
		message, text string
	}{
		{200, "application/json", `{"message":"Well done."}`, "", "Well done.", ""},
		{204, "", "", "", "", ""},
		{200, "text/html", "<b>hello</b>", "", "", ""},
		{200, "text/plain", "two\nlines\x00 and \xff more", "", "two lines and more", ""},
		{302, "", "", fault.Conflict, "", "The receiver answered 302 Found."},
		{400, "application/problem+json", `{"detail":"No."}`, fault.Conflict, "No.", "The receiver answered 400 Bad Request: No."},
		{401, "application/json", `{"message":"canary-key is wrong, as is Bearer canary-token"}`, fault.Conflict, "… is wrong, as is …", "The receiver answered 401 Unauthorized: … is wrong, as is …"},
		{404, "application/json", `{"message":{"a":1},"error":"none"}`, fault.Conflict, "none", "The receiver answered 404 Not Found: none"},
		{409, "application/json", `not json`, fault.Conflict, "", "The receiver answered 409 Conflict."},
		{408, "", "", fault.Unavailable, "", "The receiver answered 408 Request Timeout."},
		{429, "", "", fault.Unavailable, "", "The receiver answered 429 Too Many Requests."},
		{500, "application/json", `{"message":"oops"}`, fault.Unavailable, "oops", "The receiver answered 500 Internal Server Error."},
		{503, "", "", fault.Unavailable, "", "The receiver answered 503 Service Unavailable."},
	} {
		url, hits := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		m := Message{URL: url, Headers: map[string]string{"X-Key": "canary-key", "Authorization": "Bearer canary-token"}}
		_, message, err := send(t, New(loopback), m)
		if fault.CodeOf(err) != c.code || message != c.message {
			t.Errorf("%d %s: %q, %v", c.status, c.body, message, err)
		}
		if err != nil && fault.Message(err) != c.text {
			t.Errorf("%d %s: %q instead of %q", c.status, c.body, fault.Message(err), c.text)
		}
		if n := hits.Load(); n != 1 {
			t.Errorf("%d: %d requests", c.status, n)
		}
	}
}

// An answer that does not end is neither kept nor waited for.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	url, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("word ", 1000)); err != nil {
				return
			}
		}
	})
	_, message, err := send(t, New(loopback), Message{URL: url})
	if err != nil || len(message) > 400 || !strings.HasSuffix(message, " …") {
		t.Errorf("%d bytes, %v", len(message), err)
	}
}

func TestTooLate(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, _ := server(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	_, _, err := send(t, New(loopback), Message{URL: url, Timeout: 50 * time.Millisecond})
	if !fault.Is(err, fault.Unavailable) || fault.Message(err) != "The receiver did not answer in time." {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := New(loopback).Send(ctx, Message{URL: url, Timeout: time.Second}); err == nil || errors.Is(err, errRefused) {
		t.Errorf("a canceled call: %v", err)
	}
	// Nobody listens there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	_, _, err = send(t, New(loopback), Message{URL: closed})
	if !fault.Is(err, fault.Unavailable) || fault.Message(err) != "The receiver cannot be reached." {
		t.Errorf("%v", err)
	}
}

// While a secret is replaced both sign, and neither is in what the receiver says.
func TestBothSecretsSign(t *testing.T) {
	t.Parallel()
	fresh := NewSecret()
	if err := CheckSecret(fresh); err != nil || fresh == NewSecret() {
		t.Errorf("%s: %v", fresh, err)
	}
	url, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		one, _ := sign(fresh, "msg_1", "1700000000", body)
		other, _ := sign(secret, "msg_1", "1700000000", body)
		if r.Header.Get("Webhook-Signature") != one+" "+other {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "got "+fresh+" and "+secret)
	})
	a, err := New(loopback).Call(t.Context(), Message{ID: "msg_1", At: time.Unix(1_700_000_000, 0), URL: url, Body: []byte("{}"), Secret: fresh, Former: secret, Timeout: 20 * time.Second})
	if err != nil || a.Code != 200 || a.Body != "got … and …" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnswerInFull(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	for header, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "99999999999999": 0,
		at.Add(time.Hour).UTC().Format(http.TimeFormat):  time.Hour,
		at.Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		url, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "line\n\x00\xff"+strings.Repeat("é", 2000))
		})
		a, err := New(loopback).Call(t.Context(), Message{URL: url, At: at, Timeout: 20 * time.Second})
		if err != nil || a.Code != 503 || a.Status != "503 Service Unavailable" || a.RetryAfter != want {
			t.Errorf("%q: %+v, %v", header, a, err)
		}
		if !strings.HasPrefix(a.Body, "line\n  é") || len(a.Body) > bodyLimit || !strings.HasSuffix(a.Body, "é") {
			t.Errorf("the body is %q", a.Body)
		}
	}
}

// What is private goes over https, or to a network that is allowed.
func TestNothingInTheClear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allowed Allowed
		url     string
		ok      bool
	}{
		{nil, "https://hooks.example.com/", true},
		{nil, "http://hooks.example.com/", false},
		{nil, "http://93.184.216.34/", false},
		{nil, "http://127.0.0.1/", false},
		{loopback, "http://127.0.0.1/", true},
		{loopback, "http://93.184.216.34/", false},
		{loopback, "http://hooks.example.com/", true}, // it is seen when it is called
		{loopback, "https://10.0.0.1/", false},
	} {
		if err := NewPrivate(c.allowed).Check(c.url); (err == nil) != c.ok || err != nil && fault.From(err).Fields[0].Path.String() != "url" {
			t.Errorf("%s with %v allowed: %v", c.url, c.allowed, err)
		}
	}
	url, hits := server(t, func(http.ResponseWriter, *http.Request) {})
	m := Message{URL: url, Timeout: 20 * time.Second}
	if _, err := NewPrivate(loopback).Call(t.Context(), m); err != nil || hits.Load() != 1 {
		t.Errorf("an allowed network: %v, %d requests", err, hits.Load())
	}
	// The address is public as far as that client knows, and not one that is named.
	client := &Client{http: newClient(func(netip.Addr) bool { return true }), plain: newClient(Allowed(nil).names)}
	if _, err := client.Call(t.Context(), m); !fault.Is(err, fault.Forbidden) || hits.Load() != 1 {
		t.Errorf("http to an address that is not named: %v, %d requests", err, hits.Load())
	}
}
