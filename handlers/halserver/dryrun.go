package halserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/fault"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// dryRun is the query parameter for a preview of a request.
const dryRun = "dry-run"

// orDryRun returns a handler that tries the operation out when the request asks for
// it, and runs it otherwise. Operations without a dry run refuse the parameter.
func (s *Server) orDryRun(d *resource.Def, dry *resource.DryRun, run echo.HandlerFunc) echo.HandlerFunc {
	if dry == nil {
		return run
	}
	return func(c echo.Context) error {
		on, err := takeDryRun(c)
		if err != nil {
			return err
		}
		if !on {
			return run(c)
		}
		if err := NoQuery(c); err != nil {
			return err
		}
		return s.tryOut(c, d, dry)
	}
}

// tryOut answers the preview of an operation: the collection's create, or an action on the
// row in the path.
func (s *Server) tryOut(c echo.Context, d *resource.Def, dry *resource.DryRun) error {
	ctx, a, id := c.Request().Context(), web.Actor(c), c.Param("id")
	if id != "" { // check visibility before the body: a hidden row is not found
		if _, err := d.Find(ctx, a, id); err != nil {
			return err
		}
	}
	n, err := s.Read(c)
	if err != nil {
		return err
	}
	arena := resource.NewArena()
	defer arena.Release()
	p, err := dry.Do(ctx, a, id, n, arena)
	if err != nil {
		return err
	}
	if s.previewPage(c, p) {
		return nil
	}
	return s.Send(c, http.StatusOK, p.Doc)
}

// previewPage answers the form's page again, with the preview and the typed values. It
// reports whether the request came from such a page.
func (s *Server) previewPage(c echo.Context, p *resource.Preview) bool {
	from := FormPage(c)
	if from == "" || s.Representation(c) != hal.AsHTML {
		return false
	}
	ctx := c.Request().Context()
	if p.Parts != nil {
		parts, err := p.Parts(ctx)
		if err != nil {
			return false
		}
		p.Doc.Embedded = append(p.Doc.Embedded, parts...)
	}
	if err := s.reg.Name(ctx, web.Actor(c), p.Doc); err != nil {
		return false
	}
	return s.ShowFormAgain(c, from, &view.Sent{Method: c.Request().Method, Target: c.Request().URL.EscapedPath(), Values: sentValues(c), Tried: p.Doc})
}

// takeDryRun removes the parameter from the request and reports whether it asks for a
// dry run.
func takeDryRun(c echo.Context) (on bool, err error) {
	r := c.Request()
	var rest []string
	given := false
	for _, pair := range strings.Split(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != dryRun {
			rest = append(rest, pair)
			continue
		}
		if given {
			return false, fault.InvalidField(fault.Argument(dryRun), "is there twice")
		}
		given = true
		if value, err = url.QueryUnescape(value); err != nil {
			return false, fault.InvalidField(fault.Argument(dryRun), "cannot be read")
		}
		switch strings.ToLower(value) {
		case "1", "true":
			on = true
		case "0", "false":
		default:
			return false, fault.InvalidField(fault.Argument(dryRun), "is none of 1, true, 0, false")
		}
	}
	if given {
		u := *r.URL
		u.RawQuery = strings.Join(rest, "&")
		r = r.WithContext(r.Context())
		r.URL = &u
		c.SetRequest(r)
	}
	return on, nil
}
