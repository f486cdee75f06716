// Package web is the edge that all faces share: one echo server, paths as
// clients really write them, request ids, the log line, limits, health and
// metrics. Faces hang on it with a table of routes and their own way of writing
// faults.
package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// MaxBody is how many bytes a request's body may have.
const MaxBody = 1 << 20

// GzipFrom is how many bytes an answer has that is compressed for who takes that.
const GzipFrom = 1400

// Route is one line of a face's table.
type Route struct {
	Method string
	Path   string // echo's pattern, without a trailing slash: BASE/orders/:id
	Doc    string // who may, in words
	Handle echo.HandlerFunc
	Packed bool // it compresses its answers itself
}

// Face is one dialect.
type Face interface {
	// Prefixes are the paths that belong to the face, with all below them; "/" is
	// that one page alone. Where the prefixes of several faces match a path, the longest
	// wins. The face of "/" also answers what is at the address of no face.
	Prefixes() []string
	// Routes is the table. GET routes answer HEAD too.
	Routes() []Route
	// Authenticate runs before anything else on the face's paths, unknown ones
	// and wrong methods included.
	Authenticate(c echo.Context) error
	// WriteFault answers a request that failed.
	WriteFault(c echo.Context, err error) error
}

// Rewriter is a Face some of whose clients say in the query what others say by the
// method or in the header.
type Rewriter interface {
	Face
	// Rewrite has a request say it as the face's routes expect it. It is called before
	// the route is found, for the paths whose faults the face answers, and leaves the
	// path as it is.
	Rewrite(c echo.Context)
}

// Config is what a server is made of.
type Config struct {
	Faces   []Face
	Log     *slog.Logger
	Now     func() time.Time
	Ready   map[string]func(context.Context) error // checks of /readyz, by name
	Metrics *Metrics
	Origins []string // other origins whose scripts may call; none, or * for all
	Hosts   Hosts    // of absolute URLs
	TLS     bool     // the listener speaks TLS
	Private []string // paths below which the rest of an address is a secret

	WritePatience time.Duration // for a client to read an answer; 0 for 30 s
}

// New returns a server of the faces. It is an error when two of them have the same
// prefix, or a route belongs to another face than its own.
func New(c Config) (*echo.Echo, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	// Whoever can write X-Forwarded-For must not choose whom the throttle counts.
	e.IPExtractor = echo.ExtractIPDirect()
	mounted, err := mount(e, c.Faces)
	if err != nil {
		return nil, err
	}
	s := &server{cfg: c, origins: c.Origins, faces: mounted, own: echo.NewRouter(e)}
	e.HTTPErrorHandler = s.fail
	for path, handle := range map[string]echo.HandlerFunc{"/healthz": healthz, "/readyz": s.readyz, "/metrics": c.Metrics.handle} {
		s.own.Add(http.MethodGet, path, handle)
		s.own.Add(http.MethodHead, path, handle)
	}
	handle := s.chain()
	entry := func(c echo.Context) error {
		s.route(c)
		return handle(c)
	}
	e.Pre(func(echo.HandlerFunc) echo.HandlerFunc { return entry }) // each face has a router; echo's own is for Replace
	e.GET("/*", func(c echo.Context) error {
		s.route(c)
		return c.Handler()(c)
	})
	return e, nil
}

// chain returns what every request goes through once it is routed, and the handler of
// its route at the end.
func (s *server) chain() echo.HandlerFunc {
	gzip := middleware.GzipWithConfig(middleware.GzipConfig{MinLength: GzipFrom, Skipper: func(c echo.Context) bool {
		return c.Path() == "/metrics" || s.faces.packed[c.Path()] || WantsEvents(c.Request())
	}})
	list := []echo.MiddlewareFunc{s.observe, gzip, s.authenticate}
	if len(s.cfg.Origins) > 0 {
		list = slices.Insert(list, 0, s.origins.cors(), s.absolute)
	}
	if s.cfg.TLS {
		list = slices.Insert(list, 0, strictTransport)
	}
	handle := func(c echo.Context) error { return c.Handler()(c) }
	for _, wrap := range slices.Backward(list) {
		handle = wrap(handle)
	}
	return handle
}

