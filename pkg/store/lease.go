package store

import (
	"context"
	"fmt"
	"time"
)

// AcquireLease acquires the lease of a duty, which only one process performs at a time, from now for the
// length. It returns false while another holder has the lease. The holder extends it by calling again, and
// releases it with length 0. Errors are the database's.
func (s *Store) AcquireLease(ctx context.Context, duty, holder string, length time.Duration) (bool, error) {
	mine := false
	err := s.InTx(ctx, func(tx *Tx) error {
		res := tx.Exec(`INSERT INTO duties (name, holder, held_until) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
			WHERE duties.holder = excluded.holder OR duties.held_until <= ?`, duty, holder, tx.Now.Add(length), tx.Now)
		mine = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("hold the duty %s: %w", duty, err)
	}
	return mine, nil
}
