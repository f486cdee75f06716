package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"halcyon/models"
)

// Signals tell every process that something cacheable has changed: a topic ("users") and a key (its id, or
// "" for all of it). On PostgreSQL they travel by NOTIFY, on a separate connection; on SQLite by a table
// that other processes poll. The process that made the change receives them before InTx returns.

type signal struct{ topic, key string }

const channel = "halcyon_signals"

// poll is the interval of looking for other processes' changes on SQLite.
const poll = 100 * time.Millisecond

type signals struct {
	store     *Store
	mu        sync.RWMutex
	listeners []func(topic, key string)
	live      atomic.Bool
	cancel    context.CancelFunc
	done      chan struct{}
	hints     hints
}

func newSignals(s *Store) *signals {
	return &signals{store: s}
}

// Signal announces a change once the transaction has committed.
func (tx *Tx) Signal(topic string, key models.ID) {
	text := ""
	if key != 0 {
		text = key.String()
	}
	tx.signal(signal{topic, text})
}

func (tx *Tx) signal(sig signal) {
	for _, have := range tx.signals {
		if have == sig {
			return
		}
	}
	tx.signals = append(tx.signals, sig)
}

// Hint announces like Signal, but delivery is not guaranteed: PostgreSQL receives it after the commit, and
// never if the process dies in between. In return the transaction does not wait for others: PostgreSQL
// serializes the commits of transactions that contain a NOTIFY. The key must not contain a space.
func (tx *Tx) Hint(topic, key string) {
	if sig := (signal{topic, key}); tx.store.dialect == SQLite {
		tx.signal(sig)
	} else {
		tx.hints = append(tx.hints, sig)
	}
}

// Signals reports whether the transaction has signaled any of these topics. A part of a UnitOfWork includes
// the signals of the parts before it.
func (tx *Tx) Signals(topics ...string) bool {
	if tx.whole != nil && tx.whole.Signals(topics...) {
		return true
	}
	return slices.ContainsFunc(tx.signals, func(s signal) bool { return slices.Contains(topics, s.topic) })
}

// flushSignals adds the announcements to the transaction's last statements.
func (tx *Tx) flushSignals() {
	for _, sig := range tx.signals {
		if tx.store.dialect == Postgres {
			tx.later("SELECT pg_notify($1, $2)", channel, sig.topic+" "+sig.key)
		} else {
			tx.later("INSERT INTO signals (topic, key, created_at) VALUES (?, ?, ?)", sig.topic, sig.key, tx.Now)
		}
	}
}

// OnSignal registers fn for every announced change, by this process or another. An empty topic means that
// some changes may have been missed: drop all caches.
func (s *Store) OnSignal(fn func(topic, key string)) {
	s.signals.mu.Lock()
	defer s.signals.mu.Unlock()
	s.signals.listeners = append(s.signals.listeners, fn)
}

// Listen starts to receive the changes of other processes, until Close. Without it, or while its connection
// is down, SignalsLive returns false and nothing may be cached.
func (s *Store) Listen() {
	ctx, cancel := context.WithCancel(context.Background())
	s.signals.cancel, s.signals.done = cancel, make(chan struct{})
	if s.dialect == Postgres {
		go s.signals.listenPostgres(ctx)
		return
	}
	// From here on nothing is missed: later changes have higher numbers.
	seen, err := s.signals.newest(ctx)
	if err != nil {
		s.log.Warn("signals cannot be read", "error", err)
	}
	s.signals.live.Store(err == nil)
	go s.signals.pollSQLite(ctx, seen)
}

// SignalsLive reports whether this process receives the changes of others.
func (s *Store) SignalsLive() bool { return s.signals.live.Load() }

func (g *signals) close() {
	g.hints.sender.Wait()
	if g.cancel != nil {
		g.cancel()
		<-g.done
	}
}

// hints is a queue of hints. One goroutine sends it while it is not empty: hints that are added meanwhile
// go out together.
type hints struct {
	mu      sync.Mutex
	waiting []signal
	sending bool
	sender  sync.WaitGroup
}

