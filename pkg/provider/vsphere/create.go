package vsphere

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

const (
	busyPolls      = 600 // polls, one per second, for a clone by another client
	clonePolls     = 60  // polls, one per second, for clones that may be our own
	settlePolls    = 60  // polls for the guest's address
	settleInterval = 3 * time.Second
)

// action is the work of a step, with a session.
type action func(ctx context.Context, c *vim25.Client, memo provider.Memo) (wait time.Duration, err error)

// step returns a provider.Step that runs the action. what describes it in error messages:
// "could not …".
func (p *Provider) step(name, title, what string, a action) provider.Step {
	return provider.Step{Name: name, Title: title, Run: func(ctx context.Context, memo provider.Memo) (wait time.Duration, err error) {
		err = p.do(ctx, what, func(ctx context.Context, c *vim25.Client) (err error) {
			wait, err = a(ctx, c, memo)
			if errors.Is(err, errTaskLost) {
				wait, err = pollInterval, nil // start over with the current state
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		return wait, nil
	}}
}

// Create clones a template. A vCenter applies the whole specification during the clone;
// its simulator applies only the name. So each part is sent with the clone, and checked
// afterwards by a step of its own.
func (p *Provider) Create(spec provider.Spec) []provider.Step {
	return []provider.Step{
		p.step("clone", "Cloning "+spec.Template, "clone the template", p.clone(spec)),
		p.step("tag", "Marking the machine", "mark the machine", p.tag(spec)),
		p.step("configure", "Setting processors and memory", "configure the machine", p.configure(spec)),
		p.step("customize", "Setting host name and address", "customize the machine", p.customize(spec)),
		p.step("power-on", "Powering on", "power on the machine", p.powerOn(p.createdMachine(spec))),
		p.step("settle", "Waiting for the guest", "look at the machine", p.settle(spec)),
	}
}

// clone finds the machine or creates it.
func (p *Provider) clone(spec provider.Spec) action {
	const task = "clone.task"
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		var place *placement
		if memo[task] == "" {
			var err error
			if place, err = p.place(ctx, c, spec); err != nil {
				return 0, err
			}
			id, found, err := p.existing(ctx, c, spec, place.folder.ref)
			if err != nil {
				return 0, err
			}
			if found {
				return p.adopt(ctx, c, spec, memo, id)
			}
		}
		done, result, err := p.runTask(ctx, c, memo, task, func(ctx context.Context, c *vim25.Client) (ref, error) {
			return p.startClone(ctx, c, spec, place)
		})
		if isFault[*types.DuplicateName](err) {
			// An earlier attempt, whose answer was lost, has created the machine, or is
			// still creating it and it is not visible yet.
			if retryAllowed(memo, "clone.looks", busyPolls) {
				return pollInterval, nil
			}
			return 0, fault.Wrap(fault.Conflict, err,
				"The name %s is taken at the vCenter %s by something that Halcyon cannot see.", spec.Name, p.url.Host)
		}
		if err != nil || !done {
			return pollInterval, err
		}
		cloned, ok := result.(ref)
		if !ok {
			return pollInterval, nil // the next call finds it by its name
		}
		memo[provider.MemoRef] = cloned.Value
		return 0, nil
	}
}

// retryAllowed counts the calls under key in the memo, and reports whether there were at
// most limit. It resets the count when the limit is exceeded.
func retryAllowed(memo provider.Memo, key string, limit int) bool {
	n, _ := strconv.Atoi(memo[key])
	if n >= limit {
		delete(memo, key)
		return false
	}
	memo[key] = strconv.Itoa(n + 1)
	return true
}

// existing returns the machine that an earlier attempt created, if there is one: by its
// tag, or by its name in the folder where it would be created. It returns Conflict if
// another object has the name.
func (p *Provider) existing(ctx context.Context, c *vim25.Client, spec provider.Spec, folder ref) (id identity, found bool, err error) {
	refs, err := p.findInIndex(ctx, c, spec.Tag)
	if err != nil {
		return id, false, err
	}
	res, err := methods.FindChild(ctx, c, &types.FindChild{This: *c.ServiceContent.SearchIndex, Entity: folder, Name: spec.Name})
	if err != nil {
		return id, false, err
	}
	if named := res.Returnval; named != nil {
		if named.Type != machineType {
			return id, false, fault.Conflictf("The name %s is taken at the vCenter %s by a %s.", spec.Name, p.url.Host, named.Type)
		}
		refs = append(refs, *named)
	}
	ids, err := p.identities(ctx, c, refs)
	if err != nil {
		return id, false, err
	}
	for _, id := range ids {
		switch {
		case !id.template && id.hasTag(spec.Tag):
			return id, true, nil
		case id.name == spec.Name && (id.tag != "" || id.template):
			return id, false, fault.Conflictf("The name %s is taken at the vCenter %s by another machine, %s.", spec.Name, p.url.Host, id.ref.Value)
		case id.name == spec.Name:
			return id, true, nil // a clone whose tag was not written
		}
	}
	if isUUID(spec.Tag) {
		return id, false, nil // the index contains all tags that are UUIDs
	}
	return p.search(ctx, c, spec.Tag, false)
}

// adopt stores the Ref of an existing machine in the memo when its creation has finished.
func (p *Provider) adopt(ctx context.Context, c *vim25.Client, spec provider.Spec, memo provider.Memo, id identity) (time.Duration, error) {
	if id.tag == "" && id.complete {
		// Its clone may still be running. vCenter does not reveal the target machine of a
		// clone, so this waits for all clones.
		cloning, err := p.isCloning(ctx, c)
		if err != nil {
			return 0, err
		}
		if cloning && retryAllowed(memo, "clone.others", clonePolls) {
			return pollInterval, nil
		}
	}
	if !id.complete || id.busy {
		if retryAllowed(memo, "clone.looks", busyPolls) {
			return pollInterval, nil
		}
		return 0, fault.Conflictf("The machine %s (%s) at the vCenter %s is not finished and cannot be changed.",
			id.name, id.ref.Value, p.url.Host)
	}
	p.logger.InfoContext(ctx, "adopted a machine that was there", "machine", id.ref.Value, "tag", spec.Tag, "name", id.name)
	memo[provider.MemoRef] = id.ref.Value
	return 0, nil
}

// createdMachine returns a finder of the machine that the clone step created. It searches
// by tag if the memo lacks the Ref.
func (p *Provider) createdMachine(spec provider.Spec) func(context.Context, *vim25.Client, provider.Memo) (ref, error) {
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (ref, error) {
		if memo[provider.MemoRef] == "" {
			id, found, err := p.search(ctx, c, spec.Tag, true)
			if err != nil {
				return ref{}, err
			}
			if !found {
				return ref{}, fault.NotFoundf("The vCenter at %s has no machine with the tag %s.", p.url.Host, spec.Tag)
			}
			memo[provider.MemoRef] = id.ref.Value
		}
		return machineRef(memo[provider.MemoRef]), nil
	}
}

// reconfigure changes a machine's configuration. A nil change does nothing.
func (p *Provider) reconfigure(ctx context.Context, c *vim25.Client, memo provider.Memo, key string, vm ref, change *types.VirtualMachineConfigSpec) (time.Duration, error) {
	if memo[key] == "" && change == nil {
		return 0, nil
	}
	done, _, err := p.runTask(ctx, c, memo, key, func(ctx context.Context, c *vim25.Client) (ref, error) {
		res, err := methods.ReconfigVM_Task(ctx, c, &types.ReconfigVM_Task{This: vm, Spec: *change})
		if err != nil {
			return ref{}, err
		}
		return res.Returnval, nil
	})
	if err != nil || !done {
		return pollInterval, err
	}
	return 0, nil
}

// tagConfig returns the change that writes the tag: extraConfig, instanceUuid and a line
// in the notes.
func tagConfig(tag, notes string) *types.VirtualMachineConfigSpec {
	change := &types.VirtualMachineConfigSpec{
		ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: tagKey, Value: tag}},
	}
	if isUUID(tag) {
		change.InstanceUuid = strings.ToLower(tag)
	}
	if line := "Managed by Halcyon: " + tag; !strings.Contains(notes, line) {
		change.Annotation = strings.TrimPrefix(notes+"\n"+line, "\n")
	}
	return change
}

