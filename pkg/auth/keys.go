package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"halcyon/pkg/secret"
)

// Alg is a signature algorithm by its name in the header of a JWT (RFC 7518, RFC 8037).
type Alg string

// The supported algorithms. There is no code for any other: neither for "none" nor for RSA.
const (
	EdDSA Alg = "EdDSA" // Ed25519
	HS256 Alg = "HS256"
)

// face is the face that a key signs tokens for.
type face string

// The faces.
const (
	faceAPI  face = "api"  // all faces without a token format of their own
	faceAAPF face = "aapf" // /api/v1: its own claims, HS256 only
)

// tokenKey is a signing key. ID, algorithm and face belong together: a token that names the key with
// another algorithm or on another face is forged.
type tokenKey struct {
	ID   string // the kid
	Alg  Alg
	Face face

	method       jwt.SigningMethod
	sign, verify any
}

// Format implements fmt.Formatter: no verb prints key material.
func (k *tokenKey) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "key %s (%s, %s)", k.ID, k.Alg, k.Face) // fmt handles the error
}

// Keys are the signing keys of an installation. They are immutable: to rotate keys, load them again.
type Keys struct {
	byID    map[string]*tokenKey
	signing map[face]*tokenKey
}

// KeyOptions configure the choice and creation of keys.
type KeyOptions struct {
	// Alg is the algorithm of a key created in an empty folder; "" means EdDSA. It does not affect existing
	// keys.
	Alg Alg
	// Signing is the ID of the key that signs for the API; "" means the last by name. Set it to distribute
	// a key to all replicas before it is used.
	Signing string
}

// File names of keys: the ID and the kind. An ID that begins with "aapf-" or
// "aapf." binds the key to that face.
const (
	suffixEd25519 = ".ed25519"
	suffixHS256   = ".hs256"
	firstKeyID    = "0001" // sorts before dates, the natural names of later keys
)

var keyID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)

// LoadKeys reads the signing keys of a folder: *.ed25519 is a PKCS#8 key in PEM (openssl genpkey -algorithm
// ed25519), *.hs256 the base64 of at least 32 random bytes (openssl rand -base64 32). The name without the
// suffix is the kid. All keys verify tokens; one per face signs. To invalidate the tokens of a key, remove
// its file and load again.
//
// Without any key for the API it creates one with mode 0600. Several processes may do so at once on one
// folder: all end up with the same key.
//
// It rejects the whole folder if others can write to it, or if a file is readable by others, is not a valid
// key, or holds a key that can be guessed or is known from documentation. It ignores hidden files. Errors
// name paths, never content.
func LoadKeys(dir string, o KeyOptions) (*Keys, error) {
	switch o.Alg {
	case "":
		o.Alg = EdDSA
	case EdDSA, HS256:
	default:
		return nil, fmt.Errorf("load the signing keys: %q is neither %s nor %s", o.Alg, EdDSA, HS256)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("load the signing keys: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("load the signing keys: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("load the signing keys: %s has mode %04o: others than its owner could put keys there; run chmod 700 on it", dir, info.Mode().Perm())
	}
	list, err := readKeys(dir)
	if err != nil {
		return nil, fmt.Errorf("load the signing keys: %w", err)
	}
	if !slices.ContainsFunc(list, func(k *tokenKey) bool { return k.Face == faceAPI }) {
		if err := createKey(dir, o.Alg); err != nil {
			return nil, fmt.Errorf("create a signing key: %w", err)
		}
		if list, err = readKeys(dir); err != nil {
			return nil, fmt.Errorf("load the signing keys: %w", err)
		}
	}
	keys, err := newKeys(o.Signing, list...)
	if err != nil {
		return nil, fmt.Errorf("load the signing keys from %s: %w", dir, err)
	}
	return keys, nil
}

// newKeys returns the keys, sorted by ID. It sorts list in place.
func newKeys(signing string, list ...*tokenKey) (*Keys, error) {
	slices.SortFunc(list, func(a, b *tokenKey) int { return strings.Compare(a.ID, b.ID) })
	k := &Keys{byID: make(map[string]*tokenKey), signing: make(map[face]*tokenKey)}
	for _, key := range list {
		if _, have := k.byID[key.ID]; have {
			return nil, fmt.Errorf("two keys are called %s", key.ID)
		}
		k.byID[key.ID] = key
		k.signing[key.Face] = key
	}
	if signing != "" {
		key, ok := k.byID[signing]
		if !ok || key.Face != faceAPI {
			return nil, fmt.Errorf("there is no key %q to sign with", signing)
		}
		k.signing[faceAPI] = key
	}
	return k, nil
}

// find returns the key with an ID. It only looks in memory: a kid with a path or an SQL statement is
// harmless.
func (k *Keys) find(id string) (*tokenKey, bool) {
	key, ok := k.byID[id]
	return key, ok
}

// signingKey returns the key that signs a face's tokens, if there is one.
func (k *Keys) signingKey(face face) (*tokenKey, bool) {
	key, ok := k.signing[face]
	return key, ok
}

func readKeys(dir string) ([]*tokenKey, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []*tokenKey
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // incomplete files, and those that Kubernetes mounts beside the keys
		}
		key, err := readKey(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, key)
	}
	return list, nil
}

