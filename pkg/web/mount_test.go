package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// server returns the handler of a configuration that is known to be good.
func server(c web.Config) http.Handler {
	e, err := web.New(c)
	if err != nil {
		panic(err)
	}
	return e
}

// dialect is a face that writes down what it is asked to do.
type dialect struct {
	name     string
	prefixes []string
	routes   []string // GET, below nothing
	log      *[]string
}

func (d *dialect) Prefixes() []string { return d.prefixes }

func (d *dialect) Routes() []web.Route {
	var list []web.Route
	for _, path := range d.routes {
		list = append(list, web.Route{Method: http.MethodGet, Path: path, Handle: func(c echo.Context) error {
			*d.log = append(*d.log, d.name+" answers")
			return c.NoContent(http.StatusOK)
		}})
	}
	return list
}

func (d *dialect) Authenticate(echo.Context) error {
	*d.log = append(*d.log, d.name+" authenticates")
	return nil
}

func (d *dialect) WriteFault(c echo.Context, err error) error {
	*d.log = append(*d.log, d.name+" says "+string(fault.CodeOf(err)))
	return c.NoContent(web.Status(err))
}

// mounting is a server as it will be once all APIs are there: a line for each face, with
// its name, its prefixes and its routes.
const mounting = `
waldur:  /api /api-auth:  /api/:kind /api/:kind/:id /api-auth/password
aapf:    /api/v1:         /api/v1/services
hal:     /api/v2 /:       / /api/v2 /api/v2/orders/:id
astakos: /account /identity /ui /login /feedback /user_catalogs /service /proxy: /identity/v2.0/tokens /ui/landing /login /service/api/:n
scim:    /scim/v2:        /scim/v2/Users/:id
`

// dialects returns the faces of mounting, which write to log.
func dialects(log *[]string) []web.Face {
	var faces []web.Face
	for line := range strings.Lines(strings.TrimSpace(mounting)) {
		part := strings.SplitN(line, ": ", 3)
		faces = append(faces, &dialect{name: part[0], prefixes: strings.Fields(part[1]), routes: strings.Fields(part[2]), log: log})
	}
	return faces
}

// TestMounting asks for known and unknown paths, in several spellings and by wrong
// methods, with the faces in every order of registration that matters: each as the
// first one.
func TestMounting(t *testing.T) {
	t.Parallel()
	answers := func(name string) []string { return []string{name + " authenticates", name + " answers"} }
	says := func(name, code string) []string { return []string{name + " authenticates", name + " says " + code} }
	nobody := []string{"hal says not_found"}
	for target, want := range map[string][]string{
		"GET /": answers("hal"),

		"GET /api":               says("waldur", "not_found"),
		"GET /api/":              says("waldur", "not_found"),
		"GET /api/customers":     answers("waldur"),
		"GET /api/customers/7/":  answers("waldur"),
		"GET //api//customers//": answers("waldur"),
		"GET /api/a/b/c":         says("waldur", "not_found"),
		"DELETE /api/customers":  says("waldur", "invalid"),
		"GET /api-auth/password": answers("waldur"),
		"GET /api-auth":          says("waldur", "not_found"),
		"GET /api-authority":     nobody,
		"GET /api-auth-old/x":    nobody,

		"GET /api/v1":              says("aapf", "not_found"),
		"GET /api/v1/services":     answers("aapf"),
		"GET /api/v1/services/":    answers("aapf"),
		"GET /api//v1//services":   answers("aapf"),
		"GET /api/v1/nothing":      says("aapf", "not_found"),
		"POST /api/v1/services":    says("aapf", "invalid"),
		"GET /api/v10":             answers("waldur"),
		"GET /api/v11/services":    answers("waldur"),
		"GET /api/v2":              answers("hal"),
		"GET /api/v2/":             answers("hal"),
		"HEAD /api/v2/orders/7":    answers("hal"),
		"GET /api/v2/orders/7/":    answers("hal"),
		"GET /api/v2/orders/a%2Fb": answers("hal"),
		"PUT /api/v2/orders/7":     says("hal", "invalid"),
		"GET /api/v2/nothing":      says("hal", "not_found"),
		"GET /api/V2":              answers("waldur"), // paths know upper and lower case

		// An encoded slash is part of its segment: whose route answers also authenticates.
		"GET /api/v2%2Forders":     answers("waldur"),
		"GET /api/v1%2Fservices/7": answers("waldur"),
		"GET /api%2Fv2":            nobody,
		"GET /%61pi/v2":            nobody,
		"GET /api/v2%20":           answers("waldur"),

		"GET /account":              says("astakos", "not_found"),
		"GET /account/v1.0":         says("astakos", "not_found"),
		"GET /accounts":             nobody,
		"GET /identity/v2.0/tokens": answers("astakos"),
		"GET /identity":             says("astakos", "not_found"),
		"GET /ui/landing/":          answers("astakos"),
		"GET /ui":                   says("astakos", "not_found"),
		"GET /uis":                  nobody,
		"GET /login":                answers("astakos"),
		"POST /login":               says("astakos", "invalid"),
		"GET /feedback":             says("astakos", "not_found"),
		"GET /user_catalogs/x":      says("astakos", "not_found"),
		"GET /user":                 nobody,
		"GET /service/api/1":        answers("astakos"),
		"GET /services":             nobody,
		"GET /proxy/x":              says("astakos", "not_found"),

		"GET /scim":              nobody,
		"GET /scim/v1/Users/1":   nobody,
		"GET /scim/v2/Users/1":   answers("scim"),
		"GET /scim/v2/":          says("scim", "not_found"),
		"GET /scim/v2/Users/1//": answers("scim"),

		"GET /nothing":  nobody,
		"POST /":        says("hal", "invalid"),
		"GET /healthz/": nil,
	} {
		for first := range dialects(nil) {
			var log []string
			faces := dialects(&log)
			faces = slices.Concat(faces[first:], faces[:first])
			handler := server(web.Config{Faces: faces, Log: slog.New(slog.DiscardHandler), Now: time.Now, Metrics: web.NewMetrics(nil)})
			method, path, _ := strings.Cut(target, " ")
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "http://halcyon.example"+path, nil))
			if d := cmp.Diff(want, log); d != "" {
				t.Errorf("%s, face %d first (-want +got):\n%s", target, first, d)
			}
		}
	}
}

