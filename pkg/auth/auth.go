// Package auth authenticates callers: it signs users in, issues and verifies their tokens and the secrets
// of their browsers and programs, and checks on every request that user, session and password have not
// changed since the sign-in.
//
// Not supported yet: a second factor, directories (LDAP, OIDC), and sign-in throttling across replicas.
package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/store"
)

// UserSource reads the current users. Every request calls it, so it should answer from memory, and be as
// fresh as the store's signals: a change of a user's row is announced under "users".
type UserSource interface {
	// UserByName finds a user by username, ignoring case. The error is NotFound if there is none. Callers
	// must not change the row.
	UserByName(ctx context.Context, username string) (*models.User, error)
	// UserByUUID finds a user by uuid, like UserByName.
	UserByUUID(ctx context.Context, uuid string) (*models.User, error)
	// UserByID finds a user by id, like UserByName.
	UserByID(ctx context.Context, id models.ID) (*models.User, error)
	// Rights returns the rights from all grants of the user.
	Rights(ctx context.Context, userID models.ID) (*access.Rights, error)
}

// Credentials are the input of a sign-in.
type Credentials struct {
	Username string // or user@domain
	Password string
	Token    string // the code of a second factor; ignored, since no user has one yet
	Domain   string // name of a directory, "" for local users
	Source   string // the caller's address; failures are counted by username and source

	UserAgent string // the caller's program, shown with the session
}

// Tokens are the result of a sign-in.
type Tokens struct {
	Access    string
	Refresh   string        // "" after a refresh: the old one stays valid
	ExpiresIn time.Duration // lifetime of Access
}

const redacted = "[redacted]"

// Format implements fmt.Formatter: no verb prints the password.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements fmt.Formatter: no verb prints the tokens.
func (t Tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(redacted) }

// Service signs users in and out, and authenticates callers. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	users    UserSource
	issuer   *TokenIssuer
	hasher   *Hasher
	sessions *sessions
	tokens   *apiTokens
	throttle *throttle
	reset    ResetMail
	log      *slog.Logger
}

// Config configures a Service.
type Config struct {
	Store  *store.Store
	Users  UserSource
	Issuer *TokenIssuer
	Hasher *Hasher      // nil: a new one
	Log    *slog.Logger // nil: no log

	Sessions SessionPolicy // of browsers; zero values mean the defaults
	Tokens   TokenPolicy
	Reset    ResetMail // of passwords; disabled without a mail server
}

// New returns a service. It listens to the store's signals from then on.
func New(c Config) *Service {
	if c.Hasher == nil {
		c.Hasher = NewHasher(c.Store.Now)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sessions == (SessionPolicy{}) {
		c.Sessions = SessionPolicy{Idle: defaultIdle, Lifetime: DefaultLifetime}
	}
	return &Service{
		store: c.Store, users: c.Users, issuer: c.Issuer, hasher: c.Hasher, log: c.Log,
		sessions: newSessions(c.Store, c.Sessions), tokens: newAPITokens(c.Store, c.Tokens), throttle: newThrottle(), reset: c.Reset,
	}
}

// Messages to callers. They use the wording of Django REST framework and its JWT plugin where there is one,
// since clients look for it.
const (
	msgNone     = "Authentication credentials were not provided."
	msgEmpty    = "Invalid Authorization header. No credentials provided."
	msgSpaces   = "Invalid Authorization header. Credentials string should not contain spaces."
	msgBasic    = "Invalid username/password."
	msgSignIn   = "Unable to log in with provided credentials."
	msgDomain   = "The directory domain is not known."
	msgPassword = "The password was changed. Sign in again."
	msgDisabled = "User account is disabled."
	msgRefresh  = "Refresh has expired."
)

// SignIn checks the credentials and starts a session. A missing user, a disabled user and a wrong password
// lead to the same Unauthenticated error after the same work. After ten failures for one username and
// source the error is Limited for some minutes, see RetryAfter. It is Unavailable if the database is down
// or too many callers sign in at once.
func (s *Service) SignIn(ctx context.Context, c Credentials) (Tokens, error) {
	u, err := s.checkPassword(ctx, c, msgSignIn)
	if err != nil {
		return Tokens{}, err
	}
	var g Grant
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := s.unchanged(tx, u)
		if err != nil {
			return err
		}
		// The last renewal is at the end of the window; its token then lasts for one life.
		session, err := begin(tx, row, c, "", s.issuer.Window+s.issuer.Life)
		if err != nil {
			return err
		}
		g = Grant{Subject: row.UUID, Username: row.Username, Session: session.UUID, Generation: row.PasswordGen, OrigIssuedAt: tx.Now}
		return nil
	})
	if err != nil {
		return Tokens{}, err
	}
	return s.issue(g)
}

