package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
)

// decom removes a server's machine.
type decom struct{ machines }

const memoGone = "gone"

// Steps implements job.Kind.
func (k decom) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	if sv.HandlerID == 0 || sv.Status == models.ServerHistorical {
		return nil, nil
	}
	p, _, err := k.pool.For(ctx, sv.HandlerID)
	if err != nil {
		return nil, err
	}
	return job.Steps(p.Destroy(sv.BackendRef, sv.UUID)...), nil
}

// Cleanup implements job.Kind: a deleted machine cannot be restored, but its state must be known.
func (k decom) Cleanup(ctx context.Context, read *store.Tx, j *models.Job, _ provider.Memo) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	if sv.HandlerID == 0 {
		return nil, nil
	}
	p, _, err := k.pool.For(ctx, sv.HandlerID)
	if err != nil {
		return nil, err
	}
	var seen provider.Machine
	return []job.Step{{
		Step: provider.Step{
			Name: "look", Title: "Looking what is left of " + sv.Hostname,
			Run: func(ctx context.Context, memo provider.Memo) (_ time.Duration, err error) {
				if sv.BackendRef != "" {
					seen, err = p.Inspect(ctx, sv.BackendRef)
				} else {
					seen, err = p.Find(ctx, sv.UUID)
				}
				if fault.Is(err, fault.NotFound) {
					memo[memoGone] = "yes"
					return 0, nil
				}
				return 0, err
			},
		},
		Apply: func(tx *store.Tx, _ *models.Job, memo provider.Memo) error {
			if memo[memoGone] != "" {
				return nil
			}
			row, err := lock(tx, sv.ID)
			if err != nil || !observe(row, seen) {
				return err
			}
			return save(tx, row)
		},
	}}, nil
}

// Started implements job.Kind. The order may have moved the server already.
func (k decom) Started(tx *store.Tx, j *models.Job) error {
	return move(tx, j, models.ServerDecom, models.ServerHistorical)
}

// Succeeded implements job.Kind.
func (k decom) Succeeded(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	j.Output = fmt.Sprintf("Server %s (ID %s) was deleted.", sv.Hostname, sv.ID)
	if sv.Status == models.ServerHistorical {
		return nil
	}
	if err := retire(tx, sv); err != nil {
		return err
	}
	sv.BackendRef = "" // the back end may give it to another machine
	return settle(tx, sv, "decommissioned", "Job id "+j.ID.String())
}

// Failed implements job.Kind.
func (k decom) Failed(tx *store.Tx, j *models.Job, _ provider.Memo, reason string) error {
	return k.back(tx, j, "decommissioning failed", reason)
}

// Canceled implements job.Kind.
func (k decom) Canceled(tx *store.Tx, j *models.Job, memo provider.Memo) error {
	if memo[memoGone] != "" {
		return k.Succeeded(tx, j, memo)
	}
	return k.back(tx, j, "decommissioning canceled", "Job id "+j.ID.String())
}

func (k decom) back(tx *store.Tx, j *models.Job, event, message string) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if sv.Status != models.ServerDecom {
		return nil
	}
	to := models.ServerActive
	if sv.BackendRef == "" {
		to = models.ServerProvFailed // it was never complete
	}
	if err := sv.MoveTo(to); err != nil {
		return err
	}
	return settle(tx, sv, event, message)
}

// Retryable implements job.Retryable.
func (k decom) Retryable(tx *store.Tx, j *models.Job) error {
	return still(tx, j, "deleted", models.ServerActive, models.ServerProvFailed)
}

// still returns a Conflict unless the job's server is in one of the states.
func still(tx *store.Tx, j *models.Job, participle string, in ...models.ServerStatus) error {
	sv, err := store.First[models.Server](tx.Select("id", "status", "action_job_id").Where("id = ?", j.ServerID))
	if err != nil {
		return err
	}
	if err := state(sv, participle, in...); err != nil {
		return err
	}
	return unoccupied(sv)
}

// Retried implements job.Kind.
func (k decom) Retried(tx *store.Tx, j *models.Job) ([]string, error) {
	return nil, move(tx, j, models.ServerDecom)
}

