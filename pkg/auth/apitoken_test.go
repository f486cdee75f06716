package auth

import (
	"context"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

func (w *world) token(a access.Actor, scope models.TokenScope) *models.APIToken {
	w.t.Helper()
	row := &models.APIToken{Name: "ci", Scope: scope}
	if err := w.CreateToken(context.Background(), a, row); err != nil {
		w.t.Fatal(err)
	}
	return row
}

func (w *world) alice() access.Actor {
	w.t.Helper()
	return w.accepted(basic("alice", "wonderland"), "alice")
}

// Only certain changes revoke a token, and they do so on every replica.
func TestTokensEndEverywhere(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		end  func(w *world, t *models.APIToken) error
		ends bool
	}{
		"revoking": {func(w *world, t *models.APIToken) error {
			return w.RevokeToken(context.Background(), access.System("test"), t.ID.String())
		}, true},
		"disabling": {func(w *world, _ *models.APIToken) error { w.disable("alice"); return nil }, true},
		"row of an inactive user": {func(w *world, t *models.APIToken) error {
			return w.store.InTx(context.Background(), func(tx *store.Tx) error {
				return Ended(tx, &models.User{Row: models.Row{ID: t.UserID}})
			})
		}, true},
		"its last day": {func(w *world, _ *models.APIToken) error { w.clock.turn(48 * time.Hour); return nil }, true},
		"ending all": {func(w *world, t *models.APIToken) error {
			return w.EndSessions(context.Background(), access.System("test"), t.UserID)
		}, false},
		"other password": {func(w *world, _ *models.APIToken) error { return w.rekey("alice", "looking glass") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				r := w.replica()
				row := &models.APIToken{Name: "ci", Scope: models.ScopeRead, ExpiresOn: w.clock.Now().AddDate(0, 0, 1).Format(time.DateOnly)}
				if err := w.CreateToken(context.Background(), w.alice(), row); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if a := r.accepted("Bearer "+row.Secret, "alice"); !a.ReadOnly || a.Writes() == nil || a.Personal() == nil {
						t.Errorf("%+v", a)
					}
				}
				if err := x.end(w, row); err != nil {
					t.Fatal(err)
				}
				if !x.ends {
					w.accepted("Bearer "+row.Secret, "alice")
					return
				}
				w.refused("Bearer "+row.Secret, "")
				soon(t, "the other replica hears of it", func() bool {
					_, err := r.Authenticate(context.Background(), "Token "+row.Secret, "")
					return fault.Is(err, fault.Unauthenticated)
				})
			})
		})
	}
}

func TestTokensAreRememberedOnlyWhileListening(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		row := w.token(w.alice(), models.ScopeWrite)
		behind := func() {
			if err := w.store.InTx(context.Background(), func(tx *store.Tx) error { return tx.Exec("DELETE FROM api_tokens").Error }); err != nil {
				t.Fatal(err)
			}
		}
		w.accepted("Bearer "+row.Secret, "alice")
		behind()
		w.refused("Bearer "+row.Secret, errTokenUnknown.Message)
		w.listen()
		row = w.token(w.alice(), models.ScopeWrite)
		w.accepted("Bearer "+row.Secret, "alice")
		behind()
		w.accepted("Bearer "+row.Secret, "alice")
		if err := w.store.InTx(context.Background(), func(tx *store.Tx) error { tx.Signal(TopicTokens, row.UserID); return nil }); err != nil {
			t.Fatal(err)
		}
		w.refused("Bearer "+row.Secret, errTokenUnknown.Message)
	})
}

func TestCreateToken(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, alice := context.Background(), w.alice()
		w.tokens.policy = TokenPolicy{MaxDays: 30}
		day := func(n int) string { return w.clock.Now().AddDate(0, 0, n).Format(time.DateOnly) }
		for name, row := range map[string]*models.APIToken{
			"no name":   {Scope: models.ScopeRead},
			"blank":     {Name: "  ", Scope: models.ScopeRead},
			"long name": {Name: strings.Repeat("x", 101), Scope: models.ScopeRead},
			"no scope":  {Name: "x"},
			"scope":     {Name: "x", Scope: "admin"},
			"past":      {Name: "x", Scope: models.ScopeRead, ExpiresOn: day(-1)},
			"too late":  {Name: "x", Scope: models.ScopeRead, ExpiresOn: day(31)},
		} {
			if err := w.CreateToken(ctx, alice, row); !fault.Is(err, fault.Invalid) || row.Secret != "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		row := w.token(alice, models.ScopeWrite)
		if row.ExpiresOn != day(30) || row.Prefix != row.Secret[:12] || strings.Contains(row.SecretHash, row.Secret[4:20]) {
			t.Errorf("%+v", row)
		}
		program := w.accepted("Bearer "+row.Secret, "alice")
		for _, err := range []error{
			w.CreateToken(ctx, program, &models.APIToken{Name: "x", Scope: models.ScopeRead}),
			w.CreateToken(ctx, access.System("test"), &models.APIToken{Name: "x", Scope: models.ScopeRead}),
			func() error { _, err := w.ChangePassword(ctx, program, "wonderland", "looking glass"); return err }(),
		} {
			if !fault.Is(err, fault.Forbidden) {
				t.Error(err)
			}
		}
		for range maxTokens - 1 {
			w.token(alice, models.ScopeRead)
		}
		if err := w.CreateToken(ctx, alice, &models.APIToken{Name: "x", Scope: models.ScopeRead}); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
		w.disable("alice")
		if err := w.CreateToken(ctx, alice, &models.APIToken{Name: "x", Scope: models.ScopeRead}); !fault.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
	})
}
