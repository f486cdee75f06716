package order_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// A cart with items that have become impossible shows the problems to users who could submit it, and a
// pending order to users who could approve it. Removing the items repairs both.
func TestProblemsAreKnown(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		ctx := t.Context()
		o := r.create(t, r.alice, foo, true, stack())
		r.work(t)
		svs := r.made(t, o)
		cart := r.create(t, r.alice, foo, false, mod(svs[0].ID, "mem_size", "4 GB"), decom(svs[1].ID), mod(svs[2].ID, "mem_size", "8 GB"))
		if got := r.read(t, r.alice, cart.ID); got.Problems != nil || order.CanSubmit(r.alice, got) != nil {
			t.Errorf("the cart has problems: %v", got.Problems)
		}
		// The web servers are removed.
		for _, sv := range svs[:2] {
			if _, err := r.orders.Decommission(ctx, r.alice, sv.ID.String()); err != nil {
				t.Fatal(err)
			}
		}
		r.work(t)
		gone := func(participle, states string) string {
			return "Only servers that are in " + states + " state can be " + participle + ". Current state of server is HISTORICAL"
		}
		stale := r.read(t, r.alice, cart.ID)
		if d := cmp.Diff([]fault.Field{
			{Path: fault.Item("mod", 0).Member("server"), Reason: gone("modified", "'ACTIVE'")},
			{Path: fault.Item("decom", 0).Member("servers").Entry(0), Reason: gone("deleted", "'ACTIVE' or 'PROVFAILED'")},
		}, stale.Problems); d != "" {
			t.Errorf("problems (-want +got):\n%s", d)
		}
		if err := order.CanSubmit(r.alice, stale); !fault.Is(err, fault.Invalid) {
			t.Errorf("it may be submitted: %v", err)
		}
		if stale.Rate != cart.Rate || len(stale.Items) != 3 || stale.Version != cart.Version {
			t.Errorf("reading it changed it: %+v", stale)
		}
		if got := r.read(t, r.bob, cart.ID); got.Problems != nil {
			t.Errorf("bob, who cannot submit it, reads %v", got.Problems)
		}
		// Problems can be repaired one at a time.
		left, err := r.orders.RemoveItem(ctx, r.alice, cart.ID.String(), models.ItemMod, 1)
		if err != nil || len(left.Problems) != 1 || len(left.Items) != 2 {
			t.Fatalf("%+v %v", left, err)
		}
		if left, err = r.orders.RemoveItem(ctx, r.alice, cart.ID.String(), models.ItemDecom, 1); err != nil || left.Problems != nil {
			t.Fatalf("%+v %v", left, err)
		}
		if _, err := r.orders.Submit(ctx, r.alice, cart.ID.String()); err != nil {
			t.Error(err)
		}
		r.work(t)

		// A pending order is checked with the rights of its owner, not with those of bob.
		waits := r.create(t, r.alice, bar, true, deploy(simple, "vm-size", "small"))
		if got := r.read(t, r.bob, waits.ID); got.Problems != nil || order.CanApprove(r.bob, got) != nil {
			t.Errorf("%v %v", got.Problems, order.CanApprove(r.bob, got))
		}
		if _, err := r.catalog.Environments.Update(ctx, r.admin, "3", func(e *models.Environment) error { e.GroupIDs = []models.ID{foo}; return nil }); err != nil {
			t.Fatal(err)
		}
		if got := r.read(t, r.bob, waits.ID); len(got.Problems) != 1 || !fault.Is(order.CanApprove(r.bob, got), fault.Invalid) {
			t.Errorf("%v %v", got.Problems, order.CanApprove(r.bob, got))
		}
	})
}

func (r *rig) read(t tester, a access.Actor, id models.ID) *models.Order {
	t.Helper()
	o, err := r.orders.Find(t.Context(), a, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return o
}
