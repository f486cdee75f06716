package v2

import (
	"context"
	"strings"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/event"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/subscription"
)

func (f *Face) webhooks() resource.Resource[models.Webhook] {
	type hook = models.Webhook
	key := func(w *hook) *models.Row { return &w.Row }
	s := f.Subscriptions
	return resource.Resource[hook]{
		Name: "webhook", Plural: "webhooks", Noun: "Webhooks", Entity: subscription.Webhooks,
		Doc: "A URL to which events are sent, signed as standardwebhooks.com says: at least once, in no promised order, and as far as the owner sees them. Deliveries of one event have one webhook-id, by which receivers tell doubles.",
		Key: key, Title: func(w *hook) string { return w.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "url", "event-types", "enabled", "last-success", "last-failure", "owner.username"},
		Fields: append([]resource.Field[hook]{
			resource.Text("name", func(w *hook) string { return w.Name }, "Name.").On("name").Listed().
				SetText(func(w *hook, v string) { w.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("url", func(w *hook) string { return w.URL }, "Where events go: https, or what the installation allows. Redirects are not followed.").From("url").Example("https://hooks.example.com/halcyon").
				SetText(func(w *hook, v string) { w.URL = v }).UpTo(2048).Required(),
			resource.Texts("event-types", func(w *hook) []string { return w.Types }, "Types of events: their names, those of one kind (job.*), or all (*).").From("types").
				SetTexts(func(w *hook, v []string) { w.Types = v }).OneOf(subscription.Patterns()...).Required(),
			f.aboutField(),
			resource.Bool("enabled", func(w *hook) bool { return w.Enabled }, "Whether anything is sent. The actions enable and disable change it.").On("enabled").Listed(),
			resource.Text("disabled-reason", func(w *hook) string { return w.DisabledReason }, "Why it was disabled, when nobody did it: its receiver answered 410 Gone, or nothing else than failures for days.").On("disabled_reason"),
			resource.Time("last-success", func(w *hook) *time.Time { return w.LastSuccessAt }, "When something arrived last.").On("last_success_at"),
			resource.Time("last-failure", func(w *hook) *time.Time { return w.LastFailureAt }, "When an attempt failed last.").On("last_failure_at"),
			resource.Int("consecutive-failures", func(w *hook) int64 { return int64(w.Failures) }, "Attempts that have failed since something arrived.").On("failures"),
			resource.Value("secret", shownSecret, "Secret that deliveries are signed with: in the answer that makes it, and never again.").Typed(schema.Like("^whsec_")).OmitEmpty(),
			resource.Time("former-secret-until", func(w *hook) *time.Time { return w.FormerUntil }, "Until when the secret that was replaced last signs as well.").From("former_until").OmitEmpty(),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[hook]{
			resource.One("owner", "users", "owner", func(w *hook) models.ID { return w.OwnerID }, "Whose it is: it gets what this user sees."),
			resource.One("group", "groups", "group", func(w *hook) models.ID { return w.GroupID }, "Group to which, or below which, everything belongs that it gets; none for all.").Optional().
				Set(func(w *hook, id models.ID) { w.GroupID = id }),
		},
		Subs: []resource.Sub[hook]{
			{
				Path: "deliveries", Rel: "cb:deliveries", Alias: "deliveries", Of: "webhook-deliveries", Relation: "deliveries", Doc: "What was sent, and what is to be.",
				Title: func(w *hook) string { return "Deliveries Of " + w.Name },
			},
			historySub(func(w *hook) string { return w.Name }),
		},
		Actions: []resource.Action[hook]{
			{
				Rel: "test", Title: "Test", Can: subscription.CanSend, Results: resource.Results{resource.ToOther("webhook-deliveries", true)},
				Doc: "Sends an event of the type " + subscription.TypeTest + " now, and answers its delivery.",
				Do: bodiless(func(ctx context.Context, a access.Actor, ref string) (resource.Result[hook], error) {
					d, err := s.Test(ctx, a, ref)
					if err != nil {
						return resource.Result[hook]{}, err
					}
					return resource.Result[hook]{Other: resource.Other{Of: "webhook-deliveries", Row: d, Made: true}}, nil
				}),
			},
			{
				Rel: "rotate-secret", Title: "Rotate secret of", NoBulk: true, Can: subscription.CanEdit,
				Doc: "Gives it a new secret, which the answer shows this once. The old one signs as well for a day, so that receivers can change over in between.",
				Do:  hookAction(s.Rotate),
			},
			{Rel: "enable", Title: "Enable", Doc: "Sends what happens from now on.", Can: subscription.CanEnable, Do: hookAction(s.Enable)},
			{Rel: "disable", Title: "Disable", Doc: "Sends nothing any more. What waits is given up, and can be replayed later.", Can: subscription.CanSend, Do: hookAction(s.Disable)},
			{
				Rel: "replay-failed", Title: "Replay failures of", Can: subscription.CanSend,
				Body: schema.Struct(schema.Optional("since", schema.String().Doc("An instant such as 2027-01-31T12:00:00Z."))...),
				Doc:  "Sends again what was given up, all of it or what was made since an instant (since).",
				Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[hook], error) {
					since := resource.ReadTime(n.Field("since"))
					n.Done()
					if err := n.Faults().Err(); err != nil {
						return resource.Result[hook]{}, err
					}
					w, err := s.ReplayFailed(ctx, a, ref, since)
					return resource.Result[hook]{Row: w}, err
				},
				Form: func(context.Context, access.Actor, *hook) ([]hal.TemplateProperty, error) {
					return []hal.TemplateProperty{{Name: "since", Prompt: "What failed since", Type: "datetime-local"}}, nil
				},
			},
		},
		List: s.Webhooks.List, Find: s.Webhooks.Find,
		CanCreate: subscription.CanCreate, Create: s.Create,
		CanUpdate: subscription.CanEdit, Update: s.Webhooks.Update,
		CanDelete: subscription.CanEdit, Delete: deleting[hook](s.Webhooks.Delete),
	}
}

// shownSecret is the secret, of a webhook that has just got it.
func shownSecret(w *models.Webhook) hal.Value {
	if w.Shown == "" {
		return hal.Null()
	}
	return hal.String(w.Shown)
}

// bodiless adapts an action without a body to a declaration.
func bodiless[T any](run func(ctx context.Context, a access.Actor, ref string) (resource.Result[T], error)) func(context.Context, access.Actor, string, *jsonbody.Value) (resource.Result[T], error) {
	return func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[T], error) {
		n.Done()
		if err := n.Faults().Err(); err != nil {
			return resource.Result[T]{}, err
		}
		return run(ctx, a, ref)
	}
}

func hookAction(run func(ctx context.Context, a access.Actor, ref string) (*models.Webhook, error)) func(context.Context, access.Actor, string, *jsonbody.Value) (resource.Result[models.Webhook], error) {
	return bodiless(func(ctx context.Context, a access.Actor, ref string) (resource.Result[models.Webhook], error) {
		w, err := run(ctx, a, ref)
		return resource.Result[models.Webhook]{Row: w}, err
	})
}

// aboutField is the one object that a webhook is for.
func (f *Face) aboutField() resource.Field[models.Webhook] {
	type hook = models.Webhook
	return resource.Value("about", func(w *hook) hal.Value {
		if w.ObjectID == 0 {
			return hal.Null()
		}
		return href(objectPlurals[w.ObjectType], w.ObjectID)
	}, "Order, job, server or service that everything is about that it gets, or is a part of: its address or global id; none for all.").Typed(schema.Nullable(schema.Like("^"+basePath+"/[a-z]+/[0-9]+/?$"))).
		From("object_type", "object_id").Example("ORD-7k2m9q4x").
		Set(func(n *jsonbody.Value, r *resource.Refs) func(*hook) {
			object, id := f.readAbout(n, r)
			return func(w *hook) { w.ObjectType, w.ObjectID = object, id }
		})
}

// readAbout reads the reference to an object of any kind.
func (f *Face) readAbout(n *jsonbody.Value, r *resource.Refs) (object string, id models.ID) {
	text := n.Ref()
	if text == "" {
		return "", 0
	}
	for _, object := range event.Objects {
		if d := f.reg.Def(objectPlurals[object]); refersTo(d, text) {
			return object, r.ID(n, d)
		}
	}
	n.Complain("%q is neither the address nor the global id of an order, a job, a server or a service", strings.ToValidUTF8(text, "?"))
	return "", 0
}

func (f *Face) webhookDeliveries() resource.Resource[models.WebhookDelivery] {
	type row = models.WebhookDelivery
	key := func(d *row) *models.Row { return &d.Row }
	s := f.Subscriptions
	return resource.Resource[row]{
		Name: "webhook-delivery", Plural: "webhook-deliveries", Noun: "Webhook Deliveries", Entity: subscription.Deliveries,
		Doc: "An event on its way to a webhook, with what its receiver said. Kept for some weeks.",
		Key: key, Title: func(d *row) string { return "Delivery id " + d.ID.String() },
		Columns: []string{"id", "event-type", "status", "attempts", "response-status", "date", "webhook"},
		Fields: append([]resource.Field[row]{
			resource.ID(key),
			resource.Text("event-type", func(d *row) string { return d.EventType }, "Type of the event.").On("event_type").Listed(),
			resource.Text("message-id", func(d *row) string { return d.MessageID }, "Header webhook-id, the same for every attempt.").On("message_id"),
			resource.Enum("status", models.DeliveryStatuses, func(d *row) models.DeliveryStatus { return d.Status }, "PENDING while it is tried, SUCCESS when the receiver answered 2xx, FAILURE when it was given up.").On("status").Listed(),
			resource.Int("attempts", func(d *row) int64 { return int64(d.Attempts) }, "How often the receiver was called.").On("attempts").Listed(),
			resource.Time("date", func(d *row) *time.Time { return &d.CreatedAt }, "When it was made.").On("created_at").Listed(),
			resource.Time("next-attempt", nextAttempt, "When it is tried again.").From("due_at", "lease_token", "status"),
			resource.Time("end-date", func(d *row) *time.Time { return d.EndedAt }, "When it arrived, or was given up.").On("ended_at"),
			resource.Value("response-status", func(d *row) hal.Value { return orNull(d.ResponseStatus) }, "Status of the last answer; none when there was none.").Typed(schema.Nullable(schema.Integer())).From("response_status").Listed(),
			resource.Text("response", func(d *row) string { return d.ResponseBody }, "The beginning of the last answer, one KiB at most.").From("response_body"),
			resource.Text("error", func(d *row) string { return d.Error }, "Why the last attempt failed, or why there was none.").From("error"),
			resource.Int("duration-ms", func(d *row) int64 { return d.DurationMS }, "Milliseconds that the last attempt took.").On("duration_ms"),
			resource.Value("log", attemptsOf, "Every attempt.").Typed(attemptsJSON()).From("log"),
			resource.Value("payload", func(d *row) hal.Value { return hal.Raw([]byte(d.Payload)) }, "What is sent.").Typed(schema.Of("type", "object")).From("payload"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[row]{
			resource.One("webhook", "webhooks", "webhook", func(d *row) models.ID { return d.WebhookID }, "Webhook that it goes to."),
			resource.One("event", "events", "event", func(d *row) models.ID { return d.EventID }, "What is told, as long as events are kept; none of a test.").Optional(),
		},
		Actions: []resource.Action[row]{{
			Rel: "replay", Title: "Replay", Can: subscription.CanReplay,
			Doc: "Sends the same message again, under the same webhook-id.",
			Do: bodiless(func(ctx context.Context, a access.Actor, ref string) (resource.Result[row], error) {
				d, err := s.Replay(ctx, a, ref)
				return resource.Result[row]{Row: d}, err
			}),
		}},
		List: s.ListDeliveries, Find: s.FindDelivery,
	}
}

func orNull(n int) hal.Value {
	if n == 0 {
		return hal.Null()
	}
	return hal.Int(int64(n))
}

// nextAttempt is none while there is one.
func nextAttempt(d *models.WebhookDelivery) *time.Time {
	if d.LeaseToken != "" || d.Status != models.DeliveryPending {
		return nil
	}
	return d.DueAt
}

// attemptsJSON is the schema of the result of attemptsOf.
func attemptsJSON() schema.Object {
	return schema.Array(schema.Struct(schema.M("date", schema.String()), schema.M("response-status", schema.Nullable(schema.Integer())),
		schema.M("error", schema.String()), schema.M("duration-ms", schema.Integer())))
}

func attemptsOf(d *models.WebhookDelivery) hal.Value {
	list := make([]hal.Value, len(d.Log))
	for i, x := range d.Log {
		list[i] = hal.Object([]hal.Prop{
			{Name: "date", Value: hal.String(x.At.UTC().Format(resource.TimeLayout))},
			{Name: "response-status", Value: orNull(x.Status)},
			{Name: "error", Value: hal.String(x.Error)},
			{Name: "duration-ms", Value: hal.Int(x.DurationMS)},
		})
	}
	return hal.List(list)
}
