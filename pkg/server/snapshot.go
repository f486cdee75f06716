package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// This file manages the snapshots of servers. The back end holds them; jobs about
// snapshots and refresh_info update our rows.

// The actions on an existing snapshot.
const (
	actionRevert         = "revert_snapshot"
	actionRemoveSnapshot = "remove_snapshot"
)

// ListSnapshots returns a page of the snapshots of the servers that the actor sees.
func (s *Service) ListSnapshots(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Snapshot], error) {
	return query.List[models.Snapshot](s.store.Read(ctx), Snapshots, a, q, opts...)
}

// FindSnapshot returns a snapshot with its server.
func (s *Service) FindSnapshot(ctx context.Context, a access.Actor, ref string) (*models.Snapshot, error) {
	return findSnapshot(s.store.Read(ctx), a, ref)
}

func findSnapshot(tx *store.Tx, a access.Actor, ref string) (*models.Snapshot, error) {
	sn, err := query.Find[models.Snapshot](tx, Snapshots, a, ref)
	if err != nil {
		return nil, err
	}
	sn.Server, err = FindTx(tx, a, sn.ServerID.String())
	return sn, err
}

// CanRevert guards reverting to a snapshot. It discards later changes of the machine, so it takes the right
// to change the server.
func CanRevert(a access.Actor, sn *models.Snapshot) error {
	if err := manageable(a, sn.Server, "go back to the snapshots of"); err != nil {
		return err
	}
	return idle(sn.Server, "brought back to a snapshot")
}

// CanRemoveSnapshot guards the removal of a snapshot.
func CanRemoveSnapshot(a access.Actor, sn *models.Snapshot) error {
	if err := manageable(a, sn.Server, "remove the snapshots of"); err != nil {
		return err
	}
	return idle(sn.Server, "relieved of a snapshot")
}

// Revert reverts a server to a snapshot, as a job.
func (s *Service) Revert(ctx context.Context, a access.Actor, ref string) (*models.Job, error) {
	return s.actOn(ctx, a, ref, actionRevert, CanRevert)
}

// RemoveSnapshot removes a snapshot, as a job. Those that were taken later stay.
func (s *Service) RemoveSnapshot(ctx context.Context, a access.Actor, ref string) (*models.Job, error) {
	return s.actOn(ctx, a, ref, actionRemoveSnapshot, CanRemoveSnapshot)
}

