// Package catalog manages everything that can be ordered and its locations: resource handlers,
// environments, IP pools, OS builds, sizes and blueprints.
package catalog

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/cache"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/provider"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// Service manages the catalogue.
type Service struct {
	Handlers     crud.Table[models.ResourceHandler, *models.ResourceHandler]
	Environments crud.Table[models.Environment, *models.Environment]
	IPPools      crud.Table[models.IPPool, *models.IPPool]
	OSBuilds     crud.Table[models.OSBuild, *models.OSBuild]
	Sizes        crud.Table[models.Size, *models.Size]
	Blueprints   crud.Table[models.Blueprint, *models.Blueprint]

	refdata *refdata.Cache
	pool    Backends
	store   *store.Store
	lookups lookups
}

// Backends opens the back end of a resource handler.
type Backends interface {
	For(ctx context.Context, handler models.ID) (provider.Provider, *models.ResourceHandler, error)
}

// New returns the service. seal encrypts a password for the database.
func New(s *store.Store, ref *refdata.Cache, pool Backends, seal func(string) (string, error)) *Service {
	c := &Service{refdata: ref, pool: pool, store: s, lookups: newLookups(s)}
	c.Handlers = table[models.ResourceHandler](s, Handlers)
	c.Handlers.Validate = func(_ *store.Tx, h *models.ResourceHandler) error {
		if err := h.Validate(); err != nil {
			return err
		}
		if h.NewPassword == "" {
			return nil
		}
		sealed, err := seal(h.NewPassword)
		if err != nil {
			return err
		}
		h.Password, h.NewPassword = sealed, ""
		return nil
	}
	c.Handlers.InUse = "The resource handler still has environments, servers or jobs, perhaps in history only."
	c.Environments = table[models.Environment](s, Environments)
	c.Environments.Validate = func(_ *store.Tx, e *models.Environment) error { return e.Validate() }
	c.Environments.Load = loadEnvironment
	c.Environments.Write = writeEnvironment
	c.Environments.CanDelete = func(a access.Actor, e *models.Environment) error {
		if err := CanEdit(a); err != nil {
			return err
		}
		if e.ID == models.UnassignedID {
			return fault.Conflictf("The environment Unassigned holds what nobody has claimed, and stays.")
		}
		return nil
	}
	c.Environments.InUse = "The environment has servers, perhaps in history only, or is the default of a blueprint. To take it out of use, remove its resource handler or its groups instead."
	c.IPPools = table[models.IPPool](s, IPPools)
	c.IPPools.InUse = "Servers still hold addresses of the pool."
	c.IPPools.Validate = func(_ *store.Tx, p *models.IPPool) error { return validPool(p) }
	c.OSBuilds = table[models.OSBuild](s, OSBuilds)
	c.OSBuilds.Validate = func(_ *store.Tx, o *models.OSBuild) error { return o.Validate() }
	c.OSBuilds.Load = func(tx *store.Tx, o *models.OSBuild) error {
		return tx.Where("os_build_id = ?", o.ID).Order("handler_id").Find(&o.Templates).Error
	}
	c.OSBuilds.Write = func(tx *store.Tx, o *models.OSBuild) error {
		if err := tx.Where("os_build_id = ?", o.ID).Delete(&models.OSBuildTemplate{}).Error; err != nil {
			return err
		}
		for i := range o.Templates {
			o.Templates[i].OSBuildID = o.ID
		}
		return insertAll(tx, o.Templates)
	}
	c.OSBuilds.InUse = "The OS build has servers or blueprints, perhaps in history only. To take it out of use, remove its templates instead."
	c.Sizes = table[models.Size](s, Sizes)
	c.Sizes.Validate = func(_ *store.Tx, x *models.Size) error { return x.Validate() }
	c.Sizes.InUse = "The size has servers or blueprints, perhaps in history only. To take it out of use, leave it out of the environments' perf-types instead."
	c.Blueprints = table[models.Blueprint](s, Blueprints)
	c.Blueprints.Validate = func(tx *store.Tx, b *models.Blueprint) error { return c.validBlueprint(tx, b) }
	c.Blueprints.Load = loadBlueprint
	c.Blueprints.Write = writeBlueprint
	c.Blueprints.InUse = "The blueprint has services or orders, perhaps in history only. Archive it instead."
	return c
}

