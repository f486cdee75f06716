// Package pool keeps a provider open for each resource handler.
package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// closeDelay is the time after which the replaced provider of a changed handler is
// closed. Steps that still use it take less.
const closeDelay = 2 * time.Minute

// maxRows is how many rows of resource handlers are kept in memory.
const maxRows = 1024

// Pool opens the provider of a resource handler with the first call of For, and again
// after the handler's connection has changed.
type Pool struct {
	store      *store.Store
	rows       *cache.Cache[models.ID, models.ResourceHandler]
	open       map[models.HandlerKind]func(provider.Config) (provider.Provider, error)
	unseal     func(string) (string, error)
	closeDelay time.Duration

	mu      sync.Mutex
	entries map[models.ID]*entry
	retired map[provider.Provider]*time.Timer
	closed  bool
}

type entry struct {
	mu      sync.Mutex // held while opening, so that each handler is opened once
	backend provider.Provider
	version int64
	config  provider.Config
	kind    models.HandlerKind
}

// New returns an empty pool. open holds the constructor for each kind of handler; unseal
// decrypts a handler's stored password.
func New(s *store.Store, open map[models.HandlerKind]func(provider.Config) (provider.Provider, error), unseal func(string) (string, error)) *Pool {
	return &Pool{
		store: s, open: open, unseal: unseal, closeDelay: closeDelay,
		rows:    cache.OfTables[models.ID](maxRows, cache.Tables[models.ResourceHandler]{Store: s, Topics: []string{"resource_handlers"}}),
		entries: map[models.ID]*entry{}, retired: map[provider.Provider]*time.Timer{},
	}
}

// For returns the provider and the row of a handler. It must not be called inside a
// transaction, since opening may call the back end. Its errors are NotFound for an
// unknown handler, Conflict for a password or kind that cannot be used, and Unavailable
// after Close.
func (p *Pool) For(ctx context.Context, id models.ID) (provider.Provider, *models.ResourceHandler, error) {
	read := p.store.Read(ctx)
	h, err := cache.Row(p.rows, read, id, func() (*models.ResourceHandler, error) {
		return store.First[models.ResourceHandler](read.Where("id = ?", id))
	})
	if fault.Is(err, fault.NotFound) {
		return nil, nil, fault.Wrap(fault.NotFound, err, "There is no resource handler any more.")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("load resource handler %s: %w", id, err)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, nil, fault.New(fault.Unavailable, "The back ends are being closed.")
	}
	e := p.entries[id]
	if e == nil {
		e = &entry{}
		p.entries[id] = e
	}
	p.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backend != nil && e.version >= h.Version {
		return e.backend, h, nil
	}
	password := ""
	if h.Password != "" {
		if password, err = p.unseal(h.Password); err != nil {
			return nil, nil, fault.Wrap(fault.Conflict, err, "The stored password of %s cannot be opened. Enter it again.", h.Name)
		}
	}
	config := provider.Config{Name: h.Name, URL: h.URL, Username: h.Username, Password: password, Insecure: h.Insecure}
	if e.backend != nil && e.config == config && e.kind == h.Kind {
		e.version = h.Version // the change does not affect the connection
		return e.backend, h, nil
	}
	open, ok := p.open[h.Kind]
	if !ok {
		return nil, nil, fault.Conflictf("%s has the type %q, which this installation does not know.", h.Name, h.Kind)
	}
	backend, err := open(config)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", h.Name, err)
	}
	if e.backend != nil {
		p.retire(e.backend)
	}
	e.backend, e.version, e.config, e.kind = backend, h.Version, config, h.Kind
	return backend, h, nil
}

// retire closes a provider after closeDelay.
func (p *Pool) retire(old provider.Provider) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired[old] = time.AfterFunc(p.closeDelay, func() {
		p.mu.Lock()
		_, pending := p.retired[old]
		delete(p.retired, old)
		p.mu.Unlock()
		if pending {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			_ = old.Close(ctx) // its sessions also expire on their own
		}
	})
}

// Close closes all providers. For returns Unavailable afterwards.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	var all []provider.Provider
	for old, timer := range p.retired {
		timer.Stop()
		all = append(all, old)
	}
	clear(p.retired)
	entries := p.entries
	p.entries = map[models.ID]*entry{}
	p.mu.Unlock()
	for _, e := range entries {
		e.mu.Lock()
		if e.backend != nil {
			all = append(all, e.backend)
		}
		e.backend = nil
		e.mu.Unlock()
	}
	var errs []error
	for _, backend := range all {
		errs = append(errs, backend.Close(ctx))
	}
	return errors.Join(errs...)
}
