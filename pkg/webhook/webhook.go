// Package webhook calls receivers that people name, without letting them reach
// what only this process can: addresses are checked when the connection is made,
// redirects are not followed, and little of the answer is read. Messages are
// signed as standardwebhooks.com says.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	http    *http.Client
}

// New makes a client that may also call what is allowed.
func New(allowed Allowed) *Client {
	c := &Client{allowed: allowed}
	dialer := &net.Dialer{
		Timeout: 5 * time.Second,
		// This is asked with the address that the name has turned out to be, so that
		// a name which changes its mind between a check and a call gains nothing.
		Control: func(_, address string, _ syscall.RawConn) error {
			if !allowed.permitsAt(address) {
				return errRefused
			}
			return nil
		},
	}
	c.http = &http.Client{
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
	return c
}

var errRefused = errors.New("the address may not be called")

// Check is Allowed.Check with what the client allows.
func (c *Client) Check(url string) error { return c.allowed.Check(url) }

// Message is one call.
type Message struct {
	URL     string
	ID      string // the same for every attempt
	Body    []byte // JSON
	Headers map[string]string
	Secret  string // whsec_…; empty: not signed
	Timeout time.Duration
	At      time.Time
}

// answerLimit is how much of an answer is read.
const answerLimit = 16 << 10

// Send calls the receiver once and gives the status line and the message of its
// answer, which is cut short and has none of the call's secrets in it. Anything
// but a 2xx is an error: Unavailable when it may go better later (the receiver
// cannot be reached, takes too long, or answers 408, 425, 429 or 5xx), Conflict
// with the answer's message when it refuses. Errors name neither the address nor
// what was sent.
func (c *Client) Send(ctx context.Context, m Message) (status, message string, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return "", "", fault.Invalidf("The webhook's address is no URL.")
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
	if m.Secret != "" {
		sum, err := Sign(m.Secret, m.ID, stamp, m.Body)
		if err != nil {
			return "", "", err
		}
		req.Header.Set("Webhook-Signature", sum)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", "", unreached(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil && ctx.Err() != nil {
		return "", "", unreached(ctx, err)
	}
	status = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	message = short(m.clean(said(res.Header.Get("Content-Type"), body)))
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return status, message, nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return status, message, fault.New(fault.Unavailable, "The receiver answered %s.", status)
	case message != "":
		return status, message, fault.New(fault.Conflict, "The receiver answered %s: %s", status, message)
	}
	return status, message, fault.New(fault.Conflict, "The receiver answered %s.", status)
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

// said gives what an answer says for people: the member message, detail or error
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
	hide(m.Secret)
	hide(strings.TrimPrefix(m.Secret, secretPrefix))
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
		return fault.InvalidField("/secret", "is not whsec_ and the base64 of 24 to 64 bytes")
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

// Sign gives the value of the header webhook-signature: the HMAC-SHA256 of id,
// timestamp and body. The error never holds the secret.
func Sign(secret, id, timestamp string, body []byte) (string, error) {
	k, err := key(secret)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, k)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
