package server

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/store"
)

// syncVMs synchronizes the servers with a back end: it adds new machines, records
// changes, and makes servers of deleted machines historical.
type syncVMs struct {
	machines
	batch int // machines per page and transaction

	// The machines that this process has seen. It only saves work: before a machine that another process
	// has seen is treated as gone, the back end is queried again.
	mu   *sync.Mutex
	seen map[models.ID]map[string]bool
}

func newSync(m machines) syncVMs {
	return syncVMs{machines: m, batch: 200, mu: &sync.Mutex{}, seen: map[models.ID]map[string]bool{}}
}

// The memo's keys.
const (
	memoAfter   = "after"   // the last ref read
	memoFound   = "found"   // number of machines so far
	memoNew     = "new"     //
	memoChanged = "changed" //
	memoGoneN   = "gone"    //
	memoChecked = "checked" // the last server checked
)

func count(memo provider.Memo, key string) int {
	n, _ := strconv.Atoi(memo[key])
	return n
}

func add(memo provider.Memo, key string, n int) { memo[key] = strconv.Itoa(count(memo, key) + n) }

// again makes the engine call a step again, without a pause.
const again = time.Nanosecond

// Steps implements job.Kind.
func (k syncVMs) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	p, h, err := k.pool.For(ctx, j.HandlerID)
	if err != nil {
		return nil, err
	}
	return []job.Step{k.scan(p, h, j.ID), k.vanish(p, h, j.ID)}, nil
}

func (k syncVMs) note(id models.ID, refs ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen[id] == nil {
		k.seen[id] = map[string]bool{}
	}
	for _, ref := range refs {
		k.seen[id][ref] = true
	}
}

func (k syncVMs) noted(id models.ID, ref string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[id][ref]
}

func (k syncVMs) forget(id models.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.seen, id)
	// Entries of jobs that ended in another process would otherwise stay forever.
	for len(k.seen) > 16 {
		for other := range k.seen {
			delete(k.seen, other)
			break
		}
	}
}

// scan reads the back end page by page.
func (k syncVMs) scan(p provider.Provider, h *models.ResourceHandler, id models.ID) job.Step {
	var (
		page   []provider.Machine
		moved  map[string]bool
		listed time.Time
	)
	return job.Step{
		Step: provider.Step{
			Name: "scan", Title: "Reading the machines of " + h.Name,
			Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
				var err error
				listed = k.store.Now()
				if page, err = p.List(ctx, memo[memoAfter], k.batch); err != nil {
					return 0, err
				}
				if moved, err = k.moved(ctx, p, h.ID, page); err != nil {
					return 0, err
				}
				for _, m := range page {
					k.note(id, m.Ref)
				}
				if len(page) == k.batch {
					return again, nil
				}
				return 0, nil
			},
		},
		Apply: func(tx *store.Tx, j *models.Job, memo provider.Memo) error {
			if len(page) == 0 {
				return nil
			}
			if err := k.upsert(tx, h.ID, page, moved, listed, memo); err != nil {
				return err
			}
			memo[memoAfter] = page[len(page)-1].Ref
			add(memo, memoFound, len(page))
			if len(page) < k.batch {
				return nil
			}
			return job.Say(tx, j.ID, "info", fmt.Sprintf("Read %s machines.", memo[memoFound]))
		},
	}
}

// moved returns the machines that were registered again: their server has a ref that no machine has now. If
// the old ref is still in use, the tag was copied with the machine.
func (k syncVMs) moved(ctx context.Context, p provider.Provider, handler models.ID, page []provider.Machine) (map[string]bool, error) {
	byTag, err := tagged(k.store.Read(ctx), handler, page, false)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, m := range page {
		sv := byTag[m.Tag]
		if sv == nil || sv.BackendRef == "" || sv.BackendRef == m.Ref || sv.Status == models.ServerHistorical {
			continue
		}
		_, err := p.Inspect(ctx, sv.BackendRef)
		switch {
		case fault.Is(err, fault.NotFound):
			out[m.Ref] = true
		case err != nil:
			return nil, err
		}
	}
	return out, nil
}

// tagged returns the handler's servers with uuids among the machines' tags.
func tagged(tx *store.Tx, handler models.ID, page []provider.Machine, lock bool) (map[string]*models.Server, error) {
	var tags []string
	for _, m := range page {
		if m.Tag != "" {
			tags = append(tags, m.Tag)
		}
	}
	out := map[string]*models.Server{}
	if len(tags) == 0 {
		return out, nil
	}
	db := tx.Where("uuid IN ?", tags)
	if lock {
		db = tx.ForUpdate().Where("uuid IN ?", tags).Order("id")
	}
	rows, err := store.Find[models.Server](db)
	if err != nil {
		return nil, fmt.Errorf("servers by tag: %w", err)
	}
	for i := range rows {
		if rows[i].HandlerID == handler {
			out[rows[i].UUID] = &rows[i]
		}
	}
	return out, nil
}

