package auth

import (
	"sync"
	"time"
)

// cache is a bounded map whose entries die at a time of their own. When it is
// full, a new entry pushes out a dead one, or the one of a few that would die
// first: looking at all of them would cost more than what is remembered saves.
type cache[K comparable, V any] struct {
	mu      sync.RWMutex
	max     int
	entries map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

// sample is how many entries are looked at to find one to push out.
const sample = 8

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{max: size, entries: make(map[K]entry[V])}
}

// get gives the value, unless it is dead at the instant.
func (c *cache[K, V]) get(key K, now time.Time) (V, bool) {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if !ok || !now.Before(e.until) {
		var none V
		return none, false
	}
	return e.value, true
}

// put remembers the value until then.
func (c *cache[K, V]) put(key K, value V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, have := c.entries[key]; !have && len(c.entries) >= c.max {
		c.evict()
	}
	c.entries[key] = entry[V]{value, until}
}

// evict needs the lock.
func (c *cache[K, V]) evict() {
	var victim K
	var first time.Time
	seen := 0
	for k, e := range c.entries { // in random order
		if seen == 0 || e.until.Before(first) {
			victim, first = k, e.until
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(c.entries, victim)
}

func (c *cache[K, V]) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}
