package server

import (
	"fmt"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
)

// This file limits each server to one action at a time. The server's row names the job that occupies it, so
// that guards, and with them documents, need not read the jobs. The row changes in the same transactions as
// the job.

// act starts an action on a locked server, on behalf of the owner.
func (s *Service) act(tx *store.Tx, a access.Actor, sv *models.Server, owner models.ID, action string, args models.JobArgs) (*models.Job, error) {
	j, err := s.jobs.InsertTx(tx, job.Spec{
		Type: models.JobAction, Action: action, Args: args,
		OwnerID: owner, GroupID: sv.GroupID,
		ServerID: sv.ID, ServiceID: sv.ServiceID, HandlerID: sv.HandlerID,
	})
	if err != nil {
		return nil, err
	}
	if err := Engage(tx, sv, j); err != nil {
		return nil, err
	}
	return j, history.Add(tx, a, models.ObjectServer, sv.ID, action, "Job id "+j.ID.String(), nil, nil)
}

// Engage assigns a locked server to the job of an action until the job ends.
func Engage(tx *store.Tx, sv *models.Server, j *models.Job) error {
	sv.ActionJobID = j.ID
	return save(tx, sv)
}

// underway returns the running job that equals the actor's request, or nil if refused has another reason.
// Two snapshots are never equal.
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

// actionBegan is called for every retried job.
func (s *Service) actionBegan(tx *store.Tx, j *models.Job) error {
	if j.Type != models.JobAction || j.ServerID == 0 || j.Triggered() {
		return nil // a job of a trigger is part of the job that has the server
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

// actionEnded is called for every job that ends.
func (s *Service) actionEnded(tx *store.Tx, j *models.Job) error {
	if j.Type != models.JobAction || j.ServerID == 0 {
		return nil
	}
	return Disengage(tx, j.ServerID, j.ID)
}

// Disengage releases the server from the job, if the job has it, so that other jobs can
// use it.
func Disengage(tx *store.Tx, id, of models.ID) error {
	sv, err := lock(tx, id)
	if err != nil || sv.ActionJobID != of {
		return err
	}
	sv.ActionJobID = 0
	return save(tx, sv)
}

// again returns a Conflict if the action cannot be retried now.
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
	// The recorded state of the machine is out of date.
	return []string{"record", "record-snapshots"}, k.again(sv)
}

// busy returns the work in progress on a service or its living servers, "" if it is idle.
func busy(tx *store.Tx, service models.ID) (string, error) {
	rows, err := store.Find[models.Server](tx.Select("id", "hostname", "status", "action_job_id").
		Where("service_id = ? AND (action_job_id IS NOT NULL AND status <> ? OR status IN ?)", service, models.ServerHistorical,
			[]models.ServerStatus{models.ServerProv, models.ServerModify, models.ServerDecom}).Order("id").Limit(1))
	if err != nil {
		return "", fmt.Errorf("servers of service %s: %w", service, err)
	}
	switch {
	case len(rows) == 0:
		return acted(tx, service)
	case rows[0].ActionJobID != 0:
		return fmt.Sprintf("Job id %s is still at work on its server %s.", rows[0].ActionJobID, rows[0].Hostname), nil
	}
	return fmt.Sprintf("Its server %s is being worked on. Current state of server is %s", rows[0].Hostname, rows[0].Status), nil
}

// acted returns the action in progress on a service as a whole, "" if it is idle.
func acted(tx *store.Tx, service models.ID) (string, error) {
	jobs, err := store.Find[models.Job](tx.Select("id", "type").
		Where("service_id = ? AND server_id IS NULL AND type = ? AND status IN ?", service, models.JobAction, openJobs).Order("id").Limit(1))
	if err != nil || len(jobs) == 0 {
		return "", err
	}
	return fmt.Sprintf("Job id %s (%s) is still at work on this service.", jobs[0].ID, jobs[0].Type.Title()), nil
}

// Occupy changes a server to a busy status and reserves the quota by which it grows. It
// returns a Conflict while the server is busy.
func Occupy(tx *store.Tx, id models.ID, to models.ServerStatus, args models.JobArgs) error {
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
	if to == models.ServerModify {
		quota.ClaimChange(tx, sv, args)
	}
	return store.Save(tx, sv, append(slices.Clone(quota.Columns), "status")...)
}
