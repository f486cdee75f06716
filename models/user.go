package models

import (
	"strings"
	"unicode/utf8"

	"halcyon/pkg/fault"
)

// MaxUsername is how many characters a username may have.
const MaxUsername = 150

// User signs in and orders.
type User struct {
	Row
	Username     string
	Email        string
	FirstName    string
	LastName     string
	PasswordHash string `json:"-"` // argon2id in PHC form; "" means that no password signs in
	PasswordGen  int64  // counts password changes: tokens of an older one are dead
	Active       bool
	SuperAdmin   bool
	GlobalViewer bool

	NewPassword string `gorm:"-" json:"-"` // to be set with the row; never stored as it is
	Rekeyed     bool   `gorm:"-" json:"-"` // the password is changed with the row: what was signed in with the old one ends
}

// GlobalPrefix implements Keyed.
func (*User) GlobalPrefix() string { return "USR" }

// Validate checks the rules that hold for every writer of the row.
func (u *User) Validate() error {
	var bad []fault.Field
	if u.Username == "" || strings.ContainsAny(u.Username, " :@/\t\r\n") || utf8.RuneCountInString(u.Username) > MaxUsername {
		bad = append(bad, fault.Field{Path: fault.Member("username"), Reason: "needs 1 to 150 characters without spaces, colons, slashes or @"})
	}
	if u.Email != "" && !strings.Contains(u.Email, "@") {
		bad = append(bad, fault.Field{Path: fault.Member("email"), Reason: "is no e-mail address"})
	}
	return fault.InvalidFields(bad)
}
