package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// opaque is the kind of a secret that is not a JWT: the kind's prefix, 32 random characters, and six for a
// checksum, which detects mistyped or truncated ones without a look-up.
type opaque string

// The kinds. The prefix is part of the hash, so that no kind passes for another.
const (
	cookieSecret opaque = "hcs_" // a browser's session
	tokenSecret  opaque = "hct_" // an API token
	resetSecret  opaque = "hcr_" // a link to set a password
)

const (
	base62        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	opaqueRandom  = 32 // characters: 190 bits
	opaqueCheck   = 6
	opaqueVisible = 8 // random characters that may be shown, for people to recognize a token
)

// TokenPattern is the regular expression of API tokens.
const TokenPattern = "hct_[0-9A-Za-z]{38}" //nolint:gosec // what all of them look like

// hashed is the hash of a secret, in memory and in rows. It is the key of every look-up, so that the time
// of a look-up reveals nothing about the secret.
type hashed [sha256.Size]byte

func (h hashed) String() string { return hex.EncodeToString(h[:]) }

// fresh returns a new secret of the kind.
func (kind opaque) fresh() (secret string, h hashed) {
	text := []byte(kind)
	var raw [1]byte
	for len(text) < len(kind)+opaqueRandom {
		_, _ = rand.Read(raw[:]) // crypto/rand never fails
		if raw[0] < 4*62 {       // all characters equally likely
			text = append(text, base62[raw[0]%62])
		}
	}
	secret = string(text) + checksum(string(text))
	return secret, sha256.Sum256([]byte(secret))
}

// read reports whether the text has the form of a secret of the kind, and returns its hash. It does not
// check whether the secret exists.
func (kind opaque) read(text string) (hashed, bool) {
	if len(text) != len(kind)+opaqueRandom+opaqueCheck || !strings.HasPrefix(text, string(kind)) {
		return hashed{}, false
	}
	body, check := text[:len(kind)+opaqueRandom], text[len(kind)+opaqueRandom:]
	if check != checksum(body) {
		return hashed{}, false
	}
	return sha256.Sum256([]byte(text)), true
}

// visible returns the part of a secret that may be shown.
func (kind opaque) visible(secret string) string { return secret[:len(kind)+opaqueVisible] }

// checksum is the CRC-32 of a text in base 62.
func checksum(text string) string {
	n := crc32.ChecksumIEEE([]byte(text))
	var digits [opaqueCheck]byte
	for i := opaqueCheck - 1; i >= 0; i-- {
		digits[i] = base62[n%62]
		n /= 62
	}
	return string(digits[:])
}
