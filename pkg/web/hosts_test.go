package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/web"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	listed := web.Hosts{Listen: "http://10.0.0.7:8080", Allowed: []string{"cloud.example", "cloud.test:8443"}}
	for _, x := range []struct {
		hosts      web.Hosts
		host, want string
	}{
		{listed, "127.0.0.1:9000", "http://127.0.0.1:9000"},
		{listed, "localhost", "http://localhost"},
		{listed, "[::1]:9000", "http://[::1]:9000"},
		{listed, "cloud.example", "http://cloud.example"},
		{listed, "Cloud.Example:8080", "http://Cloud.Example:8080"},
		{listed, "cloud.test:8443", "http://cloud.test:8443"},
		{listed, "cloud.test", "http://10.0.0.7:8080"},
		{listed, "evil.example", "http://10.0.0.7:8080"},
		{listed, "cloud.example:80/x?", "http://10.0.0.7:8080"},
		{listed, "", "http://10.0.0.7:8080"},
		{web.Hosts{}, "evil.example", ""},
		{web.Hosts{TLS: true}, "localhost:8443", "https://localhost:8443"},
		{web.Hosts{Public: "https://cloud.example"}, "127.0.0.1:9000", "https://cloud.example"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = x.host
		r.Header.Set(echo.HeaderXForwardedProto, "https")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		if got := x.hosts.Base(r); got != x.want {
			t.Errorf("%+v, Host %q: %q instead of %q", x.hosts, x.host, got, x.want)
		}
	}
	for host, good := range map[string]bool{
		"cloud.example": true, "cloud.example:8443": true, "[::1]:80": true, "::1": true, "10.0.0.1": true,
		"": false, "https://cloud.example": false, "cloud.example/": false, "cloud.example:": false, "cloud.example:http": false, "a b": false, "*": false,
	} {
		if err := web.CheckHost(host); (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// OPTIONS of a script is no preflight: the resource answers it, and its Allow can be read.
func TestScriptsReadAllow(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodOptions, "/shop/things", nil)
	r.Header.Set(echo.HeaderOrigin, "https://explorer.example")
	w := httptest.NewRecorder()
	edge([]string{"https://explorer.example"}, false).ServeHTTP(w, r)
	if h := w.Header(); h.Get(echo.HeaderAccessControlAllowOrigin) != "https://explorer.example" ||
		h.Get(echo.HeaderAccessControlExposeHeaders) == "" || h.Get(echo.HeaderVary) == "" {
		t.Errorf("%d %v", w.Code, h)
	}
}
