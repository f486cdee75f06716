package order

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Service is the order engine: it edits carts, and it submits, approves, denies and
// cancels orders.
type Service struct {
	store   *store.Store
	catalog *catalog.Service
	jobs    *job.Service
	hooks   Hooks
}

// New returns the engine, and registers it for the ends and the retries of jobs.
func New(s *store.Store, c *catalog.Service, j *job.Service) *Service {
	svc := &Service{store: s, catalog: c, jobs: j, hooks: noHooks{}}
	j.OnEnd(svc.jobEnded)
	j.OnRetry(svc.jobRetried)
	return svc
}

// List returns a page of the orders visible to the actor.
func (s *Service) List(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (query.Page[models.Order], error) {
	return query.List[models.Order](s.store.Read(ctx), Orders, a, q, opts...)
}

// Find returns the order with the id ref, its items, and the problems that keep the
// actor from submitting or approving it. The error is NotFound when the order is hidden
// from the actor.
func (s *Service) Find(ctx context.Context, a access.Actor, ref string) (*models.Order, error) {
	tx := s.store.Read(ctx)
	o, err := find(tx, a, ref)
	if err != nil {
		return nil, err
	}
	return o, s.examine(ctx, tx, a, o)
}

func find(tx *store.Tx, a access.Actor, ref string) (*models.Order, error) {
	o, err := query.Find[models.Order](tx, Orders, a, ref)
	if err != nil {
		return nil, err
	}
	return o, loadItems(tx, o)
}

// lock reads an order visible to the actor, with its items, and locks its row until the
// transaction ends.
func lock(tx *store.Tx, a access.Actor, ref string) (*models.Order, error) {
	o, err := query.Find[models.Order](tx, Orders, a, ref)
	if err != nil {
		return nil, err
	}
	return lockID(tx, o.ID)
}

func lockID(tx *store.Tx, id models.ID) (*models.Order, error) {
	o, err := store.First[models.Order](tx.ForUpdate().Where("id = ?", id))
	if err != nil {
		return nil, err
	}
	return o, loadItems(tx, o)
}

func loadItems(tx *store.Tx, o *models.Order) error {
	items, err := store.Find[models.OrderItem](tx.Where("order_id = ?", o.ID).Order("id"))
	if err != nil {
		return err
	}
	slices.SortStableFunc(items, func(x, y models.OrderItem) int {
		return slices.Index(models.ItemKinds, x.Kind) - slices.Index(models.ItemKinds, y.Kind)
	})
	o.Items = items
	return nil
}

// Today returns the current date, such as 2027-01-31: the earliest one that an order
// accepts.
func (s *Service) Today() string { return s.store.Now().Format(time.DateOnly) }

// Work returns the job of an order with a single top-level job. It returns 0 for orders
// with several such jobs, and for orders without jobs, such as those waiting for
// approval.
func (s *Service) Work(ctx context.Context, a access.Actor, id models.ID) (models.ID, error) {
	const enough = 2
	top := access.And(access.Where{SQL: "t.order_id = ? AND t.parent_id IS NULL", Args: []any{int64(id)}}, access.Visible("jobs", a, "t"))
	jobs, err := query.Read[models.Job](s.store.Read(ctx), []string{"t.id"}, "jobs t", top, "t.id", enough)
	if err != nil || len(jobs) != 1 {
		return 0, err
	}
	return jobs[0].ID, nil
}

// Draft is a request for a new order, as a face has parsed it.
type Draft struct {
	Name        string
	GroupID     models.ID
	OwnerID     models.ID // defaults to the actor; another owner requires a super admin
	RecipientID models.ID
	Items       []models.OrderItem
	Submit      bool

	place placing // paths of the items in errors; nil: itemPath
}

// Create stores a new order, separate from the actor's cart. It also submits the order
// when the draft asks for that; a refused submission leaves no order behind.
func (s *Service) Create(ctx context.Context, a access.Actor, d Draft) (*models.Order, error) {
	var o *models.Order
	err := s.withApprovals(ctx, func(tx *store.Tx, c *ExternalApproval) (err error) {
		fresh := d
		fresh.Items = slices.Clone(d.Items) // the dry pass leaves rows that were rolled back
		o, err = s.create(tx, a, fresh, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// draft returns the order that a draft describes, not yet stored. The error is Forbidden
// when the actor may not order for the owner or the group.
func draft(a access.Actor, d Draft) (*models.Order, error) {
	o := &models.Order{
		Name: d.Name, Status: models.OrderCart,
		GroupID: d.GroupID, OwnerID: a.ID, RecipientID: d.RecipientID,
	}
	if d.OwnerID != 0 && d.OwnerID != a.ID {
		if !a.SuperAdmin {
			return nil, fault.Forbiddenf("Only super admins can order on behalf of others.")
		}
		o.OwnerID = d.OwnerID
	}
	if err := CanOrderFor(a, d.GroupID); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Items = d.Items
	number(o.Items)
	return o, nil
}

func (s *Service) create(tx *store.Tx, a access.Actor, d Draft, c *ExternalApproval) (*models.Order, error) {
	o, err := draft(a, d)
	if err != nil {
		return nil, err
	}
	if err := tx.AllocateIDs(store.Count{Table: "orders", Rows: 1}, store.Count{Table: "order_items", Rows: len(d.Items)}); err != nil {
		return nil, err
	}
	if err := store.Insert(tx, o); err != nil {
		return nil, err
	}
	if err := history.Add(tx, a, models.ObjectOrder, o.ID, "created", "", nil, nil); err != nil {
		return nil, err
	}
	p, err := s.plan(tx, a, o, d.place)
	if err != nil {
		return nil, err
	}
	for i := range o.Items {
		o.Items[i].OrderID = o.ID
		if err := store.Add(tx, &o.Items[i], &o.Items[i].ID); err != nil {
			return nil, err
		}
	}
	// The items were already written with their prices; only the order is left.
	p.price(o)
	if d.Submit {
		return o, s.submit(tx, a, o, p, c) // submit saves the order
	}
	return o, store.Save(tx, o)
}

// number sets the positions of new items: from 1 upwards within each kind.
func number(items []models.OrderItem) {
	next := map[models.ItemKind]int{}
	for i := range items {
		next[items[i].Kind]++
		items[i].Position = next[items[i].Kind]
	}
}

// CanOrderFor returns Forbidden unless the actor may order for the group. It accepts 0:
// a cart needs a group only when it is submitted.
func CanOrderFor(a access.Actor, group models.ID) error {
	if group == 0 || a.Can(access.OrderSubmit, group) {
		return nil
	}
	return fault.Forbiddenf("You may not order for this group.")
}

// Current returns the actor's cart. It creates the cart on first use.
func (s *Service) Current(ctx context.Context, a access.Actor) (*models.Order, error) {
	mine := func(db *gorm.DB) *gorm.DB {
		return db.Where("owner_id = ? AND current = ? AND status = ?", a.ID, true, models.OrderCart)
	}
	read := s.store.Read(ctx)
	o, err := store.First[models.Order](mine(read.DB))
	if err == nil {
		if err := loadItems(read, o); err != nil {
			return nil, err
		}
		return o, s.examine(ctx, read, a, o)
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	err = s.store.InTx(ctx, func(tx *store.Tx) error {
		o = &models.Order{Status: models.OrderCart, OwnerID: a.ID, Current: true}
		if err := store.Insert(tx, o); err != nil {
			return err
		}
		return history.Add(tx, a, models.ObjectOrder, o.ID, "created", "", nil, nil)
	})
	if fault.Is(err, fault.Conflict) { // another request was faster
		o, err = store.First[models.Order](mine(s.store.Read(ctx).DB))
		if err == nil {
			return o, loadItems(s.store.Read(ctx), o)
		}
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}
