package vsphere_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/providertest"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/provider/vsphere"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, newFixture)
}

func newFixture(t *testing.T) providertest.Fixture {
	t.Helper()
	wrong := config(simulator)
	wrong.Password = "wrong-" + password
	c := newClient(t, simulator)
	return providertest.Fixture{
		Provider:      newProvider(t, config(simulator)),
		Other:         newProvider(t, config(simulator)),
		WrongPassword: newProvider(t, wrong),
		Unreachable:   newProvider(t, config("http://"+username+":"+password+"@127.0.0.1:1/sdk")),
		Secret:        password,
		Template:      "debian-12",
		Templates:     vcsim.Templates(),
		Placement: provider.Placement{
			Datacenter: "DC0", Cluster: vcsim.Cluster, Datastore: "LocalDS_0", Folder: vcsim.Folder, Network: vcsim.Network,
		},
		CreateUntagged: func(ctx context.Context, name string) error {
			index := object.NewSearchIndex(c)
			find := func(path string) types.ManagedObjectReference {
				ref, err := index.FindByInventoryPath(ctx, path)
				if err != nil || ref == nil {
					t.Fatalf("no %s: %v", path, err)
				}
				return ref.Reference()
			}
			pool := find(vcsim.Cluster + "/Resources")
			folder := object.NewFolder(c, find(vcsim.Folder))
			task, err := object.NewVirtualMachine(c, find("/DC0/vm/debian-12")).Clone(ctx, folder, name,
				types.VirtualMachineCloneSpec{Location: types.VirtualMachineRelocateSpec{Pool: &pool}})
			return wait(ctx, task, err)
		},
		Rename: func(ctx context.Context, ref, name string) error {
			task, err := machine(c, ref).Rename(ctx, name)
			return wait(ctx, task, err)
		},
	}
}

func newSpec() provider.Spec {
	tag := uuid.NewString()
	return provider.Spec{
		Tag: tag, Name: "db-" + tag[:8], Hostname: "db-" + tag[:8], Template: "rocky-9", CPUs: 2, MemoryMB: 2048,
		Placement: provider.Placement{Folder: "Halcyon"},
		Address:   &provider.Address{IP: "10.88.0.1", Prefix: 24, Gateway: "10.88.0.254"},
	}
}

// runWithRetries runs the steps like a job that retries transient errors, and returns the
// number of retries.
func runWithRetries(t *testing.T, steps []provider.Step, memo provider.Memo) int {
	t.Helper()
	retries := 0
	for _, s := range steps {
		for {
			err := providertest.RunSteps(t.Context(), []provider.Step{s}, memo)
			if err == nil {
				break
			}
			if !fault.Is(err, fault.Unavailable) || retries > 20 {
				t.Fatalf("after %d tries: %v", retries, err)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error shows the password: %v", err)
			}
			retries++
		}
	}
	return retries
}

// countTagged returns the number of machines with the tag or the name, as an operator
// sees them.
func countTagged(t *testing.T, c *vim25.Client, spec provider.Spec) int {
	t.Helper()
	v, err := view.NewManager(c).CreateContainerView(t.Context(), c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Destroy(t.Context()) }()
	var all []mo.VirtualMachine
	if err := v.Retrieve(t.Context(), []string{"VirtualMachine"}, []string{"name", "config.extraConfig"}, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, vm := range all {
		tag := ""
		if vm.Config != nil {
			for _, o := range vm.Config.ExtraConfig {
				if v := o.GetOptionValue(); v.Key == "halcyon.uuid" {
					tag, _ = v.Value.(string)
				}
			}
		}
		if vm.Name == spec.Name || tag == spec.Tag {
			n++
		}
	}
	return n
}

// TestLostAnswer loses the answer to the clone call, several times in a row: the vCenter
// creates the machine, but the provider does not learn of it. There must be one machine
// in the end.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, failures := range [][]providertest.Failure{
		{providertest.CutAfter},
		{providertest.CutAfter, providertest.CutAfter, providertest.CutAfter},
		{providertest.CutBefore, providertest.CutAfter},
		{providertest.Answer500, providertest.CutAfter, providertest.Answer503},
		{providertest.SlowAnswer},
	} {
		for round := range 3 {
			if round > 0 && failures[0] == providertest.SlowAnswer {
				continue // it takes seconds
			}
			t.Run(fmt.Sprint(failures, round), func(t *testing.T) {
				t.Parallel()
				proxy := providertest.NewProxy(t, simulator)
				cfg := config(proxy.URL())
				if slices.Contains(failures, providertest.SlowAnswer) {
					cfg.Timeout = 2 * time.Second
					proxy.Delay = 3 * time.Second
				}
				p := newProvider(t, cfg)
				c := newClient(t, simulator)
				spec := newSpec()
				proxy.Next("CloneVM_Task", failures...)
				memo := provider.Memo{}
				if runWithRetries(t, p.Create(spec), memo) == 0 {
					t.Error("no trouble was met")
				}
				m, err := p.Inspect(t.Context(), memo[provider.MemoRef])
				if err != nil || m.Tag != spec.Tag || m.CPUs != spec.CPUs || m.IP != spec.Address.IP {
					t.Errorf("machine: %+v, %v", m, err)
				}
				if n := countTagged(t, c, spec); n != 1 {
					t.Errorf("%d machines for one tag", n)
				}
				runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
				if n := countTagged(t, c, spec); n != 0 {
					t.Errorf("%d machines left", n)
				}
			})
		}
	}
}

