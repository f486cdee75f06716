package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// closed is a face that lets nobody in.
type closed struct{}

func (closed) Prefixes() []string { return []string{"/shop"} }

func (closed) Routes() []web.Route {
	return []web.Route{{Method: http.MethodGet, Path: "/shop/things", Handle: func(c echo.Context) error { return c.NoContent(http.StatusOK) }}}
}

func (closed) Authenticate(echo.Context) error { return fault.New(fault.Unauthenticated, "Who?") }

func (closed) WriteFault(c echo.Context, err error) error {
	c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
	return c.NoContent(web.Status(err))
}

func edge(origins []string, tls bool) http.Handler {
	return server(web.Config{
		Faces: []web.Face{closed{}}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Metrics: web.NewMetrics(nil), Origins: origins, TLS: tls,
	})
}

func TestScriptsOfOtherOrigins(t *testing.T) {
	t.Parallel()
	type answer struct {
		Status                   int
		Origin, Vary, Exposed    string
		Methods, Allowed, Strict string
	}
	for name, x := range map[string]struct {
		origins []string
		tls     bool
		method  string
		origin  string
		want    answer
	}{
		"nobody is listed": {
			method: http.MethodGet, origin: "https://explorer.example",
			want: answer{Status: 401, Vary: "Accept-Encoding, Accept"},
		},
		"preflight needs no credentials": {
			origins: []string{"https://explorer.example"}, method: http.MethodOptions, origin: "https://explorer.example",
			want: answer{
				Status: 204, Origin: "https://explorer.example", Vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
				Methods: "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
				Allowed: "x-anything",
			},
		},
		"a preflight for any origin": {
			origins: []string{"*"}, method: http.MethodOptions, origin: "https://explorer.example",
			want: answer{
				Status: 204, Origin: "*", Vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
				Methods: "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
				Allowed: "Accept,Authorization,Content-Type,X-Request-Id,If-Match,If-None-Match,Idempotency-Key,Last-Event-ID",
			},
		},
		"a request does, and its answer can be read": {
			origins: []string{"https://explorer.example"}, method: http.MethodGet, origin: "https://explorer.example",
			want: answer{
				Status: 401, Origin: "https://explorer.example", Vary: "Origin, Accept-Encoding, Accept",
				Exposed: "Allow,ETag,Location,Retry-After,X-Request-Id,WWW-Authenticate,Content-Disposition,Idempotent-Replayed",
			},
		},
		"another origin": {
			origins: []string{"https://explorer.example"}, method: http.MethodGet, origin: "https://explorer.example.evil.example",
			want: answer{Status: 401, Vary: "Origin, Accept-Encoding, Accept"},
		},
		"by TLS browsers are told to stay there": {
			tls: true, method: http.MethodGet,
			want: answer{Status: 401, Vary: "Accept-Encoding, Accept", Strict: "max-age=31536000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(x.method, "/shop/things", nil)
			if x.origin != "" {
				r.Header.Set(echo.HeaderOrigin, x.origin)
			}
			if x.method == http.MethodOptions {
				r.Header.Set(echo.HeaderAccessControlRequestMethod, http.MethodPost)
				r.Header.Set(echo.HeaderAccessControlRequestHeaders, "x-anything")
			}
			w := httptest.NewRecorder()
			edge(x.origins, x.tls).ServeHTTP(w, r)
			h := w.Header()
			got := answer{
				Status: w.Code, Origin: h.Get(echo.HeaderAccessControlAllowOrigin), Vary: strings.Join(h.Values(echo.HeaderVary), ", "),
				Exposed: h.Get(echo.HeaderAccessControlExposeHeaders), Methods: h.Get(echo.HeaderAccessControlAllowMethods),
				Allowed: h.Get(echo.HeaderAccessControlAllowHeaders), Strict: h.Get(echo.HeaderStrictTransportSecurity),
			}
			if d := cmp.Diff(x.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOriginsAreChecked(t *testing.T) {
	t.Parallel()
	for origin, good := range map[string]bool{
		"https://explorer.example": true, "http://127.0.0.1:3000": true, "*": true,
		"explorer.example": false, "https://explorer.example/": false, "https://*.example": false,
		"ftp://explorer.example": false, "": false, "null": false,
	} {
		if err := web.CheckOrigins([]string{origin}); (err == nil) != good {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
