// Package action manages automation: actions, their attachment to servers, services and
// trigger points, the rules that decide on orders, and applications. It runs them, and
// decides who may run them.
package action

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
	"halcyon/pkg/webhook"
)

// Sender calls the receivers of webhooks.
type Sender interface {
	Check(url string) error
	Send(ctx context.Context, m webhook.Message) (status, message string, err error)
}

// Orderer creates orders.
type Orderer interface {
	Create(ctx context.Context, a access.Actor, d order.Draft) (*models.Order, error)
}

// Config holds the dependencies of the service.
type Config struct {
	Store   *store.Store
	RefData *refdata.Cache
	Jobs    *job.Service // its jobs of type action run the servers' built-in actions
	Sender  Sender
	Seal    func(plain string) (string, error)
	Open    func(sealed string) (string, error)
}

// Service manages the definitions and runs them.
type Service struct {
	Actions              crud.Table[models.Action, *models.Action]
	ServerActions        crud.Table[models.ServerAction, *models.ServerAction]
	ServiceActions       crud.Table[models.ServiceAction, *models.ServiceAction]
	OrchestrationActions crud.Table[models.OrchestrationAction, *models.OrchestrationAction]
	Rules                crud.Table[models.Rule, *models.Rule]
	Applications         crud.Table[models.Application, *models.Application]

	store       *store.Store
	refdata     *refdata.Cache
	jobs        *job.Service
	orders      Orderer
	sender      Sender
	seal, open  func(string) (string, error)
	conditions  *conditions
	definitions *definitionCache
}

// New returns the service, and registers it for jobs of type action.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, refdata: c.RefData, jobs: c.Jobs, sender: c.Sender, seal: c.Seal, open: c.Open,
		conditions: newConditions(), definitions: newDefinitionCache(c.Store),
	}
	s.Actions = table[models.Action](c.Store, Actions)
	s.Actions.Validate = s.validAction
	s.Actions.InUse = "The action is still attached to something."
	s.ServerActions = table[models.ServerAction](c.Store, ServerActions)
	s.ServerActions.Validate = func(tx *store.Tx, x *models.ServerAction) error {
		return s.validOffer(tx, x.Name, x.ActionID, x.Condition, scopeServerAction)
	}
	s.ServiceActions = table[models.ServiceAction](c.Store, ServiceActions)
	s.ServiceActions.Validate = func(tx *store.Tx, x *models.ServiceAction) error {
		return s.validOffer(tx, x.Name, x.ActionID, x.Condition, scopeServiceAction)
	}
	s.OrchestrationActions = table[models.OrchestrationAction](c.Store, OrchestrationActions)
	s.OrchestrationActions.Validate = func(tx *store.Tx, x *models.OrchestrationAction) error {
		return s.validHook(tx, x.Name, x.ActionID, x.Trigger, x.Condition)
	}
	s.Rules = table[models.Rule](c.Store, Rules)
	s.Rules.Validate = func(tx *store.Tx, x *models.Rule) error {
		if strings.TrimSpace(x.Condition) == "" {
			return fault.InvalidField(fault.Member("condition"), "is required; true always holds")
		}
		return s.validHook(tx, x.Name, x.ActionID, x.Trigger, x.Condition)
	}
	s.Applications = table[models.Application](c.Store, Applications)
	s.Applications.Validate = s.validApplication
	s.Applications.Load = loadApplication
	s.Applications.Write = writeApplication
	c.Jobs.Register(models.JobAction, jobKind{Service: s, inner: c.Jobs.Kind(models.JobAction)})
	return s
}

// Use sets the creator of orders, for actions that require approval or remove servers.
// Without it both are refused.
func (s *Service) Use(o Orderer) { s.orders = o }

// CanEdit guards changes of all definitions.
func CanEdit(a access.Actor) error { return crud.Admin("define actions and rules")(a) }

func table[T any, P crud.Row[T]](s *store.Store, e *query.Entity) crud.Table[T, P] {
	admin := func(a access.Actor, _ P) error { return CanEdit(a) }
	return crud.Table[T, P]{
		Store: s, Entity: e, Object: e.Name,
		CanCreate: admin, CanUpdate: admin, CanDelete: admin,
	}
}

// validAction checks an action, including everywhere it is attached, and encrypts its
// secrets.
func (s *Service) validAction(tx *store.Tx, x *models.Action) error {
	if err := x.Validate(); err != nil {
		return err
	}
	if x.Kind == models.ActionWebhook {
		if err := s.sender.Check(x.URL); err != nil {
			return err
		}
		if err := s.sealAction(x); err != nil {
			return err
		}
	}
	if x.ID == 0 {
		return nil
	}
	return checkUses(tx, x)
}

func (s *Service) sealAction(x *models.Action) error {
	if x.NewSecret != nil {
		if *x.NewSecret != "" {
			if err := webhook.CheckSecret(*x.NewSecret); err != nil {
				return err
			}
		}
		sealed, err := s.seal(*x.NewSecret)
		if err != nil {
			return err
		}
		x.Secret, x.NewSecret = sealed, nil
	}
	if x.NewHeaders == nil {
		return nil
	}
	if err := models.ValidHeaders(x.NewHeaders); err != nil {
		return err
	}
	x.Headers, x.HeaderNames = "", []string{}
	if len(x.NewHeaders) > 0 {
		raw, err := json.Marshal(x.NewHeaders)
		if err != nil {
			return err
		}
		if x.Headers, err = s.seal(string(raw)); err != nil {
			return err
		}
		for name := range x.NewHeaders {
			x.HeaderNames = append(x.HeaderNames, name)
		}
		slices.Sort(x.HeaderNames)
	}
	x.NewHeaders = nil
	return nil
}

