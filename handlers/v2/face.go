// Package v2 is the HAL+JSON face, and the CloudBolt v2 dialect of it, at
// /api/v2. It translates requests into calls of the services, and their results into
// documents. The rules belong to the services.
package v2

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/handlers/signin"
	"halcyon/pkg/access"
	"halcyon/pkg/action"
	"halcyon/pkg/auth"
	"halcyon/pkg/catalog"
	"halcyon/pkg/event"
	"halcyon/pkg/history"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/job"
	"halcyon/pkg/mail"
	"halcyon/pkg/order"
	"halcyon/pkg/quota"
	"halcyon/pkg/refdata"
	"halcyon/pkg/resource"
	"halcyon/pkg/server"
	"halcyon/pkg/subscription"
	"halcyon/pkg/tenancy"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// basePath is the path that all hrefs of the face begin with.
const basePath = "/api/v2"

// Private is the path below which the rest of an address is a secret.
const Private = basePath + signin.ResetPath

// ResetLink returns the address of the page on which a password is set, on the server
// with the public URL.
func ResetLink(public, secret string) string {
	return strings.TrimSuffix(public, "/") + Private + "/" + secret
}

// Services are the services that the face calls.
type Services struct {
	Refdata *refdata.Cache
	Auth    *auth.Service
	Tenancy *tenancy.Service
	Catalog *catalog.Service
	Orders  *order.Service
	Jobs    *job.Service
	Servers *server.Service
	History *history.Service
	Events  *event.Service
	Actions *action.Service
	Quotas  *quota.Service

	Subscriptions *subscription.Service

	Idempotency *idempotency.Service

	// Registry ties the face's declarations together, over the database.
	Registry func(base string, defs ...*resource.Def) (*resource.Registry, error)
}

// Config is how the face behaves.
type Config struct {
	Prefer hal.Shape // meaning of */*: hal.HAL, or hal.CloudBolt for sites with old scripts
	Log    *slog.Logger
	Pages  view.Writer // for browsers; nil: they get HAL
	Cookie web.Cookie  // of their sessions
	Origin *web.CrossOrigin

	Hosts   web.Hosts // of absolute URLs
	Framed  []string  // other origins whose pages may frame the documentation; * for all
	Address string    // where people reach the server, for examples: https://cloud.example.com; "" when that is not known

	// Seal and Open encrypt and decrypt a form whose session has ended, until its user
	// has signed in again.
	Seal func(string) (string, error)
	Open func(string) (string, error)

	// Audit, in tests, is called for every document that differs from its cached entity
	// tag. Nothing is answered from the cache then.
	Audit func(what string)
}

// Face serves /api/v2.
type Face struct {
	Services
	cfg     Config
	reg     *resource.Registry
	hal     *halserver.Server
	pages   *signin.Pages
	once    web.Once
	samples samplesZip
	signOff atomic.Uint64 // counts the changes that may have ended sessions
}

