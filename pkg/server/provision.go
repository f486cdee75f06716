package server

import (
	"context"
	"fmt"
	"strconv"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
)

// provision creates the machine of a server's row. The row's uuid is the machine's tag,
// so that repeated attempts create one machine.
type provision struct{ machines }

// Steps implements job.Kind.
func (k provision) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	p, h, err := k.pool.For(ctx, sv.HandlerID)
	if err != nil {
		return nil, err
	}
	spec, pool, err := k.specOf(read, sv, h)
	if err != nil {
		return nil, err
	}
	var steps []job.Step
	if pool != nil {
		steps = append(steps, job.Step{
			Step: provider.Step{Name: "address", Title: "Taking an address of " + pool.Name},
			Apply: func(tx *store.Tx, j *models.Job, _ provider.Memo) error {
				address, err := assign(tx, pool.ID, sv.ID)
				if err != nil {
					return err
				}
				row, err := lock(tx, sv.ID)
				if err != nil {
					return err
				}
				row.IP = address
				if err := save(tx, row); err != nil {
					return err
				}
				return job.Say(tx, j.ID, "info", "The address is "+address)
			},
		})
	}
	steps = append(steps, job.Steps(p.Create(spec)...)...)
	return append(steps, k.recordStep(p, sv, "")), nil
}

// specOf returns the specification of the machine, and the pool of its address.
func (m machines) specOf(read *store.Tx, sv *models.Server, h *models.ResourceHandler) (provider.Spec, *models.IPPool, error) {
	none := provider.Spec{}
	env := &models.Environment{}
	if sv.EnvironmentID != 0 {
		var err error
		if env, err = m.environment(read, sv.EnvironmentID); err != nil {
			return none, nil, fmt.Errorf("load environment %s: %w", sv.EnvironmentID, err)
		}
	}
	build := &models.OSBuild{}
	if sv.OSBuildID == 0 {
		return none, nil, fault.Invalidf("The server %s has no OS build.", sv.Hostname)
	}
	build, err := m.build(read, sv.OSBuildID, h.ID)
	if err != nil {
		return none, nil, fmt.Errorf("load OS build %s: %w", sv.OSBuildID, err)
	}
	if len(build.Templates) == 0 {
		return none, nil, fault.Invalidf("The OS build %s has no template in %s.", build.Name, h.Name)
	}
	place := placementOf(env, sv)
	pool, err := pooled(read, h.ID, place.Network)
	if err != nil {
		return none, nil, err
	}
	address, err := held(read, sv.ID, env.Domain)
	if err != nil {
		return none, nil, err
	}
	name := sv.BackendName
	if name == "" {
		name = backendName(sv)
	}
	return provider.Spec{
		Tag: sv.UUID, Name: name, Hostname: sv.Hostname,
		Template: build.Templates[0].Template,
		CPUs:     sv.CPUs, MemoryMB: sv.MemoryMB,
		Placement: place,
		Address:   address, OSFamily: build.OSFamily,
	}, pool, nil
}

// placementOf returns the placement of a server: that of its environment, with the choices in the server's
// parameters.
func placementOf(env *models.Environment, sv *models.Server) provider.Placement {
	place := provider.Placement{
		Datacenter: env.Datacenter, Cluster: env.Cluster, ResourcePool: env.ResourcePool,
		Datastore: env.Datastore, Folder: env.Folder, Network: env.Network,
	}
	for key, to := range map[string]*string{models.KeyDatastore: &place.Datastore, models.KeyNetwork + "0": &place.Network, models.KeyDiskType: &place.DiskType} {
		if v, has := models.ParamValue(sv.Parameters, key); has {
			*to = v
		}
	}
	if v, has := models.ParamValue(sv.Parameters, models.KeyCluster); has && v != place.Cluster {
		place.Cluster, place.ResourcePool = v, "" // the resource pool belongs to the other cluster
	}
	for n := 1; n < models.MaxNICs; n++ {
		if v, has := models.ParamValue(sv.Parameters, models.KeyNetwork+strconv.Itoa(n)); has {
			more := make([]string, n) // cards in between without a choice stay unchanged
			copy(more, place.MoreNetworks)
			more[n-1], place.MoreNetworks = v, more
		}
	}
	linked, _ := models.ParamValue(sv.Parameters, models.KeyLinkedClone)
	place.LinkedClone = linked == "true"
	return place
}

