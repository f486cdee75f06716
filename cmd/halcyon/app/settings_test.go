package app

import "testing"

// TestAddress derives where people reach the server from what it listens on, unless
// the settings say it.
func TestAddress(t *testing.T) {
	t.Parallel()
	const public = "https://cloud.example.com"
	for _, x := range []struct {
		s    Settings
		want string
	}{
		{Settings{Listen: "127.0.0.1:9000"}, "http://127.0.0.1:9000"},
		{Settings{Listen: "cloud.example:443", TLS: true}, "https://cloud.example:443"},
		{Settings{Listen: "[::1]:80"}, "http://[::1]:80"},
		{Settings{Listen: "0.0.0.0:80"}, ""},
		{Settings{Listen: "[::]:80"}, ""},
		{Settings{Listen: ":80"}, ""},
		{Settings{Listen: "127.0.0.1:0"}, ""},
		{Settings{Listen: "0.0.0.0:80", Mail: MailSettings{Public: public}}, public},
		{Settings{}, ""},
	} {
		if got := x.s.address(); got != x.want {
			t.Errorf("%+v: %q", x.s, got)
		}
	}
}
