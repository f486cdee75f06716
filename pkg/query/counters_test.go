package query_test

import (
	"net/url"
	"strings"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// A total is the same from the counters and from counting, for every caller, filter and page.
func TestTotalsAreExact(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		filters := []string{
			"", "environment.name.contains:Dev", "environment.name:Prod", "environment.name:None", "group.name.contains:cme",
			"status:ACTIVE", "status.in:PROV,ACTIVE,MODIFY", "environment.isnull:true", "group.isnull:true", "group.isnull:false",
			"environment.name.contains:Dev;status:ACTIVE", "environment.name.contains:Dev;group.name:Acme;status.in:PROV,DECOM,ACTIVE",
			"hostname.contains:e", "hostname.contains:e;status:ACTIVE", "environment.name.contains:Dev;hostname.contains:o", "owner.username:bob",
			"environment.name.contains:Dev;owner.username:alice", "cpu-cnt.gt:1", "jobs.isnull:false", "environment.group.name:Acme", "group.parent.name:Acme",
			"resource-handler.name:vc", "date-added.gt:2018-12-01",
		}
		bases := map[string]access.Where{
			"all":            access.All,
			"of a group":     {SQL: query.Root + ".group_id = ?", Args: []any{int64(f.groups[0].ID)}},
			"of an owner":    {SQL: query.Root + ".owner_id = ?", Args: []any{int64(f.users[1].ID)}},
			"of a name":      {SQL: query.Root + ".hostname <> ?", Args: []any{"web1"}},
			"none whatever":  access.None,
			"of no relation": {SQL: query.Root + ".group_id IS NULL"},
		}
		provider := access.NewActor(f.users[1], "", access.NewRights([]access.Grant{
			{Group: f.groups[0].ID, Permissions: []string{string(access.GroupView)}},
			{Group: f.groups[2].ID, Permissions: []string{string(access.OfferingManage)}},
		}, nil, nil))
		actors := f.actors()
		actors["a provider"] = provider
		some := 0
		for who, a := range actors {
			for _, filter := range filters {
				raw := ""
				if filter != "" {
					raw = "filter=" + strings.ReplaceAll(url.QueryEscape(filter), "%3B", ";")
				}
				q, err := query.Parse(raw, f.schemas.servers, a, query.Options{})
				if err != nil {
					continue // not every caller may query every field
				}
				for what, base := range bases {
					want, err := query.Count(f.store.Read(ctx), f.schemas.servers.Entity, a, q, query.Base(base))
					if err != nil {
						t.Fatalf("%s: %v", filter, err)
					}
					if want > 0 {
						some++
					}
					for _, page := range []int{1, 2, 99} {
						q.Page, q.Size = page, 2
						p, err := query.List[models.Server](f.store.Read(ctx), f.schemas.servers.Entity, a, q, query.Base(base))
						if err != nil {
							t.Fatalf("%s: %v", filter, err)
						}
						if p.Total != want {
							t.Errorf("%s asks for %q, %s, page %d: a total of %d instead of %d", who, filter, what, page, p.Total, want)
						}
					}
				}
			}
		}
		if some < 100 {
			t.Errorf("only %d lists had rows: that proves little", some)
		}
	})
}
