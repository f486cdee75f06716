package subscription_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/subscription"
	"halcyon/pkg/webhook"
)

// Who gets what: the types and the objects that a webhook is for, of what its owner
// sees, from when it was made.
func TestWhoGetsWhat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		x := receive(t, nil)
		r.happen(r.mine, "order.created", 3) // before there was any webhook
		below := &models.Order{Status: models.OrderCart, OwnerID: r.bob.ID, GroupID: r.groups["team"]}
		r.insert(below)
		all := r.hook(r.alice, x.URL)
		hooks := map[*models.Webhook]int{
			all: 6,
			r.hook(r.alice, x.URL, func(w *models.Webhook) { w.Types = []string{"order.submitted"} }):                       3,
			r.hook(r.alice, x.URL, func(w *models.Webhook) { w.Types = []string{"job.*", "server.changed"} }):               0,
			r.hook(r.alice, x.URL, func(w *models.Webhook) { w.Types = []string{"order.*"}; w.GroupID = r.groups["team"] }): 3,
			r.hook(r.alice, x.URL, func(w *models.Webhook) { w.ObjectType, w.ObjectID = models.ObjectOrder, r.mine.ID }):    3,
			r.hook(r.alice, x.URL, func(w *models.Webhook) { w.ObjectType, w.ObjectID = models.ObjectOrder, r.other.ID }):   0,
			r.hook(r.bob, x.URL):   9, // his own order, and the one in the team
			r.hook(r.admin, x.URL): 12,
		}
		r.start(r.Service)
		r.happen(r.mine, "order.changed", 2)
		r.happen(r.mine, "order.submitted", 1)
		r.happen(below, "order.changed", 1)
		r.happen(below, "order.submitted", 2)
		r.happen(r.other, "order.changed", 6)
		for w, want := range hooks {
			r.until(fmt.Sprintf("%d deliveries of %v for user %s", want, w.Types, w.OwnerID), func() bool { return len(r.deliveries(w)) >= want })
		}
		for w, want := range hooks {
			if n := len(r.deliveries(w)); n != want {
				t.Errorf("%d deliveries of %v for user %s, instead of %d", n, w.Types, w.OwnerID, want)
			}
		}
		r.until("everything arrives", func() bool { return len(x.ids()) == 36 })
		for _, q := range x.requests() {
			if !strings.HasPrefix(string(q.body), `{"type":"order.`) || !strings.Contains(string(q.body), `"data":{"id":"`) {
				t.Fatalf("the body is %s", q.body)
			}
		}
	})
}

// Whoever may not see something any more does not get it, also not on a later try;
// and whoever is disabled gets nothing.
func TestRightsCountWhenItIsSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		fail := atomic.Bool{}
		fail.Store(true)
		x := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			if fail.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		theirs := &models.Order{Status: models.OrderCart, OwnerID: r.bob.ID, GroupID: r.groups["team"]}
		r.insert(theirs)
		w := r.hook(r.alice, x.URL)
		r.start(r.Service)
		r.happen(theirs, "order.changed", 1)
		r.until("the first try", func() bool { return r.reload(w).Failures == 1 })
		r.sql("DELETE FROM memberships WHERE user_id = ?", r.alice.ID)
		fail.Store(false)
		r.later(10 * time.Second)
		r.until("it is given up", func() bool { return r.statuses(w)[models.DeliveryFailure] == 1 })
		if d := r.deliveries(w)[0]; d.Attempts != 1 || d.Error != "The owner of the webhook does not see it any more." {
			t.Errorf("%d attempts, %q", d.Attempts, d.Error)
		}
		r.happen(r.mine, "order.changed", 1) // alice's own
		r.until("her own arrives", func() bool { return r.statuses(w)[models.DeliverySuccess] == 1 })
		if _, err := r.Test(t.Context(), r.alice, w.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.until("the test arrives", func() bool { return r.statuses(w)[models.DeliverySuccess] == 2 })
		r.sql("UPDATE users SET active = ? WHERE id = ?", false, r.alice.ID)
		last := r.happen(r.mine, "order.changed", 1)
		r.until("the event is looked at", func() bool { return r.fed() == last })
		if _, err := r.Test(t.Context(), r.admin, w.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.until("the test is given up", func() bool { return r.statuses(w)[models.DeliveryFailure] == 2 })
		if n := len(r.deliveries(w)); n != 4 {
			t.Errorf("%d deliveries instead of 4", n)
		}
		if n := len(x.requests()); n != 3 {
			t.Errorf("%d requests instead of 3", n)
		}
	})
}

