// Package v2 is the HAL+JSON face, and the CloudBolt v2 dialect of it, at
// /api/v2. It translates: requests into calls of the services, and what they
// answer into documents. The rules are the services'.
package v2

import (
	"log/slog"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/action"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/auth"
	"halcyon/pkg/catalog"
	"halcyon/pkg/directory"
	"halcyon/pkg/event"
	"halcyon/pkg/history"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/page"
	"halcyon/pkg/quota"
	"halcyon/pkg/resource"
	"halcyon/pkg/server"
	"halcyon/pkg/tenancy"
	"halcyon/pkg/web"
)

// Base is the path that all hrefs of the face begin with.
const Base = "/api/v2"

// Services are what the face translates to.
type Services struct {
	Directory *directory.Directory
	Auth      *auth.Service
	Tenancy   *tenancy.Service
	Catalog   *catalog.Service
	Orders    *order.Service
	Jobs      *job.Service
	Servers   *server.Service
	History   *history.Service
	Events    *event.Service
	Actions   *action.Service
	Quotas    *quota.Service

	Idempotency *idempotency.Service

	// Registry ties the face's declarations together, over the database.
	Registry func(base string, defs ...*resource.Def) (*resource.Registry, error)
}

// Config is how the face behaves.
type Config struct {
	Prefer hal.Shape // what */* means: hal.HAL, or hal.CloudBolt for sites with old scripts
	Log    *slog.Logger
	Pages  page.Writer // for browsers; nil: they get HAL

	// Audit, in tests, is told of every document that is not what was remembered of
	// it, and nothing is answered from memory.
	Audit func(what string)
}

// Face serves /api/v2.
type Face struct {
	Services
	cfg     Config
	reg     *resource.Registry
	encoder hal.Encoder
	seen    validators
	samples samplesZip
	signOff atomic.Uint64 // counts what may have ended sessions

	descriptions func() (*descriptions, error)
	explained    func() *apidoc.Docs
}

// New declares all resources and checks the declarations.
func New(s Services, c Config) (*Face, error) {
	f := &Face{Services: s, cfg: c, encoder: hal.Encoder{Curies: []hal.Link{{
		Name: "cb", Href: Base + "/docs/rels/{rel}", Templated: true,
	}}}}
	var err error
	if f.samples, err = zipSamples(); err != nil {
		return nil, err
	}
	f.reg, err = s.Registry(Base,
		resource.Define(f.users()),
		resource.Define(f.groups()),
		resource.Define(f.roles()),
		resource.Define(f.memberships()),
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
	)
	if err != nil {
		return nil, err
	}
	f.descriptions, f.explained = f.describeAll(), f.explain()
	f.seen.known = make(map[documentKey]known)
	f.reg.OnChange(f.seen.heard)
	f.reg.OnChange(f.signedOff)
	return f, nil
}

// Declarations gives what the face serves, for tests and documentation.
func (f *Face) Declarations() []*resource.Def { return f.reg.Defs() }

// Prefixes implements web.Face.
func (f *Face) Prefixes() []string { return []string{"/api/v2", "/api", "/"} }

var _ web.Face = (*Face)(nil)

// public are the paths that need no credentials: the ways to get some, and a client
// that does.
var public = map[string]bool{
	Base + "/api-token-auth":    true,
	Base + "/api-token-refresh": true,
	Base + "/api-token-verify":  true,
	samplesPath:                 true,
	openAPIPath:                 true,
	openAPIYAMLPath:             true,
}

// Authenticate implements web.Face.
func (f *Face) Authenticate(c echo.Context) error {
	r := c.Request()
	if public[r.URL.Path] || hasPrefix(r.URL.Path, Base+"/docs") {
		return nil
	}
	a, err := f.Auth.AuthenticateFrom(r.Context(), r.Header.Get(echo.HeaderAuthorization), c.RealIP())
	if err != nil {
		return err
	}
	web.SetActor(c, a)
	return nil
}

func hasPrefix(path, dir string) bool {
	return path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
