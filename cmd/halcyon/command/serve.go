package command

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

type serveCmd struct {
	databaseFlags
	jobFlags
	apiFlags
	signInFlags
	leaseFlags
	AdminPasswordFile string `help:"File with the password of the user admin, who is made on an empty database; without it a random one is printed once." type:"path" placeholder:"FILE"`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	if err := c.jobFlags.apply(&s); err != nil {
		return err
	}
	if err := c.apiFlags.apply(&s); err != nil {
		return err
	}
	if err := c.signInFlags.apply(&s); err != nil {
		return err
	}
	if err := c.leaseFlags.apply(&s); err != nil {
		return err
	}
	a, err := app.New(env.ctx, s)
	if err != nil {
		return err
	}
	if err := firstUser(env, a, c.AdminPasswordFile); err != nil {
		a.Store.Close()
		return err
	}
	return a.Serve(env.ctx, c.listener(c.Listen, c.ShutdownTimeout), func(context.Context, string) error { return nil })
}

// firstUser makes admin on an empty database.
func firstUser(env *environment, a *app.App, passwordFile string) error {
	empty, err := a.Tenancy.Empty(env.ctx)
	if err != nil || !empty {
		return err
	}
	password, random := "", passwordFile == ""
	if random {
		var raw [15]byte
		_, _ = rand.Read(raw[:]) // crypto/rand never fails
		password = strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))
	} else if password, err = readSecret(passwordFile); err != nil {
		return err
	}
	u := &models.User{Username: "admin", Active: true, SuperAdmin: true, NewPassword: password}
	err = a.Tenancy.CreateUser(env.ctx, access.System("halcyon"), u)
	if fault.Is(err, fault.Conflict) {
		return nil // another replica was faster, and says the password
	}
	if err == nil && random {
		_, err = fmt.Fprintf(env.stdout, "The user admin has been made, with the password %s\nIt is shown this once.\n", password)
	}
	return err
}

type workerCmd struct {
	databaseFlags
	jobFlags
	Listen          string        `help:"Address for /healthz, /readyz and /metrics; none when empty." placeholder:"ADDR"`
	ShutdownTimeout time.Duration `help:"How long steps may take to end after SIGTERM." default:"30s"`
}

// Run works until it is told to stop.
func (c *workerCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	if c.Workers <= 0 {
		return fmt.Errorf("a worker with --workers=%d would do nothing", c.Workers)
	}
	if err := c.apply(&s); err != nil {
		return err
	}
	a, err := app.New(env.ctx, s)
	if err != nil {
		return err
	}
	if c.Listen != "" {
		// The API's routes are there as well, but no worker is put behind its address.
		return a.Serve(env.ctx, app.Listener{Address: c.Listen, ShutdownTimeout: c.ShutdownTimeout}, func(context.Context, string) error { return nil })
	}
	return a.Work(env.ctx, c.ShutdownTimeout)
}

type migrateCmd struct{ databaseFlags }

// Run brings the schema up to date.
func (c *migrateCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	a, err := app.New(env.ctx, s)
	if err != nil {
		return err
	}
	env.log.Info("the schema is up to date")
	return a.Close(env.ctx)
}