// tag writes the tag if it is missing. Before that a machine can only be found by its
// name.
func (p *Provider) tag(spec provider.Spec) action {
	find := p.createdMachine(spec)
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, err := find(ctx, c, memo)
		if err != nil {
			return 0, err
		}
		var props map[string]any
		err = p.retryWithoutKeys(func() (err error) {
			props, err = p.readOne(ctx, c, vm, "config.instanceUuid", "config.annotation", p.tagProperty())
			return err
		})
		if err != nil {
			return 0, err
		}
		var change *types.VirtualMachineConfigSpec
		indexed := !isUUID(spec.Tag) || strings.EqualFold(get[string](props, "config.instanceUuid"), spec.Tag)
		if tagOf(props) != spec.Tag || !indexed {
			change = tagConfig(spec.Tag, get[string](props, "config.annotation"))
		}
		return p.reconfigure(ctx, c, memo, "tag.task", vm, change)
	}
}

// hardware returns the hardware of a machine.
func (p *Provider) hardware(ctx context.Context, c *vim25.Client, vm ref) (types.VirtualHardware, error) {
	props, err := p.readOne(ctx, c, vm, "config.hardware")
	return get[types.VirtualHardware](props, "config.hardware"), err
}

// resize returns the change to the given processors and memory (0 keeps the value), nil
// when there is nothing to change.
func resize(now types.VirtualHardware, cpus, memoryMB int) *types.VirtualMachineConfigSpec {
	var change types.VirtualMachineConfigSpec
	changed := false
	if n := int32(cpus); n > 0 && n != now.NumCPU { //nolint:gosec // bounded by the catalogue
		change.NumCPUs, changed = n, true
		if per := now.NumCoresPerSocket; per != nil && *per > 1 && n%*per != 0 {
			change.NumCoresPerSocket = types.NewInt32(1) // vCenter requires full sockets
		}
	}
	if memoryMB > 0 && memoryMB != int(now.MemoryMB) {
		change.MemoryMB, changed = int64(memoryMB), true
	}
	if !changed {
		return nil
	}
	return &change
}

