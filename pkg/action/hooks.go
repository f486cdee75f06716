package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/store"
)

// This file runs hooks at trigger points: it implements order.Hooks.

var _ order.Hooks = (*Service)(nil)

// Consults implements order.Hooks.
func (s *Service) Consults(ctx context.Context) (bool, error) {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return false, err
	}
	return defs.hasApprovalWebhooks, nil
}

// Decide implements order.Hooks.
func (s *Service) Decide(tx *store.Tx, a access.Actor, t models.Trigger, o *models.Order, p *order.Plan, c *order.ExternalApproval) (order.Verdict, error) {
	v := order.Verdict{}
	m := triggerEvent{trigger: t, facts: func() (*Facts, error) {
		f := s.orderFacts(tx, o, p)
		if o.CreatedAt.Equal(tx.Now) {
			f.Order.ID = "" // the id may change when the order is stored
		}
		return f, nil
	}}
	err := s.forEachHook(tx, m, func(h hook, f *Facts) error {
		if h.action.Kind == models.ActionWebhook {
			return s.askWebhook(tx, c, t, h, f)
		}
		switch h.action.BuiltIn {
		case models.BuiltInRefuse:
			message, _ := models.ParamValue(h.action.Settings, "message")
			return fault.Conflictf("%s (%s)", message, displayName(h.by))
		case models.BuiltInRequireApproval:
			if v.Approval == order.ByPolicy { // the first hook decides
				v = order.Verdict{Approval: order.Required, By: h.by.Name}
			}
		case models.BuiltInApprove:
			if v.Approval == order.ByPolicy {
				v = order.Verdict{Approval: order.Granted, By: h.by.Name}
			}
		case models.BuiltInAddLabel, models.BuiltInAddNote, models.BuiltInSetParameter, models.BuiltInSetExpiration, models.BuiltInPowerOn,
			models.BuiltInPowerOff, models.BuiltInReboot, models.BuiltInRefresh, models.BuiltInSnapshot, models.BuiltInDecommission:
		}
		return nil
	})
	return v, err
}

// triggerEvent is a trigger point that was reached.
type triggerEvent struct {
	trigger models.Trigger
	facts   func() (*Facts, error) // called only if there are hooks
	// undecided handles a condition that cannot be evaluated; nil returns a Conflict.
	undecided func(message string) error
}

