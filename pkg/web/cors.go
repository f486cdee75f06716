package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Headers that scripts of other origins may send, and those that they may read
// beyond the few that every answer shows.
var (
	sentHeaders = []string{
		echo.HeaderAccept, echo.HeaderAuthorization, echo.HeaderContentType, echo.HeaderXRequestID,
		"If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID",
	}
	readHeaders = []string{
		echo.HeaderAllow, "ETag", echo.HeaderLocation, echo.HeaderRetryAfter, echo.HeaderXRequestID,
		echo.HeaderWWWAuthenticate, echo.HeaderContentDisposition, "Idempotent-Replayed",
	}
)

// cors lets scripts of the listed origins call: a HAL browser that is served from
// elsewhere. Preflights are answered before anything else, credentials included,
// which browsers do not send with them. Cookies never cross origins.
func cors(origins []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  origins,
		AllowMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowHeaders:  sentHeaders,
		ExposeHeaders: readHeaders,
		MaxAge:        600,
	})
}

// CheckOrigins is an error when one of them is no origin as browsers write them:
// scheme, host and perhaps a port, or * for all.
func CheckOrigins(origins []string) error {
	for _, o := range origins {
		if o == "*" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || o != u.Scheme+"://"+u.Host || strings.Contains(o, "*") {
			return fmt.Errorf("%q is no origin such as https://explorer.example", o)
		}
	}
	return nil
}

// strictTransport has browsers come back by TLS alone (RFC 6797).
func strictTransport(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
		return next(c)
	}
}
