package catalog

import (
	"fmt"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Environments is the query schema of environments.
var Environments = &query.Entity{
	Name: models.ObjectEnvironment, Plural: "environments", Table: "environments", Prefix: "ENV", Row: new(models.Environment),
	Scopes: []query.Scope{{Rows: access.PlaceRows, Fields: []string{"datacenter", "cluster", "resource_pool", "datastore", "folder", "network"}}},
	Relations: []query.Relation{
		query.One("group", models.ObjectGroup),
		query.One("handler", models.ObjectHandler),
		query.Many("groups", models.ObjectGroup, "{to}.id IN (SELECT l.group_id FROM environment_groups l WHERE l.environment_id = {from}.id)"),
		// The OS builds and sizes that can be ordered here, by the rule in fitting.go.
		query.Many("os_builds", models.ObjectOSBuild, "EXISTS (SELECT 1 FROM os_build_templates x WHERE x.os_build_id = {to}.id AND x.handler_id = {from}.handler_id) AND "+
			"(NOT EXISTS (SELECT 1 FROM environment_os_builds l WHERE l.environment_id = {from}.id) OR {to}.id IN (SELECT l.os_build_id FROM environment_os_builds l WHERE l.environment_id = {from}.id))"),
		query.Many("sizes", models.ObjectSize, "NOT EXISTS (SELECT 1 FROM environment_sizes l WHERE l.environment_id = {from}.id) OR {to}.id IN (SELECT l.size_id FROM environment_sizes l WHERE l.environment_id = {from}.id)"),
		query.Many("servers", models.ObjectServer, "{to}.environment_id = {from}.id"),
		query.Many("quotas", models.ObjectQuota, "{to}.environment_id = {from}.id"),
		history.Relation(models.ObjectEnvironment),
	},
	Small: true,
	Cache: &query.CacheRule{Announced: true},
}

// Handlers is the query schema of resource handlers.
var Handlers = &query.Entity{
	Name: models.ObjectHandler, Plural: "resource-handlers", Table: "resource_handlers", Prefix: "RH", Row: new(models.ResourceHandler),
	Enums: []query.Enumeration{query.Codes("kind", models.HandlerKinds)},
	Relations: []query.Relation{
		query.Many("environments", models.ObjectEnvironment, "{to}.handler_id = {from}.id"),
		history.Relation(models.ObjectHandler),
	},
	Small:  true,
	Hidden: access.AdministratorsOnly,
	Cache:  &query.CacheRule{Announced: true},
}

// IPPools is the query schema of IP pools.
var IPPools = &query.Entity{
	Name: models.ObjectIPPool, Plural: "ip-pools", Table: "ip_pools", Prefix: "IPP", Row: new(models.IPPool),
	Relations: []query.Relation{query.One("handler", models.ObjectHandler)},
	Hidden:    access.AdministratorsOnly,
	Cache:     &query.CacheRule{Announced: true},
}

// OSBuilds is the query schema of OS builds.
var OSBuilds = &query.Entity{
	Name: models.ObjectOSBuild, Plural: "os-builds", Table: "os_builds", Prefix: "OSB", Row: new(models.OSBuild),
	Small: true,
	Cache: &query.CacheRule{Announced: true},
}

// Sizes is the query schema of sizes.
var Sizes = &query.Entity{
	Name: models.ObjectSize, Plural: "sizes", Table: "sizes", Prefix: "SIZ", Row: new(models.Size),
	Small: true,
	Cache: &query.CacheRule{Announced: true},
}

// Blueprints is the query schema of blueprints.
var Blueprints = &query.Entity{
	Name: models.ObjectBlueprint, Plural: "blueprints", Table: "blueprints", Prefix: "BP", Row: new(models.Blueprint),
	Enums: []query.Enumeration{query.Codes("state", models.BlueprintStates)},
	Relations: []query.Relation{
		query.One("group", models.ObjectGroup),
		query.Many("groups", models.ObjectGroup, "{to}.id IN (SELECT l.group_id FROM blueprint_groups l WHERE l.blueprint_id = {from}.id)"),
		query.Many("services", models.ObjectService, "{to}.blueprint_id = {from}.id"),
	},
	Small: true,
	Cache: &query.CacheRule{Announced: true},
}

// usable returns the condition for the environments that one of the groups may order into: those with a
// handler that are open to it.
func usable(groups []models.ID) access.Where {
	return openTo(groups, "environment", query.Root+".handler_id IS NOT NULL")
}

// orderable returns the condition for the blueprints that one of the groups may order.
func orderable(groups []models.ID) access.Where {
	return openTo(groups, "blueprint", fmt.Sprintf("%s.state = '%s'", query.Root, models.BlueprintActive))
}

// openTo returns the condition for working rows that are limited to no groups, or to one of these.
func openTo(groups []models.ID, kind, works string) access.Where {
	limit := fmt.Sprintf("EXISTS (SELECT 1 FROM %[1]s_groups l WHERE l.%[1]s_id = %[2]s.id", kind, query.Root)
	return access.And(
		access.Where{SQL: works},
		access.Or(
			access.Where{SQL: "NOT " + limit + ")"},
			access.Where{SQL: limit + " AND " + access.In("l.group_id", groups).SQL + ")"},
		))
}
