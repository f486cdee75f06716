package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"

	"halcyon/models"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// A process is killed whenever its receiver has got something that it could not
// write down yet. Whatever happens arrives all the same: each event has one delivery,
// and what comes more than once comes under one id.
func TestSenderIsKilled(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, dir := open(t), t.TempDir()
			seedDemo(t, url, dir)
			k := &killer{times: map[string]int{}, killed: map[string]bool{}}
			receiver := httptest.NewServer(k)
			t.Cleanup(receiver.Close)
			db := storetest.Open(t, url)
			const kills = 5
			for round := range kills {
				at, cmd := startSender(t, url, dir)
				if round == 0 {
					hook := `{"name": "Hook", "url": "` + receiver.URL + `", "event-types": ["order.*"]}`
					if status, answer := post(t, at+"/api/v2/webhooks/", "alice", hook); status != http.StatusCreated {
						t.Fatalf("%d %s", status, answer)
					}
				}
				newCart(t, at)
				newCart(t, at)
				k.next(cmd)
				dueNow(t, db)
				_ = cmd.Wait() // it was killed
			}
			dueNow(t, db)
			k.heal()
			at, cmd := startSender(t, url, dir)
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			newCart(t, at)
			until(t, "everything arrives", func() bool { return allArrived(t, db, kills*2+1) })
			k.check(t, db, kills)
		})
	}
}

// killer is a receiver that kills whoever sends it something.
type killer struct {
	mu      sync.Mutex
	victim  *exec.Cmd
	healthy bool
	times   map[string]int  // by message
	killed  map[string]bool // messages after which the sender was killed
}

// next names the next victim.
func (k *killer) next(cmd *exec.Cmd) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.victim = cmd
}

// heal has it be a receiver like any other.
func (k *killer) heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.healthy = true
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	switch {
	case k.victim != nil && !k.healthy:
		_ = k.victim.Process.Kill()
		k.victim, k.killed[id] = nil, true
	case !k.healthy:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	k.times[id]++
}

// check holds what came against what there was to come.
func (k *killer) check(t *testing.T, db *store.Store, kills int) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.killed) == 0 || len(k.killed) > kills {
		t.Errorf("%d messages have killed somebody", len(k.killed))
	}
	for id := range k.killed {
		if k.times[id] < 2 {
			t.Errorf("%s came once, and whoever sent it was killed before it could know", id)
		}
	}
	list, err := store.Find[models.WebhookDelivery](db.Read(t.Context()).DB)
	if err != nil {
		t.Fatal(err)
	}
	events := map[models.ID]bool{}
	for _, d := range list {
		if events[d.EventID] {
			t.Errorf("event %s has two deliveries", d.EventID)
		}
		events[d.EventID] = true
		if k.times[d.MessageID] == 0 {
			t.Errorf("%s has not come, and is %s", d.MessageID, d.Status)
		}
	}
	if len(k.times) != len(list) {
		t.Errorf("%d messages came of %d deliveries", len(k.times), len(list))
	}
}

// dueNow has all deliveries that wait be due, as if time had passed.
func dueNow(t *testing.T, db *store.Store) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.Exec("UPDATE webhook_deliveries SET due_at = ? WHERE status = ?", tx.Now, models.DeliveryPending).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

// allArrived reports whether everything that has happened to so many orders has
// arrived.
func allArrived(t *testing.T, db *store.Store, orders int64) bool {
	t.Helper()
	var made, missing int64
	tx := db.Read(t.Context())
	err := tx.Raw("SELECT count(*) FROM webhook_deliveries WHERE event_type = 'order.created' AND status = ?", models.DeliverySuccess).Scan(&made).Error
	if err == nil {
		err = tx.Raw(`SELECT (SELECT count(*) FROM event_outbox) + (SELECT count(*) FROM webhook_deliveries WHERE status <> ?) +
			(SELECT count(*) FROM events e, webhooks w WHERE e.type LIKE 'order.%' AND e.id > coalesce(w.from_event, 0)
				AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = e.id))`, models.DeliverySuccess).Scan(&missing).Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return made >= orders && missing == 0
}

// startSender starts a process that serves the API and sends webhooks.
func startSender(t *testing.T, url, dir string) (at string, cmd *exec.Cmd) {
	t.Helper()
	cmd = halcyon("serve", "--database-url", url, "--data-dir", dir, "--listen", "127.0.0.1:0", "--workers", "1", "--webhook-allow", "127.0.0.1/32", "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		for scan := bufio.NewScanner(log); scan.Scan(); {
			var line struct{ Msg, URL string }
			if json.Unmarshal(scan.Bytes(), &line) == nil && line.Msg == "ready" {
				ready <- line.URL
			}
		}
	}()
	if at = <-ready; at == "" {
		t.Fatal("the process is not ready")
	}
	return at, cmd
}
