package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"halcyon/pkg/demo"
)

// TestTemplatesOfASilentBackEnd asks for what only the back end knows while nobody
// answers there: that is said, with a time to try again, and nothing is written.
func TestTemplatesOfASilentBackEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		vc := c.vc
		vc.URL = "http://127.0.0.1:1/sdk"
		if err := (&demo.Demo{Catalog: c.app.Catalog}).UpdateVCenter(context.Background(), vc); err != nil {
			t.Fatal(err)
		}
		before := c.fingerprint(t)
		for _, r := range []call{
			{path: "/api/v2/resource-handlers/1/templates/"},
			{method: http.MethodPost, path: "/api/v2/resource-handlers/1/actions/import-template", body: `{"template": "debian-12"}`},
		} {
			r.actor = "admin"
			a, _ := c.do(r) // which complains of every 5xx
			if a == nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(string(a.body), "canary") {
				t.Errorf("%s: %+v", r, a)
			}
		}
		if after := c.fingerprint(t); after != before {
			t.Errorf("something was written\n%s", diff(before, after))
		}
	})
}

// TestTemplateIsImportedOnce has many import one template at a time: one makes an OS
// build of it, and the others are told who was first.
func TestTemplateIsImportedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t))
		c.stopWorkers(t)
		h := c.want(t, http.StatusCreated, call{actor: "admin", method: "POST", path: "/api/v2/resource-handlers/", body: `{"name": "Second", "type": "vsphere", "url": "` + c.vc.URL + `", "username": "` + c.vc.Username + `", "password": "` + c.vc.Password + `"}`})
		const callers = 8
		got := make([]int, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				name := strings.Repeat("x", i+1) // no two in each other's way
				a, err := c.do(call{actor: "admin", method: "POST", path: h.header.Get("Location") + "/actions/import-template", body: `{"template": "debian-12", "name": "` + name + `"}`})
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = a.status
			})
		}
		all.Wait()
		count := map[int]int{}
		for _, status := range got {
			count[status]++
		}
		if count[http.StatusCreated] != 1 || count[http.StatusConflict] != callers-1 {
			t.Errorf("the answers are %v", got)
		}
	})
}
