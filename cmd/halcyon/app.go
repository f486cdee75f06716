package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/browse"
	v2 "halcyon/handlers/v2"
	"halcyon/models"
	"halcyon/pkg/action"
	"halcyon/pkg/auth"
	"halcyon/pkg/catalog"
	"halcyon/pkg/event"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/idempotency"
	"halcyon/pkg/job"
	"halcyon/pkg/mail"
	"halcyon/pkg/order"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/provider/vsphere"
	"halcyon/pkg/quota"
	"halcyon/pkg/refdata"
	"halcyon/pkg/resource"
	"halcyon/pkg/secret"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
	"halcyon/pkg/subscription"
	"halcyon/pkg/tenancy"
	"halcyon/pkg/web"
	"halcyon/pkg/webhook"
)

// app is everything wired together. It is the same for every command; they
// differ in which parts they start.
type app struct {
	log       *slog.Logger
	store     *store.Store
	directory *refdata.Cache
	hasher    *auth.Hasher
	auth      *auth.Service
	box       *secret.Box
	mails     *mail.Service // nil: none are sent
	backends  *pool.Pool
	tenancy   *tenancy.Service
	catalog   *catalog.Service
	jobs      *job.Service
	orders    *order.Service
	servers   *server.Service
	history   *history.Service
	events    *event.Service
	actions   *action.Service
	quotas    *quota.Service

	subscriptions *subscription.Service
	sender        *subscription.Sender // of webhooks; nil when this process runs no work

	idempotency *idempotency.Service

	engine *job.Engine
	web    *echo.Echo
	face   *v2.Face

	leaseSweep time.Duration
}

// settings are what the parts need to know.
type settings struct {
	databaseURL   string
	maxConns      int
	keepEvents    time.Duration // 0 for the service's own
	keysDir       string
	secretKeyFile string
	tokenLifetime time.Duration
	signingAlg    string
	prefer        hal.Shape
	origins       []string // whose scripts may call
	tls           bool
	listen        string             // host:port
	sessions      auth.SessionPolicy // of browsers; zero for the default
	apiTokens     auth.TokenPolicy
	mail          mailSettings
	workers       int // jobs at a time in this process; 0 for none
	poll          time.Duration
	lease         time.Duration
	backoffBase   time.Duration // pause after the first error of a back end; 0 for the engine's own
	backoffMax    time.Duration
	webhookAllow  webhook.Allowed // private networks that webhooks may call
	hooks         subscription.Policy
	leases        server.LeasePolicy
	leaseSweep    time.Duration // how often leases are looked at; 0 for never
	clock         func() time.Time
	log           *slog.Logger
	audit         func(what string) // see v2.Config
}

// newApp opens the database, brings its schema up to date, and wires the parts.
// Nothing runs yet.
func newApp(ctx context.Context, c settings) (*app, error) {
	a := &app{log: c.log}
	var err error
	if a.store, err = store.Open(ctx, store.Config{URL: c.databaseURL, MaxConns: c.maxConns, Clock: c.clock, Log: c.log}); err != nil {
		return nil, err
	}
	if err := a.wire(ctx, c); err != nil {
		a.store.Close()
		return nil, err
	}
	return a, nil
}

func (a *app) wire(ctx context.Context, c settings) error {
	if err := a.store.Migrate(ctx); err != nil {
		return err
	}
	if err := tenancy.Bootstrap(ctx, a.store); err != nil {
		return err
	}
	a.store.Listen()
	key, err := secret.LoadOrCreateKey(c.secretKeyFile)
	if err != nil {
		return err
	}
	a.box = secret.New(key)
	keys, err := auth.LoadKeys(c.keysDir, auth.KeyOptions{Alg: auth.Alg(c.signingAlg)})
	if err != nil {
		return err
	}
	mint, err := auth.NewMint(keys, auth.MintConfig{Life: c.tokenLifetime, Now: a.store.Now})
	if err != nil {
		return err
	}
	a.directory = refdata.New(a.store)
	a.events = event.New(event.Config{Store: a.store, People: a.directory, Keep: c.keepEvents, Log: c.log})
	a.hasher = auth.NewHasher(a.store.Now)
	reset, err := a.mailer(c)
	if err != nil {
		return err
	}
	a.auth = auth.New(auth.Config{
		Store: a.store, People: a.directory, Mint: mint, Hasher: a.hasher, Log: c.log,
		Sessions: c.sessions, Tokens: c.apiTokens, Reset: reset,
	})
	a.backends = pool.New(a.store, providers(c.log), a.box.Open)
	a.tenancy = tenancy.New(a.store, a.directory, a.hasher.Hash)
	a.catalog = catalog.New(a.store, a.directory, a.backends, a.box.Seal)
	a.jobs = job.New(a.store, job.NewQueue(a.store, c.workers), c.log)
	a.servers = server.New(a.store, a.jobs, a.backends, c.log)
	if c.leases.Expired != "" {
		a.servers.Leases = c.leases
	}
	a.leaseSweep = c.leaseSweep
	a.orders = order.New(a.store, a.catalog, a.jobs)
	a.actions = action.New(action.Config{
		Store: a.store, Directory: a.directory, Jobs: a.jobs,
		Sender: webhook.New(c.webhookAllow), Seal: a.box.Seal, Open: a.box.Open,
	})
	a.actions.Use(a.orders)
	a.orders.Use(a.actions)
	a.history = history.New(a.store)
	a.idempotency = idempotency.New(a.store, a.box.Seal, a.box.Open)
	a.quotas = quota.New(a.store)
	a.subscriptions = subscription.New(subscription.Config{
		Store: a.store, Directory: a.directory, Caller: webhook.NewPrivate(c.webhookAllow), Seal: a.box.Seal, Open: a.box.Open,
		Policy: c.hooks, Log: c.log,
	})
	if c.workers > 0 {
		a.sender = a.subscriptions.Sender()
		a.engine = job.NewEngine(a.jobs, job.Config{
			Lease: c.lease, Sweep: c.poll, BackoffBase: c.backoffBase, BackoffMax: c.backoffMax, Log: c.log,
		})
	}
	origin, err := web.NewCrossOrigin(c.trusted())
	if err != nil {
		return err
	}
	pages, err := browse.New()
	if err != nil {
		return err
	}
	a.face, err = v2.New(v2.Services{
		Directory: a.directory, Auth: a.auth, Tenancy: a.tenancy, Catalog: a.catalog,
		Orders: a.orders, Jobs: a.jobs, Servers: a.servers, History: a.history, Events: a.events, Quotas: a.quotas, Actions: a.actions,
		Idempotency: a.idempotency, Subscriptions: a.subscriptions,
		Registry: func(base string, defs ...*resource.Def) (*resource.Registry, error) {
			return resource.NewRegistry(base, a.store, a.directory, defs...)
		},
	}, v2.Config{Prefer: c.prefer, Log: c.log, Audit: c.audit, Pages: pages, Cookie: c.cookie(), Origin: origin, Address: c.address(), Seal: a.box.Seal, Open: a.box.Open})
	if err != nil {
		return err
	}
	a.subscriptions.Render = a.face.EventData
	a.web = web.New(web.Config{
		Faces: []web.Face{pages, a.face}, Log: c.log, Now: a.store.Now,
		Ready: map[string]func(context.Context) error{
			"database":   a.store.Ping,
			"migrations": a.migrated,
			"workers":    a.working,
		},
		Metrics: web.NewMetrics(a.gauges()),
		Origins: c.origins, TLS: c.tls, Private: []string{v2.Private},
	})
	return nil
}

