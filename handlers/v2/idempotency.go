package v2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/web"
)

// The headers of draft-ietf-httpapi-idempotency-key-header, and the one by which a
// stored answer is told from a new one.
const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotent-Replayed"
)

// once makes a POST that carries an Idempotency-Key happen once.
func (f *Face) once(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key, err := idempotencyKey(c.Request().Header)
		if err != nil {
			return err
		}
		if key == "" {
			return next(c)
		}
		data, err := web.ReadBody(c)
		if err != nil {
			return err
		}
		r := c.Request()
		asked := idempotency.Request{Method: r.Method, Target: r.URL.Path, Key: key, Digest: digest(r.Header.Get(echo.HeaderContentType), data)}
		if r.URL.RawQuery != "" {
			asked.Target += "?" + r.URL.RawQuery
		}
		answer, replayed, err := f.Idempotency.Do(r.Context(), web.Actor(c), asked, func(ctx context.Context) (idempotency.Answer, error) {
			again := r.WithContext(ctx)
			again.Body = io.NopCloser(bytes.NewReader(data))
			c.SetRequest(again)
			defer c.SetRequest(r)
			return f.recorded(c, next)
		})
		switch {
		case errors.Is(err, idempotency.ErrReused):
			return fault.Wrap(fault.Invalid, errors.Join(web.ErrKeyReused, err), "%s", fault.From(err).Message)
		case err != nil:
			return err
		case replayed:
			c.Response().Header().Set(headerReplayed, "true")
		}
		return f.answer(c, answer)
	}
}

// idempotencyKey reads the header, "" when there is none. Its value is a string of
// RFC 9651, in quotes; most clients send it without, and mean the same.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(headerIdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", fault.InvalidField(headerIdempotencyKey, "is there twice")
	}
	key := strings.TrimSpace(values[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	return key, idempotency.CheckKey(key)
}

// digest tells bodies apart, as they came: one that says the same in other words
// is not what a repetition sends.
func digest(label string, body []byte) string {
	kind, _, err := mime.ParseMediaType(label)
	if err != nil {
		kind = label
	}
	h := sha256.New()
	_, _ = io.WriteString(h, kind+"\n") // a hash takes everything
	_, _ = h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// recorded runs the handler and gives what it would answer. Nothing has been sent
// afterwards. The answer to a mistake of the caller comes with the error; other
// errors have none, and are not kept.
func (f *Face) recorded(c echo.Context, next echo.HandlerFunc) (answer idempotency.Answer, err error) {
	res := c.Response()
	writer, header := res.Writer, maps.Clone(res.Header())
	rec := &recorder{header: res.Header()}
	res.Writer = rec
	reset := func() {
		clear(rec.header)
		maps.Copy(rec.header, header)
		rec.status, rec.body = 0, bytes.Buffer{}
		res.Committed, res.Size, res.Status = false, 0, http.StatusOK
	}
	defer func() {
		reset()
		res.Writer = writer
	}()
	if err = next(c); err == nil {
		return rec.answer(), nil
	}
	if status := web.Status(err); status >= http.StatusInternalServerError || status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		return idempotency.Answer{}, err
	}
	reset()
	if failed := f.WriteFault(c, err); failed != nil {
		return idempotency.Answer{}, failed
	}
	return rec.answer(), err
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (r *recorder) answer() idempotency.Answer {
	return idempotency.Answer{
		Status: max(r.status, http.StatusOK), ContentType: r.header.Get(echo.HeaderContentType),
		Location: r.header.Get(echo.HeaderLocation), Body: bytes.Clone(r.body.Bytes()),
	}
}

// answer sends what was recorded, now or before.
func (f *Face) answer(c echo.Context, a idempotency.Answer) error {
	h := c.Response().Header()
	varying(h)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	if a.Location != "" {
		h.Set(echo.HeaderLocation, a.Location)
	}
	if a.ContentType == "" {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, a.ContentType, a.Body)
}

// inProgress reports whether the request is being answered elsewhere.
func inProgress(err error) bool {
	return errors.Is(err, idempotency.ErrRunning) || errors.Is(err, idempotency.ErrLost)
}
