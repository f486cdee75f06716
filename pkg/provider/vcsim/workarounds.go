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

// installWorkarounds works around races of govmomi's simulator. A machine is in its
// inventory before it has a name, and a search by name that meets one panics. The search
// then keeps its lock, which blocks all requests; a clone that searches ends the process.
// So searches and clones exclude each other.
func installWorkarounds(model *simulator.Model) {
	registry := model.Map()
	registry.Put(&lockingIndex{registry.SearchIndex(), model.ServiceContent.RootFolder})
	registry.AddHandler(&cloneLimiter{})
	registry.Handler = clearCurrentSnapshot
}

// clearCurrentSnapshot runs before every call. The simulator panics when it removes a
// current snapshot without a parent, so this clears the current snapshot first.
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

// cloneLimiter runs clones one at a time. Those of one template are sequential in any
// case.
type cloneLimiter struct {
	cloning sync.Mutex // held during a clone

	mu   sync.Mutex
	task types.ManagedObjectReference // the clone task in progress
}

// Reference implements mo.Reference, which the simulator's registry requires.
func (*cloneLimiter) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "HalcyonTurns", Value: "halcyon-turns"}
}

// PutObject waits for the clone in progress when a new clone task is registered, before
// it starts.
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

// UpdateObject allows the next clone when a clone task has ended.
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

// RemoveObject implements simulator.RegisterObject.
func (*cloneLimiter) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

// lockingIndex is a search index that locks the folder in which it searches.
type lockingIndex struct {
	*simulator.SearchIndex
	root types.ManagedObjectReference
}

// Lock does nothing: an index has no state.
func (*lockingIndex) Lock() {}

// Unlock does nothing.
func (*lockingIndex) Unlock() {}

// FindChild searches a folder by name. The folder is locked while a machine is created in
// it.
func (x *lockingIndex) FindChild(ctx *simulator.Context, req *types.FindChild) (res soap.HasFault) {
	in := ctx.Map.Get(req.Entity)
	if in == nil {
		return x.SearchIndex.FindChild(ctx, req)
	}
	ctx.WithLock(in, func() { res = x.SearchIndex.FindChild(ctx, req) })
	return res
}

// FindByInventoryPath follows a path name by name.
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
