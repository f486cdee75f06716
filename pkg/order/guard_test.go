package order_test

import (
	"slices"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// The guards depend only on the actor and the order.
func TestGuards(t *testing.T) {
	t.Parallel()
	const team, other = 1, 2
	with := func(id models.ID, group models.ID, p ...access.Permission) access.Actor {
		var names []string
		for _, x := range p {
			names = append(names, string(x))
		}
		rights := access.NewRights([]access.Grant{{Group: group, Permissions: names}}, nil, nil)
		return access.NewActor(&models.User{Row: models.Row{ID: id}}, "", rights)
	}
	actors := map[string]access.Actor{
		"owner, requestor":   with(1, team, access.OrderSubmit),
		"owner, viewer":      with(1, team, access.GroupView),
		"owner, left":        with(1, other, access.OrderSubmit, access.GroupView, access.JobManage, access.OrderApprove),
		"owner, approver":    with(1, team, access.OrderSubmit, access.OrderApprove),
		"approver":           with(2, team, access.OrderApprove),
		"resource admin":     with(3, team, access.JobManage),
		"colleague":          with(4, team, access.OrderSubmit, access.GroupView),
		"approver, not ours": with(5, other, access.OrderApprove, access.JobManage),
		"super admin":        {ID: 6, SuperAdmin: true},
		"global viewer":      {ID: 7, GlobalViewer: true},
	}
	all := []models.OrderStatus{models.OrderCart, models.OrderPending, models.OrderActive, models.OrderDenied, models.OrderCanceled}
	for _, c := range []struct {
		name  string
		can   func(access.Actor, *models.Order) error
		who   map[string][]models.OrderStatus // the statuses in which each user may act
		state []models.OrderStatus            // statuses in which users with the right get no conflict
	}{
		{"cancel", order.CanCancel, map[string][]models.OrderStatus{
			"owner, requestor": all, "owner, viewer": all, "owner, approver": all,
			"owner, left":    {models.OrderCart, models.OrderPending, models.OrderDenied, models.OrderCanceled},
			"resource admin": all, "super admin": all,
		}, []models.OrderStatus{models.OrderCart, models.OrderPending, models.OrderActive}},
		{"approve", order.CanApprove, map[string][]models.OrderStatus{
			"approver": all, "super admin": all,
		}, []models.OrderStatus{models.OrderPending}},
		{"deny", order.CanDeny, map[string][]models.OrderStatus{
			"approver": all, "owner, approver": all, "super admin": all,
		}, []models.OrderStatus{models.OrderPending}},
		{"edit", order.CanEdit, map[string][]models.OrderStatus{
			"owner, requestor": all, "owner, viewer": all, "owner, approver": all, "owner, left": all, "super admin": all,
		}, []models.OrderStatus{models.OrderCart}},
	} {
		for who, a := range actors {
			for _, status := range all {
				var want fault.Code
				switch {
				case !slices.Contains(c.who[who], status):
					want = fault.Forbidden
				case !slices.Contains(c.state, status):
					want = fault.Conflict
				}
				err := c.can(a, &models.Order{OwnerID: 1, GroupID: team, Status: status})
				if want == "" && err != nil || want != "" && !fault.Is(err, want) {
					t.Errorf("%s: %s an order that is %s: %v, want %q", who, c.name, status, err, want)
				}
			}
		}
	}
	requested := &models.Order{OwnerID: 1, GroupID: team, Status: models.OrderActive, CancelRequestedAt: &time.Time{}}
	wants(t, order.CanCancel(actors["resource admin"], requested), fault.Conflict, "The order is being canceled already.")
}

// An owner who has left the group may not stop the running work.
func TestFormerMemberCannotCancelRunningOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		active := r.create(t, r.alice, foo, true, deploy(simple, "vm-size", "small"))
		pending := r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		if active.Status != models.OrderActive || pending.Status != models.OrderPending {
			t.Fatalf("the orders are %s and %s", active.Status, pending.Status)
		}
		r.leave(t, r.alice.ID)
		alice := r.actor(t, r.alice.ID)
		_, err := r.orders.Cancel(t.Context(), alice, active.ID.String())
		wants(t, err, fault.Forbidden, "Only its owner can cancel an order, and who manages the group's jobs.")
		if o := r.find(t, active.ID); o.CancelRequestedAt != nil || o.Status != models.OrderActive {
			t.Errorf("the refused cancellation left the order %s, requested at %v", o.Status, o.CancelRequestedAt)
		}
		if _, err := r.orders.Cancel(t.Context(), alice, pending.ID.String()); err != nil {
			t.Errorf("what is only asked for cannot be taken back: %v", err)
		}
	})
}

// Approval uses the rights of the owner, not those of the approver.
func TestApprovePlansWithTheOwnersRights(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		first, second := r.server(t, r.alice, bar, "small"), r.server(t, r.alice, bar, "small")
		removal := func(sv models.Server) *models.Order {
			o := r.create(t, r.alice, bar, true, decom(sv.ID))
			if o.Status != models.OrderPending {
				t.Fatalf("the order is %s", o.Status)
			}
			return o
		}
		one, two := removal(first), removal(second)
		// Bob may approve, but not remove servers himself.
		if o, err := r.orders.Approve(ctx, r.bob, one.ID.String()); err != nil || o.Status != models.OrderActive {
			t.Errorf("an approver without the owner's rights approves: %v", err)
		}
		// The administrator may do anything, but Alice no longer can.
		r.leave(t, r.alice.ID)
		_, err := r.orders.Approve(ctx, r.admin, two.ID.String())
		wants(t, err, fault.Forbidden, "You may not delete this server.")
		if o := r.find(t, two.ID); o.Status != models.OrderPending {
			t.Errorf("after the refused approval the order is %s", o.Status)
		}
		if sv := r.made(t, &models.Order{Row: models.Row{ID: second.OrderID}}); len(sv) != 1 || sv[0].Status != models.ServerActive {
			t.Errorf("after the refused approval the server is %+v", sv)
		}
	})
}

// leave removes all roles of a user.
func (r *rig) leave(t *testing.T, user models.ID) {
	t.Helper()
	list, err := store.Find[models.Membership](r.store.Read(t.Context()).Where("user_id = ?", user))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if err := r.tenancy.Memberships.Delete(t.Context(), r.admin, m.ID.String()); err != nil {
			t.Fatal(err)
		}
	}
}
