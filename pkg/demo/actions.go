package demo

import (
	"context"

	"halcyon/models"
	"halcyon/pkg/access"
)

// actions creates example actions, all of them built in, so that the demo makes no
// outgoing calls.
func (d *Demo) actions(ctx context.Context, sys access.Actor) error {
	if d.Actions == nil {
		return nil // the caller wants only the catalogue
	}
	const ask, mark, snapshot, agent = 1, 2, 3, 4
	for _, x := range []*models.Action{
		{Name: "Ask an approver", BuiltIn: models.BuiltInRequireApproval, Description: "Somebody has to approve, whatever the group's policy is."},
		{
			Name: "Mark a server", BuiltIn: models.BuiltInAddLabel, Description: "Adds a label.",
			Inputs: []models.Input{{Name: "label", Label: "Label", Type: models.InputText, Default: "checked", Pattern: "^[a-z0-9-]{1,32}$"}},
		},
		{Name: "Take a snapshot", BuiltIn: models.BuiltInSnapshot, Description: "A snapshot by the name of backup.", Settings: []models.Param{{Name: "name", Value: "backup"}}},
		{
			Name: "Install the monitoring agent", BuiltIn: models.BuiltInSetParameter, Description: "Notes that the server is monitored.",
			Settings: []models.Param{{Name: "name", Value: "monitoring"}, {Name: "value", Value: "agent 2.1"}},
		},
	} {
		x.Kind = models.ActionBuiltIn
		if err := d.Actions.Actions.Create(ctx, sys, x); err != nil {
			return err
		}
	}
	for _, x := range []*models.ServerAction{
		{Name: "Mark", ActionID: mark, Description: "Adds a label to the server."},
		{Name: "Backup", ActionID: snapshot, RequiresApproval: true, Description: "Takes a snapshot, once somebody has approved."},
	} {
		x.Enabled = true
		if err := d.Actions.ServerActions.Create(ctx, sys, x); err != nil {
			return err
		}
	}
	if err := d.Actions.ServiceActions.Create(ctx, sys, &models.ServiceAction{Name: "Backup all", ActionID: snapshot, Enabled: true, Description: "Takes a snapshot of each server."}); err != nil {
		return err
	}
	if err := d.Actions.Rules.Create(ctx, sys, &models.Rule{
		Name: "Expensive orders are approved by people", ActionID: ask, Trigger: models.PreOrderSubmit,
		Condition: "order.rate > 500", Priority: 100, Enabled: true,
	}); err != nil {
		return err
	}
	if err := d.Actions.OrchestrationActions.Create(ctx, sys, &models.OrchestrationAction{
		Name: "Snapshot before a change", ActionID: snapshot, Trigger: models.PreModify, Condition: "server.tier == 'Database'", Priority: 100,
		Description: "Not enabled.",
	}); err != nil {
		return err
	}
	return d.Actions.Applications.Create(ctx, sys, &models.Application{Name: "Monitoring agent", Release: "2.1", ActionID: agent, OSFamily: "linux"})
}
