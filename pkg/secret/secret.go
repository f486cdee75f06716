// Package secret seals values that must not be readable in a copy of the
// database: it seals stored credentials with AES-256-GCM under one master key,
// and reads and writes the key files themselves.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeySize is the length of the master key, in bytes.
const KeySize = 32

// version begins every sealed text. It is authenticated with it too, so that a
// later format cannot be passed off as this one.
const version = "v1:"

// ErrOpen is returned by Open for text that was not sealed with this key, was
// changed since, or is no sealed text at all. It says no more on purpose.
var ErrOpen = errors.New("the sealed text cannot be opened with this key")

// Box seals and opens short texts under one key. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
}

// New returns the box of a key. Random nonces keep one key good for 2^32 seals
// (NIST SP 800-38D, 8.3), which is far more credentials than anybody has.
func New(key [KeySize]byte) *Box {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only for wrong key sizes, which the type excludes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for other block sizes than AES has
	}
	return &Box{aead: aead}
}

// Seal returns "v1:" and the base64 of nonce, ciphertext and tag. Two seals of one
// text differ. The empty text stays empty, so that "no credential" needs no key
// and can be asked for in SQL. The error is always nil today: it is there for
// keys that live outside of the process.
func (b *Box) Seal(plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	raw := b.aead.Seal(nil, nil, []byte(plain), []byte(version)) //nolint:gosec // the nonce is none here, but random in the AEAD
	return version + base64.StdEncoding.EncodeToString(raw), nil
}

// Open returns the text that was sealed, "" for "". Anything that is not whole and
// sealed with this key is ErrOpen; neither text is ever part of the error.
func (b *Box) Open(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	text, ok := strings.CutPrefix(sealed, version)
	if !ok {
		return "", fmt.Errorf("unknown format: %w", ErrOpen)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", ErrOpen
	}
	plain, err := b.aead.Open(nil, nil, raw, []byte(version))
	if err != nil {
		return "", ErrOpen
	}
	return string(plain), nil
}

// Format implements fmt.Formatter: printing a box with any verb must not
// print the key schedule inside of it.
func (b *Box) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "secret.Box") // the error is fmt's to notice
}

// LoadOrCreateKey reads the master key from path: base64 of 32 bytes, in a file
// that only its owner may read. When there is none it makes one, with mode 0600,
// in one step that another process doing the same at once cannot disturb: both
// come out with the same key. Errors name the path, never the content.
func LoadOrCreateKey(path string) ([KeySize]byte, error) {
	data, err := ReadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		var fresh [KeySize]byte
		_, _ = rand.Read(fresh[:]) // crypto/rand never fails
		err = CreatePrivate(path, []byte(base64.StdEncoding.EncodeToString(fresh[:])+"\n"))
		if err == nil {
			return fresh, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return [KeySize]byte{}, fmt.Errorf("create the master key: %w", err)
		}
		data, err = ReadPrivate(path) // another process was first
	}
	if err != nil {
		return [KeySize]byte{}, fmt.Errorf("read the master key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(raw) != KeySize {
		return [KeySize]byte{}, fmt.Errorf("read the master key: %s does not hold the base64 of %d bytes", path, KeySize)
	}
	if Weak(raw) {
		return [KeySize]byte{}, fmt.Errorf("read the master key: %s holds a key that can be guessed", path)
	}
	return [KeySize]byte(raw), nil
}

// Weak reports whether a key cannot have come from a random source: fewer than
// 12 different bytes ("secretsecretsecret…", zeros), or a text that is known
// from documentation. A random key of 32 bytes has 30 different ones on average,
// and fewer than 12 about never.
func Weak(key []byte) bool {
	var seen [256]bool
	distinct := 0
	for _, b := range key {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
	}
	if distinct < 12 {
		return true
	}
	switch strings.ToLower(string(key)) {
	case "a-string-secret-at-least-256-bits-long", // jwt.io's sample
		"your-256-bit-secret-your-256-bit-secret",
		"thisisasecretkeythatshouldbechanged",
		"abcdefghijklmnopqrstuvwxyz123456",
		"abcdefghijklmnopqrstuvwxyz012345",
		"0123456789abcdef0123456789abcdef",
		"12345678901234567890123456789012":
		return true
	}
	return false
}

// maxFile is more than any key file needs, in bytes.
const maxFile = 64 << 10

// ReadPrivate reads a small file that nobody but its owner may read or write: it
// refuses one with any right for group or others, one that is no regular file,
// and one over 64 KiB. It looks at the opened file, so that the file cannot be
// exchanged between the look and the reading. A missing file is fs.ErrNotExist.
func ReadPrivate(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s has mode %04o: others than its owner can read it; run chmod 600 on it, and replace the key if it was exposed", path, info.Mode().Perm())
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is too large for a key", path)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// CreatePrivate writes a new file with mode 0600, and its folder with 0700 when
// there is none. It appears whole or not at all, also after a power cut, and never
// replaces another: then the error is fs.ErrExist.
func CreatePrivate(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil { // unlike rename, it refuses to replace
		return err
	}
	d, err := os.Open(dir) //nolint:gosec // the path is the operator's
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
