package auth

import (
	"regexp"
	"strings"
	"testing"
)

func TestOpaqueSecrets(t *testing.T) {
	t.Parallel()
	seen := map[hashed]bool{}
	for _, kind := range []opaque{cookieSecret, tokenSecret, resetSecret} {
		for range 200 {
			secret, h := kind.fresh()
			if !regexp.MustCompile(`^` + string(kind) + `[0-9A-Za-z]{38}$`).MatchString(secret) {
				t.Fatalf("%s is no secret", secret)
			}
			if seen[h] {
				t.Fatal("the same twice")
			}
			seen[h] = true
			if got, ok := kind.read(secret); !ok || got != h {
				t.Fatalf("%s is not read", secret)
			}
			if v := kind.visible(secret); len(v) != 12 || !strings.HasPrefix(secret, v) {
				t.Fatalf("%s is shown as %s", secret, v)
			}
		}
	}
	if !regexp.MustCompile("^" + TokenPattern + "$").MatchString(func() string { s, _ := tokenSecret.fresh(); return s }()) {
		t.Error("the pattern is not that of tokens")
	}
}

// Secrets with one wrong character, of another kind, or truncated are detected without a look-up.
func TestOpaqueSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	secret, _ := tokenSecret.fresh()
	list := map[string]string{
		"empty": "", "kind alone": "hct_", "truncated": secret[:len(secret)-1], "longer": secret + "0",
		"other kind": "hcs_" + secret[4:], "upper kind": "HCT_" + secret[4:], "no kind": secret[4:],
		"blank": " " + secret[1:], "line end": secret[:len(secret)-1] + "\n",
		"other checksum": secret[:len(secret)-6] + "000000", "NUL": secret[:20] + "\x00" + secret[21:],
	}
	for i := 4; i < len(secret); i++ {
		other := byte('0')
		if secret[i] == other {
			other = '1'
		}
		list["changed at "+string(rune('A'+i))] = secret[:i] + string(other) + secret[i+1:]
	}
	for name, text := range list {
		if _, ok := tokenSecret.read(text); ok {
			t.Errorf("%s: %q is read", name, text)
		}
	}
}
