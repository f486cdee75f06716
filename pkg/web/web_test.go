package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// face is a dialect that says what it was asked.
type face struct{ faults []error }

func (f *face) Prefixes() []string { return []string{"/shop", "/"} }

func (f *face) Routes() []web.Route {
	say := func(what string) echo.HandlerFunc {
		return func(c echo.Context) error { return c.String(http.StatusOK, what+" "+c.Param("id")) }
	}
	return []web.Route{
		{Method: http.MethodGet, Path: "/", Handle: say("home")},
		{Method: http.MethodGet, Path: "/shop/things", Handle: say("things")},
		{Method: http.MethodGet, Path: "/shop/things/:id", Handle: say("thing")},
		{Method: http.MethodPost, Path: "/shop/things", Handle: func(c echo.Context) error {
			data, err := web.ReadBody(c)
			if err != nil {
				return err
			}
			return c.String(http.StatusOK, string(data[:min(8, len(data))]))
		}},
		{Method: http.MethodGet, Path: "/shop/who", Handle: func(c echo.Context) error { return c.String(http.StatusOK, web.Actor(c).Username) }},
		{Method: http.MethodGet, Path: "/shop/panic", Handle: func(echo.Context) error { panic("canary of the panic") }},
		{Method: http.MethodGet, Path: "/shop/foreign", Handle: func(echo.Context) error { return errors.New("canary of the driver") }},
		{Method: http.MethodGet, Path: "/shop/late", Handle: func(c echo.Context) error {
			if err := c.String(http.StatusOK, "begun"); err != nil {
				return err
			}
			return errors.New("too late")
		}},
		{Method: http.MethodGet, Path: "/shop/long", Handle: func(c echo.Context) error { return c.String(http.StatusOK, strings.Repeat("long ", 1000)) }},
	}
}

func (f *face) Authenticate(c echo.Context) error {
	name, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Name ")
	if !ok {
		return fault.New(fault.Unauthenticated, "Who are you? You said %q.", c.Request().Header.Get("Authorization"))
	}
	web.SetActor(c, access.NewActor(&models.User{Username: name}, "", nil))
	return nil
}

func (f *face) WriteFault(c echo.Context, err error) error {
	f.faults = append(f.faults, err)
	return c.String(web.Status(err), "the face says: "+fault.Message(err))
}

type site struct {
	handler http.Handler
	log     *bytes.Buffer
	face    *face
}

func newSite(ready map[string]func(context.Context) error) *site {
	s := &site{log: &bytes.Buffer{}, face: &face{}}
	s.handler = server(web.Config{
		Faces: []web.Face{s.face}, Log: slog.New(slog.NewTextHandler(s.log, nil)), Ready: ready,
		Now:     func() time.Time { return time.Unix(0, 0) },
		Metrics: web.NewMetrics(map[string]func() float64{"halcyon_test_gauge": func() float64 { return 42 }}),
	})
	return s
}

// ask sends a request as ada and gives the answer.
func (s *site) ask(method, target string, body io.Reader, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://halcyon.example/", body)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	r.RequestURI = target
	r.Header.Set("Authorization", "Name ada")
	for _, fn := range change {
		fn(r)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func TestPathsAsClientsWriteThem(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	for path, want := range map[string]string{
		"/": "home ", "/shop/things": "things ", "/shop/things/": "things ", "/shop//things": "things ", "//shop///things//?page=2": "things ",
		"/shop/things/7": "thing 7", "/shop/things/7/": "thing 7", "/shop/things//7//": "thing 7",
	} {
		w := s.ask(http.MethodGet, path, nil)
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q instead of %q", path, w.Code, w.Body, want)
		}
		if head := s.ask(http.MethodHead, path, nil); head.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, head.Code)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/shop/nothing", "the face says: Not found.", 404},
		{http.MethodGet, "/shops", "the face says: Not found.", 404}, // of no face, so that of "/" answers
		{http.MethodDelete, "/shop/things", `the face says: Method "DELETE" not allowed.`, 405},
	} {
		w := s.ask(c.method, c.path, nil)
		if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
		if allow := w.Header().Get("Allow"); (c.status == 405) != (allow != "") {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, allow)
		}
	}
}

