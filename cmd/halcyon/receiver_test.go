package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"halcyon/pkg/webhook"
)

// receiver is somebody who gets webhooks: it answers as it is told, and keeps what
// it got.
type receiver struct {
	srv    *httptest.Server
	secret string

	mu      sync.Mutex
	answers []string // "500", or "403 Not today."; the last goes on
	got     []received
}

// received is one request, and what is wrong with it.
type received struct {
	header http.Header
	body   []byte
	wrong  string
}

// receiverSecret is what the scripts' webhooks are signed with.
const receiverSecret = "whsec_Y2FuYXJ5LW9mLXRoZS13ZWJob29rLXNlY3JldC0xMjM0" // "canary-of-the-webhook-secret-1234"

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{secret: receiverSecret, answers: []string{"200"}}
	r.srv = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	x := received{header: req.Header.Clone(), body: body}
	want, err := webhook.Sign(r.secret, req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp"), body)
	sec, _ := strconv.ParseInt(req.Header.Get("Webhook-Timestamp"), 10, 64)
	switch {
	case err != nil:
		x.wrong = err.Error()
	case req.Header.Get("Webhook-Signature") == "":
		x.wrong = "not signed"
	case req.Header.Get("Webhook-Signature") != want:
		x.wrong = "the signature is wrong"
	case time.Since(time.Unix(sec, 0)).Abs() > 5*time.Minute:
		x.wrong = "the timestamp is old"
	}
	r.mu.Lock()
	r.got = append(r.got, x)
	answer := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	r.mu.Unlock()
	code, message, _ := strings.Cut(answer, " ")
	status, _ := strconv.Atoi(code)
	if status >= 300 && status < 400 {
		w.Header().Set("Location", message)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// allowLoopback lets webhooks call the receivers of tests.
func allowLoopback(s *settings) {
	s.webhookAllow = webhook.Allowed{netip.MustParsePrefix("127.0.0.1/32")}
}

// answers starts the receiver, whose address is then $RECEIVER, or tells it what to
// answer from now on: a status each, perhaps with a message behind it.
func (p *player) answers(ts *testscript.TestScript, _ bool, args []string) error {
	r := p.receiver
	ts.Setenv("RECEIVER", r.srv.URL+"/hook")
	ts.Setenv("SECRET", receiverSecret)
	if len(args) == 0 {
		return errors.New("usage: answers STATUS...")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = slices.Clone(args)
	return nil
}

// received prints what has come since the last time: the headers of a webhook, and
// its body.
func (p *player) received(ts *testscript.TestScript, _ bool, _ []string) error {
	r := p.receiver
	r.mu.Lock()
	list := r.got
	r.got = nil
	r.mu.Unlock()
	ids := map[string]int{}
	for _, x := range list {
		id := x.header.Get("Webhook-Id")
		if ids[id] == 0 {
			ids[id] = len(ids) + 1
		}
		fmt.Fprintf(ts.Stdout(), "message %d", ids[id])
		if x.wrong == "" {
			fmt.Fprint(ts.Stdout(), ", signed")
		} else {
			fmt.Fprint(ts.Stdout(), ", "+x.wrong)
		}
		if v := x.header.Get("X-Api-Key"); v != "" {
			fmt.Fprint(ts.Stdout(), ", x-api-key "+v)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, x.body, "", "  "); err != nil {
			return err
		}
		fmt.Fprintf(ts.Stdout(), "\n%s\n", steady(pretty.String()))
	}
	return nil
}

// canaries are secrets that scripts give away, and that nothing may repeat.
var canaries = regexp.MustCompile(`(?i)canary[-a-z0-9]*|Y2FuYXJ5[A-Za-z0-9+/=]*|hc[str]_[0-9a-z]{16,}`)

// quiet fails when a secret is found in the log.
func (p *player) quiet(*testscript.TestScript, bool, []string) error {
	if x := canaries.FindString(p.cloud.log.String()); x != "" {
		return fmt.Errorf("the log says %q", x)
	}
	return nil
}
