// Package idempotency makes a request that is sent twice with one key happen
// once (draft-ietf-httpapi-idempotency-key-header). A key is claimed in a
// transaction of its own, so that every replica knows at once that the request
// is under way; its answer is kept in the transaction of the effect, so that
// there is either both or neither. It knows no HTTP beyond what an answer is
// made of.
package idempotency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// lifetime is how long an answer is kept.
const lifetime = 24 * time.Hour

// Lease is how long a claim is good. A request has to be done by then: the claim
// of a process that died is free afterwards.
const Lease = time.Minute

// maxKey is how many characters a key may have.
const maxKey = 255

// ErrRunning is the cause of the Conflict about a request that is under way.
var ErrRunning = errors.New("a request with the idempotency key is under way")

// ErrReused is the cause of the Invalid about a key that came with another body.
var ErrReused = errors.New("the idempotency key was used for another request")

// ErrLost is the cause of the Conflict about an answer that came after another
// process had taken the request over.
var ErrLost = errors.New("the claim on the idempotency key was lost")

// Request is what a key stands for.
type Request struct {
	Method string
	Target string // path and query, in the one form that counts
	Key    string
	Digest string // of the body
}

// Answer is what was answered.
type Answer struct {
	Status      int    `json:"-"`
	ContentType string `json:"type,omitempty"`
	Location    string `json:"location,omitempty"`
	Body        []byte `json:"body,omitempty"`
}

// claim is the right to answer a request.
type claim struct {
	id    models.ID
	token string
}

// Service keeps keys and answers.
type Service struct {
	store *store.Store
	seal  func(string) (string, error)
	open  func(string) (string, error)
}

// New returns a service. Answers are sealed, since some hold what is shown once.
func New(s *store.Store, seal, open func(string) (string, error)) *Service {
	return &Service{store: s, seal: seal, open: open}
}

// CheckKey is Invalid for what cannot be a key: 1 to 255 visible ASCII characters
// and spaces are one.
func CheckKey(key string) error {
	if key == "" {
		return fault.InvalidField(fault.Argument("Idempotency-Key"), "is empty")
	}
	if len(key) > maxKey {
		return fault.InvalidField(fault.Argument("Idempotency-Key"), "has %d characters, at most %d are allowed", len(key), maxKey)
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return fault.InvalidField(fault.Argument("Idempotency-Key"), "holds a character that is not printable ASCII, at %d", i+1)
		}
	}
	return nil
}

// margin is how long before the end of its lease a request is given up.
const margin = 5 * time.Second

// Do has run answer the request, once: a request that was answered before gets
// that answer again, and replayed says so. What run does goes through its context,
// and is kept together with the answer or not at all. When run fails with an
// answer, that is kept in its place; without one the request may come again as if
// it had not been. The error is then run's own. Besides, it is a Conflict
// (ErrRunning, ErrLost) while the request is answered elsewhere, and Invalid
// (ErrReused) when the key stands for another one.
func (s *Service) Do(ctx context.Context, a access.Actor, r Request, run func(ctx context.Context) (Answer, error)) (answer Answer, replayed bool, err error) {
	mine, stored, err := s.begin(ctx, a, r)
	if err != nil {
		return Answer{}, false, err
	}
	if stored != nil {
		return *stored, true, nil
	}
	ended := false
	defer func() {
		if !ended {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
			defer cancel()
			// Should it fail, the claim ends with its lease.
			_ = s.drop(end, mine)
		}
	}()
	bounded, cancel := context.WithTimeout(ctx, Lease-margin)
	defer cancel()
	within, unit := s.store.UnitOfWork(bounded)
	defer unit.Rollback()
	answer, err = run(within)
	switch {
	case err == nil:
		err = unit.Commit(func(tx *store.Tx) error { return s.finish(tx, mine, answer) })
		ended = err == nil
	case answer.Status != 0:
		unit.Rollback()
		failed := s.store.InTx(ctx, func(tx *store.Tx) error { return s.finish(tx, mine, answer) })
		ended = failed == nil
	}
	return answer, false, err
}

