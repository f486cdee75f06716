package crud_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

var (
	admin  = access.NewActor(&models.User{Row: models.Row{ID: 7}, Username: "ada", SuperAdmin: true}, "", nil)
	viewer = access.NewActor(&models.User{Row: models.Row{ID: 8}, Username: "vera", GlobalViewer: true}, "", nil)
	nobody = access.Actor{}
)

// shelf is a table of handlers, which have a name, a secret, and others that refer
// to them.
type shelf struct {
	crud.Table[models.ResourceHandler, *models.ResourceHandler]
	t     *testing.T
	mu    sync.Mutex
	heard []string
}

func newShelf(t *testing.T, s *store.Store) *shelf {
	t.Helper()
	guard := func(a access.Actor, h *models.ResourceHandler) error {
		if h.Description == "not yours" {
			return fault.Forbiddenf("It is not yours.")
		}
		return crud.Admin("change handlers")(a)
	}
	x := &shelf{t: t, Table: crud.Table[models.ResourceHandler, *models.ResourceHandler]{
		Store: s, Object: models.ObjectHandler,
		Entity:    &query.Entity{Name: "resource-handler", Plural: "resource-handlers", Table: "resource_handlers", Prefix: "RH"},
		CanCreate: guard, CanUpdate: guard, CanDelete: guard,
		Validate: func(_ *store.Tx, h *models.ResourceHandler) error { return h.Validate() },
		InUse:    "It still has environments.",
	}}
	s.OnSignal(func(topic, key string) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.heard = append(x.heard, topic+" "+key)
	})
	return x
}

func handler(name string) *models.ResourceHandler {
	return &models.ResourceHandler{Name: name, Kind: models.HandlerSimulated, Password: "canary"}
}

func (x *shelf) create(name string) *models.ResourceHandler {
	x.t.Helper()
	h := handler(name)
	if err := x.Create(context.Background(), admin, h); err != nil {
		x.t.Fatal(err)
	}
	return h
}

// events returns what history has of a row, oldest first.
func (x *shelf) events(id models.ID) []models.History {
	x.t.Helper()
	list, err := store.Find[models.History](x.Store.Read(context.Background()).Where("object_type = ? AND object_id = ?", models.ObjectHandler, id).Order("id"))
	if err != nil {
		x.t.Fatal(err)
	}
	return list
}

// contents returns all rows and all of history, to see whether something changed.
func (x *shelf) contents() string {
	x.t.Helper()
	tx := x.Store.Read(context.Background())
	rows, err := store.Find[models.ResourceHandler](tx.Order("id"))
	if err != nil {
		x.t.Fatal(err)
	}
	events, err := store.Find[models.History](tx.Order("id"))
	if err != nil {
		x.t.Fatal(err)
	}
	text, err := json.Marshal([]any{rows, events})
	if err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

// refused runs what must fail with a code and change nothing.
func (x *shelf) refused(what string, code fault.Code, try func() error) {
	x.t.Helper()
	before := x.contents()
	if err := try(); !fault.Is(err, code) {
		x.t.Errorf("%s: %v instead of %s", what, err, code)
	}
	if after := x.contents(); after != before {
		x.t.Errorf("%s: something changed\n%s\n%s", what, before, after)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShelf(t, s)
		h := x.create("Cellar")
		if h.ID == 0 || h.UUID == "" || h.GlobalID[:3] != "RH-" || h.Version != 1 || h.CreatedAt.IsZero() {
			t.Errorf("the row is %+v", h.Row)
		}
		got, err := x.Find(ctx, viewer, h.GlobalID)
		if err != nil || got.Name != "Cellar" {
			t.Errorf("found %+v, %v", got, err)
		}
		if events := x.events(h.ID); len(events) != 1 || events[0].Event != "created" || events[0].ActorName != "ada" || events[0].ActorID != 7 {
			t.Errorf("history has %+v", events)
		}
		if !slices.Contains(x.heard, "resource_handlers "+h.ID.String()) {
			t.Errorf("announced was %q", x.heard)
		}
		x.refused("a name that is taken", fault.Conflict, func() error { return x.Create(ctx, admin, handler("Cellar")) })
		x.refused("no name", fault.Invalid, func() error { return x.Create(ctx, admin, handler(" ")) })
		x.refused("no right", fault.Forbidden, func() error { return x.Create(ctx, viewer, handler("Attic")) })
	})
}

