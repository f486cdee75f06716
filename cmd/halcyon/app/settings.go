package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"time"

	"halcyon/hal"
	"halcyon/pkg/auth"
	"halcyon/pkg/server"
	"halcyon/pkg/subscription"
	"halcyon/pkg/web"
	"halcyon/pkg/webhook"
)

// Settings are what the parts need to know. The command line makes them from flags.
type Settings struct {
	Version string // of this program, for the log

	DatabaseURL   string        // sqlite:PATH or postgres://…
	MaxConns      int           // to PostgreSQL
	KeepEvents    time.Duration // 0 for the service's own
	KeysDir       string        // of the keys that sign tokens
	SecretKeyFile string        // seals stored passwords
	TokenLifetime time.Duration
	SigningAlg    string    // of the first signing key
	Prefer        hal.Shape // what Accept: */* means
	Origins       []string  // whose scripts may call
	AllowedHosts  []string  // hosts that absolute URLs may be built from, beside loopback
	TLS           bool
	Listen        string             // host:port
	Sessions      auth.SessionPolicy // of browsers; zero for the default
	APITokens     auth.TokenPolicy
	Mail          MailSettings
	Workers       int           // jobs at a time in this process; 0 for none
	Poll          time.Duration // how often workers look for jobs that no signal announced
	Lease         time.Duration // how long a step stays with a worker that shows no sign of life
	BackoffBase   time.Duration // pause after the first error of a back end; 0 for the engine's own
	BackoffMax    time.Duration
	WebhookAllow  webhook.Allowed // private networks that webhooks may call
	Webhooks      subscription.Policy
	Leases        server.LeasePolicy // of servers
	LeaseSweep    time.Duration      // how often leases are looked at; 0 for never
	Demo          bool               // not ready before Fill has ended
	Clock         func() time.Time   // nil for the wall's
	Log           *slog.Logger
	Audit         func(what string) // see v2.Config
}

// MailSettings say how people are written to.
type MailSettings struct {
	SMTP   string // URL of the mail server; no mail is sent when it is empty
	From   string // sender
	Public string // URL where people reach this server, for links in mails
}

// Validate reports what is wrong, by the names of the flags.
func (m MailSettings) Validate() error {
	if m.Public != "" {
		if _, err := originOf(m.Public); err != nil {
			return err
		}
	}
	if m.SMTP != "" && m.Public == "" {
		return errors.New("--smtp-url needs --public-url, for the links in mails")
	}
	return nil
}

// originOf returns the origin of the public URL.
func originOf(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("--public-url is not such as https://cloud.example.com")
	}
	return u.Scheme + "://" + u.Host, nil
}

// address returns the origin where people reach this server, "" when the settings do
// not say it.
func (s *Settings) address() string {
	if origin, err := originOf(s.Mail.Public); err == nil {
		return origin
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() || port == "0" {
		return ""
	}
	if s.TLS {
		return "https://" + s.Listen
	}
	return "http://" + s.Listen
}

// hosts returns how absolute URLs are built.
func (s *Settings) hosts() web.Hosts {
	public, err := originOf(s.Mail.Public)
	if err != nil {
		public = ""
	}
	h := web.Hosts{Public: public, Listen: s.address(), TLS: s.TLS, Allowed: s.AllowedHosts}
	if s.address() != "" {
		h.Allowed = append(slices.Clone(h.Allowed), s.Listen)
	}
	return h
}

// trusted returns the origins whose pages may write with a browser's session: those
// that may call, and where people reach this server, whatever a proxy makes of its name.
func (s *Settings) trusted() []string {
	if origin, err := originOf(s.Mail.Public); err == nil {
		return append(slices.Clone(s.Origins), origin)
	}
	return s.Origins
}

// cookie returns how browsers keep their sessions. A cookie lives for a day longer than
// its session, so that a form that comes too late can be told whose it is.
func (s *Settings) cookie() web.Cookie {
	life := s.Sessions.Lifetime
	if life == 0 {
		life = auth.DefaultLifetime
	}
	origin, _ := url.Parse(s.Mail.Public) // it was checked
	return web.Cookie{Secure: s.TLS || origin != nil && origin.Scheme == "https", Kept: life + 24*time.Hour}
}
