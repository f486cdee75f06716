package v2

import (
	"context"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
	"halcyon/pkg/tenancy"
)

func (f *Face) users() resource.Resource[models.User] {
	type user = models.User
	dotted := func(name, column string, get func(*user) string, doc string) resource.Field[user] {
		// The names in the list; the item has them without the prefix.
		return resource.Text("user."+name, get, doc).From(column).Listed().ListOnly()
	}
	return resource.Resource[user]{
		Name: "user", Plural: "users", Noun: "Users", Entity: tenancy.Users,
		Doc:     "Somebody who signs in and orders.",
		Key:     func(u *user) *models.Row { return &u.Row },
		Title:   func(u *user) string { return "User id " + u.ID.String() },
		Columns: []string{"user.username", "user.first-name", "user.last-name", "email", "is-active", "user.is-superuser"},
		Fields: append([]resource.Field[user]{
			resource.ID(func(u *user) *models.Row { return &u.Row }),
			dotted("username", "username", func(u *user) string { return u.Username }, "Name that the user signs in with."),
			dotted("first-name", "first_name", func(u *user) string { return u.FirstName }, "First name."),
			dotted("last-name", "last_name", func(u *user) string { return u.LastName }, "Last name."),
			resource.Value("user.is-superuser", func(u *user) hal.Value { return hal.Bool(u.SuperAdmin) }, "Whether the user may do everything.").Typed(schema.Boolean()).From("super_admin").Listed().ListOnly(),
			resource.Text("username", func(u *user) string { return u.Username }, "Name that the user signs in with.").On("username").
				SetText(func(u *user, v string) { u.Username = v }).UpTo(models.MaxUsername).
				Like(`[^\s:@\/]+`, "holds a space, a colon, a slash or an @").Required(),
			resource.Text("name", func(u *user) string { return u.Username }, "The name that the user signs in with, for filters and attributes.").On("username").OnDemand(),
			resource.Text("first-name", func(u *user) string { return u.FirstName }, "First name.").On("first_name").
				SetText(func(u *user, v string) { u.FirstName = v }).UpTo(models.MaxName),
			resource.Text("last-name", func(u *user) string { return u.LastName }, "Last name.").On("last_name").
				SetText(func(u *user, v string) { u.LastName = v }).UpTo(models.MaxName),
			resource.Text("email", func(u *user) string { return u.Email }, "E-mail address; shown to the user, to who manages the user's groups and to administrators.").On("email").
				SeenBy(f.Refdata.SeesEmail).
				SetText(func(u *user, v string) { u.Email = v }).As("email").UpTo(models.MaxName),
			resource.Bool("is-superuser", func(u *user) bool { return u.SuperAdmin }, "Whether the user may do everything.").On("super_admin").
				SetBool(func(u *user, v bool) { u.SuperAdmin = v }),
			resource.Bool("is-global-viewer", func(u *user) bool { return u.GlobalViewer }, "Whether the user sees everything.").On("global_viewer").
				SetBool(func(u *user, v bool) { u.GlobalViewer = v }),
			resource.Bool("is-active", func(u *user) bool { return u.Active }, "Whether the user can sign in.").On("active").Default("true").
				SetBool(func(u *user, v bool) { u.Active = v }),
			resource.WriteOnly[user]("password", "New password.").As("password").
				Set(func(n *jsonbody.Value, _ *resource.Refs) func(*user) {
					v := n.String()
					return func(u *user) { u.NewPassword = v }
				}),
		}, resource.Identity(func(u *user) *models.Row { return &u.Row })...),
		Relations: []resource.Relation[user]{
			resource.Many[user]("groups", "groups", "groups", "Groups in which the user has a role."),
		},
		Actions: f.userActions(),
		Subs: append([]resource.Sub[user]{
			{
				Path: "orderable-groups", Rel: "cb:orderable-groups", Alias: "orderable-groups", Of: "groups", Doc: "Groups for which the user may order.",
				Title: func(u *user) string { return "Orderable Groups Where '" + u.Username + "' Is A Requestor" },
				Rows:  f.Tenancy.OrderableGroups,
			},
			{
				Path: "memberships", Rel: "cb:memberships", Of: "memberships", Relation: "memberships", Doc: "Roles of the user.",
				Title: func(u *user) string { return "Memberships Of " + u.Username },
			},
			historySub(func(u *user) string { return u.Username }),
		}, f.userCredentials()...),
		Display: &resource.Display[user]{
			Lists: []resource.Listing{
				{Rel: "cb:memberships", Query: "attributes=group,role,expires&page_size=100"},
				{Rel: "cb:sessions", Query: "attributes=address,user-agent,last-seen&order=-id&page_size=10"},
				{Rel: "cb:api-tokens", Query: "attributes=prefix,scope,expires,last-used&order=-id&page_size=20"},
			},
		},
		List: f.Tenancy.Users.List, Find: f.Tenancy.Users.Find,
		New:       func() *user { return &user{Active: true} },
		CanCreate: func(a access.Actor) error { return f.Tenancy.Users.CanCreate(a, &user{}) },
		Create:    f.Tenancy.CreateUser,
		CanUpdate: f.Tenancy.Users.CanUpdate, Update: f.Tenancy.UpdateUser,
		CanDelete: f.Tenancy.Users.CanDelete, Delete: deleting[user](f.Tenancy.Users.Delete),
		Unused: f.Tenancy.Users.Unused,
	}
}

// deleting fits a service's deletion into a declaration.
func deleting[T any](del func(ctx context.Context, a access.Actor, ref string) error) func(context.Context, access.Actor, string) (resource.Result[T], error) {
	return func(ctx context.Context, a access.Actor, ref string) (resource.Result[T], error) {
		return resource.Result[T]{}, del(ctx, a, ref)
	}
}

// historySub declares the history below an item, which title names.
func historySub[T any](title func(*T) string) resource.Sub[T] {
	return resource.Sub[T]{
		Path: "history", Rel: "history", Of: "history", Relation: "history", Doc: "What happened to it.",
		Title: func(row *T) string { return "History Of " + title(row) },
	}
}