// unchanged returns the row of a user with a password that was just checked. The check may have used an old
// row. This locks the row, so that a change of the password either ends the new session or prevents it.
func (s *Service) unchanged(tx *store.Tx, u *models.User) (*models.User, error) {
	row, err := store.First[models.User](tx.ForUpdate().Where("id = ?", u.ID))
	if fault.Is(err, fault.NotFound) || err == nil && (!row.Active || row.PasswordHash != u.PasswordHash) {
		return nil, fault.Wrap(fault.Unauthenticated, err, msgSignIn)
	}
	if err != nil {
		return nil, fmt.Errorf("load user %s: %w", u.ID, err)
	}
	return row, nil
}

func (s *Service) issue(g Grant) (Tokens, error) {
	t := Tokens{ExpiresIn: s.issuer.Life}
	var err error
	if t.Access, _, err = s.issuer.Access(g); err != nil {
		return Tokens{}, err
	}
	if t.Refresh, _, err = s.issuer.refresh(g); err != nil {
		return Tokens{}, err
	}
	return t, nil
}

// checkPassword returns the active user with the password. The error is Unauthenticated with the message,
// or the throttle's.
func (s *Service) checkPassword(ctx context.Context, c Credentials, message string) (*models.User, error) {
	name, domain := c.Username, c.Domain
	if at := strings.LastIndexByte(name, '@'); at > 0 && at < len(name)-1 {
		name, domain = name[:at], name[at+1:]
		if c.Domain != "" && !strings.EqualFold(c.Domain, domain) {
			domain = c.Domain // both are set: at least one is not a valid domain
		}
	}
	if domain != "" {
		// Directories are not supported yet. The answer depends only on the request, so it reveals nothing
		// about any user. With directories, this check must still precede the look-up of the user.
		return nil, fault.New(fault.Unauthenticated, msgDomain)
	}
	wrong := fault.New(fault.Unauthenticated, "%s", message)
	if name == "" || c.Password == "" || len(c.Password) > maxPassword {
		return nil, wrong // no user can have this name or password
	}
	g := &gate{throttle: s.throttle, key: throttleKey(name, c.Source), now: s.store.Now}
	if err := g.allow(); err != nil { // before the cache of right passwords, or guessing there would be free
		return nil, err
	}
	u, err := s.users.UserByName(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("find a user by name: %w", err)
	}
	stored := "" // costs as much as a wrong password
	if err == nil && u.Active {
		stored = u.PasswordHash
		if _, ok := parsePHC(stored); !ok && stored != "" {
			s.log.WarnContext(ctx, "a user's password hash cannot be read", "user", u.ID)
		}
	}
	ok, err := s.hasher.verify(ctx, stored, c.Password, g)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, wrong
	}
	return u, nil
}

// Refresh returns a new access token for a valid access or refresh token, of the same session and counted
// from the same sign-in, as django-rest-framework-jwt does. The error is Unauthenticated for tokens that
// Authenticate rejects, and if the sign-in is longer ago than the window (7 days).
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	c, err := s.issuer.verifyEither(token)
	if err != nil {
		return Tokens{}, err
	}
	u, err := s.stands(ctx, &c)
	if err != nil {
		return Tokens{}, err
	}
	if now := s.store.Now(); !now.Before(c.OrigIssuedAt.Add(s.issuer.Window)) {
		return Tokens{}, fault.New(fault.Unauthenticated, msgRefresh)
	}
	g := Grant{Subject: u.UUID, Username: u.Username, Session: c.Session, Generation: c.Generation, OrigIssuedAt: c.OrigIssuedAt}
	t := Tokens{ExpiresIn: s.issuer.Life}
	if t.Access, _, err = s.issuer.Access(g); err != nil {
		return Tokens{}, err
	}
	return t, nil
}

