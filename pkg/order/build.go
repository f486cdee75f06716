package order

import (
	"fmt"
	"iter"
	"slices"

	"halcyon/models"
	"halcyon/pkg/job"
	"halcyon/pkg/quota"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file writes the services, servers and jobs of an approved order. It allocates the
// ids of all rows of a table at once, so that they can be inserted together.

// idle reports whether the plan needs no job.
func (p *Plan) idle() bool {
	return len(p.Services)+len(p.Servers)+len(p.Mods)+len(p.Runs) == 0 &&
		!slices.ContainsFunc(p.Decoms, func(d PlannedDecom) bool { return len(d.Servers) > 0 })
}

// build inserts the plan's services and servers with the jobs that create them.
func (s *Service) build(tx *store.Tx, o *models.Order, p *Plan) error {
	servers, actions := len(p.Servers), 0
	for i := range p.Services {
		servers += len(p.Services[i].Servers)
		actions += len(p.Services[i].Actions)
	}
	if servers+len(p.Services) == 0 {
		return nil
	}
	fresh := 0
	for i := range p.Services {
		if p.Services[i].Service == nil {
			fresh++
		}
	}
	err := tx.AllocateIDs(
		store.Count{Table: "services", Rows: fresh},
		store.Count{Table: "servers", Rows: servers},
		store.Count{Table: "jobs", Rows: len(p.Services) + servers + actions},
	)
	if err != nil {
		return err
	}
	made := &models.OrderMade{}
	for i := range p.Services {
		if err := s.deploy(tx, o, &p.Services[i], made); err != nil {
			return err
		}
	}
	rows, specs, err := s.servers(tx, o, p.Servers, nil)
	if err != nil {
		return err
	}
	for i, spec := range specs {
		if err := s.before(tx, o, p.Servers[i].Item, rows[i], nil, &spec); err != nil {
			return err
		}
		j, err := s.jobs.InsertTx(tx, spec)
		if err != nil {
			return err
		}
		if err := provisioned(tx, rows[i], j); err != nil {
			return err
		}
		made.Jobs, made.Servers = append(made.Jobs, j), append(made.Servers, rows[i])
	}
	tx.OnCommit(func() {
		// Made must be complete, or readers of the order would miss jobs and servers. If the transaction
		// inserted others too, Made stays nil and readers query for them.
		if store.Inserted(tx, "JOB") == len(made.Jobs) && store.Inserted(tx, "SVR") == len(made.Servers) {
			o.Made = made
		}
	})
	return nil
}

// deploy inserts a service with its servers, or new servers of an existing service, and
// their jobs below a common parent.
func (s *Service) deploy(tx *store.Tx, o *models.Order, p *PlannedService, made *models.OrderMade) error {
	svc := p.Service
	parent := job.Spec{
		Type: models.JobDeploy, OrderID: o.ID, OrderItemID: p.Item.ID,
		OwnerID: o.OwnerID, GroupID: o.GroupID,
	}
	if svc != nil {
		parent.Action = actionScale
		if err := claim(tx, svc); err != nil {
			return err
		}
	} else {
		svc = &models.Service{
			Name: p.Name, Status: models.ServiceProvisioning, BlueprintID: p.Blueprint.ID,
			OwnerID: recipient(o), GroupID: o.GroupID, OrderID: o.ID,
			ItemKey: fmt.Sprintf("deploy/%d", p.Item.Position), Parameters: p.Params, ExpiresOn: p.lease(),
		}
		if err := store.Insert(tx, svc); err != nil {
			return err
		}
	}
	parent.ServiceID = svc.ID
	rows, specs, err := s.servers(tx, o, p.Servers, svc)
	if err != nil {
		return err
	}
	var children []job.Spec
	var parts []part
	for x := range p.stages() {
		spec := job.Spec{
			Type: models.JobAction, OrderID: o.ID, OrderItemID: p.Item.ID, OwnerID: o.OwnerID, GroupID: o.GroupID, ServiceID: svc.ID,
		}
		if x.action == nil {
			spec = specs[x.server]
		} else {
			spec.Action = x.action.Action.Name
			by := models.Named{Kind: models.ByBuildItem, ID: p.Blueprint.ID, Name: x.action.BuildItem}
			spec.Args.Run = &models.RunArgs{ActionID: x.action.Action.ID, By: by, Params: x.action.Params}
		}
		spec.Stage = x.stage
		children, parts = append(children, spec), append(parts, x)
	}
	jobs, err := s.jobs.InsertTreeTx(tx, parent, children, func(i int, spec *job.Spec) error {
		if parts[i].action != nil {
			return nil
		}
		return s.before(tx, o, p.Item, rows[parts[i].server], svc, spec)
	})
	if err != nil {
		return err
	}
	for i, x := range parts {
		if x.action != nil {
			continue
		}
		if err := provisioned(tx, rows[x.server], jobs[i+1]); err != nil {
			return err
		}
	}
	made.Jobs, made.Servers = append(made.Jobs, jobs...), append(made.Servers, rows...)
	if p.Service == nil {
		return nil
	}
	return server.Follow(tx, svc.ID)
}

// part is one job below that of a service: the creation of the server with that index, or
// the run of an action.
type part struct {
	stage  int
	server int
	action *PlannedAction // nil for a server
}

// stages yields the jobs of a service in the order of its build items. An action is a stage
// of its own: it waits for the servers before it, and those after it wait for the action.
func (p *PlannedService) stages() iter.Seq[part] {
	return func(yield func(part) bool) {
		stage, next := 0, 0
		for i := range len(p.Servers) + 1 {
			for ; next < len(p.Actions) && p.Actions[next].After <= i; next++ {
				if !yield(part{stage: stage + 1, action: &p.Actions[next]}) {
					return
				}
				stage += 2
			}
			if i < len(p.Servers) && !yield(part{stage: stage, server: i}) {
				return
			}
		}
	}
}

// lease returns the last day of a new service's lease, which is the latest of its
// servers; "" when one of them never expires.
func (p *PlannedService) lease() string {
	last := ""
	for i := range p.Servers {
		day := p.Servers[i].Expires
		if day == "" {
			return ""
		}
		last = max(last, day)
	}
	return last
}

// servers inserts planned servers, and returns the specifications of the jobs that create
// them. The service is nil for servers outside of services.
func (s *Service) servers(tx *store.Tx, o *models.Order, list []PlannedServer, svc *models.Service) ([]*models.Server, []job.Spec, error) {
	rows, specs := make([]*models.Server, 0, len(list)), make([]job.Spec, 0, len(list))
	for i := range list {
		p := &list[i]
		sv := &models.Server{
			Hostname: p.Hostname, Status: models.ServerProv, PowerStatus: models.PowerUnknown,
			CPUs: p.CPUs, MemoryMB: p.MemoryMB, OSFamily: p.OSBuild.OSFamily,
			OwnerID: recipient(o), GroupID: o.GroupID, EnvironmentID: p.Env.ID, HandlerID: p.Env.HandlerID,
			OSBuildID: p.OSBuild.ID, SizeID: p.SizeID, Tier: p.Tier, OrderID: o.ID, ItemKey: p.Key,
			Rate: p.Rate.Total(), HardwareRate: p.Rate.Hardware, SoftwareRate: p.Rate.Software, ExtraRate: p.Rate.Extra,
			Parameters: p.Params, ExpiresOn: p.Expires, AddedAt: tx.Now,
		}
		spec := job.Spec{
			Type: models.JobProvision, OrderID: o.ID, OrderItemID: p.Item.ID,
			OwnerID: o.OwnerID, GroupID: o.GroupID, HandlerID: p.Env.HandlerID,
			Args: models.JobArgs{Applications: p.Applications},
		}
		if svc != nil {
			sv.ServiceID, spec.ServiceID = svc.ID, svc.ID
			sv.OwnerID = svc.OwnerID // another user may have scaled the service
		}
		quota.Claim(tx, sv)
		if err := store.Insert(tx, sv); err != nil {
			return nil, nil, err
		}
		spec.ServerID = sv.ID
		rows, specs = append(rows, sv), append(specs, spec)
	}
	return rows, specs, nil
}

// before starts the prerequisites of a server's creation and adds them to the spec.
func (s *Service) before(tx *store.Tx, o *models.Order, it *models.OrderItem, sv *models.Server, svc *models.Service, spec *job.Spec) (err error) {
	spec.PrerequisiteID, err = s.hooks.Before(tx, models.PreProvision, Work{o, it, sv, svc}, *spec)
	return err
}

// provisioned sets the job that creates a server.
func provisioned(tx *store.Tx, sv *models.Server, j *models.Job) error {
	sv.ProvisionJobID = j.ID
	return store.Save(tx, sv, "provision_job_id")
}
