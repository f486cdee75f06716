package auth

import (
	"context"
	"fmt"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// maxTokens is the maximum number of API tokens per user.
const maxTokens = 100

// TokenPolicy limits the lifetime of API tokens.
type TokenPolicy struct {
	MaxDays int // days from the creation; 0 for no limit
}

// Validate returns an Invalid error for a negative limit.
func (p TokenPolicy) Validate() error {
	if p.MaxDays < 0 {
		return fault.Invalidf("API tokens cannot be good for %d days.", p.MaxDays)
	}
	return nil
}

// last returns the latest expiry day of a token created now, or "" for no limit.
func (p TokenPolicy) last(now time.Time) string {
	if p.MaxDays == 0 {
		return ""
	}
	return now.AddDate(0, 0, p.MaxDays).Format(time.DateOnly)
}

// apiToken is a cached valid token.
type apiToken struct {
	id, user models.ID
	readOnly bool
	ends     time.Time // zero for never
	seen     usedAt
}

// apiTokens finds valid API tokens. It uses its cache only while the process receives the changes of other
// replicas.
type apiTokens struct {
	store    *store.Store
	policy   TokenPolicy
	seen     *lastUsed
	bySecret *cache.Cache[hashed, *apiToken]
}

func newAPITokens(st *store.Store, p TokenPolicy) *apiTokens {
	t := cache.Tables[*apiToken]{Store: st, Topics: []string{TopicTokens}, Owner: func(x *apiToken) models.ID { return x.user }}
	return &apiTokens{store: st, policy: p, seen: newLastUsed("api_tokens"), bySecret: cache.OfTables[hashed](rowsKept, t)}
}

var (
	errTokenUnknown = fault.New(fault.Unauthenticated, "The API token is not known. It may have been revoked.")
	errTokenExpired = fault.New(fault.Unauthenticated, "The API token has expired.")
)

// open returns a valid token by its text.
func (t *apiTokens) open(ctx context.Context, text string, now time.Time) (*apiToken, error) {
	h, ok := tokenSecret.read(text)
	if !ok {
		return nil, errTokenUnknown
	}
	x, ok := t.bySecret.Get(h, now)
	if !ok {
		var err error
		if x, err = t.bySecret.Load(h, func() (*apiToken, error) { return t.read(ctx, h) }); err != nil {
			return nil, err
		}
	}
	if !x.ends.IsZero() && !now.Before(x.ends) {
		return nil, errTokenExpired
	}
	t.seen.used(x.id, &x.seen, now)
	return x, nil
}

// read returns the token of a row.
func (t *apiTokens) read(ctx context.Context, h hashed) (*apiToken, error) {
	row, err := store.First[models.APIToken](t.store.Read(ctx).Where("secret_hash = ?", h.String()))
	if fault.Is(err, fault.NotFound) {
		return nil, errTokenUnknown
	}
	if err != nil {
		return nil, err
	}
	x := &apiToken{id: row.ID, user: row.UserID, readOnly: row.Scope != models.ScopeWrite, ends: row.Ends()}
	if row.SeenAt != nil {
		x.seen.set(*row.SeenAt)
	}
	return x, nil
}

// authenticateToken returns the actor of an API token.
func (s *Service) authenticateToken(ctx context.Context, text string) (access.Actor, error) {
	x, err := s.tokens.open(ctx, text, s.store.Now())
	if err != nil {
		return access.Actor{}, err
	}
	u, err := s.users.UserByID(ctx, x.user)
	if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
		return access.Actor{}, fault.New(fault.Unauthenticated, msgDisabled)
	}
	if err != nil {
		return access.Actor{}, fmt.Errorf("find user %s: %w", x.user, err)
	}
	a, err := s.actor(ctx, u, "")
	a.Token, a.ReadOnly = x.id, x.readOnly
	return a, err
}

