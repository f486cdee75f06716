// Package shelf keeps what is read again and again and hardly ever changes, until
// a signal says that it may have.
package shelf

import (
	"slices"
	"sync"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Shelf keeps answers that are made of some tables.
//
// An answer is as old as a change's way to this process at most: milliseconds by
// PostgreSQL's notifications, half a second between processes on SQLite. While
// signals are not heard nothing is kept and nothing that was kept is used, and a
// transaction that changes one of the tables itself does not look here.
type Shelf struct {
	store  *store.Store
	tables []string
	mu     sync.RWMutex
	age    uint64 // counts how often everything was forgotten
	kept   map[Question]any
}

// Question is what was asked: a kind of answer, and about what.
type Question struct {
	Kind string
	A, B models.ID
	Name string
}

// size is how many answers are kept: the group times what it may order, for some
// hundred groups.
const size = 8192

// New makes an empty shelf for answers that are made of these tables, as signals
// name them.
func New(s *store.Store, tables ...string) *Shelf {
	sh := &Shelf{store: s, tables: tables, kept: map[Question]any{}}
	s.OnSignal(func(topic, _ string) {
		if topic == "" || slices.Contains(tables, topic) {
			sh.forget()
		}
	})
	return sh
}

func (sh *Shelf) forget() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.age++
	clear(sh.kept)
}

// Ask gives a copy of the answer that is kept, or reads it; tx is what it is read
// in. Slices of the answer are shared: nobody may change them. Errors are not kept.
func Ask[T any](sh *Shelf, tx *store.Tx, q Question, read func() (*T, error)) (*T, error) {
	if !sh.store.SignalsLive() || tx.Signals(sh.tables...) {
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
		if len(sh.kept) >= size {
			clear(sh.kept)
		}
		c := *row
		sh.kept[q] = &c
	}
	return row, nil
}
