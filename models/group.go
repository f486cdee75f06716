package models

import (
	"strings"
	"time"
	"unicode/utf8"

	"halcyon/pkg/fault"
)

// The group types with a meaning in other APIs. Any other name is allowed as well.
const (
	GroupOrganization = "Organization" // a Waldur customer
	GroupProject      = "Project"      // a Waldur project
)

// UnassignedID is the id of both the group and the environment for objects without an
// owner, such as machines found by a synchronisation.
const UnassignedID ID = 1

// Group is a node of the tenancy tree.
type Group struct {
	Row
	Name         string
	Type         string
	Description  string
	ParentID     ID
	AutoApproval bool

	Rate Money `gorm:"-"` // of its servers, per month, as read with the row
}

// GlobalPrefix implements Keyed.
func (*Group) GlobalPrefix() string { return "GRP" }

// Validate checks the rules that hold for every writer of the row.
func (g *Group) Validate() error { return validName(g.Name) }

// Role is a named set of permissions.
type Role struct {
	Row
	Name        string
	Label       string
	Description string
	Permissions []string `gorm:"serializer:json"`
	BuiltIn     bool
}

// GlobalPrefix implements Keyed.
func (*Role) GlobalPrefix() string { return "ROL" }

// Validate checks the rules that hold for every writer of the row.
func (r *Role) Validate() error { return validName(r.Name) }

// Membership grants a role on a group and on everything below it.
type Membership struct {
	Row
	UserID      ID
	GroupID     ID
	RoleID      ID
	CreatedByID ID
	ExpiresAt   *time.Time
}

// GlobalPrefix implements Keyed.
func (*Membership) GlobalPrefix() string { return "MEM" }

// MaxName is how many characters the name of a row may have.
const MaxName = 255

// ValidName is a 400 unless a name is one that people may choose.
func ValidName(name string) error { return validName(name) }

// validName is the rule for names that people choose.
func validName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fault.InvalidField(fault.Member("name"), "may not be blank")
	case utf8.RuneCountInString(name) > MaxName:
		return fault.InvalidField(fault.Member("name"), "has more than %d characters", MaxName)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return fault.InvalidField(fault.Member("name"), "may not hold control characters")
		}
	}
	return nil
}
