package order

import (
	"halcyon/models"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// Orders is the query schema of orders.
var Orders = &query.Entity{
	Name: models.ObjectOrder, Plural: "orders", Table: "orders", Prefix: "ORD", Row: new(models.Order),
	Enums: []query.Enumeration{query.Codes("status", models.OrderStatuses)},
	Relations: []query.Relation{
		query.One("group", models.ObjectGroup),
		query.One("owner", models.ObjectUser),
		query.One("approved_by", models.ObjectUser),
		query.One("recipient", models.ObjectUser),
		query.Many("jobs", models.ObjectJob, "{to}.order_id = {from}.id"),
		query.Many("servers", models.ObjectServer, "{to}.id IN (SELECT x.server_id FROM jobs x WHERE x.order_id = {from}.id)"),
		history.Relation(models.ObjectOrder),
	},
	// Whether a pending order can proceed depends on the catalogue, on quotas and rules, and on its
	// servers.
	Cache: &query.CacheRule{
		Never: "{row}.status IN ('" + string(models.OrderCart) + "', '" + string(models.OrderPending) + "')",
	},
}
