// Package halserver serves declared resources as HAL: documents in every
// representation, lists, writes, actions on one row or on several, dry runs,
// conditional requests, files, the pages that browsers get, and the documentation.
//
// Everything it serves comes from declarations (package resource) and from its Config.
// It knows no resource by name: special cases are data or hooks of a declaration.
package halserver

import (
	"log/slog"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/cache"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// Config has the parts and settings of a server.
type Config struct {
	Registry *resource.Registry
	Prefer   hal.Shape // meaning of */*: hal.HAL, or hal.CloudBolt for sites with old scripts
	Log      *slog.Logger
	Pages    view.Writer // for browsers; nil answers them HAL
	Private  []string    // paths below which the rest of an address is a secret
	Hosts    web.Hosts   // of the addresses on pages
	Framed   []string    // other origins whose pages may frame the documentation; * for all
	Docs     Documentation
	Names    Names // of the places that errors are about

	// SignIn answers a browser that has no session, and that is refused for it.
	SignIn func(c echo.Context, p *hal.Problem) error

	// Unshown reports whether no document shows anything that an announcement of this
	// topic is about, so that entity tags stay valid.
	Unshown func(topic string) bool

	// Audit, in tests, is called for every document that differs from its cached
	// entity tag. Nothing is answered from the cache then.
	Audit func(what string)
}

// Server serves the declarations of one registry below the registry's base.
type Server struct {
	cfg     Config
	base    string
	reg     *resource.Registry
	encoder hal.Encoder
	seen    validators
	docs    *docServer
}

// New returns a server of the registry's declarations.
func New(c Config) *Server {
	base := c.Registry.Base()
	s := &Server{
		cfg: c, base: base, reg: c.Registry,
		encoder: hal.Encoder{Curies: []hal.Link{{Name: "cb", Href: base + "/docs/rels/{rel}", Templated: true}}},
	}
	s.docs = newDocServer(s, c.Docs)
	s.seen.known, s.seen.unshown = cache.New[documentKey, known](documentsKept), c.Unshown
	s.reg.OnChange(s.seen.heard)
	return s
}

// Encoder returns the encoder of the server's documents, which knows its CURIEs.
func (s *Server) Encoder() *hal.Encoder { return &s.encoder }

// encoderFor returns the encoder of the documents that answer the request.
func (s *Server) encoderFor(c echo.Context) hal.Encoder {
	e := s.encoder
	e.Base = web.Base(c)
	return e
}
