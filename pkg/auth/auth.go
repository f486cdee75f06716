// Package auth says who calls: it signs users in, issues and verifies their
// tokens and the secrets of their browsers and programs, and checks on every request
// that user, session and password are still what they were at the sign-in.
//
// Not in this slice: the second factor, directories (LDAP, OIDC), and sign-in
// throttling across replicas.
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

// UserSource are the users as they are now. It is asked on every request, so answers
// should come from memory, and be as fresh as the store's signals: a change of a
// user's row is announced under "users".
type UserSource interface {
	// UserByName finds by username in any letter case, NotFound if there is none.
	// Callers must not change the row.
	UserByName(ctx context.Context, username string) (*models.User, error)
	// UserByUUID is the same by uuid.
	UserByUUID(ctx context.Context, uuid string) (*models.User, error)
	// UserByID is the same by id.
	UserByID(ctx context.Context, id models.ID) (*models.User, error)
	// Rights returns what the user's grants amount to.
	Rights(ctx context.Context, userID models.ID) (*access.Rights, error)
}

// Credentials are the input of a sign-in.
type Credentials struct {
	Username string // or user@domain
	Password string
	Token    string // the second factor's code. No user has one in this slice: it is not looked at
	Domain   string // of a directory, "" for local users
	Source   string // the caller's address: failures are counted by username and source

	UserAgent string // the caller's program, which is shown with the session
}

