package command

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

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
		{"allowed-host", strings.Join(c.AllowedHost, ",")},
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

// hidePassword takes the password out of a database URL.
func hidePassword(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(cannot be read)"
	}
	return u.Redacted()
}