// sql changes what is cached of people.
func (r *rig) sql(statement string, args ...any) {
	r.t.Helper()
	err := r.store.InTx(r.t.Context(), func(tx *store.Tx) error {
		tx.Signal(refdata.Memberships, 0)
		tx.Signal(refdata.Users, 0)
		return tx.Exec(statement, args...).Error
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// fed returns the event up to which deliveries were made.
func (r *rig) fed() (at models.ID) {
	r.t.Helper()
	if err := r.store.Read(r.t.Context()).Raw("SELECT last FROM webhook_feed").Scan(&at).Error; err != nil {
		r.t.Fatal(err)
	}
	return at
}

// Four replicas make deliveries of many events and send them: each event is sent
// once, and none is missed.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		x := receive(t, nil)
		w := r.hook(r.alice, x.URL)
		for range 3 {
			s := r.open()
			svc, _ := r.replica(s, webhook.NewPrivate(loopback), subscription.Policy{})
			r.start(svc)
		}
		r.start(r.Service)
		const rounds, each = 15, 20
		for range rounds {
			r.happen(r.mine, "order.changed", each)
			r.happen(r.other, "order.changed", 3) // not alice's
		}
		r.until("all arrive", func() bool { return r.statuses(w)[models.DeliverySuccess] == rounds*each })
		events := map[models.ID]bool{}
		for _, d := range r.deliveries(w) {
			if events[d.EventID] {
				t.Errorf("event %s has two deliveries", d.EventID)
			}
			events[d.EventID] = true
		}
		for id, n := range x.ids() {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if n := len(x.requests()); n != rounds*each {
			t.Errorf("%d requests instead of %d", n, rounds*each)
		}
	})
}

// A process that ends while it makes deliveries has made all of them, or none.
func TestFeedingIsAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		x := receive(t, nil)
		w := r.hook(r.alice, x.URL)
		s := r.open()
		dying, _ := r.replica(s, webhook.NewPrivate(loopback), subscription.Policy{})
		var calls atomic.Int64
		whole := dying.Render
		dying.Render = func(e *models.Event) []byte {
			if calls.Add(1)%7 == 0 {
				return []byte("no JSON: here it ends")
			}
			return whole(e)
		}
		r.start(dying)
		r.happen(r.mine, "order.changed", 20)
		r.until("it has died a few times", func() bool { return calls.Load() > 20 })
		if n := len(r.deliveries(w)); n != 0 {
			t.Errorf("%d deliveries were left behind", n)
		}
		r.start(r.Service)
		r.until("all arrive", func() bool { return r.statuses(w)[models.DeliverySuccess] == 20 })
		if n := len(r.deliveries(w)); n != 20 {
			t.Errorf("%d deliveries instead of 20", n)
		}
	})
}

// dying is a process that ends between its receiver's answer and the record of it.
type dying struct {
	subscription.Caller
	deaths atomic.Int64
	most   int64
}

func (d *dying) Call(ctx context.Context, m webhook.Message) (webhook.Answer, error) {
	a, err := d.Caller.Call(ctx, m)
	if d.deaths.Add(1) <= d.most {
		runtime.Goexit()
	}
	return a, err
}

