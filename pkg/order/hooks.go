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

// Hooks runs the automation rules of administrators at the steps of an order and of its
// servers. Without rules for a step, a method makes no query. Methods with a transaction
// call no external system.
type Hooks interface {
	// Consults reports whether a rule may ask an external approver about submissions or
	// approvals.
	Consults(ctx context.Context) (bool, error)
	// Decide applies the rules to a submission or an approval, before it takes effect. A
	// Conflict refuses it, with the message of the rule.
	Decide(tx *store.Tx, a access.Actor, t models.Trigger, o *models.Order, p *Plan, c *ExternalApproval) (Verdict, error)
	// Follow starts the jobs that follow a submission or an approval.
	Follow(tx *store.Tx, a access.Actor, t models.Trigger, o *models.Order, p *Plan) error
	// Before starts the prerequisites of the job of spec. It returns the last of them,
	// which has to succeed before that job starts, or 0.
	Before(tx *store.Tx, t models.Trigger, w Work, spec job.Spec) (models.ID, error)
	// Ended starts the jobs that follow a job. It runs in the transaction that ends the
	// job, with any status.
	Ended(tx *store.Tx, j *models.Job) error

	// Offered checks that the actor may run the action of an item on the server or the
	// service; the other one is nil. It sets the item's name and brings the parameters to
	// their canonical form. The error is Forbidden or Conflict by the guard of the action,
	// or Invalid with the member of the item.
	Offered(tx *store.Tx, a access.Actor, it *models.ActionItem, sv *models.Server, svc *models.Service) (requiresApproval bool, err error)
	// Run starts the action of an item.
	Run(tx *store.Tx, o *models.Order, it *models.OrderItem) error
	// FitApplications returns the ids of the applications that an item refers to by id or
	// name. For references that do not fit servers of the OS build, it returns the reasons
	// by index in wrong, and the names of the applications that fit in known.
	FitApplications(tx *store.Tx, refs []string, build *models.OSBuild) (ids []models.ID, wrong map[int]string, known []string, err error)
}

// Verdict is the result of the rules for a submission.
type Verdict struct {
	Approval Approval
	By       string // name of the rule; "" with ByPolicy
}

// Approval is a decision about the need for approval.
type Approval int

// The decisions.
const (
	ByPolicy Approval = iota // no rule applies: the policy of the group or the environments decides
	Required
	Granted
)

// Work is the context of a server's job.
type Work struct {
	Order   *models.Order
	Item    *models.OrderItem
	Server  *models.Server
	Service *models.Service // nil for none
}

// ExternalApproval collects the answers of external approvers to one submission or
// approval. Calls are made outside of transactions: a dry pass, which is rolled back,
// lists them first.
type ExternalApproval struct {
	dryPass bool
	calls   []Call
	agreed  map[string]bool
}

// Call is a request to an external approver.
type Call struct {
	Key  string                          // identifies the approver and the content of the request
	Send func(ctx context.Context) error // returns a Conflict with the approver's message when it refuses
}

// Ask requires the approval of a call. In the dry pass it only lists the call. In the
// real pass it returns a Conflict for a call that the dry pass did not list.
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

// withApprovals runs fn in a transaction. When fn asks external approvers, that
// transaction is a dry pass, and is rolled back. After all of them have approved, fn runs
// again in a second transaction, which commits.
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

// Use sets the hooks. Without a call of Use, or with nil, the service has none. Call it
// before the service handles orders.
func (s *Service) Use(h Hooks) {
	if h == nil {
		h = noHooks{}
	}
	s.hooks = h
}

// noHooks is an installation without rules, actions and applications.
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
