package e2e

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"

	"halcyon/cmd/halcyon/app"
)

// mailbox is a mail server that keeps what it gets.
type mailbox struct {
	url string

	mu   sync.Mutex
	got  []letter
	fail error // of the next message
}

type letter struct{ from, to, subject, body string }

func newMailbox(t testing.TB) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{url: "smtp://" + listener.Addr().String()}
	server := smtp.NewServer(m)
	server.Domain = "mail.example"
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return m
}

// NewSession implements smtp.Backend.
func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &delivery{mailbox: m}, nil }

// delivery is one message on its way in.
type delivery struct {
	*mailbox
	from, to string
}

func (d *delivery) Mail(from string, _ *smtp.MailOptions) error { d.from = from; return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error   { d.to = to; return nil }
func (d *delivery) Reset()                                      {}
func (d *delivery) Logout() error                               { return nil }

func (d *delivery) Data(r io.Reader) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fail; err != nil {
		d.fail = nil
		return err
	}
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	d.got = append(d.got, letter{d.from, d.to, m.Header.Get("Subject"), strings.ReplaceAll(string(body), "\r\n", "\n")})
	return nil
}

// take returns what came since the last time.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.got
	m.got = nil
	return got
}

// publicURL is where the people of tests believe the server to be.
const publicURL = "http://cloud.example"

// mailing has the cloud send mails to the box.
func (m *mailbox) mailing(s *app.Settings) {
	s.Mail = app.MailSettings{SMTP: m.url, From: "Halcyon <cloud@example.com>", Public: publicURL}
}

// post sends the mails that are due, as the server does when there are some.
func (c *cloud) post() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.app.Auth.AnswerResets(ctx); err != nil {
		return err
	}
	_, err := c.app.Mails.Deliver(ctx)
	return err
}

var mailedLink = regexp.MustCompile(regexp.QuoteMeta(publicURL) + `(/\S+)`)

// mails sends what is due and shows what came. $LINK is the path of the last link.
func (p *player) mails(ts *testscript.TestScript, _ bool, args []string) error {
	if len(args) == 1 && args[0] == "fail" {
		p.mailbox.mu.Lock()
		defer p.mailbox.mu.Unlock()
		p.mailbox.fail = &smtp.SMTPError{Code: 451, Message: "try later"}
		return nil
	}
	if len(args) != 0 {
		return errors.New("usage: mails [fail]")
	}
	if err := p.cloud.post(); err != nil {
		return err
	}
	letters := p.mailbox.take()
	if len(letters) == 0 {
		_, err := fmt.Fprintln(ts.Stdout(), "no mail")
		return err
	}
	for _, l := range letters {
		if link := mailedLink.FindStringSubmatch(l.body); link != nil {
			ts.Setenv("LINK", link[1])
		}
		if _, err := fmt.Fprint(ts.Stdout(), steady(fmt.Sprintf("from %s to %s: %s\n\n%s", l.from, l.to, l.subject, l.body))); err != nil {
			return err
		}
	}
	return nil
}

// jar keeps a browser's cookies.
type jar map[string]string

// send puts the cookies on a request.
func (j jar) send(r *call) {
	for name, value := range j {
		r.header = added(r.header, "Cookie", name+"="+value)
	}
}

// keep takes the cookies off an answer.
func (j jar) keep(a *answer) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 {
			delete(j, c.Name)
			continue
		}
		j[c.Name] = c.Value
	}
}

// fieldOf returns what the first input or textarea of a name holds in a page.
func fieldOf(page, name string) string {
	for _, tag := range regexp.MustCompile(`(?s)<(?:input|textarea)\b([^>]*)>([^<]*)`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(tag[1], ` name="`+name+`"`) {
			continue
		}
		if value := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(tag[1]); value != nil {
			return html.UnescapeString(value[1])
		}
		return html.UnescapeString(tag[2])
	}
	return ""
}
