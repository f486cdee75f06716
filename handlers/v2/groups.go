package v2

import (
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/resource"
	"halcyon/pkg/tenancy"
)

func (f *Face) groups() resource.Resource[models.Group] {
	type group = models.Group
	key := func(g *group) *models.Row { return &g.Row }
	return resource.Resource[group]{
		Name: "group", Plural: "groups", Noun: "Groups", Entity: tenancy.Groups,
		Doc: "A node of the tenancy tree: an organization, a project, a team.",
		Key: key, Title: func(g *group) string { return g.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "type", "parent", "auto-approval", "description"},
		Fields: append([]resource.Field[group]{
			resource.Text("name", func(g *group) string { return g.Name }, "Name, once below each parent.").On("name").Listed().
				SetText(func(g *group, v string) { g.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("type", func(g *group) string { return g.Type }, "Organization, Project, or any other name.").On("type").
				SetText(func(g *group, v string) { g.Type = v }).UpTo(models.MaxName).Example(models.GroupProject),
			resource.Text("description", func(g *group) string { return g.Description }, "What the group is for.").On("description").
				SetText(func(g *group, v string) { g.Description = v }),
			resource.Bool("auto-approval", func(g *group) bool { return g.AutoApproval }, "Whether orders of the group are approved without asking.").On("auto_approval").
				SetBool(func(g *group, v bool) { g.AutoApproval = v }),
			resource.Rate("rate", func(g *group) models.Money { return g.Rate }, "What the group's servers cost by the month; for those who see them.").Filled().
				SeenBy(access.SeesGroupRate),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[group]{
			resource.One("parent", "groups", "parent", func(g *group) models.ID { return g.ParentID }, "Group above.").
				Set(func(g *group, id models.ID) { g.ParentID = id }).Among(holding(access.GroupManage)),
			resource.Many[group]("subgroups", "groups", "subgroups", "Groups directly below."),
			resource.Many[group]("environments", "environments", "environments", "Environments that are open to this very group."),
		},
		Subs: []resource.Sub[group]{
			{
				Path: "orderable-environments", Rel: "cb:orderable-environments", Alias: "orderable-environments", Of: "environments", Doc: "Environments into which the group may order.",
				Title: func(g *group) string { return "Orderable Environments For " + g.Name },
				Rows:  f.Catalog.Usable,
			},
			{
				Path: "orderable-blueprints", Rel: "cb:orderable-blueprints", Alias: "orderable-blueprints", Of: "blueprints", Doc: "Blueprints that the group may order.",
				Title: func(g *group) string { return "Orderable Blueprints For " + g.Name },
				Rows:  f.Catalog.Orderable,
			},
			{
				Path: "memberships", Rel: "cb:memberships", Of: "memberships", Relation: "memberships", Doc: "Roles that are granted on this very group.",
				Title: func(g *group) string { return "Memberships In " + g.Name },
			},
			f.groupQuotas(),
			historySub(func(g *group) string { return g.Name }),
		},
		List: f.Tenancy.Groups.List, Find: f.Tenancy.Groups.Find, Fill: f.Tenancy.FillGroups,
		Create:    f.Tenancy.Groups.Create,
		CanCreate: f.Tenancy.CanCreateAnyGroup,
		CanUpdate: f.Tenancy.Groups.CanUpdate, Update: f.Tenancy.Groups.Update,
		CanDelete: f.Tenancy.Groups.CanDelete, Delete: deleting[group](f.Tenancy.Groups.Delete),
		Unused: f.Tenancy.Groups.Unused,
	}
}

func (f *Face) roles() resource.Resource[models.Role] {
	type role = models.Role
	key := func(r *role) *models.Row { return &r.Row }
	return resource.Resource[role]{
		Name: "role", Plural: "roles", Noun: "Roles", Entity: tenancy.Roles,
		Doc: "A named set of permissions, granted on groups.",
		Key: key, Title: func(r *role) string { return r.Name }, TitleFrom: []string{"name"},
		Columns: []string{"name", "label", "description", "built-in"},
		Fields: append([]resource.Field[role]{
			resource.Text("name", func(r *role) string { return r.Name }, "Name.").On("name").Listed().
				SetText(func(r *role, v string) { r.Name = v }).UpTo(models.MaxName).Required(),
			resource.ID(key),
			resource.Text("label", func(r *role) string { return r.Label }, "Name as people read it.").On("label").
				SetText(func(r *role, v string) { r.Label = v }),
			resource.Text("description", func(r *role) string { return r.Description }, "What the role is for.").On("description").
				SetText(func(r *role, v string) { r.Description = v }),
			resource.Texts("permissions", func(r *role) []string { return r.Permissions }, "What the role allows on its group and below.").From("permissions").
				SetTexts(func(r *role, v []string) { r.Permissions = v }).OneOf(permissions()...),
			resource.Bool("built-in", func(r *role) bool { return r.BuiltIn }, "Whether the role stays as it is.").On("built_in"),
		}, resource.Identity(key)...),
		List: f.Tenancy.Roles.List, Find: f.Tenancy.Roles.Find,
		Create:    f.Tenancy.Roles.Create,
		CanCreate: func(a access.Actor) error { return f.Tenancy.Roles.CanCreate(a, &role{}) },
		CanUpdate: f.Tenancy.Roles.CanUpdate, Update: f.Tenancy.Roles.Update,
		CanDelete: f.Tenancy.Roles.CanDelete, Delete: deleting[role](f.Tenancy.Roles.Delete),
		Unused: f.Tenancy.Roles.Unused,
	}
}

func (f *Face) memberships() resource.Resource[models.Membership] {
	type membership = models.Membership
	key := func(m *membership) *models.Row { return &m.Row }
	return resource.Resource[membership]{
		Name: "membership", Plural: "memberships", Noun: "Memberships", Entity: tenancy.Memberships,
		Doc: "A role that a user has on a group and on everything below it.",
		Key: key, Title: func(m *membership) string { return "Membership id " + m.ID.String() },
		Columns: []string{"id", "user.username", "role", "group", "expires"},
		Fields: append([]resource.Field[membership]{
			resource.ID(key),
			resource.OptionalTime("expires", func(m *membership) **time.Time { return &m.ExpiresAt }, "When the role ends; null for never.").On("expires_at"),
		}, resource.Identity(key)...),
		Relations: []resource.Relation[membership]{
			resource.One("user", "users", "user", func(m *membership) models.ID { return m.UserID }, "Who has the role.").
				Set(func(m *membership, id models.ID) { m.UserID = id }).Required(),
			resource.One("group", "groups", "group", func(m *membership) models.ID { return m.GroupID }, "Where.").
				Set(func(m *membership, id models.ID) { m.GroupID = id }).Among(holding(access.MemberManage)).Required(),
			resource.One("role", "roles", "role", func(m *membership) models.ID { return m.RoleID }, "Which role.").
				Set(func(m *membership, id models.ID) { m.RoleID = id }).Required(),
			resource.One("created-by", "users", "created_by", func(m *membership) models.ID { return m.CreatedByID }, "Who granted it."),
		},
		List: f.Tenancy.Memberships.List, Find: f.Tenancy.Memberships.Find,
		Create:    f.Tenancy.CreateMembership,
		CanCreate: f.Tenancy.CanGrantAny,
		CanUpdate: f.Tenancy.Memberships.CanUpdate, Update: f.Tenancy.UpdateMembership,
		CanDelete: f.Tenancy.Memberships.CanDelete, Delete: deleting[membership](f.Tenancy.Memberships.Delete),
		Unused: f.Tenancy.Memberships.Unused,
	}
}

// holding limits a choice of groups to those on which the caller holds the
// permission.
func holding(p access.Permission) func(a access.Actor) ([]models.ID, bool) {
	return func(a access.Actor) ([]models.ID, bool) { return a.With(p), !a.SuperAdmin }
}

func permissions() []string {
	list := make([]string, len(access.Permissions))
	for i, p := range access.Permissions {
		list[i] = string(p)
	}
	return list
}
