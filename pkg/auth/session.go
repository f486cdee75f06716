package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// TopicUsers, TopicSessions and TopicTokens are the topics of the store signals of this package. Their key
// is the user's id: "sessions" means that some of the user's sessions ended. A client may sign in before
// every request, so that a user may have thousands of sessions, and one signal per session would be too
// many.
const (
	TopicUsers    = "users"
	TopicSessions = "sessions"
	TopicTokens   = "api_tokens"
)

// The defaults of SessionPolicy.
const (
	defaultIdle     = 12 * time.Hour
	DefaultLifetime = 7 * 24 * time.Hour
)

// SessionPolicy limits the sessions of browsers.
type SessionPolicy struct {
	Idle     time.Duration // after the last request
	Lifetime time.Duration // after the sign-in, regardless of use
}

// Validate returns an Invalid error for invalid durations.
func (p SessionPolicy) Validate() error {
	if p.Idle < 2*lastUsedStep || p.Lifetime < p.Idle {
		return fault.Invalidf("A session of %v that ends %v after the last request is none: it takes two minutes and more.", p.Lifetime, p.Idle)
	}
	return nil
}

// rowsKept is the number of live sessions, and of API tokens, in the cache.
const rowsKept = 4096

// session is a cached live session.
type session struct {
	id, user   models.ID
	uuid       string
	generation int64
	browser    bool
	expires    time.Time
	seen       usedAt
}

func remembered(row *models.Session) *session {
	s := &session{
		id: row.ID, user: row.UserID, uuid: row.UUID, generation: row.Generation,
		browser: row.Browser(), expires: row.ExpiresAt,
	}
	s.seen.set(row.SeenAt)
	return s
}

// sessions finds live sessions. It uses its cache only while the process receives the changes of other
// replicas.
type sessions struct {
	store    *store.Store
	policy   SessionPolicy
	seen     *lastUsed
	byUUID   *cache.Cache[string, *session] // of tokens
	bySecret *cache.Cache[hashed, *session] // of browsers
}

func newSessions(st *store.Store, p SessionPolicy) *sessions {
	t := cache.Tables[*session]{Store: st, Topics: []string{TopicSessions}, Owner: func(x *session) models.ID { return x.user }}
	return &sessions{
		store: st, policy: p, seen: newLastUsed("sessions"),
		byUUID: cache.OfTables[string](rowsKept, t), bySecret: cache.OfTables[hashed](rowsKept, t),
	}
}

var errSessionEnded = fault.New(fault.Unauthenticated, "The session has ended. Sign in again.")

// over reports whether the session has expired.
func (s *sessions) over(x *session, now time.Time) bool {
	return !now.Before(x.expires) || x.browser && now.Sub(x.seen.time()) >= s.policy.Idle
}

// check returns nil if the session is live and belongs to the user. Otherwise the error is Unauthenticated,
// or the database's.
func (s *sessions) check(ctx context.Context, uuid string, user models.ID, now time.Time) error {
	x, err := find(ctx, s, s.byUUID, uuid, "uuid = ?", uuid, now)
	if err != nil {
		return err
	}
	if x.user != user {
		return errSessionEnded
	}
	return nil
}

// open returns the session of a browser by the hash of its secret.
func (s *sessions) open(ctx context.Context, h hashed, now time.Time) (*session, error) {
	return find(ctx, s, s.bySecret, h, "secret_hash = ?", h.String(), now)
}

// find returns a live session from the cache or from its row, and records its use.
func find[K comparable](ctx context.Context, s *sessions, in *cache.Cache[K, *session], key K, where, value string, now time.Time) (*session, error) {
	x, ok := in.Get(key, now)
	if !ok || s.over(x, now) { // another replica may have recorded a later use
		var err error
		x, err = in.Load(key, func() (*session, error) { return s.read(ctx, where, value, now) })
		if err != nil {
			return nil, err
		}
	}
	s.seen.used(x.id, &x.seen, now)
	return x, nil
}

// read returns the live session of a row.
func (s *sessions) read(ctx context.Context, where, value string, now time.Time) (*session, error) {
	row, err := store.First[models.Session](s.store.Read(ctx).Where(where, value))
	if fault.Is(err, fault.NotFound) || err == nil && row.RevokedAt != nil {
		return nil, errSessionEnded
	}
	if err != nil {
		return nil, err
	}
	x := remembered(row)
	if s.over(x, now) {
		return nil, errSessionEnded
	}
	return x, nil
}

