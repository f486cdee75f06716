package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// origins are the other origins whose scripts may call: * is all.
type origins []string

// allow reports whether an Origin header names one of them. A request without it, "", is
// not from a script of another origin.
func (o origins) allow(origin string) bool {
	return origin != "" && (slices.Contains(o, origin) || slices.Contains(o, "*"))
}

// cors lets scripts of the listed origins call, such as a HAL browser that is served from
// elsewhere. Preflights are answered before anything else, credentials included, which
// browsers do not send with them. Cookies never cross origins.
func (o origins) cors() echo.MiddlewareFunc {
	config := middleware.CORSConfig{
		AllowOrigins:  o,
		AllowMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions},
		ExposeHeaders: readHeaders,
		MaxAge:        600,
	}
	if slices.Contains(o, "*") {
		config.AllowHeaders = sentHeaders // for listed origins those that the request names
	}
	config.Skipper = plainOptions
	library := middleware.CORSWithConfig(config)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		handle := library(next)
		return func(c echo.Context) error {
			if plainOptions(c) {
				o.letRead(c)
			}
			return handle(c)
		}
	}
}

// plainOptions reports whether the request is OPTIONS for the resource itself, to read
// Allow. The library takes every OPTIONS for a preflight, whose headers scripts cannot
// read.
func plainOptions(c echo.Context) bool {
	r := c.Request()
	return r.Method == http.MethodOptions && r.Header.Get(echo.HeaderAccessControlRequestMethod) == ""
}

// letRead lets a script of an allowed origin read the answer.
func (o origins) letRead(c echo.Context) {
	h, origin := c.Response().Header(), c.Request().Header.Get(echo.HeaderOrigin)
	h.Add(echo.HeaderVary, echo.HeaderOrigin)
	switch {
	case !o.allow(origin):
		return
	case slices.Contains(o, "*"):
		origin = "*"
	}
	h.Set(echo.HeaderAccessControlAllowOrigin, origin)
	h.Set(echo.HeaderAccessControlExposeHeaders, strings.Join(readHeaders, ","))
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
