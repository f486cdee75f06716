package providertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

// Fixture is a back end to test a provider on. Tests run in parallel and may share one
// back end.
type Fixture struct {
	Provider      provider.Provider
	Other         provider.Provider // the same back end, as in another process
	WrongPassword provider.Provider // the same back end, with a wrong password
	Unreachable   provider.Provider // a back end that does not answer, with the right password
	Secret        string            // the password, which must not appear in errors

	Template  string             // name of a template, as Discover returns it
	Placement provider.Placement // place of new machines
	Templates []string           // names that List leaves out

	// CreateUntagged creates a machine without a tag, like a creation that stopped before
	// writing it. It is nil for back ends that write the tag with the machine.
	CreateUntagged func(ctx context.Context, name string) error
	// Rename renames a machine, as an operator would.
	Rename func(ctx context.Context, ref, name string) error
}

var lastAddress atomic.Int32

// newSpec returns the spec of a new machine with a unique tag, name and address.
func (f Fixture) newSpec() provider.Spec {
	tag := uuid.NewString()
	n := lastAddress.Add(1)
	return provider.Spec{
		Tag: tag, Name: "web-" + tag[:8], Hostname: fmt.Sprintf("web-%d", n),
		Template: f.Template, CPUs: 3, MemoryMB: 3072, Placement: f.Placement, OSFamily: "linux",
		Address: &provider.Address{
			IP: fmt.Sprintf("10.77.%d.%d", n/200, 10+n%200), Prefix: 16, Gateway: "10.77.0.1",
			DNS: []string{"10.77.0.2"}, Domain: "example.com",
		},
	}
}

// Run runs the conformance tests. newFixture is called once for each test.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Fixture){
		"Verify":            testVerify,
		"Discover":          testDiscover,
		"Create":            testCreate,
		"CreateTwice":       testCreateTwice,
		"CreateInterrupted": testCreateInterrupted,
		"CreateMany":        testCreateMany,
		"CreateRefused":     testCreateRefused,
		"AdoptHalfMade":     testAdoptHalfMade,
		"FindRenamed":       testFindRenamed,
		"Modify":            testModify,
		"GrowDisk":          testGrowDisk,
		"Power":             testPower,
		"Snapshot":          testSnapshot,
		"List":              testList,
		"Destroy":           testDestroy,
		"DestroyHalfMade":   testDestroyHalfMade,
		"DestroyForeign":    testDestroyForeign,
		"NotFound":          testNotFound,
		"Unreachable":       testUnreachable,
		"WrongPassword":     testWrongPassword,
		"Canceled":          testCanceled,
		"Close":             testClose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t))
		})
	}
}

func run(t *testing.T, steps []provider.Step) provider.Memo {
	t.Helper()
	memo := provider.Memo{}
	if err := RunSteps(t.Context(), steps, memo); err != nil {
		t.Fatal(err)
	}
	return memo
}

func mustFail(t *testing.T, err error, code fault.Code, secret string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("error is %q: %v, want %q", fault.CodeOf(err), err, code)
	}
	if secret != "" && strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows the password: %v", err)
	}
	if m := fault.Message(err); m == "" || strings.Contains(m, "@") {
		t.Errorf("not a message for people: %q", m)
	}
}

