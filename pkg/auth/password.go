package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
)

// The cost of a password hash: the second choice of OWASP's password storage
// cheat sheet (argon2id, 19 MiB, t=2, p=1), about 22 ms of one core.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltSize     = 16 // bytes
	hashSize     = 32 // bytes
)

// The limits of a stored hash. They keep a row written by another program from blocking the service.
const (
	maxArgonMemory  = 64 * 1024 // KiB
	maxArgonTime    = 10
	maxArgonThreads = 4
)

// The password policy.
const (
	MinPassword = 4    // characters
	maxPassword = 1024 // bytes
)

const (
	hashesAtOnce = 2               // 19 MiB each
	maxWaiting   = 512             // callers queueing for a hash: the last waits about six seconds
	pairsKept    = 1000            // verified pairs in memory
	pairLife     = 5 * time.Minute // of a verified pair
)

// Hasher hashes and checks passwords with argon2id, at most two at a time. It caches for a short time which
// password was right for which hash, because some clients sign in before every request. It is safe for
// concurrent use.
type Hasher struct {
	now     func() time.Time
	slots   chan struct{}
	waiting atomic.Int64
	dummy   string // a hash that no password has

	// The key of pairs is an HMAC under a secret of this process. A dump of the memory is useless for a
	// dictionary attack without the secret. The stored hash is part of the key, so the entry of the old
	// password becomes unreachable when the hash changes.
	secret [32]byte
	pairs  *cache.Cache[[sha256.Size]byte, struct{}]

	computed atomic.Int64 // for tests: number of hashes; tests assert equal time as equal work
	dummies  atomic.Int64 // for tests: hashes for missing users
}

// NewHasher returns a hasher. now is the clock for the age of cached pairs.
func NewHasher(now func() time.Time) *Hasher {
	h := &Hasher{
		now:   now,
		slots: make(chan struct{}, hashesAtOnce),
		pairs: cache.New[[sha256.Size]byte, struct{}](pairsKept),
	}
	_, _ = rand.Read(h.secret[:]) // crypto/rand never fails
	var salt [saltSize]byte
	var sum [hashSize]byte
	_, _ = rand.Read(salt[:])
	_, _ = rand.Read(sum[:])
	h.dummy = phc(salt[:], sum[:])
	return h
}

// checkPassword reports whether a new password is acceptable: 4 characters to 1,024
// bytes of UTF-8, and not only blanks. The error is Invalid and names /password.
func checkPassword(plain string) error {
	switch {
	case !utf8.ValidString(plain):
		return fault.InvalidField(fault.Member("password"), "is no UTF-8 text")
	case strings.TrimSpace(plain) == "":
		return fault.InvalidField(fault.Member("password"), "may not be blank")
	case utf8.RuneCountInString(plain) < MinPassword:
		return fault.InvalidField(fault.Member("password"), "needs at least %d characters", MinPassword)
	case len(plain) > maxPassword:
		return fault.InvalidField(fault.Member("password"), "is longer than %d bytes", maxPassword)
	}
	return nil
}

// Hash returns the argon2id hash of a password with a new salt, as a PHC string
// (https://github.com/P-H-C/phc-string-format). It does not call checkPassword. It waits for a slot: the
// error is Unavailable if ctx ends first or too many callers wait.
func (h *Hasher) Hash(ctx context.Context, plain string) (string, error) {
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	h.computed.Add(1)
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // crypto/rand never fails
	return phc(salt[:], argon2.IDKey([]byte(plain), salt[:], argonTime, argonMemory, argonThreads, hashSize)), nil
}

// guard limits attempts. verify calls allow when its turn has come, and outcome before the next one's turn:
// between the two, only the other slot can check a password.
type guard interface {
	allow() error
	outcome(ok bool)
}

// verify reports whether the password matches the stored PHC string, under an optional guard. A pair that
// was right within the last five minutes costs a microsecond. Everything else costs one hash, even an
// unreadable stored string. For missing users pass "", which takes as long as a wrong password. Errors are
// those of Hash and of the guard.
func (h *Hasher) verify(ctx context.Context, stored, plain string, g guard) (bool, error) {
	if h.remembered(stored, plain) {
		if g != nil {
			g.outcome(true)
		}
		return true, nil
	}
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer h.release()
	ok := h.remembered(stored, plain) // the previous caller may have checked the same pair
	if !ok {
		if g != nil {
			if err := g.allow(); err != nil {
				return false, err
			}
		}
		if ok = h.compare(stored, plain); ok {
			h.pairs.Put(h.pair(stored, plain), struct{}{}, h.now().Add(pairLife))
		}
	}
	if g != nil {
		g.outcome(ok)
	}
	return ok, nil
}

func (h *Hasher) compare(stored, plain string) bool {
	p, ok := parsePHC(stored)
	if !ok {
		h.dummies.Add(1)
		p, _ = parsePHC(h.dummy)
	}
	h.computed.Add(1)
	sum := argon2.IDKey([]byte(plain), p.salt, p.time, p.memory, p.threads, uint32(len(p.sum))) //nolint:gosec // parsePHC bounds it
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && ok
}

func (h *Hasher) remembered(stored, plain string) bool {
	if stored == "" {
		return false
	}
	_, ok := h.pairs.Get(h.pair(stored, plain), h.now())
	return ok
}

func (h *Hasher) pair(stored, plain string) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, h.secret[:])
	mac.Write([]byte(stored))
	mac.Write([]byte{0}) // a PHC string has no zero byte: no two pairs are concatenated alike
	mac.Write([]byte(plain))
	mac.Sum(key[:0])
	return key
}

func (h *Hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return fault.New(fault.Unavailable, "Too many sign-ins at once, try again.")
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "The request was given up.")
	}
}

func (h *Hasher) release() { <-h.slots }

// phcHash is a parsed PHC string; memory is in KiB.
type phcHash struct {
	memory, time uint32
	threads      uint8
	salt, sum    []byte
}

func phc(salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

func parsePHC(text string) (p phcHash, ok bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, false
	}
	// Sscanf ignores trailing text; comparing the formatted string does not.
	if parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads) ||
		p.memory < 8 || p.memory > maxArgonMemory || p.time < 1 || p.time > maxArgonTime || p.threads < 1 || p.threads > maxArgonThreads {
		return p, false
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return p, false
	}
	if p.sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(p.sum) < 16 || len(p.sum) > 64 {
		return p, false
	}
	return p, true
}
