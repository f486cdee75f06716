// Package webhook calls receivers that people name, without letting them reach
// what only this process can: addresses are checked when the connection is made,
// redirects are not followed, and little of the answer is read. Messages are
// signed as standardwebhooks.com says.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"halcyon/pkg/fault"
)

// Client calls receivers. It is safe for concurrent use.
type Client struct {
	allowed Allowed
	private bool         // http is for what is allowed
	http    *http.Client // for https, and for http as well unless private
	plain   *http.Client // for http
}

// New returns a client that may also call what is allowed.
func New(allowed Allowed) *Client {
	c := newClient(allowed.permits)
	return &Client{allowed: allowed, http: c, plain: c}
}

// NewPrivate returns a client that sends nothing in the clear over the Internet: http
// goes to the networks that are allowed, and everywhere else it takes https.
func NewPrivate(allowed Allowed) *Client {
	return &Client{allowed: allowed, private: true, http: newClient(allowed.permits), plain: newClient(allowed.names)}
}

// newClient returns a client that connects to what is permitted.
func newClient(permits func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{
		Timeout: 5 * time.Second,
		// This is asked with the address that the name has turned out to be, so that
		// a name which changes its mind between a check and a call gains nothing.
		Control: func(_, address string, _ syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err != nil || !permits(at.Addr()) {
				return errRefused
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect to what we may not
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    2,
			MaxIdleConns:           32,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errRefused = errors.New("the address may not be called")

// Check is Allowed.Check with what the client allows, which http may be limited to.
func (c *Client) Check(raw string) error {
	if err := c.allowed.check(raw); err != nil || !c.private {
		return err
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "https" {
		return err
	}
	// What a name stands for is found out when it is called.
	a, err := netip.ParseAddr(strings.TrimSuffix(u.Hostname(), "."))
	if len(c.allowed) == 0 || err == nil && !c.allowed.names(a) {
		return fault.InvalidField(fault.Member("url"), "begins with http://, which is for networks that the installation allows: use https://")
	}
	return nil
}

// Message is one call.
type Message struct {
	URL     string
	ID      string // the same for every attempt
	Body    []byte // JSON
	Headers map[string]string
	Secret  string // whsec_…; empty: not signed
	Former  string // a secret that was replaced, and still signs as well; empty for none
	Timeout time.Duration
	At      time.Time
}

// answerLimit is how much of an answer is read, and bodyLimit how much of it an
// Answer keeps.
const (
	answerLimit = 16 << 10
	bodyLimit   = 1 << 10
)

// Answer is what a receiver said.
type Answer struct {
	Code       int
	Status     string        // "200 OK"
	Message    string        // one line for people, made of the body; "" for none
	Body       string        // the first BodyLimit bytes of it, as text
	RetryAfter time.Duration // after which the receiver wants to be asked again; 0 for no wish
}

// Send calls the receiver once and gives the status line and the message of its
// answer, which is cut short and has none of the call's secrets in it. Anything
// but a 2xx is an error: Unavailable when it may go better later (the receiver
// cannot be reached, takes too long, or answers 408, 425, 429 or 5xx), Conflict
// with the answer's message when it refuses. Errors name neither the address nor
// what was sent.
func (c *Client) Send(ctx context.Context, m Message) (status, message string, err error) {
	a, err := c.Call(ctx, m)
	if err != nil {
		return "", "", err
	}
	switch code := a.Code; {
	case code >= 200 && code < 300:
		return a.Status, a.Message, nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return a.Status, a.Message, fault.New(fault.Unavailable, "The receiver answered %s.", a.Status)
	case a.Message != "":
		return a.Status, a.Message, fault.New(fault.Conflict, "The receiver answered %s: %s", a.Status, a.Message)
	}
	return a.Status, a.Message, fault.New(fault.Conflict, "The receiver answered %s.", a.Status)
}

// Call calls the receiver once and gives its answer, whatever it is, without the
// call's secrets. It is an error when there was none: Unavailable when the receiver
// cannot be reached or takes too long, Forbidden when its address may not be called.
// Errors name neither the address nor what was sent.
func (c *Client) Call(ctx context.Context, m Message) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	req, err := m.request(ctx)
	if err != nil {
		return Answer{}, err
	}
	client := c.http
	if req.URL.Scheme == "http" {
		client = c.plain
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, unreached(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil && ctx.Err() != nil {
		return Answer{}, unreached(ctx, err)
	}
	return Answer{
		Code:       res.StatusCode,
		Status:     fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)),
		Message:    short(m.clean(said(res.Header.Get("Content-Type"), body))),
		Body:       beginning(m.clean(string(body))),
		RetryAfter: retryAfter(res.Header.Get("Retry-After"), m.At),
	}, nil
}

// request is the message as it goes over the wire.
func (m *Message) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return nil, fault.Invalidf("The webhook's address is no URL.")
	}
	for name, value := range m.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "Halcyon")
	}
	stamp := strconv.FormatInt(m.At.Unix(), 10)
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", stamp)
	var sums []string
	for _, secret := range []string{m.Secret, m.Former} {
		if secret == "" {
			continue
		}
		sum, err := sign(secret, m.ID, stamp, m.Body)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	if len(sums) > 0 {
		req.Header.Set("Webhook-Signature", strings.Join(sums, " "))
	}
	return req, nil
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

// beginning returns the first part of an answer, as text that every database keeps.
func beginning(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	if len(text) <= bodyLimit {
		return text
	}
	return strings.ToValidUTF8(text[:bodyLimit], "")
}

// unreached puts into words that there was no answer. The cause, which may name
// the address, is for the log alone.
func unreached(ctx context.Context, err error) error {
	if errors.Is(err, errRefused) {
		return fault.New(fault.Forbidden, "The receiver's address may not be called.")
	}
	if ctx.Err() != nil {
		return fault.New(fault.Unavailable, "The receiver did not answer in time.")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fault.Wrap(fault.Unavailable, op.Err, "The receiver cannot be reached.")
	}
	return fault.New(fault.Unavailable, "The receiver cannot be reached.")
}

// said returns what an answer says for people: the member message, detail or error
// of a JSON object, or plain text.
func said(kind string, body []byte) string {
	text := ""
	switch {
	case strings.Contains(kind, "json"):
		var doc struct{ Message, Detail, Error any }
		if json.Unmarshal(body, &doc) == nil {
			for _, v := range []any{doc.Message, doc.Detail, doc.Error} {
				if s, ok := v.(string); ok && s != "" {
					text = s
					break
				}
			}
		}
	case strings.HasPrefix(kind, "text/plain"):
		text = string(body)
	}
	return text
}

// short makes one line of a text, and not a long one.
func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + " …"
	}
	return text
}

