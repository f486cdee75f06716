package order_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// An order without an environment gets one: each case tests the next rule.
func TestEnvironmentOfABuildItem(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		r := newRig(t, s)
		blueprint := func(name string, envs ...models.ID) models.ID {
			b := &models.Blueprint{Name: name, State: models.BlueprintActive}
			for i, env := range envs {
				b.Items = append(b.Items, models.BlueprintItem{
					Name: string(rune('A' + i)), Type: models.BlueprintItemServer, Quantity: 1,
					EnvironmentID: env, OSBuildID: debian, SizeID: small,
				})
			}
			if err := r.catalog.Blueprints.Create(t.Context(), r.admin, b); err != nil {
				t.Fatal(err)
			}
			return b.ID
		}
		for name, c := range map[string]struct {
			group models.ID
			item  models.DeployItem
			want  []models.ID
		}{
			"the build item's default": {foo, models.DeployItem{BlueprintID: blueprint("both", simple, advanced)}, []models.ID{simple, advanced}},
			"the order's":              {foo, models.DeployItem{BlueprintID: blueprint("all", simple, simple), EnvironmentID: advanced}, []models.ID{advanced, advanced}},
			"the order's for one": {
				foo,
				models.DeployItem{BlueprintID: blueprint("one", simple, simple), Arguments: []models.BuildItemArgs{{Item: "B", EnvironmentID: advanced}}},
				[]models.ID{simple, advanced},
			},
			"the other's": {
				foo,
				models.DeployItem{BlueprintID: blueprint("sibling", 0, 0), Arguments: []models.BuildItemArgs{{Item: "B", EnvironmentID: advanced}}},
				[]models.ID{advanced, advanced},
			},
			"the other's default": {foo, models.DeployItem{BlueprintID: blueprint("sibling default", 0, simple)}, []models.ID{simple, simple}},
			"not a default that the group cannot use": {
				foo, models.DeployItem{BlueprintID: blueprint("foreign", lab, simple)}, []models.ID{simple, simple},
			},
		} {
			item := c.item
			o, err := r.orders.Create(t.Context(), r.alice, order.Draft{GroupID: c.group, Items: []models.OrderItem{{Kind: models.ItemDeploy, Deploy: &item}}, Submit: true})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var got []models.ID
			for _, sv := range r.made(t, o) {
				got = append(got, sv.EnvironmentID)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}

		// The only one of the group.
		only := blueprint("only", 0)
		if _, err := r.catalog.Environments.Update(t.Context(), r.admin, "2", func(e *models.Environment) error { e.GroupIDs = []models.ID{bar}; return nil }); err != nil {
			t.Fatal(err)
		}
		o := r.create(t, r.alice, foo, true, models.OrderItem{Kind: models.ItemDeploy, Deploy: &models.DeployItem{BlueprintID: only}})
		if got := r.made(t, o)[0].EnvironmentID; got != simple {
			t.Errorf("the only environment of the group: %s", got)
		}
	})
}
