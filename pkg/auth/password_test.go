package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halcyon/pkg/fault"
)

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := NewHasher(newClock().Now)
	stored, err := h.Hash(ctx, "pässword")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the PHC string is %s", stored)
	}
	if again, _ := h.Hash(ctx, "pässword"); again == stored {
		t.Error("two hashes have one salt")
	}
	for _, plain := range []string{"", "passwor", "Pässword", "pässword ", "pässword\x00", stored} {
		if ok, err := h.verify(ctx, stored, plain, nil); ok || err != nil {
			t.Errorf("%q: %v %v", plain, ok, err)
		}
	}
	if ok, err := h.verify(ctx, stored, "pässword", nil); !ok || err != nil {
		t.Errorf("the right one: %v %v", ok, err)
	}
}

// The vector is from test.c of the reference implementation: argon2id, m=65536, t=2, p=1.
func TestPasswordHashOfOthers(t *testing.T) {
	t.Parallel()
	h := NewHasher(newClock().Now)
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := h.verify(context.Background(), stored, "password", nil); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestUnreadableHashes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := NewHasher(newClock().Now)
	good, err := h.Hash(ctx, "password")
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	bad := []string{
		"", "password", "$", "$$$$$", "!", h.dummy,
		swap("argon2id", "argon2i"), swap("v=19", "v=16"), swap("m=19456", "m=99999999"), swap("m=19456", "m=+19456"),
		swap("t=2", "t=0"), swap("t=2", "t=1000"), swap("p=1", "p=0"), swap("p=1", "p=255"), swap("p=1", "p=1,x=1"),
		good + "=", good + "$", good[:len(good)-30], strings.Join(strings.Split(good, "$")[:5], "$") + "$",
		"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	}
	for _, stored := range bad {
		before := h.computed.Load()
		if ok, err := h.verify(ctx, stored, "password", nil); ok || err != nil {
			t.Errorf("%q: %v %v", stored, ok, err)
		}
		if h.computed.Load() != before+1 {
			t.Errorf("%q costs no hash", stored)
		}
	}
	before, dummies := h.computed.Load(), h.dummies.Load()
	if _, err := h.verify(ctx, "", "password", nil); err != nil || h.computed.Load() != before+1 || h.dummies.Load() != dummies+1 {
		t.Errorf("the dummy: %v", err)
	}
}

func TestVerifiedPairs(t *testing.T) {
	t.Parallel()
	ctx, c := context.Background(), newClock()
	h := NewHasher(c.Now)
	old, err := h.Hash(ctx, "old one")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := h.Hash(ctx, "new one")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(stored, plain string, want bool, hashes int64) {
		t.Helper()
		before := h.computed.Load()
		if ok, err := h.verify(ctx, stored, plain, nil); ok != want || err != nil {
			t.Errorf("%s: %v %v", plain, ok, err)
		}
		if n := h.computed.Load() - before; n != hashes {
			t.Errorf("%s: %d hashes, not %d", plain, n, hashes)
		}
	}
	verify(old, "old one", true, 1)
	verify(old, "old one", true, 0)
	verify(old, "new one", false, 1)
	verify(old, "new one", false, 1) // failures are not cached
	verify(fresh, "old one", false, 1)
	verify(fresh, "new one", true, 1)
	verify(old[:len(old)-1], "x", false, 1)
	c.turn(pairLife)
	verify(old, "old one", true, 1)
	if other := NewHasher(c.Now); other.pair(old, "old one") == h.pair(old, "old one") {
		t.Error("two processes key their pairs alike")
	}
	for i := range 3 * pairsKept {
		h.pairs.Put([32]byte{byte(i), byte(i >> 8), 1}, struct{}{}, c.Now().Add(time.Minute))
	}
	if n := h.pairs.Len(); n > pairsKept {
		t.Errorf("%d pairs are kept", n)
	}
}

func TestHerdOfOnePair(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := NewHasher(newClock().Now)
	stored, err := h.Hash(ctx, "password")
	if err != nil {
		t.Fatal(err)
	}
	before := h.computed.Load()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if ok, err := h.verify(ctx, stored, "password", nil); !ok || err != nil {
				t.Errorf("%v %v", ok, err)
			}
		})
	}
	wg.Wait()
	if n := h.computed.Load() - before; n > hashesAtOnce {
		t.Errorf("%d hashes for one pair", n)
	}
}

func TestTwoHashesAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(newClock().Now)
		for range hashesAtOnce {
			if err := h.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.Hash(ctx, "x"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("whoever gives up waiting: %v", err)
		}
		results := make(chan error, maxWaiting+1)
		for range maxWaiting + 1 {
			go func() {
				err := h.acquire(t.Context())
				if err == nil {
					h.release()
				}
				results <- err
			}()
		}
		synctest.Wait()
		select {
		case err := <-results:
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("one too many: %v", err)
			}
		default:
			t.Fatal("everybody waits")
		}
		h.release()
		h.release()
		for range maxWaiting {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	for plain, good := range map[string]bool{
		"": false, "abc": false, "    ": false, "\t\n  \t": false, "äöü": false, "ab\xffcd": false, strings.Repeat("x", 1025): false,
		"abcd": true, "äöüß": true, " a b": true, strings.Repeat("x", 1024): true,
	} {
		err := checkPassword(plain)
		if good != (err == nil) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20q: %v", plain, err)
		}
		if err != nil && len(plain) > 2 && strings.TrimSpace(plain) != "" && strings.Contains(err.Error(), plain) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), noon
	key := throttleKey("Alice", "192.0.2.1")
	if key != throttleKey("aLICE", "192.0.2.1") || key == throttleKey("alice", "192.0.2.2") || key == throttleKey("alic", "e192.0.2.1") {
		t.Error("keys")
	}
	fail := func(n int) {
		for range n {
			th.failed(key, now)
		}
	}
	fail(9)
	if w := th.wait(key, now); w != 0 {
		t.Errorf("closed after nine: %v", w)
	}
	now = now.Add(throttleWindow + time.Second) // nine failures are forgotten
	fail(9)
	if w := th.wait(key, now); w != 0 {
		t.Errorf("closed after nine: %v", w)
	}
	fail(1)
	for _, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		w := th.wait(key, now)
		if w != want*time.Minute {
			t.Errorf("closed for %v, not %v minutes", w, int64(want))
		}
		now = now.Add(w)
		if th.wait(key, now) != 0 {
			t.Error("closed for longer than it said")
		}
		fail(10)
	}
	now = now.Add(throttleForget + time.Minute)
	fail(10)
	if w := th.wait(key, now); w != time.Minute {
		t.Errorf("after an hour of peace: %v", w)
	}
	th.succeeded(key)
	if th.wait(key, now) != 0 {
		t.Error("closed after a success")
	}
	fail(10)
	for i := range throttleKept + 100 {
		th.failed(throttleKey("x", string(rune(i))), now)
	}
	if n := th.seen.Len(); n > throttleKept {
		t.Errorf("%d are kept", n)
	}
	if th.wait(key, now) == 0 {
		t.Error("a flood of names opened what was closed")
	}
}

func BenchmarkPasswordHash(b *testing.B) {
	h := NewHasher(newClock().Now)
	for b.Loop() {
		if _, err := h.Hash(context.Background(), "password"); err != nil {
			b.Fatal(err)
		}
	}
}
