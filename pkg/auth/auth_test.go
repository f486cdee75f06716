package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// directory reads the users' rows on every call. When frozen, it returns the rows that it had read, like a
// cache that has missed a change.
type directory struct {
	store *store.Store
	err   error // error to return

	mu     sync.Mutex
	frozen bool
	seen   map[string]*models.User
}

func (d *directory) find(ctx context.Context, where, value string) (*models.User, error) {
	if d.err != nil {
		return nil, d.err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if u, ok := d.seen[value]; ok && d.frozen {
		return u, nil
	}
	u, err := store.First[models.User](d.store.Read(ctx).Where(where, strings.ToLower(value)))
	if err == nil {
		d.seen[u.Username], d.seen[u.UUID], d.seen[u.ID.String()] = u, u, u
	}
	return u, err
}

func (d *directory) UserByName(ctx context.Context, name string) (*models.User, error) {
	return d.find(ctx, "lower(username) = ?", name)
}

func (d *directory) UserByUUID(ctx context.Context, uuid string) (*models.User, error) {
	return d.find(ctx, "uuid = ?", uuid)
}

func (d *directory) UserByID(ctx context.Context, id models.ID) (*models.User, error) {
	return d.find(ctx, "id = ?", id.String())
}

func (d *directory) Rights(context.Context, models.ID) (*access.Rights, error) {
	return &access.Rights{Own: []models.ID{7}, Named: []models.ID{7}}, d.err
}

// world is one replica and its environment.
type world struct {
	*Service
	t     testing.TB
	url   string
	clock *clock
	forge *forge
	users *directory
}

func eachWorld(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	for name, url := range storetest.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, url: url(t), clock: newClock(), forge: newForge(t, "ed")}
			w.open()
			w.addUser("alice", "wonderland", true)
			w.addUser("bob", "builder", true)
			w.addUser("eve", "disabled", false)
			w.addUser("nopass", "", true)
			fn(t, w)
		})
	}
}