// TestFailureAtEveryCall injects a failure at the first call of a life cycle, then at the
// second, and so on to the last.
func TestFailureAtEveryCall(t *testing.T) {
	t.Parallel()
	c := newClient(t, simulator)
	lifeCycle := func(t *testing.T, proxy *providertest.Proxy, failure providertest.Failure, at int) (retries int, met bool) {
		t.Helper()
		p := newProvider(t, config(proxy.URL()))
		spec := newSpec()
		memo := provider.Memo{}
		failures := make([]providertest.Failure, at+1) // Pass until the last
		failures[at] = failure
		proxy.Next("*", failures...)
		retries = runWithRetries(t, p.Create(spec), memo)
		retries += runWithRetries(t, p.Modify(memo[provider.MemoRef], provider.Change{CPUs: 4}), provider.Memo{})
		retries += runWithRetries(t, p.Power(memo[provider.MemoRef], provider.OpPowerOff), provider.Memo{})
		retries += runWithRetries(t, p.Snapshot(memo[provider.MemoRef], provider.SnapshotSpec{Name: "s"}), provider.Memo{})
		if n := proxy.Pending("*"); n == 0 {
			met = true
			m, err := p.Find(t.Context(), spec.Tag)
			if err != nil || m.Ref != memo[provider.MemoRef] || m.CPUs != 4 || m.Power != provider.PowerOff || m.IP != spec.Address.IP {
				t.Errorf("machine: %+v, %v", m, err)
			}
			if n := countTagged(t, c, spec); n != 1 {
				t.Errorf("%d machines for one tag", n)
			}
		}
		runWithRetries(t, p.Destroy(memo[provider.MemoRef], spec.Tag), provider.Memo{})
		return retries, met
	}
	for name, test := range map[string]struct {
		trouble providertest.Failure
		every   int
	}{
		"cut": {providertest.CutAfter, 1}, "busy": {providertest.Answer503, 3}, "no session": {providertest.NoSession, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 0; ; at += test.every {
				proxy := providertest.NewProxy(t, simulator)
				retries, met := lifeCycle(t, proxy, test.trouble, at)
				if !met {
					t.Logf("%d calls", at)
					break
				}
				if test.trouble == providertest.NoSession && retries > 0 {
					t.Errorf("a session that ends at call %d is seen", at)
				}
			}
		})
	}
}