// forEachHook calls do for the hooks of a trigger point whose conditions are true, in
// order.
func (s *Service) forEachHook(tx *store.Tx, m triggerEvent, do func(h hook, f *Facts) error) error {
	ctx := tx.Statement.Context
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return err
	}
	list := defs.hooks[m.trigger]
	if len(list) == 0 {
		return nil
	}
	f, err := m.facts()
	if err != nil {
		return err
	}
	for _, h := range list {
		ok, err := s.conditions.holds(ctx, scopeOf(m.trigger), h.condition, f)
		var undecided *undecidedError
		switch {
		case errors.As(err, &undecided):
			message := displayName(h.by) + ": " + undecided.reason + "."
			if m.undecided == nil {
				return fault.New(fault.Conflict, "%s", message)
			}
			err = m.undecided(message)
		case err == nil && ok:
			err = do(h, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recordFailure returns a handler that records a condition that cannot be evaluated in
// the history, for trigger points after the fact.
func recordFailure(tx *store.Tx, object string, id models.ID) func(message string) error {
	return func(message string) error {
		return history.Add(tx, system, object, id, "hook failed", message, nil, nil)
	}
}

// displayName returns the kind and name of the definition that runs an action, for
// people.
func displayName(by models.Named) string {
	kind := strings.ReplaceAll(by.Kind, "-", " ")
	return strings.ToUpper(kind[:1]) + kind[1:] + " '" + by.Name + "'"
}

// orderFacts returns the facts of an order.
func (s *Service) orderFacts(tx *store.Tx, o *models.Order, p *order.Plan) *Facts {
	n := factReader{tx.Statement.Context, s.refdata}
	return &Facts{Order: n.order(o, p), Group: n.group(o.GroupID), User: n.user(o.OwnerID)}
}

// approvalTimeout limits a webhook that approves orders, since the caller waits for it.
const approvalTimeout = 5 * time.Second

// askWebhook calls a webhook that must approve the order.
func (s *Service) askWebhook(tx *store.Tx, c *order.ExternalApproval, t models.Trigger, h hook, f *Facts) error {
	body, err := payload(string(t), tx.Now, h.action, h.by, nil, nil, f)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s %s %s v%d, action v%d", t, h.by.Kind, h.by.ID, h.version, h.action.Version)
	return c.Ask(order.Call{Key: key, Send: func(ctx context.Context) error {
		timeout := min(time.Duration(h.action.Timeout)*time.Second, approvalTimeout)
		_, _, err := s.send(ctx, h.action, messageID(), body, timeout)
		if err == nil {
			return nil
		}
		return fault.Wrap(fault.Conflict, err, "%s did not agree. %s", displayName(h.by), fault.Message(err))
	}})
}

// Follow implements order.Hooks.
func (s *Service) Follow(tx *store.Tx, _ access.Actor, t models.Trigger, o *models.Order, p *order.Plan) error {
	m := triggerEvent{
		trigger: t, facts: func() (*Facts, error) { return s.orderFacts(tx, o, p), nil },
		undecided: recordFailure(tx, models.ObjectOrder, o.ID),
	}
	return s.forEachHook(tx, m, func(h hook, f *Facts) error {
		// The order may change before the job runs, so the facts are stored now.
		known, err := json.Marshal(f)
		if err != nil {
			return err
		}
		spec := job.Spec{OrderID: o.ID, OwnerID: o.OwnerID, GroupID: o.GroupID}
		spec.Args.Run = &models.RunArgs{Facts: string(known)}
		_, err = s.insert(tx, t, h, spec)
		return err
	})
}

// insert starts a job for a hook.
func (s *Service) insert(tx *store.Tx, t models.Trigger, h hook, spec job.Spec) (*models.Job, error) {
	spec.Type, spec.Action = models.JobAction, h.action.Name
	r := models.RunArgs{ActionID: h.action.ID, By: h.by, Trigger: t}
	if spec.Args.Run != nil {
		r.Facts = spec.Args.Run.Facts
	}
	spec.Args = models.JobArgs{Run: &r}
	return s.jobs.InsertTx(tx, spec)
}

// Before implements order.Hooks. Each job depends on the one before it, and the server's
// job on the last, whose id it returns.
func (s *Service) Before(tx *store.Tx, t models.Trigger, w order.Work, spec job.Spec) (models.ID, error) {
	last := models.ID(0)
	m := triggerEvent{trigger: t, facts: func() (*Facts, error) { return s.workFacts(tx, w) }}
	err := s.forEachHook(tx, m, func(h hook, _ *Facts) error {
		before := spec
		before.PrerequisiteID = last
		j, err := s.insert(tx, t, h, before)
		if err != nil {
			return err
		}
		last = j.ID
		return nil
	})
	return last, err
}

func (s *Service) workFacts(tx *store.Tx, w order.Work) (*Facts, error) {
	n := factReader{tx.Statement.Context, s.refdata}
	f := &Facts{
		Order: n.order(w.Order, nil), Item: n.item(w.Item), Server: n.server(w.Server),
		Group: n.group(w.Order.GroupID), Environment: n.environment(w.Server.EnvironmentID), User: n.user(w.Order.OwnerID),
	}
	svc := w.Service
	if svc == nil && w.Server.ServiceID != 0 {
		var err error
		if svc, err = store.First[models.Service](tx.Where("id = ?", w.Server.ServiceID)); err != nil {
			return nil, err
		}
	}
	if svc != nil {
		f.Service = n.service(svc)
	}
	return f, nil
}

// triggerAfter are the trigger points after successful jobs, by job type.
var triggerAfter = map[models.JobType]models.Trigger{
	models.JobProvision: models.PostProvision,
	models.JobDecom:     models.PostDecom,
	models.JobModify:    models.PostModify,
}

// Ended implements order.Hooks. It starts jobs for the applications of a new server and
// for the hooks after the job, all independent of each other.
func (s *Service) Ended(tx *store.Tx, j *models.Job) error {
	t, ok := triggerAfter[j.Type]
	if !ok || j.Status != models.JobSuccess {
		return nil
	}
	spec := job.Spec{
		ParentID: j.ParentID, Stage: j.Stage, OrderID: j.OrderID, OrderItemID: j.OrderItemID, OwnerID: j.OwnerID, GroupID: j.GroupID,
		HandlerID: j.HandlerID, ServerID: j.ServerID, ServiceID: j.ServiceID,
	}
	if len(j.Args.Applications) > 0 {
		if err := s.install(tx, t, j, spec); err != nil {
			return err
		}
	}
	m := triggerEvent{
		trigger: t, facts: func() (*Facts, error) { return s.factsOf(tx.Statement.Context, tx, j) },
		undecided: recordFailure(tx, models.ObjectServer, j.ServerID),
	}
	return s.forEachHook(tx, m, func(h hook, _ *Facts) error {
		_, err := s.insert(tx, t, h, spec)
		return err
	})
}

// install starts a job for each application of the job's server.
func (s *Service) install(tx *store.Tx, t models.Trigger, j *models.Job, spec job.Spec) error {
	for _, id := range j.Args.Applications {
		app, err := store.First[models.Application](tx.Where("id = ?", id))
		if fault.Is(err, fault.NotFound) {
			if err := history.Add(tx, system, models.ObjectServer, j.ServerID, "application missing", "Application id "+id.String()+" was deleted meanwhile.", nil, nil); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		act, err := store.First[models.Action](tx.Where("id = ?", app.ActionID))
		if err != nil {
			return err
		}
		h := hook{by: models.Named{Kind: models.ByApplication, ID: app.ID, Name: app.Name}, action: act}
		if _, err := s.insert(tx, t, h, spec); err != nil {
			return err
		}
	}
	return nil
}

// FitApplications implements order.Hooks.
func (s *Service) FitApplications(tx *store.Tx, refs []string, build *models.OSBuild) (ids []models.ID, wrong map[int]string, known []string, err error) {
	all, err := store.Find[models.Application](tx.Order("name"))
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range all {
		if err := loadApplication(tx, &all[i]); err != nil {
			return nil, nil, nil, store.Fault(err)
		}
	}
	wrong = map[int]string{}
	seen := map[models.ID]bool{}
	for i, ref := range refs {
		switch app := findApplication(all, ref); {
		case app == nil:
			wrong[i] = fmt.Sprintf("%q does not exist", ref)
		case build != nil && !app.Fits(build):
			wrong[i] = fmt.Sprintf("%s does not fit %s", app.Name, build.Name)
		case seen[app.ID]:
			wrong[i] = app.Name + " is there twice"
		default:
			seen[app.ID] = true
			ids = append(ids, app.ID)
		}
	}
	for i := range all {
		if build == nil || all[i].Fits(build) {
			known = append(known, all[i].Name)
		}
	}
	return ids, wrong, known, nil
}

// findApplication returns the application with the id, global id or UUID, or else with
// the name, ignoring case last. It returns nil if there is none.
func findApplication(all []models.Application, ref string) *models.Application {
	for _, matches := range []func(x *models.Application) bool{
		func(x *models.Application) bool { return x.ID.String() == ref || x.GlobalID == ref || x.UUID == ref },
		func(x *models.Application) bool { return x.Name == ref },
		func(x *models.Application) bool { return strings.EqualFold(x.Name, ref) },
	} {
		for i := range all {
			if matches(&all[i]) {
				return &all[i]
			}
		}
	}
	return nil
}