func (w *world) open() {
	w.t.Helper()
	st, err := store.Open(context.Background(), store.Config{URL: w.url, MaxConns: 6, Clock: w.clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(st.Close)
	w.users = &directory{store: st, seen: make(map[string]*models.User)}
	w.Service = New(Config{Store: st, Users: w.users, Issuer: newIssuer(w.t, w.forge.keys, w.clock)})
}

// replica returns another process on the same database with the same keys. Both listen.
func (w *world) replica() *world {
	w.t.Helper()
	r := &world{t: w.t, url: w.url, clock: w.clock, forge: w.forge}
	r.open()
	for _, st := range []*store.Store{w.store, r.store} {
		st.Listen()
		for !st.SignalsLive() {
			time.Sleep(time.Millisecond)
		}
	}
	// SQLite's listener reports live shortly before it knows where to start.
	time.Sleep(20 * time.Millisecond)
	return r
}

// hashes are computed once for all tests, because they are slow.
var hashes sync.Map

func (w *world) hash(plain string) string {
	w.t.Helper()
	if h, ok := hashes.Load(plain); ok {
		return h.(string)
	}
	h, err := w.hashPassword(context.Background(), plain)
	if err != nil {
		w.t.Fatal(err)
	}
	hashes.Store(plain, h)
	return h
}

func (w *world) addUser(name, password string, active bool) {
	w.t.Helper()
	u := &models.User{Username: name, Active: active}
	hash := ""
	if password != "" {
		hash = w.hash(password)
	}
	err := w.store.InTx(context.Background(), func(tx *store.Tx) error {
		if hash != "" {
			if err := setPasswordHash(tx, u, hash, ""); err != nil {
				return err
			}
		}
		return store.Insert(tx, u)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) user(name string) *models.User {
	w.t.Helper()
	u, err := store.First[models.User](w.store.Read(context.Background()).Where("username = ?", name))
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) signIn(name, password string) Tokens {
	w.t.Helper()
	tok, err := w.SignIn(context.Background(), Credentials{Username: name, Password: password, Source: "192.0.2.1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return tok
}

func (w *world) disable(name string) {
	w.t.Helper()
	err := w.store.InTx(context.Background(), func(tx *store.Tx) error {
		u, err := store.First[models.User](tx.Where("username = ?", name))
		if err != nil {
			return err
		}
		u.Active = false
		tx.Signal(TopicUsers, u.ID)
		return store.Save(tx, u, "active")
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sessionCount() (n int64) {
	w.t.Helper()
	if err := w.store.Read(context.Background()).Model(&models.Session{}).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// refused checks that the header is Unauthenticated, with the message unless it is "".
func (w *world) refused(header, message string) {
	w.t.Helper()
	a, err := w.Authenticate(context.Background(), header, "")
	if !fault.Is(err, fault.Unauthenticated) || a.ID != 0 {
		w.t.Errorf("%.60s: %v, %v", header, a, err)
		return
	}
	if got := fault.Message(err); message != "" && got != message {
		w.t.Errorf("%.60s: the message is %q, want %q", header, got, message)
	}
}

func (w *world) accepted(header, username string) access.Actor {
	w.t.Helper()
	a, err := w.Authenticate(context.Background(), header, "")
	if err != nil || a.Username != username {
		w.t.Errorf("%.60s: %v, %v", header, a.Username, err)
	}
	return a
}

// soon waits until another replica has received a change. It takes milliseconds on PostgreSQL, and half a
// second on SQLite.
func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("never: %s", what)
}

func TestSignInAndAuthenticate(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		tok := w.signIn("Alice", "wonderland") // names ignore case, like their index
		alice := w.user("alice")
		if tok.ExpiresIn != 300*time.Second || tok.Refresh == "" {
			t.Errorf("good for %v", tok.ExpiresIn)
		}
		for _, scheme := range []string{"Bearer", "bearer", "BEARER", "JWT", "jwt", "Jwt"} {
			a := w.accepted(scheme+" "+tok.Access, "alice")
			if a.ID != alice.ID || a.UUID != alice.UUID || a.Session == "" || !a.Member(7) {
				t.Errorf("the actor is %+v", a)
			}
		}
		for _, scheme := range []string{"Basic", "basic", "BASIC"} {
			a := w.accepted(scheme+basic("alice", "wonderland")[5:], "alice")
			if a.Session != "" || !a.Member(7) {
				t.Errorf("the actor is %+v", a)
			}
		}
		c, err := w.Verify(ctx, tok.Access)
		if err != nil || c.Subject != alice.UUID || c.Generation != alice.PasswordGen || c.Username != "alice" {
			t.Errorf("%+v, %v", c, err)
		}
		session, err := store.First[models.Session](w.store.Read(ctx).Where("uuid = ?", c.Session))
		if err != nil || session.UserID != alice.ID || !session.CreatedAt.Equal(noon) ||
			!session.ExpiresAt.Equal(noon.Add(defaultWindow+defaultLife)) || session.RevokedAt != nil {
			t.Errorf("%+v, %v", session, err)
		}
		if n := w.sessionCount(); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		tok := w.signIn("alice", "wonderland")
		for header, message := range map[string]string{
			"":                                msgNone,
			" ":                               msgNone,
			"Bearer":                          msgEmpty,
			"Bearer ":                         msgEmpty,
			"Bearer    ":                      msgEmpty,
			"JWT ":                            msgEmpty,
			"Basic":                           msgEmpty,
			"Basic ":                          msgEmpty,
			"Digest x":                        msgNone,
			tok.Access:                        msgNone,
			"Bearer" + tok.Access:             msgNone,
			"Bearer " + tok.Refresh:           msgDecode,
			"Bearer garbage":                  msgDecode,
			"Bearer a b":                      msgSpaces,
			"Bearer " + tok.Access + " x":     msgSpaces,
			"Bearer Bearer " + tok.Access:     msgSpaces,
			"Bearer\t" + tok.Access:           msgNone,
			"Bearer " + tok.Access + ",x":     msgDecode,
			"Basic " + tok.Access:             msgBasic,
			"Basic !!!":                       msgBasic,
			"Basic YWxpY2U=":                  msgBasic, // no colon
			"Basic Og==":                      msgBasic, // :
			basic("alice", ""):                msgBasic,
			basic("alice", "Wonderland"):      msgBasic,
			basic("", "wonderland"):           msgBasic,
			basic("nobody", "wonderland"):     msgBasic,
			basic("eve", "disabled"):          msgBasic,
			basic("nopass", ""):               msgBasic,
			basic("nopass", "x"):              msgBasic,
			basic("alice", "wonder\xff"):      msgBasic,
			basic("alice@corp", "x"):          msgDomain,
			basic("alice", big(2000)):         msgBasic,
			"Basic " + big(1<<20):             msgDecode,
			"Bearer " + big(1<<20):            msgDecode,
			"Bearer " + big(maxToken-1) + ".": msgDecode,
		} {
			w.refused(header, message)
		}
		w.accepted("Bearer "+tok.Access, "alice")
		w.clock.turn(301 * time.Second)
		w.refused("Bearer "+tok.Access, msgExpired)
	})
}

func big(n int) string { return strings.Repeat("x", n) }

// All attacks against a real user with a real session, so that each is rejected for its one defect only.
func TestForgedTokensOfARealSession(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		tok := w.signIn("alice", "wonderland")
		c, err := w.Verify(context.Background(), tok.Access)
		if err != nil {
			t.Fatal(err)
		}
		good := goodClaims()
		good["sub"], good["sid"], good["gen"] = c.Subject, c.Session, c.Generation
		w.accepted("Bearer "+w.forge.ed(goodHeader, with(t, good, nil)), "alice")
		list := attacks(t, w.forge, good)
		claim := func(name string, value any) string {
			return w.forge.ed(goodHeader, with(t, good, map[string]any{name: value}))
		}
		list["another user's session"] = claim("sub", w.user("bob").UUID)
		list["user unknown"] = claim("sub", uuid.NewString())
		list["user by id"] = claim("sub", w.user("alice").ID.String())
		list["user SQL"] = claim("sub", "' OR 1=1 --")
		list["session unknown"] = claim("sid", uuid.NewString())
		list["session SQL"] = claim("sid", "' OR 1=1 --")
		list["older password"] = claim("gen", c.Generation-1)
		list["later password"] = claim("gen", c.Generation+1)
		for name, token := range list {
			if a, err := w.Authenticate(context.Background(), "Bearer "+token, ""); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: %v, %v", name, a, err)
			}
			if _, err := w.Verify(context.Background(), token); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: verify: %v", name, err)
			}
			if name != "typ refresh" { // this one is a valid refresh token
				if _, err := w.Refresh(context.Background(), token); !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("%s: refresh: %v", name, err)
				}
			}
		}
	})
}

func TestSignInRefusesInOneWay(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		for name, c := range map[string]struct {
			Credentials
			dummies int64 // the one hash that every failure costs
		}{
			"unknown user":    {Credentials{Username: "nobody", Password: "wonderland"}, 1},
			"wrong password":  {Credentials{Username: "alice", Password: "Wonderland"}, 0},
			"disabled":        {Credentials{Username: "eve", Password: "disabled"}, 1},
			"without any":     {Credentials{Username: "nopass", Password: "x"}, 1},
			"half an address": {Credentials{Username: "alice@", Password: "wonderland"}, 1},
			"SQL":             {Credentials{Username: "' OR 1=1 --", Password: "wonderland"}, 1},
		} {
			for range 2 {
				hashes, dummies := w.hasher.computed.Load(), w.hasher.dummies.Load()
				_, err := w.SignIn(ctx, c.Credentials)
				if f := fault.From(err); f == nil || f.Code != fault.Unauthenticated || f.Message != msgSignIn || f.Fields != nil || f.Detail != "" {
					t.Errorf("%s: %v", name, err)
				}
				if n := w.hasher.computed.Load() - hashes; n != 1 {
					t.Errorf("%s costs %d hashes", name, n)
				}
				if n := w.hasher.dummies.Load() - dummies; n != c.dummies {
					t.Errorf("%s costs %d dummies", name, n)
				}
			}
		}
		for _, c := range []Credentials{
			{Username: "alice@corp.example", Password: "wonderland"},
			{Username: "alice", Password: "wonderland", Domain: "corp.example"},
			{Username: "alice@one", Password: "wonderland", Domain: "two"},
			{Username: "nobody", Password: "x", Domain: "corp.example"},
		} {
			hashes := w.hasher.computed.Load()
			_, err := w.SignIn(ctx, c)
			if f := fault.From(err); f == nil || f.Code != fault.Unauthenticated || f.Message != msgDomain {
				t.Errorf("%s in %s: %v", c.Username, c.Domain, err)
			}
			if w.hasher.computed.Load() != hashes {
				t.Errorf("%s in %s: the answer depends on the user", c.Username, c.Domain)
			}
		}
		for _, c := range []Credentials{{}, {Username: "alice"}, {Password: "x"}, {Username: "alice", Password: big(1025)}} {
			if _, err := w.SignIn(ctx, c); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%v", err)
			}
		}
		if n := w.sessionCount(); n != 0 {
			t.Errorf("failures left %d sessions", n)
		}
	})
}

