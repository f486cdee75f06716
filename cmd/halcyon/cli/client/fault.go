package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// Kind says of what kind a failure is, for those who have to act on it.
type Kind int

// The kinds of failures.
const (
	Other       Kind = iota
	Usage            // the caller has asked for what makes no sense
	SignedOut        // no credentials, or none that are good
	Missing          // forbidden, hidden, or not there at all
	Refused          // the server does not take the content, or not in this state
	Unreachable      // there was no answer
)

// Error is what the package's functions fail with.
type Error struct {
	Kind    Kind
	Message string // one sentence for the caller
	Status  int    // of the answer, when there was one
	Fields  []Field
	Lines   []string // the same in more words, one for each thing that is wrong
	Cause   error
}

// Field is what is wrong with a part of what was sent.
type Field struct {
	Pointer string // a JSON pointer, or the name of a parameter
	Reason  string
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error of the kind.
func Errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of the error, Other when it has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// kindOfStatus returns the kind of an answer's status.
func kindOfStatus(status int) Kind {
	switch status {
	case 401:
		return SignedOut
	case 403, 404, 410:
		return Missing
	case 400, 409, 412, 413, 415, 422, 428:
		return Refused
	case 502, 503, 504:
		return Unreachable
	}
	return Other
}

// problem makes an error of an answer that is one (RFC 9457, or whatever stands
// between us and the server has said instead).
func problem(status int, statusText string, body []byte) *Error {
	e := &Error{Kind: kindOfStatus(status), Status: status}
	v, _ := Decode(body)
	o, _ := v.(Object)
	for _, name := range []string{"detail", "error", "title"} {
		if e.Message = Plain(o.text(name)); e.Message != "" {
			break
		}
	}
	if e.Message == "" {
		e.Message = "The server answers " + statusText + "."
	}
	list, _ := o.Get("errors").([]any)
	for _, x := range list {
		if f, ok := x.(Object); ok {
			e.Fields = append(e.Fields, Field{Pointer: Plain(f.text("pointer")), Reason: Plain(f.text("reason"))})
		}
	}
	return e
}

// unreachable makes an error of a request that got no answer.
func unreachable(at *url.URL, cause error) *Error {
	return &Error{Kind: Unreachable, Message: Origin(at) + " cannot be reached: " + Reason(cause) + ".", Cause: cause}
}

// Origin returns the part of a URL that names the server.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// Reason says in few words why a connection was not made or broke.
func Reason(err error) string {
	var (
		dns   *net.DNSError
		cert  *tls.CertificateVerificationError
		name  x509.HostnameError
		sys   *os.SyscallError
		plain tls.RecordHeaderError
		wrap  *url.Error
	)
	switch {
	case errors.As(err, &name):
		return Plain(name.Error())
	case errors.As(err, &cert):
		return "its certificate is not trusted (" + Plain(cert.Err.Error()) + "); --ca-file names who is trusted"
	case errors.As(err, &plain):
		return "it does not speak TLS"
	case errors.As(err, &dns):
		return "there is no host " + Plain(dns.Name)
	case errors.As(err, &sys):
		return sys.Err.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case strings.Contains(err.Error(), "Client.Timeout"):
		return "no answer in time"
	case errors.As(err, &wrap):
		return Plain(wrap.Err.Error())
	}
	return Plain(err.Error())
}
