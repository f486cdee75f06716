package action

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/store"
)

// definitionCache keeps what is enabled in memory: orders ask for it all the time, and mostly
// there is nothing.
type definitionCache struct {
	store *store.Store
	cache *cache.Cache[struct{}, *definitions] // of one entry
}

// definitions are what is enabled at one time. They are never changed.
type definitions struct {
	hooks               map[models.Trigger][]hook
	hasApprovalWebhooks bool // a webhook may have to agree to an order
	servers             []offer
	services            []offer
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

func newDefinitionCache(s *store.Store) *definitionCache {
	return &definitionCache{store: s, cache: cache.OfTables[struct{}](1, cache.Tables[*definitions]{
		Store:  s,
		Topics: []string{"actions", "server_actions", "service_actions", "orchestration_actions", "rules"},
	})}
}

// get returns what is enabled.
func (d *definitionCache) get(ctx context.Context) (*definitions, error) {
	if defs, ok := d.cache.Get(struct{}{}, time.Time{}); ok {
		return defs, nil
	}
	defs, err := d.cache.Load(struct{}{}, func() (*definitions, error) {
		return loadDefinitions(d.store.ReadOutsideTx(ctx)) // transactions ask as well
	})
	return defs, store.Fault(err)
}

func loadDefinitions(tx *store.Tx) (*definitions, error) {
	defs := &definitions{hooks: map[models.Trigger][]hook{}}
	actions, err := store.Find[models.Action](tx.DB)
	if err != nil {
		return nil, err
	}
	if len(actions) == 0 {
		return defs, nil
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
		defs.servers = append(defs.servers, offer{models.Named{Kind: models.ByServerAction, ID: x.ID, Name: x.Name}, x.Description, x.Condition, x.RequiresApproval, byID[x.ActionID]})
	}
	services, err := store.Find[models.ServiceAction](on)
	if err != nil {
		return nil, err
	}
	for _, x := range services {
		defs.services = append(defs.services, offer{models.Named{Kind: models.ByServiceAction, ID: x.ID, Name: x.Name}, x.Description, x.Condition, x.RequiresApproval, byID[x.ActionID]})
	}
	rules, err := store.Find[models.Rule](on)
	if err != nil {
		return nil, err
	}
	for _, x := range rules {
		defs.add(x.Trigger, hook{models.Named{Kind: models.ByRule, ID: x.ID, Name: x.Name}, x.Version, x.Priority, x.Condition, byID[x.ActionID]})
	}
	orchestration, err := store.Find[models.OrchestrationAction](on)
	if err != nil {
		return nil, err
	}
	for _, x := range orchestration {
		defs.add(x.Trigger, hook{models.Named{Kind: models.ByOrchestrationAction, ID: x.ID, Name: x.Name}, x.Version, x.Priority, x.Condition, byID[x.ActionID]})
	}
	for _, list := range defs.hooks {
		// Rules come before orchestration actions of the same priority, and the older
		// before the younger.
		slices.SortStableFunc(list, func(x, y hook) int { return cmp.Compare(x.priority, y.priority) })
	}
	return defs, nil
}

func (defs *definitions) add(t models.Trigger, h hook) {
	if h.action == nil {
		return // it was attached while we read: the signal of that has us read again
	}
	defs.hooks[t] = append(defs.hooks[t], h)
	if t.OfOrder() && t.Before() && h.action.Kind == models.ActionWebhook {
		defs.hasApprovalWebhooks = true
	}
}