// route finds the handler of a request, among the routes of the face that its path
// belongs to.
func (s *server) route(c echo.Context) {
	plainPath(c.Request().URL)
	if m := s.faces.orRoot(c); m != nil && m.rewrite != nil {
		m.rewrite(c)
	}
	r, router := c.Request(), s.own
	if m := s.faces.of(c); m != nil {
		router = m.router
	}
	router.Find(r.Method, echo.GetPath(r), c)
}

// Replace answers another GET of this server in place of the request, for the same
// caller. The error is the handler's, and nothing is written then.
func Replace(c echo.Context, r *http.Request) error {
	inner := c.Echo().NewContext(r, c.Response())
	SetActor(inner, Actor(c))
	c.Echo().Router().Find(http.MethodGet, "/", inner)
	return inner.Handler()(inner)
}

type server struct {
	cfg     Config
	origins origins
	faces   *mounts
	own     *echo.Router // of the paths that belong to no face
}

// plainPath takes a path as clients write it: with and without a trailing slash, and
// with doubled slashes. There is no redirect anywhere: some clients drop their
// credentials or their body on one.
func plainPath(u *url.URL) {
	u.Path = squeeze(u.Path)
	if u.RawPath != "" {
		u.RawPath = squeeze(u.RawPath)
	}
}

func squeeze(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

func (s *server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if m := s.faces.of(c); m != nil {
			if err := m.face.Authenticate(c); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// fail is where every error of every handler arrives, echo's own included.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	err = fromEcho(c, err)
	c.Set(keyFault, err)
	if m := s.faces.orRoot(c); m != nil {
		if err := m.face.WriteFault(c, err); err != nil {
			s.cfg.Log.ErrorContext(c.Request().Context(), "an error could not be written", "error", err)
		}
		return
	}
	status, text := Status(err), fault.Message(err)
	if err := c.JSON(status, map[string]any{"status_code": status, "detail": text, "error": text}); err != nil {
		s.cfg.Log.ErrorContext(c.Request().Context(), "an error could not be written", "error", err)
	}
}

// ErrMethodNotAllowed is the cause of a fault about a wrong method.
var ErrMethodNotAllowed = errors.New("method not allowed")

// ErrTooLarge is the cause of a fault about a body over MaxBody.
var ErrTooLarge = errors.New("body too large")

// ErrWrongType is the cause of a fault about a body of a type that is not read.
var ErrWrongType = errors.New("unsupported media type")

// ErrEncoded is the cause of a fault about a compressed body: nothing here decodes it.
var ErrEncoded = errors.New("content coding")

func fromEcho(c echo.Context, err error) error {
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return err
	}
	switch he.Code {
	case http.StatusNotFound:
		return fault.NotFoundf("Not found.")
	case http.StatusMethodNotAllowed:
		if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
			c.Response().Header().Set(echo.HeaderAllow, allow)
		}
		return fault.Wrap(fault.Invalid, ErrMethodNotAllowed, "Method %q not allowed.", c.Request().Method)
	}
	return fault.Wrap(fault.Internal, err, "Internal error.")
}