// begin inserts the row of a session. It truncates the caller's description to the size of its columns.
func begin(tx *store.Tx, u *models.User, c Credentials, secret string, life time.Duration) (*models.Session, error) {
	row := &models.Session{
		UUID: uuid.NewString(), Version: 1, UserID: u.ID, SecretHash: secret, Generation: u.PasswordGen,
		CreatedAt: tx.Now, SeenAt: tx.Now, ExpiresAt: tx.Now.Add(life),
		Address: bounded(c.Source, 64), UserAgent: bounded(c.UserAgent, models.MaxUserAgent),
	}
	if err := tx.Create(row).Error; err != nil {
		return nil, fmt.Errorf("begin a session of user %s: %w", u.ID, store.Fault(err))
	}
	return row, nil
}

// bounded returns the printable prefix of a text.
func bounded(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i]
		}
	}
	return text
}

// OpenSession is SignIn for a browser: it starts a session and returns the secret for the browser's cookie.
// It ends the browser's previous session if before is its secret. Errors are those of SignIn.
func (s *Service) OpenSession(ctx context.Context, c Credentials, before string) (secret string, u *models.User, err error) {
	if u, err = s.checkPassword(ctx, c, msgSignIn); err != nil {
		return "", nil, err
	}
	secret, h := cookieSecret.fresh()
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := s.unchanged(tx, u)
		if err != nil {
			return err
		}
		if old, ok := cookieSecret.read(before); ok {
			if err := endSession(tx, "secret_hash = ?", old.String()); err != nil {
				return err
			}
		}
		_, err = begin(tx, row, c, h.String(), s.sessions.policy.Lifetime)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	return secret, u, nil
}

// AuthenticateSession returns the caller for the secret in a browser's cookie. The error is Unauthenticated
// if there is no live session.
func (s *Service) AuthenticateSession(ctx context.Context, secret string) (access.Actor, error) {
	h, ok := cookieSecret.read(secret)
	if !ok {
		return access.Actor{}, errSessionEnded
	}
	x, err := s.sessions.open(ctx, h, s.store.Now())
	if err != nil {
		return access.Actor{}, err
	}
	u, err := s.users.UserByID(ctx, x.user)
	if u, err = s.person(ctx, u, err, x.generation, "id = ?", x.user); err != nil {
		return access.Actor{}, err
	}
	return s.actor(ctx, u, x.uuid)
}

// FormerUser returns the user of a browser's session, even if it has ended: the sender of a form that
// arrives too late. The error is Unauthenticated for an unknown secret.
func (s *Service) FormerUser(ctx context.Context, secret string) (models.ID, error) {
	h, ok := cookieSecret.read(secret)
	if !ok {
		return 0, errSessionEnded
	}
	row, err := store.First[models.Session](s.store.Read(ctx).Where("secret_hash = ?", h.String()))
	if fault.Is(err, fault.NotFound) {
		return 0, errSessionEnded
	}
	if err != nil {
		return 0, err
	}
	return row.UserID, nil
}

// lives returns the condition, over query.Root, for sessions that have not ended.
func (s *sessions) lives(now time.Time) access.Where {
	const t = query.Root
	return access.Where{
		SQL: t + ".revoked_at IS NULL AND " + t + ".expires_at > ? AND (" + t + ".secret_hash = '' OR " + t + ".seen_at > ?)" +
			" AND " + t + ".generation = (SELECT u.password_gen FROM users u WHERE u.id = " + t + ".user_id)",
		Args: []any{now, now.Add(-s.policy.Idle)},
	}
}

// Sessions returns a page of the live sessions that the actor sees: their own, or all if the actor sees
// everything.
func (s *Service) Sessions(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Session], error) {
	p, err := query.List[models.Session](s.store.Read(ctx), Sessions, a, q, append(opts, query.Base(s.sessions.lives(s.store.Now())))...)
	for _, row := range p.Rows {
		row.Current = a.Session != "" && row.UUID == a.Session
	}
	return p, err
}

// Session returns a live session that the actor sees.
func (s *Service) Session(ctx context.Context, a access.Actor, ref string) (*models.Session, error) {
	return s.sessionTx(s.store.Read(ctx), a, ref)
}

func (s *Service) sessionTx(tx *store.Tx, a access.Actor, ref string) (*models.Session, error) {
	row, err := query.Find[models.Session](tx, Sessions, a, ref, query.Base(s.sessions.lives(tx.Now)))
	if err != nil {
		return nil, err
	}
	row.Current = a.Session != "" && row.UUID == a.Session
	return row, nil
}

// CanEndSession is the guard of EndSession: the user, and super admins.
func CanEndSession(a access.Actor, x *models.Session) error { return own(a, x.UserID, "sessions") }

// CanEndSessions is the guard of EndSessions.
func CanEndSessions(a access.Actor, u *models.User) error { return own(a, u.ID, "sessions") }

