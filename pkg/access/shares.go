package access

import "halcyon/models"

// Shares says what Visible says of a table's rows as two shares: those of some
// groups, and those that the owner has. Whoever sees everything has neither. It is
// false when what the actor sees is more than that, or is not known to be this.
func Shares(table string, a Actor) (groups []models.ID, owner models.ID, ok bool) {
	if a.SeesAll() {
		return nil, 0, true
	}
	if table != "servers" || a.ID == 0 || len(a.provider()) > 0 {
		return nil, 0, false
	}
	return a.With(GroupView), a.ID, true
}