// configure changes processors, memory and network to those of the spec.
func (p *Provider) configure(spec provider.Spec) action {
	find := p.createdMachine(spec)
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, err := find(ctx, c, memo)
		if err != nil {
			return 0, err
		}
		props, err := p.readOne(ctx, c, vm, "config.hardware", "parent")
		if err != nil {
			return 0, err
		}
		now := get[types.VirtualHardware](props, "config.hardware")
		change := resize(now, spec.CPUs, spec.MemoryMB)
		if spec.Network != "" || len(spec.MoreNetworks) > 0 {
			inv, err := p.inventory(ctx, c)
			if err != nil {
				return 0, err
			}
			backings, err := p.backings(ctx, c, inv, inv.ancestor(get[ref](props, "parent"), datacenters), spec.Placement)
			if err != nil {
				return 0, err
			}
			devices, _, err := connectCards(now.Device, backings)
			if err != nil {
				return 0, err
			}
			if devices != nil {
				if change == nil {
					change = &types.VirtualMachineConfigSpec{}
				}
				change.DeviceChange = devices
			}
		}
		return p.reconfigure(ctx, c, memo, "configure.task", vm, change)
	}
}

// networkCards returns the network cards among devices.
func networkCards(devices []types.BaseVirtualDevice) []types.BaseVirtualEthernetCard {
	var found []types.BaseVirtualEthernetCard
	for _, d := range devices {
		if card, ok := d.(types.BaseVirtualEthernetCard); ok {
			found = append(found, card)
		}
	}
	return found
}

