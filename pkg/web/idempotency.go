package web

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
)

// The headers of draft-ietf-httpapi-idempotency-key-header, and the one that marks a
// stored answer.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotent-Replayed"
)

// ErrKeyReused is the cause of a fault about an Idempotency-Key that came with
// another body before.
var ErrKeyReused = errors.New("idempotency key reused")

// Once runs POST requests that carry an Idempotency-Key at most once, and replays the
// stored answer to repetitions.
type Once struct {
	Answers *idempotency.Service
	// WriteFault answers a failed request; what it writes is stored as well.
	WriteFault func(c echo.Context, err error) error
}

// Handle returns the handler that runs next at most once per key. Requests without a
// key go to next as they are.
func (o *Once) Handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key, err := idempotencyKey(c.Request().Header)
		if err != nil {
			return err
		}
		if key == "" {
			return next(c)
		}
		return o.handle(c, key, next)
	}
}

func (o *Once) handle(c echo.Context, key string, next echo.HandlerFunc) error {
	data, err := ReadBody(c)
	if err != nil {
		return err
	}
	r := c.Request()
	asked := idempotency.Request{Method: r.Method, Target: r.URL.Path, Key: key, Digest: digest(r.Header.Get(echo.HeaderContentType), data)}
	if r.URL.RawQuery != "" {
		asked.Target += "?" + r.URL.RawQuery
	}
	answer, replayed, err := o.Answers.Do(r.Context(), Actor(c), asked, func(ctx context.Context) (idempotency.Answer, error) {
		again := r.WithContext(ctx)
		again.Body = io.NopCloser(bytes.NewReader(data))
		c.SetRequest(again)
		defer c.SetRequest(r)
		return o.record(c, next)
	})
	switch {
	case errors.Is(err, idempotency.ErrReused):
		return fault.Wrap(fault.Invalid, errors.Join(ErrKeyReused, err), "%s", fault.Message(err))
	case err != nil:
		return err
	case replayed:
		c.Response().Header().Set(headerReplayed, "true")
	}
	return sendAnswer(c, answer)
}

// idempotencyKey returns the key of the header, "" when there is none. The value is a
// string of RFC 9651, in quotes; most clients send it without, and mean the same.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(HeaderIdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", fault.InvalidField(fault.Argument(HeaderIdempotencyKey), "is there twice")
	}
	key := strings.TrimSpace(values[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	return key, idempotency.CheckKey(key)
}

// digest returns a hash of a body and its media type. It covers the bytes as they
// came: the same JSON written otherwise is another body.
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

// record runs the handler and returns its answer without sending it. The answer to a
// mistake of the caller comes together with the error. Other errors come without an
// answer, and are not stored.
func (o *Once) record(c echo.Context, next echo.HandlerFunc) (answer idempotency.Answer, err error) {
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
	if status := Status(err); status >= http.StatusInternalServerError || status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		return idempotency.Answer{}, err
	}
	reset()
	if failed := o.WriteFault(c, err); failed != nil {
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

// sendAnswer sends a recorded answer.
func sendAnswer(c echo.Context, a idempotency.Answer) error {
	h := c.Response().Header()
	VaryByAccept(h)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	if a.Location != "" {
		h.Set(echo.HeaderLocation, a.Location)
	}
	if a.ContentType == "" {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, a.ContentType, a.Body)
}

// InProgress reports whether the error says that the first request with the same
// Idempotency-Key is still running, here or in another process.
func InProgress(err error) bool {
	return errors.Is(err, idempotency.ErrRunning) || errors.Is(err, idempotency.ErrLost)
}
