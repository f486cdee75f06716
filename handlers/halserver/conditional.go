package halserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// This file has the conditional requests of RFC 9110, section 13. An entity tag is
// "VERSION-HASH": the version of the row behind the document, 0 for none, which If-Match
// compares with the row; and a hash of the whole body, which If-None-Match compares. A
// compressed answer has other bytes, and therefore another tag.

const (
	headerETag      = "ETag"
	headerIfMatch   = "If-Match"
	headerNoneMatch = "If-None-Match"
)

const gzipped = "-gzip"

// entityTag returns the tag of a body, without quotes.
func entityTag(version int64, kind string, body []byte) string {
	h := sha256.New()
	_, _ = h.Write([]byte(kind)) // a hash takes everything
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(body)
	var sum [sha256.Size]byte
	b := strconv.AppendInt(make([]byte, 0, 48), version, 10)
	b = append(b, '-')
	return string(base64.RawURLEncoding.AppendEncode(b, h.Sum(sum[:0])[:15]))
}

// validator identifies the current state of a document (RFC 9110, section 8.8).
type validator struct {
	tag      string    // without quotes and coding
	modified time.Time // of its row; zero for none
	long     bool      // long enough to be compressed for clients that accept it
}

// set writes the validator's headers for the coding that the caller will get.
func (v *validator) set(c echo.Context) {
	h := c.Response().Header()
	tag := v.tag
	if v.long && strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		tag += gzipped
	}
	h.Set(headerETag, `"`+tag+`"`)
	if !v.modified.IsZero() {
		h.Set(echo.HeaderLastModified, v.modified.UTC().Format(http.TimeFormat))
	}
}

// tags are the entity tags that a header names.
type tags struct {
	any  bool     // *
	list []string // opaque parts, without quotes, weakness and coding
}

// readTags parses If-Match or If-None-Match. Weak and strong tags compare alike: this
// server creates no weak ones, but a compressing proxy may have weakened one.
func readTags(h http.Header, name string) (t tags, given bool, err error) {
	values := h.Values(name)
	if len(values) == 0 {
		return t, false, nil
	}
	rest := strings.TrimSpace(strings.Join(values, ","))
	if rest == "*" {
		return tags{any: true}, true, nil
	}
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; rest = strings.TrimLeft(rest, ", \t") {
		tag, after, ok := cutTag(strings.TrimPrefix(rest, "W/"))
		if rest = strings.TrimLeft(after, " \t"); !ok || rest != "" && rest[0] != ',' {
			return t, true, fault.InvalidField(fault.Argument(name), "is neither * nor a list of entity tags in quotes")
		}
		t.list = append(t.list, strings.TrimSuffix(tag, gzipped))
	}
	if len(t.list) == 0 {
		return t, true, fault.InvalidField(fault.Argument(name), "is empty")
	}
	return t, true, nil
}

// NotModified sets the entity tag of the answer, and answers 304 when the request's
// If-None-Match has it. It reports whether it has answered.
func NotModified(c echo.Context, tag string) (bool, error) {
	c.Response().Header().Set(headerETag, `"`+tag+`"`)
	t, given, err := readTags(c.Request().Header, headerNoneMatch)
	if err != nil || !given || !t.match(tag) {
		return false, err
	}
	return true, c.NoContent(http.StatusNotModified)
}

// cutTag takes a tag in quotes off the beginning of a text.
func cutTag(text string) (tag, after string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", false
	}
	tag, after, ok = strings.Cut(text[1:], `"`)
	return tag, after, ok && !strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func (t *tags) match(tag string) bool { return t.any || slices.Contains(t.list, tag) }

// versions returns the row versions in the tags. Foreign tags have none.
func (t *tags) versions() []int64 {
	var list []int64
	for _, tag := range t.list {
		text, _, ok := strings.Cut(tag, "-")
		if v, err := strconv.ParseInt(text, 10, 64); ok && err == nil && v >= 0 {
			list = append(list, v)
		}
	}
	return list
}