// While the right password is cached, a user who has been disabled must not be recognizable by a faster
// answer.
func TestDisabledUserCostsAHashDespiteTheCache(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.accepted(basic("bob", "builder"), "bob")
		w.disable("bob")
		before := w.hasher.computed.Load()
		w.refused(basic("bob", "builder"), msgBasic)
		if n := w.hasher.computed.Load() - before; n != 1 {
			t.Errorf("%d hashes", n)
		}
	})
}

func TestThrottledSignIn(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		try := func(name, password, source string) error {
			_, err := w.SignIn(ctx, Credentials{Username: name, Password: password, Source: source})
			return err
		}
		for _, name := range []string{"alice", "nobody"} { // the same for existing and missing users
			for i := range 10 {
				if err := try(name, fmt.Sprint("guess", i), "192.0.2.66"); !fault.Is(err, fault.Unauthenticated) {
					t.Fatalf("%s, guess %d: %v", name, i, err)
				}
			}
			hashes := w.hasher.computed.Load()
			err := try(strings.ToUpper(name), "guess", "192.0.2.66")
			if f := fault.From(err); f == nil || f.Code != fault.Limited || f.Message != "Too many failed sign-ins. Try again in 1 minute." {
				t.Errorf("%s: %v", name, err)
			}
			if d, ok := RetryAfter(err); !ok || d != time.Minute {
				t.Errorf("retry after %v, %v", d, ok)
			}
			if w.hasher.computed.Load() != hashes {
				t.Error("a refused guess costs a hash")
			}
		}
		if _, ok := RetryAfter(errors.New("other")); ok {
			t.Error("other errors name a time")
		}
		if err := try("alice", "wonderland", "192.0.2.66"); !fault.Is(err, fault.Limited) {
			t.Errorf("the right password opens: %v", err)
		}
		if _, err := w.Authenticate(ctx, basic("alice", "wonderland"), "192.0.2.66"); !fault.Is(err, fault.Limited) {
			t.Errorf("Basic is a way around: %v", err)
		}
		// Other sources are not locked out, and their cached passwords do not help the guesser.
		if err := try("alice", "wonderland", "192.0.2.1"); err != nil {
			t.Error(err)
		}
		if err := try("alice", "wonderland", "192.0.2.66"); !fault.Is(err, fault.Limited) {
			t.Errorf("a remembered password opens: %v", err)
		}
		w.clock.turn(time.Minute)
		if err := try("alice", "wonderland", "192.0.2.66"); err != nil {
			t.Error(err)
		}
		for range 9 {
			if err := try("alice", "x", "192.0.2.66"); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("a success does not begin anew: %v", err)
			}
		}
	})
}

