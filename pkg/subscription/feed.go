package subscription

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/event"
	"halcyon/pkg/store"
)

// eventsTable is the table of what has happened, as signals name it.
const eventsTable = "events"

// perFeed is how many events are made into deliveries by one transaction.
const perFeed = 200

// latest returns the number of the last event that has one.
func latest(tx *store.Tx) (id models.ID, err error) {
	err = tx.Raw("SELECT last FROM event_numbers").Scan(&id).Error
	return id, store.Fault(err)
}

// feed makes deliveries of the events that have been numbered since the last time,
// and reports whether there are more. How far it has come is written in the transaction
// that writes the deliveries, under a lock: however many processes do it, and wherever
// one of them ends, each event is considered once for each webhook.
func (x *Sender) feed(ctx context.Context) (more bool, err error) {
	if idle, err := x.idle(ctx); idle || err != nil {
		return false, err
	}
	err = x.store.InTx(ctx, func(tx *store.Tx) error {
		more, err = x.feedTx(tx)
		return err
	})
	return more, err
}

// idle reports whether there is nothing to do, without keeping anybody waiting.
func (x *Sender) idle(ctx context.Context) (bool, error) {
	var work bool
	err := x.store.Read(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM webhooks w JOIN event_numbers n ON coalesce(w.from_event, 0) < n.last WHERE w.enabled)
		AND (SELECT last FROM webhook_feed) < (SELECT last FROM event_numbers)`).Scan(&work).Error
	return !work, store.Fault(err)
}

func (x *Sender) feedTx(tx *store.Tx) (more bool, err error) {
	at, err := locked(tx)
	if err != nil {
		return false, err
	}
	hooks, err := store.Find[models.Webhook](tx.Where("enabled").Order("id"))
	if err != nil || len(hooks) == 0 {
		return false, err
	}
	// What is older than every webhook is for none of them.
	first := slices.MinFunc(hooks, func(v, w models.Webhook) int { return cmp.Compare(v.FromEvent, w.FromEvent) })
	events, err := store.Find[models.Event](tx.Where("id > ?", int64(max(at, first.FromEvent))).Order("id").Limit(perFeed))
	if err != nil || len(events) == 0 {
		return false, err
	}
	list, err := x.deliveriesOf(tx, hooks, events)
	if err != nil {
		return false, err
	}
	if err := tx.AllocateIDs(store.Count{Table: deliveriesTable, Rows: len(list)}); err != nil {
		return false, err
	}
	for _, d := range list {
		if err := queue(tx, d); err != nil {
			return false, err
		}
	}
	err = tx.Exec("UPDATE webhook_feed SET last = ?", events[len(events)-1].ID).Error
	return len(events) == perFeed, store.Fault(err)
}

// locked returns the event up to which deliveries were made, and keeps others from
// making any.
func locked(tx *store.Tx) (at models.ID, err error) {
	statement := "SELECT last FROM webhook_feed"
	if tx.Dialect() == store.Postgres {
		statement += " FOR UPDATE"
	}
	err = tx.Raw(statement).Scan(&at).Error
	return at, store.Fault(err)
}

// deliveriesOf returns what the webhooks get of the events: what they ask for, as far
// as their owners see it now.
func (x *Sender) deliveriesOf(tx *store.Tx, hooks []models.Webhook, events []models.Event) ([]*models.WebhookDelivery, error) {
	var out []*models.WebhookDelivery
	data := map[models.ID]json.RawMessage{}
	for i := range hooks {
		wanted, err := x.wanted(tx, &hooks[i], events)
		if err != nil {
			return nil, err
		}
		for _, e := range wanted {
			if data[e.ID] == nil {
				data[e.ID] = x.Render(e)
			}
			d, err := delivery(&hooks[i], e.Type, e.CreatedAt, data[e.ID])
			if err != nil {
				return nil, err
			}
			d.EventID, d.ObjectType, d.ObjectID = e.ID, e.ObjectType, e.ObjectID
			d.OwnerID, d.RecipientID, d.GroupID = e.OwnerID, e.RecipientID, e.GroupID
			d.OrderID, d.ParentID, d.ServiceID, d.ServerID = e.OrderID, e.ParentID, e.ServiceID, e.ServerID
			out = append(out, d)
		}
	}
	return out, nil
}

// wanted returns the events that a webhook asks for, and that its owner sees.
func (x *Sender) wanted(tx *store.Tx, w *models.Webhook, events []models.Event) ([]*models.Event, error) {
	ctx := tx.Statement.Context
	var ids []models.ID
	for i := range events {
		fits, err := x.fits(ctx, w, &events[i])
		if err != nil {
			return nil, err
		}
		if fits {
			ids = append(ids, events[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	owner, err := x.owner(ctx, w)
	if err != nil || owner == nil {
		return nil, err
	}
	if see := access.Visible(eventsTable, *owner, "e"); !see.IsAll() {
		var seen []models.ID
		err := tx.Raw("SELECT e.id FROM events e WHERE "+access.In("e.id", ids).SQL+" AND ("+see.SQL+")", see.Args...).Scan(&seen).Error
		if err != nil {
			return nil, store.Fault(err)
		}
		ids = seen
	}
	var out []*models.Event
	for i := range events {
		if slices.Contains(ids, events[i].ID) {
			out = append(out, &events[i])
		}
	}
	return out, nil
}

// fits reports whether an event is one that a webhook asks for.
func (x *Sender) fits(ctx context.Context, w *models.Webhook, e *models.Event) (bool, error) {
	filter := event.Filter{Types: w.Types, About: event.About{Object: w.ObjectType, ID: w.ObjectID}}
	if e.ID <= w.FromEvent || !filter.Match(e) {
		return false, nil
	}
	if w.GroupID == 0 {
		return true, nil
	}
	up, err := x.refdata.Ancestry(ctx, e.GroupID)
	return slices.Contains(up, w.GroupID), err
}
