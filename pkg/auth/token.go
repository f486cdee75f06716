package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
)

// Type is the kind of a token, as its header's typ says it. Access tokens are
// RFC 9068's at+jwt; refresh tokens have one of their own, so that neither passes
// for the other.
type Type string

// The types.
const (
	TypeAccess  Type = "at+jwt"
	TypeRefresh Type = "rt+jwt"
)

// What TokenIssuerConfig's zero values mean.
const (
	defaultIssuer   = "halcyon"
	defaultAudience = "halcyon"
	defaultLife     = 300 * time.Second
	defaultWindow   = 7 * 24 * time.Hour
)

const (
	maxToken     = 8 << 10         // bytes: more is refused without a look
	skew         = 5 * time.Second // by which another replica's clock may be ahead
	tokensKept   = 4096            // verified tokens in memory, about 2 MB
	maxTimestamp = 253402300799    // the end of the year 9999, in seconds
)

// What callers are told. The cause, for the log, says more.
const (
	msgDecode  = "Error decoding token."
	msgExpired = "Signature has expired."
	msgEarly   = "The token is not yet valid."
)

// Claims are what a verified token says. Times are whole seconds in UTC.
type Claims struct {
	Type         Type
	Issuer       string
	Audience     string
	Subject      string // uuid of the user
	Username     string // as of the issue; Subject is who it is
	ID           string // jti: the token's own
	Session      string // sid: uuid of the session
	Generation   int64  // of the password at the issue
	IssuedAt     time.Time
	NotBefore    time.Time
	Expires      time.Time
	OrigIssuedAt time.Time // when the session was signed in to: refreshing does not move it
}

// Grant is what a token is issued for. Subject and Session are uuids.
type Grant struct {
	Subject, Username, Session string
	Generation                 int64
	OrigIssuedAt               time.Time
}

// TokenIssuerConfig says what tokens look like.
type TokenIssuerConfig struct {
	Issuer   string           // iss; "" means defaultIssuer
	Audience string           // aud; "" means DefaultAudience
	Life     time.Duration    // of an access token; 0 means defaultLife
	Window   time.Duration    // since the sign-in, in which tokens are renewed; 0 means defaultWindow
	Now      func() time.Time // the clock
}

// TokenIssuer issues the JWTs of the API, and tells its own from forgeries. It knows
// nothing about users and sessions: whether those still stand is the Service's
// question. It is safe for concurrent use.
type TokenIssuer struct {
	TokenIssuerConfig
	state atomic.Pointer[issuerState]
}

// issuerState goes together: what was verified is forgotten with the keys.
type issuerState struct {
	keys     *Keys
	signing  *tokenKey
	verified *cache.Cache[[sha256.Size]byte, *Claims]
}