// begin claims the request for the actor, or gives the answer that it has got. It
// is a Conflict (ErrRunning) while the request is under way, and Invalid
// (ErrReused) when the key stands for another one.
func (s *Service) begin(ctx context.Context, a access.Actor, r Request) (claim, *Answer, error) {
	mine := claim{token: uuid.NewString()}
	var found *models.IdempotencyKey
	err := s.store.InTx(ctx, func(tx *store.Tx) error {
		found = nil
		row := models.IdempotencyKey{
			UserID: a.ID, Method: r.Method, Target: r.Target, Key: r.Key, Request: r.Digest,
			Claim: mine.token, ClaimedUntil: tx.Now.Add(Lease), ExpiresAt: tx.Now.Add(lifetime),
		}
		// Of those who come at once, one writes, and the others wait for it here.
		res := tx.Exec(`INSERT INTO idempotency_keys (user_id, method, target, key, request, claim, claimed_until, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, key, method, target) DO NOTHING`,
			row.UserID, row.Method, row.Target, row.Key, row.Request, row.Claim, row.ClaimedUntil, row.ExpiresAt)
		if res.Error != nil {
			return res.Error
		}
		have, err := store.First[models.IdempotencyKey](tx.ForUpdate().
			Where("user_id = ? AND key = ? AND method = ? AND target = ?", a.ID, r.Key, r.Method, r.Target))
		if err != nil {
			return err
		}
		mine.id = have.ID
		switch {
		case res.RowsAffected == 1:
			return nil
		case !tx.Now.Before(have.ExpiresAt): // nobody has removed it yet
		case have.Request != r.Digest:
			return fault.Wrap(fault.Invalid, ErrReused, "The Idempotency-Key was used before, with another body.")
		case have.Status != 0:
			found = have
			return nil
		case tx.Now.Before(have.ClaimedUntil):
			return fault.Wrap(fault.Conflict, ErrRunning, "The first request with this Idempotency-Key is still running.")
		}
		row.ID = have.ID
		return tx.Save(&row).Error
	})
	if err != nil || found == nil {
		return mine, nil, err
	}
	answer, err := s.opened(found)
	return claim{}, answer, err
}

// finish keeps the answer, in the transaction of the effect. It is a Conflict
// (ErrLost) when the claim is not good any more: the effect must not be then.
func (s *Service) finish(tx *store.Tx, c claim, answer Answer) error {
	data, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write down an answer: %w", err)
	}
	sealed, err := s.seal(string(data))
	if err != nil {
		return fmt.Errorf("seal an answer: %w", err)
	}
	res := tx.Model(&models.IdempotencyKey{}).Where("id = ? AND claim = ? AND status = 0", c.id, c.token).
		Updates(map[string]any{"status": answer.Status, "answer": sealed, "expires_at": tx.Now.Add(lifetime)})
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected == 0 {
		return fault.Wrap(fault.Conflict, ErrLost, "The request took too long, and is being answered elsewhere.")
	}
	return nil
}

// drop gives the claim back: the request may come again as if it had not been.
func (s *Service) drop(ctx context.Context, c claim) error {
	return s.store.InTx(ctx, func(tx *store.Tx) error {
		return tx.Where("id = ? AND claim = ? AND status = 0", c.id, c.token).Delete(&models.IdempotencyKey{}).Error
	})
}

func (s *Service) opened(row *models.IdempotencyKey) (*Answer, error) {
	text, err := s.open(row.Answer)
	if err != nil {
		return nil, fmt.Errorf("open the answer of idempotency key %s: %w", row.ID, err)
	}
	answer := &Answer{}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		return nil, fmt.Errorf("read the answer of idempotency key %s: %w", row.ID, err)
	}
	answer.Status = row.Status
	return answer, nil
}

// batch is how many keys one transaction removes.
const batch = 1000

// Sweep removes the keys whose time is over and says how many they were. It is a
// job to be run now and then, on any number of replicas.
func (s *Service) Sweep(ctx context.Context) (total int64, err error) {
	for {
		var n int64
		err := s.store.InTx(ctx, func(tx *store.Tx) error {
			res := tx.Exec("DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE expires_at <= ? LIMIT ?)", tx.Now, batch)
			n = res.RowsAffected
			return res.Error
		})
		if total += n; err != nil || n < batch {
			return total, err
		}
	}
}
