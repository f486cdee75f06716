// Package quota limits what groups and environments take: servers, processors,
// memory, disk, money. What a server takes is written in its row, what an order
// takes that waits for approval in rows of its own, and each quota counts the sum
// of both in the transaction that changes it.
package quota

import (
	"context"
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Service serves the quotas.
type Service struct {
	Quotas crud.Table[models.Quota, *models.Quota]

	groups Groups
}

// Groups knows the tree of groups.
type Groups interface {
	// Ancestry returns the group and the groups above it.
	Ancestry(ctx context.Context, group models.ID) ([]models.ID, error)
}

// New returns a service.
func New(s *store.Store, groups Groups) *Service {
	admin := func(a access.Actor, _ *models.Quota) error { return CanEdit(a) }
	return &Service{groups: groups, Quotas: crud.Table[models.Quota, *models.Quota]{
		Store: s, Object: models.ObjectQuota, Entity: Quotas,
		CanCreate: admin, CanUpdate: admin, CanDelete: admin, Locks: true,
		Validate: valid,
		Write: func(tx *store.Tx, q *models.Quota) error {
			if q.Version != 1 {
				return nil
			}
			return recount(tx, q) // servers were there before
		},
	}}
}

// OfGroup returns the option that narrows a list of quotas to those that hold for a
// group: its own, and those of the groups above it.
func (s *Service) OfGroup(ctx context.Context, group models.ID) (query.ListOption, error) {
	up, err := s.groups.Ancestry(ctx, group)
	return query.Base(access.In(query.Root+".group_id", up)), err
}

// CanEdit is the guard of every change to the quotas.
func CanEdit(a access.Actor) error { return crud.Admin("change quotas")(a) }

func valid(tx *store.Tx, q *models.Quota) error {
	if err := q.Validate(); err != nil {
		return err
	}
	if q.ID != 0 {
		was, err := store.First[models.Quota](tx.Where("id = ?", q.ID))
		if err != nil {
			return err
		}
		return same(was, q)
	}
	var twins int64
	err := tx.Model(&models.Quota{}).Where("coalesce(group_id, 0) = ? AND coalesce(environment_id, 0) = ? AND kind = ?",
		int64(q.GroupID), int64(q.EnvironmentID), q.Kind).Count(&twins).Error
	if err != nil {
		return store.Fault(err)
	}
	if twins > 0 {
		of, err := scope(tx, q)
		if err != nil {
			return err
		}
		return fault.Conflictf("There is a quota of %s for %s already.", q.Kind, of)
	}
	return nil
}

// same refuses to make another quota of one that has been counting.
func same(was, is *models.Quota) error {
	var bad []fault.Field
	for _, x := range []struct {
		name string
		same bool
	}{{"group", was.GroupID == is.GroupID}, {"environment", was.EnvironmentID == is.EnvironmentID}, {"kind", was.Kind == is.Kind}} {
		if !x.same {
			bad = append(bad, fault.Field{Path: fault.Member(x.name), Reason: "stays as it is: make another quota instead"})
		}
	}
	return fault.InvalidFields(bad)
}

// Mismatch is the query that finds quotas whose counter is not the sum of what is
// reserved: id, used, and the sum. There are none, whenever it is asked.
const Mismatch = `SELECT id, used, reserved FROM (` + sums + `) s WHERE used <> reserved`

// sums returns every quota's counter and what it should be. Scope 0 is every group.
const sums = `WITH RECURSIVE above (id, scope) AS (
		SELECT id, id FROM groups
		UNION SELECT a.id, g.parent_id FROM above a JOIN groups g ON g.id = a.scope WHERE g.parent_id IS NOT NULL),
	taken AS (
		SELECT group_id, environment_id, reserved_servers, reserved_cpus, reserved_memory_mb, reserved_disk_gb, reserved_rate
		FROM servers WHERE reserved_servers <> 0
		UNION ALL
		SELECT group_id, environment_id, reserved_servers, reserved_cpus, reserved_memory_mb, reserved_disk_gb, reserved_rate
		FROM reservations),
	places AS (
		SELECT group_id, environment_id, sum(reserved_servers) AS servers, sum(reserved_cpus) AS cpus,
			sum(reserved_memory_mb) AS memory_mb, sum(reserved_disk_gb) AS disk_gb, sum(reserved_rate) AS rate
		FROM taken GROUP BY group_id, environment_id),
	held AS (
		SELECT a.scope, p.* FROM places p JOIN above a ON a.id = p.group_id
		UNION ALL
		SELECT 0, p.* FROM places p)
	SELECT q.id, q.used, CAST(coalesce(sum(CASE q.kind
		WHEN 'servers' THEN h.servers WHEN 'cpu' THEN h.cpus WHEN 'memory' THEN h.memory_mb
		WHEN 'disk' THEN h.disk_gb ELSE h.rate END), 0) AS bigint) AS reserved
	FROM quotas q LEFT JOIN held h
		ON h.scope = coalesce(q.group_id, 0) AND (q.environment_id IS NULL OR h.environment_id = q.environment_id)
	GROUP BY q.id, q.used`

// Regroup counts again after the tree of groups has changed.
func Regroup(tx *store.Tx) error {
	var n int64
	if err := tx.Model(&models.Quota{}).Where("group_id IS NOT NULL").Limit(1).Count(&n).Error; err != nil {
		return store.Fault(err)
	}
	if n == 0 {
		return nil
	}
	return recount(tx, nil)
}

// recount sets the counters to what is reserved, and q's with them. Nobody reserves
// meanwhile: whoever did so before has committed and is in the sum, and whoever
// comes later finds the new quota, or the new tree, when its own transaction ends.
func recount(tx *store.Tx, q *models.Quota) error {
	if tx.Dialect() == store.Postgres {
		if err := tx.Exec("LOCK TABLE reservations, servers IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
			return fmt.Errorf("count the quotas: %w", store.Fault(err))
		}
	}
	var wrong []struct {
		ID       models.ID
		Reserved int64
	}
	if err := tx.Raw(Mismatch).Scan(&wrong).Error; err != nil {
		return fmt.Errorf("count the quotas: %w", store.Fault(err))
	}
	for _, w := range wrong {
		err := tx.Exec("UPDATE quotas SET used = ?, version = version + 1, updated_at = ? WHERE id = ?", w.Reserved, tx.Now, w.ID).Error
		if err != nil {
			return fmt.Errorf("count in quota %s: %w", w.ID, store.Fault(err))
		}
		if q != nil && q.ID == w.ID {
			q.Used = w.Reserved
			q.Version++
		}
	}
	return nil
}
