package halserver

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
	"halcyon/pkg/web"
)

// This file answers browsers: a document as a page, a redirect after a form, and the form
// again when it was rejected. The HTML is another face's.

const (
	keyAbout = "halcyon.about"
	keyTyped = "halcyon.typed"
	keyOnce  = "halcyon.once" // the answer shows a value that is shown only once
)

const keyForm = "halcyon.form"

// OnForm notes the document whose form the request sends, for forms that need no sign-in:
// when the request fails, the document is shown again. A nil doc removes the note.
func OnForm(c echo.Context, doc func(values url.Values) *hal.Document) {
	if doc == nil {
		c.Set(keyForm, nil)
		return
	}
	c.Set(keyForm, doc)
}

// ShownOnce notes that the answer shows a value that is shown only once, such as a new
// token: the answer is not cached, and no redirect replaces it.
func ShownOnce(c echo.Context) { c.Set(keyOnce, true) }

// subject is the declaration that a document belongs to.
type subject struct {
	of   *resource.Def
	many bool
}

// SetSubject notes the declaration that the answer belongs to, for its page. many means
// that the answer is a list.
func SetSubject(c echo.Context, d *resource.Def, many bool) { c.Set(keyAbout, subject{d, many}) }

// typed notes the values of a form.
func typed(c echo.Context, values url.Values) { c.Set(keyTyped, values) }

// shownSources are the representations that a page can show as they are.
var shownSources = map[string]hal.Representation{"hal": hal.AsHAL, "forms": hal.AsHALForms, "json": hal.AsCloudBolt}

// NewView returns the page of the request, without a document yet.
func (s *Server) NewView(c echo.Context) *view.View {
	about, _ := c.Get(keyAbout).(subject)
	u := c.Request().URL
	path := u.EscapedPath()
	if about.many && path != "/" {
		path += "/" // which the edge takes off, and the API's own addresses have
	}
	return &view.View{
		Of: about.of, Many: about.many, Path: path, Query: u.RawQuery, Actor: web.Actor(c),
		Origin: s.cfg.Hosts.Base(c.Request()), Selection: selectionOf(c), Posted: !Safe(c),
	}
}

// setPolicy sets the security headers of a page.
func setPolicy(h http.Header) {
	h.Set(echo.HeaderContentSecurityPolicy, view.Policy)
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	if h.Get(echo.HeaderReferrerPolicy) == "" {
		h.Set(echo.HeaderReferrerPolicy, "same-origin")
	}
}

func (s *Server) appendPage(c echo.Context, dst []byte, doc *hal.Document, row *models.Row) []byte {
	setPolicy(c.Response().Header())
	v := s.NewView(c)
	v.Doc, v.Now = doc, s.reg.Now()
	v.Flash = s.flash(c, doc)
	if r, ok := shownSources[sourceOf(c)]; ok {
		v.Source, v.Shown = s.encoder.AppendJSON(nil, doc, r.Shape()), r
		v.Headers = s.headers(r, row, v.Source)
	}
	if row != nil {
		v.Version = row.Version
	}
	return s.cfg.Pages.Append(dst, v)
}

// Displays reports whether the answer is a page that shows more than the document: not
// when it has the JSON that other clients get.
func (s *Server) Displays(c echo.Context) bool {
	return Safe(c) && s.Representation(c) == hal.AsHTML && sourceOf(c) == ""
}

// Safe reports whether the request only reads.
func Safe(c echo.Context) bool {
	m := c.Request().Method
	return m == http.MethodGet || m == http.MethodHead
}

// afterForm returns the address to redirect a browser to after a form: that of the created
// document, or else the page of the form. It is "" for answers that are shown directly:
// reads, and results that have no address.
func (s *Server) afterForm(c echo.Context, doc *hal.Document, row *models.Row) string {
	if Safe(c) || c.Get(keyOnce) != nil {
		return ""
	}
	name, at := s.did(c, doc)
	if to := c.Response().Header().Get(echo.HeaderLocation); to != "" {
		return pageAfter(to, name, at)
	}
	if row == nil {
		return ""
	}
	if from := FormPage(c); from != "" {
		return pageAfter(from, name, at)
	}
	return pageAfter(doc.Self().Href, name, at)
}

// noContent answers a write that left nothing to show; to a browser with the list that
// the row was in.
func (s *Server) noContent(c echo.Context, d *resource.Def) error {
	if s.Representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, pageAfter(d.Path(), doneDelete, ""))
	}
	return c.NoContent(http.StatusNoContent)
}

// sendAgain answers the page of a form that is shown again. The page is never cached: it
// holds the values of its sender.
func (s *Server) sendAgain(c echo.Context, doc *hal.Document, row *models.Row, sent *view.Sent) error {
	v := s.NewView(c)
	v.Doc, v.Now, v.Sent, v.Problem = doc, s.reg.Now(), sent, sent.Problem
	if row != nil {
		v.Version = row.Version
	}
	status := http.StatusOK
	if v.Problem != nil {
		status = v.Problem.Status
	}
	return s.SendPage(c, status, v)
}

// SendPage answers the page of a view, which no cache may keep.
func (s *Server) SendPage(c echo.Context, status int, v *view.View) error {
	buf := buffers.get()
	defer buffers.put(buf)
	*buf = s.cfg.Pages.Append((*buf)[:0], v)
	setPolicy(c.Response().Header())
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Blob(status, hal.AsHTML.ContentType(), *buf)
}

// faultPage answers a browser whose request failed: with the page of its form, where
// possible, so that no typed value is lost.
func (s *Server) faultPage(c echo.Context, p *hal.Problem) error {
	if doc, ok := c.Get(keyForm).(func(url.Values) *hal.Document); ok {
		return s.formPage(c, doc, p)
	}
	if p.Status == http.StatusUnauthorized {
		return s.cfg.SignIn(c, p)
	}
	v := s.NewView(c)
	v.Problem = p
	if p.Status == http.StatusMethodNotAllowed {
		v.Action = s.actionAt(v.Path)
	}
	if !Safe(c) {
		v.Sent = &view.Sent{Method: c.Request().Method, Target: v.Path, Values: sentValues(c), Problem: p}
		from := FormPage(c)
		if from != "" && v.Actor.ID != 0 && p.Status < http.StatusInternalServerError && s.ShowFormAgain(c, from, v.Sent) {
			return nil
		}
	}
	return s.SendPage(c, p.Status, v)
}

// sentValues returns the values of the request's form.
func sentValues(c echo.Context) url.Values {
	values, _ := c.Get(keyTyped).(url.Values)
	if values == nil { // it failed before the body was of interest
		if data, err := web.ReadBody(c); err == nil {
			values, _ = jsonbody.FormValues(data)
		}
	}
	return values
}

// ShowFormAgain answers the page at from with its form as it was sent. It reports whether
// it has answered.
func (s *Server) ShowFormAgain(c echo.Context, from string, sent *view.Sent) bool {
	ctx := view.With(c.Request().Context(), sent)
	return revisit(ctx, c, from) == nil
}

// formPage answers a rejected form of a page that needs no sign-in.
func (s *Server) formPage(c echo.Context, doc func(url.Values) *hal.Document, p *hal.Problem) error {
	values, _ := c.Get(keyTyped).(url.Values)
	v := s.NewView(c)
	v.Doc, v.Problem = doc(values), p
	v.Sent = &view.Sent{Method: c.Request().Method, Target: v.Path, Values: view.Harmless(values), Problem: p}
	return s.SendPage(c, p.Status, v)
}
