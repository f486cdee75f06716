package history_test

import (
	"context"
	"errors"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

func add(t *testing.T, s *store.Store, object string, id models.ID, before, after any) {
	t.Helper()
	ada := access.NewActor(&models.User{Row: models.Row{ID: 3}, Username: "ada"}, "", nil)
	err := s.InTx(context.Background(), func(tx *store.Tx) error {
		return history.Add(tx, ada, object, id, "changed", "So it was.", before, after)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s *store.Store, a access.Actor, narrow ...query.ListOption) []*models.History {
	t.Helper()
	p, err := history.New(s).List(context.Background(), a, query.Query{Page: 1, Size: 100}, narrow...)
	if err != nil {
		t.Fatal(err)
	}
	return p.Rows
}

func TestAddKeepsWhoAndWhat(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		add(t, s, models.ObjectOrder, 5, map[string]any{"Name": "a<b"}, []string{"b"})
		add(t, s, models.ObjectOrder, 6, nil, nil)
		add(t, s, models.ObjectServer, 5, nil, nil)
		if e := list(t, s, access.System("test"), query.Related(orders, "history", 6))[0]; e.Before != "" || e.After != "" {
			t.Errorf("before is %q, after is %q, and there was nothing", e.Before, e.After)
		}
		rows := list(t, s, access.System("test"), query.Related(orders, "history", 5))
		if len(rows) != 1 {
			t.Fatalf("%d events of one object", len(rows))
		}
		e := rows[0]
		if e.ActorID != 3 || e.ActorName != "ada" || e.Event != "changed" || e.Message != "So it was." || e.CreatedAt.IsZero() {
			t.Errorf("the event is %+v", e)
		}
		if e.Before != `{"Name":"a\u003cb"}` || e.After != `["b"]` {
			t.Errorf("before is %s, after is %s", e.Before, e.After)
		}
	})
}

func TestAddIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, sys := context.Background(), access.System("test")
		given := errors.New("given up")
		err := s.InTx(ctx, func(tx *store.Tx) error {
			if err := history.Add(tx, sys, models.ObjectOrder, 1, "changed", "", nil, nil); err != nil {
				return err
			}
			return given
		})
		if !errors.Is(err, given) {
			t.Errorf("%v", err)
		}
		err = s.InTx(ctx, func(tx *store.Tx) error {
			return history.Add(tx, sys, models.ObjectOrder, 1, "changed", "", func() {}, nil)
		})
		if err == nil {
			t.Error("a function was recorded")
		}
		if rows := list(t, s, sys); len(rows) != 0 {
			t.Errorf("history has %d events", len(rows))
		}
	})
}

// TestEventsAreSeenWithTheirObject returns alice an order, and history of that, of
// another's, and of a kind of which only administrators read.
func TestEventsAreSeenWithTheirObject(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		alice, bob := &models.User{Username: "alice"}, &models.User{Username: "bob"}
		mine, theirs := &models.Order{Status: models.OrderCart}, &models.Order{Status: models.OrderCart}
		err := s.InTx(ctx, func(tx *store.Tx) error {
			for _, u := range []*models.User{alice, bob} {
				if err := store.Insert(tx, u); err != nil {
					return err
				}
			}
			mine.OwnerID, theirs.OwnerID = alice.ID, bob.ID
			if err := store.Insert(tx, mine); err != nil {
				return err
			}
			return store.Insert(tx, theirs)
		})
		if err != nil {
			t.Fatal(err)
		}
		add(t, s, models.ObjectOrder, mine.ID, nil, nil)
		add(t, s, models.ObjectOrder, theirs.ID, nil, nil)
		add(t, s, models.ObjectHandler, mine.ID, nil, nil)
		a := access.NewActor(alice, "", nil)
		rows := list(t, s, a)
		if len(rows) != 1 || rows[0].ObjectType != models.ObjectOrder || rows[0].ObjectID != mine.ID {
			t.Errorf("alice sees %d events", len(rows))
		}
		svc := history.New(s)
		for _, e := range list(t, s, access.System("test")) {
			_, err := svc.Find(ctx, a, e.ID.String())
			if seen := e.ObjectType == models.ObjectOrder && e.ObjectID == mine.ID; seen != (err == nil) || !seen && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s %s: %v", e.ObjectType, e.ObjectID, err)
			}
		}
	})
}

// orders stand for whatever has a history.
var orders = &query.Entity{Plural: "orders", Relations: []query.Relation{history.Relation(models.ObjectOrder)}}