// clean takes the call's secrets out of what a receiver says.
func (m *Message) clean(text string) string {
	hide := func(secret string) {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	for _, secret := range []string{m.Secret, m.Former} {
		hide(secret)
		hide(strings.TrimPrefix(secret, secretPrefix))
	}
	for _, v := range m.Headers {
		hide(v)
		for _, word := range strings.Fields(v) { // "Bearer …"
			if len(word) >= 8 {
				hide(word)
			}
		}
	}
	return text
}

const secretPrefix = "whsec_"

// CheckSecret is a 400 at /secret unless a secret is as Standard Webhooks has
// them: whsec_ and the base64 of 24 to 64 bytes.
func CheckSecret(secret string) error {
	if _, err := key(secret); err != nil {
		return fault.InvalidField(fault.Member("secret"), "is not whsec_ and the base64 of 24 to 64 bytes")
	}
	return nil
}

func key(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < 24 || len(raw) > 64 {
		return nil, fault.Invalidf("The webhook's secret cannot be used.")
	}
	return raw, nil
}

// NewSecret returns a secret, of 32 bytes.
func NewSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // crypto/rand never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(raw[:])
}

// sign returns the value of the header webhook-signature: the HMAC-SHA256 of id,
// timestamp and body. The error never holds the secret.
func sign(secret, id, timestamp string, body []byte) (string, error) {
	k, err := key(secret)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, k)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
