// Package subscription keeps the webhooks to which people have events sent, makes
// deliveries of what happens, and sends them: signed, at least once, in no promised
// order, with retries, and never more than the webhook's owner sees at that time.
package subscription

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/crud"
	"halcyon/pkg/event"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/webhook"
)

// Caller calls receivers.
type Caller interface {
	Check(url string) error
	Call(ctx context.Context, m webhook.Message) (webhook.Answer, error)
}

// Config is what the service works with.
type Config struct {
	Store   *store.Store
	RefData *refdata.Cache
	Caller  Caller
	Seal    func(plain string) (string, error)
	Open    func(sealed string) (string, error)
	Policy  Policy
	Log     *slog.Logger
}

// Policy says how deliveries are sent. What is zero is as defaultPolicy has it.
type Policy struct {
	Senders int             // calls at a time in this process
	Timeout time.Duration   // for one call
	Lease   time.Duration   // after which the delivery of a process that died is sent by another
	Retries []time.Duration // pauses after the first attempt, the second, …
	GiveUp  time.Duration   // of failures, after which a webhook is disabled
	Overlap time.Duration   // for which a secret that was replaced signs too
	Keep    time.Duration   // deliveries
	Poll    time.Duration   // interval of the search for work that was not announced
}

// defaultPolicy is how it is done unless settings say otherwise.
func defaultPolicy() Policy {
	return Policy{
		Senders: 16,
		Timeout: 10 * time.Second,
		Lease:   30 * time.Second,
		Retries: []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 8 * time.Hour},
		GiveUp:  5 * 24 * time.Hour,
		Overlap: 24 * time.Hour,
		Keep:    30 * 24 * time.Hour,
		Poll:    time.Second,
	}
}

func (p Policy) orDefault() Policy {
	d := defaultPolicy()
	for _, x := range []struct{ have, def *time.Duration }{
		{&p.Timeout, &d.Timeout},
		{&p.Lease, &d.Lease},
		{&p.GiveUp, &d.GiveUp},
		{&p.Overlap, &d.Overlap},
		{&p.Keep, &d.Keep},
		{&p.Poll, &d.Poll},
	} {
		if *x.have == 0 {
			*x.have = *x.def
		}
	}
	if p.Senders == 0 {
		p.Senders = d.Senders
	}
	if p.Retries == nil {
		p.Retries = d.Retries
	}
	return p
}

// Service serves webhooks and their deliveries.
type Service struct {
	Webhooks crud.Table[models.Webhook, *models.Webhook]
	// Render returns an event as the stream of events has it, a JSON object. It is for
	// whoever knows how that is, before Start.
	Render func(e *models.Event) []byte

	store      *store.Store
	refdata    *refdata.Cache
	caller     Caller
	seal, open func(string) (string, error)
	policy     Policy
	log        *slog.Logger
}

// New returns a service. Nothing is sent before Start.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, refdata: c.RefData, caller: c.Caller, seal: c.Seal, open: c.Open,
		policy: c.Policy.orDefault(), log: c.Log,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.Webhooks = crud.Table[models.Webhook, *models.Webhook]{
		Store: c.Store, Object: models.ObjectWebhook,
		Entity:    Webhooks,
		CanCreate: func(a access.Actor, _ *models.Webhook) error { return CanCreate(a) },
		CanUpdate: CanEdit, CanDelete: CanEdit,
		Validate: s.valid,
		Locks:    true, // deliveries count in it
	}
	return s
}

// Patterns returns what a webhook can ask for: the types of events, and what stands for
// several of them.
func Patterns() []string {
	list := []string{"*"}
	for _, object := range event.Objects {
		list = append(list, object+".*")
	}
	for _, t := range event.Types {
		list = append(list, t.Name)
	}
	return list
}

// CanCreate guards making webhooks: everybody who signs in may have some.
func CanCreate(a access.Actor) error {
	if a.ID == 0 {
		return fault.Forbiddenf("Only users have webhooks.")
	}
	return nil
}

// CanEdit guards every change of a webhook: it is its owner's, and super admins'.
func CanEdit(a access.Actor, w *models.Webhook) error {
	if !a.SuperAdmin && (a.ID == 0 || a.ID != w.OwnerID) {
		return fault.Forbiddenf("Only its owner and super admins can change a webhook.")
	}
	return nil
}

// CanEnable guards switching a webhook on.
func CanEnable(a access.Actor, w *models.Webhook) error {
	if err := CanEdit(a, w); err != nil {
		return err
	}
	if w.Enabled {
		return fault.Conflictf("The webhook is enabled.")
	}
	return nil
}

// CanSend guards whatever has the webhook send something, and switching it off.
func CanSend(a access.Actor, w *models.Webhook) error {
	if err := CanEdit(a, w); err != nil {
		return err
	}
	if !w.Enabled {
		return fault.Conflictf("The webhook is disabled.")
	}
	return nil
}

func (s *Service) valid(_ *store.Tx, w *models.Webhook) error {
	if err := w.Validate(); err != nil {
		return err
	}
	for _, p := range w.Types {
		if !event.Known(p) {
			return fault.InvalidField(fault.Member("event-types"), "%q is no type of event; there are %s", p, strings.Join(Patterns(), ", "))
		}
	}
	return s.caller.Check(w.URL)
}

// Create writes a new webhook of the actor's, with a secret that its Shown tells
// this once. It is a Conflict when the actor has as many as a user may have.
func (s *Service) Create(ctx context.Context, a access.Actor, w *models.Webhook) error {
	if err := CanCreate(a); err != nil {
		return err
	}
	w.OwnerID, w.Enabled, w.Shown = a.ID, true, webhook.NewSecret()
	var err error
	if w.Secret, err = s.seal(w.Shown); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		if err := roomFor(tx, a.ID); err != nil {
			return err
		}
		if w.FromEvent, err = latest(tx); err != nil {
			return err
		}
		return s.Webhooks.CreateTx(tx, a, w)
	})
}