func TestThrottleHoldsAgainstAHerd(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		var tried, limited atomic.Int64
		before := w.hasher.computed.Load()
		for i := range 60 {
			wg.Go(func() {
				_, err := w.SignIn(context.Background(), Credentials{Username: "alice", Password: fmt.Sprint("guess", i), Source: "192.0.2.66"})
				if fault.Is(err, fault.Unauthenticated) {
					tried.Add(1)
				} else if fault.Is(err, fault.Limited) {
					limited.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// At most one more than ten can run in the other slot.
		if n := w.hasher.computed.Load() - before; n > 11 || tried.Load() != n || limited.Load() != 60-n {
			t.Errorf("%d guesses were checked, %d tried, %d limited", n, tried.Load(), limited.Load())
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		first := w.signIn("alice", "wonderland")
		was, err := w.Verify(ctx, first.Access)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.turn(4 * time.Minute)
		for _, from := range []string{first.Access, first.Refresh} {
			tok, err := w.Refresh(ctx, from)
			if err != nil {
				t.Fatal(err)
			}
			is, err := w.Verify(ctx, tok.Access)
			if err != nil {
				t.Fatal(err)
			}
			if is.Session != was.Session || is.OrigIssuedAt != was.OrigIssuedAt || is.ID == was.ID || tok.Refresh != "" ||
				is.Expires != noon.Add(9*time.Minute) || tok.ExpiresIn != 5*time.Minute {
				t.Errorf("%+v after %+v", is, was)
			}
		}
		w.clock.turn(2 * time.Minute)
		if _, err := w.Refresh(ctx, first.Access); fault.Message(err) != msgExpired {
			t.Errorf("an expired token: %v", err)
		}
		if _, err := w.Verify(ctx, first.Refresh); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a refresh token verifies: %v", err)
		}
		// Renew from token to token until the end of the window.
		var tok Tokens
		for _, at := range []time.Duration{time.Hour, 24 * time.Hour, defaultWindow - 4*time.Minute} {
			w.clock.turn(noon.Add(at).Sub(w.clock.Now()))
			if tok, err = w.Refresh(ctx, first.Refresh); err != nil {
				t.Fatalf("after %v: %v", at, err)
			}
			w.clock.turn(3 * time.Minute)
			if tok, err = w.Refresh(ctx, tok.Access); err != nil {
				t.Fatalf("after %v: %v", at, err)
			}
		}
		w.clock.turn(noon.Add(defaultWindow).Sub(w.clock.Now()))
		w.accepted("Bearer "+tok.Access, "alice")
		if _, err := w.Refresh(ctx, tok.Access); fault.Message(err) != msgRefresh {
			t.Errorf("after seven days: %v", err)
		}
		if _, err := w.Refresh(ctx, first.Refresh); fault.Message(err) != msgExpired {
			t.Errorf("after seven days: %v", err)
		}
	})
}

// act is an action on one replica, and its effect on a token and on Basic.
var acts = map[string]struct {
	do      func(t *testing.T, w *world, a access.Actor)
	message string
	basic   bool // stays valid
}{
	"sign out": {func(t *testing.T, w *world, a access.Actor) {
		if err := w.SignOut(context.Background(), a); err != nil {
			t.Error(err)
		}
	}, errSessionEnded.Message, true},
	"change of the password": {func(t *testing.T, w *world, a access.Actor) {
		if _, err := w.ChangePassword(context.Background(), a, "wonderland", "looking glass"); err != nil {
			t.Error(err)
		}
	}, msgPassword, false},
	"reset of the password": {func(t *testing.T, w *world, a access.Actor) {
		hash, err := w.hashPassword(context.Background(), "looking glass")
		if err != nil {
			t.Fatal(err)
		}
		err = w.store.InTx(context.Background(), func(tx *store.Tx) error {
			u, err := store.First[models.User](tx.Where("id = ?", a.ID))
			if err != nil {
				return err
			}
			return setPasswordHash(tx, u, hash, "")
		})
		if err != nil {
			t.Error(err)
		}
	}, msgPassword, false},
	"disabling": {func(_ *testing.T, w *world, _ access.Actor) { w.disable("alice") }, msgDisabled, false},
	"deleting": {func(t *testing.T, w *world, a access.Actor) {
		err := w.store.InTx(context.Background(), func(tx *store.Tx) error {
			tx.Signal(TopicUsers, a.ID)
			return tx.Delete(&models.User{}, "id = ?", a.ID).Error
		})
		if err != nil {
			t.Error(err)
		}
	}, msgDisabled, false},
}

func TestChangesActAtOnce(t *testing.T) {
	t.Parallel()
	for name, act := range acts {
		for _, listening := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/listening=%v", name, listening), func(t *testing.T) {
				t.Parallel()
				eachWorld(t, func(t *testing.T, w *world) {
					if listening {
						w.store.Listen()
						for !w.store.SignalsLive() {
							time.Sleep(time.Millisecond)
						}
					}
					tok, other := w.signIn("alice", "wonderland"), w.signIn("bob", "builder")
					for range 2 { // fill the caches
						w.accepted("Bearer "+tok.Access, "alice")
						w.accepted("Bearer "+other.Access, "bob")
						w.accepted(basic("alice", "wonderland"), "alice")
					}
					act.do(t, w, w.accepted("Bearer "+tok.Access, "alice"))
					w.refused("Bearer "+tok.Access, act.message)
					for _, token := range []string{tok.Access, tok.Refresh} {
						if _, err := w.Refresh(context.Background(), token); !fault.Is(err, fault.Unauthenticated) {
							t.Errorf("it can be refreshed: %v", err)
						}
					}
					if _, err := w.Verify(context.Background(), tok.Access); !fault.Is(err, fault.Unauthenticated) {
						t.Errorf("it verifies: %v", err)
					}
					if act.basic {
						w.accepted(basic("alice", "wonderland"), "alice")
					} else {
						w.refused(basic("alice", "wonderland"), msgBasic)
					}
					w.accepted("Bearer "+other.Access, "bob")
				})
			})
		}
	}
}

