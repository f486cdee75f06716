package event

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

// TestSeenAlikeInMemoryAndInSQL draws a company by lot, with objects of everybody,
// and compares what streams are handed with what the database says, for everyone and
// for every filter.
func TestSeenAlikeInMemoryAndInSQL(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if err := tenancy.Bootstrap(ctx, s); err != nil {
			t.Fatal(err)
		}
		dice := rand.New(rand.NewPCG(11, 7))
		svc := newService(s)
		users, objects := company(t, s, dice)
		for {
			n, err := svc.relay(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		all, err := svc.After(ctx, access.System("test"), 0, 1_000_000, 100_000, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		var list []*Published
		for _, e := range all {
			list = append(list, &Published{Event: e})
		}
		filters := []Filter{{}, {Types: []string{"job.*", "order.created"}}, {Objects: []string{models.ObjectServer}}, {Types: []string{"server.removed"}}}
		for _, o := range objects {
			filters = append(filters, Filter{About: o})
		}
		some := 0
		of := &offerings{ctx: ctx, store: s, list: list}
		for _, u := range users {
			a, err := svc.actor(ctx, u)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := of.seen(a)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range filters {
				var inMemory, inSQL []models.ID
				for _, e := range seen {
					if f.Match(&e.Event) {
						inMemory = append(inMemory, e.ID)
					}
				}
				rows, err := svc.After(ctx, a, 0, 1_000_000, 100_000, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range rows {
					inSQL = append(inSQL, e.ID)
				}
				if d := cmp.Diff(inSQL, inMemory); d != "" {
					t.Fatalf("user %s with %+v, of %d: %s", u, f, len(all), d)
				}
				if n := len(inSQL); n > 0 && n < len(all) {
					some++
				}
			}
		}
		if some < 20 {
			t.Errorf("only %d times something and not everything was seen", some)
		}
	})
}

// company makes groups, users with every role, blueprints of some groups, and objects
// of everybody.
func company(t *testing.T, s *store.Store, dice *rand.Rand) (users []models.ID, objects []About) {
	t.Helper()
	one := func(ids []models.ID) models.ID {
		if dice.IntN(4) == 0 {
			return 0
		}
		return ids[dice.IntN(len(ids))]
	}
	inTx(t, s, func(tx *store.Tx) error {
		var groups, blueprints, services []models.ID
		insert := func(row models.Keyed, into *[]models.ID) error {
			err := store.Insert(tx, row)
			if into != nil {
				*into = append(*into, row.Key().ID)
			}
			return err
		}
		for i := range 6 {
			parent := models.ID(0)
			if i > 1 {
				parent = one(groups)
			}
			if err := insert(&models.Group{Name: fmt.Sprintf("g%d", i), Type: "Team", ParentID: parent}, &groups); err != nil {
				return err
			}
		}
		for i := range 14 {
			u := &models.User{Username: fmt.Sprintf("u%d", i), Active: true, SuperAdmin: i == 0, GlobalViewer: i == 1}
			if err := insert(u, &users); err != nil {
				return err
			}
			for range dice.IntN(3) {
				m := &models.Membership{UserID: u.ID, GroupID: groups[dice.IntN(len(groups))], RoleID: models.ID(1 + i%len(access.BuiltInRoles))}
				if err := tx.Exec("INSERT INTO memberships (uuid, global_id, version, created_at, updated_at, user_id, group_id, role_id) VALUES (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
					fmt.Sprint(i, dice.Uint64()), fmt.Sprint(i, dice.Uint64()), tx.Now, tx.Now, m.UserID, m.GroupID, m.RoleID).Error; err != nil {
					return err
				}
			}
		}
		for i := range 4 {
			if err := insert(&models.Blueprint{Name: fmt.Sprintf("b%d", i), State: models.BlueprintActive, GroupID: one(groups)}, &blueprints); err != nil {
				return err
			}
		}
		for range 12 {
			o := &models.Order{Status: models.OrderCart, OwnerID: users[dice.IntN(len(users))], GroupID: one(groups), RecipientID: one(users)}
			if err := insert(o, nil); err != nil {
				return err
			}
			if dice.IntN(2) == 0 {
				it := &models.OrderItem{OrderID: o.ID, Kind: models.ItemDeploy, Position: 1, BlueprintID: blueprints[dice.IntN(len(blueprints))]}
				if err := store.Fault(tx.Create(it).Error); err != nil {
					return err
				}
			}
			x := &models.Service{Status: models.ServiceActive, OwnerID: one(users), GroupID: one(groups), BlueprintID: one(blueprints), OrderID: o.ID, Parameters: []models.Param{}}
			if err := insert(x, &services); err != nil {
				return err
			}
			sv := &models.Server{Status: models.ServerActive, OwnerID: one(users), GroupID: one(groups), ServiceID: one(services), Labels: []string{}, Parameters: []models.Param{}}
			if err := insert(sv, nil); err != nil {
				return err
			}
			p := &models.Job{Type: models.JobDeploy, Status: models.JobQueued, OwnerID: one(users), GroupID: one(groups), ServiceID: one(services), OrderID: o.ID}
			if err := insert(p, nil); err != nil {
				return err
			}
			j := &models.Job{Type: models.JobProvision, Status: models.JobQueued, OwnerID: one(users), GroupID: one(groups), ServerID: sv.ID, ServiceID: one(services), ParentID: p.ID}
			if err := insert(j, nil); err != nil {
				return err
			}
			objects = append(objects, About{models.ObjectOrder, o.ID}, About{models.ObjectService, x.ID}, About{models.ObjectServer, sv.ID}, About{models.ObjectJob, p.ID})
		}
		for _, table := range []string{refdata.Users, refdata.Groups, refdata.Memberships, refdata.Blueprints} {
			tx.Signal(table, 0)
		}
		return nil
	})
	return users, objects
}