// TestNobodysPaths has no face whose page "/" is.
func TestNobodysPaths(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	edge(nil, false).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/shops", nil))
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusNotFound || got != `{"detail":"Not found.","error":"Not found.","status_code":404}` {
		t.Errorf("%d %s", w.Code, got)
	}
}

// TestAuthenticationComesFirst asks without credentials for what is there, for what
// is not, and by the wrong method: the answer tells nothing of the three.
func TestAuthenticationComesFirst(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	secret := func(r *http.Request) { r.Header.Set("Authorization", "Bearer canary") }
	var bodies []string
	for _, path := range []string{"/", "/shop/things", "/shop/nothing", "/shop/panic"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			w := s.ask(method, path, nil, secret)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
			bodies = append(bodies, w.Body.String())
		}
	}
	for _, b := range bodies {
		if b != bodies[0] {
			t.Errorf("%q and %q differ", b, bodies[0])
		}
	}
	if strings.Contains(s.log.String(), "canary") {
		t.Errorf("the log has the credentials: %s", s.log)
	}
	if w := s.ask(http.MethodGet, "/shop/who", nil); w.Body.String() != "ada" || !strings.Contains(s.log.String(), "actor=ada") {
		t.Errorf("ada is taken for %q\n%s", w.Body, s.log)
	}
	if w := s.ask(http.MethodGet, "/healthz", nil, secret); w.Code != http.StatusOK {
		t.Errorf("/healthz asks who it is: %d", w.Code)
	}
}

