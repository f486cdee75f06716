package quota

import (
	"halcyon/models"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Quotas is what can be asked of quotas.
var Quotas = &query.Entity{
	Name: models.ObjectQuota, Plural: "quotas", Table: "quotas", Prefix: "QUO", Row: new(models.Quota),
	Enums: []query.Enumeration{query.Codes("kind", models.QuotaKinds)},
	Relations: []query.Relation{
		query.One("group", models.ObjectGroup),
		query.One("environment", models.ObjectEnvironment),
		history.Relation(models.ObjectQuota),
	},
}
