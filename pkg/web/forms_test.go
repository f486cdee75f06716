package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
)

// seenBy is what a handler sees of a request.
type seenBy struct {
	Method, Query, Match, Accept, Page, Source string
	Selecting                                  bool
}

func TestFromBrowser(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		method, query, kind string
		want                seenBy
	}{
		"nothing of ours":          {"GET", "page=2&filter=a:1;b:2", "", seenBy{Method: "GET", Query: "page=2&filter=a:1;b:2"}},
		"a form":                   {"POST", "_method=PATCH&_match=3&_page=%2Fapi%2Fv2%2Forders%2F1%3Fx%3D1", form, seenBy{Method: "PATCH", Match: `"3-"`, Page: "/api/v2/orders/1?x=1"}},
		"beside what others say":   {"POST", "dry-run=1&_method=DELETE&a=b;c", form + "; charset=utf-8", seenBy{Method: "DELETE", Query: "dry-run=1&a=b;c"}},
		"an upload":                {"POST", "_page=%2Fapi%2Fv2%2F", "multipart/form-data; boundary=x", seenBy{Method: "POST", Page: "/api/v2/"}},
		"JSON is no form":          {"POST", "_method=DELETE", "application/json", seenBy{Method: "POST", Query: "_method=DELETE"}},
		"a link is no form":        {"GET", "_method=DELETE", form, seenBy{Method: "GET", Query: "_method=DELETE"}},
		"no such method":           {"POST", "_method=TRACE", form, seenBy{Method: "POST", Query: "_method=TRACE"}},
		"a page elsewhere":         {"POST", "_page=%2F%2Fevil.example%2F", form, seenBy{Method: "POST", Query: "_page=%2F%2Fevil.example%2F"}},
		"a page elsewhere, again":  {"POST", "_page=%2F%5Cevil.example%2F", form, seenBy{Method: "POST", Query: "_page=%2F%5Cevil.example%2F"}},
		"a version that is none":   {"POST", "_match=%22x", form, seenBy{Method: "POST", Query: "_match=%22x"}},
		"another representation":   {"GET", "format=hal&page=2", "", seenBy{Method: "GET", Query: "page=2", Accept: "application/hal+json"}},
		"an unknown one":           {"GET", "format=xml", "", seenBy{Method: "GET", Query: "format=xml"}},
		"its source, and boxes":    {"GET", "_source=json&_select=1", "", seenBy{Method: "GET", Source: "json", Selecting: true}},
		"what cannot be decoded":   {"GET", "format=%zz", "", seenBy{Method: "GET", Query: "format=%zz"}},
		"raw semicolons are kept":  {"GET", "filter=a:1;format=hal", "", seenBy{Method: "GET", Query: "filter=a:1;format=hal"}},
		"a filter with underscore": {"GET", "filter=power_status:POWERON", "", seenBy{Method: "GET", Query: "filter=power_status:POWERON"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := echo.New()
			r := httptest.NewRequest(test.method, "/api/v2/orders/1?"+test.query, strings.NewReader("a=1"))
			if test.kind != "" {
				r.Header.Set(echo.HeaderContentType, test.kind)
			}
			var got seenBy
			err := fromBrowser(func(c echo.Context) error {
				r := c.Request()
				got = seenBy{
					Method: r.Method, Query: r.URL.RawQuery, Match: r.Header.Get("If-Match"), Accept: r.Header.Get(echo.HeaderAccept),
					Page: FormPage(c), Source: Source(c), Selecting: Selecting(c),
				}
				return nil
			})(e.NewContext(r, httptest.NewRecorder()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("what the handler sees (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormAction(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"/api/v2/orders/1/actions/submit": FormAction("/api/v2/orders/1/actions/submit", http.MethodPost, "", ""),
		"/api/v2/orders/1?_method=PATCH&_match=3&_page=%2Fapi%2Fv2%2Forders%2F1%3Fa%3Db%26c": FormAction("/api/v2/orders/1", http.MethodPatch, "3", "/api/v2/orders/1?a=b&c"),
		"/api/v2/x?dry-run=1&_method=DELETE":                                                 FormAction("/api/v2/x?dry-run=1", http.MethodDelete, "", ""),
	} {
		if got != want {
			t.Errorf("the action is %s, not %s", got, want)
		}
	}
}
