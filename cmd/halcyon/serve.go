package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/servercount"
	"halcyon/pkg/web"
	"halcyon/pkg/webhook"
)

// databaseFlags say where everything is kept.
type databaseFlags struct {
	DatabaseURL   string `help:"sqlite:PATH or postgres://…; a SQLite file in the data directory when empty." placeholder:"URL"`
	DatabaseConns int    `help:"Connections to PostgreSQL." default:"16"`
	DataDir       string `help:"Directory of keys, and of the database when that is SQLite." default:"halcyon-data" type:"path"`
	SecretKeyFile string `help:"Key that stored passwords are sealed with; in the data directory when empty." type:"path" placeholder:"FILE"`
	KeysDir       string `help:"Directory of the keys that sign tokens; in the data directory when empty." type:"path" placeholder:"DIR"`
	SigningAlg    string `help:"Kind of the first signing key." enum:"EdDSA,HS256" default:"EdDSA"`
	EventDays     int    `help:"How many days events are kept for those who come back." default:"7"`
}

// jobFlags say how work is done.
type jobFlags struct {
	Workers int           `help:"Jobs at a time in this process; 0 for none." default:"8"`
	Poll    time.Duration `help:"How often workers look for jobs that no signal announced." default:"30s"`
	Lease   time.Duration `help:"How long a step stays with a worker that shows no sign of life." default:"15s"`

	WebhookAllow   []string `help:"Private networks that webhooks may call, such as 10.1.0.0/16; all others that are not public are refused." placeholder:"CIDR"`
	WebhookKeep    int      `help:"Days for which what was sent to webhooks is kept." default:"30"`
	WebhookSenders int      `help:"Webhooks that this process sends at a time." default:"16"`
}

// apiFlags say how the API behaves.
type apiFlags struct {
	Listen               string        `help:"Address to listen on." default:"127.0.0.1:8080"`
	TLSCert              string        `help:"Certificate chain, PEM." type:"path" placeholder:"FILE"`
	TLSKey               string        `help:"Key of the certificate, PEM." type:"path" placeholder:"FILE"`
	TokenLifetime        time.Duration `help:"How long a token is good." default:"300s"`
	PreferRepresentation string        `help:"What Accept: */* means." enum:"hal,cloudbolt" default:"hal"`
	CORSOrigin           []string      `name:"cors-origin" help:"Other origins whose scripts may call the API, such as https://explorer.example; * for all." placeholder:"ORIGIN"`
	ShutdownTimeout      time.Duration `help:"How long requests and steps may take to end after SIGTERM." default:"30s"`
}

func (d *databaseFlags) settings(env *environment) (settings, error) {
	if err := os.MkdirAll(d.DataDir, 0o700); err != nil {
		return settings{}, fmt.Errorf("data directory: %w", err)
	}
	s := settings{databaseURL: d.DatabaseURL, maxConns: d.DatabaseConns, keysDir: d.KeysDir, secretKeyFile: d.SecretKeyFile, signingAlg: d.SigningAlg, log: env.log}
	if d.EventDays < 1 {
		return settings{}, fmt.Errorf("event-days: %d is less than 1", d.EventDays)
	}
	s.keepEvents = time.Duration(d.EventDays) * 24 * time.Hour
	if s.databaseURL == "" {
		s.databaseURL = "sqlite:" + filepath.Join(d.DataDir, "halcyon.db")
	}
	if s.keysDir == "" {
		s.keysDir = filepath.Join(d.DataDir, "keys")
	}
	if s.secretKeyFile == "" {
		s.secretKeyFile = filepath.Join(d.DataDir, "secret.key")
	}
	return s, nil
}

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
	a, err := newApp(env.ctx, s)
	if err != nil {
		return err
	}
	if err := a.firstUser(env, c.AdminPasswordFile); err != nil {
		a.store.Close()
		return err
	}
	return a.serve(env.ctx, c.apiFlags, func(context.Context, string) error { return nil })
}

