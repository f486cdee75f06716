// Package mail sends messages to people. One is written as a row in the transaction
// that it tells of, and sent afterwards, by whichever process gets to it: as often as
// it takes, until it is too late. It may come twice when a process dies between the
// mail server's word and its own.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	smtp "github.com/wneessen/go-mail"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// Topic is the topic of the store's signal that there is something to send.
const Topic = "mails"

const (
	tryFor     = 30 * time.Second // one message, from the first packet to the last
	leaseFor   = 2 * tryFor       // no other process tries meanwhile
	firstPause = 30 * time.Second
	mostPause  = 30 * time.Minute
)

// Message is a plain text to one person.
type Message struct {
	To, Subject, Body string
	Until             time.Time // when it is of no use any more
}

// Config is what a Service is made of.
type Config struct {
	Store *store.Store
	URL   string // smtp://user:password@host:port, or smtps://
	From  string // address, or name and address
	Seal  func(string) (string, error)
	Open  func(string) (string, error)
	Log   *slog.Logger
}

// Service sends messages. It is safe for concurrent use.
type Service struct {
	store *store.Store
	from  string
	host  string
	opts  []smtp.Option
	seal  func(string) (string, error)
	open  func(string) (string, error)
	log   *slog.Logger
}

// New returns a service. It does not ask the mail server. It is Invalid for a URL or
// a sender that is none; the error says nothing of the URL.
func New(c Config) (*Service, error) {
	s := &Service{store: c.Store, from: c.From, seal: c.Seal, open: c.Open, log: c.Log}
	if _, err := mail.ParseAddress(c.From); err != nil {
		return nil, fault.Invalidf("The sender of mails is no address such as Halcyon <cloud@example.com>.")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, fault.Invalidf("The address of the mail server is not smtp://user:password@host:port, or smtps://.")
	}
	s.host = u.Hostname()
	port := map[string]int{"smtp": 587, "smtps": 465}[u.Scheme]
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return nil, fault.Invalidf("The port of the mail server is none.")
		}
	}
	// A password goes over the network by TLS or not at all.
	policy := smtp.TLSOpportunistic
	if u.User != nil && !loopback(s.host) {
		policy = smtp.TLSMandatory
	}
	s.opts = []smtp.Option{smtp.WithPort(port), smtp.WithTimeout(tryFor / 2), smtp.WithTLSPolicy(policy), smtp.WithoutNoop()}
	if u.Scheme == "smtps" {
		s.opts = append(s.opts, smtp.WithSSL())
	}
	if u.User != nil {
		password, _ := u.User.Password()
		auth := smtp.SMTPAuthAutoDiscover
		if loopback(s.host) && u.Scheme == "smtp" {
			auth = smtp.SMTPAuthPlainNoEnc
		}
		s.opts = append(s.opts, smtp.WithSMTPAuth(auth), smtp.WithUsername(u.User.Username()), smtp.WithPassword(password))
	}
	if _, err := smtp.NewClient(s.host, s.opts...); err != nil {
		return nil, fault.Invalidf("The mail server's settings do not go together.")
	}
	return s, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// QueueTx has the message sent when the transaction has committed.
func (s *Service) QueueTx(tx *store.Tx, m Message) error {
	sealed, err := s.seal(m.Body)
	if err != nil {
		return fmt.Errorf("seal a mail: %w", err)
	}
	row := models.Mail{Recipient: m.To, Subject: m.Subject, Body: sealed, CreatedAt: tx.Now, NextTryAt: tx.Now, GiveUpAt: m.Until}
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("queue a mail: %w", store.Fault(err))
	}
	tx.Signal(Topic, 0)
	return nil
}

// Deliver sends what is due, one after the other, and says how many went out. A
// message that fails waits for its next turn, and is no error; errors are the
// database's.
func (s *Service) Deliver(ctx context.Context) (sent int, err error) {
	for ctx.Err() == nil {
		row, err := s.claim(ctx)
		if err != nil || row == nil {
			return sent, err
		}
		ok, err := s.attempt(ctx, row)
		if err != nil {
			return sent, err
		}
		if ok {
			sent++
		}
	}
	return sent, nil
}

// claim returns the message that is due first, nil when none is. No other process tries
// it until the lease ends, which is how another one takes over when this one dies.
func (s *Service) claim(ctx context.Context) (*models.Mail, error) {
	var mine *models.Mail
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		mine = nil
		row, err := store.First[models.Mail](tx.ForUpdate().Where("next_try_at <= ?", tx.Now).Order("next_try_at, id"))
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		row.Tries, row.NextTryAt = row.Tries+1, tx.Now.Add(leaseFor)
		mine = row
		return store.Fault(tx.Model(row).Select("tries", "next_try_at").Updates(row).Error)
	})
	return mine, err
}

// attempt sends one message, and says what became of it.
func (s *Service) attempt(ctx context.Context, row *models.Mail) (bool, error) {
	now := s.store.Now()
	failed := error(nil)
	if late := !now.Before(row.GiveUpAt); !late {
		failed = s.send(ctx, row)
		if failed == nil {
			return true, s.done(ctx, row)
		}
	}
	pause := min(firstPause<<min(row.Tries-1, 10), mostPause)
	if refused(failed) || !now.Add(pause).Before(row.GiveUpAt) {
		// Neither the recipient nor the text: who it was to is in the history of what it was about.
		s.log.WarnContext(ctx, "a mail was given up", "mail", row.ID, "tries", row.Tries, "error", failed)
		return false, s.done(ctx, row)
	}
	s.log.InfoContext(ctx, "a mail could not be sent yet", "mail", row.ID, "tries", row.Tries, "error", failed)
	return false, s.store.InTx(ctx, func(tx *store.Tx) error {
		return store.Fault(tx.Model(row).Update("next_try_at", tx.Now.Add(pause)).Error)
	})
}

// done forgets a message: its text may hold a secret.
func (s *Service) done(ctx context.Context, row *models.Mail) error {
	return s.store.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error { return store.Fault(tx.Delete(row).Error) })
}

// refused reports whether the mail server will never take the message.
func refused(err error) bool {
	var e *smtp.SendError
	return errors.As(err, &e) && !e.IsTemp() && e.ErrorCode() >= 500
}

func (s *Service) send(ctx context.Context, row *models.Mail) error {
	body, err := s.open(row.Body)
	if err != nil {
		return fmt.Errorf("open mail %s: %w", row.ID, err)
	}
	m := smtp.NewMsg()
	if err := m.From(s.from); err != nil {
		return err
	}
	if err := m.To(row.Recipient); err != nil {
		return errors.New("the recipient is no address")
	}
	m.Subject(row.Subject)
	m.SetDateWithValue(row.CreatedAt)
	m.SetMessageID()
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(smtp.TypeTextPlain, body)
	client, err := smtp.NewClient(s.host, s.opts...)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	return client.DialAndSendWithContext(within, m)
}
