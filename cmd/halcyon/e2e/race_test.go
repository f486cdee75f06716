package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/demo"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// race is what each caller of a race asks for, and how often that may succeed.
type race struct {
	callers []errand
	winners [][]int // of each caller's kind of errand, the counts that are right
}

type errand struct {
	actor, path, body string
}

// Two replicas on one database are asked for the same thing at the same moment:
// one of them does it, and the others are told that it cannot be done any more.
func TestReplicasRace(t *testing.T) {
	t.Parallel()
	for name, open := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, dir := open(t), t.TempDir()
			seedDemo(t, url, dir)
			// Without workers an approved order stays ACTIVE until it is canceled.
			replicas := []string{startReplica(t, url, dir), startReplica(t, url, dir)}
			const (
				submit, approve = "/actions/submit", "/actions/approve"
				deny, cancel    = "/actions/deny", "/actions/cancel"
			)
			all := func(e errand) race {
				return race{callers: []errand{e, e, e, e}, winners: [][]int{{1}}}
			}
			between := func(a, b errand, winners ...[]int) race {
				return race{callers: []errand{a, b, a, b}, winners: winners}
			}
			// Whoever submits an order that is waiting already is answered it, unchanged.
			submitted := all(errand{"alice", submit, ""})
			submitted.winners = [][]int{{4}}
			another := errand{"alice", "/deploy-items/", item}
			lives := [][]race{
				{submitted, all(errand{"bob", approve, ""}), all(errand{"alice", cancel, ""})},
				{submitted, between(errand{"bob", approve, ""}, errand{"bob", deny, ""}, []int{1, 0}, []int{0, 1})},
				{submitted, between(errand{"bob", approve, ""}, errand{"alice", cancel, ""}, []int{1, 1}, []int{0, 1})},
				{between(errand{"alice", submit, ""}, errand{"alice", cancel, ""}, []int{2, 1}, []int{1, 1}, []int{0, 1})},
				{between(errand{"alice", submit, ""}, another, []int{2, 0}, []int{2, 1}, []int{2, 2}), all(errand{"bob", deny, ""})},
			}
			for round := range 100 {
				order := newCart(t, replicas[round%2])
				for _, r := range lives[round%len(lives)] {
					r.run(t, replicas, order)
				}
			}
			checkRaces(t, url)
		})
	}
}

const item = `{"blueprint":"/api/v2/blueprints/1","blueprint-items-arguments":{"build-item-Server":{"environment":"/api/v2/environments/3","parameters":{"vm-size":"small"}}}}`

// run has all callers call at the same moment, by turns at one replica and the
// other.
func (r race) run(t *testing.T, replicas []string, order string) {
	t.Helper()
	status := make([]int, len(r.callers))
	answer := make([]string, len(r.callers))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, e := range r.callers {
		wg.Go(func() {
			<-start
			status[i], answer[i] = post(t, replicas[i/2%len(replicas)]+order+e.path, e.actor, e.body)
		})
	}
	close(start)
	wg.Wait()
	var kinds []string
	var won []int
	for i, e := range r.callers {
		k := slices.Index(kinds, e.path)
		if k < 0 {
			k = len(kinds)
			kinds, won = append(kinds, e.path), append(won, 0)
		}
		switch status[i] {
		case http.StatusOK:
			won[k]++
		case http.StatusConflict:
		default:
			t.Errorf("%s of %s: %d %s", e.path, order, status[i], answer[i])
		}
	}
	if !slices.ContainsFunc(r.winners, func(w []int) bool { return slices.Equal(w, won) }) {
		t.Errorf("%v of %s succeeded %v times, not one of %v:\n%s", kinds, order, won, r.winners, strings.Join(answer, "\n"))
	}
}

