package order_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// Orders are created, decided and executed while quotas are created and deleted and a group moves in the
// tree: at any time every counter equals the sum.
func TestCountersAreSumsSideBySide(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		const callers, each = 6, 40
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				c := &caller{rig: r, t: t, dice: rand.New(rand.NewPCG(uint64(i), 7))}
				for range each {
					c.act()
					if err := r.drift(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		r.work(t)
		r.sums(t)
		if tried := r.tried(t); tried["SUCCESS"] == 0 {
			t.Errorf("no order has succeeded: %v", tried)
		}
	})
}

// caller is one of several concurrent, random callers.
type caller struct {
	*rig
	t    *testing.T
	dice *rand.Rand
}

func (c *caller) pick(ids ...models.ID) models.ID { return ids[c.dice.IntN(len(ids))] }

func (c *caller) any(table, where string) models.ID {
	var ids []models.ID
	if err := c.store.Read(c.t.Context()).Table(table).Where(where).Order("id DESC").Limit(6).Pluck("id", &ids).Error; err != nil {
		c.t.Error(err)
	}
	if len(ids) == 0 {
		return 0
	}
	return c.pick(ids...)
}

func (c *caller) act() {
	ctx := c.t.Context()
	var err error
	switch c.dice.IntN(12) {
	case 0, 1, 2:
		_, err = c.orders.Create(ctx, c.alice, order.Draft{GroupID: c.pick(foo, bar), Submit: true, Items: []models.OrderItem{
			prov(simple, 1+c.dice.IntN(2), "", "vm-size", "small"),
		}})
	case 3, 4:
		if id := c.any("orders", "status = 'PENDING'"); id != 0 {
			_, err = c.orders.Approve(ctx, c.bob, id.String())
		}
	case 5:
		if id := c.any("orders", "status IN ('PENDING', 'ACTIVE')"); id != 0 {
			_, err = c.orders.Cancel(ctx, c.alice, id.String())
		}
	case 6:
		if id := c.any("servers", "status = 'ACTIVE'"); id != 0 {
			_, err = c.orders.Create(ctx, c.alice, order.Draft{Submit: true, Items: []models.OrderItem{
				[]models.OrderItem{mod(id, "vm-size", "medium"), mod(id, "vm-size", "small"), decom(id)}[c.dice.IntN(3)],
			}})
		}
	case 7, 8, 9:
		c.run()
	case 10:
		err = c.limits(ctx)
	case 11:
		_, err = c.tenancy.Groups.Update(ctx, c.admin, models.ID(bar).String(), func(g *models.Group) error {
			g.ParentID = c.pick(acme, globex)
			return nil
		})
	}
	if err != nil && !slices.Contains([]fault.Code{fault.Conflict, fault.Invalid, fault.NotFound, fault.Forbidden}, fault.CodeOf(err)) {
		c.t.Error(err)
	}
}

// run runs some of the dispatched jobs, as one worker of several.
func (c *caller) run() {
	for _, id := range c.queue.take() {
		if again := c.queue.run(c.t.Context(), id); again >= 0 {
			c.queue.mu.Lock()
			c.queue.ids = append(c.queue.ids, id)
			c.queue.mu.Unlock()
		}
	}
}

func (c *caller) limits(ctx context.Context) error {
	table := &quota.New(c.store, nil).Quotas
	most := fmt.Sprint(5 + c.dice.IntN(40))
	switch id := c.any("quotas", "1 = 1"); {
	case id != 0 && c.dice.IntN(3) == 0:
		return table.Delete(ctx, c.admin, id.String())
	case id != 0 && c.dice.IntN(3) == 0:
		_, err := table.Update(ctx, c.admin, id.String(), func(q *models.Quota) error { q.NewLimit = &most; return nil })
		return err
	}
	kinds := []models.QuotaKind{models.QuotaServers, models.QuotaCPU}
	return table.Create(ctx, c.admin, &models.Quota{
		GroupID: c.pick(foo, bar, acme, globex), EnvironmentID: c.pick(0, simple), Kind: kinds[c.dice.IntN(2)], NewLimit: &most,
	})
}

// Creating a quota, or moving a group, waits for open transactions that have reserved without counting
// there, and counts their reservations.
func TestQuotaWaitsForWhoReserves(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		if s.Dialect() != store.Postgres {
			t.Skip("there is one writer")
		}
		r, ctx := newRig(t, s), t.Context()
		old := r.limit(t, acme, 0, models.QuotaServers, "100")
		for what, do := range map[string]func() error{
			"a quota": func() error {
				most := "100"
				return quota.New(s, nil).Quotas.Create(ctx, r.admin, &models.Quota{GroupID: bar, Kind: models.QuotaServers, NewLimit: &most})
			},
			"a move": func() error {
				_, err := r.tenancy.Groups.Update(ctx, r.admin, models.ID(bar).String(), func(g *models.Group) error { g.ParentID = globex; return nil })
				return err
			},
		} {
			o := r.create(t, r.alice, bar, false)
			done := make(chan error, 1)
			err := s.InTx(ctx, func(tx *store.Tx) error {
				sv := &models.Server{Hostname: "h", Status: models.ServerProv, OrderID: o.ID, GroupID: bar, ItemKey: what, AddedAt: tx.Now}
				quota.Claim(tx, sv)
				if err := store.Insert(tx, sv); err != nil {
					return err
				}
				// After the counting, and before the commit.
				tx.BeforeCommit("another", func() store.BeforeCommit { return meanwhile{do, done} })
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if err := r.drift(ctx); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if used := r.used(t, old); used != 0 {
			t.Errorf("the group has moved, and %d of its servers have stayed", used)
		}
	})
}

// meanwhile starts a function at the end of a transaction. The transaction continues when the function
// waits for it, or is done.
type meanwhile struct {
	do   func() error
	done chan error
}

func (m meanwhile) Flush(tx *store.Tx) error {
	go func() { m.done <- m.do() }()
	for {
		select {
		case err := <-m.done:
			m.done <- err
			return nil // it did not wait: the counters will show
		default:
		}
		var waits int
		err := tx.Raw(`SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
			WHERE d.datname = current_database() AND NOT l.granted AND l.locktype = 'relation'`).Scan(&waits).Error
		if err != nil || waits > 0 {
			return err
		}
	}
}