// announce sends hints to other processes.
func (g *signals) announce(list []signal) {
	if len(list) == 0 {
		return
	}
	g.hints.mu.Lock()
	defer g.hints.mu.Unlock()
	g.hints.waiting = append(g.hints.waiting, list...)
	if !g.hints.sending {
		g.hints.sending = true
		g.hints.sender.Go(g.send)
	}
}

func (g *signals) send() {
	for {
		g.hints.mu.Lock()
		list := g.hints.waiting
		g.hints.waiting, g.hints.sending = nil, len(list) > 0
		g.hints.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, payload := range payloads(list) {
			if err := g.notify(payload); err != nil {
				g.store.log.Debug("a hint was not announced", "error", err)
			}
		}
	}
}

// notify sends one notification. It need not survive a crash of the database, which disconnects all
// listeners as well, so its commit does not wait for the disk.
func (g *signals) notify(payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return g.store.aside.WithContext(ctx).Exec("SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, ?)", channel, payload).Error
}

// payloads returns notifications that announce the hints: each holds a topic and as many of its keys as
// fit.
func payloads(list []signal) []string {
	const most = 7000 // PostgreSQL accepts less than 8000 bytes
	var out []string
	open := map[string]int{} // by topic: the payload with room for more keys
	for _, sig := range list {
		at, ok := open[sig.topic]
		if !ok || len(out[at])+len(sig.key) >= most {
			open[sig.topic] = len(out)
			out = append(out, sig.topic+" "+sig.key)
			continue
		}
		out[at] += " " + sig.key
	}
	return out
}

func (g *signals) local(list []signal) {
	for _, sig := range list {
		g.dispatch(sig.topic, sig.key)
	}
}

func (g *signals) dispatch(topic, key string) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, fn := range g.listeners {
		fn(topic, key)
	}
}

func (g *signals) listenPostgres(ctx context.Context) {
	defer close(g.done)
	for ctx.Err() == nil {
		err := g.listenOnce(ctx)
		g.live.Store(false)
		if ctx.Err() != nil {
			return
		}
		g.store.log.Warn("listening for other replicas' changes was interrupted", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (g *signals) listenOnce(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, g.store.url)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(end) // abandoned in any case
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	g.dispatch("", "") // earlier changes were missed
	g.live.Store(true)
	for {
		// A lost connection is silent: check it regularly.
		wait, cancel := context.WithTimeout(ctx, 15*time.Second)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			topic, keys, _ := strings.Cut(n.Payload, " ")
			for key := range strings.SplitSeq(keys, " ") {
				g.dispatch(topic, key)
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case wait.Err() != nil:
			ping, cancel := context.WithTimeout(ctx, 5*time.Second)
			err := conn.Ping(ping)
			cancel()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (g *signals) newest(ctx context.Context) (seen int64, err error) {
	return seen, g.store.read.WithContext(ctx).Raw("SELECT coalesce(max(id), 0) FROM signals").Scan(&seen).Error
}

func (g *signals) pollSQLite(ctx context.Context, seen int64) {
	defer close(g.done)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	rounds := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var rows []struct {
			ID         int64
			Topic, Key string
		}
		err := g.store.read.WithContext(ctx).Raw("SELECT id, topic, key FROM signals WHERE id > ? ORDER BY id", seen).Scan(&rows).Error
		if err != nil {
			g.live.Store(false)
			continue
		}
		if !g.live.Load() {
			g.dispatch("", "") // anything cached meanwhile may be stale
			g.live.Store(true)
		}
		for _, r := range rows {
			seen = r.ID
			g.dispatch(r.Topic, r.Key)
		}
		if rounds++; rounds%1200 == 0 { // every ten minutes: no reader is an hour behind
			cutoff := g.store.Now().Add(-time.Hour)
			if err := g.store.write.WithContext(ctx).Exec("DELETE FROM signals WHERE created_at < ?", cutoff).Error; err != nil {
				g.store.log.Warn("old signals cannot be removed", "error", err)
			}
		}
	}
}
