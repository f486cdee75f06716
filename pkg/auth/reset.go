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

// TopicResets is the topic of the store's signal that a user has asked for a link
// to set a password.
const TopicResets = "password_resets"

const (
	resetLife    = time.Hour // of a link
	resetsAnHour = 3         // links that a user is mailed
	resetAccount = 254       // characters of what is asked for
	resetSharers = 5         // users of one address who get a link each
)

// ResetMail says how links to set a password get to people.
type ResetMail struct {
	Mail *mail.Service
	Link func(secret string) string // the address of the page for it
}

// Mails reports whether people can be mailed a link to set their password.
func (s *Service) Mails() bool { return s.reset.Mail != nil }

// AskReset records the request of a new password for an account: a user name
// or an e-mail address. Whether there is one such is not looked at here, so that
// neither the answer nor its time tells; AnswerResets does the rest. It is Limited
// for an address that asks too often, and NotFound where no mail is sent.
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
	g.outcome(false) // each one counts
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		row := models.PasswordReset{Account: account, CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(resetLife)}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("ask for a new password: %w", store.Fault(err))
		}
		tx.Signal(TopicResets, 0)
		return nil
	})
}

// AnswerResets looks up what was asked for, and has links mailed to those users that
// there are. It is a job to be run when something was asked, and may run on several
// replicas at once. Errors are the database's.
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
	if strings.Contains(account, "@") { // which no user name has
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

// mailReset mails the user a link, unless there have been enough.
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

// CheckReset is NotFound unless the secret of a link is good now.
func (s *Service) CheckReset(ctx context.Context, secret string) error {
	_, err := s.resetOf(s.store.Read(ctx), secret)
	return err
}

// resetOf returns the user of a good link.
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

// ResetPassword sets the password of the user whose link it is, ends all sessions,
// and makes all of the user's links void. It is Invalid for an unacceptable password,
// after which the link is still good, and NotFound for a link that is not.
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

// voidResets makes links of the user void.
func voidResets(tx *store.Tx, user models.ID) error {
	err := tx.Where("user_id = ?", user).Delete(&models.PasswordReset{}).Error
	return store.Fault(err)
}