// Cleanup implements job.Kind: it removes what the job has created.
func (k provision) Cleanup(ctx context.Context, read *store.Tx, j *models.Job, memo provider.Memo) ([]job.Step, error) {
	sv, err := load(read, j)
	if err != nil {
		return nil, err
	}
	p, _, err := k.pool.For(ctx, sv.HandlerID)
	if err != nil {
		return nil, err
	}
	return job.Steps(p.Destroy(memo[provider.MemoRef], sv.UUID)...), nil
}

// Started implements job.Kind.
func (k provision) Started(tx *store.Tx, j *models.Job) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if err := state(sv, "provisioned", models.ServerProv); err != nil {
		return err
	}
	if sv.BackendName != "" {
		return nil
	}
	sv.BackendName = backendName(sv) // lets a synchronization recognize it before it has a tag
	return save(tx, sv)
}

// Succeeded implements job.Kind.
func (k provision) Succeeded(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if err := sv.MoveTo(models.ServerActive); err != nil {
		return err
	}
	at := ""
	if sv.IP != "" {
		at = " at " + sv.IP
	}
	j.Output = fmt.Sprintf("Server %s (ID %s) is ready%s.", sv.Hostname, sv.ID, at)
	return settle(tx, sv, "provisioned", "Job id "+j.ID.String())
}

// Failed implements job.Kind. The server keeps the address if a machine exists that may use it.
func (k provision) Failed(tx *store.Tx, j *models.Job, memo provider.Memo, reason string) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if sv.Status != models.ServerProv {
		return nil
	}
	if err := sv.MoveTo(models.ServerProvFailed); err != nil {
		return err
	}
	if ref := memo[provider.MemoRef]; ref != "" {
		if err := claim(tx, sv, ref); err != nil {
			return err
		}
		sv.BackendRef = ref
	} else {
		sv.IP = ""
		if err := release(tx, sv.ID); err != nil {
			return err
		}
	}
	return settle(tx, sv, "provisioning failed", reason)
}

// Canceled implements job.Kind.
func (k provision) Canceled(tx *store.Tx, j *models.Job, _ provider.Memo) error {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return err
	}
	if sv.Status == models.ServerHistorical {
		return nil
	}
	if err := retire(tx, sv); err != nil {
		return err
	}
	sv.BackendRef, sv.IP = "", ""
	return settle(tx, sv, "provisioning canceled", "Job id "+j.ID.String())
}

// Retryable implements job.Retryable.
func (k provision) Retryable(tx *store.Tx, j *models.Job) error {
	return still(tx, j, "provisioned again", models.ServerProvFailed)
}

// Retried implements job.Kind.
func (k provision) Retried(tx *store.Tx, j *models.Job) ([]string, error) {
	sv, err := lock(tx, j.ServerID)
	if err != nil {
		return nil, err
	}
	if err := state(sv, "provisioned again", models.ServerProvFailed); err != nil {
		return nil, err
	}
	if err := sv.MoveTo(models.ServerProv); err != nil {
		return nil, err
	}
	quota.Claim(tx, sv)
	if err := settle(tx, sv, "provisioning retried", "Job id "+j.ID.String()); err != nil {
		return nil, err
	}
	address, err := held(tx, sv.ID, "")
	if err != nil {
		return nil, err
	}
	if address == nil {
		return []string{"address"}, nil // the address was released
	}
	return nil, nil
}
