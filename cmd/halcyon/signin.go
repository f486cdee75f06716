package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	v2 "halcyon/handlers/v2"
	"halcyon/pkg/auth"
	"halcyon/pkg/mail"
	"halcyon/pkg/web"
)

// signInFlags say how people and programs sign in.
type signInFlags struct {
	SessionIdle     time.Duration `help:"How long after its last request the session of a browser ends." default:"12h"`
	SessionLifetime time.Duration `help:"How long after the sign-in the session of a browser ends, whatever happens." default:"168h"`
	APITokenMaximum int           `name:"api-token-maximum" help:"Days that an API token is good at most; 0 for no limit." default:"0"`
	SMTPURL         string        `name:"smtp-url" help:"Mail server, smtp://user:password@host:port or smtps://; without one no mail is sent, and no password reset by mail." placeholder:"URL"`
	MailFrom        string        `help:"Sender of mails, such as Halcyon <cloud@example.com>." placeholder:"ADDRESS"`
	PublicURL       string        `name:"public-url" help:"Where people reach this server, such as https://cloud.example.com: for links in mails and the examples of the guide." placeholder:"URL"`
}

// mailSettings say how people are written to.
type mailSettings struct{ smtp, from, public string }

func (f *signInFlags) apply(s *settings) error {
	s.sessions = auth.SessionPolicy{Idle: f.SessionIdle, Lifetime: f.SessionLifetime}
	s.apiTokens = auth.TokenPolicy{MaxDays: f.APITokenMaximum}
	s.mail = mailSettings{smtp: f.SMTPURL, from: f.MailFrom, public: f.PublicURL}
	if err := s.sessions.Validate(); err != nil {
		return err
	}
	if err := s.apiTokens.Validate(); err != nil {
		return err
	}
	if f.PublicURL != "" {
		if _, err := originOf(f.PublicURL); err != nil {
			return err
		}
	}
	if f.SMTPURL != "" && f.PublicURL == "" {
		return fmt.Errorf("--smtp-url needs --public-url, for the links in mails")
	}
	return nil
}

// originOf gives the origin of the public URL.
func originOf(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("--public-url is not such as https://cloud.example.com")
	}
	return u.Scheme + "://" + u.Host, nil
}

// address is where people reach this server, "" when the settings do not say it.
func (s *settings) address() string {
	if origin, err := originOf(s.mail.public); err == nil {
		return origin
	}
	host, port, err := net.SplitHostPort(s.listen)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() || port == "0" {
		return ""
	}
	if s.tls {
		return "https://" + s.listen
	}
	return "http://" + s.listen
}

// trusted are the origins whose pages may write with a browser's session: those that
// may call, and where people reach this server, whatever a proxy makes of its name.
func (s *settings) trusted() []string {
	if origin, err := originOf(s.mail.public); err == nil {
		return append(slices.Clone(s.origins), origin)
	}
	return s.origins
}

// cookie is how browsers keep their sessions. One is kept for a day longer than the
// session lasts, so that a form that comes too late can be told whose it is.
func (s *settings) cookie() web.Cookie {
	life := s.sessions.Lifetime
	if life == 0 {
		life = auth.DefaultLifetime
	}
	origin, _ := url.Parse(s.mail.public) // it was checked
	return web.Cookie{Secure: s.tls || origin != nil && origin.Scheme == "https", Kept: life + 24*time.Hour}
}

// mailer makes what sends mails, when there is a mail server.
func (a *app) mailer(c settings) (auth.ResetMail, error) {
	if c.mail.smtp == "" {
		return auth.ResetMail{}, nil
	}
	var err error
	a.mails, err = mail.New(mail.Config{Store: a.store, URL: c.mail.smtp, From: c.mail.from, Seal: a.box.Seal, Open: a.box.Open, Log: c.log})
	return auth.ResetMail{Mail: a.mails, Link: func(secret string) string { return v2.ResetLink(c.mail.public, secret) }}, err
}

// mailEvery is how often mails are looked for that nobody has announced: those whose
// next turn has come, and those of a process that died.
const mailEvery = 10 * time.Second

// sendMails sends mails as they come up.
func (a *app) sendMails(ctx context.Context) {
	if a.mails == nil {
		return
	}
	wake := make(chan struct{}, 1)
	a.store.OnSignal(func(topic, _ string) {
		if topic == mail.Topic || topic == auth.TopicResets {
			select {
			case wake <- struct{}{}:
			default: // it will look in any case
			}
		}
	})
	tick := time.NewTicker(mailEvery)
	defer tick.Stop()
	for {
		err := a.auth.AnswerResets(ctx)
		if err == nil {
			_, err = a.mails.Deliver(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("mails could not be sent", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// seenEvery is how often it is written down which sessions and tokens were used.
const seenEvery = time.Minute

// writeSeen writes that down; what is left at the end is close's.
func (a *app) writeSeen(ctx context.Context) {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.auth.WriteSeen(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the use of sessions could not be written down", "error", err)
		}
	}
}
