package halserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// Browsers' forms know GET and POST, and no header. What a page's form means beyond
// that stands in the query of its action, and links say by the query what other
// clients say by Accept. Rewrite takes all of it out of the request before anything
// else looks at it:
//
//	_method=PATCH   the method that the form stands for
//	_match=3        If-Match: the version of the row that the form was made of
//	_page=/…        the page that the form is on, to come back to
//	_select=1       a list with a box before each row; the name of an action on them
//	_done=submit    the notice of what the form before this page did
//	_at=/…          what it did it to
//	_f=, _l=, _v=   a row of a filter's form: field, lookup, value (see refined)
//	_source=hal     the page shows the JSON that other clients get: hal, forms or json
//	format=hal      Accept, of a GET: html, hal, forms or json
const (
	paramMethod = "_method"
	paramMatch  = "_match"
	paramPage   = "_page"
	paramSelect = "_select"
	paramSource = "_source"
	paramDone   = "_done"
	paramAt     = "_at"
	paramFormat = "format"
)

// formats are the media types by their names in a query.
var formats = map[string]string{
	"html": "text/html", "hal": "application/hal+json", "forms": "application/prs.hal-forms+json", "json": "application/json",
}

const keyPageQuery = "halcyon.page-query"

// pageQuery is what Rewrite found in the query about the page.
type pageQuery struct {
	page      string
	selection string
	source    string
	done      string
	at        string
	narrowed  string // where the form of a filter leads
}

func pageQueryOf(c echo.Context) pageQuery {
	a, _ := c.Get(keyPageQuery).(pageQuery)
	return a
}

// hasPageQuery reports whether Rewrite found anything about the page in the query. Such a
// page is not the one that others see there.
func hasPageQuery(c echo.Context) bool { return pageQueryOf(c) != pageQuery{} }

// FormPage returns the path, with its query, of the page whose form the request is; ""
// when it is none.
func FormPage(c echo.Context) string { return pageQueryOf(c).page }

// selecting reports whether a list is to be shown with boxes.
func selecting(c echo.Context) bool { return selectionOf(c) != "" }

// selectionOf returns what the rows of a list are selected for: the name of an action,
// "1" for any, "" when they are not.
func selectionOf(c echo.Context) string { return pageQueryOf(c).selection }

// doneBefore returns the name of what the form before this page did, "" for nothing, and the
// path of what it did it to. Anybody can have written them.
func doneBefore(c echo.Context) (name, at string) {
	a := pageQueryOf(c)
	return a.done, a.at
}

// sourceOf returns the name of the representation that the page is to show as it is, ""
// for none.
func sourceOf(c echo.Context) string { return pageQueryOf(c).source }

// pageAfter returns where a browser goes on after a form: the address of a page, with
// the name of what was done and the path of what it was done to, "" for none.
func pageAfter(page, done, at string) string {
	var b strings.Builder
	b.WriteString(page)
	sep := byte('?')
	if strings.ContainsRune(page, '?') {
		sep = '&'
	}
	b.WriteByte(sep)
	b.WriteString(paramDone + "=" + url.QueryEscape(done))
	if at != "" {
		b.WriteString("&" + paramAt + "=" + url.QueryEscape(at))
	}
	return b.String()
}

// FormAction returns the action of an HTML form: target, with the method that the form
// stands for, the version of the row that it was made of and the page that it is on.
// version and page are "" for none.
func FormAction(target, method, version, page string) string {
	var b strings.Builder
	b.WriteString(target)
	sep := byte('?')
	if strings.ContainsRune(target, '?') {
		sep = '&'
	}
	add := func(name, value string) {
		if value == "" {
			return
		}
		b.WriteByte(sep)
		sep = '&'
		b.WriteString(name + "=" + url.QueryEscape(value))
	}
	if method != http.MethodPost {
		add(paramMethod, method)
	}
	add(paramMatch, version)
	add(paramPage, page)
	return b.String()
}

// Rewrite takes out of the query what browsers' forms and links say there, and has the
// request say it as other clients do. It is called before the route is found.
func (s *Server) Rewrite(c echo.Context) {
	r := c.Request()
	raw := r.URL.RawQuery
	if raw == "" || !strings.Contains(raw, "_") && !strings.Contains(raw, paramFormat+"=") {
		return
	}
	form := r.Method == http.MethodPost && isForm(r.Header.Get(echo.HeaderContentType))
	read := Safe(c)
	var a pageQuery
	if read && fromFilter(raw) {
		a.narrowed = "?" + refined(raw)
	}
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		text, err := url.QueryUnescape(value)
		taken := err == nil && (form && s.takeForm(r, &a, name, text) || read && s.takeLink(r, &a, name, text))
		if !taken {
			kept = append(kept, pair)
		}
	}
	r.URL.RawQuery = strings.Join(kept, "&")
	c.Set(keyPageQuery, a)
}

// takeForm takes a parameter of a form's action, and reports whether it was one.
func (s *Server) takeForm(r *http.Request, a *pageQuery, name, value string) bool {
	switch {
	case name == paramMethod && (value == http.MethodPut || value == http.MethodPatch || value == http.MethodDelete):
		r.Method = value
	case name == paramMatch && len(value) < 20 && strings.Trim(value, "0123456789") == "":
		r.Header.Set("If-Match", `"`+value+`-"`)
	case name == paramPage && len(value) < 2048 && s.isOwn(value):
		a.page = value
	default:
		return false
	}
	return true
}

// takeLink takes a parameter of a link to a page, and reports whether it was one.
func (s *Server) takeLink(r *http.Request, a *pageQuery, name, value string) bool {
	switch {
	case name == paramSelect && plainName(value):
		a.selection = value
	case name == paramDone && plainName(value):
		a.done = value
	case name == paramAt && len(value) < 256 && s.isOwn(value):
		a.at = value
	case name == paramSource && formats[value] != "":
		a.source = value
	case name == paramFormat && formats[value] != "":
		r.Header.Set(echo.HeaderAccept, formats[value])
	default:
		return false
	}
	return true
}

// isOwn reports whether a path, perhaps with a query, is below the server's base. The
// address of another site never is.
func (s *Server) isOwn(path string) bool {
	rest, ok := strings.CutPrefix(path, s.base)
	return ok && (rest == "" || rest[0] == '/' || rest[0] == '?')
}

// plainName reports whether a text can be the name of an action.
func plainName(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isForm(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.HasPrefix(kind, echo.MIMEApplicationForm) || strings.HasPrefix(kind, echo.MIMEMultipartForm)
}

// revisit answers a GET of page, a path of this server, in place of the request and
// for the same caller: the page that a form was on. The error is the handler's, and
// nothing is written then.
func revisit(ctx context.Context, c echo.Context, page string) error {
	u, err := url.ParseRequestURI(page)
	if err != nil {
		return fault.NotFoundf("Not found.")
	}
	r := c.Request().Clone(ctx)
	r.Method, r.URL, r.Body, r.ContentLength = http.MethodGet, u, http.NoBody, 0
	for _, name := range []string{echo.HeaderContentType, echo.HeaderContentLength, "If-Match", "If-None-Match", echo.HeaderIfModifiedSince, "Idempotency-Key"} {
		r.Header.Del(name)
	}
	return web.Replace(c, r)
}
