package server

import (
	"halcyon/models"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Servers is the query schema of servers.
var Servers = &query.Entity{
	Name: models.ObjectServer, Plural: "servers", Table: "servers", Prefix: "SVR", Row: new(models.Server),
	Enums: []query.Enumeration{
		query.Codes("status", models.ServerStatuses),
		query.Codes("power_status", models.PowerStatuses),
	},
	Days:     []string{"expires_on"},
	Internal: []string{"backend_ref", "backend_name", "lease_warned"},
	Relations: []query.Relation{
		query.One("owner", models.ObjectUser),
		query.One("group", models.ObjectGroup),
		query.One("environment", models.ObjectEnvironment),
		query.One("handler", models.ObjectHandler),
		query.One("os_build", models.ObjectOSBuild),
		query.One("size", models.ObjectSize),
		query.One("service", models.ObjectService),
		query.One("order", models.ObjectOrder),
		query.One("provision_job", models.ObjectJob),
		query.Many("jobs", models.ObjectJob, "{to}.server_id = {from}.id"),
		query.Many("snapshots", Snapshots.Name, "{to}.server_id = {from}.id"),
		history.Relation(models.ObjectServer),
	},
	Cache: &query.CacheRule{},
}

// Services is the query schema of deployed blueprints.
var Services = &query.Entity{
	Name: models.ObjectService, Plural: "services", Table: "services", Prefix: "RSC", Row: new(models.Service),
	Enums:    []query.Enumeration{query.Codes("status", models.ServiceStatuses)},
	Days:     []string{"expires_on"},
	Internal: []string{"lease_warned"},
	Relations: []query.Relation{
		query.One("blueprint", models.ObjectBlueprint),
		query.One("owner", models.ObjectUser),
		query.One("group", models.ObjectGroup),
		query.One("order", models.ObjectOrder),
		query.Many("servers", models.ObjectServer, "{to}.service_id = {from}.id"),
		query.Many("jobs", models.ObjectJob, "{to}.service_id = {from}.id"),
		history.Relation(models.ObjectService),
	},
	// A service cannot be deleted while an action runs on all of it: see busy.
	Cache: &query.CacheRule{
		Also: []string{"SELECT count(*) FROM jobs j WHERE j.service_id = {row}.id AND j.server_id IS NULL AND j.type = '" + string(models.JobAction) + "' AND j.status IN ('PENDING', 'QUEUED', 'RUNNING', 'TO_CANCEL')"},
	},
}

// Snapshots is the query schema of the snapshots of servers.
var Snapshots = &query.Entity{
	Name: "snapshot", Plural: "snapshots", Table: "snapshots", Prefix: "SNP", Row: new(models.Snapshot),
	Internal:  []string{"backend_ref"},
	Relations: []query.Relation{query.One("server", models.ObjectServer)},
}