// create creates a machine, to be destroyed with the test, and returns it as Inspect
// does.
func create(t *testing.T, f Fixture, spec provider.Spec) provider.Machine {
	t.Helper()
	memo := run(t, f.Provider.Create(spec))
	if memo[provider.MemoRef] == "" {
		t.Fatal("the memo has no ref")
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := RunSteps(ctx, f.Provider.Destroy("", spec.Tag), provider.Memo{}); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return inspect(t, f, memo[provider.MemoRef])
}

func inspect(t *testing.T, f Fixture, ref string) provider.Machine {
	t.Helper()
	m, err := f.Provider.Inspect(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// machines returns the machines of all pages of limit.
func machines(t *testing.T, p provider.Provider, limit int) []provider.Machine {
	t.Helper()
	var all []provider.Machine
	after := ""
	for {
		page, err := p.List(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > limit {
			t.Fatalf("a page of %d, the limit was %d", len(page), limit)
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		after = page[len(page)-1].Ref
	}
}

// countMachines returns the number of machines with the tag or the name of spec.
func countMachines(t *testing.T, f Fixture, spec provider.Spec) int {
	t.Helper()
	n := 0
	for _, m := range machines(t, f.Other, 50) {
		if m.Tag == spec.Tag || m.Name == spec.Name {
			n++
		}
	}
	return n
}

func mustBeOne(t *testing.T, f Fixture, spec provider.Spec) {
	t.Helper()
	if n := countMachines(t, f, spec); n != 1 {
		t.Errorf("%d machines for one tag", n)
	}
}

// mustMatch compares a machine with the spec that it was created from.
func mustMatch(t *testing.T, m provider.Machine, spec provider.Spec) {
	t.Helper()
	type facts struct {
		Tag, Hostname, IP, OSFamily string
		Power                       provider.PowerState
		CPUs, MemoryMB              int
	}
	want := facts{spec.Tag, spec.Hostname, "", "linux", provider.PowerOn, spec.CPUs, spec.MemoryMB}
	if spec.Address != nil {
		want.IP = spec.Address.IP
	}
	got := facts{m.Tag, m.Hostname, m.IP, m.OSFamily, m.Power, m.CPUs, m.MemoryMB}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("machine (-want +got):\n%s", d)
	}
	if len(m.Disks) == 0 || m.Disks[0].UUID == "" || m.Disks[0].SizeGB == 0 || m.Disks[0].ProvisioningType == "" {
		t.Errorf("disks: %+v", m.Disks)
	}
	if len(m.NICs) == 0 || m.NICs[0].MAC == "" || m.NICs[0].Network == "" || m.MAC != m.NICs[0].MAC {
		t.Errorf("network cards: %+v", m.NICs)
	}
	if spec.Address != nil && (len(m.NICs) == 0 || !slices.Contains(m.NICs[0].IPs, spec.Address.IP)) {
		t.Errorf("network cards: %+v, none has %s", m.NICs, spec.Address.IP)
	}
}

func testVerify(t *testing.T, f Fixture) {
	about, err := f.Provider.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if about.Product == "" || about.APIType == "" {
		t.Errorf("about: %+v", about)
	}
}

func testDiscover(t *testing.T, f Fixture) {
	inv, err := f.Provider.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tpl := range inv.Templates {
		names = append(names, tpl.Name)
		if tpl.CPUs == 0 || tpl.MemoryMB == 0 {
			t.Errorf("template: %+v", tpl)
		}
	}
	if !slices.Contains(names, f.Template) {
		t.Errorf("templates %q without %q", names, f.Template)
	}
	for kind, paths := range map[string][]string{
		"datacenters": inv.Datacenters, "clusters": inv.Clusters, "datastores": inv.Datastores,
		"networks": inv.Networks, "folders": inv.Folders,
	} {
		if len(paths) == 0 || !slices.IsSorted(paths) || !strings.HasPrefix(paths[0], "/") {
			t.Errorf("%s: %q", kind, paths)
		}
	}
}

func testCreate(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	mustMatch(t, m, spec)
	if m.Name != spec.Name {
		t.Errorf("name %q, want %q", m.Name, spec.Name)
	}
	found, err := f.Other.Find(t.Context(), spec.Tag)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, found); d != "" {
		t.Errorf("Inspect and Find (-Inspect +Find):\n%s", d)
	}

	plain := f.newSpec()
	plain.Address, plain.CPUs, plain.MemoryMB = nil, 0, 0
	m = create(t, f, plain)
	if m.Power != provider.PowerOn || m.CPUs == 0 || m.MemoryMB == 0 {
		t.Errorf("machine as its template: %+v", m)
	}
}

func testCreateTwice(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	memo := provider.Memo{}
	if err := RunSteps(t.Context(), f.Other.Create(spec), memo); err != nil {
		t.Fatal(err)
	}
	if memo[provider.MemoRef] != m.Ref {
		t.Errorf("made %s, there was %s", memo[provider.MemoRef], m.Ref)
	}
	mustBeOne(t, f, spec)
}

// testCreateInterrupted stops a creation after each call of a step and continues in
// another process: from the first step without a memo, from the first step with the memo
// that a crash leaves, and from the interrupted step.
func testCreateInterrupted(t *testing.T, f Fixture) {
	spec := f.newSpec()
	calls, err := RunCalls(t.Context(), f.Provider.Create(spec), maxCalls)
	if err != nil {
		t.Fatal(err)
	}
	if err := RunSteps(t.Context(), f.Provider.Destroy("", spec.Tag), provider.Memo{}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(calls); n++ {
		for name, resume := range map[string]func([]provider.Step, Call) ([]provider.Step, provider.Memo){
			"empty": func(s []provider.Step, _ Call) ([]provider.Step, provider.Memo) { return s, provider.Memo{} },
			"old":   func(s []provider.Step, c Call) ([]provider.Step, provider.Memo) { return s, maps.Clone(c.Before) },
			"resumed": func(s []provider.Step, c Call) ([]provider.Step, provider.Memo) {
				return s[c.Step:], maps.Clone(c.Before)
			},
			"no memo": func(s []provider.Step, c Call) ([]provider.Step, provider.Memo) { return s[c.Step:], provider.Memo{} },
			"finished": func(s []provider.Step, c Call) ([]provider.Step, provider.Memo) {
				return s[c.Step:], maps.Clone(c.After)
			},
		} {
			t.Run(fmt.Sprintf("%d/%s", n, name), func(t *testing.T) {
				t.Parallel()
				spec := f.newSpec()
				calls, err := RunCalls(t.Context(), f.Provider.Create(spec), n)
				if err != nil {
					t.Fatal(err)
				}
				steps, memo := resume(f.Other.Create(spec), calls[len(calls)-1])
				if err := RunSteps(t.Context(), steps, memo); err != nil {
					t.Fatal(err)
				}
				mustMatch(t, inspect(t, f, memo[provider.MemoRef]), spec)
				mustBeOne(t, f, spec)
				run(t, f.Other.Destroy(memo[provider.MemoRef], spec.Tag))
			})
		}
	}
}

func testCreateMany(t *testing.T, f Fixture) {
	specs := make([]provider.Spec, 8)
	var wg sync.WaitGroup
	for i := range specs {
		specs[i] = f.newSpec()
		// Two processes create each machine at the same time.
		for _, p := range []provider.Provider{f.Provider, f.Other} {
			wg.Go(func() {
				if err := RunSteps(t.Context(), p.Create(specs[i]), provider.Memo{}); err != nil && !expectedRace(err) {
					t.Errorf("create: %v", err)
				}
			})
		}
	}
	wg.Wait()
	for _, spec := range specs {
		mustBeOne(t, f, spec)
		// The creation that lost the race is retried.
		memo := run(t, f.Provider.Create(spec))
		mustMatch(t, inspect(t, f, memo[provider.MemoRef]), spec)
		run(t, f.Provider.Destroy("", spec.Tag))
	}
}

// expectedRace reports whether two processes that configured one machine interfered. This
// does not happen in production, since a job has one owner, but it must not create a
// second machine either.
func expectedRace(err error) bool { return fault.Is(err, fault.Conflict) }

func testCreateRefused(t *testing.T, f Fixture) {
	spec := f.newSpec()
	spec.Template = "no-such-template"
	err := RunSteps(t.Context(), f.Provider.Create(spec), provider.Memo{})
	mustFail(t, err, fault.Invalid, f.Secret)
	if m := fault.Message(err); !strings.Contains(m, spec.Template) {
		t.Errorf("%q does not name the template", m)
	}
	for name, set := range map[string]func(*provider.Placement){
		"datacenter": func(p *provider.Placement) { p.Datacenter = "no-such-thing" },
		"network":    func(p *provider.Placement) { p.Network = "no-such-thing" },
		"folder":     func(p *provider.Placement) { p.Folder = "no-such-thing" },
	} {
		spec := f.newSpec()
		set(&spec.Placement)
		err := RunSteps(t.Context(), f.Provider.Create(spec), provider.Memo{})
		mustFail(t, err, fault.Invalid, f.Secret)
		if m := fault.Message(err); !strings.Contains(m, "no-such-thing") || !strings.Contains(m, name) {
			t.Errorf("%q does not name the %s", m, name)
		}
		if n := countMachines(t, f, spec); n != 0 {
			t.Errorf("%d machines were made", n)
		}
	}
	// The name belongs to a machine with another tag.
	taken := f.newSpec()
	create(t, f, taken)
	spec = f.newSpec()
	spec.Name = taken.Name
	mustFail(t, RunSteps(t.Context(), f.Provider.Create(spec), provider.Memo{}), fault.Conflict, f.Secret)
}

func testAdoptHalfMade(t *testing.T, f Fixture) {
	if f.CreateUntagged == nil {
		t.Skip("this back end writes the tag with the machine")
	}
	spec := f.newSpec()
	if err := f.CreateUntagged(t.Context(), spec.Name); err != nil {
		t.Fatal(err)
	}
	mustMatch(t, create(t, f, spec), spec)
	mustBeOne(t, f, spec)
}

func testFindRenamed(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	if err := f.Rename(t.Context(), m.Ref, "accounting "+spec.Tag[9:13]); err != nil {
		t.Fatal(err)
	}
	found, err := f.Provider.Find(t.Context(), spec.Tag)
	if err != nil {
		t.Fatal(err)
	}
	if found.Ref != m.Ref || found.Name == m.Name {
		t.Errorf("found %s %q", found.Ref, found.Name)
	}
	memo := run(t, f.Other.Create(spec))
	if memo[provider.MemoRef] != m.Ref {
		t.Errorf("made %s, there was %s", memo[provider.MemoRef], m.Ref)
	}
	run(t, f.Provider.Destroy("", spec.Tag))
	_, err = f.Provider.Inspect(t.Context(), m.Ref)
	mustFail(t, err, fault.NotFound, f.Secret)
}

func testModify(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	for range 2 { // the second run has nothing to change
		run(t, f.Provider.Modify(m.Ref, provider.Change{CPUs: 4, MemoryMB: 8192}))
	}
	run(t, f.Provider.Modify(m.Ref, provider.Change{MemoryMB: 4096}))
	run(t, f.Provider.Modify(m.Ref, provider.Change{}))
	spec.CPUs, spec.MemoryMB = 4, 4096
	mustMatch(t, inspect(t, f, m.Ref), spec)
	err := RunSteps(t.Context(), f.Provider.Modify("vm-999999999", provider.Change{CPUs: 2}), provider.Memo{})
	mustFail(t, err, fault.NotFound, f.Secret)
}

func testGrowDisk(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	d := m.Disks[0]
	for range 2 {
		run(t, f.Provider.Modify(m.Ref, provider.Change{DiskUUID: d.UUID, DiskGB: d.SizeGB + 5}))
	}
	now := inspect(t, f, m.Ref)
	d.SizeGB += 5
	if diff := cmp.Diff(d, now.Disks[0]); diff != "" || len(now.Disks) != len(m.Disks) {
		t.Errorf("disk (-want +got):\n%s", diff)
	}
	for _, change := range []provider.Change{
		{DiskUUID: d.UUID, DiskGB: 1},
		{DiskUUID: "no-such-disk", DiskGB: 100},
	} {
		err := RunSteps(t.Context(), f.Provider.Modify(m.Ref, change), provider.Memo{})
		mustFail(t, err, fault.Invalid, f.Secret)
	}
}

func testPower(t *testing.T, f Fixture) {
	m := create(t, f, f.newSpec())
	for _, step := range []struct {
		op   provider.PowerOp
		want provider.PowerState
	}{
		{provider.OpPowerOn, provider.PowerOn},
		{provider.OpReboot, provider.PowerOn},
		{provider.OpPowerOff, provider.PowerOff},
		{provider.OpPowerOff, provider.PowerOff},
		{provider.OpPowerOn, provider.PowerOn},
		{provider.OpPowerOff, provider.PowerOff},
		{provider.OpReboot, provider.PowerOn},
	} {
		memo := run(t, f.Provider.Power(m.Ref, step.op))
		if got := inspect(t, f, m.Ref).Power; got != step.want {
			t.Fatalf("%s: %s, want %s", step.op, got, step.want)
		}
		// A process that crashed after the last step runs it again.
		if err := RunSteps(t.Context(), f.Other.Power(m.Ref, step.op), memo); err != nil {
			t.Fatal(err)
		}
		if got := inspect(t, f, m.Ref).Power; got != step.want {
			t.Fatalf("%s again: %s, want %s", step.op, got, step.want)
		}
	}
	err := RunSteps(t.Context(), f.Provider.Power(m.Ref, "explode"), provider.Memo{})
	mustFail(t, err, fault.Invalid, f.Secret)
	err = RunSteps(t.Context(), f.Provider.Power("vm-999999999", provider.OpPowerOn), provider.Memo{})
	mustFail(t, err, fault.NotFound, f.Secret)
}

func testSnapshot(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	if list := snapshots(t, f.Provider, m.Ref); len(list) != 0 {
		t.Errorf("a new machine has the snapshots %+v", list)
	}
	run(t, f.Provider.Snapshot(m.Ref, provider.SnapshotSpec{Name: "before the upgrade", Description: "All was well & <good>."}))
	run(t, f.Provider.Snapshot(m.Ref, provider.SnapshotSpec{Name: "after the upgrade", Memory: true}))
	run(t, f.Other.Snapshot(m.Ref, provider.SnapshotSpec{Name: "before the upgrade"})) // it exists already
	err := RunSteps(t.Context(), f.Provider.Snapshot(m.Ref, provider.SnapshotSpec{}), provider.Memo{})
	mustFail(t, err, fault.Invalid, f.Secret)
	err = RunSteps(t.Context(), f.Provider.Snapshot("vm-999999999", provider.SnapshotSpec{Name: "x"}), provider.Memo{})
	mustFail(t, err, fault.NotFound, f.Secret)
	_, err = f.Provider.Snapshots(t.Context(), "vm-999999999")
	mustFail(t, err, fault.NotFound, f.Secret)
	type snapshotFields struct {
		Name, Description string
		Current           bool
	}
	check := func(want ...snapshotFields) []provider.Snapshot {
		t.Helper()
		list := snapshots(t, f.Other, m.Ref)
		var got []snapshotFields
		for _, s := range list {
			got = append(got, snapshotFields{s.Name, s.Description, s.Current})
			if s.Ref == "" {
				t.Errorf("the snapshot %s has no ref", s.Name)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("snapshots (-want +got):\n%s", d)
		}
		return list
	}
	list := check(snapshotFields{"before the upgrade", "All was well & <good>.", false}, snapshotFields{"after the upgrade", "", true})
	if t.Failed() {
		return
	}
	before, after := list[0].Ref, list[1].Ref
	memo := run(t, f.Provider.Revert(m.Ref, before))
	if err := RunSteps(t.Context(), f.Other.Revert(m.Ref, before), memo); err != nil {
		t.Errorf("once more: %v", err)
	}
	check(snapshotFields{"before the upgrade", "All was well & <good>.", true}, snapshotFields{"after the upgrade", "", false})
	if now := inspect(t, f, m.Ref); now.Tag != spec.Tag || now.CPUs != spec.CPUs {
		t.Errorf("the machine that went back is %+v", now)
	}
	for range 2 { // the second run finds nothing
		run(t, f.Provider.RemoveSnapshot(m.Ref, before))
	}
	left := snapshots(t, f.Provider, m.Ref)
	if len(left) != 1 || left[0].Ref != after {
		t.Errorf("after the removal of the first: %+v", left)
	}
	err = RunSteps(t.Context(), f.Provider.Revert(m.Ref, before), provider.Memo{})
	mustFail(t, err, fault.NotFound, f.Secret)
	// A snapshot of one machine is not found on another.
	other := create(t, f, f.newSpec())
	err = RunSteps(t.Context(), f.Provider.Revert(other.Ref, after), provider.Memo{})
	mustFail(t, err, fault.NotFound, f.Secret)
	run(t, f.Provider.RemoveSnapshot(other.Ref, after))
	if left := snapshots(t, f.Provider, m.Ref); len(left) != 1 {
		t.Errorf("another machine's removal left %+v", left)
	}
	run(t, f.Provider.RemoveSnapshot(m.Ref, after))
	if left := snapshots(t, f.Provider, m.Ref); len(left) != 0 {
		t.Errorf("after the removal of all: %+v", left)
	}
	run(t, f.Provider.Snapshot(m.Ref, provider.SnapshotSpec{Name: "a new beginning"}))
	check(snapshotFields{"a new beginning", "", true})
}

func snapshots(t *testing.T, p provider.Provider, ref string) []provider.Snapshot {
	t.Helper()
	list, err := p.Snapshots(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testList(t *testing.T, f Fixture) {
	mine := map[string]provider.Machine{}
	for range 4 {
		m := create(t, f, f.newSpec())
		mine[m.Ref] = m
	}
	for _, limit := range []int{3, 1000} {
		all := machines(t, f.Provider, limit)
		seen := map[string]bool{}
		for i, m := range all {
			if i > 0 && all[i-1].Ref >= m.Ref {
				t.Errorf("%q after %q", m.Ref, all[i-1].Ref)
			}
			if slices.Contains(f.Templates, m.Name) {
				t.Errorf("the template %s is listed", m.Name)
			}
			if want, ok := mine[m.Ref]; ok {
				seen[m.Ref] = true
				if d := cmp.Diff(want, m); d != "" {
					t.Errorf("Inspect and List (-Inspect +List):\n%s", d)
				}
			}
		}
		if len(seen) != len(mine) {
			t.Errorf("pages of %d: %d of %d machines", limit, len(seen), len(mine))
		}
	}
	// A page can be read without those before it, also by another process, and even if
	// the machine that it starts after is gone.
	all := machines(t, f.Other, 1000)
	page, err := f.Other.List(t.Context(), all[0].Ref+"!", 1)
	if err != nil || len(page) != 1 || page[0].Ref <= all[0].Ref {
		t.Errorf("the page behind %s: %+v, %v", all[0].Ref, page, err)
	}
	if page, err := f.Other.List(t.Context(), "~", 3); err != nil || len(page) != 0 {
		t.Errorf("the page behind the end: %+v, %v", page, err)
	}
}

func testDestroy(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	for _, ref := range []string{m.Ref, m.Ref, ""} { // the second and third find nothing
		run(t, f.Provider.Destroy(ref, spec.Tag))
		_, err := f.Provider.Inspect(t.Context(), m.Ref)
		mustFail(t, err, fault.NotFound, f.Secret)
		_, err = f.Provider.Find(t.Context(), spec.Tag)
		mustFail(t, err, fault.NotFound, f.Secret)
	}
	// Found by the tag only.
	spec = f.newSpec()
	m = create(t, f, spec)
	run(t, f.Other.Destroy("", spec.Tag))
	_, err := f.Provider.Inspect(t.Context(), m.Ref)
	mustFail(t, err, fault.NotFound, f.Secret)
}

// testDestroyHalfMade stops a creation after each call and destroys the partial machine.
func testDestroyHalfMade(t *testing.T, f Fixture) {
	run(t, f.Provider.Destroy("", uuid.NewString()))
	for n := 1; n < 6; n++ {
		spec := f.newSpec()
		if _, err := RunCalls(t.Context(), f.Provider.Create(spec), n); err != nil {
			t.Fatal(err)
		}
		run(t, f.Other.Destroy("", spec.Tag))
		if left := countMachines(t, f, spec); left != 0 {
			t.Errorf("%d machines left after %d calls", left, n)
		}
	}
	if f.CreateUntagged != nil {
		spec := f.newSpec()
		if err := f.CreateUntagged(t.Context(), spec.Name); err != nil {
			t.Fatal(err)
		}
		run(t, f.Provider.Destroy("", spec.Tag))
		if left := countMachines(t, f, spec); left != 0 {
			t.Errorf("%d machines left of a half made one", left)
		}
	}
}

// testDestroyForeign destroys by a Ref that now belongs to a machine with another tag.
func testDestroyForeign(t *testing.T, f Fixture) {
	spec := f.newSpec()
	m := create(t, f, spec)
	run(t, f.Provider.Destroy(m.Ref, uuid.NewString()))
	mustMatch(t, inspect(t, f, m.Ref), spec)
}

func testNotFound(t *testing.T, f Fixture) {
	_, err := f.Provider.Inspect(t.Context(), "vm-999999999")
	mustFail(t, err, fault.NotFound, f.Secret)
	_, err = f.Provider.Find(t.Context(), uuid.NewString())
	mustFail(t, err, fault.NotFound, f.Secret)
	_, err = f.Provider.Find(t.Context(), "")
	mustFail(t, err, fault.NotFound, f.Secret)
	if f.Template != "" {
		if _, err := f.Provider.List(t.Context(), "", 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("a limit of 0: %v", err)
		}
	}
}

// callAll calls each method once and returns the errors by method.
func callAll(ctx context.Context, f Fixture, p provider.Provider) map[string]error {
	errs := map[string]error{}
	_, errs["Verify"] = p.Verify(ctx)
	_, errs["Discover"] = p.Discover(ctx)
	_, errs["List"] = p.List(ctx, "", 10)
	_, errs["Find"] = p.Find(ctx, uuid.NewString())
	_, errs["Inspect"] = p.Inspect(ctx, "vm-1")
	_, errs["Snapshots"] = p.Snapshots(ctx, "vm-1")
	for name, steps := range map[string][]provider.Step{
		"Create":   p.Create(f.newSpec()),
		"Modify":   p.Modify("vm-1", provider.Change{CPUs: 2}),
		"Power":    p.Power("vm-1", provider.OpPowerOn),
		"Snapshot": p.Snapshot("vm-1", provider.SnapshotSpec{Name: "x"}),
		"Revert":   p.Revert("vm-1", "snapshot-1"),
		"Remove":   p.RemoveSnapshot("vm-1", "snapshot-1"),
		"Destroy":  p.Destroy("vm-1", uuid.NewString()),
	} {
		errs[name] = RunSteps(ctx, steps, provider.Memo{})
	}
	return errs
}

func testUnreachable(t *testing.T, f Fixture) {
	for method, err := range callAll(t.Context(), f, f.Unreachable) {
		t.Run(method, func(t *testing.T) { mustFail(t, err, fault.Unavailable, f.Secret) })
	}
	if err := f.Unreachable.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

func testWrongPassword(t *testing.T, f Fixture) {
	for method, err := range callAll(t.Context(), f, f.WrongPassword) {
		t.Run(method, func(t *testing.T) { mustFail(t, err, fault.Invalid, f.Secret) })
	}
}

func testCanceled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for method, err := range callAll(ctx, f, f.Provider) {
		t.Run(method, func(t *testing.T) { mustFail(t, err, fault.Unavailable, f.Secret) })
	}
	if _, err := f.Provider.Verify(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func testClose(t *testing.T, f Fixture) {
	for range 2 {
		if _, err := f.Provider.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := f.Provider.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
