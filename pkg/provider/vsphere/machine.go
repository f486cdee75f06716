package vsphere

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

const (
	machineType = "VirtualMachine"
	tagKey      = "halcyon.uuid"
	tagPath     = `config.extraConfig["` + tagKey + `"]`
	extraConfig = "config.extraConfig"
	chunk       = 100 // machines per read, to limit memory and the duration of a call
)

// tagProperty returns the property path of the tag, or that of the whole extraConfig for
// a vCenter that does not accept keys in paths.
func (p *Provider) tagProperty() string {
	if p.keyless.Load() {
		return extraConfig
	}
	return tagPath
}

// retryWithoutKeys calls f, and a second time if this vCenter turns out not to accept
// keys in property paths.
func (p *Provider) retryWithoutKeys(f func() error) error {
	err := f()
	if isFault[*types.InvalidProperty](err) && p.keyless.CompareAndSwap(false, true) {
		return f()
	}
	return err
}

// tagOf returns the machine's tag, "" when it has none.
func tagOf(props map[string]any) string {
	switch v := props[tagPath].(type) {
	case types.OptionValue:
		s, _ := v.Value.(string)
		return s
	case *types.OptionValue:
		s, _ := v.Value.(string)
		return s
	}
	for _, o := range get[types.ArrayOfOptionValue](props, extraConfig).OptionValue {
		if v := o.GetOptionValue(); v.Key == tagKey {
			s, _ := v.Value.(string)
			return s
		}
	}
	return ""
}

// machineProperties returns the properties from which a provider.Machine is built.
func (p *Provider) machineProperties() []string {
	return []string{
		"name", "parent", "runtime.powerState", "runtime.host",
		"config.template", "config.uuid", "config.instanceUuid", "config.guestId", "config.guestFullName",
		"config.hardware.numCPU", "config.hardware.memoryMB", "config.hardware.device",
		"guest.hostName", "guest.ipAddress", "guest.guestFamily", "guest.net", "guest.toolsRunningStatus",
		p.tagProperty(),
	}
}

// machine returns a provider.Machine from its properties.
func (inv *inventory) machine(r ref, props map[string]any) provider.Machine {
	m := provider.Machine{
		Ref:      r.Value,
		Tag:      tagOf(props),
		Name:     get[string](props, "name"),
		Hostname: get[string](props, "guest.hostName"),
		Power:    powerStateOf(get[types.VirtualMachinePowerState](props, "runtime.powerState")),
		CPUs:     int(get[int32](props, "config.hardware.numCPU")),
		MemoryMB: int(get[int32](props, "config.hardware.memoryMB")),
		OSFamily: osFamily(get[string](props, "guest.guestFamily"),
			get[string](props, "config.guestId"), get[string](props, "config.guestFullName")),
		IP:      get[string](props, "guest.ipAddress"),
		Details: map[string]string{},
	}
	guest := get[types.ArrayOfGuestNicInfo](props, "guest.net").GuestNicInfo
	for _, d := range get[types.ArrayOfVirtualDevice](props, "config.hardware.device").VirtualDevice {
		switch d := d.(type) {
		case *types.VirtualDisk:
			m.Disks = append(m.Disks, disk(d))
		case types.BaseVirtualEthernetCard:
			m.NICs = append(m.NICs, inv.nic(d.GetVirtualEthernetCard(), guest))
		}
	}
	if len(m.NICs) > 0 {
		m.MAC = m.NICs[0].MAC
	}
	for _, n := range m.NICs {
		if m.IP == "" && len(n.IPs) > 0 {
			m.IP = n.IPs[0]
		}
	}
	if len(m.Disks) > 0 {
		setDetail(m.Details, "datastore", m.Disks[0].Datastore)
	}
	setDetail(m.Details, "vm-uuid", get[string](props, "config.uuid"))
	setDetail(m.Details, "instance-uuid", get[string](props, "config.instanceUuid"))
	setDetail(m.Details, "guest-id", get[string](props, "config.guestId"))
	setDetail(m.Details, "tools-status", get[string](props, "guest.toolsRunningStatus"))
	host, parent := get[ref](props, "runtime.host"), get[ref](props, "parent")
	if e := inv.entities[host]; e != nil {
		setDetail(m.Details, "host", e.name)
	}
	if e := inv.ancestor(host, clusters); e != nil {
		setDetail(m.Details, "cluster", e.path)
	}
	if e := inv.ancestor(parent, datacenters); e != nil {
		setDetail(m.Details, "datacenter", e.path)
	}
	if e := inv.entities[parent]; e != nil {
		setDetail(m.Details, "folder", e.path)
	}
	return m
}