func (s *Service) actOn(ctx context.Context, a access.Actor, ref, action string, guard func(access.Actor, *models.Snapshot) error) (*models.Job, error) {
	var out *models.Job
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		sn, err := findSnapshot(tx, a, ref)
		if err != nil {
			return err
		}
		if sn.Server, err = lock(tx, sn.ServerID); err != nil {
			return err
		}
		args := models.JobArgs{Name: sn.Name, Ref: sn.BackendRef}
		if err := guard(a, sn); err != nil {
			if out = underway(tx, a, sn.Server, action, args, err); out != nil {
				return nil
			}
			return err
		}
		out, err = s.act(tx, a, sn.Server, a.ID, action, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// named returns the name of a new snapshot: the requested one, or one made of the current time. Names need
// not be unique, here or in vSphere: scripts send the same each week.
func named(tx *store.Tx, asked string) string {
	if asked != "" {
		return asked
	}
	return "halcyon-" + tx.Now.Format("20060102-150405")
}

// snapshotSteps returns the steps of an action on snapshots. The last one updates the
// rows.
func (k action) snapshotSteps(p provider.Provider, sv *models.Server, j *models.Job) []job.Step {
	var steps []job.Step
	switch j.Action {
	case ActionSnapshot:
		steps = append(steps, lookStep(p, sv, j.Args.Name))
		steps = append(steps, job.Steps(p.Snapshot(sv.BackendRef, provider.SnapshotSpec{
			Name: j.Args.Name, Description: j.Args.Text, Memory: j.Args.Memory,
		})...)...)
	case actionRevert:
		steps = job.Steps(p.Revert(sv.BackendRef, j.Args.Ref)...)
	case actionRemoveSnapshot:
		steps = job.Steps(p.RemoveSnapshot(sv.BackendRef, j.Args.Ref)...)
	}
	return append(steps, k.snapshotsStep(p, sv))
}

// lookStep returns a step that records the machine's snapshots with the name, so that the new one can be
// told apart.
func lookStep(p provider.Provider, sv *models.Server, name string) job.Step {
	return job.Step{Step: provider.Step{
		Name: "look-snapshots", Title: "Looking at the snapshots of " + sv.Hostname,
		Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			if _, looked := memo[provider.MemoKnownSnapshots]; looked {
				return 0, nil
			}
			list, err := p.Snapshots(ctx, sv.BackendRef)
			if err != nil {
				return 0, err
			}
			var known []string
			for _, sn := range list {
				if sn.Name == name {
					known = append(known, sn.Ref)
				}
			}
			memo[provider.MemoKnownSnapshots] = strings.Join(known, " ")
			return 0, nil
		},
	}}
}

// snapshotsStep returns the step that copies the machine's snapshots into our rows.
func (m machines) snapshotsStep(p provider.Provider, sv *models.Server) job.Step {
	var seen []provider.Snapshot
	return job.Step{
		Step: provider.Step{
			Name: "record-snapshots", Title: "Reading what snapshots " + sv.Hostname + " has",
			Run: func(ctx context.Context, _ provider.Memo) (_ time.Duration, err error) {
				seen, err = p.Snapshots(ctx, sv.BackendRef)
				return 0, err
			},
		},
		Apply: func(tx *store.Tx, _ *models.Job, _ provider.Memo) error {
			if _, err := lock(tx, sv.ID); err != nil { // lock: one at a time
				return err
			}
			return observeSnapshots(tx, sv.ID, seen)
		},
	}
}

// observeSnapshots updates the rows of a server's snapshots to match the back end.
func observeSnapshots(tx *store.Tx, server models.ID, seen []provider.Snapshot) error {
	rows, err := store.Find[models.Snapshot](tx.ForUpdate().Where("server_id = ?", server))
	if err != nil {
		return fmt.Errorf("snapshots of server %s: %w", server, err)
	}
	byRef := map[string]*models.Snapshot{}
	for i := range rows {
		byRef[rows[i].BackendRef] = &rows[i]
	}
	for _, s := range seen {
		row := byRef[s.Ref]
		delete(byRef, s.Ref)
		fresh := row == nil
		if fresh {
			row = &models.Snapshot{ServerID: server, BackendRef: s.Ref, TakenAt: tx.Now}
			if !s.Created.IsZero() {
				row.TakenAt = s.Created.UTC().Truncate(time.Microsecond)
			}
		}
		changed := false
		put(&changed, &row.Name, s.Name)
		put(&changed, &row.Description, s.Description)
		put(&changed, &row.SizeMB, s.SizeMB)
		put(&changed, &row.Current, s.Current)
		switch {
		case fresh:
			err = store.Insert(tx, row)
		case changed:
			err = store.Save(tx, row)
		}
		if err != nil {
			return fmt.Errorf("snapshot %s of server %s: %w", s.Ref, server, err)
		}
	}
	for _, gone := range byRef {
		if err := store.Fault(tx.Delete(gone).Error); err != nil {
			return fmt.Errorf("forget snapshot %s: %w", gone.ID, err)
		}
	}
	return nil
}

// forgetSnapshots deletes the rows for a server without a machine.
func forgetSnapshots(tx *store.Tx, server models.ID) error {
	if err := tx.Where("server_id = ?", server).Delete(&models.Snapshot{}).Error; err != nil {
		return fmt.Errorf("forget the snapshots of server %s: %w", server, store.Fault(err))
	}
	return nil
}
