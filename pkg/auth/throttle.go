package auth

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
)

// The throttle: after ten failures for one username from one source within five minutes, attempts are
// refused for one minute, then for two, four, eight and at most fifteen, until a sign-in succeeds or an
// hour passes without a failure.
const (
	throttleFails  = 10
	throttleWindow = 5 * time.Minute
	throttleFirst  = time.Minute
	throttleMost   = 15 * time.Minute
	throttleForget = time.Hour
	throttleKept   = 10_000 // username and source pairs in memory
)

// throttle counts failed sign-ins in the memory of this process. With n replicas behind a load balancer an
// attacker has n times the tries, and a restart resets the counts. Sharing them would take a table in the
// database.
type throttle struct {
	mu   sync.Mutex // held from reading an entry to writing it
	seen *cache.Cache[[sha256.Size]byte, attempts]
}

type attempts struct {
	fails  int       // since first
	first  time.Time // first failure of the window
	last   time.Time // last failure of all
	locks  int       // number of times it was closed
	closed time.Time // closed until
}

func newThrottle() *throttle {
	return &throttle{seen: cache.New[[sha256.Size]byte, attempts](throttleKept)}
}

// throttleKey returns a key of fixed size for a name of any size. It does not depend on whether the user
// exists, or the refusal would reveal it.
func throttleKey(username, source string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.ToLower(username) + "\x00" + source))
}

// wait returns how long the key stays closed from now, 0 for open.
func (t *throttle) wait(key [sha256.Size]byte, now time.Time) time.Duration {
	a, _ := t.seen.Get(key, now)
	return max(0, a.closed.Sub(now))
}

func (t *throttle) succeeded(key [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Delete(key)
}

func (t *throttle) failed(key [sha256.Size]byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, _ := t.seen.Get(key, now)
	if now.Sub(a.last) > throttleForget {
		a = attempts{}
	}
	if now.Sub(a.first) > throttleWindow {
		a.fails, a.first = 0, now
	}
	a.last = now
	if a.fails++; a.fails >= throttleFails {
		a.closed = now.Add(min(throttleFirst<<min(a.locks, 10), throttleMost))
		a.locks++
		a.fails = 0
	}
	t.seen.Put(key, a, a.expires())
}

// expires returns when the failures are forgotten. The cache evicts the entry that expires first, so closed
// entries expire after all open ones: guessing at many names opens none of them.
func (a *attempts) expires() time.Time {
	if a.closed.After(a.last) {
		return a.closed.Add(throttleForget)
	}
	return a.last.Add(throttleForget)
}

// limitedError is the cause of a refusal by the throttle.
type limitedError struct{ after time.Duration }

func (e *limitedError) Error() string { return "locked for " + e.after.String() }

// RetryAfter returns the time after which a refused sign-in may be retried, for the Retry-After field, in
// whole seconds rounded up. It returns false for other errors.
func RetryAfter(err error) (time.Duration, bool) {
	var e *limitedError
	if !errors.As(err, &e) {
		return 0, false
	}
	return (e.after + time.Second - 1).Truncate(time.Second), true
}

func limited(after time.Duration) error {
	minutes := int64((after + time.Minute - 1) / time.Minute)
	unit := "minutes"
	if minutes == 1 {
		unit = "minute"
	}
	return fault.Wrap(fault.Limited, &limitedError{after}, "Too many failed sign-ins. Try again in %d %s.", minutes, unit)
}

// gate is the guard of one attempt.
type gate struct {
	throttle *throttle
	key      [sha256.Size]byte
	now      func() time.Time
}

func (g *gate) allow() error {
	if after := g.throttle.wait(g.key, g.now()); after > 0 {
		return limited(after)
	}
	return nil
}

func (g *gate) outcome(ok bool) {
	if ok {
		g.throttle.succeeded(g.key)
		return
	}
	g.throttle.failed(g.key, g.now())
}