// TestSession checks that all calls share one session, and that an ended session is
// replaced.
func TestSession(t *testing.T) {
	t.Parallel()
	proxy := providertest.NewProxy(t, simulator)
	p := newProvider(t, config(proxy.URL()))
	for range 10 {
		t.Run("", func(t *testing.T) {
			if _, err := p.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if n := proxy.Calls("Login"); n != 1 {
		t.Errorf("signed in %d times", n)
	}
	proxy.Next("CurrentTime", providertest.NoSession)
	proxy.Next("RetrievePropertiesEx", providertest.NoSession)
	if _, err := p.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if page, err := p.List(t.Context(), "", 5); err != nil || len(page) != 5 {
		t.Errorf("%d machines, %v", len(page), err)
	}
	if n := proxy.Calls("Login"); n != 3 {
		t.Errorf("signed in %d times, want 3", n)
	}
}

// TestMessages checks the error messages that people see.
func TestMessages(t *testing.T) {
	t.Parallel()
	page := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>", status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client disconnects
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	const userinfo = "user:" + password + "@"
	for url, want := range map[string]struct {
		code    fault.Code
		message string
	}{
		"http://" + userinfo + "127.0.0.1:1": {fault.Unavailable, "The vCenter at 127.0.0.1:1 cannot be reached."},
		page(503):                            {fault.Unavailable, "The vCenter at HOST gave no proper answer."},
		page(500):                            {fault.Unavailable, "The vCenter at HOST gave no proper answer."},
		page(200):                            {fault.Unavailable, "The vCenter at HOST gave no proper answer."},
		silent.URL:                           {fault.Unavailable, "The vCenter at HOST did not answer in time."},
		secure.URL: {fault.Invalid, "The certificate of the vCenter at HOST is not trusted. " +
			"Trust its authority, or switch the check off for this handler."},
		"ftp://" + userinfo + "x":  {fault.Invalid, "The handler's URL is not the address of a vCenter, such as https://vcenter.example.com/sdk."},
		"http://" + userinfo + "[": {fault.Invalid, "The handler's URL is not the address of a vCenter, such as https://vcenter.example.com/sdk."},
		"":                         {fault.Invalid, "The handler's URL is not the address of a vCenter, such as https://vcenter.example.com/sdk."},
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			cfg := config(url)
			cfg.Timeout = 3 * time.Second
			_, err := newProvider(t, cfg).Verify(t.Context())
			_, host, _ := strings.Cut(url, "//")
			got := strings.ReplaceAll(fault.Message(err), host, "HOST")
			if !fault.Is(err, want.code) || (got != want.message && host != "") {
				t.Errorf("%s: %q, want %s: %q", fault.CodeOf(err), got, want.code, want.message)
			}
			if strings.Contains(fmt.Sprint(err), password) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestPlainMachine clones machines that are not templates, by name and by path.
func TestPlainMachine(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(simulator))
	for _, name := range []string{"DC0_C0_RP0_VM0", "/DC0/vm/DC0_C0_RP0_VM1", "DC0/vm/debian-12"} {
		spec := newSpec()
		spec.Template = name
		memo := provider.Memo{}
		runWithRetries(t, p.Create(spec), memo)
		runWithRetries(t, p.Destroy(memo[provider.MemoRef], spec.Tag), provider.Memo{})
	}
}

// TestCopyByHand clones a managed machine as an operator would: the copy has the same
// tag. Find still returns the original, and destroying the copy by its Ref keeps the
// original.
func TestCopyByHand(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(simulator))
	c := newClient(t, simulator)
	spec := newSpec()
	memo := provider.Memo{}
	runWithRetries(t, p.Create(spec), memo)
	copied := newSpec()
	copied.Name = "copy of " + spec.Name
	copyMemo := provider.Memo{}
	runWithRetries(t, p.Create(copied), copyMemo)
	task, err := machine(c, copyMemo[provider.MemoRef]).Reconfigure(t.Context(), types.VirtualMachineConfigSpec{
		ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "halcyon.uuid", Value: spec.Tag}},
	})
	if err := wait(t.Context(), task, err); err != nil {
		t.Fatal(err)
	}
	if m, err := p.Find(t.Context(), spec.Tag); err != nil || m.Ref != memo[provider.MemoRef] {
		t.Errorf("found %s, %v, ours is %s", m.Ref, err, memo[provider.MemoRef])
	}
	runWithRetries(t, p.Destroy(copyMemo[provider.MemoRef], ""), provider.Memo{})
	if m, err := p.Find(t.Context(), spec.Tag); err != nil || m.Ref != memo[provider.MemoRef] {
		t.Errorf("found %s, %v, ours is %s", m.Ref, err, memo[provider.MemoRef])
	}
	runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
}

// TestNotes checks that a machine that was cloned without its tag keeps its notes, with
// one line added.
func TestNotes(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(simulator))
	c := newClient(t, simulator)
	spec := newSpec()
	memo := provider.Memo{}
	if _, err := providertest.RunCalls(t.Context(), p.Create(spec)[:1], 1); err != nil {
		t.Fatal(err)
	}
	runWithRetries(t, p.Create(spec)[:1], memo)
	vm := machine(c, memo[provider.MemoRef])
	task, err := vm.Reconfigure(t.Context(), types.VirtualMachineConfigSpec{
		Annotation: "Ask Alice.", ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "halcyon.uuid", Value: ""}},
	})
	if err := wait(t.Context(), task, err); err != nil {
		t.Fatal(err)
	}
	runWithRetries(t, p.Create(spec), memo)
	runWithRetries(t, p.Create(spec), memo)
	var props mo.VirtualMachine
	if err := property.DefaultCollector(c).RetrieveOne(t.Context(), vm.Reference(), []string{"config"}, &props); err != nil {
		t.Fatal(err)
	}
	if want := "Ask Alice.\nManaged by Halcyon: " + spec.Tag; props.Config.Annotation != want {
		t.Errorf("notes %q, want %q", props.Config.Annotation, want)
	}
	if props.Config.InstanceUuid != spec.Tag {
		t.Errorf("instanceUuid %q, want %q", props.Config.InstanceUuid, spec.Tag)
	}
	runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
}

