package event

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Topic is the topic of the signal that says that there are new events. Its key is
// the highest number.
const Topic = "events"

// Config says how a Service works. Zero members mean the defaults.
type Config struct {
	Store *store.Store
	Users UserSource
	Keep  time.Duration // how long events are kept; 7 days
	Log   *slog.Logger
}

// UserSource tells what users may see. Both answers are cheap: they are asked for each
// user who has a stream, whenever there is something new.
type UserSource interface {
	// UserByID finds a user. NotFound when there is none.
	UserByID(ctx context.Context, id models.ID) (*models.User, error)
	// Rights returns what the user's grants amount to now.
	Rights(ctx context.Context, user models.ID) (*access.Rights, error)
}

// Service records events, gives them their numbers, and hands them out. It is safe
// for concurrent use.
type Service struct {
	store *store.Store
	users UserSource
	keep  time.Duration
	log   *slog.Logger
	id    string // as the holder of duties

	holds time.Time     // until when the relay is this process's duty
	fresh chan struct{} // something was written to the outbox
	heard chan struct{} // there are new numbers

	progressMu sync.Mutex
	progress   map[models.ID][2]int // tasks and completed ones of jobs, as said last

	hub hub
}

// New returns a service. From then on every write through the store leaves
// its events; they get their numbers from any process that runs Run.
func New(c Config) *Service {
	if c.Keep <= 0 {
		c.Keep = 7 * 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		store: c.Store, users: c.Users, keep: c.Keep, log: c.Log, id: uuid.NewString(),
		fresh: make(chan struct{}, 1), heard: make(chan struct{}, 1),
		progress: map[models.ID][2]int{},
		hub:      hub{groups: map[models.ID]*group{}},
	}
	c.Store.OnWrite(s.written)
	c.Store.OnSignal(func(topic, _ string) {
		if topic == Topic || topic == "" {
			wake(s.heard)
		}
	})
	return s
}

// nudge tells the relay of this process, if it has one, that there is something.
func (s *Service) nudge() { wake(s.fresh) }

// wake leaves a word for who waits, unless there is one already.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run relays and hands out until the context ends; then all streams end as well.
// Every process of an installation may run it.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.relaying(ctx) })
	all.Go(func() { s.feeding(ctx) })
	all.Wait()
}

// List returns a page of the events about what the actor sees.
func (s *Service) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Event], error) {
	return query.List[models.Event](s.store.Read(ctx), Events, a, q, opts...)
}

// Find returns one event, by its number.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Event, error) {
	return query.Find[models.Event](s.store.Read(ctx), Events, a, ref)
}

// After returns the events behind a number, oldest first, that the filter takes and
// that are about what the actor sees now: at most so many, and none behind upTo.
func (s *Service) After(ctx context.Context, a access.Actor, number, upTo models.ID, most int, f Filter) ([]models.Event, error) {
	const t = query.Root
	w := access.And(
		access.Where{SQL: t + ".id > ? AND " + t + ".id <= ?", Args: []any{int64(number), int64(upTo)}},
		f.where(), access.Visible("events", a, t),
	)
	rows, err := store.Find[models.Event](s.store.Read(ctx).Table("events "+t).Where(w.SQL, w.Args...).Order(t + ".id").Limit(most))
	if err != nil {
		return nil, fmt.Errorf("events after %s: %w", number, err)
	}
	return rows, nil
}

// Numbers returns the highest number that was given, and the highest one of those
// that are not kept any more.
func (s *Service) Numbers(ctx context.Context) (last, pruned models.ID, err error) {
	return numbers(s.store.Read(ctx).Table("event_numbers").Select("last", "pruned").Row())
}

type scanner interface{ Scan(into ...any) error }

func numbers(row scanner) (last, pruned models.ID, err error) {
	if err = row.Scan(&last, &pruned); err != nil {
		return 0, 0, fmt.Errorf("numbers of events: %w", store.Fault(err))
	}
	return last, pruned, nil
}

// errNumber is for a number that no event has been given.
func errNumber(field, text string) error {
	return fault.InvalidField(fault.Argument(field), "%q is not the number of an event that has happened", text)
}
