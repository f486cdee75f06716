package order

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/quota"
	"halcyon/pkg/store"
)

// This file checks, when an order is read, whether it can still be submitted or approved. The items may
// have become impossible, and a document must not offer an action that would be refused.

// examine plans the order again if the actor may submit or approve it, and sets its Problems. It changes
// nothing else.
func (s *Service) examine(ctx context.Context, tx *store.Tx, a access.Actor, o *models.Order) error {
	o.Problems = nil
	planner := a
	switch {
	case CanSubmit(a, o) == nil:
	case CanApprove(a, o) == nil:
		var err error
		if planner, err = s.catalog.Actor(ctx, o.OwnerID); err != nil {
			return err
		}
	default:
		return nil
	}
	copied, err := detached(o)
	if err != nil {
		return err
	}
	p, err := s.plan(tx, planner, copied, itemPath)
	if err == nil {
		p.price(copied)
		err = s.admitted(tx, a, copied, p)
	}
	switch f := fault.From(err); {
	case err == nil:
	case len(f.Fields) > 0:
		o.Problems = f.Fields
	case f.Code == fault.Internal, f.Code == fault.Unavailable:
		return err
	default:
		o.Problems = []fault.Field{{Reason: strings.TrimSuffix(fault.Message(err), ".")}}
	}
	return nil
}

// admitted returns a Conflict if a quota or a rule would refuse the plan.
func (s *Service) admitted(tx *store.Tx, a access.Actor, o *models.Order, p *Plan) error {
	if o.Status == models.OrderPending { // already reserved
		_, err := s.hooks.Decide(tx, a, models.PreOrderApprove, o, p, &ExternalApproval{dryPass: true})
		return err
	}
	if _, err := quota.Preview(tx, a, reservations(o, p)); err != nil {
		return err
	}
	_, err := s.foreseen(tx, a, o, p)
	return err
}

// detached returns a deep copy of the order, for a plan to modify.
func detached(o *models.Order) (*models.Order, error) {
	c := *o
	c.Items = nil
	text, err := json.Marshal(o.Items)
	if err == nil {
		err = json.Unmarshal(text, &c.Items)
	}
	if err != nil {
		return nil, fmt.Errorf("copy the items of order %s: %w", o.ID, err)
	}
	return &c, nil
}

// hasNoProblems returns an Invalid error with the order's problems, or nil.
func hasNoProblems(o *models.Order) error { return fault.InvalidFields(o.Problems) }

// mended saves a cart that still has problems, with its earlier prices.
func (s *Service) mended(ctx context.Context, tx *store.Tx, a access.Actor, o *models.Order) error {
	if err := loadItems(tx, o); err != nil { // the failed plan has modified some of them
		return err
	}
	o.Rate = 0
	for i := range o.Items {
		o.Rate += o.Items[i].Rate
	}
	if err := store.Save(tx, o); err != nil {
		return err
	}
	return s.examine(ctx, tx, a, o)
}
