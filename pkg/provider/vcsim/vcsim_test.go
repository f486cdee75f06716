package vcsim_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/providertest"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/provider/vsphere"
)

const (
	username = "admin"
	password = "correct-horse"
)

// start starts a simulator that is closed with the test.
func start(t *testing.T, o vcsim.Options) *vcsim.Server {
	t.Helper()
	if raceEnabled {
		t.Skip("govmomi's simulator has races of its own")
	}
	o.Username, o.Password = username, password
	s, err := vcsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *vcsim.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func connect(t *testing.T, s *vcsim.Server, password string) *vsphere.Provider {
	t.Helper()
	p := vsphere.New(provider.Config{URL: s.URL(), Username: username, Password: password, Timeout: 20 * time.Second}, nil)
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func list(t *testing.T, p provider.Provider) []provider.Machine {
	t.Helper()
	all, err := p.List(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func run(t *testing.T, steps []provider.Step) string {
	t.Helper()
	memo := provider.Memo{}
	if err := providertest.RunSteps(t.Context(), steps, memo); err != nil {
		t.Fatal(err)
	}
	return memo[provider.MemoRef]
}

func TestInventory(t *testing.T) {
	t.Parallel()
	p := connect(t, start(t, vcsim.Options{}), password)
	got, err := p.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := provider.Inventory{
		Templates: []provider.Template{
			{Name: "debian-12", OSFamily: "linux", CPUs: 1, MemoryMB: 1024},
			{Name: "rocky-9", OSFamily: "linux", CPUs: 1, MemoryMB: 1024},
		},
		Datacenters: []string{vcsim.Datacenter},
		Clusters:    []string{vcsim.Cluster},
		Datastores:  []string{vcsim.Datastore},
		Networks:    []string{vcsim.Network, "/DC0/network/VM Network"},
		Folders:     []string{"/DC0/vm", vcsim.Folder},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("inventory (-want +got):\n%s", d)
	}
	machines := list(t, p)
	if len(machines) != 8 {
		t.Errorf("%d machines, want 8", len(machines))
	}
	for _, m := range machines {
		if m.Tag != "" || m.Power != provider.PowerOn || m.IP == "" || m.Hostname == "" || m.OSFamily != "linux" || m.DiskGB() != 20 {
			t.Errorf("machine: %+v", m)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := start(t, vcsim.Options{Machines: -1})
	if strings.Contains(s.URL(), "@") {
		t.Errorf("the URL %s has user information", s.URL())
	}
	if _, err := connect(t, s, password).Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := connect(t, s, "pass").Verify(t.Context()); !fault.Is(err, fault.Invalid) {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := vcsim.Start(vcsim.Options{Username: "x"}); err == nil {
		t.Error("it starts without a password")
	}
	if _, err := vcsim.Start(vcsim.Options{Username: "x", Password: "y", Listen: strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/sdk")}); err == nil {
		t.Error("it starts on an address that is taken")
	}
}

// TestState creates, changes and removes machines, and finds them unchanged after a
// restart: after Close, and after a crash.
func TestState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vcsim.json")
	first := start(t, vcsim.Options{State: path, Machines: 3})
	p := connect(t, first, password)
	tag := uuid.NewString()
	ref := run(t, p.Create(provider.Spec{
		Tag: tag, Name: "web-" + tag[:8], Hostname: "web", Template: "debian-12", CPUs: 3, MemoryMB: 3072,
		Placement: provider.Placement{Folder: vcsim.Folder},
		Address:   &provider.Address{IP: "10.9.0.9", Prefix: 24},
	}))
	made, err := p.Inspect(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	run(t, p.Modify(ref, provider.Change{DiskUUID: made.Disks[0].UUID, DiskGB: 12}))
	before := list(t, p)
	run(t, p.Power(before[0].Ref, provider.OpPowerOff))
	run(t, p.Destroy(before[1].Ref, ""))
	want := list(t, p)

	// A crash leaves the file of the last change.
	killed := filepath.Join(t.TempDir(), "killed.json")
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), tag) && !strings.Contains(string(data), before[1].Name) {
			if err := os.WriteFile(killed, data, 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
		if deadline.Err() != nil {
			t.Fatal("the state is not written")
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop(t, first)

	for _, path := range []string{path, killed} {
		s := start(t, vcsim.Options{State: path})
		p := connect(t, s, password)
		if d := cmp.Diff(want, list(t, p)); d != "" {
			t.Errorf("machines after a new start (-before +after):\n%s", d)
		}
		if m, err := p.Find(t.Context(), tag); err != nil || m.Ref != ref {
			t.Errorf("found %q, %v, want %s", m.Ref, err, ref)
		}
		if inv, err := p.Discover(t.Context()); err != nil || len(inv.Templates) != 2 {
			t.Errorf("templates: %+v, %v", inv.Templates, err)
		}
		// New machines get new Refs, and the old Refs still work.
		tag := uuid.NewString()
		again := run(t, p.Create(provider.Spec{Tag: tag, Name: "new-" + tag[:8], Template: "rocky-9"}))
		if all := list(t, p); len(all) != len(want)+1 {
			t.Errorf("%d machines, want %d", len(all), len(want)+1)
		}
		run(t, p.Destroy(again, tag))
		run(t, p.Power(ref, provider.OpReboot))
		run(t, p.Destroy(ref, ""))
		if all := list(t, p); len(all) != len(want)-1 {
			t.Errorf("%d machines, want %d", len(all), len(want)-1)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vcsim.Start(vcsim.Options{Username: "x", Password: "y", State: path}); err == nil {
		t.Error("it starts with a broken state file")
	}
}

// TestNamesWhileCloning searches by name while machines are cloned. Without the
// workaround govmomi's simulator panics when a search meets a machine without a name, and
// keeps its lock.
func TestNamesWhileCloning(t *testing.T) {
	t.Parallel()
	s := start(t, vcsim.Options{Machines: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(username, password)
	client, err := govmomi.NewClient(ctx, u, false)
	if err != nil {
		t.Fatal(err)
	}
	index := object.NewSearchIndex(client.Client)
	folder, err := index.FindByInventoryPath(ctx, vcsim.Folder)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := index.FindByInventoryPath(ctx, vcsim.Cluster+"/Resources")
	if err != nil {
		t.Fatal(err)
	}
	at := pool.Reference()
	looking, stop := context.WithCancel(ctx)
	var cloning, lookers sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for looking.Err() == nil {
				if _, err := index.FindChild(looking, folder, "nobody"); err != nil && looking.Err() == nil {
					t.Errorf("look for a name: %v", err)
					return
				}
			}
		})
	}
	for _, template := range vcsim.Templates() {
		from, err := index.FindByInventoryPath(ctx, "/DC0/vm/"+template)
		if err != nil {
			t.Fatal(err)
		}
		cloning.Go(func() {
			for i := range 60 {
				task, err := object.NewVirtualMachine(client.Client, from.Reference()).Clone(ctx, object.NewFolder(client.Client, folder.Reference()),
					fmt.Sprintf("%s-%d", template, i), types.VirtualMachineCloneSpec{Location: types.VirtualMachineRelocateSpec{Pool: &at}})
				if err == nil {
					err = task.Wait(ctx)
				}
				if err != nil {
					t.Errorf("clone %s: %v", template, err)
					return
				}
			}
		})
	}
	cloning.Wait()
	stop()
	lookers.Wait()
}
