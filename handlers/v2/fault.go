package v2

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

// titles are what each kind of problem is called (RFC 9457: the same for each
// occurrence).
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

// problemType gives the name of the page that explains the problem.
func problemType(err error) string {
	switch {
	case errors.Is(err, web.ErrMethodNotAllowed):
		return "method-not-allowed"
	case errors.Is(err, web.ErrTooLarge):
		return "too-large"
	case errors.Is(err, web.ErrWrongType):
		return "unsupported-media-type"
	case errors.Is(err, web.ErrKeyReused):
		return "idempotency-key-reused"
	case errors.Is(err, web.ErrCrossOrigin):
		return "cross-origin"
	case inProgress(err):
		return "idempotency-key-in-use"
	}
	return strings.ReplaceAll(string(fault.CodeOf(err)), "_", "-")
}

// WriteFault implements web.Face: RFC 9457 for HAL clients, the CloudBolt error
// for those of its shape.
func (f *Face) WriteFault(c echo.Context, err error) error {
	e := fault.From(err)
	status := web.Status(err)
	h := c.Response().Header()
	varying(h)
	switch status {
	case http.StatusUnauthorized:
		h.Add(echo.HeaderWWWAuthenticate, `Bearer error="invalid_token"`)
		if f.representation(c) != hal.AsHTML { // browsers would ask for a password by themselves, and send it for ever
			h.Add(echo.HeaderWWWAuthenticate, `Basic realm="api"`)
		}
	case http.StatusConflict:
		if inProgress(err) {
			h.Set(echo.HeaderRetryAfter, "1")
		}
	case http.StatusTooManyRequests:
		if wait, ok := auth.RetryAfter(err); ok {
			h.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
	case http.StatusServiceUnavailable:
		h.Set(echo.HeaderRetryAfter, "5")
	}
	p := hal.Problem{
		Type: Base + "/docs/problems/" + problemType(err), Title: titles[e.Code], Status: status,
		Detail: e.Message, Error: e.Message,
		// Not the query: it may hold what does not belong into an answer.
		Instance: withoutSecrets(c.Request().URL.EscapedPath()),
	}
	if e.Detail != "" {
		p.Detail = strings.TrimSuffix(p.Detail, ".") + ". " + e.Detail
	}
	for _, x := range e.Fields {
		p.Errors = append(p.Errors, hal.FieldError{Pointer: x.Pointer, Reason: x.Reason})
	}
	if f.representation(c) == hal.AsHTML {
		return f.faultPage(c, &p)
	}
	shape := f.representation(c).Shape()
	buf := buffers.get()
	defer buffers.put(buf)
	*buf = p.AppendJSON((*buf)[:0], shape)
	return c.Blob(status, p.ContentType(shape), *buf)
}