// New declares all resources and checks the declarations.
func New(s Services, c Config) (*Face, error) {
	f := &Face{Services: s, cfg: c}
	var err error
	if f.samples, err = zipSamples(); err != nil {
		return nil, err
	}
	f.reg, err = s.Registry(basePath,
		resource.Define(f.users()),
		resource.Define(f.groups()),
		resource.Define(f.roles()),
		resource.Define(f.memberships()),
		resource.Define(f.sessions()),
		resource.Define(f.apiTokens()),
		resource.Define(f.environments()),
		resource.Define(f.handlers()),
		resource.Define(f.ipPools()),
		resource.Define(f.osBuilds()),
		resource.Define(f.sizes()),
		resource.Define(f.blueprints()),
		resource.Define(f.applications()),
		resource.Define(f.actions()),
		resource.Define(f.serverActions()),
		resource.Define(f.serviceActions()),
		resource.Define(f.orchestrationActions()),
		resource.Define(f.rules()),
		resource.Define(f.orders()),
		resource.Define(f.jobs()),
		resource.Define(f.servers()),
		resource.Define(f.snapshots()),
		resource.Define(f.services()),
		resource.Define(f.resources()),
		resource.Define(f.history()),
		resource.Define(f.events()),
		resource.Define(f.quotas()),
		resource.Define(f.webhooks()),
		resource.Define(f.webhookDeliveries()),
	)
	if err != nil {
		return nil, err
	}
	f.hal = halserver.New(halserver.Config{
		Registry: f.reg, Prefer: c.Prefer, Log: c.Log, Pages: c.Pages, Audit: c.Audit, Private: []string{Private}, Hosts: c.Hosts, Framed: c.Framed,
		Docs: descriptions{f}.documentation(), Names: names, SignIn: func(c echo.Context, p *hal.Problem) error { return f.pages.Page(c, p) }, Unshown: unshown,
	})
	f.pages = signin.New(signin.Config{
		Base: basePath, HAL: f.hal, Auth: s.Auth, Cookie: c.Cookie, Now: f.reg.Now, Seal: c.Seal, Open: c.Open, User: f.signedIn,
	})
	f.once = web.Once{Answers: s.Idempotency, WriteFault: f.hal.WriteFault}
	f.reg.OnChange(f.signedOff)
	return f, nil
}

// unshown reports whether no document shows what an announcement of the topic is
// about. Sessions end all the time, events happen, and anybody can ask for a new
// password.
func unshown(topic string) bool {
	switch topic {
	case auth.TopicSessions, auth.TopicTokens, auth.TopicResets, mail.Topic, event.Topic:
		return true
	}
	return false
}

// WriteFault implements web.Face.
func (f *Face) WriteFault(c echo.Context, err error) error {
	if isTokenPath(c.Request().URL.Path) {
		return f.writeTokenFault(c, err)
	}
	return f.hal.WriteFault(c, err)
}

// Rewrite implements web.Rewriter.
func (f *Face) Rewrite(c echo.Context) { f.hal.Rewrite(c) }

// Declarations returns the declarations that the face serves, for tests and documentation.
func (f *Face) Declarations() []*resource.Def { return f.reg.Defs() }

// Prefixes implements web.Face.
func (f *Face) Prefixes() []string { return []string{"/api/v2", "/api", "/"} }

var _ web.Rewriter = (*Face)(nil)

// public are the paths that need no credentials: the ways to get some, and a client
// that does.
var public = map[string]bool{
	basePath + "/api-token-auth":    true,
	basePath + "/api-token-refresh": true,
	basePath + "/api-token-verify":  true,
	samplesPath:                     true,
	openAPIPath:                     true,
	basePath + "/openapi.yaml":      true,
}

func (f *Face) isPublic(path string) bool {
	return public[path] || hasPrefix(path, basePath+"/docs") || f.pages.Public(path)
}

// Authenticate implements web.Face: the Authorization header says who calls, and
// without one the cookie of a browser's session.
func (f *Face) Authenticate(c echo.Context) error {
	r := c.Request()
	if f.isPublic(r.URL.Path) {
		if f.pages.Public(r.URL.Path) {
			return f.cfg.Origin.Check(r) // another site must not sign a browser in, as any user
		}
		return nil
	}
	a, err := f.caller(c)
	if err != nil {
		return err
	}
	web.SetActor(c, a)
	if halserver.Safe(c) || r.Method == http.MethodOptions {
		return nil
	}
	return a.Writes()
}

func (f *Face) caller(c echo.Context) (access.Actor, error) {
	r := c.Request()
	header, secret := r.Header.Get(echo.HeaderAuthorization), f.cfg.Cookie.Read(r)
	if header != "" || secret == "" {
		return f.Auth.Authenticate(r.Context(), header, c.RealIP())
	}
	if err := f.cfg.Origin.Check(r); err != nil {
		return access.Actor{}, err
	}
	return f.Auth.AuthenticateSession(r.Context(), secret)
}

func hasPrefix(path, dir string) bool {
	return path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
