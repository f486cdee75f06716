package action

import (
	"context"
	"errors"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file offers actions on servers and services, and runs them.

// Offer is a server action or a service action, as it is offered.
type Offer struct {
	ID     models.ID // of the server action or service action
	Name   string
	Doc    string
	Inputs []models.Input // parameters of the run
}

// Outcome is the result of running an action: a job, or an order that needs approval. The
// other id is 0.
type Outcome struct {
	Job   models.ID
	Order models.ID
}

// OnServers returns the enabled server actions. CanRunOnServer checks whether one can be
// run on a given server.
func (s *Service) OnServers(ctx context.Context) ([]Offer, error) {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return nil, err
	}
	return offers(defs.servers), nil
}

// OnServices returns the enabled service actions.
func (s *Service) OnServices(ctx context.Context) ([]Offer, error) {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return nil, err
	}
	return offers(defs.services), nil
}

func offers(list []offer) []Offer {
	out := make([]Offer, 0, len(list))
	for _, x := range list {
		if x.action != nil {
			out = append(out, Offer{ID: x.by.ID, Name: x.by.Name, Doc: x.doc, Inputs: x.action.Inputs})
		}
	}
	return out
}

// find returns the offer with the id, or NotFound.
func find(list []offer, id models.ID) (*offer, error) {
	i := slices.IndexFunc(list, func(x offer) bool { return x.by.ID == id && x.action != nil })
	if i < 0 {
		return nil, fault.NotFoundf("Not found.")
	}
	return &list[i], nil
}

// CanRunOnServer guards the run of a server action.
func (s *Service) CanRunOnServer(ctx context.Context, a access.Actor, id models.ID, sv *models.Server) error {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return err
	}
	x, err := find(defs.servers, id)
	if err != nil {
		return err
	}
	return s.canRunOnServer(ctx, a, x, sv)
}

func (s *Service) canRunOnServer(ctx context.Context, a access.Actor, x *offer, sv *models.Server) error {
	if err := server.CanRun(a, sv); err != nil {
		return err
	}
	if err := s.canOrder(a, x, sv.GroupID); err != nil {
		return err
	}
	if x.action.Kind == models.ActionBuiltIn {
		if can := builtInGuards[x.action.BuiltIn]; can != nil {
			if err := can(a, sv); err != nil {
				return err
			}
		}
	}
	if x.condition == "" {
		return nil
	}
	n := factReader{ctx, s.refdata}
	f := &Facts{Server: n.server(sv), Group: n.group(sv.GroupID), Environment: n.environment(sv.EnvironmentID), User: n.user(a.ID)}
	return s.checkCondition(ctx, x, scopeServerAction, f, sv.Hostname)
}

// builtInGuards are the guards of the servers' built-in actions.
var builtInGuards = map[models.BuiltIn]func(access.Actor, *models.Server) error{
	models.BuiltInPowerOn:      server.CanPowerOn,
	models.BuiltInPowerOff:     server.CanPowerOff,
	models.BuiltInReboot:       server.CanReboot,
	models.BuiltInSnapshot:     server.CanSnapshot,
	models.BuiltInRefresh:      server.CanRefresh,
	models.BuiltInDecommission: server.CanDecom,
}

// canOrder guards actions that create an order.
func (s *Service) canOrder(a access.Actor, x *offer, group models.ID) error {
	orders := x.approval || x.action.Kind == models.ActionBuiltIn && x.action.BuiltIn == models.BuiltInDecommission
	if !orders {
		return nil
	}
	if s.orders == nil {
		return fault.Conflictf("There are no orders here.")
	}
	return order.CanOrderFor(a, group)
}

// checkCondition returns Conflict unless the offer's condition is true.
func (s *Service) checkCondition(ctx context.Context, x *offer, sc scope, f *Facts, target string) error {
	ok, err := s.conditions.holds(ctx, sc, x.condition, f)
	var undecided *undecidedError
	switch {
	case errors.As(err, &undecided):
		return fault.Conflictf("%s: %s.", displayName(x.by), undecided.reason)
	case err != nil:
		return err
	case !ok:
		return fault.Conflictf("%s is not meant for %s as it is.", x.by.Name, target)
	}
	return nil
}

// CanRunOnService guards the run of a service action.
func (s *Service) CanRunOnService(ctx context.Context, a access.Actor, id models.ID, svc *models.Service) error {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return err
	}
	x, err := find(defs.services, id)
	if err != nil {
		return err
	}
	return s.canRunOnService(ctx, a, x, svc)
}

func (s *Service) canRunOnService(ctx context.Context, a access.Actor, x *offer, svc *models.Service) error {
	if err := server.CanRunService(a, svc); err != nil {
		return err
	}
	if err := s.canOrder(a, x, svc.GroupID); err != nil {
		return err
	}
	if x.condition == "" {
		return nil
	}
	n := factReader{ctx, s.refdata}
	return s.checkCondition(ctx, x, scopeServiceAction, &Facts{Service: n.service(svc), Group: n.group(svc.GroupID), User: n.user(a.ID)}, svc.Name)
}