// TestNetwork connects the machine to another network than the template's.
func TestNetwork(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(simulator))
	for _, network := range []string{"VM Network", "DC0_DVPG0"} {
		spec := newSpec()
		spec.Network = network
		memo := provider.Memo{}
		runWithRetries(t, p.Create(spec), memo)
		m, err := p.Inspect(t.Context(), memo[provider.MemoRef])
		if err != nil || len(m.NICs) != 1 || m.NICs[0].Network != network || !slices.Equal(m.NICs[0].IPs, []string{spec.Address.IP}) {
			t.Errorf("cards: %+v, %v", m.NICs, err)
		}
		runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
	}
}

// TestPlacement creates machines with several network cards, with a type of disk, and as
// linked clones. The simulator makes no such disks, so the call is checked.
func TestPlacement(t *testing.T) {
	t.Parallel()
	proxy := providertest.NewProxy(t, simulator)
	p, c := newProvider(t, config(proxy.URL())), newClient(t, simulator)
	var tags []string
	defer func() {
		for _, tag := range tags {
			runWithRetries(t, p.Destroy("", tag), provider.Memo{})
		}
	}()
	create := func(spec provider.Spec) provider.Machine {
		t.Helper()
		memo := provider.Memo{}
		tags = append(tags, spec.Tag)
		runWithRetries(t, p.Create(spec), memo)
		m, err := p.Inspect(context.Background(), memo[provider.MemoRef])
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	networks := func(m provider.Machine) (list []string) {
		for _, n := range m.NICs {
			list = append(list, n.Network)
		}
		return list
	}
	spec := newSpec()
	spec.Network, spec.MoreNetworks = "VM Network", []string{"DC0_DVPG0", "VM Network"}
	if got := networks(create(spec)); !slices.Equal(got, []string{"VM Network", "DC0_DVPG0", "VM Network"}) {
		t.Errorf("cards in %q", got)
	}
	spec.Template, spec.MoreNetworks = spec.Name, []string{"", "DC0_DVPG0"}
	spec.Tag, spec.Name, spec.Network = newSpec().Tag, "placed-again", ""
	if got := networks(create(spec)); !slices.Equal(got, []string{"VM Network", "DC0_DVPG0", "DC0_DVPG0"}) {
		t.Errorf("a third card alone: cards in %q", got)
	}
	spec = newSpec()
	spec.MoreNetworks = []string{"", "VM Network"}
	if err := run(t, p.Create(spec)); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "card 3 needs one for card 2") {
		t.Errorf("a third card without a second: %v", err)
	}
	spec = newSpec()
	spec.Cluster = "DC0_C9"
	if err := run(t, p.Create(spec)); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), `no cluster "DC0_C9"`) {
		t.Errorf("another cluster: %v", err)
	}
	for kind, want := range map[string]string{
		"thin":        "<thinProvisioned>true</thinProvisioned><eagerlyScrub>false</eagerlyScrub>",
		"thick":       "<thinProvisioned>false</thinProvisioned><eagerlyScrub>false</eagerlyScrub>",
		"thick-eager": "<thinProvisioned>false</thinProvisioned><eagerlyScrub>true</eagerlyScrub>",
	} {
		spec := newSpec()
		spec.DiskType = kind
		create(spec)
		if body := proxy.Last("CloneVM_Task"); !strings.Contains(body, want) || !strings.Contains(body, "<diskId>") || strings.Contains(body, "<diskMoveType>") {
			t.Errorf("%s: %s", kind, body)
		}
	}
	spec = newSpec()
	spec.LinkedClone = true
	err := run(t, p.Create(spec))
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "no snapshot") {
		t.Errorf("a linked clone without a snapshot: %v", err)
	}
	template := newSpec()
	m := create(template)
	task, err := machine(c, m.Ref).CreateSnapshot(t.Context(), "base", "", false, false)
	if err := wait(t.Context(), task, err); err != nil {
		t.Fatal(err)
	}
	spec.Template, spec.DiskType = template.Name, "thin"
	create(spec)
	if body := proxy.Last("CloneVM_Task"); !strings.Contains(body, "<diskMoveType>createNewChildDiskBacking</diskMoveType>") || !strings.Contains(body, "<snapshot type=") || strings.Contains(body, "<diskId>") {
		t.Errorf("linked clone: %s", body)
	}
}

