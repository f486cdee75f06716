package refdata_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// A group may order what is open to it or to a group above it, where the same holds
// of an environment with a back end.
func TestOffers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		x := newSite(t, s, 1)
		top := x.insert(refdata.Groups, &models.Group{Name: "Top"})
		below := x.insert(refdata.Groups, &models.Group{Name: "Below", ParentID: top})
		aside := x.insert(refdata.Groups, &models.Group{Name: "Aside"})
		handler := x.insert(refdata.Handlers, &models.ResourceHandler{Name: "H", Kind: models.HandlerSimulated})
		open := x.insert(refdata.Environment, &models.Environment{Name: "For all", HandlerID: handler})
		tops := x.insert(refdata.Environment, &models.Environment{Name: "For Top", HandlerID: handler})
		x.insert(refdata.Environment, &models.Environment{Name: "Without a back end"})
		active := x.insert(refdata.Blueprints, &models.Blueprint{Name: "Active", State: models.BlueprintActive, Inputs: []models.Input{}})
		below1 := x.insert(refdata.Blueprints, &models.Blueprint{Name: "For Below", State: models.BlueprintActive, Inputs: []models.Input{}})
		draft := x.insert(refdata.Blueprints, &models.Blueprint{Name: "Draft", State: models.BlueprintDraft, Inputs: []models.Input{}})
		x.inTx(func(tx *store.Tx) error {
			tx.Signal(refdata.Environment, 0)
			tx.Signal(refdata.Blueprints, 0)
			if err := tx.Create(&models.EnvironmentGroup{EnvironmentID: tops, GroupID: top}).Error; err != nil {
				return err
			}
			return tx.Create(&models.BlueprintGroup{BlueprintID: below1, GroupID: below}).Error
		})
		user := x.insert(refdata.Users, &models.User{Username: "u", Active: true})
		x.insert(refdata.Memberships, &models.Membership{UserID: user, GroupID: top, RoleID: 1}) // a requestor
		other := x.insert(refdata.Users, &models.User{Username: "v", Active: true})
		x.insert(refdata.Memberships, &models.Membership{UserID: other, GroupID: top, RoleID: 2}) // an approver
		x.insert(refdata.Memberships, &models.Membership{UserID: other, GroupID: aside, RoleID: 1})
		actor := func(id models.ID) access.Actor {
			u, err := x.dir.UserByID(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			a, err := x.dir.Actor(ctx, u, "")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		both := []models.ID{open, tops}
		for name, c := range map[string]struct {
			user, blueprint models.ID
			most            int
			want            []refdata.Offer
		}{
			"inherited":          {user, active, 9, []refdata.Offer{{Group: top, Environments: both}, {Group: below, Environments: both}}},
			"the first":          {user, active, 1, []refdata.Offer{{Group: top, Environments: both}}},
			"not above":          {user, below1, 9, []refdata.Offer{{Group: below, Environments: both}}},
			"a draft":            {user, draft, 9, nil},
			"no such":            {user, 999, 9, nil},
			"without one":        {user, 0, 9, []refdata.Offer{{Group: top, Environments: both}, {Group: below, Environments: both}}},
			"only where ordered": {other, active, 9, []refdata.Offer{{Group: aside, Environments: []models.ID{open}}}},
			"open to others":     {other, below1, 9, nil},
		} {
			got, err := x.dir.Offers(ctx, actor(c.user), c.blueprint, c.most)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}
