package vsphere

import (
	"context"
	"path"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// placement is the template of a new machine and the place for it, resolved to
// references.
type placement struct {
	template  ref
	folder    *entity
	pool      ref
	datastore *ref
	backings  []types.BaseVirtualDeviceBackingInfo // of the network cards in order; nil keeps the template's
	snapshot  *ref                                 // of the template, for a linked clone
}

// place resolves the names of a spec. Names that are missing default to the place of the
// template: its datacenter, that datacenter's machine folder, the resource pool of its
// cluster, its datastore, its network.
func (p *Provider) place(ctx context.Context, c *vim25.Client, spec provider.Spec) (*placement, error) {
	cached := p.inventories.load() != nil
	place, err := p.resolvePlacement(ctx, c, spec)
	if cached && fault.Is(err, fault.Invalid) {
		// The named object may be newer than the cached inventory.
		p.inventories.drop(nil)
		return p.resolvePlacement(ctx, c, spec)
	}
	return place, err
}

func (p *Provider) resolvePlacement(ctx context.Context, c *vim25.Client, spec provider.Spec) (*placement, error) {
	inv, err := p.inventory(ctx, c)
	if err != nil {
		return nil, err
	}
	host := p.url.Host
	var dc *entity
	if spec.Datacenter != "" {
		if dc, err = inv.find(host, datacenters, spec.Datacenter, nil); err != nil {
			return nil, err
		}
	}
	template, props, err := p.template(ctx, c, dc, spec.Template)
	if err != nil {
		return nil, err
	}
	if dc == nil {
		if dc = inv.ancestor(get[ref](props, "parent"), datacenters); dc == nil {
			return nil, fault.Invalidf("The template %q at the vCenter %s is in no datacenter.", spec.Template, host)
		}
	}
	place := &placement{template: template}

	folder := spec.Folder
	if folder == "" {
		folder = dc.path + "/vm"
	}
	if place.folder, err = inv.find(host, folders, folder, dc); err != nil {
		return nil, err
	}
	if place.pool, err = inv.pool(host, dc, spec.Placement, get[ref](props, "runtime.host")); err != nil {
		return nil, err
	}
	if spec.Datastore != "" {
		e, err := inv.find(host, datastores, spec.Datastore, dc)
		if err != nil {
			return nil, err
		}
		place.datastore = &e.ref
	}
	if place.backings, err = p.backings(ctx, c, inv, dc, spec.Placement); err != nil {
		return nil, err
	}
	if spec.LinkedClone {
		if place.snapshot, err = p.linkable(ctx, c, template, spec.Template); err != nil {
			return nil, err
		}
	}
	return place, nil
}

// linkable returns the snapshot of a template that linked clones share, the current one.
func (p *Provider) linkable(ctx context.Context, c *vim25.Client, template ref, name string) (*ref, error) {
	props, err := p.readOne(ctx, c, template, "name", "snapshot")
	if err != nil {
		return nil, err
	}
	info := get[types.VirtualMachineSnapshotInfo](props, "snapshot")
	if info.CurrentSnapshot == nil {
		return nil, fault.Conflictf("The template %q at the vCenter %s has no snapshot, which a linked clone needs.", name, p.url.Host)
	}
	return info.CurrentSnapshot, nil
}

// backings returns the device backings of the network cards, nil for a card without a
// network.
func (p *Provider) backings(ctx context.Context, c *vim25.Client, inv *inventory, dc *entity, want provider.Placement) ([]types.BaseVirtualDeviceBackingInfo, error) {
	list := make([]types.BaseVirtualDeviceBackingInfo, 1+len(want.MoreNetworks))
	for i, network := range append([]string{want.Network}, want.MoreNetworks...) {
		if network == "" {
			continue
		}
		var err error
		if list[i], err = p.backing(ctx, c, inv, dc, network); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// backing returns the device backing of a network card in the network.
func (p *Provider) backing(ctx context.Context, c *vim25.Client, inv *inventory, dc *entity, want string) (types.BaseVirtualDeviceBackingInfo, error) {
	e, err := inv.find(p.url.Host, networks, want, dc)
	if err != nil {
		return nil, err
	}
	network, ok := object.NewReference(c, e.ref).(object.NetworkReference)
	if !ok {
		return nil, fault.Invalidf("%s at the vCenter %s is no network for machines.", e.path, p.url.Host)
	}
	return network.EthernetCardBackingInfo(ctx)
}

// pool returns the resource pool: the named one, the root pool of the named cluster, or
// that of the template's cluster.
func (inv *inventory) pool(host string, dc *entity, want provider.Placement, templateHost ref) (ref, error) {
	var cluster *entity
	var err error
	switch {
	case want.Cluster != "":
		if cluster, err = inv.find(host, clusters, want.Cluster, dc); err != nil {
			return ref{}, err
		}
	default:
		cluster = inv.ancestor(templateHost, clusters)
		if cluster == nil || !strings.HasPrefix(cluster.path, dc.path+"/") {
			all := inv.list(clusters, dc)
			if len(all) == 0 {
				return ref{}, fault.Invalidf("The vCenter at %s has no cluster in %s.", host, dc.path)
			}
			cluster = all[0]
		}
	}
	if want.ResourcePool == "" {
		return cluster.pool, nil
	}
	in := dc
	if want.Cluster != "" {
		in = cluster
	}
	e, err := inv.find(host, pools, want.ResourcePool, in)
	if err != nil {
		return ref{}, err
	}
	return e.ref, nil
}

// template finds a template by inventory path or by name. If no template has the name, a
// machine with the name is used.
func (p *Provider) template(ctx context.Context, c *vim25.Client, dc *entity, want string) (ref, map[string]any, error) {
	where := ""
	if dc != nil {
		where = " in " + dc.path
	}
	missing := fault.Invalidf("The vCenter at %s has no template %q%s.", p.url.Host, want, where)
	if want == "" {
		return ref{}, nil, fault.Invalidf("A machine needs a template.")
	}
	index := *c.ServiceContent.SearchIndex
	var found ref
	switch {
	case strings.Contains(want, "/"):
		res, err := methods.FindByInventoryPath(ctx, c, &types.FindByInventoryPath{
			This: index, InventoryPath: strings.TrimPrefix(path.Clean("/"+want), "/"),
		})
		if err != nil {
			return ref{}, nil, err
		}
		if res.Returnval == nil || res.Returnval.Type != machineType {
			return ref{}, nil, missing
		}
		found = *res.Returnval
	default:
		root := c.ServiceContent.RootFolder
		if dc != nil {
			root = dc.ref
		}
		all, err := p.view(ctx, c, root, []string{machineType}, []types.PropertySpec{{
			Type: machineType, PathSet: []string{"name", "summary.config.template"},
		}})
		if err != nil {
			return ref{}, nil, err
		}
		var templates, machines []ref
		for _, o := range all {
			props := properties(o)
			switch {
			case get[string](props, "name") != want:
			case get[bool](props, "summary.config.template"):
				templates = append(templates, o.Obj)
			default:
				machines = append(machines, o.Obj)
			}
		}
		if len(templates) == 0 {
			templates = machines
		}
		switch len(templates) {
		case 0:
			return ref{}, nil, missing
		case 1:
			found = templates[0]
		default:
			return ref{}, nil, fault.Invalidf("The vCenter at %s has more than one template %q%s. Name it by its inventory path.",
				p.url.Host, want, where)
		}
	}
	props, err := p.readOne(ctx, c, found, "name", "parent", "runtime.host")
	return found, props, err
}

// startClone starts the clone with all settings that a vCenter applies during a clone.
func (p *Provider) startClone(ctx context.Context, c *vim25.Client, spec provider.Spec, place *placement) (ref, error) {
	props, err := p.readOne(ctx, c, place.template, "config.annotation", "config.guestId", "config.guestFullName", "config.hardware")
	if err != nil {
		return ref{}, err
	}
	hardware := get[types.VirtualHardware](props, "config.hardware")
	config := tagConfig(spec.Tag, get[string](props, "config.annotation"))
	if s := resize(hardware, spec.CPUs, spec.MemoryMB); s != nil {
		config.NumCPUs, config.NumCoresPerSocket, config.MemoryMB = s.NumCPUs, s.NumCoresPerSocket, s.MemoryMB
	}
	location := types.VirtualMachineRelocateSpec{Pool: &place.pool, Datastore: place.datastore, Folder: &place.folder.ref}
	var nics int
	if location.DeviceChange, nics, err = connectCards(hardware.Device, place.backings); err != nil {
		return ref{}, err
	}
	clone := types.VirtualMachineCloneSpec{Config: config}
	switch {
	case place.snapshot != nil:
		clone.Snapshot = place.snapshot
		location.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
	case spec.DiskType != "":
		location.Disk = diskLocators(hardware.Device, place.datastore, spec.DiskType)
	}
	family := spec.OSFamily
	if family == "" {
		family = osFamily("", get[string](props, "config.guestId"), get[string](props, "config.guestFullName"))
	}
	if clone.Customization, err = customization(spec, nics, family); err != nil {
		return ref{}, err
	}
	clone.Location = location
	res, err := methods.CloneVM_Task(ctx, c, &types.CloneVM_Task{
		This: place.template, Folder: place.folder.ref, Name: spec.Name,
		Spec: clone,
	})
	if err != nil {
		return ref{}, err
	}
	p.logger.InfoContext(ctx, "started a clone", "template", spec.Template, "name", spec.Name, "tag", spec.Tag, "task", res.Returnval.Value)
	return res.Returnval, nil
}