func TestChangesActOnTheOtherReplica(t *testing.T) {
	t.Parallel()
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				r := w.replica()
				tok, other := w.signIn("alice", "wonderland"), w.signIn("bob", "builder")
				r.accepted("Bearer "+tok.Access, "alice") // a session is valid everywhere at once
				r.accepted("Bearer "+tok.Access, "alice")
				r.accepted("Bearer "+other.Access, "bob")
				r.accepted(basic("alice", "wonderland"), "alice")
				act.do(t, w, w.accepted("Bearer "+tok.Access, "alice"))
				soon(t, "the other replica refuses the token", func() bool {
					_, err := r.Authenticate(context.Background(), "Bearer "+tok.Access, "")
					return fault.Is(err, fault.Unauthenticated)
				})
				r.refused("Bearer "+tok.Access, act.message)
				if act.basic {
					r.accepted(basic("alice", "wonderland"), "alice")
				} else {
					r.refused(basic("alice", "wonderland"), msgBasic)
				}
				r.accepted("Bearer "+other.Access, "bob")
			})
		})
	}
}

func TestSessionsAreRememberedOnlyWhileListening(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		tok := w.signIn("alice", "wonderland")
		behind := func() { // a change without a signal
			if err := w.store.InTx(ctx, func(tx *store.Tx) error {
				return tx.Exec("UPDATE sessions SET revoked_at = ?", tx.Now).Error
			}); err != nil {
				t.Fatal(err)
			}
		}
		w.accepted("Bearer "+tok.Access, "alice")
		behind()
		w.refused("Bearer "+tok.Access, "")
		// The cache is not used while the process does not receive changes of others.
		alice := w.user("alice").ID
		w.sessions.byUUID.Put(w.claims(tok).Session, &session{user: alice, expires: noon.Add(time.Hour)}, time.Time{})
		w.refused("Bearer "+tok.Access, "")
		w.sessions.byUUID.Purge()
		w.replica()
		tok = w.signIn("alice", "wonderland")
		w.accepted("Bearer "+tok.Access, "alice")
		behind()
		w.accepted("Bearer "+tok.Access, "alice") // it is cached
		w.sessions.byUUID.Purge()
		w.refused("Bearer "+tok.Access, "")
		tok = w.signIn("alice", "wonderland")
		w.accepted("Bearer "+tok.Access, "alice")
		w.clock.turn(defaultWindow + defaultLife)
		if err := w.sessions.check(ctx, w.claims(tok).Session, w.user("alice").ID, w.clock.Now()); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an expired session is remembered: %v", err)
		}
	})
}

