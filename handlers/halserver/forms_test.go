package halserver

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
	Method, Query, Match, Accept, Page, Source, Selection, Done, At string
}

func TestRewrite(t *testing.T) {
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
		"a page of another face":   {"POST", "_page=%2Fapi%2Fv21%2F", form, seenBy{Method: "POST", Query: "_page=%2Fapi%2Fv21%2F"}},
		"a version that is none":   {"POST", "_match=%22x", form, seenBy{Method: "POST", Query: "_match=%22x"}},
		"another representation":   {"GET", "format=hal&page=2", "", seenBy{Method: "GET", Query: "page=2", Accept: "application/hal+json"}},
		"an unknown one":           {"GET", "format=xml", "", seenBy{Method: "GET", Query: "format=xml"}},
		"its source, and boxes":    {"GET", "_source=json&_select=1", "", seenBy{Method: "GET", Source: "json", Selection: "1"}},
		"boxes for an action":      {"GET", "_select=power-off", "", seenBy{Method: "GET", Selection: "power-off"}},
		"boxes for no name":        {"GET", "_select=%3Cb%3E", "", seenBy{Method: "GET", Query: "_select=%3Cb%3E"}},
		"what was done":            {"GET", "_done=submit&_at=%2Fapi%2Fv2%2Forders%2F5", "", seenBy{Method: "GET", Done: "submit", At: "/api/v2/orders/5"}},
		"done elsewhere":           {"GET", "_done=Hello!&_at=https%3A%2F%2Fevil.example", "", seenBy{Method: "GET", Query: "_done=Hello!&_at=https%3A%2F%2Fevil.example"}},
		"a form does no page":      {"POST", "_done=submit", form, seenBy{Method: "POST", Query: "_done=submit"}},
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
			c := e.NewContext(r, httptest.NewRecorder())
			(&Server{base: "/api/v2"}).Rewrite(c)
			r = c.Request()
			got = seenBy{
				Method: r.Method, Query: r.URL.RawQuery, Match: r.Header.Get("If-Match"), Accept: r.Header.Get(echo.HeaderAccept),
				Page: FormPage(c), Source: sourceOf(c), Selection: selectionOf(c),
			}
			got.Done, got.At = doneBefore(c)
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

// The form of a filter leads to the address that the API has for it.
func TestFilterForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ query, want string }{
		"one row":                   {"_f=status&_l=exact&_v=ACTIVE", "?filter=status%3AACTIVE"},
		"no lookup, no value":       {"_f=status&_l=&_v=ACTIVE&_f=name&_l=exact&_v=", "?filter=status%3AACTIVE"},
		"no field":                  {"_f=&_l=exact&_v=ACTIVE", "?"},
		"beside what was there":     {"filter=a:1&order=-id&page=3&after=x&_f=b&_l=icontains&_v=x%3By", "?filter=a%3A1%3Bb.icontains%3Ax%5C%3By&order=-id"},
		"in the place of the same":  {"order=id&filter=a%3A1&_f=a&_l=exact&_v=2", "?order=id&filter=a%3A2"},
		"taken out":                 {"_f=a&_l=exact&_v=&filter=a%3A1", "?"},
		"empty inputs":              {"order=&filter=&page_size=&_f=a&_l=exact&_v=1&_select=1", "?filter=a%3A1&_select=1"},
		"nothing is no value":       {"_f=end-date&_l=isnull&_v=", "?filter=end-date.isnull%3Atrue"},
		"a list":                    {"_f=id&_l=in&_v=1%2C+2", "?filter=id.in%3A1%2C2"},
		"what cannot be decoded":    {"filter=%zz&_f=a&_l=exact&_v=1", "?filter=a%3A1&filter=%zz"},
		"raw semicolons":            {"filter=a:1;b:2&_f=c&_l=exact&_v=3", "?filter=a%3A1%3Bb%3A2%3Bc%3A3"},
		"no way to another address": {"_f=a&_l=exact&_v=%0d%0aLocation:x", "?filter=a%3ALocation%5C%3Ax"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/api/v2/orders/?"+test.query, nil), w)
			(&Server{base: "/api/v2"}).Rewrite(c)
			if err := Narrowed(func(echo.Context) error { t.Error("the list was asked"); return nil })(c); err != nil {
				t.Fatal(err)
			}
			if got := w.Header().Get(echo.HeaderLocation); w.Code != http.StatusSeeOther || got != test.want {
				t.Errorf("%d %s, want %s", w.Code, got, test.want)
			}
		})
	}
}
