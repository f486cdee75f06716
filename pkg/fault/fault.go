// Package fault is the error that every layer of Halcyon speaks: a code that a
// face turns into its own status and shape, a message for the caller, and a
// cause for the log.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code says what kind of failure an Error is. Faces switch over it, so a new
// code is a compile-time question to each of them (the linter's exhaustive).
type Code string

// The codes, with the HTTP status that /api/v2 gives them.
const (
	Invalid         Code = "invalid"         // 400: the request itself is wrong
	Unauthenticated Code = "unauthenticated" // 401: nobody, or nobody we believe
	Forbidden       Code = "forbidden"       // 403: visible, but not yours to do
	NotFound        Code = "not_found"       // 404: absent, or hidden from the caller
	Conflict        Code = "conflict"        // 409: the state or another row forbids it
	Precondition    Code = "precondition"    // 412: If-Match named another version
	Limited         Code = "limited"         // 429: too much, or too often
	Unavailable     Code = "unavailable"     // 503: try again later
	Internal        Code = "internal"        // 500: our bug
)

// Field names one culprit in the request.
type Field struct {
	Pointer string // JSON pointer into the body ("/items/0/name"), or a parameter's name
	Reason  string // what is wrong with it, for people
}

// Error is what services return. Message is shown to the caller; Cause only
// ever goes to the log.
type Error struct {
	Code    Code
	Message string
	Fields  []Field
	Detail  string // a longer explanation for the caller, e.g. the list of valid names
	Cause   error
}

// Error gives the code and the message, and the cause for whoever logs it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	b.WriteString(": ")
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s: %s]", f.Pointer, f.Reason)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error that shows message to the caller and keeps cause for the log.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// Invalidf is a 400 without a named field.
func Invalidf(format string, args ...any) *Error { return New(Invalid, format, args...) }

// InvalidField is a 400 that names one culprit. The message repeats it, so that
// callers who read only the message see it too.
func InvalidField(pointer, format string, args ...any) *Error {
	reason := fmt.Sprintf(format, args...)
	return &Error{
		Code:    Invalid,
		Message: fmt.Sprintf("%s: %s", Name(pointer), reason),
		Fields:  []Field{{Pointer: pointer, Reason: reason}},
	}
}

// InvalidFields is a 400 that names every culprit found. It is nil for none.
func InvalidFields(fields []Field) error {
	if len(fields) == 0 {
		return nil
	}
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = Name(f.Pointer) + ": " + f.Reason
	}
	return &Error{Code: Invalid, Message: strings.Join(parts, "; "), Fields: fields}
}

// Name turns a JSON pointer into the way people write the field: "/items/0/name"
// is "items.0.name".
func Name(pointer string) string {
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}

// NotFoundf is a 404. Hidden and absent must use the same words.
func NotFoundf(format string, args ...any) *Error { return New(NotFound, format, args...) }

// Forbiddenf is a 403: the caller sees the object, and may not do this to it.
func Forbiddenf(format string, args ...any) *Error { return New(Forbidden, format, args...) }

// Conflictf is a 409: the object's state does not allow it.
func Conflictf(format string, args ...any) *Error { return New(Conflict, format, args...) }

// CodeOf gives the code of the first Error in err's chain, Internal for foreign
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

// From gives the Error in err's chain. Anything foreign becomes an Internal one
// that tells the caller nothing and keeps err as its cause.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: "Internal error.", Cause: err}
}
