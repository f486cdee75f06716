// Package cache keeps values in memory that are read often and change rarely. It is
// the one cache of Halcyon: bounded, with one eviction, dropped by the store's
// signals.
//
// It does not know what it keeps. Copies of whole tables are not in it: they answer
// questions about all rows at once (see pkg/refdata), so that none of them may be
// missing. Nor are tables of types and documents that are filled once and never
// change.
package cache

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/store"
)

// Cache is a bounded map from keys to values. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	capacity int
	tables   *Tables[V] // nil for values that do not come from the database

	mu         sync.RWMutex
	generation uint64 // counts purges: a value that was read before one is not kept after it
	entries    map[K]entry[V]
}

type entry[V any] struct {
	value   V
	expires time.Time // zero for no limit
}

// Tables names the tables that the values are read from.
//
// A value is out of date for as long as a change takes to reach this process:
// milliseconds by PostgreSQL's notifications, half a second between processes on
// SQLite. While other processes' changes are not heard, nothing is kept and nothing
// that was kept is used.
type Tables[V any] struct {
	Store  *store.Store
	Topics []string // of the signals that announce a change

	// Owner returns the id that a signal's key names. A signal with a key then drops
	// the entries of that owner only. Nil means that every signal drops everything.
	Owner func(V) models.ID
}

// New returns an empty cache of at most capacity entries, which no signal drops.
func New[K comparable, V any](capacity int) *Cache[K, V] {
	return &Cache[K, V]{capacity: capacity, entries: map[K]entry[V]{}}
}

// OfTables returns an empty cache of at most capacity entries, which are dropped when
// a signal announces a change of the tables.
func OfTables[K comparable, V any](capacity int, t Tables[V]) *Cache[K, V] {
	c := New[K, V](capacity)
	c.tables = &t
	t.Store.OnSignal(c.signal)
	return c
}

// Row returns the row of the key from the cache, or from load, which reads it with tx.
// The caller may change the row, but not what its slices and pointers lead to: those
// are shared. A transaction that has changed one of the tables neither uses nor fills
// the cache: it sees what it has not committed. Errors are load's, and are not kept.
func Row[K comparable, T any](c *Cache[K, T], tx *store.Tx, key K, load func() (*T, error)) (*T, error) {
	if c.tables != nil && tx.Signals(c.tables.Topics...) {
		return load()
	}
	if row, ok := c.Get(key, tx.Now); ok {
		return &row, nil
	}
	row, err := c.Load(key, func() (T, error) {
		row, err := load()
		if err != nil {
			var none T
			return none, err
		}
		return *row, nil
	})
	if err != nil {
		return nil, err
	}
	return &row, nil
}

// Get returns the value of the key, and false when there is none whose limit is after
// now. Entries without a limit are found at any time.
func (c *Cache[K, V]) Get(key K, now time.Time) (V, bool) {
	if c.live() {
		c.mu.RLock()
		e, ok := c.entries[key]
		c.mu.RUnlock()
		if ok && (e.expires.IsZero() || now.Before(e.expires)) {
			return e.value, true
		}
	}
	var none V
	return none, false
}

// Load calls load and keeps its value without a limit. The lock is not held meanwhile.
// A value that was read before a purge may be what the purge was about, so it is
// returned and not kept. Errors are load's, and are not kept either.
func (c *Cache[K, V]) Load(key K, load func() (V, error)) (V, error) {
	c.mu.RLock()
	generation := c.generation
	c.mu.RUnlock()
	value, err := load()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation && c.live() {
		c.keep(key, entry[V]{value: value})
	}
	return value, nil
}

// Put keeps a value until expires; a zero time means no limit. It is for values that
// no change elsewhere makes wrong, such as a verified signature: use Load for the rest.
func (c *Cache[K, V]) Put(key K, value V, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, entry[V]{value, expires})
}

// Len returns the number of entries, those beyond their limit among them.
func (c *Cache[K, V]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

// Delete drops the entry of the key, if there is one.
func (c *Cache[K, V]) Delete(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

// Purge drops all entries.
func (c *Cache[K, V]) Purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	clear(c.entries)
}

// purgeOwner drops the entries of an owner. It looks at all of them: changes are rare,
// and an index by owner would have to be kept right by every Load.
func (c *Cache[K, V]) purgeOwner(owner models.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for key, e := range c.entries {
		if c.tables.Owner(e.value) == owner {
			delete(c.entries, key)
		}
	}
}

// signal drops what a signal of the store is about. An empty topic says that signals
// may have been missed.
func (c *Cache[K, V]) signal(topic, key string) {
	if topic != "" && !slices.Contains(c.tables.Topics, topic) {
		return
	}
	owner, err := strconv.ParseInt(key, 10, 64)
	if topic == "" || c.tables.Owner == nil || err != nil { // no key, or one of another release
		c.Purge()
		return
	}
	c.purgeOwner(models.ID(owner))
}

// live reports whether what is kept follows the changes of other processes.
func (c *Cache[K, V]) live() bool { return c.tables == nil || c.tables.Store.SignalsLive() }

// keep needs the lock.
func (c *Cache[K, V]) keep(key K, e entry[V]) {
	if _, have := c.entries[key]; !have && len(c.entries) >= c.capacity {
		c.evict()
	}
	c.entries[key] = e
}

// sample is how many entries evict compares: comparing all of them would cost more
// than the cache saves.
const sample = 8

// evict drops the entry of a random sample whose limit comes first. Entries without a
// limit come last, in random order. It needs the lock.
func (c *Cache[K, V]) evict() {
	var victim K
	var first time.Time
	compared := 0
	for key, e := range c.entries { // in random order
		if compared == 0 || !e.expires.IsZero() && (first.IsZero() || e.expires.Before(first)) {
			victim, first = key, e.expires
		}
		if compared++; compared == sample {
			break
		}
	}
	delete(c.entries, victim)
}
