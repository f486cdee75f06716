package subscription

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
	"halcyon/pkg/webhook"
)

// Sender makes deliveries of what happens and sends them, beside any number of
// others on the same database.
type Sender struct {
	*Service
	news   chan struct{} // there may be events
	due    chan struct{} // there may be deliveries
	stop   context.CancelFunc
	calls  context.Context //nolint:containedctx // of all calls; it ends when they have to be given up
	cut    context.CancelFunc
	loops  sync.WaitGroup
	sends  sync.WaitGroup
	mu     sync.Mutex
	busy   map[models.ID]int   // calls under way, by webhook
	served map[models.ID]int64 // when a webhook had its last turn, counted in turns
	turn   int64

	sent, failed, refused atomic.Int64
}

// Stats are numbers since the process began, but for Calls.
type Stats struct {
	Calls    int64 // calls of receivers that are under way
	Sent     int64 // deliveries that their receivers took
	Failed   int64 // calls that did not come to that
	Withheld int64 // deliveries that were not sent, since their owner is not to have them
}

// Stats returns the counters for /metrics.
func (x *Sender) Stats() Stats {
	s := Stats{Sent: x.sent.Load(), Failed: x.failed.Load(), Withheld: x.refused.Load()}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.busy {
		s.Calls += int64(n)
	}
	return s
}

// count counts an attempt by what came of it.
func (x *Sender) count(o *outcome) {
	switch {
	case o.refused != "":
		x.refused.Add(1)
	case o.ok():
		x.sent.Add(1)
	default:
		x.failed.Add(1)
	}
}