// Verify returns the claims of an access token that Authenticate would accept. The error is Unauthenticated
// for any other token.
func (s *Service) Verify(ctx context.Context, token string) (Claims, error) {
	c, err := s.issuer.verifyAccess(token)
	if err != nil {
		return Claims{}, err
	}
	if _, err := s.stands(ctx, &c); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// stands returns the user of verified claims if they are still current: the user is active, the password is
// the same, and the session has not ended.
func (s *Service) stands(ctx context.Context, c *Claims) (*models.User, error) {
	u, err := s.users.UserByUUID(ctx, c.Subject)
	if u, err = s.person(ctx, u, err, c.Generation, "uuid = ?", c.Subject); err != nil {
		return nil, err
	}
	if err := s.sessions.check(ctx, c.Session, u.ID, s.store.Now()); err != nil {
		return nil, err
	}
	return u, nil
}

// person returns u, or the error err of its lookup. The user must be active and have the password of the
// generation. where and key select the user's row.
func (s *Service) person(ctx context.Context, u *models.User, err error, generation int64, where string, key any) (*models.User, error) {
	if err == nil && u.PasswordGen < generation {
		// The credentials are newer than the user in memory: another replica has just changed the password.
		u, err = store.First[models.User](s.store.Read(ctx).Where(where, key))
	}
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.New(fault.Unauthenticated, msgDisabled)
	case err != nil:
		return nil, fmt.Errorf("find a user: %w", err)
	case !u.Active:
		return nil, fault.New(fault.Unauthenticated, msgDisabled)
	case u.PasswordGen != generation:
		return nil, fault.New(fault.Unauthenticated, msgPassword)
	}
	return u, nil
}

// actor combines the user and their rights.
func (s *Service) actor(ctx context.Context, u *models.User, session string) (access.Actor, error) {
	rights, err := s.users.Rights(ctx, u.ID)
	if err != nil {
		return access.Actor{}, fmt.Errorf("rights of user %s: %w", u.ID, err)
	}
	return access.NewActor(u, session, rights), nil
}

// Authenticate returns the caller for the value of an Authorization field: Bearer with an access token or
// an API token, JWT with an access token, Token with an API token, or Basic. Schemes ignore case. source is
// the caller's address; failures of Basic count by it as in SignIn. The error has a message for the caller:
// it is Unauthenticated without valid credentials, and Limited after ten failures.
func (s *Service) Authenticate(ctx context.Context, header, source string) (access.Actor, error) {
	text, rest, _ := strings.Cut(header, " ")
	scheme := schemeOf(text)
	if scheme == schemeNone {
		return access.Actor{}, fault.New(fault.Unauthenticated, msgNone)
	}
	if len(rest) > maxToken {
		return access.Actor{}, forged("credentials of %d bytes", len(rest))
	}
	rest = strings.Trim(rest, " ")
	switch {
	case rest == "":
		return access.Actor{}, fault.New(fault.Unauthenticated, msgEmpty)
	case strings.IndexByte(rest, ' ') >= 0:
		return access.Actor{}, fault.New(fault.Unauthenticated, msgSpaces)
	}
	switch {
	case scheme == schemeBasic:
		u, err := s.basic(ctx, rest, source)
		if err != nil {
			return access.Actor{}, err
		}
		return s.actor(ctx, u, "")
	case scheme == schemeToken, scheme == schemeBearer && strings.HasPrefix(rest, string(tokenSecret)): // no JWT begins with this
		return s.authenticateToken(ctx, rest)
	}
	return s.withAccess(ctx, rest)
}

// The schemes of the Authorization field.
const (
	schemeNone = iota
	schemeBearer
	schemeJWT
	schemeToken
	schemeBasic
)

func schemeOf(text string) int {
	switch {
	case strings.EqualFold(text, "Bearer"):
		return schemeBearer
	case strings.EqualFold(text, "Basic"):
		return schemeBasic
	case strings.EqualFold(text, "JWT"):
		return schemeJWT
	case strings.EqualFold(text, "Token"):
		return schemeToken
	}
	return schemeNone
}

func (s *Service) withAccess(ctx context.Context, token string) (access.Actor, error) {
	c, err := s.issuer.access(token)
	if err != nil {
		return access.Actor{}, err
	}
	u, err := s.stands(ctx, c)
	if err != nil {
		return access.Actor{}, err
	}
	return s.actor(ctx, u, c.Session)
}

func (s *Service) basic(ctx context.Context, encoded, source string) (*models.User, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	name, password, colon := strings.Cut(string(raw), ":")
	if err != nil || !colon || !utf8.Valid(raw) {
		return nil, fault.New(fault.Unauthenticated, msgBasic)
	}
	return s.checkPassword(ctx, Credentials{Username: name, Password: password, Source: source}, msgBasic)
}

// SignOut ends the actor's session, and with it all its tokens, on every replica. It does nothing for
// actors without a session (Basic), or with one that has ended.
func (s *Service) SignOut(ctx context.Context, a access.Actor) error {
	if a.Session == "" {
		return nil
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		return endSession(tx, "uuid = ? AND user_id = ?", a.Session, a.ID)
	})
}

// changing replaces the source when the throttle counts wrong old passwords: the caller is signed in, so
// the address is not needed.
const changing = "\x00change"

// CanChangePassword is the guard of ChangePassword: users may change their own password, but not by a
// program.
func CanChangePassword(a access.Actor, u *models.User) error {
	if a.ID != u.ID {
		return fault.Forbiddenf("Users change their own password alone.")
	}
	return a.Personal()
}