func readKey(path string) (*tokenKey, error) {
	suffix := filepath.Ext(path)
	id := strings.TrimSuffix(filepath.Base(path), suffix)
	if suffix != suffixEd25519 && suffix != suffixHS256 || !keyID.MatchString(id) {
		return nil, fmt.Errorf("%s is not called like a key: NAME%s or NAME%s", path, suffixEd25519, suffixHS256)
	}
	data, err := secret.ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	face := faceAPI
	if strings.HasPrefix(id, "aapf-") || strings.HasPrefix(id, "aapf.") {
		face = faceAAPF
	}
	if suffix == suffixHS256 {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
		if err != nil || len(raw) < 32 {
			return nil, fmt.Errorf("%s does not hold the base64 of at least 32 bytes", path)
		}
		return hmacKey(id, face, raw, path)
	}
	if face == faceAAPF {
		return nil, fmt.Errorf("%s: keys of /api/v1 are always %s", path, HS256)
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%s does not hold one PKCS#8 private key in PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s does not hold an Ed25519 key", path)
	}
	return ed25519Key(id, private, path)
}

func hmacKey(id string, face face, raw []byte, where string) (*tokenKey, error) {
	if len(raw) < 32 || secret.Weak(raw) {
		return nil, fmt.Errorf("%s holds a key that can be guessed", where)
	}
	return &tokenKey{ID: id, Alg: HS256, Face: face, method: jwt.SigningMethodHS256, sign: raw, verify: raw}, nil
}

// rfc8037 is the private key of the example in RFC 8037, also the first test in RFC 8032.
const rfc8037 = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

func ed25519Key(id string, private ed25519.PrivateKey, where string) (*tokenKey, error) {
	if seed := private.Seed(); secret.Weak(seed) || hex.EncodeToString(seed) == rfc8037 {
		return nil, fmt.Errorf("%s holds a key that can be guessed", where)
	}
	return &tokenKey{ID: id, Alg: EdDSA, Face: faceAPI, method: jwt.SigningMethodEdDSA, sign: private, verify: private.Public()}, nil
}

// createKey creates the first key. It is no error if another process was faster.
func createKey(dir string, alg Alg) error {
	var data []byte
	path := filepath.Join(dir, firstKeyID)
	switch alg {
	case HS256:
		var raw [32]byte
		_, _ = rand.Read(raw[:]) // crypto/rand never fails
		data = []byte(base64.StdEncoding.EncodeToString(raw[:]) + "\n")
		path += suffixHS256
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return err
		}
		data = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		path += suffixEd25519
	}
	if err := secret.CreatePrivate(path, data); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Format implements fmt.Formatter: no verb prints key material.
func (k *Keys) Format(f fmt.State, _ rune) {
	ids := make([]string, 0, len(k.byID))
	for id := range k.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	_, _ = io.WriteString(f, "keys "+strings.Join(ids, ", ")) // fmt handles the error
}