func (j *jobFlags) apply(s *settings) (err error) {
	s.workers, s.poll, s.lease = j.Workers, j.Poll, j.Lease
	s.hooks.Keep = time.Duration(j.WebhookKeep) * 24 * time.Hour
	if j.WebhookKeep < 1 {
		return fmt.Errorf("webhook-keep: %d days is less than one", j.WebhookKeep)
	}
	if j.WebhookSenders < 1 {
		return fmt.Errorf("webhook-senders: %d is less than one", j.WebhookSenders)
	}
	s.hooks.Senders = j.WebhookSenders
	s.webhookAllow, err = webhook.ParseAllowed(j.WebhookAllow)
	return err
}

func (f *apiFlags) apply(s *settings) error {
	if err := web.CheckOrigins(f.CORSOrigin); err != nil {
		return fmt.Errorf("cors-origin: %w", err)
	}
	s.origins, s.tls, s.listen = f.CORSOrigin, f.TLSCert != "", f.Listen
	s.tokenLifetime = f.TokenLifetime
	if f.PreferRepresentation == "cloudbolt" {
		s.prefer = hal.CloudBolt
	}
	return nil
}

// firstUser makes admin on an empty database.
func (a *app) firstUser(env *environment, passwordFile string) error {
	empty, err := a.tenancy.Empty(env.ctx)
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
	err = a.tenancy.CreateUser(env.ctx, access.System("halcyon"), u)
	if fault.Is(err, fault.Conflict) {
		return nil // another replica was faster, and says the password
	}
	if err == nil && random {
		_, err = fmt.Fprintf(env.stdout, "The user admin has been made, with the password %s\nIt is shown this once.\n", password)
	}
	return err
}

// readSecret reads a file that holds a secret and perhaps a newline.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}

// serve starts the workers and the listener, calls ready with the address, and
// ends in order when the context does: the listener first, then the steps that
// run, then the database.
func (a *app) serve(ctx context.Context, f apiFlags, ready func(ctx context.Context, url string) error) (err error) {
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, a.close(end))
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: a.web, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	scheme := "http"
	if f.TLSCert != "" || f.TLSKey != "" {
		cert, err := tls.LoadX509KeyPair(f.TLSCert, f.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("certificate: %w", err), listener.Close())
		}
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	if a.engine != nil {
		if err := a.engine.Start(ctx); err != nil {
			return errors.Join(err, listener.Close())
		}
		a.sender.Start()
	}
	go a.housekeeping(ctx)
	go a.writeSeen(ctx)
	go a.sendMails(ctx)
	go a.endLeases(ctx)
	go a.events.Run(ctx)
	go servercount.Run(ctx, a.store, foldEvery, a.log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	url := scheme + "://" + listener.Addr().String()
	if err := ready(ctx, url); err != nil {
		return errors.Join(err, server.Close())
	}
	a.ready("url", url)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("stopping")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	return nil
}

// ready ends the start of a process.
func (a *app) ready(about string, what any) {
	if err := letGo(); err != nil {
		a.log.Debug("memory of the start could not be given back", "error", err)
	}
	a.log.Info("ready", about, what, "version", currentVersion())
}

// foldEvery is how often the numbers of servers are folded: some thousand changes.
const foldEvery = 5 * time.Second

// housekeeping removes what nobody needs any more.
func (a *app) housekeeping(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		n, err := a.auth.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("ended sessions could not be removed", "error", err)
		case n > 0:
			a.log.Debug("ended sessions were removed", "count", n)
		}
		if n, err = a.idempotency.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("old idempotency keys could not be removed", "error", err)
		} else if n > 0 {
			a.log.Debug("old idempotency keys were removed", "count", n)
		}
		if n, err = a.subscriptions.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("old deliveries of webhooks could not be removed", "error", err)
		} else if n > 0 {
			a.log.Debug("old deliveries of webhooks were removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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
	a, err := newApp(env.ctx, s)
	if err != nil {
		return err
	}
	if c.Listen != "" {
		// The API's routes are there as well, but no worker is put behind its address.
		return a.serve(env.ctx, apiFlags{Listen: c.Listen, ShutdownTimeout: c.ShutdownTimeout}, func(context.Context, string) error { return nil })
	}
	if err := a.engine.Start(env.ctx); err != nil {
		a.store.Close()
		return err
	}
	go a.events.Run(env.ctx)
	a.sender.Start()
	go servercount.Run(env.ctx, a.store, foldEvery, a.log)
	a.ready("workers", c.Workers)
	<-env.ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(env.ctx), c.ShutdownTimeout)
	defer cancel()
	return a.close(end)
}

