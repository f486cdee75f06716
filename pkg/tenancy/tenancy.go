// Package tenancy serves who there is and what they belong to: users, groups,
// roles and memberships.
package tenancy

import (
	"context"
	"slices"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/auth"
	"halcyon/pkg/crud"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/quota"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// Service serves users, groups, roles and memberships.
type Service struct {
	Users       crud.Table[models.User, *models.User]
	Groups      crud.Table[models.Group, *models.Group]
	Roles       crud.Table[models.Role, *models.Role]
	Memberships crud.Table[models.Membership, *models.Membership]

	store   *store.Store
	refdata *refdata.Cache
	hash    func(ctx context.Context, password string) (string, error)
}

// New returns a service. The hash function turns a new password into what is
// stored, and refuses one that will not do.
func New(s *store.Store, ref *refdata.Cache, hash func(ctx context.Context, password string) (string, error)) *Service {
	t := &Service{store: s, refdata: ref, hash: hash}
	t.Users = crud.Table[models.User, *models.User]{
		Store: s, Object: models.ObjectUser, Entity: Users,
		CanCreate: func(a access.Actor, _ *models.User) error { return canCreateUser(a) },
		CanUpdate: canUpdateUser, CanDelete: canDeleteUser,
		Validate: func(_ *store.Tx, u *models.User) error { return u.Validate() },
		Write:    auth.Ended,
		InUse:    "The user has orders, servers or history. Make the user inactive instead.",
	}
	t.Groups = crud.Table[models.Group, *models.Group]{
		Store: s, Object: models.ObjectGroup, Entity: Groups,
		CanCreate: canCreateGroup, CanUpdate: canUpdateGroup, CanDelete: canDeleteGroup, CanMove: canMoveGroup,
		Validate: t.validGroup,
		Load: func(tx *store.Tx, g *models.Group) error {
			return tx.Table("servers").Where("group_id = ? AND status <> ?", g.ID, models.ServerHistorical).
				Select("coalesce(sum(rate), 0)").Scan(&g.Rate).Error
		},
		Write: func(tx *store.Tx, _ *models.Group) error { return quota.Regroup(tx) }, // it may have moved
		InUse: "The group has groups, environments, orders or servers, perhaps in history only. To take it out of use, remove its members instead.",
	}
	t.Roles = crud.Table[models.Role, *models.Role]{
		Store: s, Object: models.ObjectRole, Entity: Roles,
		CanCreate: func(a access.Actor, _ *models.Role) error { return canCreateRole(a) },
		CanUpdate: canUpdateRole, CanDelete: canUpdateRole,
		Validate: func(_ *store.Tx, r *models.Role) error { return validRole(r) },
		InUse:    "The role is still granted to somebody.",
	}
	t.Memberships = crud.Table[models.Membership, *models.Membership]{
		Store: s, Object: models.ObjectMembership, Entity: Memberships,
		CanCreate: canManageMembership, CanUpdate: canManageMembership, CanDelete: canManageMembership,
		Validate: validMembership,
	}
	return t
}

// canCreateUser is the guard of creating users.
func canCreateUser(a access.Actor) error { return crud.Admin("create users")(a) }

// canUpdateUser is the guard of changing a user.
func canUpdateUser(a access.Actor, _ *models.User) error { return crud.Admin("change users")(a) }

// canDeleteUser is the guard of removing a user.
func canDeleteUser(a access.Actor, u *models.User) error {
	if err := crud.Admin("delete users")(a); err != nil {
		return err
	}
	if u.ID == a.ID {
		return fault.Conflictf("Nobody can delete their own user.")
	}
	return nil
}

// CreateUser makes a user. A new password is hashed before the transaction: it
// takes its time, and SQLite has one writer.
func (t *Service) CreateUser(ctx context.Context, a access.Actor, u *models.User) error {
	if err := canCreateUser(a); err != nil {
		return err
	}
	if u.NewPassword != "" {
		hash, err := t.hash(ctx, u.NewPassword)
		if err != nil {
			return err
		}
		u.PasswordHash, u.NewPassword = hash, ""
	}
	return t.Users.Create(ctx, a, u)
}

// UpdateUser changes a user. A new password ends the tokens of the old one.
func (t *Service) UpdateUser(ctx context.Context, a access.Actor, ref string, apply func(*models.User) error) (*models.User, error) {
	draft := &models.User{}
	if err := apply(draft); err != nil {
		return nil, err
	}
	hash := ""
	if draft.NewPassword != "" {
		u, err := t.Users.Find(ctx, a, ref)
		if err != nil {
			return nil, err
		}
		if err := canUpdateUser(a, u); err != nil {
			return nil, err
		}
		if err := a.Personal(); err != nil {
			return nil, err
		}
		if hash, err = t.hash(ctx, draft.NewPassword); err != nil {
			return nil, err
		}
	}
	return t.Users.Update(ctx, a, ref, func(u *models.User) error {
		if err := apply(u); err != nil {
			return err
		}
		if u.NewPassword = ""; hash != "" {
			u.PasswordHash, u.Rekeyed = hash, true
			u.PasswordGen++
		}
		return nil
	})
}

// canCreateGroup is the guard of creating a group: super admins anywhere, group
// administrators below their groups. A row without a parent asks whether the
// actor may create groups at all.
func canCreateGroup(a access.Actor, g *models.Group) error {
	if a.Can(access.GroupManage, g.ParentID) {
		return nil
	}
	return fault.Forbiddenf("Only super admins create groups at the top, and group admins below their own.")
}

// CanCreateAnyGroup reports whether the actor could create a group somewhere.
func (t *Service) CanCreateAnyGroup(a access.Actor) error {
	if a.SuperAdmin || len(a.With(access.GroupManage)) > 0 {
		return nil
	}
	return fault.Forbiddenf("Only super admins create groups at the top, and group admins below their own.")
}

// CanGrantAny reports whether the actor could grant a role somewhere.
func (t *Service) CanGrantAny(a access.Actor) error {
	if a.SuperAdmin || len(a.With(access.MemberManage)) > 0 {
		return nil
	}
	return fault.Forbiddenf("Only those who manage a group's members can do this.")
}

// canUpdateGroup is the guard of changing a group.
func canUpdateGroup(a access.Actor, g *models.Group) error {
	if a.Can(access.GroupManage, g.ID) && (g.ParentID == 0 || a.SuperAdmin || slices.Contains(a.Named(), g.ParentID)) {
		return nil
	}
	return fault.Forbiddenf("Only the group's admins can change it.")
}

// canMoveGroup is the guard of giving a group another parent. It is a removal and a
// creation: it needs the right to manage groups at the old and at the new parent, and
// only super admins move groups to the top or away from it.
func canMoveGroup(a access.Actor, was, is *models.Group) error {
	switch {
	case was.ParentID == is.ParentID:
		return nil
	case is.ParentID == 0 && !a.SuperAdmin:
		return fault.Forbiddenf("parent: only super admins can move a group to the top.")
	case !a.Can(access.GroupManage, was.ParentID):
		return fault.Forbiddenf("parent: only those who manage the present parent can move the group out of it.")
	case !a.Can(access.GroupManage, is.ParentID):
		return fault.Forbiddenf("parent: only those who manage the new parent can move a group into it.")
	}
	return nil
}

// canDeleteGroup is the guard of removing a group: the right to create it.
func canDeleteGroup(a access.Actor, g *models.Group) error {
	if !a.Can(access.GroupManage, g.ParentID) {
		return fault.Forbiddenf("Only super admins, and group admins above it, can delete a group.")
	}
	if g.ID == models.UnassignedID {
		return fault.Conflictf("The group Unassigned holds what nobody has claimed, and stays.")
	}
	return nil
}

func (t *Service) validGroup(tx *store.Tx, g *models.Group) error {
	if err := g.Validate(); err != nil {
		return err
	}
	if g.ID == 0 {
		return nil
	}
	for up, seen := g.ParentID, 0; up != 0; seen++ {
		if up == g.ID || seen > 64 {
			return fault.InvalidField(fault.Member("parent"), "is the group itself or below it")
		}
		p, err := store.First[models.Group](tx.Where("id = ?", up))
		if err != nil {
			return err
		}
		up = p.ParentID
	}
	return nil
}

// canCreateRole is the guard of creating roles.
func canCreateRole(a access.Actor) error { return crud.Admin("create roles")(a) }

// canUpdateRole is the guard of changing and removing a role: the built-in ones
// stay what they are.
func canUpdateRole(a access.Actor, r *models.Role) error {
	if err := crud.Admin("change roles")(a); err != nil {
		return err
	}
	if r.BuiltIn {
		return fault.Conflictf("The role %s is built in and stays as it is.", r.Name)
	}
	return nil
}

func validRole(r *models.Role) error {
	if err := r.Validate(); err != nil {
		return err
	}
	for _, p := range r.Permissions {
		if !slices.Contains(access.Permissions, access.Permission(p)) {
			return fault.InvalidField(fault.Member("permissions"), "%q is none of %v", p, access.Permissions)
		}
	}
	return nil
}

// canManageMembership is the guard of granting and taking roles: those who manage
// the group's members. Nobody grants what they do not hold themselves.
func canManageMembership(a access.Actor, m *models.Membership) error {
	if a.Can(access.MemberManage, m.GroupID) {
		return nil
	}
	return fault.Forbiddenf("Only those who manage the group's members can do this.")
}

func validMembership(tx *store.Tx, m *models.Membership) error {
	if m.ExpiresAt != nil && !m.ExpiresAt.After(tx.Now) {
		return fault.InvalidField(fault.Member("expires"), "is in the past")
	}
	return nil
}

// CreateMembership grants a role.
func (t *Service) CreateMembership(ctx context.Context, a access.Actor, m *models.Membership) error {
	if err := t.mayGrant(ctx, a, m); err != nil {
		return err
	}
	m.CreatedByID = a.ID
	return t.Memberships.Create(ctx, a, m)
}

// UpdateMembership changes a grant.
func (t *Service) UpdateMembership(ctx context.Context, a access.Actor, ref string, apply func(*models.Membership) error) (*models.Membership, error) {
	return t.Memberships.Update(ctx, a, ref, func(m *models.Membership) error {
		if err := apply(m); err != nil {
			return err
		}
		return t.mayGrant(ctx, a, m)
	})
}

// mayGrant refuses a role with a permission that the actor does not hold on the
// group: a member manager would otherwise become its owner.
func (t *Service) mayGrant(ctx context.Context, a access.Actor, m *models.Membership) error {
	if err := canManageMembership(a, m); err != nil || a.SuperAdmin {
		return err
	}
	r, err := t.refdata.Role(ctx, m.RoleID)
	if err != nil {
		return err
	}
	for _, p := range r.Permissions {
		if !a.Can(access.Permission(p), m.GroupID) {
			return fault.Forbiddenf("The role %s has the permission %s, which you do not hold in this group.", r.Name, p)
		}
	}
	return nil
}

// OrderableGroups returns the option that narrows a list of groups to those in which a
// user may order. The error is NotFound when there is no such user.
func (t *Service) OrderableGroups(ctx context.Context, user models.ID) (query.ListOption, error) {
	r, err := t.refdata.Rights(ctx, user)
	if err != nil {
		return nil, err
	}
	u, err := t.refdata.UserByID(ctx, user)
	if err != nil {
		return nil, err
	}
	if u.SuperAdmin {
		return query.Base(access.All), nil
	}
	return query.Among(r.By[access.OrderSubmit]), nil
}
