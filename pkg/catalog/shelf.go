package catalog

import (
	"slices"
	"sync"

	"halcyon/models"
	"halcyon/pkg/directory"
	"halcyon/pkg/store"
)

// shelf keeps what orders have asked of the catalogue, until any of it changes.
// Every order asks the same few questions, whose answers change once a week.
//
// An answer is as old as a change's way to this process at most: milliseconds by
// PostgreSQL's notifications, half a second between processes on SQLite. While
// signals are not heard nothing is kept and nothing that was kept is used, and a
// transaction that changes the catalogue itself does not look here.
type shelf struct {
	store *store.Store
	mu    sync.RWMutex
	age   uint64 // counts how often everything was forgotten
	kept  map[question]any
}

// question is what was asked: a kind of answer, for whom, and about what.
type question struct {
	kind    string
	group   models.ID
	id      models.ID
	handler models.ID
	name    string
}

// shelved are the tables from which the answers come.
var shelved = []string{
	directory.Groups, directory.Environment, directory.Blueprints,
	directory.OSBuilds, directory.Sizes, directory.Handlers,
}

// shelfSize is how many answers are kept: the group times what it may order, for
// some hundred groups.
const shelfSize = 8192

func newShelf(s *store.Store) *shelf {
	sh := &shelf{store: s, kept: map[question]any{}}
	s.OnSignal(func(topic, _ string) {
		if topic == "" || slices.Contains(shelved, topic) {
			sh.forget()
		}
	})
	return sh
}

func (sh *shelf) forget() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.age++
	clear(sh.kept)
}

// ask gives a copy of the answer that is kept, or reads it within the
// transaction. Slices of the answer are shared: nobody may change them.
func ask[T any](sh *shelf, tx *store.Tx, q question, read func() (*T, error)) (*T, error) {
	if !sh.store.SignalsLive() || tx.Signals(shelved...) {
		return read()
	}
	sh.mu.RLock()
	age, have := sh.age, sh.kept[q]
	sh.mu.RUnlock()
	if row, ok := have.(*T); ok {
		c := *row
		return &c, nil
	}
	row, err := read()
	if err != nil {
		return nil, err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	// What changed while it was read may have been missed.
	if sh.age == age && sh.store.SignalsLive() {
		if len(sh.kept) >= shelfSize {
			clear(sh.kept)
		}
		c := *row
		sh.kept[q] = &c
	}
	return row, nil
}

// Group gives a group by id, NotFound when there is none.
func (c *Service) Group(tx *store.Tx, id models.ID) (*models.Group, error) {
	return ask(c.shelf, tx, question{kind: "group", id: id}, func() (*models.Group, error) {
		return store.First[models.Group](tx.Where("id = ?", id))
	})
}

// OSBuild gives an OS build by id, without its templates. NotFound when there is none.
func (c *Service) OSBuild(tx *store.Tx, id models.ID) (*models.OSBuild, error) {
	return ask(c.shelf, tx, question{kind: "os build", id: id}, func() (*models.OSBuild, error) {
		return store.First[models.OSBuild](tx.Where("id = ?", id))
	})
}

// Template gives an OS build's template in a resource handler, NotFound when it has none.
func (c *Service) Template(tx *store.Tx, build, handler models.ID) (*models.OSBuildTemplate, error) {
	return ask(c.shelf, tx, question{kind: "template", id: build, handler: handler}, func() (*models.OSBuildTemplate, error) {
		return store.First[models.OSBuildTemplate](tx.Where("os_build_id = ? AND handler_id = ?", build, handler))
	})
}

// Size gives a size by id, NotFound when there is none.
func (c *Service) Size(tx *store.Tx, id models.ID) (*models.Size, error) {
	return ask(c.shelf, tx, question{kind: "size", id: id}, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("id = ?", id))
	})
}

// SizeByName gives a size by its name, NotFound when there is none.
func (c *Service) SizeByName(tx *store.Tx, name string) (*models.Size, error) {
	return ask(c.shelf, tx, question{kind: "size", name: name}, func() (*models.Size, error) {
		return store.First[models.Size](tx.Where("name = ?", name))
	})
}