// move sets the job's server to a busy state, unless it is already in that state or in one of the
// alternatives.
func move(tx *store.Tx, j *models.Job, to models.ServerStatus, or ...models.ServerStatus) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	for _, st := range append(or, to) {
		if sv.Status == st {
			return nil
		}
	}
	if err := unoccupied(sv); err != nil {
		return err
	}
	if err := sv.MoveTo(to); err != nil {
		return err
	}
	return settle(tx, sv, "", "")
}

// modify changes a server's machine, and the price and parameters in its row.
type modify struct{ machines }

// The machine's state before the change, for cleanup after cancellation.
const (
	memoCPUs   = "was_cpus"
	memoMemory = "was_memory_mb"
)

// Steps implements job.Kind.
func (k modify) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	change := provider.Change{CPUs: j.Args.CPUs, MemoryMB: j.Args.MemoryMB, DiskUUID: j.Args.DiskUUID, DiskGB: j.Args.DiskGB}
	if change == (provider.Change{}) {
		return nil, nil
	}
	p, err := k.machine(ctx, sv)
	if err != nil {
		return nil, err
	}
	before := job.Step{Step: provider.Step{
		Name: "inspect", Title: "Looking at " + sv.Hostname,
		Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			if memo[memoCPUs] != "" {
				return 0, nil
			}
			m, err := p.Inspect(ctx, sv.BackendRef)
			if err != nil {
				return 0, err
			}
			memo[memoCPUs], memo[memoMemory] = strconv.Itoa(m.CPUs), strconv.Itoa(m.MemoryMB)
			return 0, nil
		},
	}}
	steps := append([]job.Step{before}, job.Steps(p.Modify(sv.BackendRef, change)...)...)
	return append(steps, k.recordStep(p, sv, sv.BackendRef)), nil
}

// machine returns the provider of a server that must have a machine.
func (m machines) machine(ctx context.Context, sv *models.Server) (provider.Provider, error) {
	if sv.HandlerID == 0 || sv.BackendRef == "" {
		return nil, fault.Conflictf("The server %s has no machine in a back end.", sv.Hostname)
	}
	p, _, err := m.pool.For(ctx, sv.HandlerID)
	return p, err
}

// Cleanup implements job.Kind: it restores processors and memory. A disk that has grown
// keeps its size.
func (k modify) Cleanup(ctx context.Context, read *store.Tx, j *models.Job, memo provider.Memo) ([]job.Step, error) {
	cpus, _ := strconv.Atoi(memo[memoCPUs])
	memory, _ := strconv.Atoi(memo[memoMemory])
	if cpus == 0 && memory == 0 {
		return nil, nil // not started yet
	}
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	p, err := k.machine(ctx, sv)
	if err != nil {
		return nil, err
	}
	change := provider.Change{}
	if j.Args.CPUs != 0 {
		change.CPUs = cpus
	}
	if j.Args.MemoryMB != 0 {
		change.MemoryMB = memory
	}
	var steps []job.Step
	if change != (provider.Change{}) {
		steps = job.Steps(p.Modify(sv.BackendRef, change)...)
	}
	return append(steps, k.recordStep(p, sv, sv.BackendRef)), nil
}

// Started implements job.Kind. The order may have moved the server already.
func (k modify) Started(tx *store.Tx, j *models.Job) error { return move(tx, j, models.ServerModify) }

// Succeeded implements job.Kind.
func (k modify) Succeeded(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if err := sv.MoveTo(models.ServerActive); err != nil {
		return err
	}
	a := j.Args
	if a.CPUs != 0 {
		sv.CPUs = a.CPUs
	}
	if a.MemoryMB != 0 {
		sv.MemoryMB = a.MemoryMB
	}
	if a.SizeID != 0 {
		sv.SizeID = a.SizeID
	}
	if a.Rate != nil {
		sv.Rate, sv.HardwareRate, sv.SoftwareRate, sv.ExtraRate = a.Rate.Total(), a.Rate.Hardware, a.Rate.Software, a.Rate.Extra
	}
	if a.Params != nil {
		sv.Parameters = a.Params
	}
	switch a.Expires {
	case "":
	case models.Never:
		sv.Lease("")
	default:
		sv.Lease(a.Expires)
	}
	j.Output = fmt.Sprintf("Server %s (ID %s) was modified.", sv.Hostname, sv.ID)
	return settle(tx, sv, "modified", "Job id "+j.ID.String())
}

