package tenancy

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/auth"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Users is what can be asked of users.
var Users = &query.Entity{
	Name: models.ObjectUser, Plural: "users", Table: "users", Prefix: "USR", Row: new(models.User),
	Scopes: []query.Scope{{Rows: access.EmailRows, Fields: []string{"email"}}},
	Relations: []query.Relation{
		query.Many("groups", models.ObjectGroup, "{to}.id IN (SELECT m.group_id FROM memberships m WHERE m.user_id = {from}.id)"),
		query.Many("memberships", models.ObjectMembership, "{to}.user_id = {from}.id"),
		query.Many("sessions", auth.Sessions.Name, "{to}.user_id = {from}.id"),
		query.Many("api_tokens", auth.APITokens.Name, "{to}.user_id = {from}.id"),
		history.Relation(models.ObjectUser),
	},
	Cache: &query.CacheRule{Announced: true},
}

// Groups is what can be asked of groups.
var Groups = &query.Entity{
	Name: models.ObjectGroup, Plural: "groups", Table: "groups", Prefix: "GRP", Row: new(models.Group),
	Relations: []query.Relation{
		query.One("parent", models.ObjectGroup),
		query.Many("subgroups", models.ObjectGroup, "{to}.parent_id = {from}.id"),
		query.Many("environments", models.ObjectEnvironment, "{to}.id IN (SELECT l.environment_id FROM environment_groups l WHERE l.group_id = {from}.id)"),
		query.Many("memberships", models.ObjectMembership, "{to}.group_id = {from}.id"),
		history.Relation(models.ObjectGroup),
	},
	Small: true,
	Cache: &query.CacheRule{
		Announced: true,
		Also:      []string{"SELECT sum(s.rate) FROM servers s WHERE s.group_id = {row}.id AND s.status <> '" + string(models.ServerHistorical) + "'"},
	},
}

// Roles is what can be asked of roles.
var Roles = &query.Entity{
	Name: models.ObjectRole, Plural: "roles", Table: "roles", Prefix: "ROL", Row: new(models.Role),
	Small: true,
	Cache: &query.CacheRule{Announced: true},
}

// Memberships is what can be asked of the roles of users on groups.
var Memberships = &query.Entity{
	Name: models.ObjectMembership, Plural: "memberships", Table: "memberships", Prefix: "MEM", Row: new(models.Membership),
	Relations: []query.Relation{
		query.One("user", models.ObjectUser),
		query.One("group", models.ObjectGroup),
		query.One("role", models.ObjectRole),
		query.One("created_by", models.ObjectUser),
	},
	Cache: &query.CacheRule{Announced: true},
}
