package servercount_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/servercount"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
	"halcyon/pkg/tenancy"
)

// site is an installation with a few places for servers to be in.
type site struct {
	*testing.T
	store        *store.Store
	environments []models.ID
	groups       []models.ID
}

func newSite(t *testing.T, s *store.Store) *site {
	t.Helper()
	x := &site{T: t, store: s, environments: []models.ID{0}, groups: []models.ID{0}}
	if err := tenancy.Bootstrap(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	err := s.InTx(t.Context(), func(tx *store.Tx) error {
		for i := range 3 {
			e, g := &models.Environment{Name: fmt.Sprint("e", i)}, &models.Group{Name: fmt.Sprint("g", i), Type: "Team"}
			if err := errors.Join(store.Insert(tx, e), store.Insert(tx, g)); err != nil {
				return err
			}
			x.environments, x.groups = append(x.environments, e.ID), append(x.groups, g.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// combination is what is counted by.
type combination struct {
	EnvironmentID, GroupID models.ID
	Status                 models.ServerStatus
}

// numbers reads a number for each combination, those that are 0 left out.
func (x *site) numbers(tx *store.Tx, statement string) map[combination]int64 {
	x.Helper()
	var rows []struct {
		EnvironmentID, GroupID models.ID
		Status                 models.ServerStatus
		N                      int64
	}
	if err := tx.Raw(statement).Scan(&rows).Error; err != nil {
		x.Error(err)
	}
	m := map[combination]int64{}
	for _, r := range rows {
		if r.N != 0 {
			m[combination{r.EnvironmentID, r.GroupID, r.Status}] = r.N
		}
	}
	return m
}

// agree holds the counters against the rows.
func (x *site) agree(tx *store.Tx, when string) {
	x.Helper()
	counted := x.numbers(tx, "SELECT environment_id, group_id, status, count(*) AS n FROM servers GROUP BY environment_id, group_id, status")
	keeps := x.numbers(tx, "SELECT environment_id, group_id, status, CAST(sum(n) AS bigint) AS n FROM server_counts GROUP BY environment_id, group_id, status")
	if diff := cmp.Diff(counted, keeps); diff != "" {
		x.Errorf("%s: counted and kept differ (-counted +kept)\n%s", when, diff)
	}
}

func pick[T any](dice *rand.Rand, list []T) T { return list[dice.IntN(len(list))] }

var errUndo = errors.New("undone on purpose")

// change does something to the servers, some of it in vain.
func (x *site) change(dice *rand.Rand, watch bool) error {
	err := x.store.InTx(x.Context(), func(tx *store.Tx) error {
		for range 1 + dice.IntN(3) {
			if err := x.step(tx, dice); err != nil {
				return err
			}
			if watch { // the transaction's own counters are right before it commits
				x.agree(tx, "within a transaction")
			}
		}
		if dice.IntN(4) == 0 {
			return errUndo
		}
		return nil
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

func (x *site) step(tx *store.Tx, dice *rand.Rand) error {
	one := "id = (SELECT min(id) FROM servers WHERE id >= ?)"
	at := dice.IntN(60)
	switch dice.IntN(8) {
	case 0, 1, 2:
		sv := &models.Server{
			Hostname: "s", Status: pick(dice, models.ServerStatuses), EnvironmentID: pick(dice, x.environments), GroupID: pick(dice, x.groups), AddedAt: tx.Now,
		}
		return store.Insert(tx, sv)
	case 3: // many at once, by one statement
		return tx.Exec(`INSERT INTO servers (uuid, global_id, created_at, updated_at, hostname, status, added_at, environment_id, group_id)
			SELECT uuid || 'x' || CAST(? AS text), global_id || 'x' || CAST(? AS text), created_at, updated_at, hostname, status, added_at, environment_id, group_id FROM servers WHERE id % 7 = ?`,
			fmt.Sprint(dice.Int64()), fmt.Sprint(dice.Int64()), dice.IntN(7)).Error
	case 4:
		return tx.Exec("UPDATE servers SET status = ? WHERE "+one, pick(dice, models.ServerStatuses), at).Error
	case 5:
		return tx.Exec("UPDATE servers SET environment_id = ?, group_id = ? WHERE "+one, pick(dice, x.environments), pick(dice, x.groups), at).Error
	case 6:
		return tx.Exec("UPDATE servers SET notes = 'changed', status = status WHERE "+one, at).Error
	default:
		if err := tx.Exec("DELETE FROM servers WHERE id % 5 = ?", dice.IntN(5)).Error; err != nil {
			return err
		}
		return tx.Exec("DELETE FROM servers WHERE "+one, at).Error
	}
}

// After any changes, within transactions and after them, undone ones among them,
// the counters say what counting says; compacting changes nothing about it.
func TestCountersAreRight(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newSite(t, s)
		dice := rand.New(rand.NewPCG(7, 7))
		for i := range 150 {
			if err := x.change(dice, true); err != nil {
				t.Fatal(err)
			}
			x.agree(s.Read(t.Context()), fmt.Sprint("after change ", i))
			if i%20 == 19 {
				if err := servercount.Compact(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				x.agree(s.Read(t.Context()), fmt.Sprint("compacted after change ", i))
				var more int64
				if err := s.Read(t.Context()).Raw("SELECT count(*) FROM server_counts WHERE NOT base").Row().Scan(&more); err != nil || more != 0 {
					t.Errorf("%d rows are not compacted, %v", more, err)
				}
			}
		}
		if n := x.numbers(s.Read(t.Context()), "SELECT 0 AS environment_id, 0 AS group_id, '' AS status, count(*) AS n FROM servers"); len(n) == 0 {
			t.Error("no server is left: that proves little")
		}
	})
}

// The same with many who change servers, and compact, at once.
func TestCountersAreRightSideBySide(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newSite(t, s)
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				dice := rand.New(rand.NewPCG(uint64(i), 1))
				for range 60 {
					if err := x.change(dice, false); err != nil {
						t.Error(err)
						return
					}
					if dice.IntN(5) == 0 {
						if err := servercount.Compact(t.Context(), s); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		x.agree(s.Read(t.Context()), "at last")
		if err := servercount.Compact(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		x.agree(s.Read(t.Context()), "compacted at last")
	})
}
