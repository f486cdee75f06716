// Package client is a client of a hypermedia API: it knows the URL of the root and
// the names of relations, follows links, fills in the forms that documents offer
// (HAL and HAL-FORMS), and keeps sessions.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	formsType  = "application/prs.hal-forms+json"
	wantsForms = formsType + ", application/hal+json;q=0.9, application/problem+json;q=0.9, */*;q=0.1"

	tries     = 3                      // of a request that may be sent again
	firstWait = 200 * time.Millisecond // before the second try
	longest   = 10 * time.Second       // that a server may ask us to wait
	largest   = 64 << 20               // answer that is read
)

// Session returns the tokens that requests carry.
type Session interface {
	// Token gives the token to send, "" for none. refused is the one that the server
	// has just not taken, "" when there was none: a session that has nothing better
	// gives it back.
	Token(ctx context.Context, refused string) (string, error)
}

// Fixed is a session that has one token for ever.
type Fixed string

// Token returns the token.
func (f Fixed) Token(context.Context, string) (string, error) { return string(f), nil }

// Client talks to one server.
type Client struct {
	root    *url.URL
	http    *http.Client
	session Session
	agent   string
	start   *Document // the root, once it has been read
}

// New returns a client of the server whose root document the URL names.
func New(root string, transport *http.Client, session Session, agent string) (*Client, error) {
	u, err := RootURL(root)
	if err != nil {
		return nil, err
	}
	return &Client{root: u, http: transport, session: session, agent: agent}, nil
}

// RootURL returns the URL of the root document for what a person writes: a host, a
// server's address, or the whole URL. Errors are of the kind Usage and do not repeat
// a password that is in the text.
func RootURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, Errorf(Usage, "No server is named: halcyon login URL, --url or HALCYON_URL names it.")
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, Errorf(Usage, "The URL of the server cannot be read: it looks like https://cloud.example.org/.")
	case u.User != nil:
		return nil, Errorf(Usage, "The URL of the server must not hold a password: login asks for it.")
	}
	u.RawQuery, u.Fragment = "", ""
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/api/v2/"
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// Transport makes the HTTP client: it follows no redirect, since a token would go
// with it, and trusts the certificates of the file besides, or any at all.
func Transport(caFile string, insecure bool) (*http.Client, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure}, //nolint:gosec // who says --insecure means it
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, Errorf(Usage, "The file of certificates cannot be read: %v.", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, Errorf(Usage, "There is no certificate in %s.", caFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// RootAt returns the URL of the root document.
func (c *Client) RootAt() string { return c.root.String() }

// Root returns the root document, which is read once.
func (c *Client) Root(ctx context.Context) (*Document, error) {
	if c.start != nil {
		return c.start, nil
	}
	d, err := c.Get(ctx, c.root.String())
	if err != nil {
		return nil, err
	}
	if d.Body == nil || len(d.Body.object("_links")) == 0 {
		return nil, Errorf(Other, "%s answers, but not as a Halcyon API does.", c.root)
	}
	c.start = d
	return d, nil
}

// Get reads a document. The reference is as a link has it.
func (c *Client) Get(ctx context.Context, href string) (*Document, error) {
	return c.Send(ctx, http.MethodGet, href, nil)
}

// Send sends a request, with the body as JSON when it is not nil, and returns the
// answer. An answer that is a problem is an *Error. Every POST has a key of its own
// by which the server knows one that is sent again, so that all requests are tried
// again when the server is busy or the connection breaks.
func (c *Client) Send(ctx context.Context, method, href string, body any) (*Document, error) {
	u, err := c.resolve(href)
	if err != nil {
		return nil, err
	}
	r := request{method: method, url: u, header: http.Header{"Accept": {wantsForms}}}
	if body != nil {
		r.body = AppendJSON(nil, body, "")
		r.header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		r.header.Set("Idempotency-Key", newKey())
	}
	res, err := c.authorized(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.document(u, res)
}

// resolve returns the URL that a reference means, which has to be on the server that
// the token is for.
func (c *Client) resolve(href string) (*url.URL, error) {
	u, err := c.root.Parse(href)
	if err != nil {
		return nil, Errorf(Usage, "%q is no URL.", Plain(href))
	}
	if u.Scheme != c.root.Scheme || u.Host != c.root.Host {
		return nil, Errorf(Refused, "%s is on another server than %s: it is not followed.", Plain(u.Redacted()), Origin(c.root))
	}
	u.Fragment = ""
	return u, nil
}

// newKey makes a key that no other request has.
func newKey() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it does not fail
	return hex.EncodeToString(b)
}

type request struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

// authorized sends the request with the session's token, and once more with a newer
// one when that is refused.
func (c *Client) authorized(ctx context.Context, r request) (*http.Response, error) {
	token, err := c.session.Token(ctx, "")
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		if token != "" {
			r.header.Set("Authorization", "Bearer "+token)
		}
		res, err := c.tried(ctx, r)
		if err != nil || res.StatusCode != http.StatusUnauthorized || !first || token == "" {
			return res, err
		}
		newer, err := c.session.Token(ctx, token)
		if err != nil {
			_ = res.Body.Close()
			return nil, err
		}
		if newer == token {
			return res, nil
		}
		_ = res.Body.Close()
		token = newer
	}
}

// tried sends the request until there is an answer that will stay as it is.
func (c *Client) tried(ctx context.Context, r request) (*http.Response, error) {
	wait := firstWait
	for n := 1; ; n++ {
		res, err := c.once(ctx, r)
		pause, again := repeatable(res, err, wait)
		if !again || n == tries {
			return res, c.broken(ctx, r, err)
		}
		if res != nil {
			_ = res.Body.Close()
		}
		if err := Sleep(ctx, pause); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

func (c *Client) once(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	req.Header.Set("User-Agent", c.agent)
	return c.http.Do(req)
}

func (c *Client) broken(ctx context.Context, r request, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return unreachable(r.url, err)
}

// repeatable reports whether another try could have another answer, and when. Who does
// not listen, or is not trusted, will not be otherwise in a second.
func repeatable(res *http.Response, err error, wait time.Duration) (time.Duration, bool) {
	if err != nil {
		return wait, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
		wait = max(wait, time.Duration(s)*time.Second)
	}
	return wait, wait <= longest
}

// Sleep waits, or is ended by the context.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// document reads an answer.
func (c *Client) document(u *url.URL, res *http.Response) (*Document, error) {
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, largest+1))
	if err != nil {
		return nil, unreachable(u, err)
	}
	if len(data) > largest {
		return nil, Errorf(Other, "The answer of %s is larger than %d MB.", u.Redacted(), largest>>20)
	}
	status := strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode)
	if res.StatusCode >= 400 {
		return nil, problem(res.StatusCode, status, data)
	}
	if res.StatusCode >= 300 {
		return nil, Errorf(Other, "%s answers %s; redirects are not followed.", u.Redacted(), status)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	d := &Document{URL: u, Status: res.StatusCode, Header: res.Header, Type: kind, Raw: data}
	if kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return d, nil
	}
	v, err := Decode(data)
	if err != nil {
		return nil, Errorf(Other, "%s answers JSON that cannot be read: %v.", u.Redacted(), err)
	}
	if o, ok := v.(Object); ok {
		d.Body = o
	}
	return d, nil
}

