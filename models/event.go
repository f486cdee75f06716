package models

import "time"

// Event is one thing that has happened to an order, a job, a server or a service,
// once it has its number. Rows are never changed, and kept for some days.
type Event struct {
	// ID is the number in the one sequence of all events: it increases by one, and a
	// reader that sees a number has been able to see all numbers below it.
	ID         ID     `gorm:"primaryKey" json:"-"`
	Type       string `json:"type"` // one of event.Types: "order.submitted", "job.ended", …
	ObjectType string `json:"object_type"`
	ObjectID   ID     `json:"object_id"`
	Status     string `json:"status"` // of the object, from then on
	// The owner of the object at that time, and the objects that contained it. An order
	// is a part of itself.
	OwnerID     ID        `json:"owner,omitempty"`
	RecipientID ID        `json:"recipient,omitempty"`
	GroupID     ID        `json:"group,omitempty"`
	OrderID     ID        `json:"order,omitempty"`
	ParentID    ID        `json:"parent,omitempty"` // of a job
	ServiceID   ID        `json:"service,omitempty"`
	ServerID    ID        `json:"server,omitempty"`
	ActorID     ID        `json:"actor,omitempty"` // none when the system did it
	Data        EventData `gorm:"serializer:json" json:"data"`
	CreatedAt   time.Time `json:"created_at"`
}

// Key returns the ids by which events are addressed: the number alone.
func (e *Event) Key() *Row { return &Row{ID: e.ID, CreatedAt: e.CreatedAt} }

// EventData is the content of an event besides its owners. It must not contain secrets.
type EventData struct {
	Name      string         `json:"name,omitempty"` // of the server or the service
	Was       string         `json:"was,omitempty"`  // status before, when it has changed
	Power     PowerStatus    `json:"power,omitempty"`
	Total     int            `json:"total,omitempty"`     // tasks of a job
	Completed int            `json:"completed,omitempty"` // of them
	Messages  []EventMessage `json:"messages,omitempty"`  // of a job, that are new
}

// EventMessage is one new line of a job's progress.
type EventMessage struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// OutboxRow holds the events of one transaction until they get their numbers.
type OutboxRow struct {
	ID     ID      `gorm:"primaryKey"`
	Events []Event `gorm:"serializer:json"`
}

// TableName returns the name of the table.
func (OutboxRow) TableName() string { return "event_outbox" }