// What was sent by a process that ended before it could write that down is sent
// again, as the same message, and not before its lease has ended.
func TestKilledBetweenAnswerAndRecord(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		x := receive(t, nil)
		w := r.hook(r.alice, x.URL)
		killed := &dying{Caller: webhook.NewPrivate(loopback), most: 1}
		svc, _ := r.replica(r.open(), killed, subscription.Policy{})
		r.start(svc)
		if _, err := r.Test(t.Context(), r.alice, w.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.until("it was sent", func() bool { return killed.deaths.Load() == 1 })
		r.start(r.Service)
		r.happen(r.mine, "order.changed", 1)
		r.until("others are sent meanwhile", func() bool { return r.statuses(w)[models.DeliverySuccess] == 1 })
		first := r.deliveries(w)[0]
		if first.Status != models.DeliveryPending || first.Attempts != 0 || x.ids()[first.MessageID] != 1 {
			t.Errorf("it is %s after %d attempts, and came %d times", first.Status, first.Attempts, x.ids()[first.MessageID])
		}
		r.later(31 * time.Second)
		r.until("it is sent again", func() bool { return r.statuses(w)[models.DeliverySuccess] == 2 })
		if n := x.ids()[first.MessageID]; n != 2 {
			t.Errorf("the message came %d times", n)
		}
	})
}

// A failure is tried again, later each time, and given up in the end. Replaying it
// begins anew, with the same message.
func TestRetries(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		var status atomic.Int64
		status.Store(500)
		x := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(int(status.Load()))
			_, _ = w.Write([]byte(`{"message": "oops"}`))
		})
		w := r.hook(r.alice, x.URL)
		sender := r.start(r.Service)
		r.happen(r.mine, "order.submitted", 1)
		pauses := subscription.DefaultPolicy().Retries
		for i, pause := range pauses {
			r.until(fmt.Sprintf("attempt %d", i+1), func() bool { d := r.deliveries(w); return len(d) == 1 && d[0].Attempts == i+1 })
			d := r.deliveries(w)[0]
			if wait := d.DueAt.Sub(d.Log[i].At); wait < pause || wait > pause*6/5+time.Minute {
				t.Errorf("after attempt %d it waits for %s instead of %s", i+1, wait, pause)
			}
			r.later(pause * 6 / 5)
		}
		r.until("it is given up", func() bool { return r.statuses(w)[models.DeliveryFailure] == 1 })
		d := r.deliveries(w)[0]
		if d.Attempts != len(pauses)+1 || d.ResponseStatus != 500 || d.ResponseBody != `{"message": "oops"}` ||
			d.Error != "The receiver answered 500 Internal Server Error." || d.EndedAt == nil || d.DueAt != nil {
			t.Errorf("it is %+v", d)
		}
		hook := r.reload(w)
		if hook.Failures != d.Attempts || hook.FailingSince == nil || hook.LastSuccessAt != nil || !hook.Enabled {
			t.Errorf("the webhook is %+v", hook)
		}
		status.Store(204)
		if _, err := r.Replay(t.Context(), r.bob, d.ID.String()); !fault.Is(err, fault.NotFound) {
			t.Errorf("somebody else replays it: %v", err)
		}
		if _, err := r.Replay(t.Context(), r.alice, d.ID.String()); err != nil {
			t.Fatal(err)
		}
		r.until("it arrives", func() bool { return r.statuses(w)[models.DeliverySuccess] == 1 })
		if n := x.ids()[d.MessageID]; n != d.Attempts+1 || len(x.ids()) != 1 {
			t.Errorf("the message came %d times, and there are %d messages", n, len(x.ids()))
		}
		if hook := r.reload(w); hook.Failures != 0 || hook.FailingSince != nil || hook.LastSuccessAt == nil {
			t.Errorf("the webhook is %+v", hook)
		}
		r.until("no call is under way", func() bool { return sender.Stats().Calls == 0 })
		if s := sender.Stats(); s.Sent != 1 || s.Failed != int64(len(pauses)+1) || s.Withheld != 0 {
			t.Errorf("it counted %+v", s)
		}
	})
}

