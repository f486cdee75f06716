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

// The throttle: ten failures for one username from one source within five minutes
// are answered by a minute's refusal, then by two, four, eight and at most fifteen,
// until a sign-in succeeds or an hour passes without a failure.
const (
	throttleFails  = 10
	throttleWindow = 5 * time.Minute
	throttleFirst  = time.Minute
	throttleMost   = 15 * time.Minute
	throttleForget = time.Hour
	throttleKept   = 10_000 // username and source pairs in memory
)

// throttle counts failed sign-ins in the memory of this process. With n replicas
// behind a balancer that spreads callers a guesser has n times the tries, and a
// restart forgets them: a table in the database is for a later slice.
type throttle struct {
	mu   sync.Mutex // from reading an entry to writing it
	seen *cache.Cache[[sha256.Size]byte, attempts]
}

type attempts struct {
	fails  int       // since first
	first  time.Time // failure of the window
	last   time.Time // failure at all
	locks  int       // how often it was closed
	closed time.Time // until then
}

func newThrottle() *throttle {
	return &throttle{seen: cache.New[[sha256.Size]byte, attempts](throttleKept)}
}

// throttleKey is of a fixed size whatever is sent as a name. Whether the user
// exists does not matter to it, or the refusal would tell.
func throttleKey(username, source string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.ToLower(username) + "\x00" + source))
}

// wait returns for how long the key is closed from now, 0 for open.
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

// expires returns when the failures are forgotten. The cache makes room at the cost of
// the one that comes first, so what is closed comes after all that is open: guessing
// at many names opens none of them.
func (a *attempts) expires() time.Time {
	if a.closed.After(a.last) {
		return a.closed.Add(throttleForget)
	}
	return a.last.Add(throttleForget)
}

// limitedError is the cause of a refusal by the throttle.
type limitedError struct{ after time.Duration }

func (e *limitedError) Error() string { return "locked for " + e.after.String() }

// RetryAfter returns the time after which a refused sign-in may be tried again, for
// the Retry-After field, in whole seconds rounded up. It is false for errors that
// are not the throttle's.
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
