package vsphere

import (
	"context"
	"slices"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// Snapshots returns the machine's snapshots, oldest first. Sizes are unknown: a snapshot
// is spread over files that it shares with others.
func (p *Provider) Snapshots(ctx context.Context, r string) ([]provider.Snapshot, error) {
	var list []provider.Snapshot
	err := p.do(ctx, "list the snapshots of a machine", func(ctx context.Context, c *vim25.Client) (err error) {
		list, err = p.snapshots(ctx, c, machineRef(r))
		return err
	})
	return list, err
}

func (p *Provider) snapshots(ctx context.Context, c *vim25.Client, vm ref) ([]provider.Snapshot, error) {
	props, err := p.readOne(ctx, c, vm, "name", "snapshot")
	if err != nil {
		return nil, err
	}
	info := get[types.VirtualMachineSnapshotInfo](props, "snapshot")
	list := []provider.Snapshot{}
	var walk func([]types.VirtualMachineSnapshotTree)
	walk = func(tree []types.VirtualMachineSnapshotTree) {
		for _, s := range tree {
			list = append(list, provider.Snapshot{
				Ref: s.Snapshot.Value, Name: s.Name, Description: s.Description, Created: s.CreateTime.UTC(),
				Current: info.CurrentSnapshot != nil && info.CurrentSnapshot.Value == s.Snapshot.Value,
			})
			walk(s.ChildSnapshotList)
		}
	}
	walk(info.RootSnapshotList)
	slices.SortStableFunc(list, func(a, b provider.Snapshot) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// Snapshot takes a snapshot of the disks, and of the memory if the spec asks for it. An
// existing snapshot with the name is a success, unless the memo knows it from before.
func (p *Provider) Snapshot(r string, spec provider.SnapshotSpec) []provider.Step {
	vm := machineRef(r)
	return []provider.Step{p.step("snapshot", "Taking the snapshot "+spec.Name, "take a snapshot",
		func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
			if spec.Name == "" {
				return 0, fault.Invalidf("A snapshot needs a name.")
			}
			return p.runSnapshotTask(ctx, c, memo, "snapshot.task", vm, func(list []provider.Snapshot) (bool, error) {
				return slices.ContainsFunc(list, func(s provider.Snapshot) bool { return s.Name == spec.Name && !memo.WasKnown(s.Ref) }), nil
			}, func(ctx context.Context, c *vim25.Client) (ref, error) {
				res, err := methods.CreateSnapshot_Task(ctx, c, &types.CreateSnapshot_Task{
					This: vm, Name: spec.Name, Description: spec.Description, Memory: spec.Memory,
				})
				if err != nil {
					return ref{}, err
				}
				return res.Returnval, nil
			})
		})}
}

// Revert reverts the machine to a snapshot. Without memory in the snapshot the machine is
// off afterwards.
func (p *Provider) Revert(r, snapshot string) []provider.Step {
	vm := machineRef(r)
	return []provider.Step{p.step("revert", "Going back to the snapshot", "go back to a snapshot",
		func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
			return p.runSnapshotTask(ctx, c, memo, "revert.task", vm, func(list []provider.Snapshot) (bool, error) {
				if !slices.ContainsFunc(list, func(s provider.Snapshot) bool { return s.Ref == snapshot }) {
					return false, fault.NotFoundf("The machine %s at the vCenter %s has no snapshot %s.", r, p.url.Host, snapshot)
				}
				return false, nil
			}, func(ctx context.Context, c *vim25.Client) (ref, error) {
				res, err := methods.RevertToSnapshot_Task(ctx, c, &types.RevertToSnapshot_Task{This: snapshotRef(snapshot)})
				if err != nil {
					return ref{}, err
				}
				return res.Returnval, nil
			})
		})}
}

// RemoveSnapshot removes a snapshot and keeps its children.
func (p *Provider) RemoveSnapshot(r, snapshot string) []provider.Step {
	vm := machineRef(r)
	return []provider.Step{p.step("remove-snapshot", "Removing the snapshot", "remove a snapshot",
		func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
			return p.runSnapshotTask(ctx, c, memo, "remove-snapshot.task", vm, func(list []provider.Snapshot) (bool, error) {
				return !slices.ContainsFunc(list, func(s provider.Snapshot) bool { return s.Ref == snapshot }), nil
			}, func(ctx context.Context, c *vim25.Client) (ref, error) {
				res, err := methods.RemoveSnapshot_Task(ctx, c, &types.RemoveSnapshot_Task{This: snapshotRef(snapshot)})
				if err != nil {
					return ref{}, err
				}
				return res.Returnval, nil
			})
		})}
}

// runSnapshotTask runs a task about a machine's snapshots, unless it was not started and
// isDone reports that it is not needed.
func (p *Provider) runSnapshotTask(ctx context.Context, c *vim25.Client, memo provider.Memo, key string, vm ref,
	isDone func([]provider.Snapshot) (done bool, err error), start func(context.Context, *vim25.Client) (ref, error),
) (time.Duration, error) {
	if memo[key] == "" {
		list, err := p.snapshots(ctx, c, vm)
		if err != nil {
			return 0, err
		}
		if done, err := isDone(list); done || err != nil {
			return 0, err
		}
	}
	done, _, err := p.runTask(ctx, c, memo, key, start)
	if err != nil || !done {
		return pollInterval, err
	}
	return 0, nil
}

func snapshotRef(value string) ref { return ref{Type: "VirtualMachineSnapshot", Value: value} }
