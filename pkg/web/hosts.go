package web

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Hosts says under which address clients reach this server. The Host header is the
// client's to choose, and so are X-Forwarded-Host and X-Forwarded-Proto: absolute URLs
// are built from a host only if it is allowed.
type Hosts struct {
	Public  string   // base of all URLs, such as https://cloud.example; "" for the request's host
	Listen  string   // base for a request whose host is not allowed, such as http://10.0.0.7:8080
	TLS     bool     // the listener speaks TLS
	Allowed []string // hosts beside loopback and that of Listen: cloud.example, with any port or cloud.example:8443
}

// Base returns what the absolute URLs in the answer to a request begin with, without a
// slash at its end: https://cloud.example. It is "" if the host is not allowed and no
// address is configured.
func (h *Hosts) Base(r *http.Request) string {
	switch {
	case h.Public != "":
		return h.Public
	case !h.allows(r.Host):
		return h.Listen
	case h.TLS:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (h *Hosts) allows(host string) bool {
	name := hostname(host)
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() || strings.EqualFold(name, "localhost") {
		return CheckHost(host) == nil
	}
	for _, x := range h.Allowed {
		if strings.EqualFold(x, host) || strings.EqualFold(x, name) {
			return CheckHost(host) == nil
		}
	}
	return false
}

// hostname returns a host without its port, and without the brackets of an IPv6 address.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// CheckHost returns an error unless the text is a host, with or without a port:
// cloud.example, cloud.example:8443, [::1]:8080.
func CheckHost(text string) error {
	name, port := text, ""
	if n, p, err := net.SplitHostPort(text); err == nil {
		name, port = n, p
	}
	if net.ParseIP(strings.Trim(name, "[]")) == nil && (name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "") ||
		strings.Trim(port, "0123456789") != "" || strings.HasSuffix(text, ":") {
		return fmt.Errorf("%q is no host such as cloud.example or cloud.example:8443", text)
	}
	return nil
}

const keyBase = "halcyon.base"

// Base returns what hrefs in the answer begin with: the address of this server if a
// script of another, allowed origin asks, which resolves them against its own address;
// "" for all others, whose hrefs are paths.
func Base(c echo.Context) string {
	base, _ := c.Get(keyBase).(string)
	return base
}

// absolute notes the base of hrefs for scripts of allowed origins, and completes the
// Location of their answers.
func (s *server) absolute(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.origins.allow(c.Request().Header.Get(echo.HeaderOrigin)) {
			return next(c)
		}
		base := s.cfg.Hosts.Base(c.Request())
		c.Set(keyBase, base)
		h := c.Response().Header()
		c.Response().Before(func() {
			if to := h.Get(echo.HeaderLocation); strings.HasPrefix(to, "/") {
				h.Set(echo.HeaderLocation, base+to)
			}
		})
		return next(c)
	}
}
