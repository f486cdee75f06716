package order

import (
	"context"
	"strconv"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/store"
)

// Hooks are what administrators have happen in the life of orders, and of the
// servers that they make, change and remove. Where nothing is to happen they ask
// the database nothing. The methods that take a transaction reach nothing outside
// of it.
type Hooks interface {
	// Consults reports whether somebody outside may have to agree to submissions or
	// approvals.
	Consults(ctx context.Context) (bool, error)
	// Decide is asked before an order is submitted or approved. An error refuses:
	// Conflict with the words of whatever refused.
	Decide(tx *store.Tx, a access.Actor, t models.Trigger, o *models.Order, p *Plan, c *ExternalApproval) (Verdict, error)
	// Follow starts what comes after a submission or an approval.
	Follow(tx *store.Tx, a access.Actor, t models.Trigger, o *models.Order, p *Plan) error
	// Before starts what has to end well before the job of spec begins, and gives
	// the job to wait for, 0 for none.
	Before(tx *store.Tx, t models.Trigger, w Work, spec job.Spec) (models.ID, error)
	// Ended starts what comes after a job. It is called in the transaction that ends
	// it, whatever its end.
	Ended(tx *store.Tx, j *models.Job) error

	// Offered checks that the actor may run what the item says, and completes it: the
	// name and the canonical parameters. Forbidden and Conflict are the guard's,
	// Invalid names a member of the item.
	Offered(tx *store.Tx, a access.Actor, it *models.ActionItem, sv *models.Server, svc *models.Service) (requiresApproval bool, err error)
	// Run starts what the item says.
	Run(tx *store.Tx, o *models.Order, it *models.OrderItem) error
	// FitApplications resolves what an item calls applications to their ids. It gives
	// a complaint for each that cannot be put on servers of the OS build, and the
	// names of those that can when there are any complaints.
	FitApplications(tx *store.Tx, refs []string, build *models.OSBuild) (ids []models.ID, wrong map[int]string, known []string, err error)
}

// Verdict is what rules make of a submission.
type Verdict struct {
	Approval Approval
	By       string // the rule that says so
}

// Approval is whether an order needs one.
type Approval int

// What a rule may say of approval.
const (
	ByPolicy Approval = iota // nothing: the group's and the environments' policy decides
	Required
	Granted
)

// Work is what the job of a server is about.
type Work struct {
	Order   *models.Order
	Item    *models.OrderItem
	Server  *models.Server
	Service *models.Service // nil for none
}

// ExternalApproval collects the answers of external approvers to one submission or
// approval. No call is made while a transaction is open: a dry pass, which is rolled
// back, finds out who has to approve what.
type ExternalApproval struct {
	dryPass bool
	calls   []Call
	agreed  map[string]bool
}

// Call is a question to somebody outside.
type Call struct {
	Key  string                          // says what is asked by whom, in which version
	Send func(ctx context.Context) error // a Conflict refuses, with the words of whoever was asked
}

// Ask has the call made before the transaction counts. It is a Conflict when it
// turns out to be needed only after the others have been asked.
func (c *ExternalApproval) Ask(call Call) error {
	switch {
	case c.dryPass:
		c.calls = append(c.calls, call)
		return nil
	case c.agreed[call.Key]:
		return nil
	}
	return fault.Conflictf("What has to be asked for before this changed meanwhile. Try again.")
}

// withApprovals runs fn, which decides on an order, in a transaction. Where external
// approvers have to answer, that transaction is a dry pass and rolled back; once all
// have approved, fn runs again in a second one, which counts.
func (s *Service) withApprovals(ctx context.Context, fn func(tx *store.Tx, c *ExternalApproval) error) error {
	consults, err := s.hooks.Consults(ctx)
	if err != nil {
		return err
	}
	c := &ExternalApproval{dryPass: consults}
	ask := false
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		c.calls, ask = nil, false
		if err := fn(tx, c); err != nil {
			return err
		}
		if len(c.calls) > 0 {
			ask = true
			return fault.Conflictf("The order is not decided yet.")
		}
		return nil
	})
	if !ask {
		return err
	}
	c.dryPass, c.agreed = false, map[string]bool{}
	for _, call := range c.calls {
		if err := call.Send(ctx); err != nil {
			return err
		}
		c.agreed[call.Key] = true
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error { return fn(tx, c) })
}

// Use has the hooks happen; nil is for none, which is how it begins.
func (s *Service) Use(h Hooks) {
	if h == nil {
		h = noHooks{}
	}
	s.hooks = h
}

// noHooks is nothing to happen.
type noHooks struct{}

func (noHooks) Consults(context.Context) (bool, error) { return false, nil }

func (noHooks) Decide(*store.Tx, access.Actor, models.Trigger, *models.Order, *Plan, *ExternalApproval) (Verdict, error) {
	return Verdict{}, nil
}

func (noHooks) Follow(*store.Tx, access.Actor, models.Trigger, *models.Order, *Plan) error {
	return nil
}

func (noHooks) Before(*store.Tx, models.Trigger, Work, job.Spec) (models.ID, error) { return 0, nil }

func (noHooks) Ended(*store.Tx, *models.Job) error { return nil }

func (noHooks) Offered(*store.Tx, access.Actor, *models.ActionItem, *models.Server, *models.Service) (bool, error) {
	return false, fault.InvalidField(fault.Member("action"), "does not exist")
}

func (noHooks) Run(*store.Tx, *models.Order, *models.OrderItem) error { return nil }

func (noHooks) FitApplications(_ *store.Tx, refs []string, _ *models.OSBuild) ([]models.ID, map[int]string, []string, error) {
	wrong := map[int]string{}
	for i, ref := range refs {
		wrong[i] = strconv.Quote(ref) + " does not exist"
	}
	return nil, wrong, nil, nil
}
