package refdata_test

import (
	"context"
	"slices"
	"testing"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// Who holds a permission on a group is what each user's own rights say.
func TestHolders(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newSite(t, s, 11)
		x.grow(8)
		for _, group := range x.groups {
			for _, p := range access.Permissions {
				var want []models.ID
				for _, user := range x.users {
					if slices.Contains(x.actor(user).With(p), group) {
						want = append(want, user)
					}
				}
				got, err := x.dir.Holders(context.Background(), p, group)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s on group %s: %v, %v instead of %v", p, group, got, err, want)
				}
			}
		}
	})
}