func TestBadPrefixesAreRefused(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{{"/a/v2", "/a/v2"}, {"/", "/"}, {""}, {"a"}, {"/a/"}, {"/a//v2"}} {
		var faces []web.Face
		for _, p := range list {
			faces = append(faces, &dialect{prefixes: []string{p}})
		}
		if _, err := web.New(web.Config{Faces: faces}); err == nil {
			t.Errorf("%q are mounted", list)
		}
	}
}

func TestRoutesOfOtherFacesAreRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/a/v1/services", "/elsewhere", "/as"} {
		faces := []web.Face{&dialect{prefixes: []string{"/a"}, routes: []string{path}}, &dialect{prefixes: []string{"/a/v1"}}}
		if _, err := web.New(web.Config{Faces: faces}); err == nil {
			t.Errorf("the face of /a has a route at %s", path)
		}
	}
}

// rewriting is a dialect whose clients say by the query which method they mean.
type rewriting struct{ dialect }

func (r *rewriting) Rewrite(c echo.Context) {
	if method := c.QueryParam("as"); method != "" {
		c.Request().Method = method
	}
}

// A face rewrites the requests that it answers, faults at the address of nobody
// included when it is the face of "/", and no other ones.
func TestOnlyTheFaceItselfRewrites(t *testing.T) {
	t.Parallel()
	for target, want := range map[string][]string{
		"/mine/x?as=GET":  {"mine authenticates", "mine answers"},
		"/mine/x?as=PUT":  {"mine authenticates", "mine says invalid"},
		"/mine/x":         {"mine authenticates", "mine says invalid"},
		"/other/x?as=GET": {"other authenticates", "other says invalid"},
		"/?as=GET":        {"mine authenticates", "mine answers"},
		"/none?as=GET":    {"mine says not_found"},
	} {
		var log []string
		mine := &rewriting{dialect{name: "mine", prefixes: []string{"/", "/mine"}, routes: []string{"/", "/mine/x"}, log: &log}}
		other := &dialect{name: "other", prefixes: []string{"/other"}, routes: []string{"/other/x"}, log: &log}
		handler := server(web.Config{Faces: []web.Face{mine, other}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Metrics: web.NewMetrics(nil)})
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, target, nil))
		if d := cmp.Diff(want, log); d != "" {
			t.Errorf("POST %s (-want +got):\n%s", target, d)
		}
	}
}
