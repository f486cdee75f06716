package order

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/server"
)

// The guards. Each is asked by the method that it is named after and by the
// document that offers it. Rights come before state: whoever may not do a thing
// at all does not learn when it could be done.

// CanEdit guards the cart: its owner's until it is submitted.
func CanEdit(a access.Actor, o *models.Order) error {
	if err := owns(a, o, "change"); err != nil {
		return err
	}
	return in(o, "changed", models.OrderCart)
}

// CanSubmit guards submission. The order has to have items and a group, and nothing
// that was found when it was read may stand in its way.
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

// CanApprove guards approval: by approvers of the group, and not by who ordered.
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

// CanDeny guards denial, which is the approvers' too.
func CanDeny(a access.Actor, o *models.Order) error {
	if !a.Can(access.OrderApprove, o.GroupID) {
		return fault.Forbiddenf("You may not deny orders of this group.")
	}
	return in(o, "denied", models.OrderPending)
}

// CanCancel guards cancellation, also of work that is running.
func CanCancel(a access.Actor, o *models.Order) error {
	// Whoever has left the group takes back what they asked for, and stops nothing.
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

// CanDuplicate guards making a new cart of the same items.
func CanDuplicate(a access.Actor, o *models.Order) error {
	if err := CanOrderFor(a, o.GroupID); err != nil {
		return err
	}
	if o.Status == models.OrderCart {
		return fault.Conflictf("Only orders that were submitted can be duplicated. Current state of order is %s", o.Status)
	}
	return nil
}

// CanModify guards an order that changes the server.
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
