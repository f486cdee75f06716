package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// The names of the cookie that holds a browser's session: by TLS browsers take the
// longer one from this host and for all of it alone.
const (
	sessionCookie = "halcyon_session"
	hostCookie    = "__Host-halcyon_session"
)

// Cookie is the cookie that holds a browser's session. No script reads it, and no
// request that another site begins carries it.
type Cookie struct {
	Secure bool          // browsers come by TLS
	Kept   time.Duration // by the browser; how long the session lasts is not for the browser to say
}

func (k Cookie) name() string {
	if k.Secure {
		return hostCookie
	}
	return sessionCookie
}

// Read gives the secret that the request carries, "" for none.
func (k Cookie) Read(r *http.Request) string {
	c, err := r.Cookie(k.name())
	if err != nil {
		return ""
	}
	return c.Value
}

// Set has the browser keep the secret.
func (k Cookie) Set(c echo.Context, secret string) { k.write(c, secret, int(k.Kept.Seconds())) }

// Clear has the browser forget it.
func (k Cookie) Clear(c echo.Context) { k.write(c, "", -1) }

func (k Cookie) write(c echo.Context, value string, age int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // without TLS a Secure cookie would not come back
		Name: k.name(), Value: value, Path: "/", MaxAge: age,
		Secure: k.Secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