type migrateCmd struct{ databaseFlags }

// Run brings the schema up to date.
func (c *migrateCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	a, err := newApp(env.ctx, s)
	if err != nil {
		return err
	}
	env.log.Info("the schema is up to date")
	return a.close(env.ctx)
}

type userCmd struct {
	Add userAddCmd `cmd:"" help:"Add a user."`
}

type userAddCmd struct {
	databaseFlags
	Name         string `arg:"" help:"Name to sign in with."`
	PasswordFile string `help:"File with the password; - for standard input." required:"" placeholder:"FILE"`
	SuperAdmin   bool   `help:"The user may do everything."`
	Email        string `help:"E-mail address."`
}

// Run adds the user.
func (c *userAddCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	path := c.PasswordFile
	if path == "-" {
		path = "/dev/stdin"
	}
	password, err := readSecret(path)
	if err != nil {
		return err
	}
	a, err := newApp(env.ctx, s)
	if err != nil {
		return err
	}
	u := &models.User{Username: c.Name, Email: c.Email, Active: true, SuperAdmin: c.SuperAdmin, NewPassword: password}
	err = a.tenancy.CreateUser(env.ctx, access.System("command line"), u)
	if err == nil {
		_, err = fmt.Fprintf(env.stdout, "The user %s has been added, with the id %s.\n", u.Username, u.ID)
	}
	return errors.Join(err, a.close(env.ctx))
}

type configCmd struct {
	databaseFlags
	jobFlags
	apiFlags
	signInFlags
	leaseFlags
}

// Run shows the settings.
func (c *configCmd) Run(env *environment) error {
	url := c.DatabaseURL
	if url == "" {
		url = "sqlite:" + filepath.Join(c.DataDir, "halcyon.db")
	}
	for _, line := range [][2]string{
		{"database-url", hidePassword(url)},
		{"database-conns", fmt.Sprint(c.DatabaseConns)},
		{"data-dir", c.DataDir},
		{"secret-key-file", c.SecretKeyFile},
		{"keys-dir", c.KeysDir},
		{"signing-alg", c.SigningAlg},
		{"event-days", fmt.Sprint(c.EventDays)},
		{"workers", fmt.Sprint(c.Workers)},
		{"poll", c.Poll.String()},
		{"lease", c.Lease.String()},
		{"webhook-allow", strings.Join(c.WebhookAllow, ",")},
		{"webhook-keep", fmt.Sprint(c.WebhookKeep)},
		{"webhook-senders", fmt.Sprint(c.WebhookSenders)},
		{"listen", c.Listen},
		{"tls-cert", c.TLSCert},
		{"tls-key", c.TLSKey},
		{"token-lifetime", c.TokenLifetime.String()},
		{"prefer-representation", c.PreferRepresentation},
		{"cors-origin", strings.Join(c.CORSOrigin, ",")},
		{"session-idle", c.SessionIdle.String()},
		{"session-lifetime", c.SessionLifetime.String()},
		{"api-token-maximum", fmt.Sprint(c.APITokenMaximum)},
		{"smtp-url", hidePassword(c.SMTPURL)},
		{"mail-from", c.MailFrom},
		{"public-url", c.PublicURL},
		{"shutdown-timeout", c.ShutdownTimeout.String()},
		{"lease-warnings", strings.Trim(fmt.Sprint(c.LeaseWarnings), "[]")},
		{"lease-expired-action", c.LeaseExpiredAction},
		{"lease-grace", fmt.Sprint(c.LeaseGrace)},
		{"lease-maximum", fmt.Sprint(c.LeaseMaximum)},
		{"lease-sweep", c.LeaseSweep.String()},
	} {
		if _, err := fmt.Fprintf(env.stdout, "%-22s %s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	return nil
}

// describe gives an error for the terminal: a fault's own words and its cause.
func describe(err error) string {
	if e := fault.From(err); e.Code != fault.Internal {
		if e.Cause != nil {
			return fmt.Sprintf("%s (%v)", e.Message, e.Cause)
		}
		return e.Message
	}
	return err.Error()
}
