package command

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"halcyon/cmd/halcyon/app"
	"halcyon/hal"
	"halcyon/pkg/auth"
	"halcyon/pkg/server"
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

// databaseFile is the name of the SQLite file in the data directory.
const databaseFile = "halcyon.db"

func (d *databaseFlags) settings(env *environment) (app.Settings, error) {
	if err := os.MkdirAll(d.DataDir, 0o700); err != nil {
		return app.Settings{}, fmt.Errorf("data directory: %w", err)
	}
	s := app.Settings{DatabaseURL: d.DatabaseURL, MaxConns: d.DatabaseConns, KeysDir: d.KeysDir, SecretKeyFile: d.SecretKeyFile, SigningAlg: d.SigningAlg, Log: env.log, Version: env.version}
	if d.EventDays < 1 {
		return app.Settings{}, fmt.Errorf("event-days: %d is less than 1", d.EventDays)
	}
	s.KeepEvents = time.Duration(d.EventDays) * 24 * time.Hour
	if s.DatabaseURL == "" {
		s.DatabaseURL = "sqlite:" + filepath.Join(d.DataDir, databaseFile)
	}
	if s.KeysDir == "" {
		s.KeysDir = filepath.Join(d.DataDir, "keys")
	}
	if s.SecretKeyFile == "" {
		s.SecretKeyFile = filepath.Join(d.DataDir, "secret.key")
	}
	return s, nil
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

func (j *jobFlags) apply(s *app.Settings) (err error) {
	s.Workers, s.Poll, s.Lease = j.Workers, j.Poll, j.Lease
	s.Webhooks.Keep = time.Duration(j.WebhookKeep) * 24 * time.Hour
	if j.WebhookKeep < 1 {
		return fmt.Errorf("webhook-keep: %d days is less than one", j.WebhookKeep)
	}
	if j.WebhookSenders < 1 {
		return fmt.Errorf("webhook-senders: %d is less than one", j.WebhookSenders)
	}
	s.Webhooks.Senders = j.WebhookSenders
	s.WebhookAllow, err = webhook.ParseAllowed(j.WebhookAllow)
	return err
}

// wireFlags are the settings of the API for its clients, the same for every command that
// serves.
type wireFlags struct {
	TLSCert              string        `help:"Certificate chain, PEM." type:"path" placeholder:"FILE"`
	TLSKey               string        `help:"Key of the certificate, PEM." type:"path" placeholder:"FILE"`
	TokenLifetime        time.Duration `help:"How long a token is good." default:"300s"`
	PreferRepresentation string        `help:"What Accept: */* means." enum:"hal,cloudbolt" default:"hal"`
	CORSOrigin           []string      `name:"cors-origin" help:"Other origins whose scripts may call the API, such as https://explorer.example; * for all." placeholder:"ORIGIN"`
	AllowedHost          []string      `help:"Hosts, beside loopback and that of --listen, that absolute URLs may be built from when a request names them, such as cloud.example.com; --public-url comes before them." placeholder:"HOST"`
}

func (f *wireFlags) apply(s *app.Settings) error {
	if err := web.CheckOrigins(f.CORSOrigin); err != nil {
		return fmt.Errorf("cors-origin: %w", err)
	}
	for _, host := range f.AllowedHost {
		if err := web.CheckHost(host); err != nil {
			return fmt.Errorf("allowed-host: %w", err)
		}
	}
	s.Origins, s.AllowedHosts, s.TLS = f.CORSOrigin, f.AllowedHost, f.TLSCert != ""
	s.TokenLifetime = f.TokenLifetime
	if f.PreferRepresentation == "cloudbolt" {
		s.Prefer = hal.CloudBolt
	}
	return nil
}

// listener returns the listener at an address.
func (f *wireFlags) listener(address string, shutdown time.Duration) app.Listener {
	return app.Listener{Address: address, CertFile: f.TLSCert, KeyFile: f.TLSKey, ShutdownTimeout: shutdown}
}

// apiFlags are the settings of a server.
type apiFlags struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8080"`
	wireFlags
	ShutdownTimeout time.Duration `help:"How long requests and steps may take to end after SIGTERM." default:"30s"`
}

func (f *apiFlags) apply(s *app.Settings) error {
	s.Listen = f.Listen
	return f.wireFlags.apply(s)
}

// signInFlags say how people and programs sign in.
type signInFlags struct {
	SessionIdle     time.Duration `help:"How long after its last request the session of a browser ends." default:"12h"`
	SessionLifetime time.Duration `help:"How long after the sign-in the session of a browser ends, whatever happens." default:"168h"`
	APITokenMaximum int           `name:"api-token-maximum" help:"Days that an API token is good at most; 0 for no limit." default:"0"`
	SMTPURL         string        `name:"smtp-url" help:"Mail server, smtp://user:password@host:port or smtps://; without one no mail is sent, and no password reset by mail." placeholder:"URL"`
	MailFrom        string        `help:"Sender of mails, such as Halcyon <cloud@example.com>." placeholder:"ADDRESS"`
	PublicURL       string        `name:"public-url" help:"Where people reach this server, such as https://cloud.example.com: for links in mails and the examples of the guide." placeholder:"URL"`
}

func (f *signInFlags) apply(s *app.Settings) error {
	s.Sessions = auth.SessionPolicy{Idle: f.SessionIdle, Lifetime: f.SessionLifetime}
	s.APITokens = auth.TokenPolicy{MaxDays: f.APITokenMaximum}
	s.Mail = app.MailSettings{SMTP: f.SMTPURL, From: f.MailFrom, Public: f.PublicURL}
	if err := s.Sessions.Validate(); err != nil {
		return err
	}
	if err := s.APITokens.Validate(); err != nil {
		return err
	}
	return s.Mail.Validate()
}

// leaseFlags say how the leases of servers end.
type leaseFlags struct {
	LeaseWarnings      []int         `help:"Days before the end of a lease of which history warns." default:"7,3,1"`
	LeaseExpiredAction string        `help:"What happens on the day after the end: the server is switched off and, after the grace, removed; or it is removed at once." enum:"power_off,decommission" default:"power_off"`
	LeaseGrace         int           `help:"Days from when a server was switched off until it is removed." default:"14"`
	LeaseMaximum       int           `help:"Days from now until which a lease can be extended; 0 for no limit." default:"0"`
	LeaseSweep         time.Duration `help:"How often leases are looked at; 0 for never by this process." default:"1h"`
}

func (l *leaseFlags) policy() server.LeasePolicy {
	return server.LeasePolicy{Warnings: l.LeaseWarnings, Expired: l.LeaseExpiredAction, Grace: l.LeaseGrace, Maximum: l.LeaseMaximum}
}

func (l *leaseFlags) apply(s *app.Settings) error {
	s.Leases, s.LeaseSweep = l.policy(), l.LeaseSweep
	return s.Leases.Validate()
}
