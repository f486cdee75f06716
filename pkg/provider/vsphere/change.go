package vsphere

import (
	"context"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// shutdownPolls is the number of polls, one per second, for a guest to shut down.
const shutdownPolls = 60

// finder returns the machine of a step.
type finder func(context.Context, *vim25.Client, provider.Memo) (ref, error)

func byRef(r string) finder {
	return func(context.Context, *vim25.Client, provider.Memo) (ref, error) { return machineRef(r), nil }
}

// Modify changes processors and memory, also of a running machine if vCenter allows it,
// and grows a disk.
func (p *Provider) Modify(r string, change provider.Change) []provider.Step {
	var steps []provider.Step
	if change.CPUs != 0 || change.MemoryMB != 0 {
		steps = append(steps, p.step("reconfigure", "Setting processors and memory", "change processors and memory",
			func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
				now, err := p.hardware(ctx, c, machineRef(r))
				if err != nil {
					return 0, err
				}
				return p.reconfigure(ctx, c, memo, "reconfigure.task", machineRef(r), resize(now, change.CPUs, change.MemoryMB))
			}))
	}
	if change.DiskUUID != "" || change.DiskGB != 0 {
		steps = append(steps, p.step("grow-disk", "Growing the disk", "grow the disk", p.growDisk(machineRef(r), change)))
	}
	return steps
}

func (p *Provider) growDisk(vm ref, change provider.Change) action {
	const task = "grow-disk.task"
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		now, err := p.hardware(ctx, c, vm)
		if err != nil {
			return 0, err
		}
		var found *types.VirtualDisk
		for _, d := range now.Device {
			if d, ok := d.(*types.VirtualDisk); ok && diskUUID(d) == change.DiskUUID && change.DiskUUID != "" {
				found = d
			}
		}
		if found == nil {
			return 0, fault.Invalidf("The machine %s at the vCenter %s has no disk %q.", vm.Value, p.url.Host, change.DiskUUID)
		}
		want := int64(change.DiskGB) * gigabyte
		if memo[task] == "" && disk(found).SizeGB == change.DiskGB {
			return 0, nil
		}
		if want < capacity(found) {
			return 0, fault.Invalidf("A disk can only grow: %s has %d GB already.", change.DiskUUID, disk(found).SizeGB)
		}
		found.CapacityInBytes, found.CapacityInKB = want, want>>10
		return p.reconfigure(ctx, c, memo, task, vm, &types.VirtualMachineConfigSpec{
			DeviceChange: []types.BaseVirtualDeviceConfigSpec{&types.VirtualDeviceConfigSpec{
				Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: found,
			}},
		})
	}
}

// Power changes the power state. Powering off shuts down the guest first if VMware Tools
// run. A reboot powers on a machine that is off.
func (p *Provider) Power(r string, op provider.PowerOp) []provider.Step {
	switch op {
	case provider.OpPowerOn:
		return []provider.Step{p.step("power-on", "Powering on", "power on the machine", p.powerOn(byRef(r)))}
	case provider.OpPowerOff:
		return []provider.Step{
			p.step("shut-down", "Shutting down the guest", "shut down the guest", p.shutDown(machineRef(r))),
			p.step("power-off", "Powering off", "power off the machine", p.powerOff(byRef(r))),
		}
	case provider.OpReboot:
		return []provider.Step{p.step("reboot", "Rebooting", "reboot the machine", p.reboot(machineRef(r)))}
	}
	return []provider.Step{{Name: "power", Title: "Changing the power state", Run: func(context.Context, provider.Memo) (time.Duration, error) {
		return 0, fault.Invalidf("%q is not a power operation.", op)
	}}}
}

// powerState returns the power state, and whether VMware Tools run in the guest.
func (p *Provider) powerState(ctx context.Context, c *vim25.Client, vm ref) (state types.VirtualMachinePowerState, tools bool, err error) {
	props, err := p.readOne(ctx, c, vm, "runtime.powerState", "guest.toolsRunningStatus")
	running := string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	return get[types.VirtualMachinePowerState](props, "runtime.powerState"), get[string](props, "guest.toolsRunningStatus") == running, err
}

