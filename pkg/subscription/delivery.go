package subscription

import (
	"context"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// messageID returns what is sent an id.
func messageID() string { return "msg_" + uuid.NewString() }

// ListDeliveries returns a page of the deliveries of the webhooks that the actor sees.
func (s *Service) ListDeliveries(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.WebhookDelivery], error) {
	tx := s.store.Read(ctx)
	p, err := query.List[models.WebhookDelivery](tx, Deliveries, a, q, opts...)
	if err != nil {
		return p, err
	}
	return p, withWebhooks(tx, p.Rows)
}

// FindDelivery returns one delivery.
func (s *Service) FindDelivery(ctx context.Context, a access.Actor, ref string) (*models.WebhookDelivery, error) {
	return findDelivery(s.store.Read(ctx), a, ref)
}

func findDelivery(tx *store.Tx, a access.Actor, ref string, opts ...query.ListOption) (*models.WebhookDelivery, error) {
	d, err := query.Find[models.WebhookDelivery](tx, Deliveries, a, ref, opts...)
	if err != nil {
		return nil, err
	}
	return d, withWebhooks(tx, []*models.WebhookDelivery{d})
}

// withWebhooks reads the webhooks of deliveries, whose guards ask for them.
func withWebhooks(tx *store.Tx, rows []*models.WebhookDelivery) error {
	var ids []models.ID
	for _, d := range rows {
		if d.WebhookID != 0 { // a list may not have read it
			ids = append(ids, d.WebhookID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := store.Find[models.Webhook](tx.Where("id IN ?", ids))
	if err != nil {
		return err
	}
	for i := range list {
		for _, d := range rows {
			if d.WebhookID == list[i].ID {
				d.Webhook = &list[i]
			}
		}
	}
	return nil
}

// CanReplay guards sending a delivery again.
func CanReplay(a access.Actor, d *models.WebhookDelivery) error {
	if err := CanSend(a, d.Webhook); err != nil {
		return err
	}
	if d.Status == models.DeliveryPending {
		return fault.Conflictf("The delivery is still under way.")
	}
	return nil
}

// Replay sends a delivery again: the same message under the same id, with as many
// tries as a new one has.
func (s *Service) Replay(ctx context.Context, a access.Actor, ref string) (*models.WebhookDelivery, error) {
	var d *models.WebhookDelivery
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		seen, err := findDelivery(tx, a, ref)
		if err != nil {
			return err
		}
		w, err := lock(tx, seen.WebhookID) // before the delivery, as everybody does
		if err != nil {
			return err
		}
		if d, err = query.Find[models.WebhookDelivery](tx, Deliveries, a, ref, query.ForUpdate()); err != nil {
			return err
		}
		d.Webhook = w
		if err := CanReplay(a, d); err != nil {
			return err
		}
		if err := again(tx, d); err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectWebhook, w.ID, "replayed", "Delivery id "+d.ID.String(), nil, nil)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// again has an ended delivery sent once more.
func again(tx *store.Tx, d *models.WebhookDelivery) error {
	if err := d.MoveTo(models.DeliveryPending); err != nil {
		return err
	}
	due := tx.Now
	d.Tries, d.DueAt, d.EndedAt, d.LeaseToken = 0, &due, nil, ""
	tx.Signal(deliveriesTable, 0)
	return store.Save(tx, d, "status", "tries", "due_at", "ended_at", "lease_token")
}

// ReplayFailed sends everything again that was given up since an instant, or that is
// still known when there is none, and gives the webhook.
func (s *Service) ReplayFailed(ctx context.Context, a access.Actor, ref string, since *time.Time) (*models.Webhook, error) {
	return s.change(ctx, a, ref, CanSend, "replayed", "What had failed is sent again.", func(tx *store.Tx, w *models.Webhook) error {
		statement := `UPDATE webhook_deliveries SET status = ?, tries = 0, due_at = ?, ended_at = NULL, lease_token = '', updated_at = ?, version = version + 1
			WHERE webhook_id = ? AND status = ?`
		args := []any{models.DeliveryPending, tx.Now, tx.Now, w.ID, models.DeliveryFailure}
		if since != nil {
			statement, args = statement+" AND created_at >= ?", append(args, *since)
		}
		tx.Signal(deliveriesTable, 0)
		return store.Fault(tx.Exec(statement, args...).Error)
	})
}

// lock reads a webhook and keeps others from changing it.
func lock(tx *store.Tx, id models.ID) (*models.Webhook, error) {
	return store.First[models.Webhook](tx.ForUpdate().Where("id = ?", id))
}

// Sweep removes deliveries that are older than they are kept for, and tells how many.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	const few = 1000 // so that nobody waits for long
	var all int64
	for {
		var n int64
		err := s.store.InTx(ctx, func(tx *store.Tx) error {
			res := tx.Exec(`DELETE FROM webhook_deliveries WHERE id IN
				(SELECT d.id FROM webhook_deliveries d WHERE d.created_at < ? ORDER BY d.created_at LIMIT ?)`, tx.Now.Add(-s.policy.Keep), few)
			n = res.RowsAffected
			return store.Fault(res.Error)
		})
		if all += n; err != nil || n < few {
			return all, err
		}
	}
}
