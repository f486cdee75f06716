package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func keyDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeKey(t *testing.T, dir, name, content string, mode fs.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func hsText(t *testing.T) string {
	t.Helper()
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw) + "\n"
}

func pemText(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func edText(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pemText(t, private)
}

func TestFirstKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ask  Alg
		want Alg
		file string
	}{{"", EdDSA, "0001.ed25519"}, {EdDSA, EdDSA, "0001.ed25519"}, {HS256, HS256, "0001.hs256"}} {
		dir := filepath.Join(t.TempDir(), "a", "keys")
		var wg sync.WaitGroup
		got := make([]*Keys, 8)
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], err = LoadKeys(dir, KeyOptions{Alg: c.ask}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		var first string
		for _, k := range got {
			key, ok := k.signingKey(faceAPI)
			if !ok || key.Alg != c.want || key.ID != "0001" || key.Face != faceAPI {
				t.Fatalf("%v signs", key)
			}
			if is := fmt.Sprint([]any{key.verify}...); first == "" {
				first = is
			} else if is != first {
				t.Error("processes that start at once sign with different keys")
			}
		}
		info, err := os.Stat(filepath.Join(dir, c.file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%v", entries)
		}
	}
	if _, err := LoadKeys(t.TempDir()+"/k", KeyOptions{Alg: "none"}); err == nil {
		t.Error("a key for alg none is made")
	}
}

func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	dir := keyDir(t)
	writeKey(t, dir, "0001.ed25519", edText(t), 0o600)
	writeKey(t, dir, "2026-03.hs256", hsText(t), 0o400)
	writeKey(t, dir, "2026-05.ed25519", edText(t), 0o600)
	writeKey(t, dir, "aapf-9.hs256", hsText(t), 0o600)
	writeKey(t, dir, ".hidden", "x", 0o644)
	signs := func(o KeyOptions, face face) string {
		t.Helper()
		keys, err := LoadKeys(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := keys.signingKey(face)
		if !ok {
			return ""
		}
		return key.ID
	}
	if got := signs(KeyOptions{}, faceAPI); got != "2026-05" {
		t.Errorf("the newest is %s", got)
	}
	if got := signs(KeyOptions{Signing: "2026-03"}, faceAPI); got != "2026-03" {
		t.Errorf("the chosen one is %s", got)
	}
	if got := signs(KeyOptions{}, faceAAPF); got != "aapf-9" {
		t.Errorf("AAPF's is %s", got)
	}
	for _, id := range []string{"gone", "aapf-9", "2026-03.hs256"} {
		if _, err := LoadKeys(dir, KeyOptions{Signing: id}); err == nil {
			t.Errorf("%s signs for the API", id)
		}
	}
	writeKey(t, dir, "0001.hs256", hsText(t), 0o600)
	if _, err := LoadKeys(dir, KeyOptions{}); err == nil || !strings.Contains(err.Error(), "two keys are called 0001") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestRefusedKeys(t *testing.T) {
	t.Parallel()
	seed, err := hex.DecodeString(rfc8037)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	std := base64.StdEncoding
	for name, c := range map[string]struct {
		file, content string
		mode          fs.FileMode
		says          string
	}{
		"readable by the group":  {"k.hs256", hsText(t), 0o640, "others than its owner"},
		"readable by all":        {"k.ed25519", edText(t), 0o644, "others than its owner"},
		"secret":                 {"k.hs256", "secret", 0o600, "at least 32 bytes"},
		"secret in base64":       {"k.hs256", std.EncodeToString([]byte("secret")), 0o600, "at least 32 bytes"},
		"secret again and again": {"k.hs256", std.EncodeToString([]byte(strings.Repeat("secret", 8))), 0o600, "guessed"},
		"31 bytes":               {"k.hs256", std.EncodeToString([]byte("0123456789abcdefghijklmnopqrstu")), 0o600, "at least 32 bytes"},
		"jwt.io's":               {"k.hs256", std.EncodeToString([]byte("a-string-secret-at-least-256-bits-long")), 0o600, "guessed"},
		"zeros":                  {"k.hs256", std.EncodeToString(make([]byte, 64)), 0o600, "guessed"},
		"empty":                  {"k.hs256", "", 0o600, "at least 32 bytes"},
		"RFC 8037's":             {"k.ed25519", pemText(t, ed25519.NewKeyFromSeed(seed)), 0o600, "guessed"},
		"Ed25519 of zeros":       {"k.ed25519", pemText(t, ed25519.NewKeyFromSeed(make([]byte, 32))), 0o600, "guessed"},
		"RSA":                    {"k.ed25519", pemText(t, rsaKey), 0o600, "not hold an Ed25519 key"},
		"no PEM":                 {"k.ed25519", hsText(t), 0o600, "PEM"},
		"two in one":             {"k.ed25519", edText(t) + edText(t), 0o600, "PEM"},
		"AAPF with Ed25519":      {"aapf-1.ed25519", edText(t), 0o600, "always HS256"},
		"another kind of file":   {"k.pem", edText(t), 0o600, "not called like a key"},
		"no name":                {"k k.hs256", hsText(t), 0o600, "not called like a key"},
	} {
		dir := keyDir(t)
		writeKey(t, dir, "0000.ed25519", edText(t), 0o600) // a valid key in the same folder does not help
		writeKey(t, dir, c.file, c.content, c.mode)
		_, err := LoadKeys(dir, KeyOptions{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := strings.TrimSpace(c.content); text != "" && text != "secret" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	dir := keyDir(t)
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir, KeyOptions{}); err == nil || !strings.Contains(err.Error(), "put keys there") {
		t.Errorf("a folder that others write to: %v", err)
	}
}

func TestPrintingKeysShowsNone(t *testing.T) {
	t.Parallel()
	f := newForge(t, "ed")
	key, _ := f.keys.find("hs")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, f.keys); got != "keys aapf-1, ed, hs" {
			t.Errorf("%s: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, key); got != "key hs (HS256, api)" {
			t.Errorf("%s: %s", verb, got)
		}
	}
}
