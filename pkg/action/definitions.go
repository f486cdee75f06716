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

// definitionCache holds the enabled definitions in memory: every order needs them, and
// most installations have few.
type definitionCache struct {
	store *store.Store
	cache *cache.Cache[struct{}, *definitions] // has one entry
}

// definitions are the enabled definitions at one time. They are immutable.
type definitions struct {
	hooks               map[models.Trigger][]hook
	hasApprovalWebhooks bool // a webhook is asked before orders are submitted or approved
	servers             []offer
	services            []offer
}

// hook is an action at a trigger point, attached by a rule or an orchestration action.
type hook struct {
	by        models.Named
	version   int64
	priority  int
	condition string
	action    *models.Action
}

// offer is a server action or a service action.
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

// get returns the enabled definitions.
func (d *definitionCache) get(ctx context.Context) (*definitions, error) {
	if defs, ok := d.cache.Get(struct{}{}, time.Time{}); ok {
		return defs, nil
	}
	defs, err := d.cache.Load(struct{}{}, func() (*definitions, error) {
		return loadDefinitions(d.store.ReadOutsideTx(ctx)) // also called within transactions
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
		// Within a priority, rules come before orchestration actions, and older ones
		// first.
		slices.SortStableFunc(list, func(x, y hook) int { return cmp.Compare(x.priority, y.priority) })
	}
	return defs, nil
}

func (defs *definitions) add(t models.Trigger, h hook) {
	if h.action == nil {
		return // added during this read: its signal invalidates the cache
	}
	defs.hooks[t] = append(defs.hooks[t], h)
	if t.OfOrder() && t.Before() && h.action.Kind == models.ActionWebhook {
		defs.hasApprovalWebhooks = true
	}
}
