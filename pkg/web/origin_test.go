package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"halcyon/pkg/fault"
	"halcyon/pkg/web"
)

// TestCrossOrigin tries every combination of what browsers say of where a request
// comes from.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	x, err := web.NewCrossOrigin([]string{"*", "https://explorer.example"})
	if err != nil {
		t.Fatal(err)
	}
	const unsaid = ""
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
		for _, site := range []string{unsaid, "none", "same-origin", "same-site", "cross-site", "nonsense"} {
			for _, origin := range []string{unsaid, "http://cloud.example", "https://cloud.example", "https://explorer.example", "https://evil.example", "null"} {
				r := httptest.NewRequest(method, "http://cloud.example/api/v2/orders/", nil)
				if site != unsaid {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				if origin != unsaid {
					r.Header.Set("Origin", origin)
				}
				safe := method == "GET" || method == "HEAD" || method == "OPTIONS"
				home := origin == unsaid || origin == "http://cloud.example" || origin == "https://cloud.example" // the port and scheme of a proxy's front
				fine := safe || origin == "https://explorer.example" || site == "none" || site == "same-origin" || site == unsaid && home
				err := x.Check(r)
				if (err == nil) != fine {
					t.Errorf("%s, Sec-Fetch-Site %q, Origin %q: %v", method, site, origin, err)
				}
				if err != nil && (!errors.Is(err, web.ErrCrossOrigin) || !fault.Is(err, fault.Forbidden) || web.Status(err) != http.StatusForbidden) {
					t.Errorf("%s, %q, %q: %v", method, site, origin, err)
				}
			}
		}
	}
	if _, err := web.NewCrossOrigin([]string{"https://explorer.example/path"}); err == nil {
		t.Error("a path is an origin")
	}
}