// RunOnServer runs a server action on the server with the id ref, through an order if it
// requires approval. Invalid parameters are returned as an Invalid fault that lists the
// known ones.
func (s *Service) RunOnServer(ctx context.Context, a access.Actor, ref string, id models.ID, params []models.Param) (Outcome, error) {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return Outcome{}, err
	}
	x, err := find(defs.servers, id)
	if err != nil {
		return Outcome{}, err
	}
	sv, err := query.Find[models.Server](s.store.Read(ctx), server.Servers, a, ref)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.canRunOnServer(ctx, a, x, sv); err != nil {
		return Outcome{}, err
	}
	if params, err = parseInputs(x.action, params, s.store.Now()); err != nil {
		return Outcome{}, err
	}
	if x.approval {
		return s.order(ctx, a, sv.GroupID, &models.ActionItem{ServerID: sv.ID, ActionID: id, Parameters: params})
	}
	var out Outcome
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := store.First[models.Server](tx.ForUpdate().Where("id = ?", sv.ID))
		if err != nil {
			return err
		}
		if err := s.canRunOnServer(ctx, a, x, row); err != nil {
			return err
		}
		j, err := s.start(tx, a, x, job.Spec{OwnerID: a.ID, GroupID: row.GroupID}, row, params)
		if err == nil {
			out.Job = j.ID
		}
		return err
	})
	return out, err
}

// RunOnService runs a service action like RunOnServer. A built-in action runs on each
// server of the service.
func (s *Service) RunOnService(ctx context.Context, a access.Actor, ref string, id models.ID, params []models.Param) (Outcome, error) {
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return Outcome{}, err
	}
	x, err := find(defs.services, id)
	if err != nil {
		return Outcome{}, err
	}
	svc, err := server.ServiceTx(s.store.Read(ctx), a, ref)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.canRunOnService(ctx, a, x, svc); err != nil {
		return Outcome{}, err
	}
	if params, err = parseInputs(x.action, params, s.store.Now()); err != nil {
		return Outcome{}, err
	}
	if x.approval {
		return s.order(ctx, a, svc.GroupID, &models.ActionItem{ServiceID: svc.ID, ActionID: id, Parameters: params})
	}
	var out Outcome
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		if _, err := store.First[models.Service](tx.ForUpdate().Where("id = ?", svc.ID)); err != nil {
			return err
		}
		row, err := server.ServiceTx(tx, a, svc.ID.String())
		if err != nil {
			return err
		}
		if err := s.canRunOnService(ctx, a, x, row); err != nil {
			return err
		}
		j, err := s.start(tx, a, x, job.Spec{OwnerID: a.ID, GroupID: row.GroupID, ServiceID: row.ID}, nil, params)
		if err == nil {
			out.Job = j.ID
		}
		return err
	})
	return out, err
}

// order submits an order for one run of an action.
func (s *Service) order(ctx context.Context, a access.Actor, group models.ID, it *models.ActionItem) (Outcome, error) {
	o, err := s.orders.Create(ctx, a, order.Draft{
		GroupID: group, Submit: true,
		Items: []models.OrderItem{{Kind: models.ItemAction, Action: it}},
	})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Order: o.ID}, nil
}

// start inserts the job of a run on a locked server, or on the service of the spec if sv
// is nil.
func (s *Service) start(tx *store.Tx, a access.Actor, x *offer, spec job.Spec, sv *models.Server, params []models.Param) (*models.Job, error) {
	of, object := spec.ServiceID, models.ObjectService
	if sv != nil {
		of, object = sv.ID, models.ObjectServer
		spec.ServerID, spec.ServiceID, spec.HandlerID = sv.ID, sv.ServiceID, sv.HandlerID
	}
	spec.Type, spec.Action = models.JobAction, x.action.Name
	spec.Args = models.JobArgs{Run: &models.RunArgs{ActionID: x.action.ID, By: x.by, Params: params}}
	j, err := s.jobs.InsertTx(tx, spec)
	if err != nil {
		return nil, err
	}
	if sv != nil {
		if err := server.Engage(tx, sv, j); err != nil {
			return nil, err
		}
	}
	return j, history.Add(tx, a, object, of, strings.ReplaceAll(x.by.Kind, "-", " "), x.by.Name+": Job id "+j.ID.String(), nil, nil)
}

// Offered implements order.Hooks.
func (s *Service) Offered(tx *store.Tx, a access.Actor, it *models.ActionItem, sv *models.Server, svc *models.Service) (bool, error) {
	ctx := tx.Statement.Context
	defs, err := s.definitions.get(ctx)
	if err != nil {
		return false, err
	}
	list := defs.servers
	if svc != nil {
		list = defs.services
	}
	x, err := find(list, it.ActionID)
	if err != nil {
		return false, fault.InvalidField(fault.Member("action"), "is offered no more")
	}
	if svc != nil {
		err = s.canRunOnService(ctx, a, x, svc)
	} else {
		err = s.canRunOnServer(ctx, a, x, sv)
	}
	if err != nil {
		return false, err
	}
	params, err := parseInputs(x.action, it.Parameters, tx.Now)
	if err != nil {
		return false, err
	}
	it.Name, it.Parameters = x.by.Name, params
	return x.approval, nil
}

// Run implements order.Hooks.
func (s *Service) Run(tx *store.Tx, o *models.Order, it *models.OrderItem) error {
	defs, err := s.definitions.get(tx.Statement.Context)
	if err != nil {
		return err
	}
	d := it.Action
	spec := job.Spec{OrderID: o.ID, OrderItemID: it.ID, OwnerID: o.OwnerID, GroupID: o.GroupID, ServiceID: d.ServiceID}
	list := defs.services
	var sv *models.Server
	if d.ServerID != 0 {
		if sv, err = store.First[models.Server](tx.ForUpdate().Where("id = ?", d.ServerID)); err != nil {
			return err
		}
		list = defs.servers
	}
	x, err := find(list, d.ActionID)
	if err != nil {
		return fault.Conflictf("The action %s is offered no more.", d.Name)
	}
	a, err := s.actor(tx.Statement.Context, o.OwnerID)
	if err != nil {
		return err
	}
	_, err = s.start(tx, a, x, spec, sv, d.Parameters)
	return err
}
