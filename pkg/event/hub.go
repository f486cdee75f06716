package event

import (
	"context"
	"slices"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

const (
	// chunk is how many events are read at once for all streams, and few how many for
	// one that comes back: a thousand may do so at the same time.
	chunk = 500
	few   = 100
	// backlog is how many events may wait for a stream that reads slowly.
	backlog = 2000
	// mostStreams is how many streams a user may have in one process.
	mostStreams = 500

	// With a signal lost, or from a process that sends none, events come this late.
	// SQLite has no signals between processes but a table, which is looked at more
	// often by this.
	pollPostgres = time.Second
	pollSQLite   = 100 * time.Millisecond
)

// Published is an event as it is handed out. What a face makes of it is made once.
type Published struct {
	models.Event
	once sync.Once
	wire []byte
}

// Wire returns what encode makes of the event, which is asked once.
func (p *Published) Wire(encode func(*models.Event) []byte) []byte {
	p.once.Do(func() { p.wire = encode(&p.Event) })
	return p.wire
}

// hub hands events to the streams of this process. Streams are grouped by user: what
// a user sees is found out once.
type hub struct {
	mu     sync.Mutex
	last   models.ID // the streams have been offered everything up to it
	groups map[models.ID]*group
	n      int
	open   bool
}

// group are the streams of one user.
type group struct {
	streams []*Stream
}

// Streams returns how many streams there are in this process.
func (s *Service) Streams() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.hub.n
}

// feeding hands out what is new until the context ends.
func (s *Service) feeding(ctx context.Context) {
	every := pollPostgres
	if s.store.Dialect() == store.SQLite {
		every = pollSQLite
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	s.hub.mu.Lock()
	s.hub.open = true
	s.hub.mu.Unlock()
	defer s.endAll()
	for {
		more, err := s.feed(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "events cannot be handed out for now", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.heard:
		case <-tick.C:
		}
	}
}

// endAll ends all streams, and lets no more begin.
func (s *Service) endAll() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.open = false
	for _, g := range s.hub.groups {
		for _, st := range g.streams {
			st.end(ErrStopping)
		}
	}
	s.hub.groups, s.hub.n = map[models.ID]*group{}, 0
}

// feed hands out what is new, and reports whether there may be more. Without any
// stream it reads nothing: whoever comes finds out where they are.
func (s *Service) feed(ctx context.Context) (more bool, err error) {
	s.hub.mu.Lock()
	after, users := s.hub.last, make([]models.ID, 0, len(s.hub.groups))
	for id := range s.hub.groups {
		users = append(users, id)
	}
	s.hub.mu.Unlock()
	if len(users) == 0 {
		return false, nil
	}
	rows, err := store.Find[models.Event](s.store.Read(ctx).Where("id > ?", int64(after)).Order("id").Limit(chunk))
	if err != nil || len(rows) == 0 {
		return false, err
	}
	list := make([]*Published, len(rows))
	for i := range rows {
		list[i] = &Published{Event: rows[i]}
	}
	seen, err := s.sights(ctx, users, list)
	if err != nil {
		return false, err
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.last != after {
		return true, nil // somebody has come, and is somewhere else
	}
	for id := range s.hub.groups {
		if _, ok := seen[id]; !ok {
			return true, nil // somebody has come meanwhile, and of what they see nothing is known
		}
	}
	s.hub.last = list[len(list)-1].ID
	for id, g := range s.hub.groups {
		for _, st := range g.streams {
			if sight := seen[id]; sight.active {
				st.offer(sight.list, s.hub.last)
			} else {
				st.end(ErrSignedOut)
			}
		}
	}
	return len(rows) == chunk, nil
}

// sight is what a user sees of some events.
type sight struct {
	active bool // or disabled by now
	list   []*Published
}

// sights returns what each of the users sees of the events.
func (s *Service) sights(ctx context.Context, users []models.ID, list []*Published) (map[models.ID]sight, error) {
	of := &offerings{ctx: ctx, store: s.store, list: list}
	out := make(map[models.ID]sight, len(users))
	for _, id := range users {
		a, err := s.actor(ctx, id)
		if fault.Is(err, fault.Unauthenticated) {
			out[id] = sight{}
			continue
		}
		if err != nil {
			return nil, err
		}
		visible, err := of.seen(a)
		if err != nil {
			return nil, err
		}
		out[id] = sight{true, visible}
	}
	return out, nil
}

// actor returns an active user with the rights of this moment.
func (s *Service) actor(ctx context.Context, id models.ID) (access.Actor, error) {
	u, err := s.users.UserByID(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
		return access.Actor{}, fault.New(fault.Unauthenticated, "User account is disabled.")
	}
	if err != nil {
		return access.Actor{}, err
	}
	r, err := s.users.Rights(ctx, id)
	if err != nil {
		return access.Actor{}, err
	}
	return access.NewActor(u, "", r), nil
}

// join puts a stream among those that are handed what is new, if it has had
// everything that they have.
func (s *Service) join(st *Stream) (bool, error) {
	h := &s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		return false, ErrStopping
	}
	if h.n == 0 {
		h.last = st.at
	}
	if st.at < h.last {
		return false, nil
	}
	g := h.groups[st.user]
	if g == nil {
		g = &group{}
		h.groups[st.user] = g
	}
	g.streams = append(g.streams, st)
	h.n++
	wake(s.heard) // what came before this is not handed out by itself
	return true, nil
}

// leave takes a stream out.
func (s *Service) leave(st *Stream) {
	h := &s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.groups[st.user]
	if g == nil {
		return
	}
	if i := slices.Index(g.streams, st); i >= 0 {
		g.streams = slices.Delete(g.streams, i, i+1)
		h.n--
	}
	if len(g.streams) == 0 {
		delete(h.groups, st.user)
	}
}