func powerStateOf(s types.VirtualMachinePowerState) provider.PowerState {
	switch s {
	case types.VirtualMachinePowerStatePoweredOn:
		return provider.PowerOn
	case types.VirtualMachinePowerStatePoweredOff:
		return provider.PowerOff
	case types.VirtualMachinePowerStateSuspended:
	}
	return provider.PowerUnknown
}

// osFamily returns "linux", "windows" or "", from the family that the guest reports, or
// else from the configured guest id and name.
func osFamily(family, id, name string) string {
	if family == string(types.VirtualMachineGuestOsFamilyLinuxGuest) {
		return "linux"
	}
	if family == string(types.VirtualMachineGuestOsFamilyWindowsGuest) {
		return "windows"
	}
	id, name = strings.ToLower(id), strings.ToLower(name)
	if strings.HasPrefix(id, "win") || strings.Contains(name, "windows") {
		return "windows"
	}
	for _, word := range []string{
		"linux", "debian", "ubuntu", "rhel", "centos", "sles", "suse", "fedora", "rocky", "alma", "oracle", "coreos", "photon", "mandr", "asianux",
	} {
		if strings.Contains(id, word) || strings.Contains(name, word) {
			return "linux"
		}
	}
	return ""
}

const gigabyte = 1 << 30

func disk(d *types.VirtualDisk) provider.Disk {
	size := capacity(d)
	out := provider.Disk{
		UUID:             diskUUID(d),
		SizeGB:           int((size + gigabyte - 1) / gigabyte),
		ProvisioningType: "thick",
	}
	if d.DeviceInfo != nil {
		out.Name = d.DeviceInfo.GetDescription().Label
	}
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		var file object.DatastorePath
		if file.FromString(b.GetVirtualDeviceFileBackingInfo().FileName) {
			out.Datastore = file.Datastore
		}
	}
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		if b.ThinProvisioned != nil && *b.ThinProvisioned {
			out.ProvisioningType = "thin"
		}
	case *types.VirtualDiskSeSparseBackingInfo, *types.VirtualDiskSparseVer2BackingInfo:
		out.ProvisioningType = "thin"
	}
	return out
}

// capacity returns the size of a disk in bytes. Old hosts report only kilobytes.
func capacity(d *types.VirtualDisk) int64 {
	if d.CapacityInBytes > 0 {
		return d.CapacityInBytes
	}
	return d.CapacityInKB << 10
}

func diskUUID(d *types.VirtualDisk) string {
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		return b.Uuid
	case *types.VirtualDiskSeSparseBackingInfo:
		return b.Uuid
	case *types.VirtualDiskSparseVer2BackingInfo:
		return b.Uuid
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		return b.Uuid
	}
	return ""
}

func (inv *inventory) nic(card *types.VirtualEthernetCard, guest []types.GuestNicInfo) provider.NIC {
	n := provider.NIC{MAC: card.MacAddress, IPs: []string{}}
	if card.DeviceInfo != nil {
		n.Name = card.DeviceInfo.GetDescription().Label
	}
	switch b := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		n.Network = b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		// The key of a port group is the value of its reference.
		if e := inv.entities[ref{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}]; e != nil {
			n.Network = e.name
		}
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		n.Network = b.OpaqueNetworkId
	}
	for _, g := range guest {
		if g.DeviceConfigId == card.Key {
			n.IPs = append(n.IPs, g.IpAddress...)
			if n.Network == "" {
				n.Network = g.Network
			}
		}
	}
	return n
}

