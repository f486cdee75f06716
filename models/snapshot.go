package models

import "time"

// Snapshot is a state of a server's machine that can be gone back to.
type Snapshot struct {
	Row
	ServerID    ID
	Name        string
	Description string
	BackendRef  string // the back end's own id
	SizeMB      int64  `gorm:"column:size_mb"` // 0 when it is not known
	Current     bool   // what the machine does now began with it
	TakenAt     time.Time

	Server *Server `gorm:"-"` // as read with the row
}

// GlobalPrefix implements Keyed.
func (*Snapshot) GlobalPrefix() string { return "SNP" }
