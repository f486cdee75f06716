package auth

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"halcyon/pkg/fault"
)

// noon is the time of the tests.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// clock is set by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: noon} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// forge holds an issuer's keys, for tokens written by hand.
type forge struct {
	private ed25519.PrivateKey
	shared  []byte // of the HS256 key
	aapf    []byte
	keys    *Keys
}

func newForge(t testing.TB, signing string) *forge {
	t.Helper()
	f := &forge{shared: make([]byte, 32), aapf: make([]byte, 32)}
	_, _ = rand.Read(f.shared)
	_, _ = rand.Read(f.aapf)
	var err error
	if _, f.private, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	ed, err1 := ed25519Key("ed", f.private, "test")
	hs, err2 := hmacKey("hs", faceAPI, f.shared, "test")
	aapf, err3 := hmacKey("aapf-1", faceAAPF, f.aapf, "test")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if f.keys, err = newKeys(signing, ed, hs, aapf); err != nil {
		t.Fatal(err)
	}
	return f
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// ed signs the two texts unchanged.
func (f *forge) ed(header, claims string) string {
	text := b64(header) + "." + b64(claims)
	return text + "." + b64(string(ed25519.Sign(f.private, []byte(text))))
}

func hs(key []byte, header, claims string) string {
	text := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + b64(string(mac.Sum(nil)))
}

const (
	goodHeader = `{"alg":"EdDSA","kid":"ed","typ":"at+jwt"}`
	testUser   = "11111111-1111-4111-8111-111111111111"
)

func goodClaims() map[string]any {
	return map[string]any{
		"iss": "halcyon", "aud": "halcyon", "sub": testUser, "username": "alice",
		"jti": "22222222-2222-4222-8222-222222222222", "sid": "33333333-3333-4333-8333-333333333333",
		"gen": 1, "iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Unix() + 300, "orig_iat": noon.Unix(),
	}
}

// with returns the JSON of the valid claims with changes: nil removes a claim.
func with(t testing.TB, base map[string]any, change map[string]any) string {
	t.Helper()
	m := maps.Clone(base)
	for k, v := range change {
		if v == nil {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// attacks returns forged tokens, each wrong in one way. Those signed with the private key show that the
// rule itself rejects them, not a wrong signature.
func attacks(t testing.TB, f *forge, good map[string]any) map[string]string {
	t.Helper()
	claims := with(t, good, nil)
	valid := f.ed(goodHeader, claims)
	parts := strings.Split(valid, ".")
	public := f.private.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"%s"}`, b64(string(public)))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs256 := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(good))
	rs256.Header["kid"], rs256.Header["typ"] = "ed", "at+jwt"
	rsToken, err := rs256.SignedString(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	otherPublic, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherForge := &forge{private: other}
	mac512 := hmac.New(sha512.New, f.shared)
	hs512 := b64(`{"alg":"HS512","kid":"hs","typ":"at+jwt"}`) + "." + parts[1]
	mac512.Write([]byte(hs512))

	header := func(change string) string { // with one more member
		return strings.TrimSuffix(goodHeader, "}") + "," + change + "}"
	}
	kid := func(id string) string {
		return strings.Replace(goodHeader, `"ed"`, id, 1)
	}
	claim := func(name string, value any) string {
		return f.ed(goodHeader, with(t, good, map[string]any{name: value}))
	}
	raw := func(old, new string) string { // in the JSON of the claims
		changed := strings.Replace(claims, old, new, 1)
		if changed == claims {
			t.Fatalf("%s is not in %s", old, claims)
		}
		return f.ed(goodHeader, changed)
	}
	exp := fmt.Sprintf(`"exp":%v`, good["exp"])
	// The last character of a signature of 64 bytes has 4 unused bits.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, valid[len(valid)-1])
	stray := valid[:len(valid)-1] + string(alphabet[last+1])

	list := map[string]string{
		"alg none":                     b64(`{"alg":"none","kid":"ed","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg none, signed":             f.ed(`{"alg":"none","kid":"ed","typ":"at+jwt"}`, claims),
		"alg None":                     f.ed(`{"alg":"None","kid":"ed","typ":"at+jwt"}`, claims),
		"alg empty":                    f.ed(`{"alg":"","kid":"ed","typ":"at+jwt"}`, claims),
		"alg missing":                  f.ed(`{"kid":"ed","typ":"at+jwt"}`, claims),
		"alg number":                   f.ed(`{"alg":1,"kid":"ed","typ":"at+jwt"}`, claims),
		"alg in another case":          f.ed(`{"alg":"eddsa","kid":"ed","typ":"at+jwt"}`, claims),
		"HS256 under the public key":   hs(public, `{"alg":"HS256","kid":"ed","typ":"at+jwt"}`, claims),
		"HS256 under the public PEM":   hs(publicPEM, `{"alg":"HS256","kid":"ed","typ":"at+jwt"}`, claims),
		"HS256 under the public DER":   hs(der, `{"alg":"HS256","kid":"ed","typ":"at+jwt"}`, claims),
		"EdDSA alg, HS256 signature":   hs(public, goodHeader, claims),
		"HS256 key, EdDSA alg":         f.ed(`{"alg":"EdDSA","kid":"hs","typ":"at+jwt"}`, claims),
		"HS256 under secret":           hs([]byte("secret"), `{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, claims),
		"HS256 under nothing":          hs(nil, `{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, claims),
		"HS512 under the HS256 key":    hs512 + "." + b64(string(mac512.Sum(nil))),
		"RS256":                        rsToken,
		"kid path":                     hs(nil, `{"alg":"HS256","kid":"../../../../dev/null","typ":"at+jwt"}`, claims),
		"kid path to the key":          f.ed(kid(`"./ed"`), claims),
		"kid with suffix":              f.ed(kid(`"ed.ed25519"`), claims),
		"kid SQL":                      hs([]byte("k"), `{"alg":"HS256","kid":"x' UNION SELECT 'k'--","typ":"at+jwt"}`, claims),
		"kid unknown":                  f.ed(kid(`"gone"`), claims),
		"kid empty":                    f.ed(kid(`""`), claims),
		"kid missing":                  f.ed(`{"alg":"EdDSA","typ":"at+jwt"}`, claims),
		"kid null":                     f.ed(kid(`null`), claims),
		"kid number":                   f.ed(kid(`0`), claims),
		"kid list":                     f.ed(kid(`["ed"]`), claims),
		"kid in another case":          f.ed(kid(`"ED"`), claims),
		"kid with a zero byte":         f.ed(kid(`"ed\u0000"`), claims),
		"kid of another face":          hs(f.aapf, `{"alg":"HS256","kid":"aapf-1","typ":"at+jwt"}`, claims),
		"key of the attacker":          otherForge.ed(goodHeader, claims),
		"jwk of the attacker":          otherForge.ed(header(fmt.Sprintf(`"jwk":{"kty":"OKP","crv":"Ed25519","x":"%s"}`, b64(string(otherPublic)))), claims),
		"jwk":                          f.ed(header(`"jwk":`+jwk), claims),
		"jwk as text":                  f.ed(header(`"jwk":"x"`), claims),
		"jku":                          f.ed(header(`"jku":"https://attacker.example/keys"`), claims),
		"x5u":                          f.ed(header(`"x5u":"https://attacker.example/cert"`), claims),
		"x5c":                          f.ed(header(`"x5c":["AAAA"]`), claims),
		"x5c as text":                  f.ed(header(`"x5c":"AAAA"`), claims),
		"x5t":                          f.ed(header(`"x5t":"AAAA"`), claims),
		"crit":                         f.ed(header(`"crit":["exp"]`), claims),
		"crit empty":                   f.ed(header(`"crit":[]`), claims),
		"crit null":                    f.ed(header(`"crit":null`), claims),
		"b64 false":                    f.ed(header(`"b64":false`), claims),
		"zip":                          f.ed(header(`"zip":"DEF"`), claims),
		"unknown header":               f.ed(header(`"x":"y"`), claims),
		"alg twice":                    f.ed(header(`"alg":"EdDSA"`), claims),
		"alg twice, none first":        f.ed(`{"alg":"none","kid":"ed","typ":"at+jwt","alg":"EdDSA"}`, claims),
		"kid twice":                    f.ed(header(`"kid":"ed"`), claims),
		"kid twice, escaped":           f.ed(header(`"\u006bid":"ed"`), claims),
		"typ twice":                    f.ed(header(`"typ":"at+jwt"`), claims),
		"typ missing":                  f.ed(`{"alg":"EdDSA","kid":"ed"}`, claims),
		"typ JWT":                      f.ed(`{"alg":"EdDSA","kid":"ed","typ":"JWT"}`, claims),
		"typ in another case":          f.ed(`{"alg":"EdDSA","kid":"ed","typ":"AT+JWT"}`, claims),
		"typ null":                     f.ed(`{"alg":"EdDSA","kid":"ed","typ":null}`, claims),
		"typ refresh":                  f.ed(`{"alg":"EdDSA","kid":"ed","typ":"rt+jwt"}`, claims),
		"header names in another case": f.ed(`{"ALG":"EdDSA","Kid":"ed","Typ":"at+jwt"}`, claims),
		"header is a list":             f.ed(`["EdDSA","ed","at+jwt"]`, claims),
		"header with more behind":      f.ed(goodHeader+`{}`, claims),
		"header with a stray comma":    f.ed(`{"alg":"EdDSA","kid":"ed","typ":"at+jwt",}`, claims),
		"header without commas":        f.ed(`{"alg":"EdDSA" "kid":"ed" "typ":"at+jwt"}`, claims),
		"header empty":                 "." + parts[1] + "." + parts[2],
		"header null":                  f.ed(`null`, claims),

		"iss wrong":                 claim("iss", "https://attacker.example"),
		"iss in another case":       claim("iss", "Halcyon"),
		"aud wrong":                 claim("aud", "other"),
		"aud list":                  claim("aud", []string{"halcyon"}),
		"aud list with others":      claim("aud", []string{"other", "halcyon"}),
		"expired":                   claim("exp", noon.Unix()-1),
		"expired just now":          claim("exp", noon.Unix()),
		"expired long ago":          claim("exp", 0),
		"not yet valid":             claim("nbf", noon.Unix()+60),
		"issued later":              claim("iat", noon.Unix()+60),
		"exp text":                  claim("exp", fmt.Sprint(noon.Unix()+300)),
		"exp fraction":              raw(exp, exp+".5"),
		"exp exponent":              raw(exp, `"exp":1e300`),
		"exp small exponent":        raw(exp, `"exp":9e9`),
		"exp overflow":              raw(exp, `"exp":9223372036854775808`),
		"exp overflow to good":      raw(exp, `"exp":18446744075482580000`),
		"exp beyond the years":      raw(exp, `"exp":9223372036854775807`),
		"exp negative":              claim("exp", -1),
		"exp null":                  raw(exp, `"exp":null`),
		"exp true":                  raw(exp, `"exp":true`),
		"exp list":                  raw(exp, `"exp":[4102444800]`),
		"exp in another case":       raw(`"exp"`, `"EXP"`),
		"exp twice":                 raw(exp, `"exp":1,`+exp),
		"exp twice, the same":       raw(exp, exp+`,`+exp),
		"sub twice":                 raw(`"sub":`, `"sub":"admin","sub":`),
		"sub twice, escaped":        raw(`"sub":`, `"s\u0075b":"admin","sub":`),
		"unknown claim twice":       raw(`"sub":`, `"x":1,"x":1,"sub":`),
		"sub number":                claim("sub", 1),
		"sub empty":                 claim("sub", ""),
		"gen text":                  claim("gen", "1"),
		"gen fraction":              claim("gen", 1.5),
		"nested claims":             claim("x", map[string]any{"sub": "admin"}),
		"claims list":               f.ed(goodHeader, `[`+claims+`]`),
		"claims with more behind":   f.ed(goodHeader, claims+`{}`),
		"claims with a byte behind": f.ed(goodHeader, claims+"\x00"),
		"claims no UTF-8":           raw(`"alice"`, "\"al\xffice\""),
		"claims text":               f.ed(goodHeader, `"x"`),
		"claims empty":              f.ed(goodHeader, ``),
		"claims of another token":   parts[0] + "." + b64(with(t, good, map[string]any{"username": "admin"})) + "." + parts[2],

		"empty":                       "",
		"garbage":                     "garbage",
		"dots":                        "..",
		"two segments":                parts[0] + "." + parts[1],
		"no signature":                parts[0] + "." + parts[1] + ".",
		"four segments":               valid + "." + parts[2],
		"fourth segment empty":        valid + ".",
		"JWE":                         strings.Join([]string{parts[0], parts[1], parts[2], parts[1], parts[2]}, "."),
		"signature cut":               valid[:len(valid)-4],
		"signature flipped":           valid[:len(valid)-10] + flip(valid[len(valid)-10]) + valid[len(valid)-9:],
		"stray bits":                  stray,
		"padding on the signature":    valid + "==",
		"padding on the header":       parts[0] + "=." + parts[1] + "." + parts[2],
		"line end behind":             valid + "\n",
		"line end within":             valid[:len(valid)-10] + "\r\n" + valid[len(valid)-10:],
		"line end in the header":      valid[:5] + "\n" + valid[5:],
		"standard alphabet":           standard(f, claims),
		"blank within":                valid[:5] + " " + valid[5:],
		"zero byte behind":            valid + "\x00",
		"upper case":                  strings.ToUpper(valid),
		"a megabyte of signature":     valid + strings.Repeat("A", 1<<20),
		"a megabyte of claims":        f.ed(goodHeader, with(t, good, map[string]any{"x": strings.Repeat("A", 1<<20)})),
		"a megabyte of dots":          strings.Repeat(".", 1<<20),
		"a megabyte of open brackets": f.ed(strings.Repeat("[", 1<<20), claims),
		"9 KB of claims":              f.ed(goodHeader, with(t, good, map[string]any{"x": strings.Repeat("A", 9<<10)})),
		"deep header":                 f.ed(strings.Repeat("[", 5000)+strings.Repeat("]", 500), claims),
	}
	for name := range good {
		list["without "+name] = claim(name, nil)
		list["null "+name] = f.ed(goodHeader, strings.Replace(with(t, good, map[string]any{name: "\x01"}), `"\u0001"`, "null", 1))
	}
	return list
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// standard returns a valid token in the other base64 alphabet.
func standard(f *forge, claims string) string {
	for i := 0; ; i++ { // until a signature has a character that differs
		token := f.ed(goodHeader, strings.TrimSuffix(claims, "}")+fmt.Sprintf(`,"x":%d}`, i))
		if other := strings.NewReplacer("-", "+", "_", "/").Replace(token); other != token {
			return other
		}
	}
}

func newIssuer(t testing.TB, keys *Keys, c *clock) *TokenIssuer {
	t.Helper()
	m, err := NewTokenIssuer(keys, TokenIssuerConfig{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	f := newForge(t, "ed")
	m := newIssuer(t, f.keys, newClock())
	for name, token := range map[string]string{
		"EdDSA":                           f.ed(goodHeader, with(t, goodClaims(), nil)),
		"HS256":                           hs(f.shared, `{"typ":"at+jwt","alg":"HS256","kid":"hs"}`, with(t, goodClaims(), nil)),
		"with a claim of a later release": f.ed(goodHeader, with(t, goodClaims(), map[string]any{"x": "y"})),
		"of a clock a little ahead":       f.ed(goodHeader, with(t, goodClaims(), map[string]any{"nbf": noon.Unix() + 2, "iat": noon.Unix() + 2})),
	} {
		if c, err := m.verifyAccess(token); err != nil || c.Username != "alice" {
			t.Fatalf("the control %s: %v %v", name, c, err)
		}
	}
	expired := map[string]bool{"expired": true, "expired just now": true, "expired long ago": true}
	early := map[string]bool{"not yet valid": true, "issued later": true}
	for name, token := range attacks(t, f, goodClaims()) {
		for range 2 { // the second time from the cache
			c, err := m.verifyAccess(token)
			if !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: %v, %v", name, c, err)
				continue
			}
			want := msgDecode
			switch {
			case expired[name]:
				want = msgExpired
			case early[name]:
				want = msgEarly
			}
			if got := fault.Message(err); got != want {
				t.Errorf("%s: the message is %q, want %q (%v)", name, got, want, err)
			}
		}
	}
	if n := m.state.Load().verified.Len(); n != 5 { // the controls, and the refresh token
		t.Errorf("%d tokens are remembered as verified", n)
	}
}

func TestOversizedTokenCostsNothing(t *testing.T) {
	f := newForge(t, "ed")
	m := newIssuer(t, f.keys, newClock())
	token := strings.Repeat("A", 1<<20)
	if n := testing.AllocsPerRun(10, func() { _, _ = m.verifyAccess(token) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func TestIssueAndVerify(t *testing.T) {
	t.Parallel()
	for _, signing := range []string{"ed", "hs"} {
		f, c := newForge(t, signing), newClock()
		m := newIssuer(t, f.keys, c)
		g := Grant{Subject: testUser, Username: "a<&>é", Session: "s", Generation: 3, OrigIssuedAt: noon.Add(-time.Hour)}
		token, until, err := m.Access(g)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.verifyAccess(token)
		if err != nil {
			t.Fatal(err)
		}
		want := Claims{
			Type: TypeAccess, Issuer: "halcyon", Audience: "halcyon", Subject: testUser, Username: "a<&>é",
			ID: got.ID, Session: "s", Generation: 3, IssuedAt: noon, NotBefore: noon, Expires: until, OrigIssuedAt: noon.Add(-time.Hour),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if until != noon.Add(300*time.Second) {
			t.Errorf("good until %v", until)
		}
		again, err := m.verifyAccess(token)
		if err != nil || again != got {
			t.Errorf("from memory: %v, %v", again, err)
		}
		other, _, err := m.Access(g)
		if err != nil || other == token {
			t.Errorf("two tokens are the same: %v", err)
		}

		// How other libraries read it.
		parsed, err := jwt.Parse(token, func(tok *jwt.Token) (any, error) {
			k, _ := f.keys.find(tok.Header["kid"].(string))
			return k.verify, nil
		}, jwt.WithTimeFunc(c.Now), jwt.WithIssuer("halcyon"), jwt.WithAudience("halcyon"), jwt.WithStrictDecoding())
		if err != nil || parsed.Header["typ"] != "at+jwt" {
			t.Errorf("golang-jwt: %v, %v", parsed, err)
		}

		refresh, until, err := m.refresh(g)
		if err != nil || until != g.OrigIssuedAt.Add(defaultWindow) {
			t.Fatal(until, err)
		}
		if _, err := m.verifyAccess(refresh); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("refresh as access: %v", err)
		}
		for _, tok := range []string{token, refresh} {
			if _, err := m.verifyEither(tok); err != nil {
				t.Error(err)
			}
		}

		c.turn(299 * time.Second)
		if _, err := m.verifyAccess(token); err != nil {
			t.Errorf("before its end: %v", err)
		}
		c.turn(time.Second)
		if _, err := m.verifyAccess(token); fault.Message(err) != msgExpired {
			t.Errorf("remembered past its end: %v", err)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	old, c := newForge(t, "ed"), newClock()
	m := newIssuer(t, old.keys, c)
	g := Grant{Subject: testUser, Username: "alice", Session: "s", OrigIssuedAt: noon}
	before, _, err := m.Access(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.verifyAccess(before); err != nil {
		t.Fatal(err)
	}
	edKey, _ := old.keys.find("ed")
	fresh, err := hmacKey("new", faceAPI, newForge(t, "").shared, "test")
	if err != nil {
		t.Fatal(err)
	}
	both, err := newKeys("new", edKey, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.rotate(both); err != nil {
		t.Fatal(err)
	}
	if _, err := m.verifyAccess(before); err != nil {
		t.Errorf("a rotation signs out: %v", err)
	}
	after, _, err := m.Access(g)
	if err != nil || !strings.HasPrefix(after, b64(`{"alg":"HS256","kid":"new"`)[:20]) {
		t.Errorf("the new key does not sign: %s %v", after, err)
	}
	only, err := newKeys("", fresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.rotate(only); err != nil {
		t.Fatal(err)
	}
	if _, err := m.verifyAccess(before); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a key that is gone verifies: %v", err)
	}
	if _, err := m.verifyAccess(after); err != nil {
		t.Error(err)
	}
	aapf, _ := old.keys.find("aapf-1")
	none, err := newKeys("", aapf)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.rotate(none); err == nil {
		t.Error("the API signs with another face's key")
	}
}

// FuzzVerify checks that nothing panics and only the valid token is accepted.
func FuzzVerify(f *testing.F) {
	forge := newForge(f, "ed")
	m := newIssuer(f, forge.keys, newClock())
	good := forge.ed(goodHeader, with(f, goodClaims(), nil))
	for _, token := range attacks(f, forge, goodClaims()) {
		if len(token) < 10_000 {
			f.Add(token)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := m.verifyAccess(token); err == nil && token != good {
			t.Errorf("accepted: %q", token)
		}
	})
}

// FuzzFlatObject checks that encoding/json reads every accepted object in the same way, with as many
// members.
func FuzzFlatObject(f *testing.F) {
	for _, s := range []string{goodHeader, `{}`, `{"a":1,"a":2}`, `{"a":null,"b":true,"c":-1.5e3}`, `{"a":[1]}`, `{"a\\"":"\\\\","b":"\\ud800" , "c" : 12}`, `{"":{}}`, `{ }`, `{"a":1}x`, ` {"\u0061":"é"} `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := flatObject(raw)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		is := make(map[string]json.RawMessage)
		for name, value := range got {
			is[name] = json.RawMessage(value)
			var text string
			isText := json.Unmarshal([]byte(value), &text) == nil && value[0] == '"'
			if s, ok := got.text(name); ok != isText || s != text {
				t.Errorf("%q: the text is %q", value, s)
			}
			var n int64
			isNumber := json.Unmarshal([]byte(value), &n) == nil && value != "null"
			if v, ok := got.number(name); ok != isNumber || v != n {
				t.Errorf("%q: the number is %d", value, v)
			}
		}
		if diff := cmp.Diff(want, is); diff != "" {
			t.Errorf("%q: %s", raw, diff)
		}
	})
}

func benchVerify(b *testing.B, signing string, cached bool) {
	f := newForge(b, signing)
	m := newIssuer(b, f.keys, newClock())
	token, _, err := m.Access(Grant{Subject: testUser, Username: "alice", Session: testUser, Generation: 1, OrigIssuedAt: noon})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !cached {
			m.state.Load().verified.Purge()
		}
		if _, err := m.verifyAccess(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyEdDSA(b *testing.B)  { benchVerify(b, "ed", false) }
func BenchmarkVerifyHS256(b *testing.B)  { benchVerify(b, "hs", false) }
func BenchmarkVerifyCached(b *testing.B) { benchVerify(b, "ed", true) }
