// Package fault is the error that every layer of Halcyon speaks: a code that a
// face turns into its own status and shape, the places in the request that are
// wrong, a message for the caller, and a cause for the log.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code is the kind of failure that an Error is. Faces switch over it, so a new
// code is a compile-time question to each of them (the linter's exhaustive).
type Code string

// The codes, with the HTTP status that /api/v2 gives them.
const (
	Invalid         Code = "invalid"         // 400: the request itself is wrong
	Unauthenticated Code = "unauthenticated" // 401: no credentials, or none that are valid
	Forbidden       Code = "forbidden"       // 403: visible, and not allowed to the caller
	NotFound        Code = "not_found"       // 404: absent, or hidden from the caller
	Conflict        Code = "conflict"        // 409: the state or another row forbids it
	Precondition    Code = "precondition"    // 412: If-Match named another version
	Limited         Code = "limited"         // 429: too much, or too often
	Unavailable     Code = "unavailable"     // 503: try again later
	Internal        Code = "internal"        // 500: our bug
)

// Field is one thing that is wrong with the request.
type Field struct {
	Path    Path
	Reason  string    // what is wrong there, for people; it follows the name of the place
	Instead []Segment // what could have been meant; the reason ends with the names of it
}

// Text returns the reason, with what could have been meant as the face calls it.
func (f Field) Text(n Names) string {
	if len(f.Instead) == 0 {
		return f.Reason
	}
	names := make([]string, len(f.Instead))
	for i, s := range f.Instead {
		names[i] = n.Segment(s)
	}
	return f.Reason + " " + strings.Join(names, ", ")
}

// Error is what services return. The caller is shown Text and Fields; Cause only
// ever goes to the log.
type Error struct {
	Code    Code
	Message string // "" when Fields say it all: Text makes a message of them then
	Fields  []Field
	Detail  string // a longer explanation for the caller, e.g. the list of valid names
	Cause   error
}

// Text returns the message for the caller. Where there is none but the fields, it is
// made of them, in the words of the face.
func (e *Error) Text(n Names) string {
	if e.Message != "" {
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		if parts[i] = f.Text(n); len(f.Path) > 0 {
			parts[i] = n.Path(f.Path) + ": " + parts[i]
		}
	}
	return strings.Join(parts, "; ")
}

// Message returns the text of From(err) for people whom no face serves.
func Message(err error) string { return From(err).Text(Plain) }

// Error returns the code, the message and the fields, and the cause for whoever logs
// it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	b.WriteString(": ")
	b.WriteString(e.Text(Plain))
	if e.Message != "" {
		for _, f := range e.Fields {
			fmt.Fprintf(&b, " [%s: %s]", f.Path, f.Text(Plain))
		}
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: Short(fmt.Sprintf(format, args...), maxText)}
}

// Wrap returns an error that shows message to the caller and keeps cause for the log.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: Short(fmt.Sprintf(format, args...), maxText), Cause: cause}
}

// Invalidf returns a 400 without a named field.
func Invalidf(format string, args ...any) *Error { return New(Invalid, format, args...) }

// InvalidField returns a 400 with one field and no other message.
func InvalidField(at Path, format string, args ...any) *Error {
	return &Error{Code: Invalid, Fields: []Field{shortened(Field{Path: at, Reason: fmt.Sprintf(format, args...)})}}
}

// InvalidFields returns a 400 with the fields and no other message, as List.Err does. It
// is nil for no fields.
func InvalidFields(fields []Field) error {
	var l List
	for _, f := range fields {
		l.Add(f)
	}
	return l.Err()
}

// NotFoundf returns a 404. Hidden and absent must use the same words.
func NotFoundf(format string, args ...any) *Error { return New(NotFound, format, args...) }

// Forbiddenf returns a 403: the caller sees the object, and may not do this to it.
func Forbiddenf(format string, args ...any) *Error { return New(Forbidden, format, args...) }

// Conflictf returns a 409: the object's state does not allow it.
func Conflictf(format string, args ...any) *Error { return New(Conflict, format, args...) }

// CodeOf returns the code of the first Error in err's chain, Internal for foreign
// errors, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return CodeOf(err) == code }

// From returns the Error in err's chain. Anything foreign becomes an Internal one
// that tells the caller nothing and keeps err as its cause.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: "Internal error.", Cause: err}
}