func (w *world) claims(tok Tokens) *Claims {
	w.t.Helper()
	c, err := w.issuer.parse(w.forge.keys, tok.Access)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// A session that was read before a session ended is not cached after it. A session that ends for one user
// leaves the sessions of others in the cache.
func TestSessionReadBeforeASignalIsNotKept(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.store.Listen()
		for !w.store.SignalsLive() {
			time.Sleep(time.Millisecond)
		}
		kept := w.sessions.byUUID
		signal := func(topic string, user models.ID) {
			t.Helper()
			err := w.store.InTx(context.Background(), func(tx *store.Tx) error { tx.Signal(topic, user); return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		load := func(key string, user models.ID, meanwhile func()) {
			t.Helper()
			_, err := kept.Load(key, func() (*session, error) { meanwhile(); return &session{user: user}, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		has := func(key string) bool { _, ok := kept.Get(key, noon); return ok }
		load("x", 1, func() { signal(TopicSessions, 42) })
		if has("x") {
			t.Error("a session that was read before the signal is kept after it")
		}
		for !has("x") || !has("y") { // the database delivers the signals again
			load("x", 1, func() {})
			load("y", 2, func() {})
		}
		signal("groups", 1)
		if !has("x") || !has("y") {
			t.Error("a change of groups ends sessions")
		}
		signal(TopicSessions, 1)
		if has("x") || !has("y") {
			t.Errorf("after the end of a session of user 1: x %v, y %v", has("x"), has("y"))
		}
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		mine, elsewhere, other := w.signIn("alice", "wonderland"), w.signIn("alice", "wonderland"), w.signIn("bob", "builder")
		a := w.accepted("Bearer "+mine.Access, "alice")
		for _, c := range []struct {
			old, new string
			code     fault.Code
		}{
			{"wrong", "looking glass", fault.Invalid},
			{"", "looking glass", fault.Invalid},
			{big(5000), "looking glass", fault.Invalid},
			{"wonderland", "abc", fault.Invalid},
			{"wonderland", "     ", fault.Invalid},
		} {
			if _, err := w.ChangePassword(ctx, a, c.old, c.new); !fault.Is(err, c.code) {
				t.Errorf("%.20s to %s: %v", c.old, c.new, err)
			}
		}
		w.accepted("Bearer "+elsewhere.Access, "alice")
		before := w.user("alice")
		tok, err := w.ChangePassword(ctx, a, "wonderland", "looking glass")
		if err != nil {
			t.Fatal(err)
		}
		after := w.user("alice")
		if after.PasswordGen != before.PasswordGen+1 || after.Version != before.Version+1 || after.PasswordHash == before.PasswordHash {
			t.Errorf("%+v", after)
		}
		if again := w.accepted("Bearer "+tok.Access, "alice"); again.Session != a.Session {
			t.Error("the session does not go on")
		}
		if _, err := w.Refresh(ctx, tok.Refresh); err != nil {
			t.Error(err)
		}
		w.refused("Bearer "+mine.Access, msgPassword)
		w.refused("Bearer "+elsewhere.Access, msgPassword)
		w.accepted("Bearer "+other.Access, "bob")
		// The sessions themselves too, for faces with tokens that have no generation.
		live, err := store.Find[models.Session](w.store.Read(ctx).Where("user_id = ? AND revoked_at IS NULL", after.ID))
		if err != nil || len(live) != 1 || live[0].UUID != a.Session {
			t.Errorf("%+v, %v", live, err)
		}
		w.refused(basic("alice", "wonderland"), msgBasic)
		b := w.accepted(basic("alice", "looking glass"), "alice")

		// Without a session all sessions end, and no tokens are returned.
		none, err := w.ChangePassword(ctx, b, "looking glass", "wonderland")
		if err != nil || none != (Tokens{}) {
			t.Errorf("%v, %v", none, err)
		}
		w.refused("Bearer "+tok.Access, msgPassword)

		for _, nobody := range []access.Actor{{}, access.System("sweeper")} {
			if _, err := w.ChangePassword(ctx, nobody, "wonderland", "looking glass"); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("nobody's: %v", err)
			}
		}
		for range 20 {
			_, err = w.ChangePassword(ctx, b, "guess", "looking glass")
		}
		if !fault.Is(err, fault.Limited) {
			t.Errorf("whoever holds a token may guess the password: %v", err)
		}
	})
}

func TestChangePasswordRaces(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		a := w.accepted("Bearer "+w.signIn("alice", "wonderland").Access, "alice")
		before := w.user("alice").PasswordGen
		var wg sync.WaitGroup
		var won, lost atomic.Int64
		for i := range 6 {
			wg.Go(func() {
				_, err := w.ChangePassword(context.Background(), a, "wonderland", fmt.Sprint("new one ", i))
				if err == nil {
					won.Add(1)
				} else if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Invalid) {
					lost.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 5 || w.user("alice").PasswordGen != before+1 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	})
}

// A sign-in that checked the old password must not start a session after the change.
func TestSignInWithAPasswordThatJustChanged(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		tok := w.signIn("alice", "wonderland")
		a := w.accepted("Bearer "+tok.Access, "alice")
		w.users.frozen = true
		if _, err := w.ChangePassword(context.Background(), a, "wonderland", "looking glass"); err != nil {
			t.Fatal(err)
		}
		before := w.sessionCount()
		if _, err := w.SignIn(context.Background(), Credentials{Username: "alice", Password: "wonderland"}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the old password begins a session: %v", err)
		}
		if _, err := w.ChangePassword(context.Background(), a, "wonderland", "third"); !fault.Is(err, fault.Conflict) {
			t.Errorf("the old password changes the password: %v", err)
		}
		if w.sessionCount() != before {
			t.Error("there is a session")
		}
		w.users.frozen = false
		w.accepted("Bearer "+w.signIn("alice", "looking glass").Access, "alice")
		w.disable("bob")
		w.users.seen["bob"], w.users.frozen = &models.User{Row: w.user("bob").Row, Username: "bob", PasswordHash: w.user("bob").PasswordHash, Active: true}, true
		if _, err := w.SignIn(context.Background(), Credentials{Username: "bob", Password: "builder"}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a disabled user begins a session: %v", err)
		}
	})
}

// A replica that has not received the change yet must not reject a token that was issued after it.
func TestNewTokenBeforeTheNews(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.replica()
		old := w.signIn("alice", "wonderland")
		a := r.accepted("Bearer "+old.Access, "alice")
		r.users.frozen = true
		tok, err := w.ChangePassword(context.Background(), a, "wonderland", "looking glass")
		if err != nil {
			t.Fatal(err)
		}
		r.accepted("Bearer "+tok.Access, "alice")
	})
}

// Caches of users and sessions depend on these signals.
func TestChangesAreAnnounced(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		heard := make(map[string]bool)
		w.store.OnSignal(func(topic, key string) {
			mu.Lock()
			defer mu.Unlock()
			heard[topic+" "+key] = true
		})
		id := w.user("alice").ID.String()
		for _, name := range []string{"sign out", "change of the password", "reset of the password"} {
			a := w.accepted("Bearer "+w.signIn("alice", "wonderland").Access, "alice")
			acts[name].do(t, w, a)
			want := map[string]bool{"sessions " + id: true}
			if name != "sign out" {
				want["users "+id] = true
			}
			mu.Lock()
			if diff := cmp.Diff(want, heard); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			clear(heard)
			mu.Unlock()
			if name == "change of the password" {
				if _, err := w.ChangePassword(context.Background(), w.accepted(basic("alice", "looking glass"), "alice"), "looking glass", "wonderland"); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				clear(heard)
				mu.Unlock()
			}
		}
	})
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		one, two := w.signIn("alice", "wonderland"), w.signIn("alice", "wonderland")
		a := w.accepted("Bearer "+one.Access, "alice")
		b := w.accepted("Bearer "+two.Access, "alice")
		bob := w.accepted(basic("bob", "builder"), "bob")
		stolen := bob
		stolen.Session = a.Session
		for _, who := range []access.Actor{bob, stolen, {}} {
			if err := w.SignOut(ctx, who); err != nil {
				t.Error(err)
			}
		}
		w.accepted("Bearer "+one.Access, "alice")
		for range 2 {
			if err := w.SignOut(ctx, a); err != nil {
				t.Error(err)
			}
			w.clock.turn(time.Second)
		}
		w.refused("Bearer "+one.Access, errSessionEnded.Message)
		w.accepted("Bearer "+two.Access, "alice")
		row, err := store.First[models.Session](w.store.Read(ctx).Where("uuid = ?", a.Session))
		if err != nil || row.RevokedAt == nil || !row.RevokedAt.Equal(noon) {
			t.Errorf("%+v, %v", row, err)
		}
		if _, err := w.ChangePassword(ctx, a, "wonderland", "looking glass"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("after the sign-out: %v", err)
		}
		w.accepted("Bearer "+two.Access, "alice")
		_ = b
	})
}