// roomFor is a Conflict when a user has enough webhooks. Whoever makes one waits for
// the others who make one for the same user.
func roomFor(tx *store.Tx, owner models.ID) error {
	if _, err := store.First[models.User](tx.ForUpdate().Select("id").Where("id = ?", owner)); err != nil {
		return err
	}
	var n int64
	if err := tx.Model(&models.Webhook{}).Where("owner_id = ?", owner).Count(&n).Error; err != nil {
		return store.Fault(err)
	}
	if n >= models.MaxWebhooks {
		return fault.Conflictf("You have %d webhooks, which is as many as a user may have.", n)
	}
	return nil
}

// change has apply change a webhook under a guard, with a line of history.
func (s *Service) change(ctx context.Context, a access.Actor, ref string, can func(access.Actor, *models.Webhook) error, event, message string,
	apply func(tx *store.Tx, w *models.Webhook) error,
) (*models.Webhook, error) {
	var w *models.Webhook
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		if w, err = query.Find[models.Webhook](tx, Webhooks, a, ref, query.ForUpdate()); err != nil {
			return err
		}
		if err := can(a, w); err != nil {
			return err
		}
		if err := apply(tx, w); err != nil {
			return err
		}
		if err := store.Save(tx, w); err != nil {
			return err
		}
		tx.Signal(webhooksTable, w.ID)
		return history.Add(tx, a, models.ObjectWebhook, w.ID, event, message, nil, nil)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Rotate gives a webhook a new secret, which the row's Shown tells this once. The
// one before signs as well for a while, so that receivers need not change over at
// the same moment; the one before that ends at once.
func (s *Service) Rotate(ctx context.Context, a access.Actor, ref string) (*models.Webhook, error) {
	fresh := webhook.NewSecret()
	sealed, err := s.seal(fresh)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, a, ref, CanEdit, "rotated", "The secret was replaced.", func(tx *store.Tx, w *models.Webhook) error {
		until := tx.Now.Add(s.policy.Overlap)
		w.Former, w.FormerUntil, w.Secret, w.Shown = w.Secret, &until, sealed, fresh
		return nil
	})
}

// Enable switches a webhook on. What happened meanwhile is not sent.
func (s *Service) Enable(ctx context.Context, a access.Actor, ref string) (*models.Webhook, error) {
	return s.change(ctx, a, ref, CanEnable, "enabled", "", func(tx *store.Tx, w *models.Webhook) error {
		w.Enabled, w.DisabledReason, w.Failures, w.FailingSince = true, "", 0, nil
		var err error
		w.FromEvent, err = latest(tx)
		return err
	})
}

// Disable switches a webhook off. What was to be sent is given up; it can be
// replayed when the webhook is on again.
func (s *Service) Disable(ctx context.Context, a access.Actor, ref string) (*models.Webhook, error) {
	return s.change(ctx, a, ref, CanSend, "disabled", "", func(tx *store.Tx, w *models.Webhook) error {
		w.Enabled = false
		return giveUp(tx, w.ID)
	})
}

// errDisabled is what deliveries say that were given up with their webhook.
const errDisabled = "The webhook was disabled."

// giveUp ends the deliveries of a webhook that wait. One that is being sent keeps
// its lease, so that its receiver's answer still counts.
func giveUp(tx *store.Tx, webhookID models.ID) error {
	res := tx.Exec(`UPDATE webhook_deliveries SET status = ?, error = ?, due_at = NULL, ended_at = ?, updated_at = ?, version = version + 1
		WHERE webhook_id = ? AND status = ?`, models.DeliveryFailure, errDisabled, tx.Now, tx.Now, webhookID, models.DeliveryPending)
	return store.Fault(res.Error)
}

// TypeTest is the type of what Test sends.
const TypeTest = "webhook.test"

// Test sends the receiver an event that says nothing, whatever types the webhook is
// for. It gives the delivery, which is under way.
func (s *Service) Test(ctx context.Context, a access.Actor, ref string) (*models.WebhookDelivery, error) {
	var d *models.WebhookDelivery
	_, err := s.change(ctx, a, ref, CanSend, "tested", "", func(tx *store.Tx, w *models.Webhook) error {
		data, err := json.Marshal(map[string]any{"webhook": map[string]string{"id": w.ID.String(), "name": w.Name}})
		if err != nil {
			return err
		}
		if d, err = delivery(w, TypeTest, tx.Now, data); err != nil {
			return err
		}
		d.Webhook = w
		return queue(tx, d)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// message is the body of every call.
type message struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// delivery makes a delivery of something that happened, to be sent at once.
func delivery(w *models.Webhook, kind string, at time.Time, data json.RawMessage) (*models.WebhookDelivery, error) {
	body, err := json.Marshal(message{Type: kind, Timestamp: at, Data: data})
	if err != nil {
		return nil, fmt.Errorf("body of a webhook: %w", err)
	}
	return &models.WebhookDelivery{
		WebhookID: w.ID, EventType: kind, MessageID: messageID(), Payload: string(body),
		Status: models.DeliveryPending, Log: []models.DeliveryAttempt{},
	}, nil
}

// queue writes a new delivery, and has it sent.
func queue(tx *store.Tx, d *models.WebhookDelivery) error {
	due := tx.Now
	d.DueAt = &due
	if err := store.Insert(tx, d); err != nil {
		return err
	}
	tx.Signal(deliveriesTable, 0)
	return nil
}
