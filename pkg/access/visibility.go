package access

import (
	"fmt"
	"strings"

	"halcyon/models"
)

// Where is a condition with its bound values. The zero value holds for every row.
type Where struct {
	SQL  string
	Args []any
}

// All holds for every row, None for no row.
var (
	All  = Where{}
	None = Where{SQL: "1 = 0"}
)

// IsAll reports whether the condition holds for every row.
func (w Where) IsAll() bool { return w.SQL == "" }

// And joins conditions that must all hold.
func And(list ...Where) Where { return join(list, " AND ", All) }

// Or joins conditions of which at least one must hold. Without conditions it returns None.
func Or(list ...Where) Where {
	for _, w := range list {
		if w.IsAll() {
			return All
		}
	}
	return join(list, " OR ", None)
}

func join(list []Where, op string, empty Where) Where {
	var parts []string
	var args []any
	for _, w := range list {
		if w.IsAll() {
			continue
		}
		parts = append(parts, w.SQL)
		args = append(args, w.Args...)
	}
	switch len(parts) {
	case 0:
		return empty
	case 1:
		return Where{SQL: parts[0], Args: args}
	}
	return Where{SQL: "(" + strings.Join(parts, ")"+op+"(") + ")", Args: args}
}

// In returns column IN (ids), or None without ids. Ids come from the database, never from the caller, so
// they are inlined: conditions for 3 groups and for 300 then have separate query plans.
func In(column string, ids []models.ID) Where {
	switch len(ids) {
	case 0:
		return None
	case 1:
		return Where{SQL: column + " = " + ids[0].String()}
	}
	var b strings.Builder
	b.WriteString(column)
	b.WriteString(" IN (")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	b.WriteByte(')')
	return Where{SQL: b.String()}
}

// is returns column = id, or None for id 0.
func is(column string, id models.ID) Where {
	if id == 0 {
		return None
	}
	return Where{SQL: column + " = " + id.String()}
}

func sub(format string, column string, inner Where) Where {
	if inner.SQL == None.SQL {
		return None
	}
	return Where{SQL: fmt.Sprintf(format, column, inner.SQL), Args: inner.Args}
}