// Failed implements job.Kind.
func (k modify) Failed(tx *store.Tx, j *models.Job, _ provider.Memo, reason string) error {
	return k.back(tx, j, "modification failed", reason)
}

// Canceled implements job.Kind.
func (k modify) Canceled(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	return k.back(tx, j, "modification canceled", "Job id "+j.ID.String())
}

func (k modify) back(tx *store.Tx, j *models.Job, event, message string) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if sv.Status != models.ServerModify {
		return nil
	}
	if err := sv.MoveTo(models.ServerActive); err != nil {
		return err
	}
	return settle(tx, sv, event, message)
}

// Retryable implements job.Retryable.
func (k modify) Retryable(tx *store.Tx, j *models.Job) error {
	return still(tx, j, "modified", models.ServerActive)
}

// Retried implements job.Kind.
func (k modify) Retried(tx *store.Tx, j *models.Job) ([]string, error) {
	if err := move(tx, j, models.ServerModify); err != nil {
		return nil, err
	}
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return nil, err
	}
	quota.ClaimChange(tx, sv, j.Args)
	return nil, save(tx, sv)
}

// action runs an action on a server's machine, or reads its state.
type action struct{ machines }

// Steps implements job.Kind.
func (k action) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	p, err := k.machine(ctx, sv)
	if err != nil {
		return nil, err
	}
	var steps []job.Step
	switch j.Action {
	case ActionPowerOn:
		steps = job.Steps(p.Power(sv.BackendRef, provider.OpPowerOn)...)
	case ActionPowerOff:
		steps = job.Steps(p.Power(sv.BackendRef, provider.OpPowerOff)...)
	case ActionReboot:
		steps = job.Steps(p.Power(sv.BackendRef, provider.OpReboot)...)
	case ActionSnapshot, actionRevert, actionRemoveSnapshot, ActionRefresh:
		steps = k.snapshotSteps(p, sv, j)
	default:
		return nil, fault.Invalidf("There is no action %q.", j.Action)
	}
	return append(steps, k.recordStep(p, sv, sv.BackendRef)), nil
}

// Cleanup implements job.Kind: it does not switch the machine back, but reads its
// state.
func (k action) Cleanup(ctx context.Context, read *store.Tx, j *models.Job, _ provider.Memo) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	p, err := k.machine(ctx, sv)
	if err != nil {
		return nil, err
	}
	steps := []job.Step{k.recordStep(p, sv, sv.BackendRef)}
	if slices.Contains([]string{ActionSnapshot, actionRevert, actionRemoveSnapshot}, j.Action) {
		steps = append(steps, k.snapshotsStep(p, sv))
	}
	return steps, nil
}

// Started implements job.Kind.
func (k action) Started(tx *store.Tx, j *models.Job) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	return state(sv, "acted upon", models.ServerActive)
}

// Succeeded implements job.Kind.
func (k action) Succeeded(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	sv, err := load(tx, j)
	if err != nil {
		return err
	}
	did := "is " + string(sv.PowerStatus)
	switch j.Action {
	case ActionReboot:
		did = "was rebooted"
	case ActionRefresh:
		did = "was refreshed and is " + string(sv.PowerStatus)
	case ActionSnapshot:
		did = "has the snapshot " + j.Args.Name
	case actionRevert:
		did = "is back at the snapshot " + j.Args.Name + " and " + string(sv.PowerStatus)
	case actionRemoveSnapshot:
		did = "has lost the snapshot " + j.Args.Name
	}
	j.Output = fmt.Sprintf("Server %s (ID %s) %s.", sv.Hostname, sv.ID, did)
	return nil
}
