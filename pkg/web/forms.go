package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/fault"
)

// Browsers' forms know GET and POST, and no header. What a page's form means beyond
// that stands in the query of its action, and links say by the query what other
// clients say by Accept. All of it is taken out of the request before anything else
// looks at it:
//
//	_method=PATCH   the method that the form stands for
//	_match=3        If-Match: the version of the row that the form was made of
//	_page=/api/…    the page that the form is on, to come back to
//	_select=1       a list with a box before each row; the name of an action on them
//	_done=submit    the notice of what the form before this page did
//	_at=/api/…      what it did it to
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

var formats = map[string]string{
	"html": "text/html", "hal": "application/hal+json", "forms": "application/prs.hal-forms+json", "json": "application/json",
}

const keyAsked = "halcyon.asked"

// asked is what the query said to the edge.
type asked struct {
	page      string
	selection string
	source    string
	done      string
	at        string
	narrowed  string // where the form of a filter leads
}

// Asked reports whether the query says anything to the edge about the page, which is
// then not the one that others see there.
func Asked(c echo.Context) bool {
	a, _ := c.Get(keyAsked).(asked)
	return a != asked{}
}

// FormPage gives the path, with its query, of the page whose form the request is, ""
// when it is none.
func FormPage(c echo.Context) string {
	a, _ := c.Get(keyAsked).(asked)
	return a.page
}

// Selecting reports whether a list is to be shown with boxes.
func Selecting(c echo.Context) bool { return Selection(c) != "" }

// Selection says what the rows of a list are selected for: the name of an action, "1"
// for any, "" when they are not.
func Selection(c echo.Context) string {
	a, _ := c.Get(keyAsked).(asked)
	return a.selection
}

// Done gives the name of what the form before this page did, "" for nothing, and the
// path of what it did it to. Anybody can have written them.
func Done(c echo.Context) (name, at string) {
	a, _ := c.Get(keyAsked).(asked)
	return a.done, a.at
}

// AfterForm gives where a browser goes on after a form: a page, and what it is told.
func AfterForm(page, done, at string) string {
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

// Source gives the name of the representation that the page is to show as it is, ""
// for none.
func Source(c echo.Context) string {
	a, _ := c.Get(keyAsked).(asked)
	return a.source
}

// FormAction gives the action of a form: a target, and what the form stands for.
// version is 0 for none.
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

// fromBrowser reads what the query says to the edge.
func fromBrowser(c echo.Context) {
	r := c.Request()
	raw := r.URL.RawQuery
	if raw == "" || !strings.Contains(raw, "_") && !strings.Contains(raw, paramFormat+"=") {
		return
	}
	form := r.Method == http.MethodPost && isForm(r.Header.Get(echo.HeaderContentType))
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	var a asked
	if read && (strings.HasPrefix(raw, paramField+"=") || strings.Contains(raw, "&"+paramField+"=")) {
		a.narrowed = "?" + refined(raw)
	}
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if text, err := url.QueryUnescape(value); err != nil || !take(r, &a, name, text, form, read) {
			kept = append(kept, pair)
		}
	}
	r.URL.RawQuery = strings.Join(kept, "&")
	c.Set(keyAsked, a)
}

// take reports whether the parameter is one of the edge's own.
func take(r *http.Request, a *asked, name, value string, form, read bool) bool {
	switch {
	case form && name == paramMethod && (value == http.MethodPut || value == http.MethodPatch || value == http.MethodDelete):
		r.Method = value
	case form && name == paramMatch && len(value) < 20 && strings.Trim(value, "0123456789") == "":
		r.Header.Set("If-Match", `"`+value+`-"`)
	case form && name == paramPage && len(value) < 2048 && strings.HasPrefix(value, "/api/"):
		a.page = value
	case read && name == paramSelect && plainName(value):
		a.selection = value
	case read && name == paramDone && plainName(value):
		a.done = value
	case read && name == paramAt && len(value) < 256 && strings.HasPrefix(value, "/api/"):
		a.at = value
	case read && name == paramSource && formats[value] != "":
		a.source = value
	case read && name == paramFormat && formats[value] != "":
		r.Header.Set(echo.HeaderAccept, formats[value])
	default:
		return false
	}
	return true
}

// plainName reports whether a text can be the name of an action.
func plainName(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isForm(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.HasPrefix(kind, echo.MIMEApplicationForm) || strings.HasPrefix(kind, echo.MIMEMultipartForm)
}

// Revisit answers a GET of a path of this server in place of the request, with the
// same caller: the page that a form was on. The error is the handler's, and nothing
// is written then.
func Revisit(ctx context.Context, c echo.Context, page string) error {
	u, err := url.ParseRequestURI(page)
	if err != nil {
		return fault.NotFoundf("Not found.")
	}
	r := c.Request().Clone(ctx)
	r.Method, r.URL, r.Body, r.ContentLength = http.MethodGet, u, http.NoBody, 0
	for _, name := range []string{echo.HeaderContentType, echo.HeaderContentLength, "If-Match", "If-None-Match", echo.HeaderIfModifiedSince, "Idempotency-Key"} {
		r.Header.Del(name)
	}
	return Replace(c, r)
}