// run runs steps until the first error.
func run(t *testing.T, steps []provider.Step) error {
	t.Helper()
	memo := provider.Memo{}
	for _, s := range steps {
		for wait := time.Duration(1); wait > 0; {
			var err error
			if wait, err = s.Run(t.Context(), memo); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestWindows sets the name of a Windows guest by Sysprep.
func TestWindows(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(simulator))
	spec := newSpec()
	spec.OSFamily, spec.Hostname, spec.Address.Domain = "windows", "win1.example.com", "example.com"
	memo := provider.Memo{}
	runWithRetries(t, p.Create(spec), memo)
	if m, err := p.Inspect(t.Context(), memo[provider.MemoRef]); err != nil || m.Hostname != "win1" || m.IP != spec.Address.IP {
		t.Errorf("machine: %+v, %v", m, err)
	}
	runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
	spec = newSpec()
	spec.Address.IP = "2001:db8::1"
	if err := providertest.RunSteps(t.Context(), p.Create(spec), provider.Memo{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an IPv6 address: %v", err)
	}
}

// TestKeyless uses a vCenter that does not accept keys in property paths.
func TestKeyless(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(simulator)
	if err != nil {
		t.Fatal(err)
	}
	target.Path = ""
	const answer = `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode>
<faultstring>no</faultstring><detail><InvalidPropertyFault xmlns="urn:vim25" xsi:type="InvalidProperty"><name>x</name>
</InvalidPropertyFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`
	behind := httputil.NewSingleHostReverseProxy(target)
	refused := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.Contains(string(body), "extraConfig[") {
			refused++
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, answer)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p := newProvider(t, config(s.URL))
	spec := newSpec()
	memo := provider.Memo{}
	if n := runWithRetries(t, p.Create(spec), memo); n > 0 || refused != 1 {
		t.Errorf("%d errors, %d refusals", n, refused)
	}
	if m, err := p.Find(t.Context(), spec.Tag); err != nil || m.Ref != memo[provider.MemoRef] {
		t.Errorf("found %+v, %v", m, err)
	}
	all, err := p.List(t.Context(), "", 1000)
	if err != nil || !slices.ContainsFunc(all, func(m provider.Machine) bool { return m.Tag == spec.Tag }) {
		t.Errorf("%d machines, none is ours, %v", len(all), err)
	}
	runWithRetries(t, p.Destroy("", spec.Tag), provider.Memo{})
}

// TestListCost compares the processor time of listing many machines with that of one bare
// read of the same properties. It is run by hand: HALCYON_TEST_MACHINES=1000.
func TestListCost(t *testing.T) {
	var machines int
	if _, err := fmt.Sscan(os.Getenv("HALCYON_TEST_MACHINES"), &machines); err != nil {
		t.Skip("set HALCYON_TEST_MACHINES")
	}
	start := time.Now()
	s, err := vcsim.Start(vcsim.Options{Username: username, Password: password, Machines: machines})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	t.Logf("started in %s", time.Since(start))
	p := newProvider(t, config(s.URL()))
	c := newClient(t, s.URL())
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for range 3 {
		used := cpu()
		v, err := view.NewManager(c).CreateContainerView(t.Context(), c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
		if err != nil {
			t.Fatal(err)
		}
		var all []mo.VirtualMachine
		if err := v.Retrieve(t.Context(), []string{"VirtualMachine"}, []string{"name", "config", "guest", "runtime"}, &all); err != nil {
			t.Fatal(err)
		}
		full := cpu() - used
		used = cpu()
		all = nil
		if err := v.Retrieve(t.Context(), []string{"VirtualMachine"}, []string{
			"name", "parent", "runtime.powerState", "runtime.host",
			"config.template", "config.uuid", "config.instanceUuid", "config.guestId", "config.guestFullName",
			"config.hardware.numCPU", "config.hardware.memoryMB", "config.hardware.device",
			"guest.hostName", "guest.ipAddress", "guest.guestFamily", "guest.net", "guest.toolsRunningStatus",
		}, &all); err != nil {
			t.Fatal(err)
		}
		bare := cpu() - used
		used = cpu()
		n, after := 0, ""
		for {
			page, err := p.List(t.Context(), after, 100)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page)
			if len(page) < 100 {
				break
			}
			after = page[len(page)-1].Ref
		}
		list := cpu() - used
		t.Logf("%d machines: whole objects %s, bare read %s, List %s: %.2f", n, full, bare, list, list.Seconds()/bare.Seconds())
	}
}

var _ provider.Provider = (*vsphere.Provider)(nil)
