package app

import (
	"halcyon/pkg/action"
	"halcyon/pkg/auth"
	"halcyon/pkg/catalog"
	"halcyon/pkg/event"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/quota"
	"halcyon/pkg/server"
	"halcyon/pkg/subscription"
	"halcyon/pkg/tenancy"
)

// entities returns the kinds of rows that faces serve, as their services declare them.
func entities() []*query.Entity {
	return []*query.Entity{
		tenancy.Users, tenancy.Groups, tenancy.Roles, tenancy.Memberships,
		auth.Sessions, auth.APITokens,
		catalog.Environments, catalog.Handlers, catalog.IPPools, catalog.OSBuilds, catalog.Sizes, catalog.Blueprints,
		action.Applications, action.Actions, action.ServerActions, action.ServiceActions, action.OrchestrationActions, action.Rules,
		order.Orders, job.Jobs,
		server.Servers, server.Services, server.Snapshots,
		history.Events, event.Events,
		quota.Quotas,
		subscription.Webhooks, subscription.Deliveries,
	}
}
