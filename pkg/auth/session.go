package auth

import (
	"context"
	"strconv"
	"sync"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// TopicUsers and TopicSessions are the topics of store signals that this package
// sends. The key of both is the user's id: "sessions" says that some of the
// user's sessions ended. One client signs in before every request, so that a user
// may have thousands of sessions, and a signal for each would be a flood.
const (
	TopicUsers    = "users"
	TopicSessions = "sessions"
)

// sessionsKept is how many live sessions are remembered.
const sessionsKept = 4096

// session is what is remembered of a live one.
type session struct {
	user    models.ID
	expires time.Time
}

// sessions knows which sessions live. What it remembers it uses only while other
// replicas' changes are heard, and it never remembers that a session is missing.
type sessions struct {
	store *store.Store

	mu     sync.RWMutex
	epoch  uint64 // counts what was forgotten: a row read before is not remembered after
	byUUID map[string]session
	byUser map[models.ID]map[string]struct{}
}

func newSessions(st *store.Store) *sessions {
	s := &sessions{store: st}
	s.forgetAll()
	st.OnSignal(s.signal)
	return s
}

func (s *sessions) signal(topic, key string) {
	switch {
	case topic == TopicSessions && key != "":
		s.forgetUser(key)
	case topic == TopicSessions, topic == "":
		s.forgetAll()
	}
}

func (s *sessions) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.byUUID = make(map[string]session)
	s.byUser = make(map[models.ID]map[string]struct{})
}

func (s *sessions) forgetUser(key string) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		s.forgetAll() // somebody else's idea of a key: it can still only mean sessions
		return
	}
	user := models.ID(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for uuid := range s.byUser[user] {
		delete(s.byUUID, uuid)
	}
	delete(s.byUser, user)
}

var errSessionEnded = fault.New(fault.Unauthenticated, "The session has ended. Sign in again.")

// check says that the session lives and is the user's: nil, or Unauthenticated, or
// the database's error.
func (s *sessions) check(ctx context.Context, uuid string, user models.ID, now time.Time) error {
	live := s.store.SignalsLive()
	s.mu.RLock()
	have, ok := s.byUUID[uuid]
	epoch := s.epoch
	s.mu.RUnlock()
	if !ok || !live {
		row, err := store.First[models.Session](s.store.Read(ctx).Where("uuid = ?", uuid))
		if fault.Is(err, fault.NotFound) || err == nil && row.RevokedAt != nil {
			return errSessionEnded
		}
		if err != nil {
			return err
		}
		have = session{user: row.UserID, expires: row.ExpiresAt}
		if live && now.Before(have.expires) {
			s.remember(uuid, have, epoch)
		}
	}
	if have.user != user || !now.Before(have.expires) {
		return errSessionEnded
	}
	return nil
}

// remember keeps what a row said, unless something was forgotten since epoch: the
// row may have been read just before the change that the signal was about.
func (s *sessions) remember(uuid string, have session, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		return
	}
	if len(s.byUUID) >= sessionsKept {
		for victim, v := range s.byUUID { // in random order
			delete(s.byUUID, victim)
			s.unlink(v.user, victim)
			break
		}
	}
	s.byUUID[uuid] = have
	if s.byUser[have.user] == nil {
		s.byUser[have.user] = make(map[string]struct{})
	}
	s.byUser[have.user][uuid] = struct{}{}
}

func (s *sessions) unlink(user models.ID, uuid string) {
	delete(s.byUser[user], uuid)
	if len(s.byUser[user]) == 0 {
		delete(s.byUser, user)
	}
}

// endSessions revokes the user's live sessions but the one with the uuid except,
// and announces it.
func endSessions(tx *store.Tx, user models.ID, except string) error {
	err := tx.Model(&models.Session{}).
		Where("user_id = ? AND uuid <> ? AND revoked_at IS NULL", user, except).
		Update("revoked_at", tx.Now).Error
	if err != nil {
		return store.Fault(err)
	}
	tx.Signal(TopicSessions, user)
	return nil
}

// sweepBatch is how many sessions one transaction deletes: SQLite has one writer,
// and nobody should wait for all of them.
const sweepBatch = 1000

// sweepAfter is how long ended sessions are kept.
const sweepAfter = 24 * time.Hour

// Sweep deletes the sessions that ended more than a day ago and says how many they
// were. It is a job to be run now and then, and may run on several replicas at
// once. Errors are the database's; what was deleted before stays deleted.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	var total int64
	for {
		var n int64
		err := s.store.InTx(ctx, func(tx *store.Tx) error {
			before := tx.Now.Add(-sweepAfter)
			res := tx.Exec(`DELETE FROM sessions WHERE id IN
				(SELECT id FROM sessions WHERE expires_at < ? OR revoked_at < ? LIMIT ?)`, before, before, sweepBatch)
			n = res.RowsAffected
			return res.Error
		})
		if err != nil {
			return total, err
		}
		if total += n; n < sweepBatch {
			return total, nil
		}
	}
}