// SendTagged answers a document. To a GET it adds the validator, or answers 304 when the
// client has the document. The row is the document's subject, nil for none.
func (s *Server) SendTagged(c echo.Context, status int, doc *hal.Document, row *models.Row, seen *etagState) error {
	rep := s.Representation(c)
	h := c.Response().Header()
	web.VaryByAccept(h)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	if c.Get(keyOnce) != nil {
		h.Set(echo.HeaderCacheControl, "no-store")
	}
	buf := buffers.get()
	defer buffers.put(buf)
	if rep == hal.AsHTML {
		if to := s.afterForm(c, doc, row); to != "" {
			return c.Redirect(http.StatusSeeOther, to)
		}
		if sent := view.From(c.Request().Context()); sent != nil {
			return s.sendAgain(c, doc, row, sent)
		}
		*buf = s.appendPage(c, (*buf)[:0], doc, row)
	} else {
		if rep == hal.AsHALForms {
			if err := s.reg.InlineChoices(c.Request().Context(), web.Actor(c), doc.Templates); err != nil {
				return err
			}
		}
		*buf = s.encoderFor(c).AppendJSON((*buf)[:0], doc, rep.Shape())
	}
	kind := rep.ContentType()
	if rep == hal.AsHALForms && len(doc.Templates) == 0 {
		kind = hal.AsHAL.ContentType() // HAL-FORMS requires a template
	}
	switch method := c.Request().Method; {
	case status != http.StatusOK:
	case method == http.MethodGet, method == http.MethodHead:
		t, given, err := readTags(c.Request().Header, headerNoneMatch)
		if err != nil {
			return err
		}
		v := validatorOf(kind, row, *buf)
		v.set(c)
		if s.remember(c, v, seen) || given && t.match(v.tag) {
			return c.NoContent(http.StatusNotModified)
		}
	case (method == http.MethodPatch || method == http.MethodPut) && row != nil:
		// The document is the one that a GET would answer now.
		v := validatorOf(kind, row, *buf)
		v.set(c)
	}
	return c.Blob(status, kind, *buf)
}

func validatorOf(kind string, row *models.Row, body []byte) validator {
	v := validator{long: len(body) >= web.GzipFrom}
	version := int64(0)
	if row != nil {
		version, v.modified = row.Version, row.UpdatedAt
	}
	v.tag = entityTag(version, kind, body)
	return v
}

// errStale returns the 412 for a row whose version does not match If-Match.
func errStale() error {
	return fault.New(fault.Precondition, "It was changed meanwhile: If-Match names another version. Read it again.")
}

// Expect compares If-Match with the row: now, and again in the transaction that changes
// the row, which has to start with the returned context.
func (s *Server) Expect(c echo.Context, d *resource.Def, row *models.Row) (context.Context, error) {
	ctx := c.Request().Context()
	t, given, err := readTags(c.Request().Header, headerIfMatch)
	if err != nil {
		return nil, err
	}
	if none, refused, err := readTags(c.Request().Header, headerNoneMatch); err != nil {
		return nil, err
	} else if refused && (none.any || slices.Contains(none.versions(), row.Version)) {
		return nil, fault.New(fault.Precondition, "It exists, and If-None-Match says that it should not.")
	}
	if !given || t.any {
		return ctx, nil
	}
	versions := t.versions()
	if !slices.Contains(versions, row.Version) {
		return nil, errStale()
	}
	return s.reg.WithPrecondition(ctx, d, row.ID, func(version int64) error {
		if !slices.Contains(versions, version) {
			return errStale()
		}
		return nil
	}), nil
}

// expectNothing compares If-Match with a document without a row, such as a collection:
// its version is always 0.
func expectNothing(c echo.Context) error {
	t, given, err := readTags(c.Request().Header, headerIfMatch)
	if err != nil || !given || t.any || slices.Contains(t.versions(), 0) {
		return err
	}
	return errStale()
}
