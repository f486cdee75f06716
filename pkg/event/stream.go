package event

import (
	"context"
	"strconv"
	"sync"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// The reasons for which a stream ends by itself. Whoever comes back with the number
// of the last event that they had has missed nothing.
var (
	ErrStopping  = fault.New(fault.Unavailable, "The service is stopping. Connect again.")
	ErrSignedOut = fault.New(fault.Unauthenticated, "User account is disabled.")
	ErrSlow      = fault.New(fault.Limited, "The stream is read too slowly.")
)

// Stream is the events that one caller follows. It has no goroutine of its own and
// belongs to one at a time.
type Stream struct {
	// Reset says that events behind the number that was asked for are not kept any
	// more: the stream begins with the oldest one that is.
	Reset bool
	// From is the number behind which the stream begins.
	From models.ID

	svc    *Service
	user   models.ID
	filter Filter
	live   bool // it is handed what is new; before, it reads what there is
	word   func()

	mu      sync.Mutex
	at      models.ID // it has, or has been offered, everything up to it
	pending []*Published
	err     error
}

// Subscribe begins a stream of the events about what the actor sees, at each moment.
// After is the number of the last event that the caller has had, as text; "" means
// that only what happens from now on is of interest. A number that no event has been
// given is Invalid and names the field. Limited: the actor has too many streams
// already. Unavailable: this process hands out none.
func (s *Service) Subscribe(ctx context.Context, a access.Actor, f Filter, after, field string) (*Stream, error) {
	if err := s.admit(a.ID); err != nil {
		return nil, err
	}
	last, pruned, err := s.Numbers(ctx)
	if err != nil {
		return nil, err
	}
	st := &Stream{From: last, svc: s, user: a.ID, filter: f, word: func() {}}
	if after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 0 || models.ID(n) > last || strconv.FormatInt(n, 10) != after {
			return nil, errNumber(field, after)
		}
		st.From = models.ID(n)
		if st.From < pruned {
			st.From, st.Reset = pruned, true
		}
	}
	st.at = st.From
	return st, nil
}

// admit is an error when the user cannot have one more stream.
func (s *Service) admit(user models.ID) error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if !s.hub.open {
		return ErrStopping
	}
	if g := s.hub.groups[user]; g != nil && len(g.streams) >= mostStreams {
		return fault.New(fault.Limited, "You have %d event streams open. Close some first.", mostStreams)
	}
	return nil
}

// Notify has word called whenever Next may have something, or an error, from then on.
// It is called by those who hand out, so it must not wait. It is to be set before the
// first Next.
func (st *Stream) Notify(word func()) { st.word = word }

// Next returns events that have come, and does not wait for others: after none, Next is
// to be called when there is word of more. It is an error when the stream has come to
// its end: one of ErrStopping, ErrSignedOut and ErrSlow, the context's, or the
// database's.
func (st *Stream) Next(ctx context.Context) ([]*Published, error) {
	for !st.live {
		list, err := st.catchUp(ctx)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	return st.take()
}

// Close ends the stream.
func (st *Stream) Close() {
	st.svc.leave(st)
}

// catchUp reads some of what is there already. When nothing is left, the stream is
// handed what is new.
func (st *Stream) catchUp(ctx context.Context) ([]*Published, error) {
	last, pruned, err := st.svc.Numbers(ctx)
	if err != nil {
		return nil, err
	}
	if st.at < pruned {
		return nil, ErrSlow // what it would have read next is gone
	}
	if st.at < last {
		a, err := st.svc.actor(ctx, st.user)
		if err != nil {
			return nil, err
		}
		rows, err := st.svc.After(ctx, a, st.at, last, few, st.filter)
		if err != nil {
			return nil, err
		}
		if st.at = last; len(rows) == few {
			st.at = rows[len(rows)-1].ID
		}
		list := make([]*Published, len(rows))
		for i := range rows {
			list[i] = &Published{Event: rows[i]}
		}
		return list, nil
	}
	st.live, err = st.svc.join(st)
	return nil, err
}

// offer hands the stream events that its user sees, of all up to a number. It never
// waits: a stream that has too much before it ends.
func (st *Stream) offer(list []*Published, upTo models.ID) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil || upTo <= st.at {
		return
	}
	for _, e := range list {
		if e.ID > st.at && st.filter.Match(&e.Event) {
			st.pending = append(st.pending, e)
		}
	}
	st.at = upTo
	if len(st.pending) > backlog {
		st.pending, st.err = nil, ErrSlow
	}
	if len(st.pending) > 0 || st.err != nil {
		st.word()
	}
}

func (st *Stream) take() ([]*Published, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	list := st.pending
	st.pending = nil
	if len(list) > 0 {
		return list, nil
	}
	return nil, st.err
}

// end has the stream end, for a reason.
func (st *Stream) end(reason error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil {
		st.err = reason
	}
	st.word()
}