// upsert updates the servers for one page of machines.
func (k syncVMs) upsert(tx *store.Tx, handler models.ID, page []provider.Machine, moved map[string]bool, listed time.Time, memo provider.Memo) error {
	byTag, err := tagged(tx, handler, page, true)
	if err != nil {
		return err
	}
	refs := make([]string, len(page))
	for i, m := range page {
		refs[i] = m.Ref
	}
	rows, err := store.Find[models.Server](tx.ForUpdate().Where("handler_id = ? AND backend_ref IN ?", handler, refs).Order("id"))
	if err != nil {
		return fmt.Errorf("servers by ref: %w", err)
	}
	byRef, living := map[string]*models.Server{}, map[string]int{}
	for i := range rows {
		r := &rows[i]
		if r.Status != models.ServerHistorical {
			living[r.BackendRef]++
		}
		if same := byTag[r.UUID]; same != nil {
			r = same // share one copy of each row
		}
		if old := byRef[r.BackendRef]; old == nil || old.Status == models.ServerHistorical {
			byRef[r.BackendRef] = r
		}
	}
	making, err := store.Find[models.Server](tx.Select("id", "backend_name").Where("handler_id = ? AND status IN ? AND backend_name <> ''",
		handler, []models.ServerStatus{models.ServerProv, models.ServerProvFailed}))
	if err != nil {
		return fmt.Errorf("servers that are being made: %w", err)
	}
	names := map[string]bool{}
	for i := range making {
		names[making[i].BackendName] = true
	}
	for _, m := range page {
		sv := match(m, byTag[m.Tag], byRef[m.Ref], moved[m.Ref])
		switch {
		case sv != nil:
			// Another row for the machine is rare.
			alone := living[m.Ref] == 0 || living[m.Ref] == 1 && sv.BackendRef == m.Ref && sv.Status != models.ServerHistorical
			if err := k.update(tx, sv, m, alone, listed, memo); err != nil {
				return err
			}
		case m.Tag == "" && names[m.Name]:
			// A clone without a tag: the job that creates it is still running.
		default:
			if err := k.insert(tx, handler, m, memo); err != nil {
				return err
			}
		}
	}
	return nil
}

// match returns the server of a machine, or nil.
func match(m provider.Machine, byTag, byRef *models.Server, moved bool) *models.Server {
	if byTag != nil {
		if byTag.BackendRef == "" || byTag.BackendRef == m.Ref || moved || byTag.Status == models.ServerHistorical {
			return byTag
		}
	}
	if byRef == nil {
		return nil
	}
	if byRef.Status == models.ServerHistorical && m.Tag != "" && m.Tag != byRef.UUID {
		return nil // another machine has received the ref of a deleted one
	}
	return byRef
}

// update updates a server to match its machine. alone means that no other living row refers to the machine.
func (k syncVMs) update(tx *store.Tx, sv *models.Server, m provider.Machine, alone bool, listed time.Time, memo provider.Memo) error {
	if sv.UpdatedAt.After(listed) {
		return nil // the listing is older than the row
	}
	event := ""
	switch sv.Status {
	case models.ServerProv, models.ServerProvFailed, models.ServerModify, models.ServerDecom:
		return nil // a job is running, or a failed one needs attention
	case models.ServerHistorical:
		if err := sv.MoveTo(models.ServerActive); err != nil {
			return err
		}
		event = "returned"
	case models.ServerActive:
	}
	if !alone {
		if err := claim(tx, sv, m.Ref); err != nil {
			return err
		}
	}
	if !observe(sv, m) && event == "" {
		return nil
	}
	add(memo, memoChanged, 1)
	now := tx.Now
	sv.SyncedAt = &now
	if event == "" {
		return save(tx, sv)
	}
	if err := retake(tx, sv); err != nil {
		return err
	}
	return settle(tx, sv, event, "It is in the back end again.")
}