// Tokens are the result of a sign-in.
type Tokens struct {
	Access    string
	Refresh   string        // "" after a refresh: the old one stays good
	ExpiresIn time.Duration // of Access
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

// Service signs in and out, and tells who calls. It is safe for concurrent use.
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

// Config is what a Service is made of.
type Config struct {
	Store  *store.Store
	Users  UserSource
	Issuer *TokenIssuer
	Hasher *Hasher      // nil means one of its own
	Log    *slog.Logger // nil means none

	Sessions SessionPolicy // of browsers; a zero value means the default
	Tokens   TokenPolicy
	Reset    ResetMail // of passwords; none without a mail server
}

// New returns a service. It listens to the store's signals from here on.
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

// What callers are told, in the words of Django REST framework and its JWT plugin
// where those have some: clients look for them.
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

// SignIn checks the credentials and begins a session. Whoever may not sign in
// gets one and the same Unauthenticated after the same work, whether it is the
// user that does not exist or is disabled, or the password that is wrong. After
// ten of them for one username and source it is Limited for some minutes, see
// RetryAfter. Unavailable: the database is gone, or too many sign in at once.
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
		// The last renewal is at the end of the window, and then good for a life.
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

// unchanged returns the row of a user whose password was just checked. What was
// checked may be old: from here on the row stands still, so that a change of the
// password ends what is begun, or prevents it.
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

// checkPassword returns the active user whose password it is, or Unauthenticated in
// the words of message, or the throttle's refusal.
func (s *Service) checkPassword(ctx context.Context, c Credentials, message string) (*models.User, error) {
	name, domain := c.Username, c.Domain
	if at := strings.LastIndexByte(name, '@'); at > 0 && at < len(name)-1 {
		name, domain = name[:at], name[at+1:]
		if c.Domain != "" && !strings.EqualFold(c.Domain, domain) {
			domain = c.Domain // one of the two is no domain of ours in any case
		}
	}
	if domain != "" {
		// No directory can be configured in this slice. The answer depends on nothing
		// but the request, so it says nothing about any user; once directories exist,
		// it must go on being given before a user is looked up.
		return nil, fault.New(fault.Unauthenticated, msgDomain)
	}
	wrong := fault.New(fault.Unauthenticated, "%s", message)
	if name == "" || c.Password == "" || len(c.Password) > maxPassword {
		return nil, wrong // no user can have this name or password
	}
	g := &gate{throttle: s.throttle, key: throttleKey(name, c.Source), now: s.store.Now}
	if err := g.allow(); err != nil { // before the memory of right passwords, or guessing there would be free
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

// Refresh returns a new access token for one that is still good, access or refresh,
// of the same session and counting from the same sign-in, as
// django-rest-framework-jwt does. It is Unauthenticated for what Authenticate
// refuses, and once the sign-in is longer ago than the window (7 days).
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

// Verify gives the claims of an access token that Authenticate would accept, and
// is Unauthenticated for any other.
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

// stands returns the user of verified claims when all that they rest on still
// stands: the user is active, the password the same, the session not ended.
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

// person returns u, or the error err of its lookup. The user must be active and have
// the password of the generation. Where and key select the user's row.
func (s *Service) person(ctx context.Context, u *models.User, err error, generation int64, where string, key any) (*models.User, error) {
	if err == nil && u.PasswordGen < generation {
		// The users in memory lack a change that another replica has made a
		// moment ago: the credentials are newer.
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

// actor puts the user together with their rights.
func (s *Service) actor(ctx context.Context, u *models.User, session string) (access.Actor, error) {
	rights, err := s.users.Rights(ctx, u.ID)
	if err != nil {
		return access.Actor{}, fmt.Errorf("rights of user %s: %w", u.ID, err)
	}
	return access.NewActor(u, session, rights), nil
}

// Authenticate returns the caller, from the value of the Authorization field: Bearer
// with an access token or an API token, JWT with the one, Token with the other, or
// Basic, in any letter case. Source is the caller's address, by which failures of Basic
// are counted as SignIn counts them. The error has a message for the caller: it is
// Unauthenticated without good credentials, and Limited after ten failures.
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
	case scheme == schemeToken, scheme == schemeBearer && strings.HasPrefix(rest, string(tokenSecret)): // which no JWT begins with
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

// SignOut ends the actor's session, and with it all its tokens, on every replica.
// It does nothing for actors without one (Basic), or whose session has ended.
func (s *Service) SignOut(ctx context.Context, a access.Actor) error {
	if a.Session == "" {
		return nil
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		return endSession(tx, "uuid = ? AND user_id = ?", a.Session, a.ID)
	})
}

// changing takes the place of the source where the throttle counts wrong old
// passwords: the caller is signed in, so it is known without an address.
const changing = "\x00change"

// CanChangePassword is the guard of ChangePassword: one's own, and no program's.
func CanChangePassword(a access.Actor, u *models.User) error {
	if a.ID != u.ID {
		return fault.Forbiddenf("Users change their own password alone.")
	}
	return a.Personal()
}

// ChangePassword sets the actor's password to new when old is the present one,
// and ends all sessions but the actor's own. Every token issued before is dead
// with the old password, so the tokens that the session goes on with are
// returned; they are empty for an actor without a session, and for a browser, whose
// cookie stays good. It is Invalid for a wrong old password or an unacceptable new
// one, Limited after ten wrong ones, Conflict when the password was changed by
// somebody else meanwhile.
func (s *Service) ChangePassword(ctx context.Context, a access.Actor, old, new string) (Tokens, error) {
	if err := a.Personal(); err != nil {
		return Tokens{}, err
	}
	if err := checkPassword(new); err != nil {
		return Tokens{}, err
	}
	u, err := s.users.UserByUUID(ctx, a.UUID)
	if fault.Is(err, fault.NotFound) {
		return Tokens{}, fault.New(fault.Unauthenticated, msgDisabled) // the system's actor too
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
			return errSessionEnded // signed out meanwhile: then nothing is to go on, nor to change
		}
		if err != nil {
			return fmt.Errorf("load a session of user %s: %w", u.ID, err)
		}
		if err := tx.Model(session).UpdateColumn("generation", row.PasswordGen).Error; err != nil {
			return fmt.Errorf("go on with a session of user %s: %w", u.ID, store.Fault(err))
		}
		if session.Browser() {
			return nil // its cookie goes on
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

// hashPassword checks that the password is acceptable and hashes it, for
// setPasswordHash. It takes about 22 ms and waits for its turn: it belongs before
// the transaction. Errors are those of checkPassword and Hasher.Hash.
func (s *Service) hashPassword(ctx context.Context, plain string) (string, error) {
	if err := checkPassword(plain); err != nil {
		return "", err
	}
	return s.hasher.Hash(ctx, plain)
}

// setPasswordHash sets the user's password to what hashPassword returned, and counts the
// generation up. A user that is not in the database yet is only filled, for the Insert
// to come. Any other user was read in the same transaction: the row is saved, all
// sessions but except (a uuid, "" for none) end, and both are announced.
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
