package simulated_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/providertest"
	"halcyon/pkg/provider/simulated"
)

const password = "correct-horse"

// open opens a cloud that is closed with the test.
func open(t *testing.T, o simulated.Options) *simulated.Cloud {
	t.Helper()
	c, err := simulated.OpenCloud(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func fixture(one, other *simulated.Cloud) providertest.Fixture {
	down := simulated.NewCloud(simulated.Options{Password: password})
	down.SetDown(true)
	cfg := provider.Config{Password: password}
	p := simulated.New(cfg, one)
	return providertest.Fixture{
		Provider:      p,
		Other:         simulated.New(cfg, other),
		WrongPassword: simulated.New(provider.Config{Password: "wrong"}, one),
		Unreachable:   simulated.New(cfg, down),
		Secret:        password,
		Template:      "debian-12",
		Templates:     simulated.Templates(),
		Placement:     provider.Placement{Datacenter: "/dc", Network: "lan", Folder: "/dc/vm/halcyon"},
		CreateUntagged: func(ctx context.Context, name string) error {
			_, err := providertest.RunCalls(ctx, p.Create(provider.Spec{Tag: uuid.NewString(), Name: name, Template: "rocky-9"}), 1)
			return err
		},
		Rename: func(_ context.Context, ref, name string) error { return one.Rename(ref, name) },
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	c := simulated.NewCloud(simulated.Options{Password: password})
	if err := c.Populate(20); err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, func(*testing.T) providertest.Fixture { return fixture(c, c) })
}

// TestFile runs the suite with two clouds on one file, like two processes.
func TestFile(t *testing.T) {
	t.Parallel()
	o := simulated.Options{
		Path: filepath.Join(t.TempDir(), "cloud.jsonl"), Password: password,
		Latency: time.Millisecond, CloneTime: 30 * time.Millisecond, Clock: time.Now,
	}
	one, other := open(t, o), open(t, o)
	if err := one.Populate(20); err != nil {
		t.Fatal(err)
	}
	t.Run("suite", func(t *testing.T) {
		providertest.Run(t, func(*testing.T) providertest.Fixture { return fixture(one, other) })
	})
	if again := open(t, o); again.Len() != one.Len() || again.Len() != 20 {
		t.Errorf("%d machines, and %d read again", one.Len(), again.Len())
	}
}

// TestTornLine reads a file after a crash during a write.
func TestTornLine(t *testing.T) {
	t.Parallel()
	o := simulated.Options{Path: filepath.Join(t.TempDir(), "cloud.jsonl")}
	c := open(t, o)
	if err := c.Populate(2); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(o.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"Ref":"sim-0000`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	other := open(t, o)
	if err := other.Populate(1); err != nil {
		t.Fatal(err)
	}
	if n := open(t, o).Len(); n != 3 || c.Len() != 3 {
		t.Errorf("%d and %d machines, want 3", n, c.Len())
	}
}

func TestFailNext(t *testing.T) {
	t.Parallel()
	cloud := simulated.NewCloud(simulated.Options{})
	p := simulated.New(provider.Config{}, cloud)
	for i, c := range []struct {
		trouble simulated.FailureMode
		code    fault.Code
		made    int
	}{
		{simulated.Unavailable, fault.Unavailable, 0},
		{simulated.Refused, fault.Invalid, 0},
		{simulated.AnswerLost, fault.Unavailable, 1},
	} {
		tag := uuid.NewString()
		spec := provider.Spec{Tag: tag, Name: fmt.Sprintf("web-%s", tag[:8]), Template: "debian-12"}
		cloud.FailNext("clone", c.trouble, 2)
		for range 2 {
			if err := providertest.RunSteps(t.Context(), p.Create(spec), provider.Memo{}); !fault.Is(err, c.code) {
				t.Errorf("%s: %v, want %s", c.trouble, err, c.code)
			}
		}
		if n := cloud.Len(); n != i+c.made {
			t.Errorf("%s: %d machines, want %d", c.trouble, n, i+c.made)
		}
		if err := providertest.RunSteps(t.Context(), p.Create(spec), provider.Memo{}); err != nil {
			t.Errorf("%s: %v", c.trouble, err)
		}
		if n := cloud.Len(); n != i+1 {
			t.Errorf("%s: %d machines, want %d", c.trouble, n, i+1)
		}
	}
}
