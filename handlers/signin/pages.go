// Package signin is how people sign in and out by browser, and how they replace a
// forgotten password by mail. Each page is a document with a template, as all pages
// are, and goes to other clients as JSON.
package signin

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/handlers/halserver"
	"halcyon/pkg/auth"
	"halcyon/pkg/web"
)

// Paths below the base of a face. The segment after ResetPath is a secret.
const (
	signInPath  = "/sign-in"
	signOutPath = "/user/actions/sign-out"
	ResetPath   = "/password-reset"
)

// Tag is the tag of the operations in the documentation.
const Tag = "session"

// Config has the parts and settings of the pages.
type Config struct {
	Base   string // path that the pages are below
	HAL    *halserver.Server
	Auth   *auth.Service
	Cookie web.Cookie // of browsers' sessions
	Now    func() time.Time

	// Seal and Open encrypt and decrypt a form whose session has ended, until its user
	// has signed in again.
	Seal func(string) (string, error)
	Open func(string) (string, error)

	// User answers the document of the user who has just signed in, to clients other
	// than browsers.
	User echo.HandlerFunc
}

// Pages serves them.
type Pages struct {
	cfg                   Config
	hal                   *halserver.Server
	signInPath, resetPath string
}

// New returns the pages.
func New(c Config) *Pages {
	return &Pages{cfg: c, hal: c.HAL, signInPath: c.Base + signInPath, resetPath: c.Base + ResetPath}
}

// Routes returns the routes of the pages.
func (s *Pages) Routes() []web.Route {
	link := s.resetPath + "/:secret"
	return []web.Route{
		{Method: http.MethodGet, Path: s.signInPath, Doc: "anybody", Handle: s.signInForm},
		{Method: http.MethodPost, Path: s.signInPath, Doc: "anybody", Handle: s.signIn},
		{Method: http.MethodGet, Path: s.resetPath, Doc: "anybody", Handle: s.resetForm},
		{Method: http.MethodPost, Path: s.resetPath, Doc: "anybody", Handle: s.askReset},
		{Method: http.MethodGet, Path: link, Doc: "who has the link", Handle: s.resetLinkForm},
		{Method: http.MethodPost, Path: link, Doc: "who has the link", Handle: s.resetPassword},
		{Method: http.MethodPost, Path: s.cfg.Base + signOutPath, Doc: "signed in", Handle: s.signOut},
	}
}

// Public reports whether a path is one of the pages, which need no credentials.
func (s *Pages) Public(path string) bool {
	return path == s.signInPath || path == s.resetPath ||
		len(path) > len(s.resetPath) && path[:len(s.resetPath)] == s.resetPath && path[len(s.resetPath)] == '/'
}
