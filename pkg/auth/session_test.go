package auth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

func (w *world) browser(name, password string) string {
	w.t.Helper()
	secret, u, err := w.OpenSession(context.Background(), Credentials{Username: name, Password: password, Source: "192.0.2.1", UserAgent: "Test/1"}, "")
	if err != nil || u.Username != name {
		w.t.Fatal(u, err)
	}
	return secret
}

func (w *world) enters(secret, name string) access.Actor {
	w.t.Helper()
	a, err := w.AuthenticateSession(context.Background(), secret)
	if err != nil || a.Username != name || a.Session == "" || a.Token != 0 || a.ReadOnly {
		w.t.Errorf("%s does not enter: %+v, %v", name, a, err)
	}
	return a
}

func (w *world) kept(secret string) error {
	w.t.Helper()
	a, err := w.AuthenticateSession(context.Background(), secret)
	if err == nil || a.ID != 0 {
		w.t.Errorf("somebody enters: %+v", a)
	} else if !fault.Is(err, fault.Unauthenticated) {
		w.t.Error(err)
	}
	return err
}

// listen lets the world cache its look-ups.
func (w *world) listen() {
	w.t.Helper()
	w.store.Listen()
	for !w.store.SignalsLive() {
		time.Sleep(time.Millisecond)
	}
}

func TestCookieAndTokenAreNotEachOther(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		cookie := w.browser("alice", "wonderland")
		a := w.enters(cookie, "alice")
		token := &models.APIToken{Name: "ci", Scope: models.ScopeWrite}
		if err := w.CreateToken(ctx, a, token); err != nil {
			t.Fatal(err)
		}
		jwt := w.signIn("alice", "wonderland")
		for _, header := range []string{
			"Bearer " + cookie, "Token " + cookie, "JWT " + cookie, "JWT " + token.Secret, "Token " + jwt.Access,
			"Bearer " + strings.Replace(cookie, "hcs_", "hct_", 1), "Basic " + cookie,
			"Bearer " + token.Secret[:len(token.Secret)-1], "Bearer " + token.Secret + "x", "Bearer hct_", "Token", "Token  ",
			"Bearer " + token.SecretHash, "Bearer hct_" + token.SecretHash, "Token " + token.Prefix,
		} {
			w.refused(header, "")
		}
		for _, secret := range []string{token.Secret, jwt.Access, "", "hcs_", strings.Replace(token.Secret, "hct_", "hcs_", 1), a.Session, cookie[:len(cookie)-1], cookie + "x"} {
			_ = w.kept(secret)
		}
		for _, header := range []string{"Bearer " + token.Secret, "bearer " + token.Secret, "Token " + token.Secret, "TOKEN " + token.Secret} {
			if got := w.accepted(header, "alice"); got.Token != token.ID || got.ReadOnly || got.Session != "" {
				t.Errorf("%+v", got)
			}
		}
	})
}

// Every end of a session ends it on every replica.
func TestSessionsEndEverywhere(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, a access.Actor) error{
		"sign out": func(w *world, a access.Actor) error { return w.SignOut(context.Background(), a) },
		"ending it": func(w *world, a access.Actor) error {
			row, err := store.First[models.Session](w.store.Read(context.Background()).Where("uuid = ?", a.Session))
			if err != nil {
				return err
			}
			return w.EndSession(context.Background(), a, row.ID.String())
		},
		"ending all":  func(w *world, a access.Actor) error { return w.EndSessions(context.Background(), a, a.ID) },
		"disabling":   func(w *world, _ access.Actor) error { w.disable("alice"); return nil },
		"another one": func(w *world, _ access.Actor) error { return w.rekey("alice", "looking glass") },
		"row of an inactive user": func(w *world, a access.Actor) error {
			return w.store.InTx(context.Background(), func(tx *store.Tx) error {
				return Ended(tx, &models.User{Row: models.Row{ID: a.ID}})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				r := w.replica()
				mine, other := w.browser("alice", "wonderland"), w.browser("bob", "builder")
				for range 2 {
					r.enters(mine, "alice")
					r.enters(other, "bob")
				}
				if err := end(w, w.enters(mine, "alice")); err != nil {
					t.Fatal(err)
				}
				_ = w.kept(mine)
				soon(t, "the other replica hears of it", func() bool {
					_, err := r.AuthenticateSession(context.Background(), mine)
					return fault.Is(err, fault.Unauthenticated)
				})
				r.enters(other, "bob")
				if id, err := w.FormerUser(context.Background(), mine); err != nil || id != w.user("alice").ID {
					t.Errorf("whose session it was is forgotten: %v, %v", id, err)
				}
			})
		})
	}
}

// rekey sets another password of a user, as an administrator does.
func (w *world) rekey(name, password string) error {
	hash := w.hash(password)
	return w.store.InTx(context.Background(), func(tx *store.Tx) error {
		u, err := store.First[models.User](tx.Where("username = ?", name))
		if err != nil {
			return err
		}
		return setPasswordHash(tx, u, hash, "")
	})
}

func TestChangePasswordKeepsTheBrowsersSession(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.listen()
		mine, elsewhere := w.browser("alice", "wonderland"), w.browser("alice", "wonderland")
		a := w.enters(mine, "alice")
		w.enters(elsewhere, "alice")
		tok, err := w.ChangePassword(context.Background(), a, "wonderland", "looking glass")
		if err != nil || tok != (Tokens{}) {
			t.Fatal(tok, err)
		}
		w.enters(mine, "alice")
		_ = w.kept(elsewhere)
	})
}