// Status is the HTTP status of an error.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrMethodNotAllowed):
		return http.StatusMethodNotAllowed
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrWrongType), errors.Is(err, ErrEncoded):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, ErrKeyReused):
		return http.StatusUnprocessableEntity
	}
	switch fault.CodeOf(err) {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Precondition:
		return http.StatusPreconditionFailed
	case fault.Limited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// ReadBody returns the whole body, up to MaxBody, without a byte order mark of UTF-8
// before it, as PowerShell and editors on Windows write it. The cause of its error is
// ErrTooLarge, or ErrEncoded for a body that is compressed.
func ReadBody(c echo.Context) ([]byte, error) {
	coding := strings.TrimSpace(strings.Join(c.Request().Header.Values(echo.HeaderContentEncoding), ", "))
	if coding != "" && !strings.EqualFold(coding, "identity") && c.Request().ContentLength != 0 {
		c.Response().Header().Set(echo.HeaderAcceptEncoding, "identity") // RFC 9110, section 15.5.16
		return nil, fault.Wrap(fault.Invalid, ErrEncoded, "A body with Content-Encoding %q is not read here. Send it without one.", fault.Short(coding, 40))
	}
	if c.Request().ContentLength > MaxBody {
		return nil, fault.Wrap(fault.Invalid, ErrTooLarge, "The body has more than %d bytes.", MaxBody)
	}
	data, err := io.ReadAll(io.LimitReader(c.Request().Body, MaxBody+1))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The body could not be read.")
	}
	if len(data) > MaxBody {
		return nil, fault.Wrap(fault.Invalid, ErrTooLarge, "The body has more than %d bytes.", MaxBody)
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}

// VaryByAccept says in the header of an answer that it depends on what the client
// accepts: the media type and the coding.
func VaryByAccept(h http.Header) {
	for _, name := range []string{echo.HeaderAcceptEncoding, echo.HeaderAccept} {
		if !slices.Contains(h.Values(echo.HeaderVary), name) {
			h.Add(echo.HeaderVary, name)
		}
	}
}

const (
	keyActor = "halcyon.actor"
	keyFault = "halcyon.fault"
)

// SetActor says who calls.
func SetActor(c echo.Context, a access.Actor) { c.Set(keyActor, a) }

// Actor gives who calls; nobody before authentication.
func Actor(c echo.Context) access.Actor {
	a, _ := c.Get(keyActor).(access.Actor)
	return a
}

// observe gives the request its id, survives panics, and writes the one log line.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := s.cfg.Now()
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !plainID(id) {
			id = newID()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		s.limitWrites(c)
		err := guarded(next, c)
		if err != nil {
			c.Error(err)
		}
		s.log(c, id, s.cfg.Now().Sub(begin))
		return nil
	}
}

// limitWrites gives the client a time to read the answer, from its first byte on: an
// answer that waits in memory for a client that does not read is an attack. Streams set
// deadlines of their own.
func (s *server) limitWrites(c echo.Context) {
	patience := s.cfg.WritePatience
	if patience == 0 {
		patience = answerPatience
	}
	control := http.NewResponseController(c.Response().Writer)
	c.Response().Before(func() {
		// Goes by the wall clock, as the network does. The error is of writers that know
		// no deadline, those of tests.
		_ = control.SetWriteDeadline(time.Now().Add(patience)) //nolint:forbidigo // not the service's time
	})
}

// answerPatience is how long a client may take to read an answer: 8 kB a second for the
// longest list.
const answerPatience = 30 * time.Second

func guarded(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(r)
			}
			err = fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", r, debug.Stack()), "Internal error.")
		}
	}()
	return next(c)
}

// A line of the log has at most this many characters of what a request can make long. The
// stack of a panic fits.
const (
	maxLoggedError = 8000
	maxLoggedPath  = 1000
)

func (s *server) log(c echo.Context, id string, took time.Duration) {
	status := c.Response().Status
	s.cfg.Metrics.observe(c.Request().Method, c.Path(), status, took)
	level := slog.LevelInfo
	err, _ := c.Get(keyFault).(error)
	if status >= 500 {
		level = slog.LevelError
	}
	ctx := c.Request().Context()
	if !s.cfg.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", id), slog.String("actor", Actor(c).Username),
		slog.String("method", c.Request().Method), slog.String("path", fault.Short(Redact(c.Request().URL.Path, s.cfg.Private), maxLoggedPath)),
		slog.Int("status", status), slog.Int64("bytes", c.Response().Size), slog.Duration("took", took),
	}
	if err != nil && status != http.StatusUnauthorized {
		// What is wrong with credentials may quote them.
		attrs = append(attrs, slog.String("error", fault.Short(err.Error(), maxLoggedError)))
	}
	s.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}

// Redact returns the path as logs and answers may quote it: without what follows one
// of the private paths.
func Redact(path string, private []string) string {
	for _, p := range private {
		if strings.HasPrefix(path, p+"/") {
			return p + "/…"
		}
	}
	return path
}

// plainID reports whether a caller's request id can go into logs and headers.
func plainID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, r := range []byte(id) {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return true
}

func newID() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // crypto/rand never fails
	return hex.EncodeToString(raw[:])
}

func healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz asks every part for a sign of life, and names those without.
func (s *server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	status := http.StatusOK
	parts := map[string]string{}
	for name, check := range s.cfg.Ready {
		parts[name] = "ok"
		if err := check(ctx); err != nil {
			status = http.StatusServiceUnavailable
			parts[name] = fault.Message(err)
			s.cfg.Log.WarnContext(ctx, "not ready", "part", name, "error", err)
		}
	}
	return c.JSON(status, parts)
}
