package vsphere_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/provider"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/provider/vsphere"
)

const (
	username = "halcyon@vsphere.local"
	password = "correct-horse"
	childEnv = "HALCYON_TEST_VCSIM"
)

// simulator is the URL of the vCenter that all tests of the package share. It runs in a
// process of its own, since the race detector would report the simulator's races.
var simulator string

func TestMain(m *testing.M) {
	var code int
	var err error
	if os.Getenv(childEnv) != "" {
		err = child()
	} else {
		code, err = parent(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

// child runs the vCenter simulator until standard input closes.
func child() error {
	s, err := vcsim.Start(vcsim.Options{Username: username, Password: password})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, s.URL()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.Close())
}

func parent(m *testing.M) (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(context.Background(), exe)
	cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=log_path=/dev/null")
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the simulator says nothing: %w", err)
	}
	simulator = strings.TrimSpace(line)
	code := m.Run()
	_ = in.Close()
	_ = cmd.Wait()
	return code, nil
}

func config(url string) provider.Config {
	return provider.Config{Name: "test", URL: url, Username: username, Password: password, Timeout: 20 * time.Second}
}

// newProvider returns a provider that is closed with the test.
func newProvider(t testing.TB, cfg provider.Config) *vsphere.Provider {
	t.Helper()
	p := vsphere.New(cfg, nil)
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// newClient returns a client that acts like an operator of the vCenter.
func newClient(t testing.TB, at string) *vim25.Client {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c, err := vim25.NewClient(t.Context(), soap.NewClient(u, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.NewManager(c).Login(t.Context(), url.UserPassword(username, password)); err != nil {
		t.Fatal(err)
	}
	return c
}

func machine(c *vim25.Client, ref string) *object.VirtualMachine {
	return object.NewVirtualMachine(c, types.ManagedObjectReference{Type: "VirtualMachine", Value: ref})
}

func wait(ctx context.Context, task *object.Task, err error) error {
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}
