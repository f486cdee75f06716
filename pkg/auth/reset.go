package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/mail"
	"halcyon/pkg/store"
)

// TopicResets is the topic of the store's signal for a request of a link to set a password.
const TopicResets = "password_resets"

const (
	resetLife    = time.Hour // lifetime of a link
	resetsAnHour = 3         // links mailed to a user per hour
	resetAccount = 254       // maximum number of characters of the account
	resetSharers = 5         // users with the same address who each get a link
)

// ResetMail configures the mail with a link to set a password.
type ResetMail struct {
	Mail *mail.Service
	Link func(secret string) string // address of the page to set a password
}

// Mails reports whether users can receive a link to set their password by mail.
func (s *Service) Mails() bool { return s.reset.Mail != nil }

// AskReset records the request of a new password for an account: a user name or an e-mail address. It does
// not look the account up, so that neither the answer nor its time reveals whether it exists; AnswerResets
// does so later. The error is Limited for a source that asks too often, and NotFound if no mail is
// configured.
func (s *Service) AskReset(ctx context.Context, account, source string) error {
	if !s.Mails() {
		return fault.NotFoundf("Not found.")
	}
	account = strings.TrimSpace(account)
	if account == "" || len(account) > resetAccount {
		return fault.InvalidField(fault.Member("username"), "needs 1 to %d characters", resetAccount)
	}
	g := &gate{throttle: s.throttle, key: throttleKey("", source+"\x00reset"), now: s.store.Now}
	if err := g.allow(); err != nil {
		return err
	}
	g.outcome(false) // every request counts
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		row := models.PasswordReset{Account: account, CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(resetLife)}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("ask for a new password: %w", store.Fault(err))
		}
		tx.Signal(TopicResets, 0)
		return nil
	})
}

// AnswerResets looks up the requested accounts and mails links to the users that exist. Run it as a job
// after a request; it may run on several replicas at once. Errors are the database's.
func (s *Service) AnswerResets(ctx context.Context) error {
	if !s.Mails() {
		return nil
	}
	for ctx.Err() == nil {
		more := false
		err := s.store.InTx(ctx, func(tx *store.Tx) error {
			more = false
			row, err := store.First[models.PasswordReset](tx.ForUpdate().Where("account <> ''").Order("id"))
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			more = true
			if tx.Now.Before(row.ExpiresAt) {
				if err := s.answerReset(tx, row.Account); err != nil {
					return err
				}
			}
			return store.Fault(tx.Delete(row).Error)
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *Service) answerReset(tx *store.Tx, account string) error {
	column := "username"
	if strings.Contains(account, "@") { // no user name has an @
		column = "email"
	}
	users, err := store.Find[models.User](tx.Where("lower("+column+") = ? AND active AND email <> ''", strings.ToLower(account)).Order("id").Limit(resetSharers))
	if err != nil {
		return err
	}
	for i := range users {
		if err := s.mailReset(tx, &users[i]); err != nil {
			return fmt.Errorf("mail a link to user %s: %w", users[i].ID, err)
		}
	}
	return nil
}

// mailReset mails the user a link, unless the user has received too many.
func (s *Service) mailReset(tx *store.Tx, u *models.User) error {
	var lately int64
	err := tx.Model(&models.PasswordReset{}).Where("user_id = ? AND created_at > ?", u.ID, tx.Now.Add(-resetLife)).Count(&lately).Error
	if err != nil || lately >= resetsAnHour {
		return store.Fault(err)
	}
	secret, h := resetSecret.fresh()
	row := models.PasswordReset{UserID: u.ID, SecretHash: h.String(), CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(resetLife)}
	if err := tx.Create(&row).Error; err != nil {
		return store.Fault(err)
	}
	err = s.reset.Mail.QueueTx(tx, mail.Message{
		To: u.Email, Subject: "Your password", Until: row.ExpiresAt,
		Body: fmt.Sprintf("Somebody, perhaps you, has asked for a new password of the user %s.\n\n"+
			"To set one, open this address within an hour:\n\n  %s\n\n"+
			"It can be used once. If it was not you, there is nothing to do: the password stays as it is.\n", u.Username, s.reset.Link(secret)),
	})
	if err != nil {
		return err
	}
	return history.Add(tx, access.System("password reset"), models.ObjectUser, u.ID, "password_reset_mailed", "", nil, nil)
}

var errResetOver = fault.NotFoundf("Not found. The link has been used, or is older than an hour. Ask for another one.")

// CheckReset returns NotFound unless the secret belongs to a valid link.
func (s *Service) CheckReset(ctx context.Context, secret string) error {
	_, err := s.resetOf(s.store.Read(ctx), secret)
	return err
}

// resetOf returns the user of a valid link.
func (s *Service) resetOf(tx *store.Tx, secret string) (*models.User, error) {
	h, ok := resetSecret.read(secret)
	if !ok || !s.Mails() {
		return nil, errResetOver
	}
	row, err := store.First[models.PasswordReset](tx.ForUpdate().Where("secret_hash = ? AND expires_at > ?", h.String(), tx.Now))
	if fault.Is(err, fault.NotFound) {
		return nil, errResetOver
	}
	if err != nil {
		return nil, err
	}
	u, err := store.First[models.User](tx.ForUpdate().Where("id = ?", row.UserID))
	if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
		return nil, errResetOver
	}
	return u, err
}

// ResetPassword sets the password of the link's user, ends all sessions, and voids all links of the user.
// The error is Invalid for an unacceptable password, which leaves the link valid, and NotFound for an
// invalid link.
func (s *Service) ResetPassword(ctx context.Context, secret, password string) error {
	if err := s.CheckReset(ctx, secret); err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		u, err := s.resetOf(tx, secret)
		if err != nil {
			return err
		}
		if err := setPasswordHash(tx, u, hash, ""); err != nil {
			return err
		}
		self := access.Actor{ID: u.ID, UUID: u.UUID, Username: u.Username}
		return history.Add(tx, self, models.ObjectUser, u.ID, "password_reset", "", nil, nil)
	})
}

// voidResets voids the links of the user.
func voidResets(tx *store.Tx, user models.ID) error {
	err := tx.Where("user_id = ?", user).Delete(&models.PasswordReset{}).Error
	return store.Fault(err)
}