// Sender returns what sends. It does nothing before Start.
func (s *Service) Sender() *Sender {
	x := &Sender{
		Service: s, news: make(chan struct{}, 1), due: make(chan struct{}, 1),
		busy: map[models.ID]int{}, served: map[models.ID]int64{},
	}
	s.store.OnSignal(func(topic, _ string) {
		switch topic {
		case deliveriesTable:
			wake(x.due)
		case eventsTable:
			wake(x.news)
		case "":
			wake(x.due)
			wake(x.news)
		}
	})
	return x
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Start begins to send.
func (x *Sender) Start() {
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	x.calls, x.cut = context.WithCancel(context.Background())
	x.loops.Go(func() { x.loop(ctx, x.news, "events cannot be made into deliveries for now", x.feed) })
	x.loops.Go(func() { x.loop(ctx, x.due, "webhooks cannot be sent for now", x.round) })
}

// Stop begins nothing new, and waits for the calls that are under way; at the end of
// the context they are given up, and sent again later.
func (x *Sender) Stop(ctx context.Context) {
	if x.stop == nil {
		return
	}
	x.stop()
	x.loops.Wait()
	done := make(chan struct{})
	go func() { x.sends.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	x.cut()
	<-done
}

// loop does work whenever there may be some, and now and then in case nobody said
// so. Work tells whether there is more.
func (x *Sender) loop(ctx context.Context, hint chan struct{}, complaint string, work func(context.Context) (more bool, err error)) {
	tick := time.NewTicker(x.policy.Poll)
	defer tick.Stop()
	for {
		more, err := work(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			x.log.WarnContext(ctx, complaint, "error", err)
		} else if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-hint:
		case <-tick.C:
		}
	}
}

// candidate is a webhook that something is due for.
type candidate struct {
	ID       models.ID
	Failures int
}

// At most this many calls go to one webhook at a time, and one to a webhook that
// fails. Webhooks that fail share half of all calls: a receiver that hangs takes
// nothing from those that answer.
const perWebhook = 2

// round takes as much as can be sent now, and has it sent. It always says that there
// is no more: a call that ends looks by itself.
func (x *Sender) round(ctx context.Context) (more bool, err error) {
	list, err := x.waiting(ctx)
	if err != nil || len(list) == 0 {
		return false, err
	}
	turns := x.turns(list)
	if len(turns) == 0 {
		return false, nil
	}
	taken, err := x.claim(ctx, turns)
	x.giveBack(turns, taken)
	for _, d := range taken {
		x.sends.Go(func() {
			defer x.done(d.WebhookID)
			x.deliver(x.calls, d)
		})
	}
	return false, err
}

// waiting returns the webhooks that something is due for.
func (x *Sender) waiting(ctx context.Context) ([]candidate, error) {
	tx := x.store.Read(ctx)
	var list []candidate
	err := tx.Raw(`SELECT w.id, w.failures FROM webhooks w WHERE w.enabled
		AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'PENDING' AND d.due_at <= ?)
		ORDER BY w.id`, tx.Now).Scan(&list).Error
	return list, store.Fault(err)
}

// turns chooses for which webhooks a call is made now, one entry each call: by
// turns, those first that have waited longest. It counts the calls as under way.
func (x *Sender) turns(list []candidate) []models.ID {
	x.mu.Lock()
	defer x.mu.Unlock()
	free, failing := x.policy.Senders, max(1, x.policy.Senders/2)
	for _, n := range x.busy {
		free -= n
	}
	for _, c := range list {
		if c.Failures > 0 {
			failing -= x.busy[c.ID]
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(x.served[a.ID], x.served[b.ID]) })
	var out []models.ID
	for range perWebhook {
		for _, c := range list {
			limit := perWebhook
			if c.Failures > 0 {
				limit = 1
			}
			if free == 0 || x.busy[c.ID] >= limit || c.Failures > 0 && failing <= 0 {
				continue
			}
			if c.Failures > 0 {
				failing--
			}
			free--
			x.turn++
			x.busy[c.ID]++
			x.served[c.ID] = x.turn
			out = append(out, c.ID)
		}
	}
	return out
}

// giveBack frees the turns for which there was nothing to take any more.
func (x *Sender) giveBack(turns []models.ID, taken []*models.WebhookDelivery) {
	left := map[models.ID]int{}
	for _, id := range turns {
		left[id]++
	}
	for _, d := range taken {
		left[d.WebhookID]--
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, n := range left {
		x.free(id, n)
	}
}

func (x *Sender) free(id models.ID, n int) {
	if x.busy[id] -= n; x.busy[id] <= 0 {
		delete(x.busy, id)
	}
}

// done ends a call, and looks for more.
func (x *Sender) done(id models.ID) {
	x.mu.Lock()
	x.free(id, 1)
	if len(x.busy) == 0 && len(x.served) > 10_000 {
		clear(x.served) // most of them are long gone
	}
	x.mu.Unlock()
	wake(x.due)
}

// claim leases the next delivery of each turn. Nobody else sends it until the lease
// ends.
func (x *Sender) claim(ctx context.Context, turns []models.ID) ([]*models.WebhookDelivery, error) {
	var taken []*models.WebhookDelivery
	err := x.store.InTx(ctx, func(tx *store.Tx) error {
		var ids []models.ID
		for _, id := range turns {
			taken, err := take(tx, id, x.policy.Lease)
			if err != nil {
				return err
			}
			ids = append(ids, taken...)
		}
		list, err := store.Find[models.WebhookDelivery](tx.Where("id IN ?", ids))
		taken = make([]*models.WebhookDelivery, len(list))
		for i := range list {
			taken[i] = &list[i]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// take leases the delivery of a webhook that has been due for longest; none when
// others have taken all.
func take(tx *store.Tx, webhookID models.ID, lease time.Duration) (ids []models.ID, err error) {
	skip := ""
	if tx.Dialect() == store.Postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	err = tx.Raw(`UPDATE webhook_deliveries SET due_at = ?, lease_token = ? WHERE id = (SELECT d.id FROM webhook_deliveries d
		WHERE d.webhook_id = ? AND d.status = 'PENDING' AND d.due_at <= ? ORDER BY d.due_at, d.id LIMIT 1`+skip+`) RETURNING id`,
		tx.Now.Add(lease), uuid.NewString(), webhookID, tx.Now).Scan(&ids).Error
	return ids, store.Fault(err)
}

// outcome is what came of an attempt.
type outcome struct {
	models.DeliveryAttempt
	body    string
	refused string        // why nothing was sent, and never will be; "" when it was
	gone    bool          // the receiver wants nothing any more
	after   time.Duration // before which the receiver does not want to be asked again
}

func (o *outcome) ok() bool { return o.refused == "" && o.Status >= 200 && o.Status < 300 }

// deliver makes one attempt and writes down what came of it. What cannot be written
// is sent again when the lease ends: at least once.
func (x *Sender) deliver(ctx context.Context, d *models.WebhookDelivery) {
	o, err := x.attempt(ctx, d)
	if err == nil {
		x.count(&o)
		err = x.record(context.WithoutCancel(ctx), d, o)
	}
	if err != nil && ctx.Err() == nil {
		x.log.WarnContext(ctx, "a delivery could not be made or recorded; it is sent again", "delivery", d.ID, "error", err)
	}
}

// attempt calls the receiver, unless the webhook's owner is not to have the event.
// The error says that it could not be told, or that the call was given up.
func (x *Sender) attempt(ctx context.Context, d *models.WebhookDelivery) (outcome, error) {
	w, err := store.First[models.Webhook](x.store.Read(ctx).Where("id = ?", d.WebhookID))
	if err != nil {
		return outcome{}, err
	}
	now := x.store.Now()
	o := outcome{DeliveryAttempt: models.DeliveryAttempt{At: now}}
	if o.refused, err = x.withheld(ctx, w, d); err != nil || o.refused != "" {
		return o, err
	}
	m := webhook.Message{URL: w.URL, ID: d.MessageID, Body: []byte(d.Payload), Timeout: x.policy.Timeout, At: now}
	if m.Secret, err = x.open(w.Secret); err != nil {
		return o, err
	}
	if w.FormerUntil != nil && now.Before(*w.FormerUntil) {
		if m.Former, err = x.open(w.Former); err != nil {
			return o, err
		}
	}
	answer, err := x.caller.Call(ctx, m)
	if ctx.Err() != nil {
		return o, ctx.Err()
	}
	o.DurationMS = x.store.Now().Sub(now).Milliseconds()
	o.Status, o.body, o.after, o.gone = answer.Code, answer.Body, answer.RetryAfter, answer.Code == gone
	switch {
	case err != nil:
		o.Error = fault.Message(err)
	case !o.ok():
		o.Error = "The receiver answered " + answer.Status + "."
	}
	return o, nil
}

const gone = 410

// withheld says why the owner of a webhook does not get an event, "" when they do.
func (x *Sender) withheld(ctx context.Context, w *models.Webhook, d *models.WebhookDelivery) (string, error) {
	owner, err := x.owner(ctx, w)
	if err != nil {
		return "", err
	}
	if owner == nil {
		return "The owner of the webhook is disabled.", nil
	}
	if d.EventID == 0 {
		return "", nil
	}
	see := access.Visible(eventsTable, *owner, "d")
	if see.IsAll() {
		return "", nil
	}
	var n int64
	tx := x.store.Read(ctx)
	err = tx.Raw("SELECT count(*) FROM webhook_deliveries d WHERE d.id = ? AND ("+see.SQL+")", append([]any{d.ID}, see.Args...)...).Scan(&n).Error
	if err == nil && n == 0 {
		return "The owner of the webhook does not see it any more.", nil
	}
	return "", store.Fault(err)
}

// owner returns the owner of a webhook, nil when they are disabled or gone.
func (s *Service) owner(ctx context.Context, w *models.Webhook) (*access.Actor, error) {
	u, err := s.refdata.UserByID(ctx, w.OwnerID)
	if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	if err != nil {
		return nil, err
	}
	a, err := s.refdata.Actor(ctx, u, "")
	return &a, err
}

// record writes down what came of an attempt, unless another process has taken the
// delivery over.
func (x *Sender) record(ctx context.Context, claimed *models.WebhookDelivery, o outcome) error {
	return x.store.InTx(ctx, func(tx *store.Tx) error {
		w, err := lock(tx, claimed.WebhookID)
		if fault.Is(err, fault.NotFound) {
			return nil // it was deleted, and its deliveries with it
		}
		if err != nil {
			return err
		}
		d, err := store.First[models.WebhookDelivery](tx.ForUpdate().Where("id = ? AND lease_token = ?", claimed.ID, claimed.LeaseToken))
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		reason, err := x.policy.settle(tx.Now, w, d, o)
		if err != nil {
			return err
		}
		d.LeaseToken = ""
		if err := store.Save(tx, d); err != nil {
			return err
		}
		if reason != "" {
			return disable(tx, w, reason)
		}
		return health(tx, w)
	})
}

// health writes what deliveries say of their webhook. It is no change of the webhook
// itself: whoever edits it meanwhile need not read it again.
func health(tx *store.Tx, w *models.Webhook) error {
	return store.Fault(tx.Exec("UPDATE webhooks SET last_success_at = ?, last_failure_at = ?, failures = ?, failing_since = ? WHERE id = ?",
		w.LastSuccessAt, w.LastFailureAt, w.Failures, w.FailingSince, w.ID).Error)
}

// disable switches a webhook off because of its receiver.
func disable(tx *store.Tx, w *models.Webhook, reason string) error {
	w.Enabled, w.DisabledReason = false, reason
	if err := store.Save(tx, w); err != nil {
		return err
	}
	if err := giveUp(tx, w.ID); err != nil {
		return err
	}
	tx.Signal(webhooksTable, w.ID)
	return history.Add(tx, access.System("webhooks"), models.ObjectWebhook, w.ID, "disabled", reason, nil, nil)
}

// keptAttempts is how many attempts a delivery remembers: those of seven rounds.
const keptAttempts = 49

// settle says what becomes of a delivery after an attempt, and what the attempt says
// of its webhook. The reason, when there is one, is why the webhook is to be disabled.
func (p *Policy) settle(now time.Time, w *models.Webhook, d *models.WebhookDelivery, o outcome) (reason string, err error) {
	if o.refused != "" {
		d.Error = o.refused
		return "", end(d, models.DeliveryFailure, now)
	}
	d.Attempts++
	d.Tries++
	d.Log = append(d.Log, o.DeliveryAttempt)
	d.Log = d.Log[max(0, len(d.Log)-keptAttempts):]
	d.ResponseStatus, d.ResponseBody, d.DurationMS, d.Error = o.Status, o.body, o.DurationMS, o.Error
	if o.ok() {
		w.LastSuccessAt, w.Failures, w.FailingSince = &now, 0, nil
		return "", end(d, models.DeliverySuccess, now)
	}
	if w.LastFailureAt, w.Failures = &now, w.Failures+1; w.FailingSince == nil {
		w.FailingSince = &now
	}
	switch {
	case !w.Enabled:
	case o.gone:
		reason = "The receiver answered 410 Gone: it wants nothing any more."
	case now.Sub(*w.FailingSince) >= p.GiveUp:
		reason = fmt.Sprintf("Nothing has arrived for %d days.", int(p.GiveUp.Hours()/24))
	}
	pause, more := p.pause(d.Tries, o.after)
	if !more || !w.Enabled || reason != "" {
		return reason, end(d, models.DeliveryFailure, now)
	}
	due := now.Add(pause)
	d.DueAt = &due
	return "", nil
}

// end ends a delivery. One that was given up while it was being sent stays that.
func end(d *models.WebhookDelivery, as models.DeliveryStatus, now time.Time) error {
	if d.Status != as {
		if err := d.MoveTo(as); err != nil {
			return err
		}
	}
	d.DueAt, d.EndedAt = nil, &now
	return nil
}

// pause is how long to wait after so many tries, and whether to try again at all. Up
// to a fifth is added by chance, so that what failed together does not come back
// together. A receiver may ask for more, up to the longest pause there is.
func (p *Policy) pause(tries int, asked time.Duration) (time.Duration, bool) {
	if tries < 1 || tries > len(p.Retries) {
		return 0, false
	}
	pause := p.Retries[tries-1]
	pause += rand.N(pause/5 + 1) //nolint:gosec // nobody gains from guessing it
	return max(pause, min(asked, slices.Max(p.Retries))), true
}
