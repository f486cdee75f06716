package resource_test

import (
	"testing"

	"halcyon/pkg/resource"
)

// A pattern means the same in a browser, which anchors it, or is omitted if JavaScript does not support it.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"":             "",
		"^[a-z]+$":     "^[a-z]+$",
		"[a-z]":        ".*(?:[a-z]).*",
		"^a$|^b$":      ".*(?:^a$|^b$).*",
		"(?:a|b)c":     ".*(?:(?:a|b)c).*",
		"(?i)abc":      "",
		`\Aabc\z`:      "",
		`\p{L}+`:       "",
		"[[:alpha:]]+": "",
	} {
		if got := resource.Browsers(pattern); got != want {
			t.Errorf("%q: %q instead of %q", pattern, got, want)
		}
	}
}