// connectCards returns the changes that connect the network cards to networks in order, and
// add cards where there are fewer, and the number of cards afterwards. A nil backing leaves
// its card as it is; the error is Invalid if that card does not exist and a later one is
// to be connected. There are no changes if the cards are connected already.
func connectCards(devices []types.BaseVirtualDevice, backings []types.BaseVirtualDeviceBackingInfo) ([]types.BaseVirtualDeviceConfigSpec, int, error) {
	have := networkCards(devices)
	nics := len(have)
	var changes []types.BaseVirtualDeviceConfigSpec
	var added object.VirtualDeviceList
	for i, backing := range backings {
		if backing == nil {
			continue
		}
		if i >= len(have) {
			if i > nics { // it would become another card than the one that is meant
				return nil, 0, fault.Invalidf("A network for network card %d needs one for card %d: the template has %d.", i+1, nics+1, len(have))
			}
			card, err := object.EthernetCardTypes().CreateEthernetCard("vmxnet3", backing)
			if err != nil {
				return nil, 0, err
			}
			nics++
			card.GetVirtualDevice().Key = int32(-nics) //nolint:gosec // a few; distinct among the new devices
			added = append(added, card)
			continue
		}
		card := have[i].GetVirtualEthernetCard()
		if sameNetwork(card.Backing, backing) {
			continue
		}
		card.Backing = backing
		device, ok := have[i].(types.BaseVirtualDevice)
		if !ok {
			return nil, 0, errors.New("a network card that is no device")
		}
		changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: device})
	}
	if len(added) == 0 {
		return changes, nics, nil
	}
	more, err := added.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	return append(changes, more...), nics, err
}

// diskLocators returns where the disks of a clone go and as which type. Without a datastore
// each stays where the template has it.
func diskLocators(devices []types.BaseVirtualDevice, datastore *ref, kind string) []types.VirtualMachineRelocateSpecDiskLocator {
	var list []types.VirtualMachineRelocateSpecDiskLocator
	for _, d := range devices {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !ok {
			continue // a raw device has no type
		}
		at := types.VirtualMachineRelocateSpecDiskLocator{DiskId: disk.Key, DiskBackingInfo: &types.VirtualDiskFlatVer2BackingInfo{
			DiskMode: backing.DiskMode, ThinProvisioned: new(kind == "thin"), EagerlyScrub: new(kind == "thick-eager"),
		}}
		switch {
		case datastore != nil:
			at.Datastore = *datastore
		case backing.Datastore != nil:
			at.Datastore = *backing.Datastore
		default:
			continue
		}
		list = append(list, at)
	}
	return list
}

func sameNetwork(a, b types.BaseVirtualDeviceBackingInfo) bool {
	switch a := a.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		b, ok := b.(*types.VirtualEthernetCardNetworkBackingInfo)
		return ok && a.DeviceName == b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		b, ok := b.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
		return ok && a.Port.PortgroupKey == b.Port.PortgroupKey
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		b, ok := b.(*types.VirtualEthernetCardOpaqueNetworkBackingInfo)
		return ok && a.OpaqueNetworkId == b.OpaqueNetworkId
	}
	return false
}

// customization returns the guest customization: the host name, and the address of the
// first card. It is nil if the spec has neither. vCenter requires an adapter for every
// card.
func customization(spec provider.Spec, nics int, family string) (*types.CustomizationSpec, error) {
	if spec.Hostname == "" && spec.Address == nil {
		return nil, nil
	}
	if spec.Address != nil && nics == 0 {
		return nil, fault.Invalidf("%s has no network card that the address %s could go to.", spec.Template, spec.Address.IP)
	}
	host, domain, _ := strings.Cut(spec.Hostname, ".")
	if host == "" {
		host = spec.Name
	}
	first := types.CustomizationIPSettings{Ip: &types.CustomizationDhcpIpGenerator{}}
	global := types.CustomizationGlobalIPSettings{}
	if a := spec.Address; a != nil {
		ip := net.ParseIP(a.IP)
		if ip == nil || ip.To4() == nil || a.Prefix < 1 || a.Prefix > 32 {
			return nil, fault.Invalidf("%s/%d is not an IPv4 address with the length of its network.", a.IP, a.Prefix)
		}
		first.Ip = &types.CustomizationFixedIp{IpAddress: a.IP}
		first.SubnetMask = net.IP(net.CIDRMask(a.Prefix, 32)).String()
		if a.Gateway != "" {
			first.Gateway = []string{a.Gateway}
		}
		first.DnsServerList, global.DnsServerList = a.DNS, a.DNS
		if a.Domain != "" {
			domain = a.Domain
			first.DnsDomain, global.DnsSuffixList = a.Domain, []string{a.Domain}
		}
	}
	if domain == "" {
		domain = "localdomain" // required for Linux guests
	}
	name := &types.CustomizationFixedName{Name: host}
	out := &types.CustomizationSpec{
		GlobalIPSettings: global,
		Identity:         &types.CustomizationLinuxPrep{HostName: name, Domain: domain, HwClockUTC: types.NewBool(true)},
		Options:          &types.CustomizationLinuxOptions{},
	}
	if family == "windows" {
		out.Options = &types.CustomizationWinOptions{ChangeSID: true, Reboot: types.CustomizationSysprepRebootOptionReboot}
		out.Identity = &types.CustomizationSysprep{
			GuiUnattended:  types.CustomizationGuiUnattended{TimeZone: 85}, // GMT
			UserData:       types.CustomizationUserData{FullName: "Halcyon", OrgName: "Halcyon", ComputerName: name},
			Identification: types.CustomizationIdentification{JoinWorkgroup: "WORKGROUP"},
		}
	}
	for i := range nics {
		adapter := types.CustomizationIPSettings{Ip: &types.CustomizationDhcpIpGenerator{}}
		if i == 0 {
			adapter = first
		}
		out.NicSettingMap = append(out.NicSettingMap, types.CustomizationAdapterMapping{Adapter: adapter})
	}
	return out, nil
}

