package order

import (
	"fmt"

	"halcyon/models"
	"halcyon/pkg/job"
	"halcyon/pkg/store"
)

// This file writes what an order makes: services, servers and their jobs. The rows
// of a kind are written together, with ids that were taken for all of them at once.

// jobs tells how many jobs the plan's work is.
func (p *Plan) jobs() int {
	n := len(p.Services) + len(p.Servers) + len(p.Mods)
	for i := range p.Services {
		n += len(p.Services[i].Servers)
	}
	for _, d := range p.Decoms {
		n += len(d.Servers)
	}
	return n
}

// build writes the services and servers that the plan makes, and begins their jobs.
func (s *Service) build(tx *store.Tx, o *models.Order, p *Plan) error {
	servers := len(p.Servers)
	for i := range p.Services {
		servers += len(p.Services[i].Servers)
	}
	if servers+len(p.Services) == 0 {
		return nil
	}
	err := tx.Reserve(
		store.Count{Table: "services", Rows: len(p.Services)},
		store.Count{Table: "servers", Rows: servers},
		store.Count{Table: "jobs", Rows: len(p.Services) + servers},
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
		// Unless the transaction has made more than that: whoever shows the order then
		// reads all of it.
		if store.Inserted(tx, "JOB") == len(made.Jobs) && store.Inserted(tx, "SVR") == len(made.Servers) {
			o.Made = made
		}
	})
	return nil
}

// deploy makes a service with its servers, and the job above theirs.
func (s *Service) deploy(tx *store.Tx, o *models.Order, p *PlannedService, made *models.OrderMade) error {
	svc := &models.Service{
		Name: p.Name, Status: models.ServiceProvisioning, BlueprintID: p.Blueprint.ID,
		OwnerID: recipient(o), GroupID: o.GroupID, OrderID: o.ID,
		ItemKey: fmt.Sprintf("deploy/%d", p.Item.Position), Parameters: p.Params,
	}
	if err := store.Insert(tx, svc); err != nil {
		return err
	}
	rows, specs, err := s.servers(tx, o, p.Servers, svc)
	if err != nil {
		return err
	}
	jobs, err := s.jobs.InsertTreeTx(tx, job.Spec{
		Type: models.JobDeploy, OrderID: o.ID, OrderItemID: p.Item.ID,
		OwnerID: o.OwnerID, GroupID: o.GroupID, ServiceID: svc.ID,
	}, specs)
	if err != nil {
		return err
	}
	for i, sv := range rows {
		if err := provisioned(tx, sv, jobs[i+1]); err != nil {
			return err
		}
	}
	made.Jobs, made.Servers = append(made.Jobs, jobs...), append(made.Servers, rows...)
	return nil
}

// servers writes planned servers, and gives the jobs that will make them.
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
		}
		if svc != nil {
			sv.ServiceID, spec.ServiceID = svc.ID, svc.ID
		}
		if err := store.Insert(tx, sv); err != nil {
			return nil, nil, err
		}
		spec.ServerID = sv.ID
		rows, specs = append(rows, sv), append(specs, spec)
	}
	return rows, specs, nil
}

// provisioned ties a server to the job that makes it.
func provisioned(tx *store.Tx, sv *models.Server, j *models.Job) error {
	sv.ProvisionJobID = j.ID
	return store.Save(tx, sv, "provision_job_id")
}
