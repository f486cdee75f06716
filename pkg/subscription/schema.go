package subscription

import (
	"halcyon/models"
	"halcyon/pkg/event"
	"halcyon/pkg/history"
	"halcyon/pkg/query"
)

// The tables, as signals name them.
const (
	webhooksTable   = "webhooks"
	deliveriesTable = "webhook_deliveries"
)

// Webhooks is what can be asked of webhooks.
var Webhooks = &query.Entity{
	Name: models.ObjectWebhook, Plural: "webhooks", Table: webhooksTable, Prefix: "WHK", Row: new(models.Webhook),
	Relations: []query.Relation{
		query.One("owner", models.ObjectUser),
		query.One("group", models.ObjectGroup),
		query.Many("deliveries", Deliveries.Name, "{to}.webhook_id = {from}.id"),
		history.Relation(models.ObjectWebhook),
	},
}

// Deliveries is what can be asked of the deliveries of webhooks.
var Deliveries = &query.Entity{
	Name: "webhook-delivery", Plural: "webhook-deliveries", Table: deliveriesTable, Prefix: "WHD", Row: new(models.WebhookDelivery),
	Enums: []query.Enumeration{query.Codes("status", models.DeliveryStatuses)},
	Relations: []query.Relation{
		query.One("webhook", models.ObjectWebhook),
		query.One("event", event.Events.Name),
	},
}