// 410 Gone ends a webhook at once, and so do days of nothing but failures. What
// waits is given up, and what happens meanwhile is not sent.
func TestDisabledByItsReceiver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		var answer atomic.Int64
		answer.Store(410)
		x := receive(t, func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/broken" {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.WriteHeader(int(answer.Load()))
		})
		gone, broken := r.hook(r.alice, x.URL+"/gone"), r.hook(r.alice, x.URL+"/broken")
		r.start(r.Service)
		r.happen(r.mine, "order.changed", 3)
		r.until("it is disabled", func() bool { return !r.reload(gone).Enabled })
		r.until("all are given up", func() bool { return r.statuses(gone)[models.DeliveryFailure] == 3 })
		if w := r.reload(gone); w.DisabledReason != "The receiver answered 410 Gone: it wants nothing any more." {
			t.Errorf("%q", w.DisabledReason)
		}
		r.until("the other fails", func() bool { return r.reload(broken).Failures >= 3 })
		r.later(4 * 24 * time.Hour)
		r.until("it fails again", func() bool { return r.reload(broken).Failures >= 6 })
		if !r.reload(broken).Enabled {
			t.Error("it is disabled after four days")
		}
		r.later(24 * time.Hour)
		r.until("it is disabled", func() bool { return !r.reload(broken).Enabled })
		if w := r.reload(broken); w.DisabledReason != "Nothing has arrived for 5 days." {
			t.Errorf("%q", w.DisabledReason)
		}
		r.until("all are given up", func() bool { return r.statuses(broken)[models.DeliveryFailure] == 3 })
		r.happen(r.mine, "order.changed", 1)
		for _, w := range []*models.Webhook{gone, broken} {
			if _, err := r.Test(t.Context(), r.alice, w.ID.String()); !fault.Is(err, fault.Conflict) {
				t.Errorf("a test of a disabled webhook: %v", err)
			}
			if _, err := r.Disable(t.Context(), r.alice, w.ID.String()); !fault.Is(err, fault.Conflict) {
				t.Errorf("disabled twice: %v", err)
			}
			if _, err := r.Enable(t.Context(), r.alice, w.ID.String()); err != nil {
				t.Fatal(err)
			}
			if w := r.reload(w); !w.Enabled || w.DisabledReason != "" || w.Failures != 0 || w.FailingSince != nil {
				t.Errorf("it is %+v", w)
			}
		}
		answer.Store(200)
		if _, err := r.ReplayFailed(t.Context(), r.alice, gone.ID.String(), nil); err != nil {
			t.Fatal(err)
		}
		r.until("they arrive", func() bool { return r.statuses(gone)[models.DeliverySuccess] == 3 })
		if n := len(r.deliveries(gone)); n != 3 {
			t.Errorf("%d deliveries: what happened meanwhile was sent", n)
		}
	})
}

// Receivers that hang, however many they are and however much waits for them, do not
// hold up those that answer.
func TestHangingReceiversHoldNobodyUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		hanging := receive(t, func(_ http.ResponseWriter, q *http.Request) {
			select {
			case <-release:
			case <-q.Context().Done():
			}
		})
		t.Cleanup(func() { close(release) }) // before the receiver is closed
		well := receive(t, nil)
		svc, _ := r.replica(r.open(), webhook.NewPrivate(loopback), subscription.Policy{Senders: 4, Timeout: time.Second})
		var stuck []*models.Webhook
		for range 6 {
			stuck = append(stuck, r.hook(r.alice, hanging.URL))
		}
		r.start(svc)
		r.happen(r.mine, "order.changed", 20)
		r.until("all of them have failed", func() bool {
			for _, w := range stuck {
				if r.reload(w).Failures == 0 {
					return false
				}
			}
			return true
		})
		w := r.hook(r.bob, well.URL)
		const many = 40
		r.happen(r.other, "order.changed", many)
		r.until("the other's arrive", func() bool { return r.statuses(w)[models.DeliverySuccess] == many })
		// With four calls at a time and a second for each, the 120 that hang take half
		// a minute: they are not through when the others are.
		waiting := 0
		for _, w := range stuck {
			for _, d := range r.deliveries(w) {
				if d.Attempts == 0 {
					waiting++
				}
			}
		}
		if waiting == 0 {
			t.Error("the others had to wait until everything had been sent to those that hang")
		}
	})
}

