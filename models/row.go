// Package models holds the nouns: rows as gorm structs, their enums, their
// validation, and the edges along which their states may move. It neither
// queries nor knows any wire name.
package models

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"
)

// ID is a row's primary key. Zero means no row, and is NULL in the database.
type ID int64

// String returns the decimal form.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Value implements driver.Valuer.
func (id ID) Value() (driver.Value, error) {
	if id == 0 {
		return nil, nil
	}
	return int64(id), nil
}

// Scan implements sql.Scanner.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = 0
	case int64:
		*id = ID(v)
	default:
		return fmt.Errorf("scan %T into an ID", src)
	}
	return nil
}

// Row holds the fields that every addressable row has.
type Row struct {
	ID        ID `gorm:"primaryKey"`
	UUID      string
	GlobalID  string // prefix of the kind and eight characters: "GRP-th3gr0up"
	Version   int64  // counts the row's changes; the ETag's first part
	CreatedAt time.Time
	UpdatedAt time.Time

	// Left are the statuses that the row has left since it was last read or written,
	// oldest first. The writer of the row records them in an event.
	Left []string `gorm:"-"`
}

// Key returns the row's own fields, so that code over any kind of row can reach them.
func (r *Row) Key() *Row { return r }

// Keyed is any addressable row.
type Keyed interface {
	Key() *Row
	// GlobalPrefix is the kind's prefix of the global id, without the hyphen.
	GlobalPrefix() string
}
