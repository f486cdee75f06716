package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/demo"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// 200 clients send one request with one key to two replicas at the same moment:
// there is one order, and every answer is that of the first or says to wait. A
// third replica that is started later knows the answer as well.
func TestOneKeyOneOrder(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, dir := open(t), t.TempDir()
			seedDemo(t, url, dir)
			replicas := []string{startReplica(t, url, dir), startReplica(t, url, dir)}
			status, body := post(t, replicas[0]+"/api/v2/api-token-auth/", "alice", `{"username": "alice", "password": "`+demo.Password+`"}`)
			if status != http.StatusOK {
				t.Fatal(body)
			}
			token, err := at([]byte(body), "/token")
			if err != nil {
				t.Fatal(err)
			}
			read := storetest.Open(t, url)
			before := orders(t, read)
			order := func(base string) (int, string, string) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v2/orders/", strings.NewReader(`{"group": 2, "name": "Once", "submit-now": true, "items": {"deploy-items": [`+item+`]}}`))
				if err != nil {
					t.Error(err)
					return 0, "", ""
				}
				req.Header.Set("Authorization", "Bearer "+token)
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324")
				res, err := noRedirects.Do(req)
				if err != nil {
					t.Error(err)
					return 0, "", ""
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil {
					t.Error(err)
				}
				if res.StatusCode == http.StatusConflict && res.Header.Get("Retry-After") == "" {
					t.Error("409 without Retry-After")
				}
				return res.StatusCode, res.Header.Get("Location"), string(text)
			}
			var mu sync.Mutex
			answers, waits := map[string]int{}, 0
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range 200 {
				wg.Go(func() {
					<-start
					status, location, text := order(replicas[i%2])
					mu.Lock()
					defer mu.Unlock()
					switch status {
					case http.StatusCreated:
						answers[location+"\n"+text]++
					case http.StatusConflict:
						waits++
					default:
						t.Errorf("%d %s", status, text)
					}
				})
			}
			close(start)
			wg.Wait()
			if len(answers) != 1 {
				t.Fatalf("%d different answers, %d were told to wait", len(answers), waits)
			}
			status, location, text := order(startReplica(t, url, dir))
			if status != http.StatusCreated || answers[location+"\n"+text] == 0 {
				t.Errorf("another answer later: %d %s\n%s", status, location, text)
			}
			if n := orders(t, read) - before; n != 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

func orders(t *testing.T, s *store.Store) (n int64) {
	t.Helper()
	if err := s.Read(t.Context()).Model(&models.Order{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// A process died between its claim and its commit: the request is told to wait
// until the lease has ended, and is done then.
func TestClaimOfADeadProcess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		var mu sync.Mutex
		ahead := time.Duration(0)
		c := newCloud(t, open(t), func(s *app.Settings) {
			s.Clock = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Add(ahead)
			}
		})
		c.stopWorkers(t)
		r := call{actor: "alice", method: "POST", path: "/api/v2/orders/", body: `{"group": 2}`, header: http.Header{"Idempotency-Key": {"k"}}}
		c.want(t, http.StatusCreated, r)
		// What a crash leaves is the claim without an answer.
		err := c.app.Store.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.Model(&models.IdempotencyKey{}).Where("key = 'k'").
				Updates(map[string]any{"status": 0, "answer": "", "claim": "dead", "claimed_until": tx.Now.Add(idempotency.Lease)}).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		before := orders(t, c.app.Store)
		if a := c.want(t, http.StatusConflict, r); a.header.Get("Retry-After") != "1" || a.text(t, "/type") != "/api/v2/docs/problems/idempotency-key-in-use" {
			t.Error(a.print())
		}
		mu.Lock()
		ahead = idempotency.Lease + time.Second
		mu.Unlock()
		first := c.want(t, http.StatusCreated, r)
		again := c.want(t, http.StatusCreated, r)
		if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" || string(first.body) != string(again.body) {
			t.Errorf("%s\n%s", first.print(), again.print())
		}
		if n := orders(t, c.app.Store) - before; n != 1 {
			t.Errorf("%d orders", n)
		}
	})
}

// Answers may hold what is shown once: they are not in the database as they are.
func TestStoredAnswersAreSealed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.want(t, http.StatusCreated, call{
			actor: "alice", method: "POST", path: "/api/v2/orders/", body: `{"group": 2, "name": "canary-in-the-answer"}`,
			header: http.Header{"Idempotency-Key": {"k"}},
		})
		row, err := store.First[models.IdempotencyKey](c.app.Store.Read(t.Context()).Where("key = 'k'"))
		if err != nil {
			t.Fatal(err)
		}
		if row.Status != http.StatusCreated || row.Answer == "" || strings.Contains(row.Answer, "canary") || strings.Contains(row.Request, "canary") {
			t.Errorf("%+v", row)
		}
	})
}
