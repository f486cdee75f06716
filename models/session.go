package models

import (
	"strings"
	"time"
	"unicode/utf8"

	"halcyon/pkg/fault"
)

// Session is a signed-in presence: every token of it dies with it, and so does the
// browser's cookie.
type Session struct {
	ID         ID `gorm:"primaryKey"`
	UUID       string
	Version    int64
	UserID     ID
	SecretHash string `json:"-"` // of what the browser keeps in its cookie; "" for sessions of tokens
	Generation int64  // of the password with which it was begun
	CreatedAt  time.Time
	SeenAt     time.Time // to a minute
	ExpiresAt  time.Time
	RevokedAt  *time.Time
	Address    string // from which it was begun
	UserAgent  string // with which it was begun

	Current bool `gorm:"-"` // it is the session of who reads it
}

// Key returns the ids by which sessions are addressed: the number alone.
func (s *Session) Key() *Row {
	return &Row{ID: s.ID, UUID: s.UUID, Version: s.Version, CreatedAt: s.CreatedAt}
}

// Browser reports whether it is the session of a browser.
func (s *Session) Browser() bool { return s.SecretHash != "" }

// MaxUserAgent is how many characters of a user agent are kept.
const MaxUserAgent = 200

// TokenScope limits the requests that an API token allows.
type TokenScope string

// The scopes.
const (
	ScopeRead  TokenScope = "read"  // what changes nothing
	ScopeWrite TokenScope = "write" // all that its user may do, but for what concerns credentials
)

// TokenScopes are all of them.
var TokenScopes = []TokenScope{ScopeRead, ScopeWrite}

// MaxTokenName is how many characters the name of an API token may have.
const MaxTokenName = 100

// APIToken lets a program call in the name of a user.
type APIToken struct {
	Row
	UserID     ID
	Name       string
	Scope      TokenScope
	Prefix     string // how it begins, by which people tell theirs apart
	SecretHash string `json:"-"`
	ExpiresOn  string // YYYY-MM-DD, the last day on which it is good; "" for no end
	SeenAt     *time.Time

	Secret string `gorm:"-" json:"-"` // the token itself, only just after it was made
}

// GlobalPrefix implements Keyed.
func (*APIToken) GlobalPrefix() string { return "TOK" }

// TableName returns the name of the table.
func (APIToken) TableName() string { return "api_tokens" }

// Validate checks the rules that hold for every writer of the row.
func (t *APIToken) Validate() error {
	var bad []fault.Field
	if strings.TrimSpace(t.Name) == "" || utf8.RuneCountInString(t.Name) > MaxTokenName {
		bad = append(bad, fault.Field{Path: fault.Member("name"), Reason: "needs 1 to 100 characters"})
	}
	if t.Scope != ScopeRead && t.Scope != ScopeWrite {
		bad = append(bad, fault.Field{Path: fault.Member("scope"), Reason: "is neither read nor write"})
	}
	return fault.InvalidFields(bad)
}

// Ends returns the time in UTC at which the token expires; zero means never.
func (t *APIToken) Ends() time.Time {
	day, err := time.Parse(time.DateOnly, t.ExpiresOn)
	if err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

// PasswordReset is a user's request for a new password.
type PasswordReset struct {
	ID         ID     `gorm:"primaryKey"`
	Account    string // what was asked for, until it is looked up
	UserID     ID
	SecretHash string `json:"-"` // of the link that was mailed; "" before
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// Mail is a message that is still to be sent.
type Mail struct {
	ID        ID `gorm:"primaryKey"`
	Recipient string
	Subject   string
	Body      string `json:"-"` // sealed: it may hold a link that opens an account
	Tries     int
	CreatedAt time.Time
	NextTryAt time.Time // also until when whoever tries now has the time
	GiveUpAt  time.Time
}
