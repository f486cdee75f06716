package store_test

import (
	"context"
	"testing"

	"halcyon/models"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// References that are deleted with a row do not block its deletion; other references do.
func TestReferred(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		top := &models.Group{Name: "Top"}
		below := &models.Group{Name: "Below"}
		u := &models.User{Username: "somebody", Active: true}
		r := &models.Role{Name: "anything", Permissions: []string{}}
		err := s.InTx(ctx, func(tx *store.Tx) error {
			for _, row := range []models.Keyed{top, u, r} {
				if err := store.Insert(tx, row); err != nil {
					return err
				}
			}
			below.ParentID = top.ID
			if err := store.Insert(tx, below); err != nil {
				return err
			}
			return store.Insert(tx, &models.Membership{UserID: u.ID, GroupID: below.ID, RoleID: r.ID})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			table string
			id    models.ID
			want  bool
		}{
			{"groups", top.ID, true},    // from the group below
			{"groups", below.ID, false}, // a membership is deleted with its group
			{"users", u.ID, false},
			{"roles", r.ID, true},
			{"memberships", 1, false},
		} {
			got, err := store.Referred(s.Read(ctx), c.table, c.id)
			if err != nil || got != c.want {
				t.Errorf("%s %s: %t, %v", c.table, c.id, got, err)
			}
		}
	})
}