// NewTokenIssuer returns an issuer. It fails for keys of which none signs for the API, and
// for a life or window of less than a second.
func NewTokenIssuer(keys *Keys, c TokenIssuerConfig) (*TokenIssuer, error) {
	if c.Issuer == "" {
		c.Issuer = defaultIssuer
	}
	if c.Audience == "" {
		c.Audience = defaultAudience
	}
	if c.Life == 0 {
		c.Life = defaultLife
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Life < time.Second || c.Window < time.Second {
		return nil, fmt.Errorf("a token life of %v within %v is none", c.Life, c.Window)
	}
	if c.Now == nil {
		return nil, errors.New("a mint needs a clock")
	}
	m := &TokenIssuer{TokenIssuerConfig: c}
	if err := m.rotate(keys); err != nil {
		return nil, err
	}
	return m, nil
}

// rotate has the issuer use other keys from now on. Tokens of keys that are no
// longer there are dead at once; the rest stay good.
func (m *TokenIssuer) rotate(keys *Keys) error {
	key, ok := keys.signingKey(faceAPI)
	if !ok {
		return errors.New("there is no key to sign with")
	}
	m.state.Store(&issuerState{keys: keys, signing: key, verified: cache.New[[sha256.Size]byte, *Claims](tokensKept)})
	return nil
}

// payload is the JSON of the claims, in the order in which they are written.
type payload struct {
	Issuer       string `json:"iss"`
	Audience     string `json:"aud"`
	Subject      string `json:"sub"`
	Username     string `json:"username"`
	ID           string `json:"jti"`
	Session      string `json:"sid"`
	Generation   int64  `json:"gen"`
	OrigIssuedAt int64  `json:"orig_iat"`
	IssuedAt     int64  `json:"iat"`
	NotBefore    int64  `json:"nbf"`
	Expires      int64  `json:"exp"`
}

// Access issues an access token that is good from now for the configured life,
// and says until when.
func (m *TokenIssuer) Access(g Grant) (token string, expires time.Time, err error) {
	now := m.Now()
	return m.issue(TypeAccess, g, now, now.Add(m.Life))
}

// refresh issues a refresh token that is good until the window since the sign-in
// closes.
func (m *TokenIssuer) refresh(g Grant) (token string, expires time.Time, err error) {
	return m.issue(TypeRefresh, g, m.Now(), g.OrigIssuedAt.Add(m.Window))
}

func (m *TokenIssuer) issue(typ Type, g Grant, now, expires time.Time) (string, time.Time, error) {
	key := m.state.Load().signing
	header, err := json.Marshal(struct {
		Alg Alg    `json:"alg"`
		Kid string `json:"kid"`
		Typ Type   `json:"typ"`
	}{key.Alg, key.ID, typ})
	if err != nil {
		return "", time.Time{}, err
	}
	expires = expires.Truncate(time.Second)
	claims, err := json.Marshal(payload{
		Issuer: m.Issuer, Audience: m.Audience, Subject: g.Subject, Username: g.Username,
		ID: uuid.NewString(), Session: g.Session, Generation: g.Generation,
		OrigIssuedAt: g.OrigIssuedAt.Unix(), IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: expires.Unix(),
	})
	if err != nil {
		return "", time.Time{}, err
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString(header) + "." + b64.EncodeToString(claims)
	sig, err := key.method.Sign(text, key.sign)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign with %s: %w", key.ID, err)
	}
	return text + "." + b64.EncodeToString(sig), expires, nil
}

// verifyAccess returns the claims of an access token that this installation issued and
// that is good now. Every other text is Unauthenticated: "Signature has expired."
// for tokens that were good once, "Error decoding token." for all the rest. That
// the user and the session still stand is not known here.
func (m *TokenIssuer) verifyAccess(token string) (Claims, error) {
	c, err := m.access(token)
	if err != nil {
		return Claims{}, err
	}
	return *c, nil
}

// access is verifyAccess without the copy; the claims are shared and not to be changed.
func (m *TokenIssuer) access(token string) (*Claims, error) {
	c, err := m.verify(token)
	if err != nil {
		return nil, err
	}
	if c.Type != TypeAccess {
		return nil, forged("a token of type %s is no access token", c.Type)
	}
	return c, nil
}

// verifyEither is verifyAccess for what may be renewed: an access or a refresh token.
func (m *TokenIssuer) verifyEither(token string) (Claims, error) {
	c, err := m.verify(token)
	if err != nil {
		return Claims{}, err
	}
	return *c, nil
}

func forged(format string, args ...any) error {
	return fault.Wrap(fault.Unauthenticated, fmt.Errorf(format, args...), msgDecode)
}

// verify is strict where golang-jwt's parser is tolerant (it matches claim names
// in any case, takes the last of two, skips line ends in base64, reads 1e300 as a
// time, knows no crit): tokens come from this package alone, so whatever it would
// not have written is forged. Only the signature schemes are golang-jwt's.
func (m *TokenIssuer) verify(token string) (*Claims, error) {
	if len(token) > maxToken {
		return nil, forged("a token of %d bytes", len(token))
	}
	now := m.Now()
	state := m.state.Load()
	hash := digest(token)
	if c, ok := state.verified.Get(hash, now); ok {
		return c, nil
	}
	c, err := m.parse(state.keys, token)
	if err != nil {
		return nil, err
	}
	switch {
	case !now.Before(c.Expires):
		return nil, fault.New(fault.Unauthenticated, msgExpired)
	case now.Add(skew).Before(c.NotBefore), now.Add(skew).Before(c.IssuedAt):
		return nil, fault.New(fault.Unauthenticated, msgEarly)
	}
	state.verified.Put(hash, c, c.Expires)
	return c, nil
}

// digest is the token's SHA-256: tokens themselves are not kept, and looking one up
// does not tell by its time how much of it was right.
func digest(token string) [sha256.Size]byte {
	var short [1024]byte // tokens of ours are: no allocation
	if len(token) <= len(short) {
		return sha256.Sum256(short[:copy(short[:], token)])
	}
	return sha256.Sum256([]byte(token))
}

// parse does everything but look at the clock.
func (m *TokenIssuer) parse(keys *Keys, token string) (*Claims, error) {
	header, rest, ok := strings.Cut(token, ".")
	body, signature, two := strings.Cut(rest, ".")
	if !ok || !two {
		return nil, forged("not three segments")
	}
	raw, err := decodeSegment(header)
	if err != nil {
		return nil, forged("header: %w", err)
	}
	head, err := flatObject(raw)
	if err != nil {
		return nil, forged("header: %w", err)
	}
	// A header that names anything else wants something of us: another key (jku,
	// jwk, x5u, x5c), another reading of the rest (b64, zip, crit), and gets nothing.
	if len(head) != 3 {
		return nil, forged("the header has %d members, not alg, kid and typ", len(head))
	}
	typ, _ := head.text("typ")
	if Type(typ) != TypeAccess && Type(typ) != TypeRefresh {
		return nil, forged("the type is neither %s nor %s", TypeAccess, TypeRefresh)
	}
	kid, _ := head.text("kid")
	key, ok := keys.find(kid)
	if !ok {
		return nil, forged("the key is unknown")
	}
	if alg, _ := head.text("alg"); Alg(alg) != key.Alg {
		return nil, forged("the algorithm is not key %s's", key.ID)
	}
	if key.Face != faceAPI {
		return nil, forged("key %s belongs to the face %s", key.ID, key.Face)
	}
	sig, err := decodeSegment(signature) // refuses a fourth segment's dot as well
	if err != nil {
		return nil, forged("signature: %w", err)
	}
	if err := key.method.Verify(token[:len(header)+1+len(body)], sig, key.verify); err != nil {
		return nil, forged("key %s: %w", key.ID, err)
	}
	if raw, err = decodeSegment(body); err != nil {
		return nil, forged("claims: %w", err)
	}
	members, err := flatObject(raw)
	if err != nil {
		return nil, forged("claims: %w", err)
	}
	return m.claims(Type(typ), members)
}

// claims reads the members of the payload. All are needed; others are ignored,
// so that a newer release can add one while older replicas still run.
func (m *TokenIssuer) claims(typ Type, members object) (*Claims, error) {
	var missing string
	text := func(name string) string {
		s, ok := members.text(name)
		if !ok || s == "" {
			missing = name
		}
		return s
	}
	number := func(name string) int64 {
		n, ok := members.number(name)
		if !ok || n < 0 || n > maxTimestamp {
			missing = name
		}
		return n
	}
	instant := func(name string) time.Time { return time.Unix(number(name), 0).UTC() }
	c := &Claims{
		Type: typ, Issuer: text("iss"), Audience: text("aud"),
		Subject: text("sub"), Username: text("username"), ID: text("jti"), Session: text("sid"),
		Generation: number("gen"), OrigIssuedAt: instant("orig_iat"),
		IssuedAt: instant("iat"), NotBefore: instant("nbf"), Expires: instant("exp"),
	}
	switch {
	case missing != "":
		return nil, forged("the claim %s is missing, or no such value", missing)
	case c.Issuer != m.Issuer:
		return nil, forged("another issuer")
	case c.Audience != m.Audience:
		return nil, forged("another audience")
	}
	c.Issuer, c.Audience = m.Issuer, m.Audience // one copy for all that are remembered
	return c, nil
}

var errSegment = errors.New("no base64url as RFC 7515 writes it")

// decodeSegment decodes base64url without padding, in the one way in which it is
// written: no other alphabet, no line ends (which encoding/base64 skips), no
// stray bits at the end.
func decodeSegment(s string) ([]byte, error) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, errSegment
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errSegment
	}
	return raw, nil
}

