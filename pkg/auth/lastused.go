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

// lastUsedStep is how exactly it is known when a session or a token was used last: so
// often at most is it worth a write.
const lastUsedStep = time.Minute

// lastUsed collects which rows of a table were used, for one write now and then in
// place of one for each request.
type lastUsed struct {
	table string
	mu    sync.Mutex
	ids   map[models.ID]struct{}
}

func newLastUsed(table string) *lastUsed {
	return &lastUsed{table: table, ids: make(map[models.ID]struct{})}
}

// usedAt is when a row was used last, in microseconds since 1970.
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

// write says in the rows when they were used. What fails is kept for the next time.
func (s *lastUsed) write(ctx context.Context, st *store.Store) error {
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.ids)) // in one order: replicas that write at once wait for each other
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

// WriteLastUsed writes down which sessions and API tokens were used since the last
// time. It is a job to be run about once a minute; what a process that dies has not
// written is lost, and makes a session end a minute earlier. Errors are the
// database's.
func (s *Service) WriteLastUsed(ctx context.Context) error {
	if err := s.sessions.seen.write(ctx, s.store); err != nil {
		return err
	}
	return s.tokens.seen.write(ctx, s.store)
}