// Tokens are what signing in gives.
type Tokens struct {
	Access, Refresh string
	Life            time.Duration // of the access token; 0 when it is not said
}

// String keeps the tokens out of whatever a Tokens is printed into.
func (Tokens) String() string { return "(tokens)" }

// GoString is String.
func (Tokens) GoString() string { return "(tokens)" }

// SignIn returns tokens for a password. Wrong ones are SignedOut. That the two
// addresses of tokens stand beside the root is a part of the API's contract: who is
// not signed in sees no links.
func (c *Client) SignIn(ctx context.Context, username, password string) (Tokens, error) {
	return c.tokens(ctx, "api-token-auth/", Object{{"username", username}, {"password", password}})
}

// Refresh returns a new access token for a refresh token. One that has ended, or whose
// session has, is SignedOut.
func (c *Client) Refresh(ctx context.Context, token string) (Tokens, error) {
	return c.tokens(ctx, "api-token-refresh/", Object{{"token", token}})
}

func (c *Client) tokens(ctx context.Context, at string, body Object) (Tokens, error) {
	u := c.root.JoinPath(at)
	res, err := c.tried(ctx, request{
		method: http.MethodPost, url: u, body: AppendJSON(nil, body, ""),
		header: http.Header{"Accept": {"application/hal+json"}, "Content-Type": {"application/json"}},
	})
	if err != nil {
		return Tokens{}, err
	}
	d, err := c.document(u, res)
	if err != nil {
		return Tokens{}, err
	}
	t := Tokens{Access: d.Body.text("token"), Refresh: d.Body.text("refresh-token")}
	if s, err := strconv.Atoi(Text(d.Body.Get("expires-in"))); err == nil {
		t.Life = time.Duration(s) * time.Second
	}
	if t.Access == "" {
		return Tokens{}, Errorf(Other, "%s answers, but not as a Halcyon API does.", c.root)
	}
	return t, nil
}

// Submit sends a form with its values.
func (c *Client) Submit(ctx context.Context, t Template, values Object) (*Document, error) {
	var body any
	if len(t.Properties) > 0 || len(values) > 0 {
		body = values
		if values == nil {
			body = Object{}
		}
	}
	return c.Send(ctx, t.Method, t.Target, body)
}

// WithQuery adds a query parameter to a reference.
func WithQuery(href, name, value string) string {
	sep := "?"
	if strings.Contains(href, "?") {
		sep = "&"
	}
	return href + sep + fmt.Sprintf("%s=%s", name, url.QueryEscape(value))
}
