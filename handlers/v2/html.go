package v2

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

// This file is what browsers get: the document as a page, a way on after a form, and
// the form again when it led to nothing. What a page looks like is not known here.

const (
	keyAbout = "halcyon.about"
	keyTyped = "halcyon.typed"
	keyOnce  = "halcyon.once" // the answer shows what is shown this once
)

// subject is what a document is about.
type subject struct {
	of   *resource.Def
	many bool
}

// setSubject notes what the answer will be setSubject, for the page that it may become.
func setSubject(c echo.Context, d *resource.Def, many bool) { c.Set(keyAbout, subject{d, many}) }

// typed notes what a form held.
func typed(c echo.Context, values url.Values) { c.Set(keyTyped, values) }

// sources are the representations that a page can show as they are.
var sources = map[string]hal.Representation{"hal": hal.AsHAL, "forms": hal.AsHALForms, "json": hal.AsCloudBolt}

// newView returns the page of the request, without a document yet.
func newView(c echo.Context) *view.View {
	s, _ := c.Get(keyAbout).(subject)
	u := c.Request().URL
	path := u.EscapedPath()
	if s.many && path != "/" {
		path += "/" // which the edge takes off, and the API's own addresses have
	}
	return &view.View{
		Of: s.of, Many: s.many, Path: path, Query: u.RawQuery, Actor: web.Actor(c),
		Origin: c.Scheme() + "://" + c.Request().Host, Selection: web.Selection(c), Posted: !safe(c),
	}
}

// policed says what a browser may do with a page.
func policed(h http.Header) {
	h.Set(echo.HeaderContentSecurityPolicy, view.Policy)
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	if h.Get(echo.HeaderReferrerPolicy) == "" {
		h.Set(echo.HeaderReferrerPolicy, "same-origin")
	}
}

func (f *Face) appendPage(c echo.Context, dst []byte, doc *hal.Document, row *models.Row) []byte {
	policed(c.Response().Header())
	v := newView(c)
	v.Doc, v.Now = doc, f.reg.Now()
	v.Done = f.flash(c, doc)
	if r, ok := sources[web.Source(c)]; ok {
		v.Source, v.Shown = f.encoder.AppendJSON(nil, doc, r.Shape()), r
		v.Headers = f.headers(r, row, v.Source)
	}
	if row != nil {
		v.Version = row.Version
	}
	return f.cfg.Pages.Append(dst, v)
}

// displays reports whether the answer is a page that shows more than the document: not
// when it has the JSON that other clients get.
func (f *Face) displays(c echo.Context) bool {
	return safe(c) && f.representation(c) == hal.AsHTML && web.Source(c) == ""
}

// safe reports whether the request only reads.
func safe(c echo.Context) bool {
	m := c.Request().Method
	return m == http.MethodGet || m == http.MethodHead
}

// afterForm is where a browser goes on after a form that led to something: to what
// was made, or else back to where the form was. It is "" for answers that are shown
// themselves: what was read, and results that are nowhere else.
func (f *Face) afterForm(c echo.Context, doc *hal.Document, row *models.Row) string {
	if safe(c) || c.Get(keyOnce) != nil {
		return ""
	}
	name, at := did(c, doc)
	if to := c.Response().Header().Get(echo.HeaderLocation); to != "" {
		return web.AfterForm(to, name, at)
	}
	if row == nil {
		return ""
	}
	if from := web.FormPage(c); from != "" {
		return web.AfterForm(from, name, at)
	}
	return web.AfterForm(selfOf(doc), name, at)
}

func selfOf(doc *hal.Document) string {
	for _, r := range doc.Links {
		if r.Name == "self" && len(r.Links) > 0 {
			return r.Links[0].Href
		}
	}
	return ""
}

// noContent answers a write that left nothing to show; to a browser with the list that
// the row was in.
func (f *Face) noContent(c echo.Context, d *resource.Def) error {
	if f.representation(c) == hal.AsHTML {
		return c.Redirect(http.StatusSeeOther, web.AfterForm(d.Path(), doneDelete, ""))
	}
	return c.NoContent(http.StatusNoContent)
}

// sendAgain answers the page of a form that came back. It is nobody's but the
// sender's, and of this moment.
func (f *Face) sendAgain(c echo.Context, doc *hal.Document, row *models.Row, sent *view.Sent) error {
	v := newView(c)
	v.Doc, v.Now, v.Sent, v.Problem = doc, f.reg.Now(), sent, sent.Problem
	if row != nil {
		v.Version = row.Version
	}
	status := http.StatusOK
	if v.Problem != nil {
		status = v.Problem.Status
	}
	return f.sendPage(c, status, v)
}

func (f *Face) sendPage(c echo.Context, status int, v *view.View) error {
	buf := buffers.get()
	defer buffers.put(buf)
	*buf = f.cfg.Pages.Append((*buf)[:0], v)
	policed(c.Response().Header())
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Blob(status, hal.AsHTML.ContentType(), *buf)
}

// faultPage answers a browser whose request failed: with the page that its form was
// on, where it can be shown again, so that nothing typed is lost.
func (f *Face) faultPage(c echo.Context, p *hal.Problem) error {
	if doc, ok := c.Get(keyForm).(func(url.Values) *hal.Document); ok {
		return f.formPage(c, doc, p)
	}
	if p.Status == http.StatusUnauthorized {
		return f.signInPage(c, p)
	}
	v := newView(c)
	v.Problem = p
	if p.Status == http.StatusMethodNotAllowed {
		v.Action = f.actionAt(v.Path)
	}
	if !safe(c) {
		v.Sent = &view.Sent{Method: c.Request().Method, Target: v.Path, Values: sentValues(c), Problem: p}
		from := web.FormPage(c)
		if from != "" && v.Actor.ID != 0 && p.Status < http.StatusInternalServerError && f.again(c, from, v.Sent) {
			return nil
		}
	}
	return f.sendPage(c, p.Status, v)
}

// sentValues gives what a form held.
func sentValues(c echo.Context) url.Values {
	values, _ := c.Get(keyTyped).(url.Values)
	if values == nil { // it failed before the body was of interest
		if data, err := web.ReadBody(c); err == nil {
			values, _ = jsonbody.FormValues(data)
		}
	}
	return values
}

// again answers the page that a form was on, with the form as it was sent. It
// reports whether it could.
func (f *Face) again(c echo.Context, from string, sent *view.Sent) bool {
	ctx := view.With(c.Request().Context(), sent)
	return web.Revisit(ctx, c, from) == nil
}
