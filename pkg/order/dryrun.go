package order

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
)

// Forecast is the result of a dry run of creating or submitting an order.
type Forecast struct {
	Order     *models.Order // the order afterwards; a new one has no id
	Automatic string        // reason for automatic approval, for people; "" when an approver has to decide
	Approvers []models.ID   // users who can approve by a role; nil with automatic approval
	Quotas    []quota.Effect
	Jobs      []PlannedJob
}

// PlannedJob is a job that the approval of the order would start. Jobs started by
// triggers are not included.
type PlannedJob struct {
	Type  models.JobType
	Name  string // host name of the server, name of the service, or action and target
	After string // name of the job before it that has to end first; "" for none
	Jobs  []PlannedJob
}

// DryCreate returns the forecast of Create, and changes nothing. It fails whenever Create
// would fail. Without Submit in the draft, the forecast leaves out the rules, and an
// exceeded quota is no error.
func (s *Service) DryCreate(ctx context.Context, a access.Actor, d Draft) (*Forecast, error) {
	tx := s.store.Read(ctx)
	o, err := draft(a, d)
	if err != nil {
		return nil, err
	}
	o.CreatedAt, o.UpdatedAt = tx.Now, tx.Now
	p, err := s.plan(tx, a, o, itemPath)
	if err != nil {
		return nil, err
	}
	p.price(o)
	return s.forecast(tx, a, o, p, d.Submit)
}

// DrySubmit returns the forecast of Submit, and changes nothing. It fails whenever Submit
// would fail.
func (s *Service) DrySubmit(ctx context.Context, a access.Actor, ref string) (*Forecast, error) {
	tx := s.store.Read(ctx)
	o, err := find(tx, a, ref)
	if err != nil {
		return nil, err
	}
	if err := CanSubmit(a, o); err != nil {
		return nil, err
	}
	p, err := s.plan(tx, a, o, itemPath)
	if err != nil {
		return nil, err
	}
	p.price(o)
	return s.forecast(tx, a, o, p, true)
}

func (s *Service) forecast(tx *store.Tx, a access.Actor, o *models.Order, p *Plan, submits bool) (*Forecast, error) {
	if submits {
		if err := CanSubmit(a, o); err != nil {
			return nil, err
		}
	}
	f := &Forecast{Order: o, Jobs: p.jobs()}
	if o.GroupID == 0 {
		return f, nil // a cart that cannot be submitted yet
	}
	auto, why, err := s.autoApproved(tx, o, p)
	if err != nil {
		return nil, err
	}
	if submits {
		verdict, err := s.foreseen(tx, a, o, p)
		if err != nil {
			return nil, err
		}
		if auto, why = verdict.over(p, auto, why); auto {
			if _, err := s.hooks.Decide(tx, a, models.PreOrderApprove, o, p, &ExternalApproval{dryPass: true}); err != nil {
				return nil, err
			}
		}
	}
	if auto {
		f.Automatic = why
	} else if f.Approvers, err = s.approvers(tx, o); err != nil {
		return nil, err
	}
	f.Quotas, err = quota.Preview(tx, a, reservations(o, p))
	if err != nil && (submits || !fault.Is(err, fault.Conflict)) {
		return nil, err // a cart may exceed a quota: it reserves nothing yet
	}
	if submits {
		return f, f.submitted(tx, a, auto)
	}
	return f, nil
}

// foreseen returns the verdict of the rules on a submission, or the Conflict with which
// they refuse it. It assumes that external approvers approve.
func (s *Service) foreseen(tx *store.Tx, a access.Actor, o *models.Order, p *Plan) (Verdict, error) {
	return s.hooks.Decide(tx, a, models.PreOrderSubmit, o, p, &ExternalApproval{dryPass: true})
}

// submitted sets the forecast's order to its state after the submission.
func (f *Forecast) submitted(tx *store.Tx, a access.Actor, auto bool) error {
	o := f.Order
	o.SubmittedAt, o.Current = &tx.Now, false
	if !auto {
		return o.MoveTo(models.OrderPending)
	}
	o.ApprovedAt, o.ApprovedByID = &tx.Now, a.ID
	if err := o.MoveTo(models.OrderActive); err != nil || len(f.Jobs) > 0 {
		return err
	}
	o.EndedAt = &tx.Now
	return o.MoveTo(outcome(nil, 0))
}

// approvers returns the users with a role that lets them approve the order once it is
// pending.
func (s *Service) approvers(tx *store.Tx, o *models.Order) ([]models.ID, error) {
	ids, err := s.catalog.Holders(tx.Statement.Context, access.OrderApprove, o.GroupID)
	if err != nil {
		return nil, err
	}
	var out []models.ID
	pending := *o
	pending.Status = models.OrderPending
	for _, id := range ids {
		who, err := s.catalog.Actor(tx.Statement.Context, id)
		if err != nil {
			return nil, err
		}
		if CanApprove(who, &pending) == nil {
			out = append(out, id)
		}
	}
	return out, nil
}

// jobs returns the tree of jobs that activate would start for the plan.
func (p *Plan) jobs() []PlannedJob {
	var out []PlannedJob
	for _, svc := range p.Services {
		parent := PlannedJob{Type: models.JobDeploy, Name: svc.Name}
		stage, before, last := 0, "", ""
		for x := range svc.stages() {
			one := PlannedJob{Type: models.JobAction}
			if x.action != nil {
				one.Name = x.action.Action.Name + " (" + x.action.BuildItem + ")"
			} else {
				one.Type, one.Name = models.JobProvision, svc.Servers[x.server].Hostname
			}
			if x.stage > stage {
				stage, before = x.stage, last
			}
			one.After, last = before, one.Name
			parent.Jobs = append(parent.Jobs, one)
		}
		out = append(out, parent)
	}
	for _, sv := range p.Servers {
		out = append(out, PlannedJob{Type: models.JobProvision, Name: sv.Hostname})
	}
	for _, r := range p.Runs {
		out = append(out, PlannedJob{Type: models.JobAction, Name: r.Name + " on " + r.On})
	}
	for _, m := range p.Mods {
		out = append(out, PlannedJob{Type: models.JobModify, Name: m.Server.Hostname})
	}
	for _, d := range p.Decoms {
		parents := map[models.ID]*PlannedJob{} // of the services whose servers are parts of one job
		of := d.Services
		if d.Scaled != nil {
			of = []*models.Service{d.Scaled}
		}
		var removals []*PlannedJob
		for _, svc := range of {
			if d.Scaled != nil || d.several(svc) {
				parents[svc.ID] = &PlannedJob{Type: models.JobDeploy, Name: svc.Name}
				removals = append(removals, parents[svc.ID])
			}
		}
		for _, sv := range d.Servers {
			one := PlannedJob{Type: models.JobDecom, Name: sv.Hostname}
			if parent := parents[sv.ServiceID]; parent != nil {
				parent.Jobs = append(parent.Jobs, one)
			} else {
				removals = append(removals, &one)
			}
		}
		for _, x := range removals {
			out = append(out, *x)
		}
	}
	return out
}