func TestForeignErrorsTellNothing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/shop/panic", "/shop/foreign"} {
		s := newSite(nil)
		w := s.ask(http.MethodGet, path, nil)
		if w.Code != http.StatusInternalServerError || w.Body.String() != "the face says: Internal error." {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		if !strings.Contains(s.log.String(), "canary of the") || !strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("%s: the log is %s", path, s.log)
		}
	}
	s := newSite(nil)
	if w := s.ask(http.MethodGet, "/shop/late", nil); w.Code != http.StatusOK || w.Body.String() != "begun" || len(s.face.faults) != 0 {
		t.Errorf("an answer that had begun: %d %q", w.Code, w.Body)
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	unknown := func(r *http.Request) { r.ContentLength = -1 }
	for what, c := range map[string]struct {
		body   io.Reader
		change func(*http.Request)
		status int
	}{
		"the most":                    {strings.NewReader(strings.Repeat("x", web.MaxBody)), func(*http.Request) {}, 200},
		"one more":                    {strings.NewReader(strings.Repeat("x", web.MaxBody+1)), func(*http.Request) {}, 413},
		"one more, of unknown length": {strings.NewReader(strings.Repeat("x", web.MaxBody+1)), unknown, 413},
		"more than it says":           {strings.NewReader(strings.Repeat("x", web.MaxBody+1)), func(r *http.Request) { r.ContentLength = 5 }, 413},
		"nothing":                     {http.NoBody, func(*http.Request) {}, 200},
		"a broken one":                {io.MultiReader(strings.NewReader("x"), broken{}), unknown, 400},
	} {
		if w := s.ask(http.MethodPost, "/shop/things", c.body, c.change); w.Code != c.status {
			t.Errorf("%s: %d instead of %d, %s", what, w.Code, c.status, w.Body)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
	}{
		{fault.Invalidf("x"), 400},
		{fault.New(fault.Unauthenticated, "x"), 401},
		{fault.Forbiddenf("x"), 403},
		{fault.NotFoundf("x"), 404},
		{fault.Conflictf("x"), 409},
		{fault.New(fault.Precondition, "x"), 412},
		{fault.New(fault.Limited, "x"), 429},
		{fault.New(fault.Internal, "x"), 500},
		{fault.New(fault.Unavailable, "x"), 503},
		{errors.New("x"), 500},
		{fault.Wrap(fault.Invalid, web.ErrMethodNotAllowed, "x"), 405},
		{fault.Wrap(fault.Invalid, web.ErrTooLarge, "x"), 413},
		{fault.Wrap(fault.Invalid, web.ErrWrongType, "x"), 415},
	} {
		if got := web.Status(c.err); got != c.status {
			t.Errorf("%v: %d instead of %d", c.err, got, c.status)
		}
	}
}

// TestRequestID takes a caller's id only when it can go into a log and a header.
func TestRequestID(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	for id, taken := range map[string]bool{
		"abc-123_X.y": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\nb": false, `"quoted"`: false, "ä": false,
	} {
		w := s.ask(http.MethodGet, "/shop/things", nil, func(r *http.Request) { r.Header["X-Request-Id"] = []string{id} })
		got := w.Header().Get("X-Request-Id")
		if (got == id) != taken || got == "" {
			t.Errorf("%q became %q", id, got)
		}
		if !strings.Contains(s.log.String(), "id="+got) {
			t.Errorf("the log does not know of %q", got)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	good := func(context.Context) error { return nil }
	s := newSite(map[string]func(context.Context) error{"database": good, "workers": good})
	if w := s.ask(http.MethodGet, "/readyz", nil); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"database":"ok","workers":"ok"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s = newSite(map[string]func(context.Context) error{
		"database": func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("a check may take for ever")
			}
			return errors.New("canary of the driver")
		},
		"workers": func(context.Context) error { return fault.New(fault.Unavailable, "None is at work.") },
	})
	w := s.ask(http.MethodGet, "/readyz", nil)
	if w.Code != http.StatusServiceUnavailable || strings.TrimSpace(w.Body.String()) != `{"database":"Internal error.","workers":"None is at work."}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.ask(http.MethodGet, "/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("it is not healthy either: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	s.ask(http.MethodGet, "/shop/things/7", nil)
	s.ask(http.MethodGet, "/shop/things/8", nil)
	w := s.ask(http.MethodGet, "/metrics", nil)
	for _, line := range []string{
		`halcyon_http_request_seconds_count{method="GET",route="/shop/things/:id",status="200"} 2`,
		"halcyon_test_gauge 42",
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("%d: there is no %s", w.Code, line)
		}
	}
}

func TestLongAnswersArePacked(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	gzip := func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }
	if w := s.ask(http.MethodGet, "/shop/long", nil, gzip); w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 500 {
		t.Errorf("a long one: %v, %d bytes", w.Header(), w.Body.Len())
	}
	if w := s.ask(http.MethodGet, "/shop/things", nil, gzip); w.Header().Get("Content-Encoding") != "" || w.Body.String() != "things " {
		t.Errorf("a short one: %v", w.Header())
	}
	if w := s.ask(http.MethodGet, "/shop/long", nil); w.Header().Get("Content-Encoding") != "" || w.Body.Len() != 5000 {
		t.Errorf("one for who cannot unpack: %v", w.Header())
	}
}

// longFace answers 64 MB, and tells how the writing ended.
type longFace struct{ wrote chan error }

func (*longFace) Prefixes() []string { return []string{"/"} }

func (f *longFace) Routes() []web.Route {
	return []web.Route{{Method: http.MethodGet, Path: "/", Handle: func(c echo.Context) error {
		c.Response().WriteHeader(http.StatusOK)
		_, err := c.Response().Write(make([]byte, 64<<20))
		f.wrote <- err
		return nil
	}}}
}

func (*longFace) Authenticate(echo.Context) error { return nil }

func (*longFace) WriteFault(c echo.Context, err error) error {
	return c.String(web.Status(err), fault.Message(err))
}

// TestAnswersThatAreNotRead has a client that asks for a long answer and reads none of
// it: the handler's write fails, and its memory is free.
func TestAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	wrote := make(chan error, 1)
	s := server(web.Config{
		Faces: []web.Face{&longFace{wrote}}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Metrics: web.NewMetrics(nil), WritePatience: 50 * time.Millisecond,
	})
	srv := httptest.NewServer(s)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended with %v", err)
	}
}
