// Package servercount compacts the table server_counts, which holds the number of
// servers by environment, group and status. Triggers append a row in the transaction
// that changes a server; this package adds the rows up.
package servercount

import (
	"context"
	"log/slog"
	"time"

	"halcyon/pkg/store"
)

// lock is the PostgreSQL advisory lock that a process holds while it compacts.
const lock = 0x68616c63796f6e07

// compaction replaces the rows that were appended by one row for each combination. It
// deletes exactly the rows that it adds up: rows that are appended at the same time
// neither wait nor get lost.
const compaction = `WITH gone AS (DELETE FROM server_counts WHERE NOT base RETURNING environment_id, group_id, status, n)
INSERT INTO server_counts (environment_id, group_id, status, n, base)
SELECT environment_id, group_id, status, sum(n), true FROM gone
GROUP BY environment_id, group_id, status HAVING sum(n) <> 0 ORDER BY 1, 2, 3
ON CONFLICT (coalesce(environment_id, 0), coalesce(group_id, 0), status) WHERE base
DO UPDATE SET n = server_counts.n + excluded.n`

// compact leaves one row for each combination of environment, group and status. It
// does nothing on SQLite, where triggers update that row at once, nor while another
// process compacts. Errors are the database's.
func compact(ctx context.Context, s *store.Store) error {
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
		if err := tx.Exec(compaction).Error; err != nil {
			return err
		}
		return tx.Exec("DELETE FROM server_counts WHERE base AND n = 0").Error
	})
}

// Run calls compact at intervals until the context ends. Errors go to the log.
func Run(ctx context.Context, s *store.Store, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := compact(ctx, s); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "the counters of servers cannot be folded for now", "error", err)
		}
	}
}