// A user has so many webhooks and no more, also when they are made at once.
func TestLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		var made, refused atomic.Int64
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				err := r.Create(t.Context(), r.alice, &models.Webhook{Name: "hook", URL: "https://hooks.example.com/", Types: []string{"*"}})
				switch {
				case err == nil:
					made.Add(1)
				case fault.Is(err, fault.Conflict):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != models.MaxWebhooks || refused.Load() != 30-models.MaxWebhooks {
			t.Errorf("%d were made, and %d refused", made.Load(), refused.Load())
		}
		r.hook(r.bob, "https://hooks.example.com/")
	})
}

// rebinding checks addresses as a client that allows loopback does, and calls them
// as one that does not: a name that stands for something else by now.
type rebinding struct{ checks, calls *webhook.Client }

func (b rebinding) Check(url string) error { return b.checks.Check(url) }

func (b rebinding) Call(ctx context.Context, m webhook.Message) (webhook.Answer, error) {
	return b.calls.Call(ctx, m)
}

// Addresses that may not be called are refused when a webhook is made, and, whatever
// their names said then, when it is called.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		for _, url := range []string{"http://10.0.0.1/", "https://169.254.169.254/latest", "ftp://127.0.0.1/", "http://93.184.216.34/", "https://user@hooks.example.com/"} {
			err := r.Create(t.Context(), r.alice, &models.Webhook{Name: "hook", URL: url, Types: []string{"*"}})
			if !fault.Is(err, fault.Invalid) || fault.From(err).Fields[0].Path.String() != "url" {
				t.Errorf("%s: %v", url, err)
			}
		}
		x := receive(t, nil)
		w := r.hook(r.alice, x.URL)
		svc, _ := r.replica(r.open(), rebinding{webhook.NewPrivate(loopback), webhook.NewPrivate(nil)}, subscription.Policy{Retries: []time.Duration{}})
		r.start(svc)
		r.happen(r.mine, "order.changed", 1)
		r.until("it is given up", func() bool { return r.statuses(w)[models.DeliveryFailure] == 1 })
		if d := r.deliveries(w)[0]; d.Error != "The receiver's address may not be called." || len(x.requests()) != 0 {
			t.Errorf("%q, and %d requests arrived", d.Error, len(x.requests()))
		}
	})
}

// What is old is removed, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		x := receive(t, nil)
		w := r.hook(r.alice, x.URL)
		r.start(r.Service)
		r.happen(r.mine, "order.changed", 3)
		r.until("they arrive", func() bool { return r.statuses(w)[models.DeliverySuccess] == 3 })
		r.later(29 * 24 * time.Hour)
		if n, err := r.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d were removed: %v", n, err)
		}
		r.happen(r.mine, "order.changed", 1)
		r.until("it arrives", func() bool { return r.statuses(w)[models.DeliverySuccess] == 4 })
		r.later(2 * 24 * time.Hour)
		if n, err := r.Sweep(t.Context()); n != 3 || err != nil {
			t.Errorf("%d were removed: %v", n, err)
		}
		if n := len(r.deliveries(w)); n != 1 {
			t.Errorf("%d are left", n)
		}
	})
}

// Webhooks are their owner's and administrators'; whoever sees all may look.
func TestGuards(t *testing.T) {
	t.Parallel()
	viewer := access.NewActor(&models.User{Row: models.Row{ID: 9}, GlobalViewer: true}, "", nil)
	owner := access.NewActor(&models.User{Row: models.Row{ID: 7}}, "", nil)
	w := &models.Webhook{OwnerID: 7, Enabled: true}
	for _, c := range []struct {
		a    access.Actor
		want fault.Code
	}{
		{owner, ""},
		{access.System("test"), ""},
		{viewer, fault.Forbidden},
		{access.Actor{}, fault.Forbidden},
	} {
		for name, err := range map[string]error{"edit": subscription.CanEdit(c.a, w), "send": subscription.CanSend(c.a, w)} {
			if fault.CodeOf(err) != c.want {
				t.Errorf("%s by %+v: %v", name, c.a, err)
			}
		}
	}
	if err := subscription.CanEnable(owner, w); !fault.Is(err, fault.Conflict) {
		t.Errorf("enabled twice: %v", err)
	}
	if err := subscription.CanCreate(access.System("test")); !fault.Is(err, fault.Forbidden) {
		t.Errorf("nobody has a webhook: %v", err)
	}
}