// checkRaces reads what came of it: nothing happened twice.
func checkRaces(t *testing.T, url string) {
	t.Helper()
	read := storetest.Open(t, url).Read(t.Context())
	var twice []string
	err := read.Raw(`SELECT object_id || ' ' || event FROM history WHERE object_type = ?
		GROUP BY object_id, event HAVING count(*) > 1`, models.ObjectOrder).Scan(&twice).Error
	if err != nil {
		t.Fatal(err)
	}
	if len(twice) > 0 {
		t.Errorf("orders went through this more than once: %v", twice)
	}
	orders, err := store.Find[models.Order](read.Order("id").Preload("Items"))
	if err != nil {
		t.Fatal(err)
	}
	type facts struct {
		Status                models.OrderStatus
		Rate                  models.Money
		Servers, Jobs, Living int64
		Approved              bool
	}
	for i := range orders {
		o := &orders[i]
		got := facts{Status: o.Status, Rate: o.Rate, Approved: o.ApprovedAt != nil}
		for n, q := range map[*int64]func() error{
			&got.Servers: func() error {
				return read.Model(&models.Server{}).Where("order_id = ?", o.ID).Count(&got.Servers).Error
			},
			&got.Jobs: func() error {
				return read.Model(&models.Job{}).Where("order_id = ? AND type = ?", o.ID, models.JobProvision).Count(&got.Jobs).Error
			},
			&got.Living: func() error {
				return read.Model(&models.Job{}).Where("order_id = ? AND ended_at IS NULL", o.ID).Count(&got.Living).Error
			},
		} {
			if err := q(); err != nil {
				t.Fatal(n, err)
			}
		}
		items := int64(len(o.Items))
		want := facts{Status: o.Status, Rate: models.Money(items) * 14_400_000, Approved: o.ApprovedAt != nil}
		if want.Approved {
			want.Servers, want.Jobs = items, items
		}
		if o.Status == models.OrderActive {
			want.Living = 2 * items // a parent and its child
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("order %s (-want +got):\n%s", o.ID, d)
		}
	}
}

// newCart makes alice a cart with one server, for the group that bob approves for.
func newCart(t *testing.T, base string) (href string) {
	t.Helper()
	status, answer := post(t, base+"/api/v2/orders/", "alice", `{"group":"/api/v2/groups/3","items":{"deploy-items":[`+item+`]}}`)
	var doc struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(answer), &doc); err != nil || status != http.StatusCreated {
		t.Fatal(status, answer)
	}
	return "/api/v2/orders/" + doc.ID
}

func post(t *testing.T, url, actor, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.SetBasicAuth(actor, demo.Password)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(text)
}

// seedDemo fills the database with the demo's users and catalogue. There is no
// vCenter behind it.
func seedDemo(t *testing.T, url, dir string) {
	t.Helper()
	a, err := app.New(t.Context(), app.Settings{
		DatabaseURL: url, KeysDir: filepath.Join(dir, "keys"), SecretKeyFile: filepath.Join(dir, "secret.key"),
		SigningAlg: "EdDSA", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	vc := app.SimulatedVCenter("halcyon", "halcyon")
	vc.URL = "http://127.0.0.1:1/sdk"
	d := &demo.Demo{Tenancy: a.Tenancy, Catalog: a.Catalog, Orders: a.Orders, RefData: a.Refdata, Now: a.Store.Now}
	if err := d.Seed(t.Context(), vc); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// startReplica starts a process that serves the API and runs no jobs, and gives
// its URL. It ends with the test, in order.
func startReplica(t *testing.T, url, dir string) string {
	t.Helper()
	cmd := halcyon("serve", "--database-url", url, "--data-dir", dir, "--listen", "127.0.0.1:0", "--workers", "0", "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, done := make(chan string, 1), make(chan struct{})
	var lines bytes.Buffer
	go func() {
		defer close(done)
		for scan := bufio.NewScanner(log); scan.Scan(); {
			var line struct{ Level, Msg, URL string }
			if err := json.Unmarshal(scan.Bytes(), &line); err != nil || line.Level == "ERROR" {
				fmt.Fprintln(&lines, scan.Text())
			}
			if line.Msg == "ready" {
				ready <- line.URL
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("the replica ended with %v", err)
		}
		if lines.Len() > 0 {
			t.Errorf("the replica's log says:\n%s", lines.String())
		}
	})
	wait, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case at := <-ready:
		return at
	case <-done:
	case <-wait.Done():
	}
	t.Fatal("the replica is not ready")
	return ""
}
