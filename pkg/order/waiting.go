package order

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// WaitingFor returns the option that narrows a list of orders to those waiting for the actor: pending ones
// in groups where the actor may approve.
func WaitingFor(a access.Actor) query.ListOption {
	pending := access.Where{SQL: query.Root + ".status = '" + string(models.OrderPending) + "'"}
	return query.Base(access.And(pending, approvable(a)))
}

// approvable is CanApprove in SQL, without the order's status.
func approvable(a access.Actor) access.Where {
	if a.SuperAdmin {
		return access.All
	}
	others := access.Where{SQL: query.Root + ".owner_id <> " + a.ID.String()}
	return access.And(access.In(query.Root+".group_id", a.With(access.OrderApprove)), others)
}
