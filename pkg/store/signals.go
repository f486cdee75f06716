package store

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"halcyon/models"
)

// Signals tell every process that something which may be cached has changed:
// a topic ("users") and a key (its id, or "" for all of it). On PostgreSQL they
// travel by NOTIFY, on a connection of their own; on SQLite by a table that other
// processes look at. In the process that made the change they arrive before
// InTx returns.

type signal struct{ topic, key string }

const channel = "halcyon_signals"

// poll is how often another process's changes are looked for on SQLite.
const poll = 500 * time.Millisecond

type signals struct {
	store     *Store
	mu        sync.RWMutex
	listeners []func(topic, key string)
	live      atomic.Bool
	cancel    context.CancelFunc
	done      chan struct{}
}

func newSignals(s *Store) *signals {
	return &signals{store: s}
}

// Signal announces the change when the transaction has committed.
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

// Signals reports whether the transaction has changed anything of these topics. A part
// of a UnitOfWork counts the changes of the parts before it.
func (tx *Tx) Signals(topics ...string) bool {
	if tx.whole != nil && tx.whole.Signals(topics...) {
		return true
	}
	return slices.ContainsFunc(tx.signals, func(s signal) bool { return slices.Contains(topics, s.topic) })
}

// flushSignals announces with the transaction's last statements.
func (tx *Tx) flushSignals() {
	for _, sig := range tx.signals {
		if tx.store.dialect == Postgres {
			tx.Later("SELECT pg_notify($1, $2)", channel, sig.topic+" "+sig.key)
		} else {
			tx.Later("INSERT INTO signals (topic, key, created_at) VALUES (?, ?, ?)", sig.topic, sig.key, tx.Now)
		}
	}
}

// OnSignal has fn called for every change that is announced, by this process or
// another. An empty topic says that some may have been missed: forget everything.
func (s *Store) OnSignal(fn func(topic, key string)) {
	s.signals.mu.Lock()
	defer s.signals.mu.Unlock()
	s.signals.listeners = append(s.signals.listeners, fn)
}

// Listen begins to hear what other processes announce, until Close. Without it,
// or while its connection is down, SignalsLive is false and nothing may be cached.
func (s *Store) Listen() {
	ctx, cancel := context.WithCancel(context.Background())
	s.signals.cancel, s.signals.done = cancel, make(chan struct{})
	if s.dialect == Postgres {
		go s.signals.listenPostgres(ctx)
		return
	}
	// From here on nothing is missed: what is announced later has a higher number.
	seen, err := s.signals.newest(ctx)
	if err != nil {
		s.log.Warn("signals cannot be read", "error", err)
	}
	s.signals.live.Store(err == nil)
	go s.signals.pollSQLite(ctx, seen)
}

// SignalsLive reports whether other processes' changes are being heard.
func (s *Store) SignalsLive() bool { return s.signals.live.Load() }

func (g *signals) close() {
	if g.cancel != nil {
		g.cancel()
		<-g.done
	}
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
		_ = conn.Close(end) // it is given up either way
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	g.dispatch("", "") // whatever was announced before this moment was missed
	g.live.Store(true)
	for {
		// A connection whose other end vanished says nothing: ask it now and then.
		wait, cancel := context.WithTimeout(ctx, 15*time.Second)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			topic, key, _ := cut(n.Payload)
			g.dispatch(topic, key)
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

func cut(payload string) (topic, key string, ok bool) {
	for i := range len(payload) {
		if payload[i] == ' ' {
			return payload[:i], payload[i+1:], true
		}
	}
	return payload, "", false
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
			g.dispatch("", "") // whatever was cached meanwhile may be old
			g.live.Store(true)
		}
		for _, r := range rows {
			seen = r.ID
			g.dispatch(r.Topic, r.Key)
		}
		if rounds++; rounds%1200 == 0 { // every ten minutes: nobody is an hour behind
			cutoff := g.store.Now().Add(-time.Hour)
			if err := g.store.write.WithContext(ctx).Exec("DELETE FROM signals WHERE created_at < ?", cutoff).Error; err != nil {
				g.store.log.Warn("old signals cannot be removed", "error", err)
			}
		}
	}
}
