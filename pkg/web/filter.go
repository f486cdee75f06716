package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/query"
)

// The rows of a filter's form, by their place: the first _f, _l and _v are one, and
// so on.
const (
	paramField  = "_f"
	paramLookup = "_l"
	paramValue  = "_v"
)

// narrowed sends a browser that filled in the form of a filter to the list that the
// form stands for.
func narrowed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a, _ := c.Get(keyAsked).(asked); a.narrowed != "" {
			return c.Redirect(http.StatusSeeOther, a.narrowed)
		}
		return next(c)
	}
}

// refined gives the query in the API's own terms for one that the form of a filter
// made: its rows go into filter=, whose place they take where they are about the
// same, and the list begins at its first page. What holds nothing is left out.
func refined(raw string) string {
	rows := map[string][]string{}
	filter, found := "", false
	var kept []string
	at := 0
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		text, err := url.QueryUnescape(value)
		switch {
		case err != nil:
			kept = append(kept, pair) // for the list to complain of
		case name == paramField, name == paramLookup, name == paramValue:
			rows[name] = append(rows[name], strings.TrimSpace(text))
		case name == "filter" && !found:
			filter, found, at = text, true, len(kept)
		case text != "" && name != "page" && name != "after" && name != "before":
			kept = append(kept, pair)
		}
	}
	var terms []query.Typed
	for i, field := range rows[paramField] {
		if field == "" || i >= len(rows[paramLookup]) || i >= len(rows[paramValue]) {
			continue
		}
		t := query.Typed{Path: field, Lookup: query.Lookup(rows[paramLookup][i]), Value: rows[paramValue][i]}
		if t.Lookup == "" {
			t.Lookup = query.Exact
		}
		if t.Lookup == query.IsNull && t.Value == "" {
			t.Value = "true"
		}
		terms = append(terms, t)
	}
	if filter = query.Refine(filter, terms...); filter != "" {
		kept = append(kept[:at], append([]string{"filter=" + url.QueryEscape(filter)}, kept[at:]...)...)
	}
	return strings.Join(kept, "&")
}
