package action

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/store"
)

// staleAfter is how old the copy may be while signals are not heard.
const staleAfter = 100 * time.Millisecond

// defined is a copy in memory of what is enabled: orders ask for it all the time,
// and mostly there is nothing. It is kept right by the store's signals; while
// those are not heard it is read anew.
type defined struct {
	store *store.Store
	dirty atomic.Bool
	now   atomic.Pointer[definitions]
	mu    sync.Mutex // held while reading
}

// definitions are what is enabled at one time. They are never changed.
type definitions struct {
	at       time.Time
	hooks    map[models.Trigger][]hook
	consults bool // a webhook may have to agree to an order
	servers  []offer
	services []offer
}

// hook is something that happens at a trigger point.
type hook struct {
	by        models.Named
	version   int64
	priority  int
	condition string
	action    *models.Action
}

// offer is an action that is offered on servers or on services.
type offer struct {
	by        models.Named
	doc       string
	condition string
	approval  bool
	action    *models.Action
}

func newDefined(s *store.Store) *defined {
	d := &defined{store: s}
	s.OnSignal(func(topic, _ string) {
		switch topic {
		case "", "actions", "server_actions", "service_actions", "orchestration_actions", "rules":
			d.dirty.Store(true)
		}
	})
	return d
}

// get gives what is enabled.
func (d *defined) get(ctx context.Context) (*definitions, error) {
	if is := d.now.Load(); is != nil && !d.dirty.Load() && d.store.SignalsLive() {
		return is, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if is := d.now.Load(); is != nil && !d.dirty.Load() && (d.store.SignalsLive() || d.store.Now().Sub(is.at) <= staleAfter) {
		return is, nil
	}
	// What is announced while we read makes the copy dirty again.
	d.dirty.Store(false)
	is, err := read(d.store.ReadOutsideTx(ctx)) // transactions ask as well
	if err != nil {
		d.dirty.Store(true)
		return nil, store.Fault(err)
	}
	d.now.Store(is)
	return is, nil
}

func read(tx *store.Tx) (*definitions, error) {
	is := &definitions{at: tx.Now, hooks: map[models.Trigger][]hook{}}
	actions, err := store.Find[models.Action](tx.DB)
	if err != nil {
		return nil, err
	}
	if len(actions) == 0 {
		return is, nil
	}
	byID := make(map[models.ID]*models.Action, len(actions))
	for i := range actions {
		byID[actions[i].ID] = &actions[i]
	}
	on := tx.Where("enabled = ?", true).Order("id").Session(&gorm.Session{})
	servers, err := store.Find[models.ServerAction](on)
	if err != nil {
		return nil, err
	}
	for _, x := range servers {
		is.servers = append(is.servers, offer{models.Named{Kind: models.ByServerAction, ID: x.ID, Name: x.Name}, x.Description, x.Condition, x.RequiresApproval, byID[x.ActionID]})
	}
	services, err := store.Find[models.ServiceAction](on)
	if err != nil {
		return nil, err
	}
	for _, x := range services {
		is.services = append(is.services, offer{models.Named{Kind: models.ByServiceAction, ID: x.ID, Name: x.Name}, x.Description, x.Condition, x.RequiresApproval, byID[x.ActionID]})
	}
	rules, err := store.Find[models.Rule](on)
	if err != nil {
		return nil, err
	}
	for _, x := range rules {
		is.add(x.Trigger, hook{models.Named{Kind: models.ByRule, ID: x.ID, Name: x.Name}, x.Version, x.Priority, x.Condition, byID[x.ActionID]})
	}
	orchestration, err := store.Find[models.OrchestrationAction](on)
	if err != nil {
		return nil, err
	}
	for _, x := range orchestration {
		is.add(x.Trigger, hook{models.Named{Kind: models.ByOrchestrationAction, ID: x.ID, Name: x.Name}, x.Version, x.Priority, x.Condition, byID[x.ActionID]})
	}
	for _, list := range is.hooks {
		// Rules come before orchestration actions of the same priority, and the older
		// before the younger.
		slices.SortStableFunc(list, func(x, y hook) int { return cmp.Compare(x.priority, y.priority) })
	}
	return is, nil
}

func (is *definitions) add(t models.Trigger, h hook) {
	if h.action == nil {
		return // it was attached while we read: the signal of that has us read again
	}
	is.hooks[t] = append(is.hooks[t], h)
	if t.OfOrder() && t.Before() && h.action.Kind == models.ActionWebhook {
		is.consults = true
	}
}
