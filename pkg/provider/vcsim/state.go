package vcsim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// vmRecord is the stored state of a machine: the properties that Halcyon reads. Snapshots
// are not stored.
type vmRecord struct {
	Ref          string            `json:"ref,omitempty"`
	Name         string            `json:"name"`
	Folder       string            `json:"folder"` // inventory path
	Template     bool              `json:"template,omitempty"`
	GuestID      string            `json:"guest_id"`
	CPUs         int32             `json:"cpus"`
	MemoryMB     int32             `json:"memory_mb"`
	UUID         string            `json:"uuid,omitempty"`
	InstanceUUID string            `json:"instance_uuid,omitempty"`
	Annotation   string            `json:"annotation,omitempty"`
	ExtraConfig  map[string]string `json:"extra_config,omitempty"` // only keys with the prefix "halcyon."
	On           bool              `json:"on,omitempty"`
	Hostname     string            `json:"hostname,omitempty"`
	IP           string            `json:"ip,omitempty"`
	Disks        []vmDisk          `json:"disks,omitempty"`
	NICs         []vmNIC           `json:"nics,omitempty"`
}

// vmDisk is a virtual disk.
type vmDisk struct {
	UUID string `json:"uuid,omitempty"`
	KB   int64  `json:"kb"`
	Thin bool   `json:"thin,omitempty"`
}

// vmNIC is a network card.
type vmNIC struct {
	Network string `json:"network"` // inventory path
	MAC     string `json:"mac,omitempty"`
}

const (
	extraPrefix = "halcyon."
	gigabyteKB  = 1 << 20
)

// inventory returns the initial machines of a simulator without a state file: the
// templates and n machines (0 is 8, a negative number is none).
func inventory(n int) []vmRecord {
	if n == 0 {
		n = 8
	}
	guests := map[string]string{
		"debian-12": string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest),
		"rocky-9":   string(types.VirtualMachineGuestOsIdentifierRockylinux_64Guest),
	}
	var all []vmRecord
	for _, name := range Templates() {
		all = append(all, vmRecord{
			Name: name, Folder: "/DC0/vm", Template: true, GuestID: guests[name],
			CPUs: 1, MemoryMB: 1024,
			Disks: []vmDisk{{KB: 10 * gigabyteKB, Thin: true}},
			NICs:  []vmNIC{{Network: Network}},
		})
	}
	for i := range max(n, 0) {
		all = append(all, vmRecord{
			Name: fmt.Sprintf("DC0_C0_RP0_VM%d", i), Folder: "/DC0/vm",
			GuestID: guests[Templates()[i%2]],
			CPUs:    int32(1 + i%4), MemoryMB: int32(2048 * (1 + i%4)), On: true,
			Hostname: fmt.Sprintf("legacy-%d", i),
			IP:       fmt.Sprintf("10.1.%d.%d", i/200, 11+i%200),
			Disks:    []vmDisk{{KB: 20 * gigabyteKB}},
			NICs:     []vmNIC{{Network: Network}},
		})
	}
	return all
}

// load reads a state file. It returns nil without an error when the file does not exist.
func load(path string) ([]vmRecord, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the path comes from the command line
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("vcsim: %w", err)
	}
	machines := []vmRecord{}
	if err := json.Unmarshal(data, &machines); err != nil {
		return nil, fmt.Errorf("vcsim: %s is not a state file: %w", path, err)
	}
	return machines, nil
}

// save writes the machines to a file, atomically, unless the file has the same content
// already.
func (s *Server) save(path string) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	data, err := json.MarshalIndent(s.snapshot(), "", "  ")
	if err != nil {
		return fmt.Errorf("vcsim: %w", err)
	}
	old, err := os.ReadFile(path) //nolint:gosec // as above
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("vcsim: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("vcsim: save the state: %w", err)
	}
	return nil
}

// saveLoop saves after changes until the server is closed.
func (s *Server) saveLoop() {
	defer s.saver.Done()
	for {
		select {
		case <-s.stop:
			return
		case <-s.changed:
		}
		select {
		case <-s.stop:
			return
		case <-time.After(saveDelay):
		}
		// Close saves again and reports the error.
		_ = s.save(s.state)
	}
}

