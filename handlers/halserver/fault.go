package halserver

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/auth"
	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// titles are the titles of the types of problems, the same for each occurrence (RFC 9457,
// section 3.1.3).
var titles = map[fault.Code]string{
	fault.Invalid:         "The request is not valid.",
	fault.Unauthenticated: "Credentials are missing or not good.",
	fault.Forbidden:       "This is not allowed to you.",
	fault.NotFound:        "Not found.",
	fault.Conflict:        "The state does not allow this.",
	fault.Precondition:    "It was changed meanwhile.",
	fault.Limited:         "Too much, or too often.",
	fault.Unavailable:     "Not available at the moment.",
	fault.Internal:        "Something went wrong here.",
}

// problemType returns the name of the page that explains the problem.
func problemType(err error) string {
	switch {
	case errors.Is(err, web.ErrMethodNotAllowed):
		return "method-not-allowed"
	case errors.Is(err, web.ErrTooLarge):
		return "too-large"
	case errors.Is(err, web.ErrWrongType), errors.Is(err, web.ErrEncoded):
		return "unsupported-media-type"
	case errors.Is(err, web.ErrKeyReused):
		return "idempotency-key-reused"
	case errors.Is(err, web.ErrCrossOrigin):
		return "cross-origin"
	case web.InProgress(err):
		return "idempotency-key-in-use"
	}
	return strings.ReplaceAll(string(fault.CodeOf(err)), "_", "-")
}

// WriteFault implements web.Face: RFC 9457 for HAL clients, the CloudBolt error
// for those of its shape.
func (s *Server) WriteFault(c echo.Context, err error) error {
	e := fault.From(err)
	status := web.Status(err)
	h := c.Response().Header()
	web.VaryByAccept(h)
	switch status {
	case http.StatusUnauthorized:
		h.Add(echo.HeaderWWWAuthenticate, bearerChallenge(c.Request().Header))
		if s.Representation(c) != hal.AsHTML { // browsers would ask for a password by themselves, and send it for ever
			h.Add(echo.HeaderWWWAuthenticate, `Basic realm="api"`)
		}
	case http.StatusConflict:
		if web.InProgress(err) {
			h.Set(echo.HeaderRetryAfter, "1")
		}
	case http.StatusTooManyRequests:
		if wait, ok := auth.RetryAfter(err); ok {
			h.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
	case http.StatusUnsupportedMediaType:
		if c.Request().Method == http.MethodPatch && errors.Is(err, web.ErrWrongType) {
			h.Set("Accept-Patch", strings.Join(bodyTypes, ", "))
		}
	case http.StatusServiceUnavailable:
		h.Set(echo.HeaderRetryAfter, "5")
	}
	text := e.Text(s.cfg.Names)
	p := hal.Problem{
		Type: web.Base(c) + s.base + "/docs/problems/" + problemType(err), Title: titles[e.Code], Status: status,
		Detail: text, Error: text,
		// Without the query, which may hold secrets.
		Instance: web.Redact(c.Request().URL.EscapedPath(), s.cfg.Private),
	}
	if e.Detail != "" {
		p.Detail = strings.TrimSuffix(p.Detail, ".") + ". " + e.Detail
	}
	for _, x := range e.Fields {
		p.Errors = append(p.Errors, hal.FieldError{Pointer: s.cfg.Names.Pointer(x.Path), Reason: x.Text(s.cfg.Names)})
	}
	if s.Representation(c) == hal.AsHTML {
		return s.faultPage(c, &p)
	}
	shape := s.Representation(c).Shape()
	buf := buffers.get()
	defer buffers.put(buf)
	*buf = p.AppendJSON((*buf)[:0], shape)
	return c.Blob(status, p.ContentType(shape), *buf)
}

// bearerChallenge returns the challenge for a token. Without credentials it has no error
// (RFC 6750, section 3.1).
func bearerChallenge(h http.Header) string {
	scheme, _, _ := strings.Cut(h.Get(echo.HeaderAuthorization), " ")
	if scheme == "" || strings.EqualFold(scheme, "Basic") {
		return `Bearer realm="api"`
	}
	return `Bearer error="invalid_token"`
}

// problems explain the types of problem documents.
var problems = map[string]string{
	"invalid":                "The request itself is wrong. errors names each culprit: a JSON pointer into the body, or a parameter. Sent again as it is it fails again.",
	"unauthenticated":        "There were no credentials, or they are wrong, expired or revoked.",
	"forbidden":              "You see the resource, and may not do this to it. Its document offers what you may do.",
	"not-found":              "There is no such resource, or none that you may see: the two are answered alike.",
	"conflict":               "The state of the resource, or another one, does not allow this now. Read the resource again: it offers what is possible.",
	"precondition":           "The resource was changed since the version that If-Match names.",
	"limited":                "Too many requests or failures. Try again after Retry-After seconds.",
	"unavailable":            "Something that is needed cannot be reached at the moment. Try again after Retry-After seconds.",
	"internal":               "A mistake of the service. It is in the log, with the X-Request-Id of the answer.",
	"cross-origin":           "A page of another origin had a browser send this with the cookie of its session, or to sign in. That is refused, whatever it is. Scripts of other origins send an Authorization header; pages of trusted origins are named by --cors-origin.",
	"method-not-allowed":     "The resource does not answer this method. Allow lists those that it does.",
	"idempotency-key-reused": "The Idempotency-Key of the request came with another body within the last 24 hours. Send a new key with a new request, and the same body with the same key.",
	"idempotency-key-in-use": "The first request with this Idempotency-Key is still running. Send it again after Retry-After seconds to get its answer.",
	"too-large":              "The body is larger than 1 MiB.",
	"unsupported-media-type": "The body is of a type that is not read: send application/json, application/hal+json or a form, and to an import a zip.",
}
