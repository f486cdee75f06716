package order

import (
	"context"
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/quota"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// priced writes the plan's price and summary into the order and its items.
func (s *Service) priced(tx *store.Tx, o *models.Order, p *Plan) error {
	for i := range o.Items {
		if err := store.Fault(tx.DB.Omit("created_at").Save(&o.Items[i]).Error); err != nil {
			return err
		}
	}
	p.price(o)
	return store.Save(tx, o)
}

// price sets the rate and the summary of the order.
func (p *Plan) price(o *models.Order) { o.Rate, o.Summary = p.Rate, p.summary() }

// summary returns a description of the plan for people.
func (p *Plan) summary() string {
	var parts []string
	add := func(verb string, names []string) {
		if len(names) == 0 {
			return
		}
		const most = 3
		if len(names) > most {
			names = append(names[:most:most], fmt.Sprintf("%d more", len(names)-most))
		}
		parts = append(parts, verb+" of "+strings.Join(names, ", "))
	}
	var made, changed, removed, run []string
	for _, svc := range p.Services {
		for _, sv := range svc.Servers {
			made = append(made, sv.Hostname)
		}
	}
	for _, sv := range p.Servers {
		made = append(made, sv.Hostname)
	}
	for _, m := range p.Mods {
		changed = append(changed, m.Server.Hostname)
	}
	for _, d := range p.Decoms {
		for _, sv := range d.Servers {
			removed = append(removed, sv.Hostname)
		}
		if len(d.Servers) == 0 {
			for _, svc := range d.Services {
				removed = append(removed, svc.Name)
			}
		}
	}
	add("Provisioning", made)
	add("Modification", changed)
	add("Deletion", removed)
	for _, r := range p.Runs {
		run = append(run, r.Name+" on "+r.On)
	}
	add("Run", run)
	return strings.Join(parts, "; ")
}

// Submit sends the cart for approval; without need for approval it starts the jobs. It leaves a pending
// order of the actor unchanged.
func (s *Service) Submit(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return s.decide(ctx, a, ref, func(tx *store.Tx, o *models.Order, c *ExternalApproval) error {
		if o.Status == models.OrderPending && a.ID != 0 && o.OwnerID == a.ID {
			return nil // clients that get an order submit it, whatever its status
		}
		if err := CanSubmit(a, o); err != nil {
			return err
		}
		p, err := s.plan(tx, a, o, itemPath)
		if err != nil {
			return err
		}
		if err := s.priced(tx, o, p); err != nil {
			return err
		}
		return s.submit(tx, a, o, p, c)
	})
}

// decide runs fn on the locked order.
func (s *Service) decide(ctx context.Context, a access.Actor, ref string, fn func(tx *store.Tx, o *models.Order, c *ExternalApproval) error) (*models.Order, error) {
	var o *models.Order
	err := s.withApprovals(ctx, func(tx *store.Tx, c *ExternalApproval) (err error) {
		if o, err = lock(tx, a, ref); err != nil {
			return err
		}
		return fn(tx, o, c)
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (s *Service) submit(tx *store.Tx, a access.Actor, o *models.Order, p *Plan, c *ExternalApproval) error {
	if err := CanSubmit(a, o); err != nil {
		return err
	}
	verdict, err := s.hooks.Decide(tx, a, models.PreOrderSubmit, o, p, c)
	if err != nil {
		return err
	}
	o.SubmittedAt = &tx.Now
	o.Current = false
	if err := s.record(tx, a, o, "submitted", ""); err != nil {
		return err
	}
	auto, why, err := s.autoApproved(tx, o, p)
	if err != nil {
		return err
	}
	if auto, why = verdict.over(p, auto, why); !auto {
		if err := o.MoveTo(models.OrderPending); err != nil {
			return err
		}
		if why != "" {
			if err := s.record(tx, a, o, "waiting", why); err != nil {
				return err
			}
		}
		if err := quota.Keep(tx, o.ID, reservations(o, p)); err != nil {
			return err
		}
		if err := store.Save(tx, o); err != nil {
			return err
		}
		return s.hooks.Follow(tx, a, models.PostOrderSubmit, o, p)
	}
	if err := s.record(tx, a, o, "approved", why); err != nil {
		return err
	}
	return s.activate(tx, a, o, p, c, models.PostOrderSubmit)
}

// over applies the rules, and the actions that require approval, to the policy's
// decision. It reports whether the order is approved, and the reason.
func (v Verdict) over(p *Plan, auto bool, why string) (bool, string) {
	for _, r := range p.Runs {
		if r.Approval {
			return false, r.Name + " requires approval"
		}
	}
	if p.idle() {
		return true, "Approved automatically: there is nothing to do"
	}
	switch v.Approval {
	case Required:
		return false, "Approval is required by the rule " + v.By
	case Granted:
		return true, "Approved automatically by the rule " + v.By
	case ByPolicy:
	}
	if !auto {
		return false, ""
	}
	return auto, why
}

// autoApproved reports whether the policy approves the order automatically: the policy of the group, or
// that of every environment in the order. It also returns the reason.
func (s *Service) autoApproved(tx *store.Tx, o *models.Order, p *Plan) (bool, string, error) {
	g, err := s.catalog.Group(tx, o.GroupID)
	if err != nil {
		return false, "", err
	}
	if g.AutoApproval {
		return true, "Approved automatically for " + g.Name, nil
	}
	for _, env := range p.envs {
		if !env.AutoApproval {
			return false, "", nil
		}
	}
	return len(p.envs) > 0, "Approved automatically for its environments", nil
}

// Approve approves a pending order and starts its jobs.
func (s *Service) Approve(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return s.decide(ctx, a, ref, func(tx *store.Tx, o *models.Order, c *ExternalApproval) error {
		if err := CanApprove(a, o); err != nil {
			return err
		}
		owner, err := s.catalog.Actor(tx.Statement.Context, o.OwnerID)
		if err != nil {
			return err
		}
		// The catalogue may have changed since the submission. The plan uses the rights of the owner, not
		// those of the approver.
		p, err := s.plan(tx, owner, o, itemPath)
		if err != nil {
			return err
		}
		if err := s.priced(tx, o, p); err != nil {
			return err
		}
		if err := s.record(tx, a, o, "approved", ""); err != nil {
			return err
		}
		if err := quota.Free(tx, o.ID); err != nil { // the servers hold the reservations from here on
			return err
		}
		return s.activate(tx, a, o, p, c)
	})
}

// maxReason is the maximum length of the reason of a denial, in bytes.
const maxReason = 4096

// Deny ends a pending order.
func (s *Service) Deny(ctx context.Context, a access.Actor, ref, reason string) (*models.Order, error) {
	return s.decide(ctx, a, ref, func(tx *store.Tx, o *models.Order, _ *ExternalApproval) error {
		if err := CanDeny(a, o); err != nil {
			return err
		}
		if err := o.MoveTo(models.OrderDenied); err != nil {
			return err
		}
		if len(reason) > maxReason {
			return fault.InvalidField(fault.Member("reason"), "has more than %d bytes", maxReason)
		}
		o.DenyReason, o.EndedAt = reason, &tx.Now
		if err := s.record(tx, a, o, "denied", reason); err != nil {
			return err
		}
		if err := quota.Free(tx, o.ID); err != nil {
			return err
		}
		return store.Save(tx, o)
	})
}

// Cancel cancels an order. Running jobs are told to stop and to clean up; the order is CANCELED when the
// last of them has ended.
func (s *Service) Cancel(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	return s.decide(ctx, a, ref, func(tx *store.Tx, o *models.Order, _ *ExternalApproval) error {
		if err := CanCancel(a, o); err != nil {
			return err
		}
		o.CancelRequestedAt = &tx.Now
		if err := s.record(tx, a, o, "canceled", ""); err != nil {
			return err
		}
		if o.Status != models.OrderActive {
			if err := o.MoveTo(models.OrderCanceled); err != nil {
				return err
			}
			if err := quota.Free(tx, o.ID); err != nil {
				return err
			}
			o.EndedAt = &tx.Now
			return store.Save(tx, o)
		}
		if err := store.Save(tx, o); err != nil {
			return err
		}
		open, err := store.Find[models.Job](tx.Where("order_id = ? AND parent_id IS NULL AND status IN ?", o.ID, openJobs).Order("id"))
		if err != nil {
			return err
		}
		for i := range open {
			if err := s.jobs.CancelTx(tx, a, &open[i]); err != nil {
				return err
			}
		}
		// Jobs that had not started have ended by now, and perhaps the order with them.
		fresh, err := lockID(tx, o.ID)
		if err != nil {
			return err
		}
		*o = *fresh
		return nil
	})
}

var openJobs = []models.JobStatus{models.JobPending, models.JobQueued, models.JobRunning, models.JobToCancel}

// activate creates the services, servers and jobs of the plan, which starts the order. It then starts the
// jobs that follow the triggers in after and the approval itself.
func (s *Service) activate(tx *store.Tx, a access.Actor, o *models.Order, p *Plan, c *ExternalApproval, after ...models.Trigger) error {
	if _, err := s.hooks.Decide(tx, a, models.PreOrderApprove, o, p, c); err != nil {
		return err
	}
	if err := o.MoveTo(models.OrderActive); err != nil {
		return err
	}
	o.ApprovedAt, o.ApprovedByID = &tx.Now, a.ID
	if err := store.Save(tx, o); err != nil {
		return err
	}
	if err := s.build(tx, o, p); err != nil {
		return err
	}
	for _, m := range p.Mods {
		if err := s.start(tx, o, m.Item, m.Server, models.ServerModify, models.JobModify, m.Args, 0); err != nil {
			return err
		}
	}
	for i := range p.Decoms {
		if err := s.decommission(tx, o, &p.Decoms[i]); err != nil {
			return err
		}
	}
	for i := range p.Runs {
		if err := s.hooks.Run(tx, o, p.Runs[i].Item); err != nil {
			return err
		}
	}
	for _, t := range append(after, models.PostOrderApprove) {
		if err := s.hooks.Follow(tx, a, t, o, p); err != nil {
			return err
		}
	}
	if !p.idle() {
		return nil
	}
	return s.finish(tx, o) // nothing to do: the order ends at once
}

// start sets a server to a transitional status and starts the job that ends it, as a child of parent unless
// that is 0.
func (s *Service) start(tx *store.Tx, o *models.Order, it *models.OrderItem, sv *models.Server, to models.ServerStatus, t models.JobType, args models.JobArgs, parent models.ID) error {
	if err := server.Occupy(tx, sv.ID, to, args); err != nil {
		return err
	}
	spec := job.Spec{
		Type: t, ParentID: parent, OrderID: o.ID, OrderItemID: it.ID, OwnerID: o.OwnerID, GroupID: o.GroupID,
		HandlerID: sv.HandlerID, ServerID: sv.ID, ServiceID: sv.ServiceID, Args: args,
	}
	before := models.PreModify
	if t == models.JobDecom {
		before = models.PreDecom
	}
	var err error
	if spec.PrerequisiteID, err = s.hooks.Before(tx, before, Work{o, it, sv, nil}, spec); err != nil {
		return err
	}
	_, err = s.jobs.InsertTx(tx, spec)
	return err
}

// recipient returns the owner of the results of an order.
func recipient(o *models.Order) models.ID {
	if o.RecipientID != 0 {
		return o.RecipientID
	}
	return o.OwnerID
}

// record writes a line of the order's history.
func (s *Service) record(tx *store.Tx, a access.Actor, o *models.Order, event, message string) error {
	return history.Add(tx, a, models.ObjectOrder, o.ID, event, message, nil, nil)
}

// Modify submits an order that changes one server by the parameters. disk may be "" if the server has one
// disk.
func (s *Service) Modify(ctx context.Context, a access.Actor, sv *models.Server, params []models.Param, disk string) (*models.Order, error) {
	return s.Create(ctx, a, Draft{
		GroupID: sv.GroupID, Submit: true, place: onlyOne,
		Items: []models.OrderItem{{Kind: models.ItemMod, Mod: &models.ModItem{EnvironmentID: sv.EnvironmentID, ServerID: sv.ID, Parameters: params, DiskUUID: disk}}},
	})
}
