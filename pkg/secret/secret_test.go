package secret_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"halcyon/pkg/secret"
)

func key(b byte) [secret.KeySize]byte {
	var k [secret.KeySize]byte
	for i := range k {
		k[i] = b + byte(i)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	box := secret.New(key(1))
	for _, plain := range []string{"x", "correct horse", "pässwörd\n\x00", strings.Repeat("long ", 4000)} {
		sealed, err := box.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(sealed, "v1:") || strings.Contains(sealed, plain) && len(plain) > 1 {
			t.Errorf("sealed is %.60q", sealed)
		}
		again, _ := box.Seal(plain)
		if again == sealed {
			t.Error("two seals of one text are the same")
		}
		got, err := box.Open(sealed)
		if err != nil || got != plain {
			t.Errorf("opened is %.60q, %v", got, err)
		}
	}
	for _, fn := range []func(string) (string, error){box.Seal, box.Open} {
		if got, err := fn(""); got != "" || err != nil {
			t.Errorf("of nothing: %q, %v", got, err)
		}
	}
}

func TestOpenRefusesWhatWasNotSealedHere(t *testing.T) {
	t.Parallel()
	box := secret.New(key(1))
	sealed, err := box.Seal("hunter2-canary")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(sealed[3:])
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"plain text":     "hunter2-canary",
		"other version":  "v2:" + sealed[3:],
		"no version":     sealed[3:],
		"truncated":      sealed[:len(sealed)-8],
		"only version":   "v1:",
		"short":          "v1:AAAA",
		"garbage":        "v1:hunter2-canary!",
		"with line ends": "v1:\n" + sealed[3:] + "x",
	}
	for i := range raw {
		flipped := append([]byte(nil), raw...)
		flipped[i] ^= 1
		bad[fmt.Sprintf("byte %d", i)] = "v1:" + base64.StdEncoding.EncodeToString(flipped)
	}
	for name, text := range bad {
		got, err := box.Open(text)
		if !errors.Is(err, secret.ErrOpen) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
	if got, err := secret.New(key(2)).Open(sealed); !errors.Is(err, secret.ErrOpen) || got != "" {
		t.Errorf("another key opens it: %q, %v", got, err)
	}
}

func TestPrintingABoxShowsNoKey(t *testing.T) {
	t.Parallel()
	box := secret.New(key(1))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, box); got != "secret.Box" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestLoadOrCreateKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "master.key")
	var wg sync.WaitGroup
	keys := make([][secret.KeySize]byte, 16)
	for i := range keys {
		wg.Go(func() {
			k, err := secret.LoadOrCreateKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k == [secret.KeySize]byte{} {
			t.Fatal("processes that start at once hold different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLoadOrCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	good := key(7)
	text := base64.StdEncoding.EncodeToString(good[:])
	for name, c := range map[string]struct {
		content string
		mode    fs.FileMode
		says    string
	}{
		"group may read":  {text, 0o640, "others than its owner"},
		"world may read":  {text, 0o604, "others than its owner"},
		"world may write": {text, 0o602, "others than its owner"},
		"short":           {text[:20], 0o600, "does not hold"},
		"empty":           {"", 0o600, "does not hold"},
		"no base64":       {"canary-canary-canary-canary-canary", 0o600, "does not hold"},
		"zeros":           {base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o600, "guessed"},
		"known":           {base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")), 0o600, "guessed"},
		"huge":            {strings.Repeat("A", 70_000), 0o600, "too large"},
	} {
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.LoadOrCreateKey(path)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.content != "" && strings.Contains(err.Error(), c.content) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != c.content {
			t.Errorf("%s: the file was replaced", name)
		}
	}
	if _, err := secret.LoadOrCreateKey(t.TempDir()); err == nil {
		t.Error("a folder is taken for a key")
	}
	path := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := secret.LoadOrCreateKey(path); err != nil || got != good {
		t.Errorf("the good one: %v", err)
	}
}

func TestCreatePrivateReplacesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "k")
	if err := secret.CreatePrivate(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := secret.CreatePrivate(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v", err)
	}
	if got, err := secret.ReadPrivate(path); string(got) != "first" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}
