package job

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// Step is one short, idempotent piece of a job. Run, which may be nil, does the work
// outside of the database: no transaction is open then. Apply, which may be nil, is
// called after each Run that returned no error, in the very transaction that records
// the result: it is not called if another worker has taken the step over. Its changes
// to the memo and the job are saved.
type Step struct {
	provider.Step
	Apply func(tx *store.Tx, j *models.Job, memo provider.Memo) error
}

// Steps turns a provider's steps into a job's.
func Steps(list ...provider.Step) []Step {
	out := make([]Step, len(list))
	for i, s := range list {
		out[i] = Step{Step: s}
	}
	return out
}

// Kind defines the jobs of one type. The methods that take a transaction are called in
// the one in which the job's status changes, with the job's row locked; their changes
// to j are saved with it. They may be called again when that transaction is repeated,
// and must not reach outside of it.
type Kind interface {
	// Steps returns the steps of the job. It is called again before each step, perhaps
	// by another process: steps that have not started follow the latest list, and
	// finished steps are recognized by their names. It reads only, and calls no back
	// end.
	Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]Step, error)
	// Cleanup returns the steps that undo a job canceled while it ran. The memo is the
	// one of its steps.
	Cleanup(ctx context.Context, read *store.Tx, j *models.Job, memo provider.Memo) ([]Step, error)
	// Started is called when a worker begins the job, also after a retry.
	Started(tx *store.Tx, j *models.Job) error
	// Succeeded is called when all steps are done. An error fails the job.
	Succeeded(tx *store.Tx, j *models.Job, memo provider.Memo) error
	// Failed is called when the job is given up.
	Failed(tx *store.Tx, j *models.Job, memo provider.Memo, reason string) error
	// Canceled is called when the job was canceled before it began, or when all of
	// its cleanup is done.
	Canceled(tx *store.Tx, j *models.Job, memo provider.Memo) error
	// Retried is called when a job is retried. It returns the names of finished steps
	// that must run again, and an error if a retry is impossible.
	Retried(tx *store.Tx, j *models.Job) (again []string, err error)
}

// Base is a Kind without steps, for others to embed.
type Base struct{}

// Steps implements Kind.
func (Base) Steps(context.Context, *store.Tx, *models.Job) ([]Step, error) { return nil, nil }

// Cleanup implements Kind.
func (Base) Cleanup(context.Context, *store.Tx, *models.Job, provider.Memo) ([]Step, error) {
	return nil, nil
}

// Started implements Kind.
func (Base) Started(*store.Tx, *models.Job) error { return nil }

// Succeeded implements Kind.
func (Base) Succeeded(*store.Tx, *models.Job, provider.Memo) error { return nil }

// Failed implements Kind.
func (Base) Failed(*store.Tx, *models.Job, provider.Memo, string) error { return nil }

// Canceled implements Kind.
func (Base) Canceled(*store.Tx, *models.Job, provider.Memo) error { return nil }

// Retried implements Kind.
func (Base) Retried(*store.Tx, *models.Job) ([]string, error) { return nil, nil }
