package access

import "halcyon/models"

// SeesEvent says in memory what Visible says in SQL of an event's object, as it was
// when the event happened. Providers are the groups that provide what the object was
// made of: of a service, of the service that a server or a job belongs to, and of
// the blueprints of an order.
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
