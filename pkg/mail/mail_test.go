package mail_test

import (
	"strings"
	"testing"

	"halcyon/pkg/fault"
	"halcyon/pkg/mail"
)

func TestNewRefusesWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ url, from string }{
		{"", "a@b.example"},
		{"mail.example:25", "a@b.example"},
		{"http://mail.example", "a@b.example"},
		{"smtp://", "a@b.example"},
		{"smtp://mail.example:99999", "a@b.example"},
		{"smtp://mail.example/path", "a@b.example"},
		{"smtp://u:canary@mail.example:x", "a@b.example"},
		{"smtp://mail.example", ""},
		{"smtp://mail.example", "nobody"},
	} {
		_, err := mail.New(mail.Config{URL: x.url, From: x.from})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q from %q: %v", x.url, x.from, err)
		}
	}
	for _, url := range []string{"smtp://mail.example", "smtps://u:p@mail.example", "smtp://u:p%40@mail.example:2525/", "smtp://127.0.0.1:25"} {
		if _, err := mail.New(mail.Config{URL: url, From: "Halcyon <a@b.example>"}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