// CanCreateToken is the guard of CreateToken: people may create tokens, programs may not.
func CanCreateToken(a access.Actor) error {
	if a.ID == 0 {
		return fault.Forbiddenf("Only users have API tokens.")
	}
	return a.Personal()
}

// LastDay returns the latest expiry day of an API token created now, or "" for no limit.
func (s *Service) LastDay() string { return s.tokens.policy.last(s.store.Now()) }

// CreateToken creates an API token of the actor with the name, scope and last day in the row. It sets the
// row's Secret to the text of the token; the database stores only a hash. The error is Invalid for a last
// day in the past or beyond the policy, and Conflict if the user already has 100 tokens.
func (s *Service) CreateToken(ctx context.Context, a access.Actor, row *models.APIToken) error {
	if err := CanCreateToken(a); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		last := s.tokens.policy.last(tx.Now)
		if row.ExpiresOn == "" {
			row.ExpiresOn = last
		}
		if err := row.Validate(); err != nil {
			return err
		}
		if err := checkLastDay(row.ExpiresOn, tx.Now.Format(time.DateOnly), last); err != nil {
			return err
		}
		// A user who is being disabled must not keep a token.
		u, err := store.First[models.User](tx.ForUpdate().Where("id = ?", a.ID))
		if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
			return fault.New(fault.Unauthenticated, msgDisabled)
		}
		if err != nil {
			return err
		}
		var have int64
		if err := tx.Model(&models.APIToken{}).Where("user_id = ?", a.ID).Count(&have).Error; err != nil {
			return store.Fault(err)
		}
		if have >= maxTokens {
			return fault.Conflictf("There are %d API tokens already. Revoke those that are not used.", have)
		}
		secret, h := tokenSecret.fresh()
		row.UserID, row.SecretHash, row.Prefix, row.Secret = a.ID, h.String(), tokenSecret.visible(secret), secret
		if err := store.Insert(tx, row); err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectUser, a.ID, "api_token_created", describe(row), nil, nil)
	})
}

func checkLastDay(day, today, last string) error {
	switch {
	case day == "":
		return nil
	case day < today:
		return fault.InvalidField(fault.Member("expires"), "is in the past")
	case last != "" && day > last:
		return fault.InvalidField(fault.Member("expires"), "is later than %s, the last day that is allowed", last)
	}
	return nil
}

// describe returns a description of the token for the history.
func describe(row *models.APIToken) string {
	text := fmt.Sprintf("%s (%s…, %s)", row.Name, row.Prefix, row.Scope)
	if row.ExpiresOn != "" {
		text += " until " + row.ExpiresOn
	}
	return text + "."
}

// Tokens returns a page of the API tokens that the actor sees: their own, or all if the actor sees
// everything.
func (s *Service) Tokens(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.APIToken], error) {
	return query.List[models.APIToken](s.store.Read(ctx), APITokens, a, q, opts...)
}

// Token returns an API token that the actor sees.
func (s *Service) Token(ctx context.Context, a access.Actor, ref string) (*models.APIToken, error) {
	return query.Find[models.APIToken](s.store.Read(ctx), APITokens, a, ref)
}

// CanRevokeToken is the guard of RevokeToken: the user, and super admins.
func CanRevokeToken(a access.Actor, t *models.APIToken) error { return own(a, t.UserID, "API tokens") }

// RevokeToken revokes an API token, on every replica.
func (s *Service) RevokeToken(ctx context.Context, a access.Actor, ref string) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := query.Find[models.APIToken](tx, APITokens, a, ref)
		if err != nil {
			return err
		}
		if err := CanRevokeToken(a, row); err != nil {
			return err
		}
		if err := tx.Where("id = ?", row.ID).Delete(&models.APIToken{}).Error; err != nil {
			return fmt.Errorf("revoke API token %s: %w", row.ID, store.Fault(err))
		}
		tx.Signal(TopicTokens, row.UserID)
		return history.Add(tx, a, models.ObjectUser, row.UserID, "api_token_revoked", describe(row), nil, nil)
	})
}
