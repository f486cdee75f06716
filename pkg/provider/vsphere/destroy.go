package vsphere

import (
	"context"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/provider"
)

// destroyedKey is the memo's key for the Ref of the machine that was removed.
const destroyedKey = "destroyed"

// Destroy removes the machine with its disks. It looks for the Ref first, which counts
// only if the machine does not have another tag (a reinstalled vCenter reuses Refs), then
// for the tag, and last for a clone whose tag was not written.
func (p *Provider) Destroy(r, tag string) []provider.Step {
	return []provider.Step{
		p.step("power-off", "Powering off", "power off the machine", p.untilGone(r, tag, p.powerOffNow)),
		p.step("destroy", "Removing the machine", "remove the machine", p.untilGone(r, tag, p.remove)),
	}
}

// powerOffNow powers off without shutting down the guest.
func (p *Provider) powerOffNow(ctx context.Context, c *vim25.Client, memo provider.Memo, vm ref) (time.Duration, error) {
	return p.powerOff(byRef(vm.Value))(ctx, c, memo)
}

// remove removes the machine. Its step then searches again, and ends when nothing is
// found.
func (p *Provider) remove(ctx context.Context, c *vim25.Client, memo provider.Memo, vm ref) (time.Duration, error) {
	// It may have been powered on in the meantime.
	if wait, err := p.powerOffNow(ctx, c, memo, vm); err != nil || wait > 0 {
		return wait, err
	}
	done, _, err := p.runTask(ctx, c, memo, "destroy.task", func(ctx context.Context, c *vim25.Client) (ref, error) {
		res, err := methods.Destroy_Task(ctx, c, &types.Destroy_Task{This: vm})
		if err != nil {
			return ref{}, err
		}
		return res.Returnval, nil
	})
	if err != nil || !done {
		return pollInterval, err
	}
	memo[destroyedKey] = vm.Value
	return time.Millisecond, nil
}

// untilGone returns an action that calls f as long as the machine exists.
func (p *Provider) untilGone(r, tag string, f func(context.Context, *vim25.Client, provider.Memo, ref) (time.Duration, error)) action {
	const polls = "destroy.looks"
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, found, err := p.findTarget(ctx, c, r, tag, memo[destroyedKey] != "")
		if err != nil {
			return 0, err
		}
		if !found {
			delete(memo, "power-off.task")
			delete(memo, "destroy.task")
			// A clone whose answer was lost may not be in the inventory yet, so wait for
			// all running clones.
			cloning := false
			if r == "" && memo[destroyedKey] == "" && nameSuffix(tag) != "" {
				if cloning, err = p.isCloning(ctx, c); err != nil {
					return 0, err
				}
			}
			if cloning && retryAllowed(memo, polls, clonePolls) {
				return pollInterval, nil
			}
			return 0, nil
		}
		wait, err := f(ctx, c, memo, vm)
		if isFault[*types.ManagedObjectNotFound](err) {
			return time.Millisecond, nil // another client removed it
		}
		return wait, err
	}
}

// findTarget returns the machine to destroy and reports whether there is one. After the
// removal of one machine (removedOne) it searches further only if the index has another.
func (p *Provider) findTarget(ctx context.Context, c *vim25.Client, r, tag string, removedOne bool) (vm ref, found bool, err error) {
	if r != "" {
		ids, err := p.identities(ctx, c, []ref{machineRef(r)})
		if err != nil {
			return ref{}, false, err
		}
		if len(ids) > 0 && !ids[0].template && (ids[0].tag == "" || tag == "" || ids[0].hasTag(tag)) {
			return ids[0].ref, true, nil
		}
	}
	if removedOne && isUUID(tag) {
		refs, err := p.findInIndex(ctx, c, tag)
		if err != nil || len(refs) == 0 {
			return ref{}, false, err
		}
	}
	id, found, err := p.search(ctx, c, tag, true)
	return id.ref, found, err
}

// isCloning reports whether any clone is running.
func (p *Provider) isCloning(ctx context.Context, c *vim25.Client) (bool, error) {
	if c.ServiceContent.TaskManager == nil {
		return false, nil
	}
	props, err := p.readOne(ctx, c, *c.ServiceContent.TaskManager, "description", "recentTask")
	if err != nil {
		return false, err
	}
	tasks, err := p.read(ctx, c, get[types.ArrayOfManagedObjectReference](props, "recentTask").ManagedObjectReference,
		[]string{"info.descriptionId", "info.state"})
	if err != nil {
		return false, err
	}
	for _, o := range tasks {
		props := properties(o)
		state := get[types.TaskInfoState](props, "info.state")
		if strings.HasPrefix(get[string](props, "info.descriptionId"), "VirtualMachine.clone") &&
			(state == types.TaskInfoStateQueued || state == types.TaskInfoStateRunning) {
			return true, nil
		}
	}
	return false, nil
}
