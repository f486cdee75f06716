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

// This file finds out, when an order is read, whether it could go on as it is: what
// an order asks for may have become impossible since, and a document must not offer
// what would be refused.

// examine plans the order again when the actor is the one to submit or to approve
// it, and leaves in it what stands in the way. Nothing else of it changes.
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

// admitted is a Conflict when a quota or a rule would refuse what is planned.
func (s *Service) admitted(tx *store.Tx, a access.Actor, o *models.Order, p *Plan) error {
	if o.Status == models.OrderPending { // which has reserved what it takes
		_, err := s.hooks.Decide(tx, a, models.PreOrderApprove, o, p, &ExternalApproval{dryPass: true})
		return err
	}
	if _, err := quota.Preview(tx, a, reservations(o, p)); err != nil {
		return err
	}
	_, err := s.foreseen(tx, a, o, p)
	return err
}

// detached returns a copy of the order that a plan may write into.
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

// hasNoProblems is Invalid when something was found to stand in the order's way.
func hasNoProblems(o *models.Order) error { return fault.InvalidFields(o.Problems) }

// mended writes a cart that still has problems, with the prices of before.
func (s *Service) mended(ctx context.Context, tx *store.Tx, a access.Actor, o *models.Order) error {
	if err := loadItems(tx, o); err != nil { // the plan has half written into them
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
