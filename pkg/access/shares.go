package access

import "halcyon/models"

// Shares splits the rows of a table that Visible shows into two parts: those of some groups, and those of
// an owner. Both are empty if the actor sees everything. ok is false if the rows cannot be split in this
// way.
func Shares(table string, a Actor) (groups []models.ID, owner models.ID, ok bool) {
	if a.SeesAll() {
		return nil, 0, true
	}
	if table != "servers" || a.ID == 0 || len(a.provider()) > 0 {
		return nil, 0, false
	}
	return a.With(GroupView), a.ID, true
}