func (w *watcher) notify(ref types.ManagedObjectReference) {
	if ref.Type != "VirtualMachine" {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// PutObject implements simulator.RegisterObject for new objects.
func (w *watcher) PutObject(_ *simulator.Context, obj mo.Reference) { w.notify(obj.Reference()) }

// UpdateObject implements simulator.RegisterObject for changed objects.
func (w *watcher) UpdateObject(_ *simulator.Context, obj mo.Reference, _ []types.PropertyChange) {
	w.notify(obj.Reference())
}

// RemoveObject implements simulator.RegisterObject for removed objects.
func (w *watcher) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) { w.notify(ref) }

// snapshot returns all machines, including templates, in the order of their Refs.
func (s *Server) snapshot() []vmRecord {
	ctx := s.lockContext()
	registry := s.model.Map()
	machines := []vmRecord{}
	for _, e := range registry.All("VirtualMachine") {
		vm, ok := e.(*simulator.VirtualMachine)
		if !ok {
			continue
		}
		var m vmRecord
		complete := false
		registry.WithLock(ctx, vm, func() { m, complete = savedVM(registry, vm) })
		if complete {
			machines = append(machines, m)
		}
	}
	slices.SortFunc(machines, func(a, b vmRecord) int {
		return cmp.Or(cmp.Compare(refNumber(a.Ref), refNumber(b.Ref)), cmp.Compare(a.Ref, b.Ref))
	})
	return machines
}

// lockContext returns a simulator context that holds locks of its own.
func (s *Server) lockContext() *simulator.Context {
	return &simulator.Context{Context: context.Background(), Map: s.model.Map()}
}

// savedVM returns the state of a machine, whose lock the caller holds. It reports whether
// the machine is complete: not one that is still being created.
func savedVM(registry *simulator.Registry, vm *simulator.VirtualMachine) (vmRecord, bool) {
	if vm.Config == nil || vm.Guest == nil || vm.Runtime.Host == nil || vm.Parent == nil {
		return vmRecord{}, false
	}
	m := vmRecord{
		Ref:          vm.Self.Value,
		Name:         vm.Name,
		Folder:       path(registry, *vm.Parent),
		Template:     vm.Config.Template,
		GuestID:      vm.Config.GuestId,
		CPUs:         vm.Config.Hardware.NumCPU,
		MemoryMB:     vm.Config.Hardware.MemoryMB,
		UUID:         vm.Config.Uuid,
		InstanceUUID: vm.Config.InstanceUuid,
		Annotation:   vm.Config.Annotation,
		On:           vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn,
		Hostname:     vm.Guest.HostName,
		IP:           vm.Guest.IpAddress,
	}
	for _, o := range vm.Config.ExtraConfig {
		v := o.GetOptionValue()
		if s, ok := v.Value.(string); ok && strings.HasPrefix(v.Key, extraPrefix) {
			if m.ExtraConfig == nil {
				m.ExtraConfig = map[string]string{}
			}
			m.ExtraConfig[v.Key] = s
		}
	}
	for _, d := range vm.Config.Hardware.Device {
		switch d := d.(type) {
		case *types.VirtualDisk:
			disk := vmDisk{KB: d.CapacityInKB}
			if b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
				disk.UUID = b.Uuid
				disk.Thin = b.ThinProvisioned != nil && *b.ThinProvisioned
			}
			m.Disks = append(m.Disks, disk)
		case types.BaseVirtualEthernetCard:
			card := d.GetVirtualEthernetCard()
			nic := vmNIC{MAC: card.MacAddress}
			if b, ok := card.Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo); ok {
				nic.Network = path(registry, types.ManagedObjectReference{
					Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey,
				})
			}
			m.NICs = append(m.NICs, nic)
		}
	}
	return m, m.Folder != ""
}

// path returns the inventory path of an object, "" if it is not connected to the root
// folder.
func path(registry *simulator.Registry, ref types.ManagedObjectReference) string {
	p := ""
	for {
		e, ok := registry.Get(ref).(mo.Entity)
		if !ok {
			return ""
		}
		if e.Entity().Parent == nil {
			return p
		}
		name := e.Entity().Name
		if pg, ok := e.(*simulator.DistributedVirtualPortgroup); ok {
			name = pg.Name // this field hides the entity's
		}
		p = "/" + name + p
		ref = *e.Entity().Parent
	}
}

