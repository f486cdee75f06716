package order

import (
	"slices"
	"strconv"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// This file plans changes to existing servers, and their removal.

// server returns the server of an item, if it is in the order's group and the guard
// allows it. Unless env is 0, the server has to be in that environment. It returns nil
// after reporting a problem at the path.
func (p *planner) server(id models.ID, env models.ID, at fault.Path, can func(access.Actor, *models.Server) error) (*models.Server, error) {
	sv, err := query.Find[models.Server](p.tx, server.Servers, p.actor, id.String())
	if err != nil {
		return nil, p.missing(err, at, "does not exist")
	}
	if p.order.GroupID == 0 {
		p.order.GroupID = sv.GroupID
		if err := CanOrderFor(p.actor, sv.GroupID); err != nil {
			return nil, err
		}
	}
	switch {
	case p.taken[id]:
		p.complain(at, "%s is in the order twice", sv.Hostname)
	case sv.GroupID != p.order.GroupID:
		// Otherwise an order for another group would avoid the approvers of this one.
		p.complain(at, "%s belongs to another group than the order", sv.Hostname)
	case env != 0 && sv.EnvironmentID != env:
		p.complain(at, "%s is not in this environment", sv.Hostname)
	default:
		if err := can(p.actor, sv); err != nil {
			if fault.Is(err, fault.Forbidden) {
				return nil, err
			}
			p.complain(at, "%s", strings.TrimSuffix(fault.Message(err), "."))
			return nil, nil
		}
		p.taken[id] = true
		return sv, nil
	}
	return nil, nil
}

func (p *planner) mod(it *models.OrderItem, at fault.Path) error {
	d := it.Mod
	sv, err := p.server(d.ServerID, d.EnvironmentID, at.Member("server"), server.CanModify)
	if err != nil || sv == nil {
		return err
	}
	before := len(p.bad)
	given := p.params(modInputs, withoutGB(d.Parameters), at)
	env, err := store.First[models.Environment](p.tx.Where("id = ?", sv.EnvironmentID))
	if err != nil {
		return err
	}
	p.plan.envs = append(p.plan.envs, env)
	size, err := p.size(given, 0, at)
	if err != nil {
		return err
	}
	m := PlannedMod{Item: it, Server: sv}
	sizeID := sv.SizeID
	if size != nil {
		sizeID = size.ID
		m.Args.CPUs, m.Args.MemoryMB = size.CPUs, size.MemoryMB
	}
	if cpus, mem := amounts(given); cpus != 0 || mem != 0 {
		if cpus != 0 {
			m.Args.CPUs = cpus
		}
		if mem != 0 {
			m.Args.MemoryMB = mem
		}
	}
	if err := p.modDisk(&m, d, given, at); err != nil {
		return err
	}
	m.Args.Expires, _ = models.ParamValue(given, models.KeyExpiration)
	m.delta(d)
	if len(d.Delta) == 0 && len(p.bad) == before {
		p.complain(at.Member("parameters"), "change nothing")
	}
	cpus, mem := sv.CPUs, sv.MemoryMB
	if m.Args.CPUs != 0 {
		cpus = m.Args.CPUs
	}
	if m.Args.MemoryMB != 0 {
		mem = m.Args.MemoryMB
	}
	if cpus != sv.CPUs || mem != sv.MemoryMB || sizeID != sv.SizeID {
		if size == nil && sv.SizeID != 0 {
			if size, err = store.First[models.Size](p.tx.Where("id = ?", sv.SizeID)); err != nil {
				return err
			}
		}
		r := rate(env, size, cpus, mem)
		r.Software, r.Extra = sv.SoftwareRate, sv.ExtraRate
		m.Args.Rate, m.Args.SizeID = &r, sizeID
		it.Rate = r.Total() - sv.Rate
	}
	m.Args.Params = merged(sv.Parameters, given)
	p.plan.Mods = append(p.plan.Mods, m)
	return nil
}

// withoutGB removes the unit from disk sizes such as "20 GB", the format in which servers
// show them.
func withoutGB(list []models.Param) []models.Param {
	list = slices.Clone(list)
	for i, x := range list {
		if models.InputKey(x.Name) != models.InputKey("disk_size") {
			continue
		}
		if number, ok := strings.CutSuffix(strings.ToUpper(x.Value), "GB"); ok && strings.TrimSpace(number) != "" {
			list[i].Value = strings.TrimSpace(number)
		}
	}
	return list
}

func (p *planner) modDisk(m *PlannedMod, d *models.ModItem, given []models.Param, at fault.Path) error {
	text, has := models.ParamValue(given, "disk_size")
	if !has {
		if _, bad := models.ParamValue(d.Parameters, "disk_size"); d.DiskUUID != "" && !bad {
			p.complain(at.Parameter("disk_size"), "is required with disk-uuid")
		}
		return nil
	}
	gb, _ := strconv.Atoi(text) // params has checked it
	if d.DiskUUID == "" && len(m.Server.Disks) == 1 {
		d.DiskUUID = m.Server.Disks[0].UUID
	}
	for _, disk := range m.Server.Disks {
		if disk.UUID != d.DiskUUID {
			continue
		}
		if gb <= disk.SizeGB {
			p.complain(at.Parameter("disk_size"), "%d GB is not more than the disk has, %d GB", gb, disk.SizeGB)
			return nil
		}
		m.Args.DiskUUID, m.Args.DiskGB = disk.UUID, gb
		return nil
	}
	p.complain(at.Member("disk-uuid"), "%q is no disk of %s", d.DiskUUID, m.Server.Hostname)
	return nil
}

// delta sets the item's description of the change, for people.
func (m *PlannedMod) delta(d *models.ModItem) {
	sv := m.Server
	d.Delta = nil
	add := func(name, from, to string) {
		if from != to {
			d.Delta = append(d.Delta, models.Param{Name: name, Value: from + " -> " + to})
		}
	}
	if m.Args.CPUs != 0 {
		add("CPU Cnt", strconv.Itoa(sv.CPUs), strconv.Itoa(m.Args.CPUs))
	}
	if m.Args.MemoryMB != 0 {
		add("Mem Size", models.FormatMemory(sv.MemoryMB), models.FormatMemory(m.Args.MemoryMB))
	}
	if m.Args.DiskGB != 0 {
		i := slices.IndexFunc(sv.Disks, func(x models.ServerDisk) bool { return x.UUID == m.Args.DiskUUID })
		add("Disk Size", strconv.Itoa(sv.Disks[i].SizeGB)+" GB", strconv.Itoa(m.Args.DiskGB)+" GB")
	}
	if m.Args.Expires != "" {
		from := sv.ExpiresOn
		if from == "" {
			from = models.Never
		}
		add("Expiration Date", from, m.Args.Expires)
	}
}

// merged returns params with the given ones, which replace those of the same key.
func merged(params, given []models.Param) []models.Param {
	out := slices.Clone(params)
	for _, g := range given {
		i := slices.IndexFunc(out, func(x models.Param) bool { return models.InputKey(x.Name) == models.InputKey(g.Name) })
		if i >= 0 {
			out[i].Value = g.Value
		} else {
			out = append(out, g)
		}
	}
	return out
}

func (p *planner) decom(it *models.OrderItem, at fault.Path) error {
	d := it.Decom
	plan := PlannedDecom{Item: it}
	if len(d.ServerIDs) == 0 && len(d.ServiceIDs) == 0 {
		p.complain(at.Member("servers"), "is required, unless services are given")
	}
	add := func(id models.ID, place fault.Path) error {
		sv, err := p.server(id, d.EnvironmentID, place, server.CanDecom)
		if err != nil || sv == nil {
			return err
		}
		plan.Servers = append(plan.Servers, sv)
		it.Rate -= sv.Rate
		env, err := store.First[models.Environment](p.tx.Where("id = ?", sv.EnvironmentID))
		if err != nil {
			return err
		}
		p.plan.envs = append(p.plan.envs, env)
		return nil
	}
	for i, id := range d.ServerIDs {
		if err := add(id, at.Member("servers").Entry(i)); err != nil {
			return err
		}
	}
	for i, id := range d.ServiceIDs {
		place := at.Member("services").Entry(i)
		svc, err := query.Find[models.Service](p.tx, server.Services, p.actor, id.String())
		if err != nil {
			if err := p.missing(err, place, "does not exist"); err != nil {
				return err
			}
			continue
		}
		if err := server.CanDeleteService(p.actor, svc); err != nil {
			if fault.Is(err, fault.Forbidden) {
				return err
			}
			p.complain(place, "%s", strings.TrimSuffix(fault.Message(err), "."))
			continue
		}
		members, err := store.Find[models.Server](p.tx.Where("service_id = ? AND status <> ?", svc.ID, models.ServerHistorical).Order("id"))
		if err != nil {
			return err
		}
		for _, m := range members {
			if p.taken[m.ID] {
				continue // the item names the server too
			}
			if err := add(m.ID, place); err != nil {
				return err
			}
		}
		plan.Services = append(plan.Services, svc)
	}
	d.Names = d.Names[:0]
	for _, sv := range plan.Servers {
		d.Names = append(d.Names, models.Named{Kind: models.ObjectServer, ID: sv.ID, Name: sv.Hostname})
	}
	for _, svc := range plan.Services {
		d.Names = append(d.Names, models.Named{Kind: models.ObjectService, ID: svc.ID, Name: svc.Name})
	}
	p.plan.Decoms = append(p.plan.Decoms, plan)
	return nil
}