// CanSeeCredentials is the guard of lists of a user's sessions and API tokens.
func CanSeeCredentials(a access.Actor, u *models.User) error {
	if a.GlobalViewer {
		return nil
	}
	return own(a, u.ID, "sessions and API tokens")
}

func own(a access.Actor, user models.ID, what string) error {
	if a.SuperAdmin || a.ID == user && user != 0 {
		return nil
	}
	return fault.Forbiddenf("The %s of a user are the user's own, and super admins'.", what)
}

// EndSession ends a session with all its tokens, on every replica.
func (s *Service) EndSession(ctx context.Context, a access.Actor, ref string) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := s.sessionTx(tx, a, ref)
		if err != nil {
			return err
		}
		if err := CanEndSession(a, row); err != nil {
			return err
		}
		if err := endSession(tx, "id = ?", row.ID); err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectUser, row.UserID, "session_ended", "Session id "+row.ID.String()+" from "+row.Address+".", nil, nil)
	})
}

// EndSessions ends all sessions of the user, including the actor's own, on every replica. API tokens stay
// valid.
func (s *Service) EndSessions(ctx context.Context, a access.Actor, user models.ID) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		u, err := store.First[models.User](tx.ForUpdate().Where("id = ?", user))
		if err != nil {
			return err
		}
		if err := CanEndSessions(a, u); err != nil {
			return err
		}
		if err := endSessions(tx, user, ""); err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectUser, user, "signed_out_everywhere", "", nil, nil)
	})
}

// endSession ends the live session that meets the condition, and announces it. It is no error if there is
// none.
func endSession(tx *store.Tx, where string, values ...any) error {
	row, err := store.First[models.Session](tx.Where(where, values...).Where("revoked_at IS NULL"))
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = tx.Model(&models.Session{}).Where("id = ?", row.ID).Updates(map[string]any{"revoked_at": tx.Now, "version": row.Version + 1}).Error
	if err != nil {
		return fmt.Errorf("end session %s: %w", row.ID, store.Fault(err))
	}
	tx.Signal(TopicSessions, row.UserID)
	return nil
}

// endSessions revokes the user's live sessions except the one with the uuid except, and announces it.
func endSessions(tx *store.Tx, user models.ID, except string) error {
	err := tx.Model(&models.Session{}).
		Where("user_id = ? AND uuid <> ? AND revoked_at IS NULL", user, except).
		Update("revoked_at", tx.Now).Error
	if err != nil {
		return store.Fault(err)
	}
	tx.Signal(TopicSessions, user)
	return nil
}

// Ended ends the user's sessions and voids links to set a password if the password was changed or the user
// is no longer active. In the latter case it also revokes the API tokens. Call it in the transaction that
// changes the user.
func Ended(tx *store.Tx, u *models.User) error {
	if u.Active && !u.Rekeyed {
		return nil
	}
	if err := endSessions(tx, u.ID, ""); err != nil {
		return fmt.Errorf("end the sessions of user %s: %w", u.ID, err)
	}
	if err := voidResets(tx, u.ID); err != nil {
		return fmt.Errorf("void the links of user %s: %w", u.ID, err)
	}
	if u.Active {
		return nil
	}
	if err := tx.Where("user_id = ?", u.ID).Delete(&models.APIToken{}).Error; err != nil {
		return fmt.Errorf("revoke the API tokens of user %s: %w", u.ID, store.Fault(err))
	}
	tx.Signal(TopicTokens, u.ID)
	return nil
}

// sweepBatch is the number of rows that one transaction deletes: SQLite has one writer, and no other writer
// should wait for all of them.
const sweepBatch = 1000

// sweepAfter is the time that ended sessions are kept.
const sweepAfter = 24 * time.Hour

// Sweep deletes the sessions that ended more than a day ago, and expired links to set a password. It
// returns the number of deleted rows. Run it as a regular job; it may run on several replicas at once.
// Errors are the database's; rows deleted before stay deleted.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	var total int64
	for _, statement := range []string{
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? OR revoked_at < ? LIMIT ?)`,
		`DELETE FROM password_resets WHERE id IN (SELECT id FROM password_resets WHERE expires_at < ? AND created_at < ? LIMIT ?)`,
	} {
		for {
			var n int64
			err := s.store.InTx(ctx, func(tx *store.Tx) error {
				before := tx.Now.Add(-sweepAfter)
				res := tx.Exec(statement, before, before, sweepBatch)
				n = res.RowsAffected
				return res.Error
			})
			if err != nil {
				return total, err
			}
			if total += n; n < sweepBatch {
				break
			}
		}
	}
	return total, nil
}
