package auth

import (
	"strconv"
	"sync"

	"halcyon/models"
)

// rowsKept is how many live rows of a kind are remembered.
const rowsKept = 4096

// userCache remembers rows by a key, and whose they are, so that all of a user's can be
// forgotten at once. It never remembers that a row is missing.
type userCache[K comparable, V any] struct {
	mu     sync.RWMutex
	epoch  uint64 // counts what was forgotten: a row read before is not remembered after
	byKey  map[K]owned[V]
	byUser map[models.ID]map[K]struct{}
}

type owned[V any] struct {
	user models.ID
	row  *V
}

func newKept[K comparable, V any]() *userCache[K, V] {
	k := &userCache[K, V]{}
	k.forgetAll()
	return k
}

// get gives what is remembered, nil for nothing, and the epoch for put.
func (k *userCache[K, V]) get(key K) (*V, uint64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byKey[key].row, k.epoch
}

// put remembers a row, unless something was forgotten since epoch: it may have been
// read just before the change that the signal was about.
func (k *userCache[K, V]) put(key K, user models.ID, row *V, epoch uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		return
	}
	if _, have := k.byKey[key]; !have && len(k.byKey) >= rowsKept {
		for victim, v := range k.byKey { // in random order
			delete(k.byKey, victim)
			k.unlink(v.user, victim)
			break
		}
	}
	k.byKey[key] = owned[V]{user, row}
	if k.byUser[user] == nil {
		k.byUser[user] = make(map[K]struct{})
	}
	k.byUser[user][key] = struct{}{}
}

// unlink needs the lock.
func (k *userCache[K, V]) unlink(user models.ID, key K) {
	delete(k.byUser[user], key)
	if len(k.byUser[user]) == 0 {
		delete(k.byUser, user)
	}
}

// heard forgets what a signal with this key is about: a user's rows, or all.
func (k *userCache[K, V]) heard(key string) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		k.forgetAll() // nothing in particular, or somebody else's idea of a key
		return
	}
	user := models.ID(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epoch++
	for key := range k.byUser[user] {
		delete(k.byKey, key)
	}
	delete(k.byUser, user)
}

func (k *userCache[K, V]) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epoch++
	k.byKey = make(map[K]owned[V])
	k.byUser = make(map[models.ID]map[K]struct{})
}