func TestSweep(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, alice := context.Background(), w.user("alice").ID
		at := func(d time.Duration) *time.Time {
			v := noon.Add(d)
			return &v
		}
		rows := []models.Session{
			{UUID: "live", ExpiresAt: noon.Add(time.Hour)},
			{UUID: "just expired", ExpiresAt: noon.Add(-time.Hour)},
			{UUID: "just revoked", ExpiresAt: noon.Add(time.Hour), RevokedAt: at(-time.Hour)},
			{UUID: "a day ago", ExpiresAt: noon.Add(-24 * time.Hour)},
			{UUID: "long revoked", ExpiresAt: noon.Add(time.Hour), RevokedAt: at(-25 * time.Hour)},
		}
		for i := range 2*sweepBatch + 5 {
			rows = append(rows, models.Session{UUID: fmt.Sprint("long expired ", i), ExpiresAt: noon.Add(-25 * time.Hour)})
		}
		for i := range rows {
			rows[i].UserID, rows[i].CreatedAt = alice, noon.Add(-48*time.Hour)
		}
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if err := w.store.InTx(ctx, func(tx *store.Tx) error { return tx.CreateInBatches(rows, 500).Error }); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Sweep(ctx); n != 2*sweepBatch+6 || err != nil {
			t.Errorf("%d were deleted, %v", n, err)
		}
		left, err := store.Find[models.Session](w.store.Read(ctx).Order("uuid"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range left {
			names = append(names, s.UUID)
		}
		if got := strings.Join(names, ", "); got != "a day ago, just expired, just revoked, live" {
			t.Errorf("left are %s", got)
		}
		if n, err := w.Sweep(ctx); n != 0 || err != nil {
			t.Errorf("%d were deleted, %v", n, err)
		}
	})
}

