package job

import (
	"halcyon/models"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Jobs is the query schema of jobs.
var Jobs = &query.Entity{
	Name: models.ObjectJob, Plural: "jobs", Table: "jobs", Prefix: "JOB", Row: new(models.Job),
	Enums: []query.Enumeration{
		query.Codes("status", models.JobStatuses),
		query.Codes("type", models.JobTypes),
	},
	Relations: []query.Relation{
		query.One("owner", models.ObjectUser),
		query.One("group", models.ObjectGroup),
		query.One("parent", models.ObjectJob),
		query.One("prerequisite", models.ObjectJob),
		query.One("order", models.ObjectOrder),
		query.One("service", models.ObjectService),
		query.One("handler", models.ObjectHandler),
		query.Many("subjobs", models.ObjectJob, "{to}.parent_id = {from}.id"),
		query.Many("dependent_jobs", models.ObjectJob, "{to}.prerequisite_id = {from}.id"),
		query.Many("servers", models.ObjectServer, "{to}.id IN (SELECT x.server_id FROM jobs x WHERE x.id = {from}.id OR x.parent_id = {from}.id)"),
		history.Relation(models.ObjectJob),
	},
	Internal: []string{"stage"}, // it shows as the prerequisite
	Titles:   []query.Title{{Field: "title", Before: models.JobTitle}},
	// Whether a failed job can be retried depends on its object.
	Cache: &query.CacheRule{
		Also:  []string{"{row}.total_tasks", "SELECT max(m.id) FROM job_messages m WHERE m.job_id = {row}.id"},
		Never: "{row}.ended_at IS NOT NULL AND {row}.status <> '" + string(models.JobSuccess) + "'",
	},
}
