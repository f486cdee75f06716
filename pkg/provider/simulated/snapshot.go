package simulated

import (
	"context"
	"fmt"
	"slices"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// Snapshots implements provider.Provider.
func (p *Provider) Snapshots(ctx context.Context, ref string) (list []provider.Snapshot, err error) {
	err = p.call(ctx, "snapshots", func() error {
		r, err := p.machine(ref)
		if err != nil {
			return err
		}
		list = make([]provider.Snapshot, len(r.Snapshots))
		for i, s := range r.Snapshots {
			list[i] = s.Snapshot
		}
		return nil
	})
	return list, err
}

// Snapshot stores the size, power state and disks of the machine.
func (p *Provider) Snapshot(ref string, spec provider.SnapshotSpec) []provider.Step {
	return []provider.Step{p.changeWith("snapshot", "Taking the snapshot "+spec.Name, p.byRef(ref), func(r *record, memo provider.Memo) error {
		if spec.Name == "" {
			return fault.Invalidf("A snapshot needs a name.")
		}
		if slices.ContainsFunc(r.Snapshots, func(s savedSnapshot) bool { return s.Name == spec.Name && !memo.WasKnown(s.Ref) }) {
			return nil
		}
		r.Taken++
		s := savedSnapshot{
			Snapshot: provider.Snapshot{
				Ref: fmt.Sprintf("%s-snapshot-%d", r.Ref, r.Taken), Name: spec.Name, Description: spec.Description,
			},
			CPUs: r.CPUs, RAM: r.MemoryMB, Power: provider.PowerOff, Disks: slices.Clone(r.Disks),
		}
		if spec.Memory && r.Power == provider.PowerOn {
			s.Memory, s.Power, s.SizeMB = true, provider.PowerOn, int64(r.MemoryMB)
		}
		if clock := p.cloud.options.Clock; clock != nil {
			s.Created = clock().UTC()
		}
		r.Snapshots = append(r.Snapshots, s)
		r.setCurrent(s.Ref)
		return nil
	})}
}

// setCurrent makes the snapshot with the ref the current one.
func (r *record) setCurrent(ref string) {
	for i := range r.Snapshots {
		r.Snapshots[i].Current = r.Snapshots[i].Ref == ref
	}
}

// Revert restores the size, power state and disks of the machine.
func (p *Provider) Revert(ref, snapshot string) []provider.Step {
	return []provider.Step{p.change("revert", "Going back to the snapshot", p.byRef(ref), func(r *record) error {
		i := slices.IndexFunc(r.Snapshots, func(s savedSnapshot) bool { return s.Ref == snapshot })
		if i < 0 {
			return fault.NotFoundf("The machine %s has no snapshot %s.", ref, snapshot)
		}
		s := r.Snapshots[i]
		r.CPUs, r.MemoryMB, r.Power, r.Disks = s.CPUs, s.RAM, s.Power, slices.Clone(s.Disks)
		r.setCurrent(snapshot)
		return nil
	})}
}

// RemoveSnapshot removes a snapshot. If it was the current one, the snapshot before it
// becomes current.
func (p *Provider) RemoveSnapshot(ref, snapshot string) []provider.Step {
	return []provider.Step{p.change("remove-snapshot", "Removing the snapshot", p.byRef(ref), func(r *record) error {
		i := slices.IndexFunc(r.Snapshots, func(s savedSnapshot) bool { return s.Ref == snapshot })
		if i < 0 {
			return nil
		}
		current := r.Snapshots[i].Current
		r.Snapshots = slices.Delete(r.Snapshots, i, i+1)
		if current && i > 0 {
			r.setCurrent(r.Snapshots[i-1].Ref)
		}
		return nil
	})}
}
