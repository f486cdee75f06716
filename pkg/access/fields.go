package access

import (
	"slices"

	"halcyon/models"
)

// This file decides who sees single fields of a row that they see, and from whom whole
// collections are hidden. Where a field can be asked by, the rule stands twice: in
// memory for a row at hand, and in SQL for the rows of a table. The two agree.

// AdministratorsOnly reports whether a collection that only administrators and global
// viewers know is hidden from the actor.
func AdministratorsOnly(a Actor) bool { return !a.SeesAll() }

// SeesEmail reports whether the actor may know the e-mail address of a user: their own,
// and those of the members of groups that they manage. The grants are all of that user.
// EmailRows says the same in SQL.
func SeesEmail(a Actor, user models.ID, grants []models.Membership) bool {
	if a.SeesAll() || a.ID == user {
		return true
	}
	managed := a.With(MemberManage)
	return slices.ContainsFunc(grants, func(m models.Membership) bool { return has(managed, m.GroupID) })
}

// EmailRows returns the condition for the users whose e-mail address the actor may know.
func EmailRows(a Actor, alias string) Where {
	if a.SeesAll() {
		return All
	}
	return Or(
		Where{SQL: alias + ".id = " + a.ID.String()},
		Where{SQL: alias + ".id IN (SELECT m.user_id FROM memberships m WHERE " + In("m.group_id", a.With(MemberManage)).SQL + ")"},
	)
}

// SeesGroupRate reports whether the actor may know what the servers of a group cost
// together: whoever sees all of them may.
func SeesGroupRate(a Actor, g *models.Group) bool { return a.GlobalViewer || a.Can(GroupView, g.ID) }

// SeesPlace reports whether the actor may know where in the back end the servers of an
// environment are made. PlaceRows says the same in SQL.
func SeesPlace(a Actor, _ *models.Environment) bool { return a.SeesAll() }

// PlaceRows returns the condition for the environments of which the actor may know the
// place in the back end.
func PlaceRows(a Actor, _ string) Where {
	if a.SeesAll() {
		return All
	}
	return None
}

// SeesTemplates reports whether the actor may know the templates of an OS build.
func SeesTemplates(a Actor, _ *models.OSBuild) bool { return a.SeesAll() }
