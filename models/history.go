package models

import "time"

// The object types that history is kept for.
const (
	ObjectOrder       = "order"
	ObjectJob         = "job"
	ObjectServer      = "server"
	ObjectService     = "service"
	ObjectGroup       = "group"
	ObjectUser        = "user"
	ObjectEnvironment = "environment"
	ObjectBlueprint   = "blueprint"
	ObjectHandler     = "resource-handler"
	ObjectOSBuild     = "os-build"
	ObjectSize        = "size"
	ObjectRole        = "role"
	ObjectIPPool      = "ip-pool"
	ObjectMembership  = "membership"
	ObjectQuota       = "quota"

	ObjectAction              = "action"
	ObjectServerAction        = "server-action"
	ObjectServiceAction       = "service-action"
	ObjectOrchestrationAction = "orchestration-action"
	ObjectRule                = "rule"
	ObjectApplication         = "application"
)

// History is one thing that happened to one object. Rows are never changed.
type History struct {
	ID         ID `gorm:"primaryKey"`
	ObjectType string
	ObjectID   ID
	ActorID    ID     // none when the system did it
	ActorName  string // as it was then
	Event      string // "submitted", "approved", "power_off", …
	Message    string
	Before     string // the fields that changed, as JSON
	After      string
	CreatedAt  time.Time
}

// TableName returns the name of the table.
func (History) TableName() string { return "history" }

// Key returns the ids by which events are addressed: the number alone.
func (h *History) Key() *Row { return &Row{ID: h.ID, CreatedAt: h.CreatedAt} }
