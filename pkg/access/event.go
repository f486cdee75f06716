package access

import "halcyon/models"

// SeesEvent reports whether the actor sees an event: in memory, by the same rule as Visible, applied to the
// event's object as it was at the time. providers are the groups that provide the blueprints of the object:
// of a service, of the service of a server or a job, or of an order.
func SeesEvent(a Actor, e *models.Event, providers []models.ID) bool {
	switch {
	case a.SeesAll():
		return true
	case a.ID == 0:
		return false
	case e.OwnerID == a.ID, e.RecipientID == a.ID, has(a.With(GroupView), e.GroupID):
		return true
	}
	for _, g := range providers {
		if has(a.provider(), g) {
			return true
		}
	}
	return false
}