// Visible returns the condition for the rows of a table that the actor may see, with columns qualified by
// alias. It is the only place that decides visibility. A table that is not listed here is visible only to
// actors who see everything.
//
//	                 groups      users            environments, blueprints   orders, jobs, servers, services
//	requestor        own, way up oneself, fellows usable by own groups       own
//	with group.view  as above    as above         as above                   and the group's
//	with offering…   as above    as above         and provided by the group  and those on its offerings
func Visible(table string, a Actor, alias string) Where {
	if a.SeesAll() {
		return All
	}
	if a.ID == 0 {
		return None
	}
	col := func(name string) string { return alias + "." + name }
	switch table {
	case "os_builds", "sizes", "roles", "applications":
		return All
	case "groups":
		return In(col("id"), a.Named())
	case "sessions", "api_tokens":
		return is(col("user_id"), a.ID)
	case "memberships":
		return Or(is(col("user_id"), a.ID), In(col("group_id"), a.own()))
	case "users":
		// A fellow has a grant in one of the actor's groups, or above it.
		return Or(is(col("id"), a.ID),
			sub("%s IN (SELECT m.user_id FROM memberships m WHERE %s)", col("id"), In("m.group_id", a.Named())))
	case "environments":
		return Or(
			usable(col("handler_id")+" IS NOT NULL", "environment_groups", "environment_id", col("id"), a),
			In(col("group_id"), a.provider()))
	case "blueprints":
		return Or(
			usable(fmt.Sprintf("%s = '%s'", col("state"), models.BlueprintActive), "blueprint_groups", "blueprint_id", col("id"), a),
			In(col("group_id"), a.provider()))
	case "server_actions", "service_actions":
		return And(Where{SQL: col("enabled")}, a.runs(strings.TrimSuffix(table, "_actions")+"s"))
	case "orders":
		return Or(is(col("owner_id"), a.ID), is(col("recipient_id"), a.ID), In(col("group_id"), a.With(GroupView)),
			sub("%s IN (SELECT oi.order_id FROM order_items oi WHERE %s)", col("id"), a.offered("oi.blueprint_id")))
	case "services":
		return Or(is(col("owner_id"), a.ID), In(col("group_id"), a.With(GroupView)), a.offered(col("blueprint_id")))
	case "history", "events":
		// An event is visible if its object is. SeesEvent is the same rule in memory.
		var seen []Where
		for _, o := range historyObjects {
			w := Visible(o.table, a, "o")
			if w.SQL == None.SQL {
				continue
			}
			in := fmt.Sprintf("%s = '%s'", col("object_type"), o.kind)
			if !w.IsAll() {
				in += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM %s o WHERE o.id = %s AND (%s))", o.table, col("object_id"), w.SQL)
			}
			seen = append(seen, Where{SQL: in, Args: w.Args})
		}
		return Or(seen...)
	case "quotas":
		// The objects that the actor sees: by group and environment, if it has both.
		within := func(column, table string) Where {
			w := Visible(table, a, "o")
			if w.IsAll() {
				return All
			}
			return Or(Where{SQL: col(column) + " IS NULL"}, sub("%s IN (SELECT o.id FROM "+table+" o WHERE %s)", col(column), w))
		}
		return And(within("group_id", "groups"), within("environment_id", "environments"))
	case "webhooks":
		return is(col("owner_id"), a.ID)
	case "webhook_deliveries":
		return sub("%s IN (SELECT w.id FROM webhooks w WHERE %s)", col("webhook_id"), Visible("webhooks", a, "w"))
	case "snapshots":
		return sub("%s IN (SELECT s.id FROM servers s WHERE %s)", col("server_id"), Visible("servers", a, "s"))
	case "servers", "jobs":
		return Or(is(col("owner_id"), a.ID), In(col("group_id"), a.With(GroupView)),
			sub("%s IN (SELECT sv.id FROM services sv WHERE %s)", col("service_id"), a.offered("sv.blueprint_id")))
	}
	return None
}

// historyObjects are the kinds of objects with a history that is not only for actors who see everything.
var historyObjects = []struct{ kind, table string }{
	{models.ObjectOrder, "orders"},
	{models.ObjectJob, "jobs"},
	{models.ObjectServer, "servers"},
	{models.ObjectService, "services"},
	{models.ObjectWebhook, "webhooks"},
}

// usable returns the condition for rows that work and are open to all groups, or to one of the actor's.
func usable(works, table, ref, id string, a Actor) Where {
	open := Where{SQL: fmt.Sprintf("NOT EXISTS (SELECT 1 FROM %s l WHERE l.%s = %s)", table, ref, id)}
	ours := sub("%s IN (SELECT l."+ref+" FROM "+table+" l WHERE %s)", id, In("l.group_id", a.Named()))
	return And(Where{SQL: works}, Or(open, ours))
}

// runs returns the condition for a table of servers or services on which the actor may run actions: on all
// rows of their groups, or on their own.
func (a Actor) runs(table string) Where {
	if len(a.With(ServerPower)) > 0 || len(a.With(OrderSubmit)) > 0 {
		return All
	}
	return Where{SQL: fmt.Sprintf("EXISTS (SELECT 1 FROM %s o WHERE o.owner_id = %s)", table, a.ID)}
}

// provider returns the groups with offerings that the actor manages.
func (a Actor) provider() []models.ID { return a.With(OfferingManage) }

// offered returns the condition for rows with a blueprint that the actor's groups provide.
func (a Actor) offered(column string) Where {
	return sub("%s IN (SELECT b.id FROM blueprints b WHERE %s)", column, In("b.group_id", a.provider()))
}
