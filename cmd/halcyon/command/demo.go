package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"halcyon/cmd/halcyon/app"
	"halcyon/pkg/demo"
	"halcyon/pkg/provider/vcsim"
	"halcyon/pkg/webhook"
)

type demoCmd struct {
	Listen string `help:"Address to listen on; nothing but loopback." default:"127.0.0.1:8080"`
	Data   string `help:"Directory that keeps the demo between runs; a temporary one when empty." type:"path" placeholder:"DIR"`
	wireFlags
	leaseFlags
	WebhookAllow []string `help:"Networks besides the public ones that webhooks may call, such as 127.0.0.1/32." placeholder:"CIDR"`
}

// Run runs the demo until it is told to stop.
func (c *demoCmd) Run(env *environment) (err error) {
	if err := onlyLoopback(c.Listen); err != nil {
		return err
	}
	// A demo shares a laptop with everything else, and the simulator keeps much
	// alive: memory is worth more here than time.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(72 << 20)
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "halcyon-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	state, database, marker := filepath.Join(dir, "vcenter.json"), filepath.Join(dir, databaseFile), filepath.Join(dir, "unfinished")
	if err := app.DiscardUnfinished(marker, state, database, database+"-wal", database+"-shm"); err != nil {
		return fmt.Errorf("remove the unfinished demo: %w", err)
	}
	vc, sim, err := demoVCenter(state, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	flags := databaseFlags{DataDir: dir, SigningAlg: "EdDSA", EventDays: 7}
	s, err := flags.settings(env)
	if err != nil {
		return err
	}
	s.Listen, s.Demo = c.Listen, true
	if err := c.wireFlags.apply(&s); err != nil {
		return err
	}
	s.Workers, s.Poll, s.Lease = 8, 30*time.Second, 15*time.Second
	if err := c.leaseFlags.apply(&s); err != nil {
		return err
	}
	if s.WebhookAllow, err = webhook.ParseAllowed(c.WebhookAllow); err != nil {
		return err
	}
	a, err := app.New(env.ctx, s)
	if err != nil {
		return err
	}
	return a.Serve(env.ctx, c.listener(c.Listen, 10*time.Second), func(ctx context.Context, at string) error {
		if err := a.Fill(ctx, vc, marker); err != nil {
			return fmt.Errorf("demo data: %w", err)
		}
		debug.FreeOSMemory() // hashing four passwords has left some 80 MB behind
		return welcome(env.stdout, at, vc)
	})
}

// demoVCenter starts the simulator, on loopback and with the demo's password, so
// that people can look at it with other tools.
func demoVCenter(state, dir string) (demo.VCenter, *vcsim.Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return demo.VCenter{}, nil, err
	}
	vc := app.SimulatedVCenter("halcyon", demo.Password)
	log.SetOutput(io.Discard) // the simulator reports there to its own developers
	sim, err := vcsim.Start(vcsim.Options{Username: vc.Username, Password: vc.Password, State: state})
	if err != nil {
		return demo.VCenter{}, nil, fmt.Errorf("start the vCenter simulator: %w", err)
	}
	vc.URL = sim.URL()
	return vc, sim, nil
}

// onlyLoopback refuses to show a password that everybody knows to the network.
func onlyLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("the demo's password is %q, so it listens on loopback alone, not on %q; use halcyon serve for more", demo.Password, listen)
}

func welcome(w io.Writer, at string, vc demo.VCenter) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nHalcyon demo at %s/api/v2/\n\nUsers, all with the password %s:\n", at, demo.Password)
	for _, u := range demo.Users {
		fmt.Fprintf(&b, "  %-6s %s\n", u.Name, u.Role)
	}
	fmt.Fprintf(&b, "\nThe simulated vCenter is at %s (user %s, password %s).\n", vc.URL, vc.Username, vc.Password)
	fmt.Fprintf(&b, "\nTry:\n  curl -u alice:%s %s/api/v2/\n", demo.Password, at)
	fmt.Fprintf(&b, "  curl -u alice:%s '%s/api/v2/servers/?attributes=ip,power-status'\n\n", demo.Password, at)
	_, err := io.WriteString(w, b.String())
	return err
}
