package order

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/server"
)

// This file holds the guards of orders. The method of the same name calls its guard, and
// so does each document that offers the action. A guard checks rights before state: an
// actor without the right does not learn the state.

// CanEdit guards changes to a cart. Only its owner and super admins can change it, and
// only before it is submitted.
func CanEdit(a access.Actor, o *models.Order) error {
	if err := owns(a, o, "change"); err != nil {
		return err
	}
	return in(o, "changed", models.OrderCart)
}

// CanSubmit guards submission by the owner or a super admin. The error is Invalid for an
// order without items, without a group, or with problems found when it was read.
func CanSubmit(a access.Actor, o *models.Order) error {
	if err := owns(a, o, "submit"); err != nil {
		return err
	}
	if err := in(o, "submitted", models.OrderCart); err != nil {
		return err
	}
	if len(o.Items) == 0 {
		return fault.InvalidField(fault.Member("items"), "is empty: an empty order cannot be submitted")
	}
	if o.GroupID == 0 {
		return fault.InvalidField(fault.Member("group"), "is required before an order is submitted")
	}
	if err := CanOrderFor(a, o.GroupID); err != nil {
		return err
	}
	return hasNoProblems(o)
}

// CanApprove guards approval by the approvers of the group. Only super admins can
// approve their own orders.
func CanApprove(a access.Actor, o *models.Order) error {
	if !a.Can(access.OrderApprove, o.GroupID) {
		return fault.Forbiddenf("You may not approve orders of this group.")
	}
	if o.OwnerID == a.ID && !a.SuperAdmin {
		return fault.Forbiddenf("Nobody approves their own order.")
	}
	if err := in(o, "approved", models.OrderPending); err != nil {
		return err
	}
	return hasNoProblems(o)
}

// CanDeny guards denial by the approvers of the group.
func CanDeny(a access.Actor, o *models.Order) error {
	if !a.Can(access.OrderApprove, o.GroupID) {
		return fault.Forbiddenf("You may not deny orders of this group.")
	}
	return in(o, "denied", models.OrderPending)
}

// CanCancel guards cancellation, including that of running jobs. It allows the owner and
// the managers of the group's jobs.
func CanCancel(a access.Actor, o *models.Order) error {
	// An owner who has left the group can withdraw an order, but not stop its jobs.
	mine := o.OwnerID == a.ID && (o.Status != models.OrderActive || a.Member(o.GroupID))
	if !mine && !a.Can(access.JobManage, o.GroupID) {
		return fault.Forbiddenf("Only its owner can cancel an order, and who manages the group's jobs.")
	}
	if err := in(o, "canceled", models.OrderCart, models.OrderPending, models.OrderActive); err != nil {
		return err
	}
	if o.CancelRequestedAt != nil {
		return fault.Conflictf("The order is being canceled already.")
	}
	return nil
}

// CanDuplicate guards copying an order's items into a new cart.
func CanDuplicate(a access.Actor, o *models.Order) error {
	if err := CanOrderFor(a, o.GroupID); err != nil {
		return err
	}
	if o.Status == models.OrderCart {
		return fault.Conflictf("Only orders that were submitted can be duplicated. Current state of order is %s", o.Status)
	}
	return nil
}

// CanModify guards changing a server by an order for that alone.
func CanModify(a access.Actor, sv *models.Server) error {
	if err := server.CanModify(a, sv); err != nil {
		return err
	}
	return CanOrderFor(a, sv.GroupID)
}

func owns(a access.Actor, o *models.Order, verb string) error {
	if o.OwnerID == a.ID || a.SuperAdmin {
		return nil
	}
	return fault.Forbiddenf("Only its owner can %s an order.", verb)
}

func in(o *models.Order, participle string, states ...models.OrderStatus) error {
	list := ""
	for i, st := range states {
		if o.Status == st {
			return nil
		}
		if i > 0 {
			list += " or "
		}
		list += "'" + string(st) + "'"
	}
	return fault.Conflictf("Only orders that are in %s state can be %s. Current state of order is %s", list, participle, o.Status)
}
