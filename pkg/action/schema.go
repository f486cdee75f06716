package action

import (
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Actions is the query schema of actions.
var Actions = &query.Entity{
	Name: models.ObjectAction, Plural: "actions", Table: "actions", Prefix: "ACT", Row: new(models.Action),
	Enums: []query.Enumeration{
		query.Codes("kind", models.ActionKinds),
		query.Codes("built_in", models.BuiltIns),
	},
	Relations: []query.Relation{
		query.Many("server_actions", models.ObjectServerAction, "{to}.action_id = {from}.id"),
		query.Many("service_actions", models.ObjectServiceAction, "{to}.action_id = {from}.id"),
		query.Many("orchestration_actions", models.ObjectOrchestrationAction, "{to}.action_id = {from}.id"),
		query.Many("rules", models.ObjectRule, "{to}.action_id = {from}.id"),
		query.Many("applications", models.ObjectApplication, "{to}.action_id = {from}.id"),
		history.Relation(models.ObjectAction),
	},
	Hidden: access.AdministratorsOnly,
}

// ServerActions is the query schema of the actions that servers offer.
var ServerActions = &query.Entity{
	Name: models.ObjectServerAction, Plural: "server-actions", Table: "server_actions", Prefix: "SVA", Row: new(models.ServerAction),
	Relations: []query.Relation{query.One("action", models.ObjectAction), history.Relation(models.ObjectServerAction)},
}

// ServiceActions is the query schema of the actions that services offer.
var ServiceActions = &query.Entity{
	Name: models.ObjectServiceAction, Plural: "service-actions", Table: "service_actions", Prefix: "RSA", Row: new(models.ServiceAction),
	Relations: []query.Relation{query.One("action", models.ObjectAction), history.Relation(models.ObjectServiceAction)},
}

// OrchestrationActions is the query schema of the actions at trigger points.
var OrchestrationActions = &query.Entity{
	Name: models.ObjectOrchestrationAction, Plural: "orchestration-actions", Table: "orchestration_actions", Prefix: "ORC", Row: new(models.OrchestrationAction),
	Enums:     []query.Enumeration{query.Codes("trigger_point", models.Triggers)},
	Relations: []query.Relation{query.One("action", models.ObjectAction), history.Relation(models.ObjectOrchestrationAction)},
	Hidden:    access.AdministratorsOnly,
}

// Rules is the query schema of rules.
var Rules = &query.Entity{
	Name: models.ObjectRule, Plural: "rules", Table: "rules", Prefix: "RUL", Row: new(models.Rule),
	Enums:     []query.Enumeration{query.Codes("trigger_point", models.Triggers)},
	Relations: []query.Relation{query.One("action", models.ObjectAction), history.Relation(models.ObjectRule)},
	Hidden:    access.AdministratorsOnly,
}

// Applications is the query schema of applications.
var Applications = &query.Entity{
	Name: models.ObjectApplication, Plural: "applications", Table: "applications", Prefix: "APP", Row: new(models.Application),
	Relations: []query.Relation{
		query.One("action", models.ObjectAction),
		query.Many("os_builds", models.ObjectOSBuild, "{to}.id IN (SELECT l.os_build_id FROM application_os_builds l WHERE l.application_id = {from}.id)"),
		history.Relation(models.ObjectApplication),
	},
}
