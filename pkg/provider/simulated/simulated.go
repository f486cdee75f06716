package simulated

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// Provider is a client of a Cloud.
type Provider struct {
	cloud    *Cloud
	password string
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider of the cloud's machines. It uses only the password of cfg.
func New(cfg provider.Config, cloud *Cloud) *Provider {
	return &Provider{cloud: cloud, password: cfg.Password}
}

// pollInterval is the wait between two calls of a step that waits for a clone.
const pollInterval = 20 * time.Millisecond

// call performs one call to the cloud: latency, injected failures, the password check,
// and then f.
func (p *Provider) call(ctx context.Context, name string, f func() error) error {
	c := p.cloud
	canceled := func() error {
		return fault.Wrap(fault.Unavailable, ctx.Err(), "The call to the simulated cloud was canceled.")
	}
	if ctx.Err() != nil {
		return canceled()
	}
	if c.options.Latency > 0 {
		select {
		case <-ctx.Done():
			return canceled()
		case <-time.After(c.options.Latency):
		}
	}
	unavailable := fault.New(fault.Unavailable, "The simulated cloud cannot be reached.")
	if c.isDown() {
		return unavailable
	}
	if c.options.Password != "" && p.password != c.options.Password {
		return fault.Invalidf("The simulated cloud refused the password.")
	}
	switch c.nextFailure(name) {
	case Unavailable:
		return unavailable
	case Refused:
		return fault.Invalidf("The simulated cloud refused to %s.", name)
	case AnswerLost:
		_ = c.locked(f)
		return unavailable
	}
	return c.locked(f)
}

// Verify returns the product name of the simulation.
func (p *Provider) Verify(ctx context.Context) (provider.About, error) {
	about := provider.About{Product: "Halcyon simulated cloud", APIType: "Simulated"}
	return about, p.call(ctx, "verify", func() error { return nil })
}

// inventory returns the places for machines.
func inventory() provider.Inventory {
	return provider.Inventory{
		Datacenters: []string{"/dc"},
		Clusters:    []string{"/dc/host/cluster"},
		Datastores:  []string{"/dc/datastore/store-1", "/dc/datastore/store-2"},
		Networks:    []string{"/dc/network/dmz", "/dc/network/lan"},
		Folders:     []string{"/dc/vm", "/dc/vm/halcyon"},
	}
}

// Discover returns the templates and the invented places.
func (p *Provider) Discover(ctx context.Context) (provider.Inventory, error) {
	inv := inventory()
	for _, name := range Templates() {
		family, _, _ := strings.Cut(name, "-")
		if family != "windows" {
			family = "linux"
		}
		inv.Templates = append(inv.Templates, provider.Template{Name: name, OSFamily: family, CPUs: 1, MemoryMB: 1024})
	}
	if err := p.call(ctx, "discover", func() error { return nil }); err != nil {
		return provider.Inventory{}, err
	}
	return inv, nil
}

// List implements provider.Provider.
func (p *Provider) List(ctx context.Context, after string, limit int) ([]provider.Machine, error) {
	if limit <= 0 {
		return nil, fault.Invalidf("A page of machines needs a limit above 0.")
	}
	var page []provider.Machine
	err := p.call(ctx, "list", func() error {
		refs := p.cloud.refs
		at, found := slices.BinarySearch(refs, after)
		if found {
			at++
		}
		for _, ref := range refs[at:min(len(refs), at+limit)] {
			page = append(page, p.cloud.machines[ref].clone().Machine)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Find implements provider.Provider.
func (p *Provider) Find(ctx context.Context, tag string) (provider.Machine, error) {
	return p.get(ctx, "find", func() (record, error) {
		if r, ok := p.cloud.machines[p.cloud.tags[tag]]; ok && tag != "" {
			return r, nil
		}
		return record{}, fault.NotFoundf("The simulated cloud has no machine with the tag %q.", tag)
	})
}

// Inspect implements provider.Provider.
func (p *Provider) Inspect(ctx context.Context, ref string) (provider.Machine, error) {
	return p.get(ctx, "inspect", func() (record, error) { return p.machine(ref) })
}

func (p *Provider) get(ctx context.Context, name string, f func() (record, error)) (provider.Machine, error) {
	var m provider.Machine
	err := p.call(ctx, name, func() error {
		r, err := f()
		m = r.clone().Machine
		return err
	})
	if err != nil {
		return provider.Machine{}, err
	}
	return m, nil
}

// machine returns a copy of the record of a machine. Like the methods below it requires
// the cloud's lock.
func (p *Provider) machine(ref string) (record, error) {
	r, ok := p.cloud.machines[ref]
	if !ok {
		return record{}, fault.NotFoundf("The simulated cloud has no machine %s.", ref)
	}
	return r.clone(), nil
}

// step returns a provider.Step that calls f with the cloud locked.
func (p *Provider) step(name, title string, f func(memo provider.Memo) (time.Duration, error)) provider.Step {
	return provider.Step{Name: name, Title: title, Run: func(ctx context.Context, memo provider.Memo) (wait time.Duration, err error) {
		before := maps.Clone(memo)
		err = p.call(ctx, name, func() (err error) {
			wait, err = f(memo)
			return err
		})
		if err != nil {
			// Without an answer the caller has no result: undo changes to the memo.
			clear(memo)
			maps.Copy(memo, before)
			return 0, err
		}
		return wait, nil
	}}
}

// change returns a step that changes one machine.
func (p *Provider) change(name, title string, lookup func(provider.Memo) (record, error), f func(*record) error) provider.Step {
	return p.changeWith(name, title, lookup, func(r *record, _ provider.Memo) error { return f(r) })
}

// changeWith is change for operations that read the memo.
func (p *Provider) changeWith(name, title string, lookup func(provider.Memo) (record, error), f func(*record, provider.Memo) error) provider.Step {
	return p.step(name, title, func(memo provider.Memo) (time.Duration, error) {
		r, err := lookup(memo)
		if err != nil {
			return 0, err
		}
		if err := f(&r, memo); err != nil {
			return 0, err
		}
		return 0, p.cloud.save(r)
	})
}

func (p *Provider) byRef(ref string) func(provider.Memo) (record, error) {
	return func(provider.Memo) (record, error) { return p.machine(ref) }
}

// Create creates a machine in the same steps as the vsphere provider on its simulator:
// the clone has only its name.
func (p *Provider) Create(spec provider.Spec) []provider.Step {
	created := func(memo provider.Memo) (record, error) {
		if memo[provider.MemoRef] == "" {
			r, ok := p.existing(spec)
			if !ok {
				return record{}, fault.NotFoundf("The simulated cloud has no machine with the tag %s.", spec.Tag)
			}
			memo[provider.MemoRef] = r.Ref
		}
		return p.machine(memo[provider.MemoRef])
	}
	steps := []provider.Step{
		p.step("clone", "Cloning "+spec.Template, func(memo provider.Memo) (time.Duration, error) { return p.clone(spec, memo) }),
		p.change("tag", "Marking the machine", created, func(r *record) error {
			r.Tag = spec.Tag
			return nil
		}),
		p.change("configure", "Setting processors and memory", created, func(r *record) error {
			setIfPositive(&r.CPUs, spec.CPUs)
			setIfPositive(&r.MemoryMB, spec.MemoryMB)
			return nil
		}),
		p.change("customize", "Setting host name and address", created, func(r *record) error {
			if r.Power == provider.PowerOff {
				r.Want = spec
			}
			return nil
		}),
		p.change("power-on", "Powering on", created, powerOn),
	}
	for i := range steps[1:] {
		steps[i+1].WithPrevious = true // they do not wait
	}
	return steps
}

func setIfPositive(to *int, v int) {
	if v > 0 {
		*to = v
	}
}

// existing returns the machine that an earlier attempt created.
func (p *Provider) existing(spec provider.Spec) (record, bool) {
	c := p.cloud
	if r, ok := c.machines[c.tags[spec.Tag]]; ok {
		return r, true
	}
	r, ok := c.machines[c.names[spec.Name]]
	return r, ok && r.Tag == ""
}

func (p *Provider) clone(spec provider.Spec, memo provider.Memo) (time.Duration, error) {
	c := p.cloud
	r, ok := p.existing(spec)
	if !ok {
		if c.names[spec.Name] != "" {
			return 0, fault.Conflictf("The name %s is taken in the simulated cloud by another machine.", spec.Name)
		}
		if !slices.Contains(Templates(), spec.Template) {
			return 0, fault.Invalidf("The simulated cloud has no template %q.", spec.Template)
		}
		all := inventory()
		for _, want := range []struct {
			what, name string
			have       []string
		}{
			{"datacenter", spec.Datacenter, all.Datacenters},
			{"cluster", spec.Cluster, all.Clusters},
			{"datastore", spec.Datastore, all.Datastores},
			{"network", spec.Network, all.Networks},
			{"folder", spec.Folder, all.Folders},
		} {
			known := func(path string) bool { return path == want.name || base(path) == want.name }
			if want.name != "" && !slices.ContainsFunc(want.have, known) {
				return 0, fault.Invalidf("The simulated cloud has no %s %q.", want.what, want.name)
			}
		}
		r = c.newRecord(spec)
		if err := c.save(r); err != nil {
			return 0, err
		}
	}
	if !r.Ready.IsZero() && c.options.Clock != nil && c.options.Clock().Before(r.Ready) {
		return pollInterval, nil
	}
	memo[provider.MemoRef] = r.Ref
	return 0, nil
}

// powerOn turns the machine on and applies the host name and address, like a guest that
// customizes itself.
func powerOn(r *record) error {
	r.Power = provider.PowerOn
	r.Hostname = orDefault(r.Want.Hostname, orDefault(r.Hostname, r.Name))
	if a := r.Want.Address; a != nil {
		r.IP = a.IP
		r.NICs[0].IPs = []string{a.IP}
	}
	return nil
}

// Modify implements provider.Provider.
func (p *Provider) Modify(ref string, change provider.Change) []provider.Step {
	return []provider.Step{p.change("modify", "Changing the machine", p.byRef(ref), func(r *record) error {
		setIfPositive(&r.CPUs, change.CPUs)
		setIfPositive(&r.MemoryMB, change.MemoryMB)
		if change.DiskUUID == "" && change.DiskGB == 0 {
			return nil
		}
		for i := range r.Disks {
			d := &r.Disks[i]
			if d.UUID != change.DiskUUID {
				continue
			}
			if change.DiskGB < d.SizeGB {
				return fault.Invalidf("A disk can only grow: %s has %d GB already.", d.UUID, d.SizeGB)
			}
			d.SizeGB = change.DiskGB
			return nil
		}
		return fault.Invalidf("The machine %s has no disk %q.", ref, change.DiskUUID)
	})}
}

// Power implements provider.Provider.
func (p *Provider) Power(ref string, op provider.PowerOp) []provider.Step {
	return []provider.Step{p.change("power", "Changing the power state", p.byRef(ref), func(r *record) error {
		switch op {
		case provider.OpPowerOn, provider.OpReboot:
			return powerOn(r)
		case provider.OpPowerOff:
			r.Power = provider.PowerOff
			return nil
		}
		return fault.Invalidf("%q is not a power operation.", op)
	})}
}

// Destroy removes a machine, including one without a tag yet: its name ends in the first
// characters of the tag.
func (p *Provider) Destroy(ref, tag string) []provider.Step {
	return []provider.Step{p.step("destroy", "Removing the machine", func(provider.Memo) (time.Duration, error) {
		c := p.cloud
		r, ok := c.machines[ref]
		if !ok || (r.Tag != "" && tag != "" && r.Tag != tag) {
			r, ok = c.machines[c.tags[tag]]
		}
		if !ok && len(tag) >= 8 {
			for name, at := range c.names {
				if m := c.machines[at]; m.Tag == "" && strings.HasSuffix(name, "-"+tag[:8]) {
					r, ok = m, true
				}
			}
		}
		if !ok {
			return 0, nil
		}
		r.Gone = true
		return 0, c.save(r)
	})}
}

// Close does nothing: there are no sessions.
func (p *Provider) Close(context.Context) error { return nil }
