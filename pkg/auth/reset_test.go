package auth

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/mail"
	"halcyon/pkg/store"
)

// mails makes the world write mails, which are not sent.
func (w *world) mails() {
	w.t.Helper()
	plain := func(text string) (string, error) { return text, nil }
	m, err := mail.New(mail.Config{Store: w.store, URL: "smtp://127.0.0.1:1", From: "cloud@example.com", Seal: plain, Open: plain})
	if err != nil {
		w.t.Fatal(err)
	}
	w.reset = ResetMail{Mail: m, Link: func(secret string) string { return "https://cloud.example/" + secret }}
	err = w.store.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Exec("UPDATE users SET email = 'Shared@Example.com' WHERE username IN ('alice', 'bob', 'eve')").Error
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// asked requests links for accounts and returns the mailed secrets, by recipient.
func (w *world) asked(accounts ...string) (secrets []string) {
	w.t.Helper()
	ctx := context.Background()
	for _, account := range accounts {
		if err := w.AskReset(ctx, account, "192.0.2."+account); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.AnswerResets(ctx); err != nil {
		w.t.Fatal(err)
	}
	rows, err := store.Find[models.Mail](w.store.Read(ctx).Order("id"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		secrets = append(secrets, regexp.MustCompile("hcr_[0-9A-Za-z]{38}").FindString(row.Body))
		if row.Recipient != "Shared@Example.com" {
			w.t.Errorf("a mail to %s", row.Recipient)
		}
	}
	if err := w.store.InTx(ctx, func(tx *store.Tx) error { return tx.Exec("DELETE FROM mails").Error }); err != nil {
		w.t.Fatal(err)
	}
	return secrets
}

func TestPasswordReset(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		if err := w.AskReset(ctx, "alice", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("without a mail server: %v", err)
		}
		w.mails()
		if got := w.asked("nobody", "eve", "nopass", "no@example.com", "%", "' OR 1=1 --"); len(got) != 0 {
			t.Errorf("%d mails for nobody", len(got))
		}
		got := w.asked("ALICE", "shared@example.COM") // alice, and then alice and bob: disabled users get none
		if len(got) != 3 {
			t.Fatalf("%d mails", len(got))
		}
		cookie, jwt := w.browser("alice", "wonderland"), w.signIn("alice", "wonderland")
		for _, secret := range []string{"", "hcr_", got[0][:40], "hct_" + got[0][4:], strings.ToLower(got[0]) + "x"} {
			if err := w.CheckReset(ctx, secret); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", secret, err)
			}
			if err := w.ResetPassword(ctx, secret, "looking glass"); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", secret, err)
			}
		}
		if err := w.ResetPassword(ctx, got[0], "abc"); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		if err := w.ResetPassword(ctx, got[0], "looking glass"); err != nil {
			t.Fatal(err)
		}
		_ = w.kept(cookie)
		w.refused("Bearer "+jwt.Access, msgPassword)
		w.accepted(basic("alice", "looking glass"), "alice")
		for _, used := range got[:2] { // alice's other link is voided with it
			if err := w.ResetPassword(ctx, used, "third one"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a link works twice: %v", err)
			}
		}
		if err := w.CheckReset(ctx, got[2]); err != nil {
			t.Errorf("bob's: %v", err)
		}
		w.disable("bob")
		if err := w.ResetPassword(ctx, got[2], "third one"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a disabled user's: %v", err)
		}
	})
}

func TestPasswordResetEnds(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.mails()
		late := w.asked("alice")
		w.clock.turn(resetLife)
		if err := w.CheckReset(ctx, late[0]); !fault.Is(err, fault.NotFound) {
			t.Errorf("after an hour: %v", err)
		}
		if got := w.asked("alice", "alice", "alice", "alice", "alice"); len(got) != resetsAnHour {
			t.Errorf("%d mails within an hour", len(got))
		}
		void := w.asked("bob")
		if err := w.rekey("bob", "another"); err != nil {
			t.Fatal(err)
		}
		if err := w.CheckReset(ctx, void[0]); !fault.Is(err, fault.NotFound) {
			t.Errorf("after a change of the password: %v", err)
		}
		var err error
		for range throttleFails + 1 {
			err = w.AskReset(ctx, "nobody", "192.0.2.99")
		}
		if wait, ok := RetryAfter(err); !ok || wait <= 0 {
			t.Errorf("whoever asks too often: %v", err)
		}
		w.clock.turn(48 * time.Hour)
		if err := w.AnswerResets(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := w.store.Read(ctx).Model(&models.PasswordReset{}).Count(&left).Error; err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
	})
}
