package event

import (
	"context"
	"fmt"
	"time"

	"halcyon/models"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

const (
	// dutyRelay is giving numbers, which one process does for all. That it is one is
	// for thrift: the row of the numbers is what makes the sequence one.
	dutyRelay = "events"
	// holdRelay is how long a process that died keeps others from the relay.
	holdRelay = 3 * time.Second

	// pace is the pause after a pass of the relay: what comes meanwhile is numbered
	// together.
	pace = 50 * time.Millisecond
	// look is how often the relay looks for what other processes have written.
	look = 100 * time.Millisecond
	// most is how many transactions' events are numbered by one.
	most = 200

	dutyPrune  = "events.prune"
	holdPrune  = 5 * time.Minute
	prune      = time.Hour
	pruneBatch = 2000
)

// relaying numbers events, while that is this process's duty, until the context ends.
func (s *Service) relaying(ctx context.Context) {
	tick, old := time.NewTicker(look), time.NewTicker(prune)
	defer tick.Stop()
	defer old.Stop()
	defer s.release(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-old.C:
			if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "old events could not be removed", "error", err)
			}
			continue
		case <-s.fresh:
		case <-tick.C:
		}
		n, err := s.relay(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "events cannot be numbered for now", "error", err)
		}
		if n == 0 && err == nil {
			continue
		}
		if n == most {
			s.nudge()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pace):
		}
	}
}

// release gives the lease back, so that another process goes on at once.
func (s *Service) release(ctx context.Context) {
	if s.holds.IsZero() {
		return
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := s.store.AcquireLease(end, dutyRelay, s.id, 0); err != nil {
		s.log.Debug("the duty of numbering events could not be given back", "error", err)
	}
	s.holds = time.Time{}
}

// relay numbers what waits in the outbox, if that is this process's duty, and
// announces it. It gives how many transactions' events it has numbered.
func (s *Service) relay(ctx context.Context) (int, error) {
	var waits bool
	if err := s.store.Read(ctx).Raw("SELECT EXISTS (SELECT 1 FROM event_outbox)").Row().Scan(&waits); err != nil {
		return 0, store.Fault(err)
	}
	if !waits {
		return 0, nil
	}
	if now := s.store.Now(); s.holds.Sub(now) < holdRelay/2 {
		mine, err := s.store.AcquireLease(ctx, dutyRelay, s.id, holdRelay)
		if err != nil || !mine {
			s.holds = time.Time{}
			return 0, err
		}
		s.holds = now.Add(holdRelay)
	}
	n := 0
	err := s.store.InTx(ctx, func(tx *store.Tx) (err error) {
		n, err = s.number(tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("number events: %w", err)
	}
	return n, nil
}

// number gives numbers to what was committed. Whoever comes at the same time waits
// for the row of the numbers: so a number is only seen with all those below it.
func (s *Service) number(tx *store.Tx) (int, error) {
	last, _, err := numbers(tx.ForUpdate().Table("event_numbers").Select("last", "pruned").Row())
	if err != nil {
		return 0, err
	}
	rows, err := store.Find[models.OutboxRow](tx.Order("id").Limit(most))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids := make([]models.ID, len(rows))
	var list []models.Event
	for i := range rows {
		ids[i] = rows[i].ID
		list = append(list, rows[i].Events...)
	}
	list = joined(list)
	for i := range list {
		last++
		list[i].ID = last
		if err := store.Note(tx, &list[i]); err != nil {
			return 0, err
		}
	}
	gone := query.ByIDs(tx, "id", ids)
	if err := tx.Exec("DELETE FROM event_outbox WHERE "+gone.SQL, gone.Args...).Error; err != nil {
		return 0, err
	}
	if err := tx.Exec("UPDATE event_numbers SET last = ?", int64(last)).Error; err != nil {
		return 0, err
	}
	tx.Signal(Topic, last)
	return len(rows), nil
}

// mostJoined is how many messages the progress of several steps has together.
const mostJoined = 200

// joined makes one event of those about a job's progress between which nothing else
// has happened to it.
func joined(list []models.Event) []models.Event {
	last := map[models.ID]int{} // by job: where its latest event is, if that is progress
	gone := make([]bool, len(list))
	some := false
	for i := range list {
		e := &list[i]
		if e.ObjectType != models.ObjectJob {
			continue
		}
		if e.Type != jobProgress {
			delete(last, e.ObjectID)
			continue
		}
		if before, ok := last[e.ObjectID]; ok {
			both := append(list[before].Data.Messages, e.Data.Messages...)
			e.Data.Messages = both[max(0, len(both)-mostJoined):]
			gone[before], some = true, true
		}
		last[e.ObjectID] = i
	}
	if !some {
		return list
	}
	kept := make([]models.Event, 0, len(list))
	for i := range list {
		if !gone[i] {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// Prune removes the events that are older than they are kept, unless another
// process is doing that.
func (s *Service) Prune(ctx context.Context) error {
	mine, err := s.store.AcquireLease(ctx, dutyPrune, s.id, holdPrune)
	if err != nil || !mine {
		return err
	}
	for more := true; more && err == nil; {
		err = s.store.InTx(ctx, func(tx *store.Tx) (err error) {
			more, err = s.prune(tx)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("remove old events: %w", err)
	}
	_, err = s.store.AcquireLease(ctx, dutyPrune, s.id, 0)
	return err
}

// prune removes some of the oldest events, and reports whether there may be more.
func (s *Service) prune(tx *store.Tx) (more bool, err error) {
	var rows []struct {
		ID        models.ID
		CreatedAt time.Time
	}
	if err := tx.Table("events").Select("id", "created_at").Order("id").Limit(pruneBatch).Scan(&rows).Error; err != nil {
		return false, err
	}
	limit := tx.Now.Add(-s.keep)
	upTo := models.ID(0)
	for _, r := range rows {
		// By numbers: what is kept has no holes.
		if !r.CreatedAt.Before(limit) {
			break
		}
		upTo = r.ID
	}
	if upTo == 0 {
		return false, nil
	}
	if err := tx.Exec("DELETE FROM events WHERE id <= ?", int64(upTo)).Error; err != nil {
		return false, err
	}
	return upTo == rows[len(rows)-1].ID && len(rows) == pruneBatch, tx.Exec("UPDATE event_numbers SET pruned = ?", int64(upTo)).Error
}