// providers are the kinds of back end that this binary knows.
func providers(log *slog.Logger) map[models.HandlerKind]func(provider.Config) (provider.Provider, error) {
	return map[models.HandlerKind]func(provider.Config) (provider.Provider, error){
		models.HandlerVSphere: func(c provider.Config) (provider.Provider, error) { return vsphere.New(c, log), nil },
		models.HandlerSimulated: func(c provider.Config) (provider.Provider, error) {
			path, ok := strings.CutPrefix(c.URL, "file:")
			if !ok {
				return simulated.New(c, simulated.NewCloud(simulated.Options{})), nil
			}
			cloud, err := simulated.OpenCloud(simulated.Options{Path: filepath.Clean(path)})
			if err != nil {
				return nil, fault.Wrap(fault.Invalid, err, "The simulation's file cannot be opened.")
			}
			return simulated.New(c, cloud), nil
		},
	}
}

func (a *app) migrated(ctx context.Context) error {
	ok, err := a.store.Migrated(ctx)
	if err == nil && !ok {
		err = fault.New(fault.Unavailable, "The schema is not up to date.")
	}
	return err
}

// working is nil when this process runs jobs, or need not.
func (a *app) working(context.Context) error {
	if a.engine == nil {
		return nil
	}
	return a.engine.Alive()
}

func (a *app) gauges() map[string]func() float64 {
	g := map[string]func() float64{
		"halcyon_database_connections_open":         func() float64 { return float64(a.store.Stats().OpenConnections) },
		"halcyon_database_connections_in_use":       func() float64 { return float64(a.store.Stats().InUse) },
		"halcyon_database_connection_waits":         func() float64 { return float64(a.store.Stats().WaitCount) },
		"halcyon_database_connection_waits_seconds": func() float64 { return a.store.Stats().WaitDuration.Seconds() },
		"halcyon_event_streams":                     func() float64 { return float64(a.events.Streams()) },
	}
	if a.engine == nil {
		return g
	}
	for name, value := range map[string]func(job.Stats) int64{
		"running": func(s job.Stats) int64 { return s.Running }, "steps": func(s job.Stats) int64 { return s.Steps },
		"retries": func(s job.Stats) int64 { return s.Retries }, "takeovers": func(s job.Stats) int64 { return s.Takeovers },
		"fenced": func(s job.Stats) int64 { return s.Fenced }, "rescued": func(s job.Stats) int64 { return s.Rescued },
		"succeeded": func(s job.Stats) int64 { return s.Succeeded }, "warned": func(s job.Stats) int64 { return s.Warned },
		"failed": func(s job.Stats) int64 { return s.Failed }, "canceled": func(s job.Stats) int64 { return s.Canceled },
	} {
		g["halcyon_jobs_"+name] = func() float64 { return float64(value(a.engine.Stats())) }
	}
	for name, value := range map[string]func(subscription.Stats) int64{
		"calls": func(s subscription.Stats) int64 { return s.Calls }, "sent": func(s subscription.Stats) int64 { return s.Sent },
		"failed": func(s subscription.Stats) int64 { return s.Failed }, "withheld": func(s subscription.Stats) int64 { return s.Withheld },
	} {
		g["halcyon_webhooks_"+name] = func() float64 { return float64(value(a.sender.Stats())) }
	}
	return g
}

// close ends everything that wire opened.
func (a *app) close(ctx context.Context) error {
	var errs []error
	if a.engine != nil {
		errs = append(errs, a.engine.Stop(ctx))
	}
	if a.sender != nil {
		a.sender.Stop(ctx)
	}
	errs = append(errs, a.backends.Close(ctx), a.auth.WriteSeen(ctx))
	a.store.Close()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}
