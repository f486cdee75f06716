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
//	_select=1       a list with a box before each row
//	_source=hal     the page shows the JSON that other clients get: hal, forms or json
//	format=hal      Accept, of a GET: html, hal, forms or json
const (
	paramMethod = "_method"
	paramMatch  = "_match"
	paramPage   = "_page"
	paramSelect = "_select"
	paramSource = "_source"
	paramFormat = "format"
)

var formats = map[string]string{
	"html": "text/html", "hal": "application/hal+json", "forms": "application/prs.hal-forms+json", "json": "application/json",
}

const keyAsked = "halcyon.asked"

// asked is what the query said to the edge.
type asked struct {
	page      string
	selecting bool
	source    string
}

// FormPage gives the path, with its query, of the page whose form the request is, ""
// when it is none.
func FormPage(c echo.Context) string {
	a, _ := c.Get(keyAsked).(asked)
	return a.page
}

// Selecting reports whether a list is to be shown with boxes.
func Selecting(c echo.Context) bool {
	a, _ := c.Get(keyAsked).(asked)
	return a.selecting
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
func fromBrowser(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		raw := r.URL.RawQuery
		if raw == "" || !strings.Contains(raw, "_") && !strings.Contains(raw, paramFormat+"=") {
			return next(c)
		}
		form := r.Method == http.MethodPost && isForm(r.Header.Get(echo.HeaderContentType))
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		var a asked
		kept := make([]string, 0, 4)
		for pair := range strings.SplitSeq(raw, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if text, err := url.QueryUnescape(value); err != nil || !take(r, &a, name, text, form, read) {
				kept = append(kept, pair)
			}
		}
		r.URL.RawQuery = strings.Join(kept, "&")
		c.Set(keyAsked, a)
		return next(c)
	}
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
	case read && name == paramSelect && value == "1":
		a.selecting = true
	case read && name == paramSource && formats[value] != "":
		a.source = value
	case read && name == paramFormat && formats[value] != "":
		r.Header.Set(echo.HeaderAccept, formats[value])
	default:
		return false
	}
	return true
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
	inner := c.Echo().NewContext(r, c.Response())
	SetActor(inner, Actor(c))
	return plainPath(fromBrowser(func(inner echo.Context) error {
		c.Echo().Router().Find(http.MethodGet, inner.Request().URL.Path, inner)
		return inner.Handler()(inner)
	}))(inner)
}
