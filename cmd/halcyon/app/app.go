// Package app wires the parts together: settings in, a server and its workers out. It
// is the only place that knows every part.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

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
	"halcyon/pkg/query"
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

// App is everything wired together. It is the same for every command; they
// differ in which parts they start.
type App struct {
	Store   *store.Store
	Refdata *refdata.Cache
	Auth    *auth.Service
	Mails   *mail.Service // nil: none are sent
	Tenancy *tenancy.Service
	Catalog *catalog.Service
	Orders  *order.Service
	Servers *server.Service
	Events  *event.Service
	Actions *action.Service
	Quotas  *quota.Service
	Model   *query.Model // what faces can ask the services for

	Engine *job.Engine          // nil when this process runs no work
	Sender *subscription.Sender // of webhooks; nil as well then
	Web    *echo.Echo
	Face   *v2.Face

	log           *slog.Logger
	box           *secret.Box
	hasher        *auth.Hasher
	backends      *pool.Pool
	jobs          *job.Service
	history       *history.Service
	subscriptions *subscription.Service
	idempotency   *idempotency.Service

	version    string
	workers    int
	leaseSweep time.Duration
	filled     atomic.Bool // Fill has ended
}

// New opens the database, brings its schema up to date, and wires the parts.
// Nothing runs yet.
func New(ctx context.Context, c Settings) (*App, error) {
	a := &App{log: c.Log, version: c.Version, workers: c.Workers}
	var err error
	if a.Store, err = store.Open(ctx, store.Config{URL: c.DatabaseURL, MaxConns: c.MaxConns, Clock: c.Clock, Log: c.Log}); err != nil {
		return nil, err
	}
	if err := a.wire(ctx, c); err != nil {
		a.Store.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) wire(ctx context.Context, c Settings) error {
	if err := a.Store.Migrate(ctx); err != nil {
		return err
	}
	if err := tenancy.Bootstrap(ctx, a.Store); err != nil {
		return err
	}
	a.Store.Listen()
	key, err := secret.LoadOrCreateKey(c.SecretKeyFile)
	if err != nil {
		return err
	}
	a.box = secret.New(key)
	keys, err := auth.LoadKeys(c.KeysDir, auth.KeyOptions{Alg: auth.Alg(c.SigningAlg)})
	if err != nil {
		return err
	}
	issuer, err := auth.NewTokenIssuer(keys, auth.TokenIssuerConfig{Life: c.TokenLifetime, Now: a.Store.Now})
	if err != nil {
		return err
	}
	a.Refdata = refdata.New(a.Store)
	a.Events = event.New(event.Config{Store: a.Store, Users: a.Refdata, Keep: c.KeepEvents, Log: c.Log})
	a.hasher = auth.NewHasher(a.Store.Now)
	reset, err := a.mailer(c)
	if err != nil {
		return err
	}
	a.Auth = auth.New(auth.Config{
		Store: a.Store, Users: a.Refdata, Issuer: issuer, Hasher: a.hasher, Log: c.Log,
		Sessions: c.Sessions, Tokens: c.APITokens, Reset: reset,
	})
	a.backends = pool.New(a.Store, providers(c.Log), a.box.Open)
	a.Tenancy = tenancy.New(a.Store, a.Refdata, a.hasher.Hash)
	a.Catalog = catalog.New(a.Store, a.Refdata, a.backends, a.box.Seal)
	a.jobs = job.New(a.Store, job.NewQueue(a.Store, c.Workers), c.Log)
	a.Servers = server.New(a.Store, a.jobs, a.backends, c.Log)
	if c.Leases.Expired != "" {
		a.Servers.Leases = c.Leases
	}
	a.leaseSweep = c.LeaseSweep
	a.Orders = order.New(a.Store, a.Catalog, a.jobs)
	a.Actions = action.New(action.Config{
		Store: a.Store, RefData: a.Refdata, Jobs: a.jobs,
		Sender: webhook.New(c.WebhookAllow), Seal: a.box.Seal, Open: a.box.Open,
	})
	a.Actions.Use(a.Orders)
	a.Orders.Use(a.Actions)
	a.history = history.New(a.Store)
	a.idempotency = idempotency.New(a.Store, a.box.Seal, a.box.Open)
	a.Quotas = quota.New(a.Store, a.Refdata)
	a.subscriptions = subscription.New(subscription.Config{
		Store: a.Store, RefData: a.Refdata, Caller: webhook.NewPrivate(c.WebhookAllow), Seal: a.box.Seal, Open: a.box.Open,
		Policy: c.Webhooks, Log: c.Log,
	})
	if c.Workers > 0 {
		a.Sender = a.subscriptions.Sender()
		a.Engine = job.NewEngine(a.jobs, job.Config{
			Lease: c.Lease, Sweep: c.Poll, BackoffBase: c.BackoffBase, BackoffMax: c.BackoffMax, Log: c.Log,
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
	a.Model, err = query.NewModel(a.Store.Read(ctx), a.Refdata.Names, entities()...)
	if err != nil {
		return err
	}
	a.Face, err = v2.New(v2.Services{
		Refdata: a.Refdata, Auth: a.Auth, Tenancy: a.Tenancy, Catalog: a.Catalog,
		Orders: a.Orders, Jobs: a.jobs, Servers: a.Servers, History: a.history, Events: a.Events, Quotas: a.Quotas, Actions: a.Actions,
		Idempotency: a.idempotency, Subscriptions: a.subscriptions,
		Registry: func(base string, defs ...*resource.Def) (*resource.Registry, error) {
			return resource.NewRegistry(base, a.Store, a.Model, a.Refdata, defs...)
		},
	}, v2.Config{Prefer: c.Prefer, Log: c.Log, Audit: c.Audit, Pages: pages, Cookie: c.cookie(), Origin: origin, Hosts: c.hosts(), Framed: c.Origins, Address: c.address(), Seal: a.box.Seal, Open: a.box.Open})
	if err != nil {
		return err
	}
	a.subscriptions.Render = a.Face.EventData
	ready := map[string]func(context.Context) error{"database": a.Store.Ping, "migrations": a.migrated, "workers": a.working}
	if c.Demo {
		ready["demo"] = a.hasContent
	}
	a.Web, err = web.New(web.Config{
		Faces: []web.Face{pages, a.Face}, Log: c.Log, Now: a.Store.Now, Ready: ready,
		Metrics: web.NewMetrics(a.gauges()),
		Origins: c.Origins, Hosts: c.hosts(), TLS: c.TLS, Private: []string{v2.Private},
	})
	return err
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

func (a *App) migrated(ctx context.Context) error {
	ok, err := a.Store.Migrated(ctx)
	if err == nil && !ok {
		err = fault.New(fault.Unavailable, "The schema is not up to date.")
	}
	return err
}

// working is nil when this process runs jobs, or need not.
func (a *App) working(context.Context) error {
	if a.Engine == nil {
		return nil
	}
	return a.Engine.Alive()
}

// hasContent returns an Unavailable error before the demo's users and orders exist.
func (a *App) hasContent(context.Context) error {
	if !a.filled.Load() {
		return fault.New(fault.Unavailable, "The demo's users and orders are being created.")
	}
	return nil
}

func (a *App) gauges() map[string]func() float64 {
	g := map[string]func() float64{
		"halcyon_database_connections_open":         func() float64 { return float64(a.Store.Stats().OpenConnections) },
		"halcyon_database_connections_in_use":       func() float64 { return float64(a.Store.Stats().InUse) },
		"halcyon_database_connection_waits":         func() float64 { return float64(a.Store.Stats().WaitCount) },
		"halcyon_database_connection_waits_seconds": func() float64 { return a.Store.Stats().WaitDuration.Seconds() },
		"halcyon_event_streams":                     func() float64 { return float64(a.Events.Streams()) },
	}
	if a.Engine == nil {
		return g
	}
	for name, value := range map[string]func(job.Stats) int64{
		"running": func(s job.Stats) int64 { return s.Running }, "steps": func(s job.Stats) int64 { return s.Steps },
		"retries": func(s job.Stats) int64 { return s.Retries }, "takeovers": func(s job.Stats) int64 { return s.Takeovers },
		"fenced": func(s job.Stats) int64 { return s.Fenced }, "rescued": func(s job.Stats) int64 { return s.Rescued },
		"succeeded": func(s job.Stats) int64 { return s.Succeeded }, "warned": func(s job.Stats) int64 { return s.Warned },
		"failed": func(s job.Stats) int64 { return s.Failed }, "canceled": func(s job.Stats) int64 { return s.Canceled },
	} {
		g["halcyon_jobs_"+name] = func() float64 { return float64(value(a.Engine.Stats())) }
	}
	for name, value := range map[string]func(subscription.Stats) int64{
		"calls": func(s subscription.Stats) int64 { return s.Calls }, "sent": func(s subscription.Stats) int64 { return s.Sent },
		"failed": func(s subscription.Stats) int64 { return s.Failed }, "withheld": func(s subscription.Stats) int64 { return s.Withheld },
	} {
		g["halcyon_webhooks_"+name] = func() float64 { return float64(value(a.Sender.Stats())) }
	}
	return g
}

// Close ends everything that wire opened.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	if a.Engine != nil {
		errs = append(errs, a.Engine.Stop(ctx))
	}
	if a.Sender != nil {
		a.Sender.Stop(ctx)
	}
	errs = append(errs, a.backends.Close(ctx), a.Auth.WriteLastUsed(ctx))
	a.Store.Close()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}