// ChangePassword sets the actor's password to new if old is the current one, and ends all sessions except
// the actor's own. All earlier tokens become invalid with the old password, so it returns new tokens for
// the session. They are empty for an actor without a session, and for a browser, which keeps its cookie.
// The error is Invalid for a wrong old password or an unacceptable new one, Limited after ten wrong ones,
// and Conflict if the password has been changed concurrently.
func (s *Service) ChangePassword(ctx context.Context, a access.Actor, old, new string) (Tokens, error) {
	if err := a.Personal(); err != nil {
		return Tokens{}, err
	}
	if err := checkPassword(new); err != nil {
		return Tokens{}, err
	}
	u, err := s.users.UserByUUID(ctx, a.UUID)
	if fault.Is(err, fault.NotFound) {
		return Tokens{}, fault.New(fault.Unauthenticated, msgDisabled) // also the system actor
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("find user %s: %w", a.UUID, err)
	}
	if len(old) > maxPassword {
		return Tokens{}, fault.InvalidField(fault.Member("old-password"), "is not the present password")
	}
	g := &gate{throttle: s.throttle, key: throttleKey(u.Username, changing), now: s.store.Now}
	if err := g.allow(); err != nil {
		return Tokens{}, err
	}
	ok, err := s.hasher.verify(ctx, u.PasswordHash, old, g)
	if err != nil {
		return Tokens{}, err
	}
	if !ok {
		return Tokens{}, fault.InvalidField(fault.Member("old-password"), "is not the present password")
	}
	hash, err := s.hasher.Hash(ctx, new)
	if err != nil {
		return Tokens{}, err
	}
	var grant Grant
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		grant = Grant{}
		row, err := store.First[models.User](tx.ForUpdate().Where("id = ?", u.ID))
		if err != nil {
			return fmt.Errorf("load user %s: %w", u.ID, err)
		}
		switch {
		case !row.Active:
			return fault.New(fault.Unauthenticated, msgDisabled)
		case row.PasswordHash != u.PasswordHash:
			return fault.Conflictf("The password was changed by somebody else meanwhile.")
		}
		if err := setPasswordHash(tx, row, hash, a.Session); err != nil {
			return err
		}
		if err := history.Add(tx, a, models.ObjectUser, row.ID, "password_changed", "", nil, nil); err != nil {
			return err
		}
		if a.Session == "" {
			return nil
		}
		session, err := store.First[models.Session](tx.Where("uuid = ? AND user_id = ? AND revoked_at IS NULL", a.Session, u.ID))
		if fault.Is(err, fault.NotFound) {
			return errSessionEnded // signed out meanwhile: change nothing
		}
		if err != nil {
			return fmt.Errorf("load a session of user %s: %w", u.ID, err)
		}
		if err := tx.Model(session).UpdateColumn("generation", row.PasswordGen).Error; err != nil {
			return fmt.Errorf("go on with a session of user %s: %w", u.ID, store.Fault(err))
		}
		if session.Browser() {
			return nil // its cookie stays valid
		}
		grant = Grant{
			Subject: row.UUID, Username: row.Username, Session: session.UUID,
			Generation: row.PasswordGen, OrigIssuedAt: session.CreatedAt,
		}
		return nil
	})
	if err != nil || grant.Session == "" {
		return Tokens{}, err
	}
	return s.issue(grant)
}

// hashPassword checks that the password is acceptable and hashes it, for setPasswordHash. It takes about 22
// ms and may wait for a slot, so call it before the transaction. Errors are those of checkPassword and
// Hasher.Hash.
func (s *Service) hashPassword(ctx context.Context, plain string) (string, error) {
	if err := checkPassword(plain); err != nil {
		return "", err
	}
	return s.hasher.Hash(ctx, plain)
}

// setPasswordHash sets the user's password hash, as hashPassword returns it, and increments the generation.
// For a user that is not in the database yet it only fills the row. Any other user must have been read in
// the same transaction: it saves the row, ends all sessions but except (a uuid, "" for none), and announces
// both.
func setPasswordHash(tx *store.Tx, u *models.User, hash, except string) error {
	u.PasswordHash = hash
	u.PasswordGen++
	if u.ID == 0 {
		return nil
	}
	if err := store.Save(tx, u, "password_hash", "password_gen"); err != nil {
		return fmt.Errorf("set the password of user %s: %w", u.ID, err)
	}
	tx.Signal(TopicUsers, u.ID)
	if err := voidResets(tx, u.ID); err != nil {
		return fmt.Errorf("void the links of user %s: %w", u.ID, err)
	}
	return endSessions(tx, u.ID, except)
}