// retake reassigns the pool address that a returned server uses, if it is still free.
func retake(tx *store.Tx, sv *models.Server) error {
	if sv.EnvironmentID == 0 || sv.IP == "" {
		return nil
	}
	env, err := store.First[models.Environment](tx.Where("id = ?", sv.EnvironmentID))
	if err != nil {
		return fmt.Errorf("load environment %s: %w", sv.EnvironmentID, err)
	}
	pool, err := pooled(tx, sv.HandlerID, placementOf(env, sv).Network)
	if err != nil || pool == nil {
		return err
	}
	return store.Fault(tx.Exec(`INSERT INTO ip_addresses (pool_id, address, server_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, pool.ID, sv.IP, sv.ID).Error)
}

func (k syncVMs) insert(tx *store.Tx, handler models.ID, m provider.Machine, memo provider.Memo) error {
	now := tx.Now
	sv := &models.Server{
		Hostname: hostname(m), Status: models.ServerActive,
		GroupID: models.UnassignedID, EnvironmentID: models.UnassignedID, HandlerID: handler,
		AddedAt: now, SyncedAt: &now,
		Labels: []string{}, Parameters: []models.Param{},
	}
	if id, err := uuid.Parse(m.Tag); err == nil && id.String() == m.Tag {
		// Another Halcyon created it: keep its tag, if it is free.
		var taken int64
		if err := tx.Model(&models.Server{}).Where("uuid = ?", m.Tag).Count(&taken).Error; err != nil {
			return store.Fault(err)
		}
		if taken == 0 {
			sv.UUID = m.Tag
		}
	}
	observe(sv, m)
	if err := store.Insert(tx, sv); err != nil {
		if fault.Is(err, fault.Conflict) {
			// A job is recording it right now: the next synchronization finds that.
			return fault.Wrap(fault.Unavailable, err, "The machine %s is being recorded elsewhere.", m.Name)
		}
		return fmt.Errorf("insert server %s: %w", m.Name, err)
	}
	add(memo, memoNew, 1)
	return nil
}

// vanish returns the step that looks for servers missing from all pages, and confirms
// with the back end that each is gone.
func (k syncVMs) vanish(p provider.Provider, h *models.ResourceHandler, id models.ID) job.Step {
	var (
		gone   []models.Server
		last   models.ID
		looked time.Time
	)
	return job.Step{
		Step: provider.Step{
			Name: "vanish", Title: "Looking for what is gone from " + h.Name,
			Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
				gone, looked = nil, k.store.Now()
				budget, cancel := context.WithTimeout(ctx, 15*time.Second)
				defer cancel()
				rows, err := store.Find[models.Server](k.store.Read(ctx).
					Select("id", "backend_ref").
					Where("handler_id = ? AND status = ? AND backend_ref <> '' AND id > ?", h.ID, models.ServerActive, count(memo, memoChecked)).
					Order("id").Limit(1000))
				if err != nil {
					return 0, fmt.Errorf("servers of %s: %w", h.Name, err)
				}
				for _, sv := range rows {
					if budget.Err() != nil || len(gone) >= k.batch {
						return again, nil
					}
					last = sv.ID
					if k.noted(id, sv.BackendRef) {
						continue
					}
					_, err := p.Inspect(ctx, sv.BackendRef)
					switch {
					case fault.Is(err, fault.NotFound):
						gone = append(gone, sv)
					case err != nil:
						return 0, err
					}
				}
				if len(rows) == 1000 {
					return again, nil
				}
				return 0, nil
			},
		},
		Apply: func(tx *store.Tx, _ *models.Job, memo provider.Memo) error {
			if last != 0 {
				memo[memoChecked] = last.String()
			}
			for i := range gone {
				sv, err := lock(tx, gone[i].ID)
				if err != nil {
					return err
				}
				if sv.Status != models.ServerActive || sv.BackendRef != gone[i].BackendRef || sv.UpdatedAt.After(looked) {
					continue
				}
				if err := retire(tx, sv); err != nil {
					return err
				}
				now := tx.Now
				sv.SyncedAt = &now
				if err := settle(tx, sv, "vanished", "It is not in the back end any more."); err != nil {
					return err
				}
				add(memo, memoGoneN, 1)
			}
			return nil
		},
	}
}

// Succeeded implements job.Kind.
func (k syncVMs) Succeeded(_ *store.Tx, j *models.Job, memo provider.Memo) error {
	k.forget(j.ID)
	j.Output = fmt.Sprintf("Found %d machines: %d new, %d changed, %d gone.",
		count(memo, memoFound), count(memo, memoNew), count(memo, memoChanged), count(memo, memoGoneN))
	return nil
}

// Failed implements job.Kind.
func (k syncVMs) Failed(_ *store.Tx, j *models.Job, _ provider.Memo, _ string) error {
	k.forget(j.ID)
	return nil
}

// Canceled implements job.Kind: earlier results stay.
func (k syncVMs) Canceled(_ *store.Tx, j *models.Job, _ provider.Memo) error {
	k.forget(j.ID)
	return nil
}

// Retried implements job.Kind: a canceled or failed comparison continues where it
// stopped, and repeats the search for missing machines.
func (k syncVMs) Retried(*store.Tx, *models.Job) ([]string, error) { return nil, nil }
