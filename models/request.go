package models

import "time"

// IdempotencyKey is a request that carried one, and its answer.
type IdempotencyKey struct {
	ID           ID `gorm:"primaryKey"`
	UserID       ID
	Method       string
	Target       string // path and query
	Key          string
	Request      string    // digest of the body: the same key with another body is a mistake
	Claim        string    // of whoever works on it, renewed when somebody else takes over
	ClaimedUntil time.Time // from when on somebody else may
	Status       int       // of the answer; 0 while there is none
	Answer       string    // sealed
	ExpiresAt    time.Time
}
