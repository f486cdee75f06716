package e2e

import (
	"testing"

	"halcyon/cmd/halcyon/app"
	"halcyon/hal"
)

// TestPreferRepresentation shows a site with old scripts: what accepts anything gets
// arrays there, and what names HAL gets HAL.
func TestPreferRepresentation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := newCloud(t, open(t), func(s *app.Settings) { s.Prefer = hal.CloudBolt })
		for _, x := range []struct{ accept, kind, name string }{
			{"-", "application/json", "/_embedded/0/name"},
			{"*/*", "application/json", "/_embedded/0/name"},
			{"application/json, text/plain, */*", "application/json", "/_embedded/0/name"},
			{"application/hal+json", "application/hal+json", "/_embedded/groups/0/name"},
			{"application/hal+json, */*;q=0.1", "application/hal+json", "/_embedded/groups/0/name"},
		} {
			a := c.want(t, 200, call{actor: "alice", path: "/api/v2/groups/", accept: x.accept})
			if a.kind() != x.kind || a.text(t, x.name) != "Group Foo" {
				t.Errorf("Accept %q: %s\n%s", x.accept, a.kind(), a.body)
			}
		}
	})
}
