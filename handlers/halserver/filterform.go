package halserver

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

// Narrowed wraps a GET route: a browser that filled in the form of a filter is
// redirected to the list that the form stands for, and next answers everybody else.
func Narrowed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if to := pageQueryOf(c).narrowed; to != "" {
			return c.Redirect(http.StatusSeeOther, to)
		}
		return next(c)
	}
}

// fromFilter reports whether a query, as it was sent, comes from the form of a filter.
func fromFilter(raw string) bool {
	return strings.HasPrefix(raw, paramField+"=") || strings.Contains(raw, "&"+paramField+"=")
}

// refined returns the query in the API's own terms for one that the form of a filter
// made. The form's rows go into filter=, where each replaces a term about the same
// field and lookup; inputs without a value are left out, and so is the place in the
// list, so that it begins at its first page.
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
	if filter = query.Refine(filter, filterTerms(rows)...); filter != "" {
		kept = append(kept[:at], append([]string{"filter=" + url.QueryEscape(filter)}, kept[at:]...)...)
	}
	return strings.Join(kept, "&")
}

// filterTerms returns the terms that the rows of a filter's form make. rows holds the
// values of each of the three parameters, in the order of the rows.
func filterTerms(rows map[string][]string) []query.Typed {
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
	return terms
}
