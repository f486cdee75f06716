package auth

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"halcyon/models"
	"halcyon/pkg/store"
)

// lastUsedStep is the resolution of the last use of a session or token: writes happen at most this often.
const lastUsedStep = time.Minute

// lastUsed collects the used rows of a table, for one write per interval instead of one per request.
type lastUsed struct {
	table string
	mu    sync.Mutex
	ids   map[models.ID]struct{}
}

func newLastUsed(table string) *lastUsed {
	return &lastUsed{table: table, ids: make(map[models.ID]struct{})}
}

// usedAt is the last use of a row, in microseconds since 1970.
type usedAt struct{ at atomic.Int64 }

func (g *usedAt) time() time.Time { return time.UnixMicro(g.at.Load()).UTC() }

func (g *usedAt) set(t time.Time) { g.at.Store(t.UnixMicro()) }

// used records the use of the row if the last recorded one is over a minute old.
func (s *lastUsed) used(id models.ID, g *usedAt, now time.Time) {
	last, at := g.at.Load(), now.UnixMicro()
	if at-last < lastUsedStep.Microseconds() || !g.at.CompareAndSwap(last, at) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[id] = struct{}{}
}

// write stores the times in the rows. Failed rows are kept for the next call.
func (s *lastUsed) write(ctx context.Context, st *store.Store) error {
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.ids)) // sorted: replicas that write at once lock rows in the same order
	clear(s.ids)
	s.mu.Unlock()
	for len(ids) > 0 {
		batch := ids[:min(len(ids), sweepBatch)]
		err := st.InTx(ctx, func(tx *store.Tx) error {
			return store.Fault(tx.Table(s.table).Where("id IN ? AND (seen_at IS NULL OR seen_at < ?)", batch, tx.Now).UpdateColumn("seen_at", tx.Now).Error)
		})
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, id := range ids {
				s.ids[id] = struct{}{}
			}
			return fmt.Errorf("say when %s were used: %w", s.table, err)
		}
		ids = ids[len(batch):]
	}
	return nil
}

// WriteLastUsed stores which sessions and API tokens were used since the last call. Run it as a job about
// once a minute. If the process dies, the unwritten uses are lost and a session ends a minute earlier.
// Errors are the database's.
func (s *Service) WriteLastUsed(ctx context.Context) error {
	if err := s.sessions.seen.write(ctx, s.store); err != nil {
		return err
	}
	return s.tokens.seen.write(ctx, s.store)
}
