package order

import (
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file plans the runs of actions and the installation of applications.

// Environments returns the environments of the plan's servers, with repetitions.
func (p *Plan) Environments() []*models.Environment { return p.envs }

// action plans the run of an action on a server or on a service.
func (p *planner) action(it *models.OrderItem, at fault.Path) error {
	d := it.Action
	var sv *models.Server
	var svc *models.Service
	var err error
	switch {
	case d.ServerID != 0 && d.ServiceID != 0:
		p.complain(at.Member("service"), "is not for an action on a server")
		return nil
	case d.ServerID != 0:
		if sv, err = p.server(d.ServerID, 0, at.Member("server"), server.CanRun); err != nil || sv == nil {
			return err
		}
		env, err := store.First[models.Environment](p.tx.Where("id = ?", sv.EnvironmentID))
		if err != nil {
			return p.missing(err, at.Member("server"), "is in no environment")
		}
		p.plan.envs = append(p.plan.envs, env)
	case d.ServiceID != 0:
		if svc, err = p.service(d.ServiceID, at.Member("service"), server.CanRunService); err != nil || svc == nil {
			return err
		}
	default:
		p.complain(at.Member("server"), "is required, unless a service is given")
		return nil
	}
	asks, err := p.hooks.Offered(p.tx, p.actor, d, sv, svc)
	if err != nil {
		f := fault.From(err)
		switch f.Code {
		case fault.Invalid:
			for _, x := range f.Fields {
				x.Path = at.Join(x.Path)
				p.bad = append(p.bad, x)
			}
			if p.detail == "" {
				p.detail = f.Detail
			}
			return nil
		case fault.Conflict:
			p.complain(at.Member("action"), "%s", strings.TrimSuffix(fault.Message(err), "."))
			return nil
		case fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.Precondition, fault.Limited, fault.Unavailable, fault.Internal:
		}
		return err
	}
	target := PlannedRun{Item: it, Approval: asks, Name: d.Name}
	if sv != nil {
		target.On = sv.Hostname
	} else {
		target.On = svc.Name
	}
	p.plan.Runs = append(p.plan.Runs, target)
	return nil
}

// actionItem plans the run of a build item's action. item is the path of the order's item. The parameters
// are those of the order for the build item, else those of the whole service, else the defaults of the
// build item and of the action.
func (p *planner) actionItem(svc *PlannedService, b *models.BlueprintItem, arg *models.BuildItemArgs, item fault.Path) {
	at := item.BuildItem(b.Name)
	for _, x := range []struct {
		member string
		given  bool
	}{
		{"quantity", arg.Quantity > 1}, {"environment", arg.EnvironmentID != 0}, {"os-build", arg.OSBuildID != 0}, {"hostname", arg.Hostname != ""},
	} {
		if x.given {
			p.complain(at.Member(x.member), "is only for build items of servers: %s runs an action", b.Name)
		}
	}
	if b.Action == nil {
		p.complain(at, "has no action any more")
		return
	}
	inputs := b.ActionInputs()
	before := len(p.bad)
	given := p.params(inputs, arg.Parameters, at)
	bad := append(wrong(p.bad[before:]), svc.wrong...)
	for _, in := range inputs {
		if _, has := models.ParamValue(given, in.Name); has || slices.Contains(bad, models.InputKey(in.Name)) {
			continue
		}
		if v, has := models.ParamValue(svc.Params, in.Name); has {
			given = append(given, p.params(inputs, []models.Param{{Name: in.Name, Value: v}}, item)...)
		} else if v, has := models.ParamValue(b.Parameters, in.Name); has {
			given = append(given, p.params(inputs, []models.Param{{Name: in.Name, Value: v}}, at)...)
		}
	}
	given = p.defaults(inputs, given, bad, at)
	svc.Actions = append(svc.Actions, PlannedAction{BuildItem: b.Name, Action: b.Action, Params: given, After: len(svc.Servers)})
}

// service returns the service of an item, if it is in the order's group and the guard
// allows it. It returns nil after reporting a problem at the path.
func (p *planner) service(id models.ID, at fault.Path, can func(access.Actor, *models.Service) error) (*models.Service, error) {
	svc, err := query.Find[models.Service](p.tx, server.Services, p.actor, id.String())
	if err != nil {
		return nil, p.missing(err, at, "does not exist")
	}
	if p.order.GroupID == 0 {
		p.order.GroupID = svc.GroupID
		if err := CanOrderFor(p.actor, svc.GroupID); err != nil {
			return nil, err
		}
	}
	if svc.GroupID != p.order.GroupID {
		p.complain(at, "%s belongs to another group than the order", svc.Name)
		return nil, nil
	}
	if err := can(p.actor, svc); err != nil {
		if fault.Is(err, fault.Forbidden) {
			return nil, err
		}
		p.complain(at, "%s", strings.TrimSuffix(fault.Message(err), "."))
		return nil, nil
	}
	return svc, nil
}

// applications returns the ids of a prov item's applications, and replaces the item's
// references with them. It returns nil after reporting a problem.
func (p *planner) applications(d *models.ProvItem, build *models.OSBuild, at fault.Path) ([]models.ID, error) {
	if len(d.Applications) == 0 {
		return nil, nil
	}
	const most = 32
	if len(d.Applications) > most {
		p.complain(at.Member("applications"), "are more than %d", most)
		return nil, nil
	}
	ids, wrong, known, err := p.hooks.FitApplications(p.tx, d.Applications, build)
	if err != nil {
		return nil, err
	}
	for i := range d.Applications {
		if reason := wrong[i]; reason != "" {
			p.complain(at.Member("applications").Entry(i), "%s", reason)
		}
	}
	if len(wrong) > 0 {
		if p.detail == "" {
			p.detail = "Known applications: none."
			if len(known) > 0 {
				p.detail = "Known applications: " + strings.Join(known, ", ") + "."
			}
		}
		return nil, nil
	}
	d.Applications = make([]string, len(ids))
	for i, id := range ids {
		d.Applications[i] = id.String()
	}
	return ids, nil
}