// checkUses returns Conflict if the changed action is not allowed where it is attached.
func checkUses(tx *store.Tx, x *models.Action) error {
	var triggers []models.Trigger
	err := tx.Raw(`SELECT trigger_point FROM rules WHERE action_id = ?
		UNION SELECT trigger_point FROM orchestration_actions WHERE action_id = ? ORDER BY 1`, x.ID, x.ID).Scan(&triggers).Error
	if err != nil {
		return store.Fault(err)
	}
	for _, t := range triggers {
		if err := t.Allows(x); err != nil {
			return fault.Wrap(fault.Conflict, err, "It is attached at %s: %s.", t, fault.Message(err))
		}
	}
	if x.Kind == models.ActionWebhook || !x.BuiltIn.Decides() {
		return nil
	}
	var n int64
	err = tx.Raw(`SELECT (SELECT count(*) FROM server_actions WHERE action_id = ?) + (SELECT count(*) FROM service_actions WHERE action_id = ?)
		+ (SELECT count(*) FROM applications WHERE action_id = ?)`, x.ID, x.ID, x.ID).Scan(&n).Error
	if err == nil && n > 0 {
		return fault.Conflictf("It is attached to servers, services or applications, on which %s cannot run.", x.BuiltIn)
	}
	return store.Fault(err)
}

// lockAction reads and locks the action that a definition refers to.
func lockAction(tx *store.Tx, id models.ID) (*models.Action, error) {
	x, err := store.First[models.Action](tx.ForUpdate().Where("id = ?", id))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.InvalidField(fault.Member("action"), "does not exist")
	}
	return x, err
}

// linkMembers are the member names of a link object. A server or service action is
// written into a link under its own name, so it must have another one.
var linkMembers = []string{"href", "name", "title", "templated", "type", "deprecation", "profile", "hreflang"}

func (s *Service) validOffer(tx *store.Tx, name string, action models.ID, condition string, sc scope) error {
	if err := models.ValidName(name); err != nil {
		return err
	}
	if slices.Contains(linkMembers, name) {
		return fault.InvalidField(fault.Member("name"), "%q is the name of a member of links", name)
	}
	x, err := lockAction(tx, action)
	if err != nil {
		return err
	}
	if x.Kind == models.ActionBuiltIn && x.BuiltIn.Decides() {
		return fault.InvalidField(fault.Member("action"), "%s, which does %s, is for orders", x.Name, x.BuiltIn)
	}
	if condition == "" {
		return nil
	}
	return s.conditions.check(sc, condition)
}

func (s *Service) validHook(tx *store.Tx, name string, action models.ID, t models.Trigger, condition string) error {
	if err := models.ValidName(name); err != nil {
		return err
	}
	x, err := lockAction(tx, action)
	if err != nil {
		return err
	}
	if err := t.Allows(x); err != nil {
		return err
	}
	if condition == "" {
		return nil
	}
	return s.conditions.check(scopeOf(t), condition)
}

func (s *Service) validApplication(tx *store.Tx, x *models.Application) error {
	if err := models.ValidName(x.Name); err != nil {
		return err
	}
	act, err := lockAction(tx, x.ActionID)
	if err != nil {
		return err
	}
	return models.PostProvision.Allows(act)
}

func loadApplication(tx *store.Tx, x *models.Application) error {
	x.OSBuildIDs = []models.ID{}
	return tx.Table("application_os_builds").Where("application_id = ?", x.ID).Order("os_build_id").Pluck("os_build_id", &x.OSBuildIDs).Error
}

func writeApplication(tx *store.Tx, x *models.Application) error {
	if err := tx.Exec("DELETE FROM application_os_builds WHERE application_id = ?", x.ID).Error; err != nil {
		return err
	}
	ids := slices.Clone(x.OSBuildIDs)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := tx.Exec("INSERT INTO application_os_builds (application_id, os_build_id) VALUES (?, ?)", x.ID, id).Error; err != nil {
			return err
		}
	}
	return nil
}

// openHeaders decrypts the headers and the secret of a webhook.
func (s *Service) openHeaders(x *models.Action) (headers map[string]string, secret string, err error) {
	raw, err := s.open(x.Headers)
	if err != nil {
		return nil, "", fmt.Errorf("headers of action %s: %w", x.ID, err)
	}
	if raw != "" {
		if err := json.Unmarshal([]byte(raw), &headers); err != nil {
			return nil, "", fmt.Errorf("headers of action %s are no JSON", x.ID) // without the cause, which could contain a part of them
		}
	}
	if secret, err = s.open(x.Secret); err != nil {
		return nil, "", fmt.Errorf("secret of action %s: %w", x.ID, err)
	}
	return headers, secret, nil
}
