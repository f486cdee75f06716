package models

import (
	"slices"
	"time"

	"halcyon/pkg/fault"
)

// ObjectWebhook is the object type of webhooks' history.
const ObjectWebhook = "webhook"

// MaxWebhooks is how many webhooks one user may have.
const MaxWebhooks = 20

// Webhook is a subscription: events of these types are sent to a URL, as far as its
// owner sees them.
type Webhook struct {
	Row
	OwnerID        ID
	Name           string
	URL            string
	Types          []string `gorm:"serializer:json"` // order.submitted, job.*, or * for all
	GroupID        ID       // only what belongs to this group, or to one below it; none for all
	ObjectType     string   // only what is about this object; "" for all
	ObjectID       ID
	Enabled        bool
	DisabledReason string // "" when somebody did it
	Secret         string `json:"-"` // sealed by pkg/secret; never shown again
	Former         string `json:"-"` // the secret before, sealed; it signs too until FormerUntil
	FormerUntil    *time.Time
	LastSuccessAt  *time.Time
	LastFailureAt  *time.Time
	Failures       int        // attempts since the last success
	FailingSince   *time.Time // the first of them
	FromEvent      ID         `json:"-"` // events up to this one are not for it

	Shown string `gorm:"-" json:"-"` // the secret, in the answer to whoever has just made it
}

// GlobalPrefix implements Keyed.
func (*Webhook) GlobalPrefix() string { return "WHK" }

// Validate checks the rules that hold for every writer of the row. The callers check
// the address and the types of events.
func (w *Webhook) Validate() error {
	if err := validName(w.Name); err != nil {
		return err
	}
	if len(w.Types) == 0 {
		return fault.InvalidField(fault.Member("event-types"), "is required; * stands for all")
	}
	for i, p := range w.Types {
		if slices.Contains(w.Types[:i], p) {
			return fault.InvalidField(fault.Member("event-types"), "%q is there twice", p)
		}
	}
	return nil
}

// DeliveryStatus is a step in the life of a delivery.
type DeliveryStatus string

// The statuses of deliveries.
const (
	DeliveryPending DeliveryStatus = "PENDING" // is sent, or tried again
	DeliverySuccess DeliveryStatus = "SUCCESS" // the receiver has answered 2xx
	DeliveryFailure DeliveryStatus = "FAILURE" // was given up
)

// DeliveryStatuses are all of them.
var DeliveryStatuses = []DeliveryStatus{DeliveryPending, DeliverySuccess, DeliveryFailure}

// deliveryEdges are the allowed changes of status. A delivery that was given up while
// it was being sent may still have arrived.
var deliveryEdges = map[DeliveryStatus][]DeliveryStatus{
	DeliveryPending: {DeliverySuccess, DeliveryFailure},
	DeliverySuccess: {DeliveryPending},
	DeliveryFailure: {DeliveryPending, DeliverySuccess},
}

// WebhookDelivery is one event on its way to one webhook. It has all ids of the event,
// by which it is known who may see it, also when the event is gone.
type WebhookDelivery struct {
	Row
	WebhookID      ID
	EventID        ID // none of a test
	EventType      string
	ObjectType     string
	ObjectID       ID
	OwnerID        ID
	RecipientID    ID
	GroupID        ID
	OrderID        ID
	ParentID       ID
	ServiceID      ID
	ServerID       ID
	MessageID      string // the same for every attempt
	Payload        string // the body, JSON
	Status         DeliveryStatus
	Attempts       int               // in all
	Tries          int               // since it was made, or asked for again
	Log            []DeliveryAttempt `gorm:"serializer:json"`
	DueAt          *time.Time        // when it may be sent; while it is, when another process may take it over
	LeaseToken     string            // of the process that sends it, or did
	ResponseStatus int               // of the last answer; 0 for none
	ResponseBody   string
	Error          string // why the last attempt failed; "" for no reason
	DurationMS     int64  `gorm:"column:duration_ms"`
	EndedAt        *time.Time

	Webhook *Webhook `gorm:"-"` // as read with the row
}

// DeliveryAttempt is one call of the receiver.
type DeliveryAttempt struct {
	At         time.Time `json:"at"`
	Status     int       `json:"status,omitempty"` // of the answer; 0 for none
	Error      string    `json:"error,omitempty"`
	DurationMS int64     `json:"duration-ms"`
}

// GlobalPrefix implements Keyed.
func (*WebhookDelivery) GlobalPrefix() string { return "WHD" }

// MoveTo changes the status. It returns a Conflict unless the change is an allowed
// edge.
func (d *WebhookDelivery) MoveTo(to DeliveryStatus) error {
	if !slices.Contains(deliveryEdges[d.Status], to) {
		return fault.Conflictf("A delivery that is in '%s' state cannot become %s.", d.Status, to)
	}
	d.Status = to
	return nil
}
