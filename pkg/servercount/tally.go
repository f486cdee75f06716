// Package servercount looks after the numbers of servers that the database keeps
// (server_counts). Triggers keep them right, within the transaction that changes a
// server; this package keeps them small.
package servercount

import (
	"context"
	"log/slog"
	"time"

	"halcyon/pkg/store"
)

// lock is the advisory lock of whoever folds.
const lock = 0x68616c63796f6e07

// fold replaces what was added by one row for each combination. It takes away
// exactly the rows that it adds up, so that whoever adds meanwhile is not waited
// for, and not missed.
const fold = `WITH gone AS (DELETE FROM server_counts WHERE NOT base RETURNING environment_id, group_id, status, n)
INSERT INTO server_counts (environment_id, group_id, status, n, base)
SELECT environment_id, group_id, status, sum(n), true FROM gone
GROUP BY environment_id, group_id, status HAVING sum(n) <> 0 ORDER BY 1, 2, 3
ON CONFLICT (coalesce(environment_id, 0), coalesce(group_id, 0), status) WHERE base
DO UPDATE SET n = server_counts.n + excluded.n`

// Fold brings the counters down to a row for each combination. On SQLite they
// always are.
func Fold(ctx context.Context, s *store.Store) error {
	if s.Dialect() == store.SQLite {
		return nil
	}
	return s.InTx(ctx, func(tx *store.Tx) error {
		var mine bool
		if err := tx.Raw("SELECT pg_try_advisory_xact_lock(?) AND EXISTS (SELECT 1 FROM server_counts WHERE NOT base)", int64(lock)).Row().Scan(&mine); err != nil {
			return err
		}
		if !mine {
			return nil // there is nothing to do, or another process does it
		}
		if err := tx.Exec(fold).Error; err != nil {
			return err
		}
		return tx.Exec("DELETE FROM server_counts WHERE base AND n = 0").Error
	})
}

// Run folds at intervals until the context ends.
func Run(ctx context.Context, s *store.Store, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := Fold(ctx, s); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "the counters of servers cannot be folded for now", "error", err)
		}
	}
}