func TestFindHidesWhatTheActorDoesNotSee(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShelf(t, s)
		h := x.create("Cellar")
		_, hidden := x.Find(ctx, nobody, h.ID.String())
		_, absent := x.Find(ctx, admin, "999")
		if !fault.Is(hidden, fault.NotFound) || !fault.Is(absent, fault.NotFound) || hidden.Error() != absent.Error() {
			t.Errorf("hidden: %v, absent: %v", hidden, absent)
		}
		x.refused("a change of what is hidden", fault.NotFound, func() error {
			_, err := x.Update(ctx, nobody, h.ID.String(), func(*models.ResourceHandler) error { return nil })
			return err
		})
		x.refused("a deletion of what is hidden", fault.NotFound, func() error { return x.Delete(ctx, nobody, h.ID.String()) })
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShelf(t, s)
		h := x.create("Cellar")
		x.create("Attic")
		got, err := x.Update(ctx, admin, h.UUID, func(h *models.ResourceHandler) error {
			h.URL, h.Password = "https://cellar.example", "another canary"
			return nil
		})
		if err != nil || got.Version != 2 || got.URL != "https://cellar.example" {
			t.Fatalf("%+v, %v", got, err)
		}
		e := x.events(h.ID)[1]
		if e.Event != "changed" || e.Before != `{"URL":""}` || e.After != `{"URL":"https://cellar.example"}` {
			t.Errorf("history has %+v", e)
		}
		change := func(a access.Actor, apply func(*models.ResourceHandler) error) func() error {
			return func() error { _, err := x.Update(ctx, a, h.ID.String(), apply); return err }
		}
		x.refused("no right", fault.Forbidden, change(viewer, func(*models.ResourceHandler) error { return nil }))
		x.refused("no right to where it goes", fault.Forbidden, change(admin, func(h *models.ResourceHandler) error { h.Description = "not yours"; return nil }))
		x.refused("not valid", fault.Invalid, change(admin, func(h *models.ResourceHandler) error { h.Name = ""; return nil }))
		x.refused("a name that is taken", fault.Conflict, change(admin, func(h *models.ResourceHandler) error { h.Name = "Attic"; return nil }))
		x.refused("given up", fault.Conflict, change(admin, func(h *models.ResourceHandler) error { h.Name = "x"; return fault.Conflictf("No.") }))
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShelf(t, s)
		used, free, kept := x.create("Used"), x.create("Free"), x.create("Kept")
		err := s.InTx(ctx, func(tx *store.Tx) error {
			return store.Insert(tx, &models.Environment{Name: "E", HandlerID: used.ID})
		})
		if err != nil {
			t.Fatal(err)
		}
		x.Before = func(_ *store.Tx, h *models.ResourceHandler) error {
			if h.ID == kept.ID {
				return fault.Conflictf("It stays.")
			}
			return nil
		}
		x.refused("in use", fault.Conflict, func() error {
			err := x.Delete(ctx, admin, used.ID.String())
			if fault.Message(err) != "It still has environments." {
				t.Errorf("in use: %v", err)
			}
			return err
		})
		x.refused("kept", fault.Conflict, func() error { return x.Delete(ctx, admin, kept.ID.String()) })
		x.refused("no right", fault.Forbidden, func() error { return x.Delete(ctx, viewer, free.ID.String()) })
		if err := x.Delete(ctx, admin, free.ID.String()); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Find(ctx, admin, free.ID.String()); !fault.Is(err, fault.NotFound) {
			t.Errorf("it is still there: %v", err)
		}
		if events := x.events(free.ID); len(events) != 2 || events[1].Event != "deleted" {
			t.Errorf("history has %+v", events)
		}
	})
}

func TestImport(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, x := context.Background(), newShelf(t, s)
		fill := func(description string) func(*store.Tx, *models.ResourceHandler) error {
			return func(_ *store.Tx, h *models.ResourceHandler) error {
				h.Name, h.Kind, h.Description = "Cellar", models.HandlerSimulated, description
				return nil
			}
		}
		made, replaced, err := x.Import(ctx, admin, "Cellar", true, fill("first"))
		if err != nil || replaced || made.ID == 0 {
			t.Fatalf("%+v, %t, %v", made, replaced, err)
		}
		if _, err := x.Update(ctx, admin, made.ID.String(), func(h *models.ResourceHandler) error { h.Password = "canary"; return nil }); err != nil {
			t.Fatal(err)
		}
		again, replaced, err := x.Import(ctx, admin, "Cellar", true, fill("second"))
		if err != nil || !replaced || again.ID != made.ID || again.Version != 3 || again.Password != "canary" {
			t.Errorf("%+v, %t, %v", again, replaced, err)
		}
		var told []string
		for _, e := range x.events(made.ID) {
			told = append(told, e.Event+e.Before+e.After)
		}
		if want := []string{"imported", "changed{}{}", `imported{"Description":"first"}{"Description":"second"}`}; !slices.Equal(told, want) {
			t.Errorf("history has %q", told)
		}
		into := func(a access.Actor, replace bool, fill func(*store.Tx, *models.ResourceHandler) error, name string) func() error {
			return func() error { _, _, err := x.Import(ctx, a, name, replace, fill); return err }
		}
		x.refused("a name that is taken", fault.Conflict, into(admin, false, fill("third"), "Cellar"))
		x.refused("no right to replace", fault.Forbidden, into(viewer, true, fill("third"), "Cellar"))
		x.refused("no right to create", fault.Forbidden, into(viewer, true, func(_ *store.Tx, h *models.ResourceHandler) error { *h = *handler("New"); return nil }, "New"))
		x.refused("no right to what it becomes", fault.Forbidden, into(admin, true, fill("not yours"), "Cellar"))
		x.refused("not valid", fault.Invalid, into(admin, true, func(_ *store.Tx, h *models.ResourceHandler) error { h.Name = ""; return nil }, "Cellar"))
		x.refused("given up", fault.Invalid, into(admin, true, func(tx *store.Tx, _ *models.ResourceHandler) error {
			if err := store.Insert(tx, handler("Stray")); err != nil {
				return err
			}
			return fault.Invalidf("No.")
		}, "New"))
	})
}
