package halserver

import (
	"bytes"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/web"
)

// pool keeps the buffers that documents are encoded into.
type pool struct{ sync.Pool }

var buffers = pool{sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}}

func (p *pool) get() *[]byte { return p.Get().(*[]byte) }

func (p *pool) put(b *[]byte) {
	if cap(*b) <= 1<<18 { // a huge page now and then is not kept for ever
		p.Put(b)
	}
}

// Representation returns the representation that the caller accepts, HAL by default.
func (s *Server) Representation(c echo.Context) hal.Representation {
	prefer := s.cfg.Prefer
	if labelledJSON(c.Request()) {
		prefer = hal.CloudBolt
	}
	switch r := hal.Negotiate(c.Request().Header.Values(echo.HeaderAccept), prefer); r {
	case hal.AsHTML:
		if s.cfg.Pages == nil {
			return hal.AsHAL
		}
		return r
	case hal.AsHAL, hal.AsHALForms, hal.AsCloudBolt:
		return r
	}
	return hal.AsHAL
}

// labelledJSON reports whether the request reads, says that it accepts anything, and is
// labelled as JSON all the same. Clients that were written for CloudBolt send that
// Content-Type with every GET and read the shape that they know; curl and HAL libraries
// do not.
func labelledJSON(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	label := r.Header.Get(echo.HeaderContentType)
	if label == "" {
		return false
	}
	for _, accept := range r.Header.Values(echo.HeaderAccept) {
		if accept = strings.TrimSpace(accept); accept != "" && accept != "*/*" {
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(label)
	return err == nil && kind == echo.MIMEApplicationJSON
}

// Send answers a document in the representation that the caller accepts.
func (s *Server) Send(c echo.Context, status int, doc *hal.Document) error {
	return s.SendTagged(c, status, doc, nil, nil)
}

// bodyTypes are the media types of bodies that are read as JSON.
var bodyTypes = []string{
	"application/merge-patch+json", "application/json", "application/hal+json", "application/vnd.hal+json", "application/prs.hal-forms+json",
}

// Read parses the request's body as JSON or as a form. An empty body is {}, whatever its
// Content-Type.
func (s *Server) Read(c echo.Context) (*jsonbody.Value, error) {
	data, err := web.ReadBody(c)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSpace(data)
	label := c.Request().Header.Get(echo.HeaderContentType)
	kind, _, err := mime.ParseMediaType(label)
	if len(data) == 0 || label == "" {
		return jsonbody.Parse(data)
	}
	if err != nil {
		kind = label
	}
	kind = strings.ToLower(kind)
	if slices.Contains(bodyTypes, kind) {
		return jsonbody.Parse(data)
	}
	if kind == echo.MIMEApplicationForm {
		// curl -d labels everything so.
		if data[0] == '{' {
			return jsonbody.Parse(data)
		}
		values, err := jsonbody.FormValues(data)
		if err != nil {
			return nil, err
		}
		typed(c, values)
		return jsonbody.Form(values)
	}
	return nil, fault.Wrap(fault.Invalid, web.ErrWrongType, "A body of type %q is not read here. Send application/json.", kind)
}

// NoQuery refuses query parameters where none is known.
func NoQuery(c echo.Context) error { return OnlyQuery(c) }

// OnlyQuery refuses query parameters but those that are known.
func OnlyQuery(c echo.Context, known ...string) error {
	raw := c.Request().URL.RawQuery
	for _, pair := range strings.Split(raw, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name == "" || slices.Contains(known, name) {
			continue
		}
		if len(name) > 64 {
			name = name[:64]
		}
		return fault.InvalidField(fault.Argument(strings.ToValidUTF8(name, "?")), "is no query parameter that is known here")
	}
	return nil
}

// StatusFor returns the status of an answer: 200 for CloudBolt's clients, which expect
// it, and proper for all others.
func (s *Server) StatusFor(c echo.Context, proper int) int {
	if s.Representation(c) == hal.AsCloudBolt {
		return http.StatusOK
	}
	return proper
}
