package event

import (
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// Filter narrows events. The zero value takes all.
type Filter struct {
	Types   []string // patterns, see Selects; one of them has to fit
	Objects []string // types of objects; one of them has to be it
	About   About
}

// About is an object whose events are asked for, with those of what belongs to it:
// an order's jobs and what these do to servers, a job's parts, a server's jobs, a
// service's servers and jobs.
type About struct {
	Object string // "" for none
	ID     models.ID
}

// Match reports whether the filter takes the event.
func (f *Filter) Match(e *models.Event) bool {
	return (len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(p string) bool { return selects(p, e.Type) })) &&
		(len(f.Objects) == 0 || slices.Contains(f.Objects, e.ObjectType)) &&
		f.About.match(e)
}

func (x About) match(e *models.Event) bool {
	switch x.Object {
	case "":
		return true
	case models.ObjectOrder:
		return e.OrderID == x.ID
	case models.ObjectServer:
		return e.ServerID == x.ID
	case models.ObjectService:
		return e.ServiceID == x.ID
	}
	return e.ObjectType == models.ObjectJob && (e.ObjectID == x.ID || e.ParentID == x.ID)
}

// Option narrows a list of events to those that the filter takes.
func (f *Filter) Option() query.ListOption { return query.Base(f.where()) }

// where is Match in SQL, over query.Root.
func (f *Filter) where() access.Where {
	var types []any
	for _, t := range Types {
		if slices.ContainsFunc(f.Types, func(p string) bool { return selects(p, t.Name) }) {
			types = append(types, t.Name)
		}
	}
	var objects []any
	for _, o := range f.Objects {
		objects = append(objects, o)
	}
	return access.And(oneOf("type", len(f.Types) > 0, types), oneOf("object_type", len(objects) > 0, objects), f.About.where())
}

func oneOf(column string, asked bool, values []any) access.Where {
	if !asked {
		return access.All
	}
	var list []access.Where
	for _, v := range values {
		list = append(list, access.Where{SQL: query.Root + "." + column + " = ?", Args: []any{v}})
	}
	return access.Or(list...)
}

func (x About) where() access.Where {
	is := func(column string) access.Where {
		return access.Where{SQL: query.Root + "." + column + " = " + x.ID.String()}
	}
	switch x.Object {
	case "":
		return access.All
	case models.ObjectOrder:
		return is("order_id")
	case models.ObjectServer:
		return is("server_id")
	case models.ObjectService:
		return is("service_id")
	}
	return access.And(oneOf("object_type", true, []any{models.ObjectJob}), access.Or(is("object_id"), is("parent_id")))
}
