package access

import (
	"slices"

	"halcyon/models"
)

// This file decides who sees single fields of a visible row, and for whom whole collections are hidden. For
// fields in filters the rule exists twice: in memory for one row, and in SQL for the rows of a table. Keep
// the two the same.

// AdministratorsOnly reports whether a collection for administrators and global viewers is hidden from the
// actor.
func AdministratorsOnly(a Actor) bool { return !a.SeesAll() }

// SeesEmail reports whether the actor may see the e-mail address of a user: their own, and those of the
// members of groups that they manage. grants are all grants of that user. EmailRows is the same rule in
// SQL.
func SeesEmail(a Actor, user models.ID, grants []models.Membership) bool {
	if a.SeesAll() || a.ID == user {
		return true
	}
	managed := a.With(MemberManage)
	return slices.ContainsFunc(grants, func(m models.Membership) bool { return has(managed, m.GroupID) })
}

// EmailRows returns the condition for the users with an e-mail address that the actor may see.
func EmailRows(a Actor, alias string) Where {
	if a.SeesAll() {
		return All
	}
	return Or(
		Where{SQL: alias + ".id = " + a.ID.String()},
		Where{SQL: alias + ".id IN (SELECT m.user_id FROM memberships m WHERE " + In("m.group_id", a.With(MemberManage)).SQL + ")"},
	)
}

// SeesGroupRate reports whether the actor may see the total cost of a group's servers, which takes the
// right to see all of them.
func SeesGroupRate(a Actor, g *models.Group) bool { return a.GlobalViewer || a.Can(GroupView, g.ID) }

// SeesPlace reports whether the actor may see the back-end location of an environment. PlaceRows is the
// same rule in SQL.
func SeesPlace(a Actor, _ *models.Environment) bool { return a.SeesAll() }

// PlaceRows returns the condition for the environments with a back-end location that the actor may see.
func PlaceRows(a Actor, _ string) Where {
	if a.SeesAll() {
		return All
	}
	return None
}

// SeesTemplates reports whether the actor may see the templates of an OS build.
func SeesTemplates(a Actor, _ *models.OSBuild) bool { return a.SeesAll() }
