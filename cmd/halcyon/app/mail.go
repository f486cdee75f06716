package app

import (
	"context"
	"time"

	v2 "halcyon/handlers/v2"
	"halcyon/pkg/auth"
	"halcyon/pkg/mail"
)

// mailer makes the mail service when there is a mail server, and returns how a reset
// of a password is mailed.
func (a *App) mailer(c Settings) (auth.ResetMail, error) {
	if c.Mail.SMTP == "" {
		return auth.ResetMail{}, nil
	}
	var err error
	a.Mails, err = mail.New(mail.Config{Store: a.Store, URL: c.Mail.SMTP, From: c.Mail.From, Seal: a.box.Seal, Open: a.box.Open, Log: c.Log})
	return auth.ResetMail{Mail: a.Mails, Link: func(secret string) string { return v2.ResetLink(c.Mail.Public, secret) }}, err
}

// mailEvery is the interval between looks for mails without a signal: those whose
// next turn has come, and those of a process that died.
const mailEvery = 10 * time.Second

// sendMails sends mails as they come up.
func (a *App) sendMails(ctx context.Context) {
	if a.Mails == nil {
		return
	}
	wake := make(chan struct{}, 1)
	a.Store.OnSignal(func(topic, _ string) {
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
		err := a.Auth.AnswerResets(ctx)
		if err == nil {
			_, err = a.Mails.Deliver(ctx)
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
