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

// Type is the kind of a token: the typ in its header. Access tokens have at+jwt of RFC 9068; refresh tokens
// have a type of their own, so that neither passes for the other.
type Type string

// The types.
const (
	TypeAccess  Type = "at+jwt"
	TypeRefresh Type = "rt+jwt"
)

// The defaults of TokenIssuerConfig.
const (
	defaultIssuer   = "halcyon"
	defaultAudience = "halcyon"
	defaultLife     = 300 * time.Second
	defaultWindow   = 7 * 24 * time.Hour
)

const (
	maxToken     = 8 << 10         // bytes: longer tokens are rejected unread
	skew         = 5 * time.Second // accepted lead of another replica's clock
	tokensKept   = 4096            // verified tokens in memory, about 2 MB
	maxTimestamp = 253402300799    // the end of the year 9999, in seconds
)

// Messages to callers. The cause, for the log, has the details.
const (
	msgDecode  = "Error decoding token."
	msgExpired = "Signature has expired."
	msgEarly   = "The token is not yet valid."
)

// Claims are the claims of a verified token. Times are whole seconds in UTC.
type Claims struct {
	Type         Type
	Issuer       string
	Audience     string
	Subject      string // uuid of the user
	Username     string // at issue; Subject identifies the user
	ID           string // jti: the token's own
	Session      string // sid: uuid of the session
	Generation   int64  // of the password at issue
	IssuedAt     time.Time
	NotBefore    time.Time
	Expires      time.Time
	OrigIssuedAt time.Time // time of the sign-in; refreshing does not change it
}

// Grant holds the subject of a new token. Subject and Session are uuids.
type Grant struct {
	Subject, Username, Session string
	Generation                 int64
	OrigIssuedAt               time.Time
}

// TokenIssuerConfig configures a TokenIssuer.
type TokenIssuerConfig struct {
	Issuer   string           // iss; "" means defaultIssuer
	Audience string           // aud; "" means DefaultAudience
	Life     time.Duration    // of an access token; 0 means defaultLife
	Window   time.Duration    // renewal window after the sign-in; 0 means defaultWindow
	Now      func() time.Time // the clock
}

// TokenIssuer issues the JWTs of the API, and recognizes forgeries. It does not check users and sessions;
// Service does. It is safe for concurrent use.
type TokenIssuer struct {
	TokenIssuerConfig
	state atomic.Pointer[issuerState]
}

// issuerState is replaced as a whole: new keys also reset the cache of verified tokens.
type issuerState struct {
	keys     *Keys
	signing  *tokenKey
	verified *cache.Cache[[sha256.Size]byte, *Claims]
}

// NewTokenIssuer returns an issuer. The error reports keys without one that signs for the API, or a life or
// window of less than a second.
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

// rotate replaces the keys. Tokens of removed keys become invalid at once; others stay valid.
func (m *TokenIssuer) rotate(keys *Keys) error {
	key, ok := keys.signingKey(faceAPI)
	if !ok {
		return errors.New("there is no key to sign with")
	}
	m.state.Store(&issuerState{keys: keys, signing: key, verified: cache.New[[sha256.Size]byte, *Claims](tokensKept)})
	return nil
}

// payload is the JSON of the claims, in the order of writing.
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

// Access issues an access token for the configured life, and returns its expiry.
func (m *TokenIssuer) Access(g Grant) (token string, expires time.Time, err error) {
	now := m.Now()
	return m.issue(TypeAccess, g, now, now.Add(m.Life))
}

// refresh issues a refresh token that is valid until the window after the sign-in closes, and returns its
// expiry.
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

// verifyAccess returns the claims of a valid access token of this installation. The error for any other
// text is Unauthenticated: "Signature has expired." for expired tokens, "Error decoding token." for all
// others. It does not check the user and the session.
func (m *TokenIssuer) verifyAccess(token string) (Claims, error) {
	c, err := m.access(token)
	if err != nil {
		return Claims{}, err
	}
	return *c, nil
}

// access is verifyAccess without the copy: callers share the claims and must not change them.
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

// verifyEither is verifyAccess for tokens that can be renewed: access and refresh tokens.
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

// verify is stricter than golang-jwt's parser, which matches claim names in any case, takes the last of
// two, skips line ends in base64, reads 1e300 as a time, and ignores crit. Only this package writes tokens,
// so any other spelling is forged. Only the signature schemes are golang-jwt's.
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

// digest returns the token's SHA-256. Tokens themselves are not stored, and the time of a look-up does not
// reveal how much of a token was right.
func digest(token string) [sha256.Size]byte {
	var short [1024]byte // our tokens fit: no allocation
	if len(token) <= len(short) {
		return sha256.Sum256(short[:copy(short[:], token)])
	}
	return sha256.Sum256([]byte(token))
}

// parse does everything except checking the clock.
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
	// Any other member of the header requests another key (jku, jwk, x5u, x5c) or another reading of the
	// token (b64, zip, crit). Reject it.
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
	sig, err := decodeSegment(signature) // rejects the dot of a fourth segment, too
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

// claims reads the members of the payload. All are required. It ignores others, so that a newer release can
// add one while older replicas still run.
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
	c.Issuer, c.Audience = m.Issuer, m.Audience // all cached tokens share one copy
	return c, nil
}

var errSegment = errors.New("no base64url as RFC 7515 writes it")

// decodeSegment decodes base64url without padding, in its canonical form: no other alphabet, no line ends
// (which encoding/base64 skips), no stray bits at the end.
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

// object is a flat JSON object. It maps each member to its raw value.
type object map[string]string

// text returns a member that is a string.
func (o object) text(name string) (string, bool) { return unquote(o[name]) }

// number returns a member that is a whole number. It rejects fractions, exponents and values that do not
// fit: no clock needs them, and JSON readers differ on them.
func (o object) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(o[name], 10, 64)
	return n, err == nil
}

// unquote reads a raw JSON string.
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

// flatObject reads a JSON object of strings, numbers, booleans and nulls. A duplicate member is an error:
// two readers may take different ones. encoding/json checks that it is valid JSON, so the rest only has to
// find the ends of values; a fuzz test compares the result with encoding/json.
func flatObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, errObject
	}
	rest := string(raw)
	next := func(end func(string) int) string { // takes a token, and the space after it
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

// tokenEnd returns the end of the string or literal at the start of valid JSON.
func tokenEnd(s string) int {
	if s[0] != '"' {
		return max(1, strings.IndexAny(s, ",}]"+space)) // found: the object has an end
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
