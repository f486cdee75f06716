package server

import (
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/store"
)

// This file keeps the servers to one action at a time. The server's row names the
// open job that has it, so that a guard, and with it a document, needs no look at
// the jobs; the row changes in the transactions in which the job does.

// act begins an action on a server that is locked, on behalf of the owner.
func (s *Service) act(tx *store.Tx, a access.Actor, sv *models.Server, owner models.ID, action string, args models.JobArgs) (*models.Job, error) {
	j, err := s.jobs.InsertTx(tx, job.Spec{
		Type: models.JobAction, Action: action, Args: args,
		OwnerID: owner, GroupID: sv.GroupID,
		ServerID: sv.ID, ServiceID: sv.ServiceID, HandlerID: sv.HandlerID,
	})
	if err != nil {
		return nil, err
	}
	sv.ActionJobID = j.ID
	if err := save(tx, sv); err != nil {
		return nil, err
	}
	return j, history.Add(tx, a, models.ObjectServer, sv.ID, action, "Job id "+j.ID.String(), nil, nil)
}

// underway gives the job that does already what the actor asks for, nil when
// refused is about anything else. No two snapshots are the same.
func underway(tx *store.Tx, a access.Actor, sv *models.Server, action string, args models.JobArgs, refused error) *models.Job {
	if sv.ActionJobID == 0 || action == ActionSnapshot || !fault.Is(refused, fault.Conflict) {
		return nil
	}
	j, err := store.First[models.Job](tx.Where("id = ? AND action = ?", sv.ActionJobID, action))
	if err != nil || j.OwnerID != a.ID || j.Args.Ref != args.Ref || j.Ended() {
		return nil
	}
	return j
}

// actionBegan is told of every job that is tried again.
func (s *Service) actionBegan(tx *store.Tx, j *models.Job) error {
	if j.Type != models.JobAction || j.ServerID == 0 {
		return nil
	}
	sv, err := lock(tx, j.ServerID)
	if err != nil || sv.ActionJobID == j.ID {
		return err
	}
	if err := unoccupied(sv); err != nil {
		return err
	}
	sv.ActionJobID = j.ID
	return save(tx, sv)
}

// actionEnded is told of every job that ends.
func (s *Service) actionEnded(tx *store.Tx, j *models.Job) error {
	if j.Type != models.JobAction || j.ServerID == 0 {
		return nil
	}
	sv, err := lock(tx, j.ServerID)
	if err != nil || sv.ActionJobID != j.ID {
		return err
	}
	sv.ActionJobID = 0
	return save(tx, sv)
}

// again is a Conflict when an action could not be tried again now.
func (k action) again(sv *models.Server) error {
	if err := state(sv, "acted upon", models.ServerActive); err != nil {
		return err
	}
	return unoccupied(sv)
}

// Retryable implements job.Retryable.
func (k action) Retryable(tx *store.Tx, j *models.Job) error {
	sv, err := load(tx, j)
	if err != nil {
		return err
	}
	return k.again(sv)
}

// Retried implements job.Kind.
func (k action) Retried(tx *store.Tx, j *models.Job) ([]string, error) {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return nil, err
	}
	// What it saw of the machine is out of date.
	return []string{"record", "record-snapshots"}, k.again(sv)
}

// busy says what works on the living servers of a service, "" when nothing does.
func busy(tx *store.Tx, service models.ID) (string, error) {
	rows, err := store.Find[models.Server](tx.Select("id", "hostname", "status", "action_job_id").
		Where("service_id = ? AND (action_job_id IS NOT NULL AND status <> ? OR status IN ?)", service, models.ServerHistorical,
			[]models.ServerStatus{models.ServerProv, models.ServerModify, models.ServerDecom}).Order("id").Limit(1))
	if err != nil {
		return "", fmt.Errorf("servers of service %s: %w", service, err)
	}
	switch {
	case len(rows) == 0:
		return "", nil
	case rows[0].ActionJobID != 0:
		return fmt.Sprintf("Job id %s is still at work on its server %s.", rows[0].ActionJobID, rows[0].Hostname), nil
	}
	return fmt.Sprintf("Its server %s is being worked on. Current state of server is %s", rows[0].Hostname, rows[0].Status), nil
}

// Occupy moves a server into a state in which it is worked on. It is a Conflict
// while something else works on it.
func Occupy(tx *store.Tx, id models.ID, to models.ServerStatus) error {
	sv, err := lock(tx, id)
	if err != nil {
		return err
	}
	if err := unoccupied(sv); err != nil {
		return err
	}
	if err := sv.MoveTo(to); err != nil {
		return err
	}
	return store.Save(tx, sv, "status")
}