// An internal error is not reported as a wrong password.
func TestFailuresAreNotRefusals(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		tok := w.signIn("alice", "wonderland")
		w.users.err = fault.New(fault.Unavailable, "The database is not available.")
		for _, header := range []string{"Bearer " + tok.Access, basic("alice", "wonderland")} {
			if _, err := w.Authenticate(context.Background(), header, ""); !fault.Is(err, fault.Unavailable) {
				t.Errorf("%.10s: %v", header, err)
			}
		}
		if _, err := w.SignIn(context.Background(), Credentials{Username: "alice", Password: "wonderland"}); !fault.Is(err, fault.Unavailable) {
			t.Error(err)
		}
		w.users.err = nil
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := w.Authenticate(ctx, "Bearer "+tok.Access, ""); !fault.Is(err, fault.Unavailable) {
			t.Errorf("given up: %v", err)
		}
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		c := Credentials{Username: "alice", Password: "canary-password"}
		tok := Tokens{Access: "canary-access", Refresh: "canary-refresh"}
		var out bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&out, nil))
		log.Info("x", "credentials", c, "tokens", tok)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&out, verb+verb, c, tok)
		}
		_, err := w.SignIn(context.Background(), c)
		fmt.Fprintf(&out, "%v %+v", err, err)
		for _, header := range []string{"Bearer canary.canary.canary", basic("alice", "canary"), "canary", "Bearer canary canary"} {
			_, err := w.Authenticate(context.Background(), header, "")
			fmt.Fprintf(&out, "%v %+v", err, err)
		}
		if s := out.String(); strings.Contains(s, "canary") || strings.Contains(s, "Y2FuYXJ5") {
			t.Error(s)
		}
	})
}

// For the race detector: everything at once, during key rotation.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.replica()
		ctx := context.Background()
		tok := w.signIn("alice", "wonderland")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				on := []*world{w, r}[i%2]
				for range 20 {
					on.accepted("Bearer "+tok.Access, "alice")
					on.accepted(basic("bob", "builder"), "bob")
					mine, err := on.SignIn(ctx, Credentials{Username: "bob", Password: "builder"})
					if err != nil {
						t.Error(err)
						return
					}
					a := on.accepted("Bearer "+mine.Access, "bob")
					if err := on.SignOut(ctx, a); err != nil {
						t.Error(err)
					}
					on.refused("Bearer "+mine.Access, "")
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				if err := w.issuer.rotate(w.forge.keys); err != nil {
					t.Error(err)
				}
				if _, err := r.Sweep(ctx); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
	})
}

// fixed answers without a database, like the cache of users.
type fixed struct {
	user   *models.User
	rights *access.Rights
}

func (f fixed) UserByName(context.Context, string) (*models.User, error)  { return f.user, nil }
func (f fixed) UserByUUID(context.Context, string) (*models.User, error)  { return f.user, nil }
func (f fixed) UserByID(context.Context, models.ID) (*models.User, error) { return f.user, nil }
func (f fixed) Rights(context.Context, models.ID) (*access.Rights, error) { return f.rights, nil }

func benchWorld(b *testing.B) (*Service, Tokens) {
	st := storetest.SQLite(b)
	u := &models.User{Username: "alice", Active: true}
	c := newClock()
	s := New(Config{Store: st, Users: fixed{u, &access.Rights{}}, Issuer: newIssuer(b, newForge(b, "ed").keys, c)})
	hash, err := s.hashPassword(context.Background(), "wonderland")
	if err != nil {
		b.Fatal(err)
	}
	u.PasswordHash, u.PasswordGen = hash, 1
	if err := st.InTx(context.Background(), func(tx *store.Tx) error { return store.Insert(tx, u) }); err != nil {
		b.Fatal(err)
	}
	st.Listen()
	tok, err := s.SignIn(context.Background(), Credentials{Username: "alice", Password: "wonderland"})
	if err != nil {
		b.Fatal(err)
	}
	return s, tok
}

func benchAuthenticate(b *testing.B, s *Service, header string) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(ctx, header, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateBearer(b *testing.B) {
	s, tok := benchWorld(b)
	benchAuthenticate(b, s, "Bearer "+tok.Access)
}

func BenchmarkAuthenticateBasic(b *testing.B) {
	s, _ := benchWorld(b)
	benchAuthenticate(b, s, basic("alice", "wonderland"))
}

func BenchmarkSignInAgain(b *testing.B) {
	s, _ := benchWorld(b)
	for b.Loop() {
		if _, err := s.SignIn(context.Background(), Credentials{Username: "alice", Password: "wonderland"}); err != nil {
			b.Fatal(err)
		}
	}
}
