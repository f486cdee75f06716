package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/webhook"
)

// receiver is somebody who gets webhooks: it answers as it is told, and keeps what
// it got.
type receiver struct {
	srv   *httptest.Server
	clock func() time.Time

	mu      sync.Mutex
	secrets []string // each of which has to have signed
	answers []string // "500", or "403 Not today.", or "hang"; the last goes on
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

// newReceiver starts a receiver whose clock is the installation's.
func newReceiver(t testing.TB, clock func() time.Time) *receiver {
	t.Helper()
	r := &receiver{clock: clock, secrets: []string{receiverSecret}, answers: []string{"200"}}
	r.srv = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	x := received{header: req.Header.Clone(), body: body, wrong: wrongWith(req.Header, body, r.secrets, r.clock())}
	r.got = append(r.got, x)
	answer := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	r.mu.Unlock()
	code, message, _ := strings.Cut(answer, " ")
	if code == "hang" {
		<-req.Context().Done()
		return
	}
	status, _ := strconv.Atoi(code)
	if status >= 300 && status < 400 {
		w.Header().Set("Location", message)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// wrongWith holds a request against what standardwebhooks.com says, as a receiver
// does that knows nothing of us; "" is nothing. All of the secrets have to have
// signed it, and no other.
func wrongWith(h http.Header, body []byte, secrets []string, now time.Time) string {
	id, stamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	sums := strings.Fields(h.Get("Webhook-Signature"))
	sec, err := strconv.ParseInt(stamp, 10, 64)
	switch {
	case id == "" || strings.Contains(id, "."):
		return "the id is none"
	case err != nil || now.Sub(time.Unix(sec, 0)).Abs() > 5*time.Minute:
		return "the timestamp is old"
	case len(sums) == 0:
		return "not signed"
	case len(sums) != len(secrets):
		return fmt.Sprintf("%d signatures instead of %d", len(sums), len(secrets))
	}
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return err.Error()
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "." + string(body)))
		if !slices.Contains(sums, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			return "the signature is wrong"
		}
	}
	return ""
}

// allowLoopback lets webhooks call the receivers of tests.
func allowLoopback(s *app.Settings) {
	s.WebhookAllow = webhook.Allowed{netip.MustParsePrefix("127.0.0.1/32")}
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

// signed names the secrets that have to sign what comes from now on.
func (p *player) signed(_ *testscript.TestScript, _ bool, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: signed SECRET...")
	}
	p.receiver.mu.Lock()
	defer p.receiver.mu.Unlock()
	p.receiver.secrets = slices.Clone(args)
	return nil
}

// received prints what has come since the last time: the headers of a webhook, and
// its body. With a number it waits for so many events, which come in any order, and
// says in a line each what they tell, and how often they came.
func (p *player) received(ts *testscript.TestScript, _ bool, args []string) error {
	r := p.receiver
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return errors.New("usage: received [N]")
		}
		return r.events(ts.Stdout(), n)
	}
	list := r.take()
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

func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.got
	r.got = nil
	return list
}

// events waits for so many messages, and tells them.
func (r *receiver) events(out io.Writer, n int) error {
	times, lines := map[string]int{}, map[string]string{}
	for end := time.Now().Add(patience); len(lines) < n; time.Sleep(5 * time.Millisecond) {
		for _, x := range r.take() {
			var m struct {
				Type string
				Data struct {
					Object struct{ Href string }
					Status string
				}
			}
			if err := json.Unmarshal(x.body, &m); err != nil {
				return err
			}
			id := x.header.Get("Webhook-Id")
			times[id]++
			lines[id] = strings.Join(strings.Fields(m.Type+" "+m.Data.Object.Href+" "+m.Data.Status), " ")
			if x.wrong != "" {
				lines[id] += ", " + x.wrong
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("only %d messages have come: %v", len(lines), lines)
		}
	}
	var all []string
	for id, line := range lines {
		if times[id] > 1 {
			line += fmt.Sprintf(", %d times", times[id])
		}
		all = append(all, line+"\n")
	}
	slices.Sort(all)
	_, err := io.WriteString(out, strings.Join(all, ""))
	return err
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
