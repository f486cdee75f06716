package order_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// WaitingFor is SQL and CanApprove is Go. This test compares them on orders of every status in several
// groups and of several owners.
func TestWaitingForAgreesWithCanApprove(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		const acme, research = 4, 6 // above foo and bar; below globex
		decider := &models.Role{Name: "decider", Permissions: []string{string(access.OrderApprove)}}
		if err := r.tenancy.Roles.Create(t.Context(), r.admin, decider); err != nil {
			t.Fatal(err)
		}
		const requestor, approver, viewer = 1, 2, 5
		dave := r.hire(t, models.User{Username: "dave"}, grant{requestor, bar}, grant{approver, bar})
		erin := r.hire(t, models.User{Username: "erin"}, grant{approver, acme})
		frank := r.hire(t, models.User{Username: "frank", GlobalViewer: true})
		grace := r.hire(t, models.User{Username: "grace"}, grant{decider.ID, acme})
		heidi := r.hire(t, models.User{Username: "heidi"}, grant{viewer, bar})

		owners := []models.ID{r.admin.ID, r.alice.ID, r.bob.ID, r.carol.ID, dave.ID, erin.ID}
		r.placeOrders(t, []models.ID{0, foo, bar, acme, globex, research}, owners)
		own, others := len(owners), len(owners)-1
		for _, c := range []struct {
			who   string
			actor access.Actor
			want  int // number of orders waiting for them
		}{
			{"super admin", r.admin, 6 * own},
			{"system", access.System("test"), 6 * own},
			{"requestor", r.alice, 0},
			{"viewer", heidi, 0},
			{"approver in two groups", r.bob, 2 * others},
			{"owner of globex", r.carol, 2 * others},
			{"requestor and approver", dave, others},
			{"approver above two groups", erin, 3 * others},
			{"global viewer", frank, 0},
			{"approver who sees no orders of others", grace, 0},
			{"no actor", access.Actor{}, 0},
		} {
			can := []models.ID{}
			for _, o := range r.orderList(t, c.actor) {
				if order.CanApprove(c.actor, o) == nil {
					can = append(can, o.ID)
				}
			}
			waiting := []models.ID{}
			for _, o := range r.orderList(t, c.actor, order.WaitingFor(c.actor)) {
				waiting = append(waiting, o.ID)
			}
			if d := cmp.Diff(can, waiting); d != "" {
				t.Errorf("%s: what waits is not what they can approve (-can +waiting):\n%s", c.who, d)
			}
			if len(waiting) != c.want {
				t.Errorf("%s: %d orders wait, want %d", c.who, len(waiting), c.want)
			}
		}
	})
}

// grant is a role on a group.
type grant struct{ role, group models.ID }

// hire creates a user with roles.
func (r *rig) hire(t *testing.T, u models.User, grants ...grant) access.Actor {
	t.Helper()
	u.Active = true
	if err := r.tenancy.CreateUser(t.Context(), r.admin, &u); err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		m := &models.Membership{UserID: u.ID, GroupID: g.group, RoleID: g.role}
		if err := r.tenancy.CreateMembership(t.Context(), r.admin, m); err != nil {
			t.Fatal(err)
		}
	}
	return r.actor(t, u.ID)
}

// placeOrders inserts one order for each group, owner and status.
func (r *rig) placeOrders(t *testing.T, groups, owners []models.ID) {
	t.Helper()
	err := r.store.InTx(t.Context(), func(tx *store.Tx) error {
		for _, g := range groups {
			for _, u := range owners {
				for _, status := range models.OrderStatuses {
					if err := store.Insert(tx, &models.Order{GroupID: g, OwnerID: u, Status: status}); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// orderList returns the orders that the actor sees, by their ids.
func (r *rig) orderList(t *testing.T, a access.Actor, narrow ...query.ListOption) []*models.Order {
	t.Helper()
	page, err := r.orders.List(t.Context(), a, query.Query{Size: 1000}, narrow...)
	if err != nil {
		t.Fatal(err)
	}
	if page.Total != int64(len(page.Rows)) {
		t.Fatalf("%d of %d orders", len(page.Rows), page.Total)
	}
	return page.Rows
}