// customize sets host name and address, unless the clone has done so, which a pending
// customization indicates. It works on machines that are off; a running machine has
// passed this step.
func (p *Provider) customize(spec provider.Spec) action {
	const task, done = "customize.task", "customized"
	find := p.createdMachine(spec)
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		if memo[done] != "" || (spec.Hostname == "" && spec.Address == nil) {
			return 0, nil
		}
		vm, err := find(ctx, c, memo)
		if err != nil {
			return 0, err
		}
		props, err := p.readOne(ctx, c, vm, "runtime.powerState", "config.tools.pendingCustomization",
			"config.guestId", "config.guestFullName", "config.hardware.device")
		if err != nil {
			return 0, err
		}
		on := get[types.VirtualMachinePowerState](props, "runtime.powerState") == types.VirtualMachinePowerStatePoweredOn
		if memo[task] == "" && (on || get[string](props, "config.tools.pendingCustomization") != "") {
			memo[done] = "1"
			return 0, nil
		}
		family := spec.OSFamily
		if family == "" {
			family = osFamily("", get[string](props, "config.guestId"), get[string](props, "config.guestFullName"))
		}
		nics := len(networkCards(get[types.ArrayOfVirtualDevice](props, "config.hardware.device").VirtualDevice))
		want, err := customization(spec, nics, family)
		if err != nil {
			return 0, err
		}
		ended, _, err := p.runTask(ctx, c, memo, task, func(ctx context.Context, c *vim25.Client) (ref, error) {
			res, err := methods.CustomizeVM_Task(ctx, c, &types.CustomizeVM_Task{This: vm, Spec: *want})
			if err != nil {
				return ref{}, err
			}
			return res.Returnval, nil
		})
		if isFault[*types.CustomizationPending](err) {
			ended, err = true, nil
		}
		if err != nil || !ended {
			return pollInterval, err
		}
		memo[done] = "1"
		return 0, nil
	}
}

// settle waits until the guest reports its address, and continues without it after a few
// minutes.
func (p *Provider) settle(spec provider.Spec) action {
	find := p.createdMachine(spec)
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, err := find(ctx, c, memo)
		if err != nil || spec.Address == nil {
			return 0, err
		}
		props, err := p.readOne(ctx, c, vm, "guest.ipAddress", "guest.net", "runtime.powerState")
		if err != nil {
			return 0, err
		}
		known := get[string](props, "guest.ipAddress") == spec.Address.IP
		for _, n := range get[types.ArrayOfGuestNicInfo](props, "guest.net").GuestNicInfo {
			known = known || slices.Contains(n.IpAddress, spec.Address.IP)
		}
		if known {
			return 0, nil
		}
		if retryAllowed(memo, "settle.looks", settlePolls) {
			return settleInterval, nil
		}
		p.logger.WarnContext(ctx, "the guest does not show its address", "machine", vm.Value, "address", spec.Address.IP)
		return 0, nil
	}
}