func table[T any, P crud.Row[T]](s *store.Store, e *query.Entity) crud.Table[T, P] {
	admin := func(a access.Actor, _ P) error { return CanEdit(a) }
	return crud.Table[T, P]{
		Store: s, Entity: e, Object: e.Name,
		CanCreate: admin, CanUpdate: admin, CanDelete: admin,
	}
}

// Verify signs in to a handler's back end and stores the description that it returns.
func (c *Service) Verify(ctx context.Context, a access.Actor, ref string) (*models.ResourceHandler, error) {
	h, err := c.Handlers.Find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	if err := c.Handlers.CanUpdate(a, h); err != nil {
		return nil, err
	}
	p, _, err := c.pool.For(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	about, err := p.Verify(ctx)
	if err != nil {
		return nil, err
	}
	now := c.store.Now()
	return c.Handlers.Update(ctx, a, h.ID.String(), func(h *models.ResourceHandler) error {
		h.Product, h.VerifiedAt = about.Product, &now
		return nil
	})
}

// CanEdit is the guard of every change to the catalogue.
func CanEdit(a access.Actor) error { return crud.Admin("change the catalogue")(a) }

func insertAll[T any](tx *store.Tx, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.Create(&rows).Error
}

// links reads the second column of a table of pairs, for one value of the first.
func links(tx *store.Tx, table, first, second string, id models.ID) ([]models.ID, error) {
	ids := []models.ID{}
	return ids, tx.Table(table).Where(first+" = ?", id).Order(second).Pluck(second, &ids).Error
}

// relink replaces what links reads.
func relink(tx *store.Tx, table, first, second string, id models.ID, to []models.ID) error {
	if err := tx.Exec("DELETE FROM "+table+" WHERE "+first+" = ?", id).Error; err != nil {
		return err
	}
	to = slices.Clone(to)
	slices.Sort(to)
	for _, other := range slices.Compact(to) {
		if err := tx.Exec("INSERT INTO "+table+" ("+first+", "+second+") VALUES (?, ?)", id, other).Error; err != nil {
			return err
		}
	}
	return nil
}

func loadEnvironment(tx *store.Tx, e *models.Environment) error {
	// One query for three tables, since every order needs it.
	var rows []struct {
		What int
		ID   models.ID
	}
	err := tx.Raw(`SELECT 1 AS what, group_id AS id FROM environment_groups WHERE environment_id = ?
		UNION ALL SELECT 2, size_id FROM environment_sizes WHERE environment_id = ?
		UNION ALL SELECT 3, os_build_id FROM environment_os_builds WHERE environment_id = ?
		ORDER BY 1, 2`, e.ID, e.ID, e.ID).Scan(&rows).Error
	e.GroupIDs, e.SizeIDs, e.OSBuildIDs = []models.ID{}, []models.ID{}, []models.ID{}
	for _, r := range rows {
		switch r.What {
		case 1:
			e.GroupIDs = append(e.GroupIDs, r.ID)
		case 2:
			e.SizeIDs = append(e.SizeIDs, r.ID)
		case 3:
			e.OSBuildIDs = append(e.OSBuildIDs, r.ID)
		}
	}
	return err
}

func writeEnvironment(tx *store.Tx, e *models.Environment) error {
	if err := relink(tx, "environment_groups", "environment_id", "group_id", e.ID, e.GroupIDs); err != nil {
		return err
	}
	if err := relink(tx, "environment_sizes", "environment_id", "size_id", e.ID, e.SizeIDs); err != nil {
		return err
	}
	return relink(tx, "environment_os_builds", "environment_id", "os_build_id", e.ID, e.OSBuildIDs)
}

// Actor returns a user as an actor, for later work on their behalf.
func (c *Service) Actor(ctx context.Context, user models.ID) (access.Actor, error) {
	u, err := c.refdata.UserByID(ctx, user)
	if err != nil {
		return access.Actor{}, err
	}
	return c.refdata.Actor(ctx, u, "")
}

// Holders returns the users whose roles give them a permission on a group.
func (c *Service) Holders(ctx context.Context, p access.Permission, group models.ID) ([]models.ID, error) {
	return c.refdata.Holders(ctx, p, group)
}

func loadBlueprint(tx *store.Tx, b *models.Blueprint) (err error) {
	if err := tx.Where("blueprint_id = ?", b.ID).Order("position").Find(&b.Items).Error; err != nil {
		return err
	}
	if err := loadActions(tx, b.Items); err != nil {
		return err
	}
	b.GroupIDs, err = links(tx, "blueprint_groups", "blueprint_id", "group_id", b.ID)
	return err
}

func writeBlueprint(tx *store.Tx, b *models.Blueprint) error {
	if err := tx.Where("blueprint_id = ?", b.ID).Delete(&models.BlueprintItem{}).Error; err != nil {
		return err
	}
	for i := range b.Items {
		b.Items[i].ID, b.Items[i].BlueprintID, b.Items[i].Position = 0, b.ID, i+1
	}
	if err := insertAll(tx, b.Items); err != nil {
		return err
	}
	return relink(tx, "blueprint_groups", "blueprint_id", "group_id", b.ID, b.GroupIDs)
}

func (c *Service) validBlueprint(tx *store.Tx, b *models.Blueprint) error {
	if err := b.Validate(); err != nil {
		return err
	}
	var bad []fault.Field
	seen := map[string]bool{}
	for i := range b.Items {
		it := &b.Items[i]
		at := fault.Member("build-items").Entry(i)
		if strings.TrimSpace(it.Name) == "" || seen[it.Name] {
			bad = append(bad, fault.Field{Path: at.Member("name"), Reason: fmt.Sprintf("%q is empty or there twice", it.Name)})
		}
		seen[it.Name] = true
		if strings.ContainsFunc(it.Name, unicode.IsControl) {
			bad = append(bad, fault.Field{Path: at.Member("name"), Reason: "may not hold control characters"})
		}
		switch it.Type {
		case models.BlueprintItemServer:
			if it.ActionID != 0 {
				bad = append(bad, fault.Field{Path: at.Member("action"), Reason: "is only for build items of the type action"})
			}
		case models.BlueprintItemAction:
			wrong, err := actionItem(tx, it, at)
			if err != nil {
				return err
			}
			bad = append(bad, wrong...)
		default:
			bad = append(bad, fault.Field{Path: at.Member("type"), Reason: fmt.Sprintf("%q is not server or action", it.Type)})
		}
		if it.Quantity < 1 || it.Quantity > MaxQuantity {
			bad = append(bad, fault.Field{Path: at.Member("quantity"), Reason: fmt.Sprintf("%d is not between 1 and %d", it.Quantity, MaxQuantity)})
		}
		wrong, err := c.defaultParameters(tx, b, it, at)
		if err != nil {
			return err
		}
		bad = append(bad, wrong...)
	}
	for i := range b.Inputs {
		if strings.ContainsFunc(b.Inputs[i].Name, unicode.IsControl) {
			bad = append(bad, fault.Field{Path: fault.Member("inputs").Entry(i).Member("name"), Reason: "may not hold control characters"})
		}
	}
	switch {
	case b.State != models.BlueprintActive:
	case len(b.Items) == 0:
		bad = append(bad, fault.Field{Path: fault.Member("build-items"), Reason: "is empty: there would be nothing to deploy"})
	case len(b.Tiers()) == 0:
		bad = append(bad, fault.Field{Path: fault.Member("build-items"), Reason: "has no build item of the type server: there would be no service to run the actions on"})
	}
	return fault.InvalidFields(bad)
}

// MaxQuantity is the maximum number of servers of one build item or order item.
const MaxQuantity = 100

func validPool(p *models.IPPool) error {
	var bad []fault.Field
	complain := func(at fault.Path, format string, args ...any) {
		bad = append(bad, fault.Field{Path: at, Reason: fmt.Sprintf(format, args...)})
	}
	if strings.TrimSpace(p.Name) == "" {
		complain(fault.Member("name"), "may not be blank")
	}
	if strings.TrimSpace(p.Network) == "" {
		complain(fault.Member("network"), "may not be blank")
	}
	first, err := netip.ParseAddr(p.FirstIP)
	if err != nil {
		complain(fault.Member("first-ip"), "%q is no IP address", p.FirstIP)
	}
	last, err := netip.ParseAddr(p.LastIP)
	if err != nil {
		complain(fault.Member("last-ip"), "%q is no IP address", p.LastIP)
	}
	if first.IsValid() && last.IsValid() {
		if first.Is4() != last.Is4() || last.Less(first) {
			complain(fault.Member("last-ip"), "comes before first-ip, or is of the other family")
		}
		if p.Prefix < 1 || p.Prefix > first.BitLen() {
			complain(fault.Member("prefix"), "%d is not between 1 and %d", p.Prefix, first.BitLen())
		}
	}
	if p.Gateway != "" {
		if _, err := netip.ParseAddr(p.Gateway); err != nil {
			complain(fault.Member("gateway"), "%q is no IP address", p.Gateway)
		}
	}
	for i, d := range p.DNS {
		if _, err := netip.ParseAddr(d); err != nil {
			complain(fault.Member("dns").Entry(i), "%q is no IP address", d)
		}
	}
	return fault.InvalidFields(bad)
}

// Usable returns the option that narrows a list of environments to those that a group
// may order into: those with a handler that are open to it, or to a group above it.
func (c *Service) Usable(ctx context.Context, group models.ID) (query.ListOption, error) {
	up, err := c.refdata.Ancestry(ctx, group)
	return query.Base(usable(up)), err
}

// Orderable returns the option that narrows a list of blueprints to those that a group
// may order.
func (c *Service) Orderable(ctx context.Context, group models.ID) (query.ListOption, error) {
	up, err := c.refdata.Ancestry(ctx, group)
	return query.Base(orderable(up)), err
}

// EnvironmentFor returns the environment, with its groups, sizes and OS builds, if
// the group may order into it. The error is NotFound otherwise.
func (c *Service) EnvironmentFor(tx *store.Tx, group, id models.ID) (*models.Environment, error) {
	return cache.Row(c.lookups.environments, tx, offerKey{group, id}, func() (*models.Environment, error) {
		up, err := c.refdata.Ancestry(tx.Statement.Context, group)
		if err != nil {
			return nil, err
		}
		e, err := first[models.Environment](tx, "environments", id, usable(up))
		if err != nil {
			return nil, err
		}
		return e, store.Fault(loadEnvironment(tx, e))
	})
}

// BlueprintFor returns the blueprint with its items if the group may order it. The
// error is NotFound otherwise.
func (c *Service) BlueprintFor(tx *store.Tx, group, id models.ID) (*models.Blueprint, error) {
	return cache.Row(c.lookups.blueprints, tx, offerKey{group, id}, func() (*models.Blueprint, error) {
		up, err := c.refdata.Ancestry(tx.Statement.Context, group)
		if err != nil {
			return nil, err
		}
		b, err := first[models.Blueprint](tx, "blueprints", id, orderable(up))
		if err != nil {
			return nil, err
		}
		return b, store.Fault(loadBlueprint(tx, b))
	})
}

func first[T any](tx *store.Tx, table string, id models.ID, w access.Where) (*T, error) {
	return store.First[T](tx.Table(table+" "+query.Root).Where(query.Root+".id = ?", id).Scopes(where(w)))
}

func where(w access.Where) func(*gorm.DB) *gorm.DB {
	return func(db *gorm.DB) *gorm.DB {
		if w.IsAll() {
			return db
		}
		return db.Where(w.SQL, w.Args...)
	}
}