func splitPath(p string) (parent, name string) {
	i := strings.LastIndex(p, "/")
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

// refNumber returns the counter in a Ref such as "vm-42", 0 for other formats.
func refNumber(ref string) int64 {
	_, digits, _ := strings.Cut(ref, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// restore creates the machines with their stored Refs. It first advances the registry's
// counter beyond the highest of them, so that new objects do not reuse a Ref.
func (s *Server) restore(ctx context.Context, machines []vmRecord) error {
	highest := int64(0)
	for _, m := range machines {
		highest = max(highest, refNumber(m.Ref))
	}
	registry := s.model.Map()
	for range highest {
		registry.NewEntity(&mo.Folder{})
	}
	if _, err := s.folder(ctx, Folder); err != nil {
		return err
	}
	pool, err := object.NewSearchIndex(s.client).FindByInventoryPath(ctx, Cluster+"/Resources")
	if err != nil {
		return err
	}
	rp, ok := pool.(*object.ResourcePool)
	if !ok {
		return fmt.Errorf("no resource pool in %s", Cluster)
	}
	for _, m := range machines {
		if err := s.put(ctx, rp, m); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// put creates one machine.
func (s *Server) put(ctx context.Context, pool *object.ResourcePool, m vmRecord) error {
	folder, err := s.folder(ctx, m.Folder)
	if err != nil {
		return err
	}
	_, datastore := splitPath(Datastore)
	config := types.VirtualMachineConfigSpec{
		Name: m.Name, GuestId: m.GuestID, NumCPUs: m.CPUs, MemoryMB: int64(m.MemoryMB),
		Uuid: m.UUID, InstanceUuid: m.InstanceUUID, Annotation: m.Annotation,
		Files: &types.VirtualMachineFileInfo{VmPathName: "[" + datastore + "]"},
	}
	config.DeviceChange, err = s.devices(ctx, m)
	if err != nil {
		return err
	}
	result, err := s.await(folder.CreateVM(ctx, config, pool, nil))
	if err != nil {
		return err
	}
	ref, ok := result.(types.ManagedObjectReference)
	if !ok {
		return errors.New("the simulator named no machine")
	}

	extra := make([]types.BaseOptionValue, 0, len(m.ExtraConfig)+2)
	for k, v := range m.ExtraConfig {
		extra = append(extra, &types.OptionValue{Key: k, Value: v})
	}
	for k, v := range map[string]string{"SET.guest.ipAddress": m.IP, "SET.guest.hostName": m.Hostname} {
		if v != "" {
			extra = append(extra, &types.OptionValue{Key: k, Value: v})
		}
	}
	vm := object.NewVirtualMachine(s.client, s.rename(ref, m.Ref))
	if len(extra) > 0 {
		if _, err := s.await(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: extra})); err != nil {
			return err
		}
	}
	if m.On {
		if _, err := s.await(vm.PowerOn(ctx)); err != nil {
			return err
		}
	}
	if m.Template {
		return vm.MarkAsTemplate(ctx)
	}
	return nil
}

// await waits for a task. It polls every 0.1 ms: the client's own wait polls every few
// milliseconds, which would be most of the start-up time.
func (s *Server) await(task *object.Task, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	running, ok := s.model.Map().Get(task.Reference()).(*simulator.Task)
	if !ok {
		return nil, errors.New("the simulator has lost a task")
	}
	ctx := s.lockContext()
	for {
		var info types.TaskInfo
		s.model.Map().WithLock(ctx, running, func() { info = running.Info })
		switch info.State {
		case types.TaskInfoStateSuccess:
			return info.Result, nil
		case types.TaskInfoStateError:
			return nil, fmt.Errorf("%T", info.Error.Fault)
		case types.TaskInfoStateQueued, types.TaskInfoStateRunning:
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// devices returns the controllers, disks and network cards of a machine.
func (s *Server) devices(ctx context.Context, m vmRecord) ([]types.BaseVirtualDeviceConfigSpec, error) {
	var devices object.VirtualDeviceList
	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return nil, err
	}
	devices = append(devices, scsi)
	_, datastore := splitPath(Datastore)
	controller, ok := scsi.(types.BaseVirtualController)
	if !ok {
		return nil, errors.New("no disk controller")
	}
	for i, d := range m.Disks {
		file := fmt.Sprintf("[%s] %s/disk%d.vmdk", datastore, m.Name, i+1)
		disk := devices.CreateDisk(controller, types.ManagedObjectReference{}, file)
		disk.CapacityInKB = d.KB
		if b, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			b.Uuid = d.UUID
			b.ThinProvisioned = types.NewBool(d.Thin)
		}
		devices = append(devices, disk)
	}
	index := object.NewSearchIndex(s.client)
	for _, n := range m.NICs {
		ref, err := index.FindByInventoryPath(ctx, n.Network)
		if err != nil {
			return nil, err
		}
		network, ok := ref.(object.NetworkReference)
		if !ok {
			continue // the network no longer exists
		}
		backing, err := network.EthernetCardBackingInfo(ctx)
		if err != nil {
			return nil, err
		}
		card := esx.EthernetCard
		card.Backing = backing
		card.MacAddress = n.MAC
		card.Key = -1
		card.UnitNumber = nil
		devices = append(devices, &card)
	}
	return devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
}

// rename changes the Ref of a machine to the stored one. It runs before the server
// accepts requests.
func (s *Server) rename(ref types.ManagedObjectReference, to string) types.ManagedObjectReference {
	if to == "" || to == ref.Value {
		return ref
	}
	registry := s.model.Map()
	want := types.ManagedObjectReference{Type: ref.Type, Value: to}
	vm, ok := registry.Get(ref).(*simulator.VirtualMachine)
	if !ok || registry.Get(want) != nil {
		return ref
	}
	ctx := s.lockContext()
	registry.Remove(ctx, ref)
	vm.Self = want
	vm.Summary.Vm = &want
	registry.Put(vm)
	swap := func(refs []types.ManagedObjectReference) {
		for i := range refs {
			if refs[i] == ref {
				refs[i] = want
			}
		}
	}
	if f, ok := registry.Get(*vm.Parent).(*simulator.Folder); ok {
		swap(f.ChildEntity)
	}
	if h, ok := registry.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
		swap(h.Vm)
	}
	if p, ok := registry.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
		swap(p.Vm)
	}
	for _, d := range vm.Datastore {
		if ds, ok := registry.Get(d).(*simulator.Datastore); ok {
			swap(ds.Vm)
		}
	}
	for _, d := range vm.Network {
		switch n := registry.Get(d).(type) {
		case *simulator.DistributedVirtualPortgroup:
			swap(n.Vm)
		case *mo.Network:
			swap(n.Vm)
		}
	}
	return want
}
