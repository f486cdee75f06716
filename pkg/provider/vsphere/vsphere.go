// Package vsphere is the provider for a VMware vCenter.
//
// Identification: the server's UUID (the tag) is stored in the machine's extraConfig
// under the key halcyon.uuid, which is authoritative; in its instanceUuid, which vCenter
// indexes; and in its notes, for people. A search by tag is one indexed call; the tags of
// all machines are read only if it finds nothing.
//
// Sessions: each Provider has one. It signs in with the first call and after vCenter has
// ended the session, and signs out in Close.
package vsphere

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
)

const (
	defaultTimeout = 30 * time.Second // of one call to vCenter
	taskWait       = 1500 * time.Millisecond
	pollInterval   = time.Second // between two looks at something that takes longer
	inventoryTTL   = 30 * time.Second
	listingTTL     = time.Minute
)

// Provider is a client of a vCenter. It is safe for concurrent use.
type Provider struct {
	logger    *slog.Logger
	url       *url.URL // without credentials
	configErr error    // error of the configuration, returned by every call
	user      *url.Userinfo
	insecure  bool
	timeout   time.Duration

	keyless atomic.Bool // this vCenter does not accept paths such as config.extraConfig["x"]

	signInLock chan struct{} // semaphore, held during sign-in
	mu         sync.Mutex
	client     *vim25.Client // nil without a session

	inventories expiring[inventory]
	listings    expiring[listing]
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider for the vCenter at cfg.URL: a full URL or a host name. It does
// no I/O; an invalid URL is reported by every call.
func New(cfg provider.Config, logger *slog.Logger) *Provider {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	p := &Provider{
		logger:      logger.With("provider", cfg.Name),
		insecure:    cfg.Insecure,
		timeout:     cfg.Timeout,
		user:        url.UserPassword(cfg.Username, cfg.Password),
		signInLock:  make(chan struct{}, 1),
		inventories: expiring[inventory]{ttl: inventoryTTL},
		listings:    expiring[listing]{ttl: listingTTL},
	}
	if p.timeout <= 0 {
		p.timeout = defaultTimeout
	}
	u, err := soap.ParseURL(cfg.URL)
	switch {
	// The parser's error is dropped: it repeats the URL, which may contain a password.
	case err != nil || u == nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		p.configErr = fault.Invalidf("The handler's URL is not the address of a vCenter, such as https://vcenter.example.com/sdk.")
		u = &url.URL{}
	case cfg.Username == "" && u.User.Username() != "":
		p.user = u.User
	}
	u.User = nil
	p.url = u
	return p
}

// Verify implements provider.Provider.
func (p *Provider) Verify(ctx context.Context) (provider.About, error) {
	var about provider.About
	err := p.do(ctx, "say what it is", func(ctx context.Context, c *vim25.Client) error {
		content, err := methods.GetServiceContent(ctx, c)
		if err != nil {
			return err
		}
		// Reading the time requires a session; the service content does not.
		if _, err := methods.GetCurrentTime(ctx, c); err != nil {
			return err
		}
		about = provider.About{Product: content.About.FullName, APIType: content.About.ApiType}
		return nil
	})
	return about, err
}

// Close signs out. A later call signs in again.
func (p *Provider) Close(ctx context.Context) error {
	p.mu.Lock()
	c := p.client
	p.client = nil
	p.mu.Unlock()
	p.inventories.drop(nil)
	p.listings.drop(nil)
	if c == nil {
		return nil
	}
	defer c.CloseIdleConnections()
	err := session.NewManager(c).Logout(ctx)
	if isFault[*types.NotAuthenticated](err) {
		return nil
	}
	return p.translate(ctx, "end the session", err)
}

// do calls f with a session, and a second time with a new one if vCenter reports that the
// session has ended: the first call then had no effect. The error of f is translated;
// what describes the operation: "could not …".
func (p *Provider) do(ctx context.Context, what string, f func(context.Context, *vim25.Client) error) error {
	for again := false; ; again = true {
		c, err := p.session(ctx)
		if err != nil {
			return p.translate(ctx, "sign in", err)
		}
		err = f(ctx, c)
		if !again && isFault[*types.NotAuthenticated](err) {
			p.logger.InfoContext(ctx, "the vCenter session is over, signing in again", "host", p.url.Host)
			p.dropSession(c)
			continue
		}
		return p.translate(ctx, what, err)
	}
}

// session returns the session, and signs in if there is none.
func (p *Provider) session(ctx context.Context) (*vim25.Client, error) {
	if p.configErr != nil {
		return nil, p.configErr
	}
	if c := p.currentClient(); c != nil {
		return c, nil
	}
	select {
	case p.signInLock <- struct{}{}:
		defer func() { <-p.signInLock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := p.currentClient(); c != nil {
		return c, nil // another goroutine has signed in
	}

	transport := soap.NewClient(p.url, p.insecure)
	transport.UserAgent = "halcyon"
	c, err := p.signIn(ctx, transport)
	if err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	p.logger.DebugContext(ctx, "signed in to vCenter", "host", p.url.Host, "version", c.ServiceContent.About.Version)
	p.mu.Lock()
	p.client = c
	p.mu.Unlock()
	return c, nil
}

func (p *Provider) signIn(ctx context.Context, transport *soap.Client) (*vim25.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	c, err := vim25.NewClient(ctx, transport)
	if err != nil {
		return nil, err
	}
	c.RoundTripper = timeoutClient{transport, p.timeout}
	return c, session.NewManager(c).Login(ctx, p.user)
}

func (p *Provider) currentClient() *vim25.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.client
}

// dropSession discards an ended session, unless another one has replaced it.
func (p *Provider) dropSession(c *vim25.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == c {
		p.client = nil
	}
	c.CloseIdleConnections()
}

// timeoutClient limits the duration of each call.
type timeoutClient struct {
	*soap.Client
	limit time.Duration
}

// RoundTrip performs one call.
func (t timeoutClient) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	return t.Client.RoundTrip(ctx, req, res)
}

// expiring is a value that expires after ttl.
type expiring[T any] struct {
	ttl time.Duration

	mu    sync.Mutex
	value *T
	timer *time.Timer
}

func (c *expiring[T]) load() *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

func (c *expiring[T]) store(v *T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.value = v
	c.timer = time.AfterFunc(c.ttl, func() { c.drop(v) })
}

// drop discards v, or any value if v is nil.
func (c *expiring[T]) drop(v *T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v != nil && c.value != v {
		return
	}
	c.value = nil
	if c.timer != nil {
		c.timer.Stop()
	}
}

// isUUID reports whether a tag can be used as an instanceUuid.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return false
			}
		}
	}
	return true
}