var errObject = errors.New("no flat JSON object with each member once")

// object is a flat JSON object: of each member the value as it is written.
type object map[string]string

// text returns a member that is a string.
func (o object) text(name string) (string, bool) { return unquote(o[name]) }

// number returns a member that is a whole number. Fractions, exponents and values that
// do not fit are refused: no clock needs them, and JSON readers differ on them.
func (o object) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(o[name], 10, 64)
	return n, err == nil
}

// unquote reads a JSON string as it is written.
func unquote(raw string) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil
}

// flatObject reads a JSON object of strings, numbers, booleans and nulls. A member
// that comes twice is an error: two readers may take one each. encoding/json says
// whether it is JSON at all, so that the rest has only to find where things end; a
// fuzz test compares what comes out with encoding/json.
func flatObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, errObject
	}
	rest := string(raw)
	next := func(end func(string) int) string { // takes a token, and the space behind it
		rest = strings.TrimLeft(rest, space)
		n := end(rest)
		token := rest[:n]
		rest = strings.TrimLeft(rest[n:], space)
		return token
	}
	if next(one) != "{" {
		return nil, errObject
	}
	members := make(object, 12)
	for rest[0] != '}' {
		name, ok := unquote(next(tokenEnd))
		if !ok {
			return nil, errObject
		}
		if _, twice := members[name]; twice {
			return nil, errObject
		}
		next(one) // the colon
		value := next(tokenEnd)
		if value[0] == '{' || value[0] == '[' {
			return nil, errObject
		}
		members[name] = value
		if rest[0] == ',' {
			next(one)
		}
	}
	return members, nil
}

const space = " \t\r\n"

func one(string) int { return 1 }

// tokenEnd says where the string or literal at the beginning of valid JSON ends.
func tokenEnd(s string) int {
	if s[0] != '"' {
		return max(1, strings.IndexAny(s, ",}]"+space)) // there is one: the object has an end
	}
	for i := 1; ; i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}