func TestIdleAndAbsoluteEnd(t *testing.T) {
	t.Parallel()
	for _, listening := range []bool{false, true} {
		t.Run(fmt.Sprintf("listening=%v", listening), func(t *testing.T) {
			t.Parallel()
			endsByItself(t, listening)
		})
	}
}

func endsByItself(t *testing.T, listening bool) {
	eachWorld(t, func(t *testing.T, w *world) {
		if listening {
			w.listen()
		}
		ctx := context.Background()
		used, idle := w.browser("alice", "wonderland"), w.browser("alice", "wonderland")
		for range 13 { // each well within the idle time, and 13 times that in total
			w.clock.turn(defaultIdle - time.Minute)
			w.enters(used, "alice")
			if err := w.WriteLastUsed(ctx); err != nil {
				t.Fatal(err)
			}
		}
		_ = w.kept(idle)
		if p, err := w.Sessions(ctx, w.enters(used, "alice"), query.Query{Page: 1, Size: 10}); err != nil || p.Total != 1 || !p.Rows[0].Current {
			t.Errorf("%+v, %v", p, err)
		}
		w.clock.turn(defaultIdle)
		if err := w.kept(used); fault.Message(err) != errSessionEnded.Message {
			t.Error(err)
		}
		again := w.browser("alice", "wonderland")
		for range 21 {
			w.enters(again, "alice")
			if err := w.WriteLastUsed(ctx); err != nil {
				t.Fatal(err)
			}
			w.clock.turn(DefaultLifetime / 21)
		}
		_ = w.kept(again) // in constant use, and still expired
	})
}

// A replica with an old cached session reads the row before it treats the session as idle.
func TestSessionUsedElsewhereIsNotIdle(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.replica()
		cookie := w.browser("alice", "wonderland")
		r.enters(cookie, "alice")
		for range 3 {
			w.clock.turn(defaultIdle / 2)
			w.enters(cookie, "alice")
		}
		if err := w.WriteLastUsed(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.enters(cookie, "alice")
	})
}

// Requests do not write: a thousand leave the row unchanged.
func TestUseIsWrittenDownNowAndThen(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.listen()
		ctx := context.Background()
		cookie := w.browser("alice", "wonderland")
		seenAt := func() time.Time {
			row, err := store.First[models.Session](w.store.Read(ctx).Where("secret_hash <> ''"))
			if err != nil {
				t.Fatal(err)
			}
			return row.SeenAt
		}
		begun := seenAt()
		for range 50 {
			w.clock.turn(10 * time.Second)
			w.enters(cookie, "alice")
		}
		if !seenAt().Equal(begun) {
			t.Error("a request has written")
		}
		if n := len(w.sessions.seen.ids); n != 1 {
			t.Errorf("%d rows are to be written", n)
		}
		if err := w.WriteLastUsed(ctx); err != nil {
			t.Fatal(err)
		}
		if at := seenAt(); !at.Equal(w.clock.Now()) {
			t.Errorf("it was used at %v", at)
		}
		if err := w.WriteLastUsed(ctx); err != nil || len(w.sessions.seen.ids) != 0 {
			t.Error(err)
		}
	})
}

func TestSignInEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		before := w.browser("alice", "wonderland")
		agent := strings.Repeat("ü", 500) + "\x00\r\n"
		after, _, err := w.OpenSession(context.Background(), Credentials{Username: "alice", Password: "wonderland", UserAgent: agent, Source: "::1"}, before)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.kept(before)
		a := w.enters(after, "alice")
		row, err := store.First[models.Session](w.store.Read(context.Background()).Where("uuid = ?", a.Session))
		if err != nil || row.Address != "::1" || row.UserAgent != strings.Repeat("ü", models.MaxUserAgent) || row.SecretHash == "" || strings.Contains(row.SecretHash, after) {
			t.Errorf("%+v, %v", row, err)
		}
		// A failed sign-in ends nothing.
		if _, _, err := w.OpenSession(context.Background(), Credentials{Username: "alice", Password: "wrong"}, after); !fault.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
		w.enters(after, "alice")
		for _, who := range []string{"eve", "nopass", "nobody", ""} {
			if _, _, err := w.OpenSession(context.Background(), Credentials{Username: who, Password: "disabled"}, ""); !fault.Is(err, fault.Unauthenticated) || fault.Message(err) != msgSignIn {
				t.Errorf("%s: %v", who, err)
			}
		}
	})
}

func TestOwnSessionsAlone(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		alice, bob := w.enters(w.browser("alice", "wonderland"), "alice"), w.enters(w.browser("bob", "builder"), "bob")
		p, err := w.Sessions(ctx, bob, query.Query{Page: 1, Size: 10})
		if err != nil || p.Total != 1 || p.Rows[0].UserID != bob.ID {
			t.Fatalf("%+v, %v", p, err)
		}
		mine := p.Rows[0].ID.String()
		if err := w.EndSession(ctx, alice, mine); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		viewer := alice
		viewer.GlobalViewer = true
		if err := w.EndSession(ctx, viewer, mine); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
		if err := w.EndSessions(ctx, alice, bob.ID); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
		if err := w.EndSession(ctx, access.System("test"), mine); err != nil {
			t.Error(err)
		}
		if err := w.EndSession(ctx, bob, mine); !fault.Is(err, fault.NotFound) {
			t.Errorf("it ends twice: %v", err)
		}
	})
}