// powerOn powers on the machine.
func (p *Provider) powerOn(find finder) action {
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, err := find(ctx, c, memo)
		if err != nil {
			return 0, err
		}
		return p.setPower(ctx, c, memo, "power-on.task", vm, types.VirtualMachinePowerStatePoweredOn, func(ctx context.Context, c *vim25.Client) (ref, error) {
			res, err := methods.PowerOnVM_Task(ctx, c, &types.PowerOnVM_Task{This: vm})
			if err != nil {
				return ref{}, err
			}
			return res.Returnval, nil
		})
	}
}

// powerOff powers off the machine without its guest.
func (p *Provider) powerOff(find finder) action {
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		vm, err := find(ctx, c, memo)
		if err != nil {
			return 0, err
		}
		return p.setPower(ctx, c, memo, "power-off.task", vm, types.VirtualMachinePowerStatePoweredOff, func(ctx context.Context, c *vim25.Client) (ref, error) {
			res, err := methods.PowerOffVM_Task(ctx, c, &types.PowerOffVM_Task{This: vm})
			if err != nil {
				return ref{}, err
			}
			return res.Returnval, nil
		})
	}
}

// setPower runs a power task until the machine is in the state want. A fault about the
// power state means that another client was faster, or that the change is not possible;
// the current state decides.
func (p *Provider) setPower(ctx context.Context, c *vim25.Client, memo provider.Memo, key string, vm ref,
	want types.VirtualMachinePowerState, start func(context.Context, *vim25.Client) (ref, error),
) (time.Duration, error) {
	if memo[key] == "" {
		state, _, err := p.powerState(ctx, c, vm)
		if err != nil || state == want {
			return 0, err
		}
	}
	done, _, err := p.runTask(ctx, c, memo, key, start)
	if isFault[*types.InvalidPowerState](err) {
		state, _, now := p.powerState(ctx, c, vm)
		if now != nil || state == want {
			return 0, now
		}
	}
	if err != nil || !done {
		return pollInterval, err
	}
	return 0, nil
}

// shutDown asks the guest to shut down and waits for it up to a minute. A guest that does
// not shut down is not an error: the next step powers the machine off.
func (p *Provider) shutDown(vm ref) action {
	const asked, polls = "shut-down.asked", "shut-down.looks"
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		state, tools, err := p.powerState(ctx, c, vm)
		if err != nil || state != types.VirtualMachinePowerStatePoweredOn || (!tools && memo[asked] == "") {
			return 0, err
		}
		if memo[asked] == "" {
			memo[asked] = "1"
			_, err := methods.ShutdownGuest(ctx, c, &types.ShutdownGuest{This: vm})
			switch {
			case err == nil:
			case vimFault(err) == nil || isFault[*types.NotAuthenticated](err):
				delete(memo, asked)
				return 0, err
			default: // the guest cannot; the next step powers off
				p.logger.InfoContext(ctx, "the guest does not shut down", "machine", vm.Value, "error", err)
				return 0, nil
			}
		}
		if retryAllowed(memo, polls, shutdownPolls) {
			return pollInterval, nil
		}
		return 0, nil
	}
}

// reboot reboots the guest if VMware Tools run, and resets the machine otherwise. The
// memo records the request, so that it is not repeated; a crash before the memo is stored
// may cause a second reboot, which is harmless.
func (p *Provider) reboot(vm ref) action {
	const task, done = "reboot.task", "reboot.done"
	return func(ctx context.Context, c *vim25.Client, memo provider.Memo) (time.Duration, error) {
		if memo[done] != "" {
			return 0, nil
		}
		if memo[task] == "" {
			state, tools, err := p.powerState(ctx, c, vm)
			if err != nil {
				return 0, err
			}
			if state != types.VirtualMachinePowerStatePoweredOn {
				return p.powerOn(byRef(vm.Value))(ctx, c, memo)
			}
			if tools {
				_, err := methods.RebootGuest(ctx, c, &types.RebootGuest{This: vm})
				if err == nil {
					memo[done] = "1"
					return 0, nil
				}
				if !isFault[*types.ToolsUnavailable](err) {
					return 0, err
				}
			}
		}
		ended, _, err := p.runTask(ctx, c, memo, task, func(ctx context.Context, c *vim25.Client) (ref, error) {
			res, err := methods.ResetVM_Task(ctx, c, &types.ResetVM_Task{This: vm})
			if err != nil {
				return ref{}, err
			}
			return res.Returnval, nil
		})
		if err != nil || !ended {
			return pollInterval, err
		}
		memo[done] = "1"
		return 0, nil
	}
}
