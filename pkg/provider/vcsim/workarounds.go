package vcsim

import (
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// A machine that is just being made is in the simulator's inventory before it has
// a name, and the simulator panics when it looks for a name and meets one without.
// Whoever looks keeps a lock then, so that nothing is answered any more; and a
// clone that looks takes the whole process along. So nobody looks while a machine
// is being made.
func installWorkarounds(model *simulator.Model) {
	registry := model.Map()
	registry.Put(&lockingIndex{registry.SearchIndex(), model.ServiceContent.RootFolder})
	registry.AddHandler(&cloneLimiter{})
	registry.Handler = clearCurrentSnapshot
}

// clearCurrentSnapshot is told of every call. The simulator panics when it removes the
// current snapshot and that has none before it: so there is no current one by then.
func clearCurrentSnapshot(ctx *simulator.Context, call *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if call.Name != "RemoveSnapshot_Task" || ctx.Session == nil {
		return nil, nil
	}
	snapshot, ok := ctx.Map.Get(call.This).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return nil, nil
	}
	vm, ok := ctx.Map.Get(snapshot.Vm).(*simulator.VirtualMachine)
	if !ok {
		return nil, nil
	}
	ctx.WithLock(vm, func() {
		if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil || *vm.Snapshot.CurrentSnapshot != call.This {
			return
		}
		if slices.ContainsFunc(vm.Snapshot.RootSnapshotList, func(s types.VirtualMachineSnapshotTree) bool { return s.Snapshot == call.This }) {
			vm.Snapshot.CurrentSnapshot = nil
		}
	})
	return nil, nil
}

// cloneLimiter has clones made one after the other. Those of one template are anyway.
type cloneLimiter struct {
	cloning sync.Mutex // held while one is made

	mu   sync.Mutex
	task types.ManagedObjectReference // that makes it
}

// Reference makes it a handler of the simulator's registry.
func (*cloneLimiter) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "HalcyonTurns", Value: "halcyon-turns"}
}

// PutObject is told of every new object; of a task before it begins.
func (t *cloneLimiter) PutObject(_ *simulator.Context, obj mo.Reference) {
	task, ok := obj.(*simulator.Task)
	if !ok || task.Info.DescriptionId != "VirtualMachine.cloneVm" {
		return
	}
	t.cloning.Lock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.task = task.Self
}

// UpdateObject is told of every change.
func (t *cloneLimiter) UpdateObject(_ *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	task, ok := obj.(*mo.Task)
	if !ok {
		return
	}
	for _, c := range changes {
		if c.Name == "info.state" && (c.Val == types.TaskInfoStateSuccess || c.Val == types.TaskInfoStateError) {
			t.release(task.Self)
		}
	}
}

func (t *cloneLimiter) release(task types.ManagedObjectReference) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.task == task {
		t.task = types.ManagedObjectReference{}
		t.cloning.Unlock()
	}
}

// RemoveObject is told of every object that went.
func (*cloneLimiter) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

// lockingIndex looks for names while nothing is being made where it looks.
type lockingIndex struct {
	*simulator.SearchIndex
	root types.ManagedObjectReference
}

// Lock does nothing: an index has no state.
func (*lockingIndex) Lock() {}

// Unlock does nothing.
func (*lockingIndex) Unlock() {}

// FindChild looks for a name in a folder, which is locked while a machine is made
// in it.
func (x *lockingIndex) FindChild(ctx *simulator.Context, req *types.FindChild) (res soap.HasFault) {
	in := ctx.Map.Get(req.Entity)
	if in == nil {
		return x.SearchIndex.FindChild(ctx, req)
	}
	ctx.WithLock(in, func() { res = x.SearchIndex.FindChild(ctx, req) })
	return res
}

// FindByInventoryPath goes down a path, name by name.
func (x *lockingIndex) FindByInventoryPath(ctx *simulator.Context, req *types.FindByInventoryPath) soap.HasFault {
	root := x.root
	found := &root
	for name := range strings.FieldsFuncSeq(req.InventoryPath, func(c rune) bool { return c == '/' }) {
		res, ok := x.FindChild(ctx, &types.FindChild{This: req.This, Entity: *found, Name: name}).(*methods.FindChildBody)
		if !ok || res.Res == nil {
			found = nil
		} else {
			found = res.Res.Returnval
		}
		if found == nil {
			break
		}
	}
	return &methods.FindByInventoryPathBody{Res: &types.FindByInventoryPathResponse{Returnval: found}}
}