// listing holds the machine references of one traversal of all pages, sorted: the view is
// created once per traversal, not once per page. Machines created during a traversal
// appear in the next one.
type listing struct {
	refs []ref
}

// List returns a page of machines, in ascending order of Ref as a string.
func (p *Provider) List(ctx context.Context, after string, limit int) ([]provider.Machine, error) {
	if limit <= 0 {
		return nil, fault.Invalidf("A page of machines needs a limit above 0.")
	}
	var page []provider.Machine
	err := p.do(ctx, "list its machines", func(ctx context.Context, c *vim25.Client) error {
		w := p.listings.load()
		if after == "" || w == nil {
			refs, err := p.machineRefs(ctx, c)
			if err != nil {
				return err
			}
			slices.SortFunc(refs, func(a, b ref) int { return strings.Compare(a.Value, b.Value) })
			w = &listing{refs}
			p.listings.store(w)
			if after == "" {
				p.inventories.drop(nil)
			}
		}
		inv, err := p.inventory(ctx, c)
		if err != nil {
			return err
		}
		from := sort.Search(len(w.refs), func(i int) bool { return w.refs[i].Value > after })
		rest := w.refs[from:]
		page = make([]provider.Machine, 0, min(limit, len(rest)))
		for len(page) < limit && len(rest) > 0 {
			n := min(chunk, limit-len(page), len(rest))
			machines, err := p.machines(ctx, c, inv, rest[:n])
			if err != nil {
				return err
			}
			page, rest = append(page, machines...), rest[n:]
		}
		if len(page) < limit {
			p.listings.drop(w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// machines reads machines sorted by Ref, without templates and without those that are
// missing or still being created.
func (p *Provider) machines(ctx context.Context, c *vim25.Client, inv *inventory, refs []ref) ([]provider.Machine, error) {
	var content []types.ObjectContent
	err := p.retryWithoutKeys(func() (err error) {
		content, err = p.read(ctx, c, refs, p.machineProperties())
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]provider.Machine, 0, len(content))
	for _, o := range content {
		props := properties(o)
		if _, whole := props["config.template"]; !whole || get[bool](props, "config.template") {
			continue
		}
		found = append(found, inv.machine(o.Obj, props))
	}
	slices.SortFunc(found, func(a, b provider.Machine) int { return strings.Compare(a.Ref, b.Ref) })
	return found, nil
}

// Inspect implements provider.Provider.
func (p *Provider) Inspect(ctx context.Context, r string) (provider.Machine, error) {
	var m provider.Machine
	err := p.do(ctx, "look at a machine", func(ctx context.Context, c *vim25.Client) (err error) {
		m, err = p.inspect(ctx, c, machineRef(r))
		return err
	})
	return m, err
}

func (p *Provider) inspect(ctx context.Context, c *vim25.Client, r ref) (provider.Machine, error) {
	inv, err := p.inventory(ctx, c)
	if err != nil {
		return provider.Machine{}, err
	}
	found, err := p.machines(ctx, c, inv, []ref{r})
	if err != nil {
		return provider.Machine{}, err
	}
	if len(found) == 0 {
		return provider.Machine{}, p.notFound(r.Value)
	}
	return found[0], nil
}

func machineRef(value string) ref { return ref{Type: machineType, Value: value} }

func (p *Provider) notFound(r string) error {
	return fault.NotFoundf("The vCenter at %s has no machine %s.", p.url.Host, r)
}

func setDetail(details map[string]string, key, value string) {
	if value != "" {
		details[key] = value
	}
}
