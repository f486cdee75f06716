package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/history"
	"halcyon/pkg/job"
	"halcyon/pkg/order"
	"halcyon/pkg/provider"
	"halcyon/pkg/server"
	"halcyon/pkg/store"
)

// jobKind implements job.Kind for jobs of type action: those of this package, and,
// through inner, those of the servers' own actions.
type jobKind struct {
	*Service
	inner job.Kind
}

// serverActions are the servers' own actions among the built-in ones.
var serverActions = map[models.BuiltIn]string{
	models.BuiltInPowerOn:  server.ActionPowerOn,
	models.BuiltInPowerOff: server.ActionPowerOff,
	models.BuiltInReboot:   server.ActionReboot,
	models.BuiltInRefresh:  server.ActionRefresh,
	models.BuiltInSnapshot: server.ActionSnapshot,
}

// Steps implements job.Kind.
func (k jobKind) Steps(ctx context.Context, read *store.Tx, j *models.Job) ([]job.Step, error) {
	r := j.Args.Run
	if r == nil {
		return k.inner.Steps(ctx, read, j)
	}
	x, err := store.First[models.Action](read.Where("id = ?", r.ActionID))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Conflictf("The action %s was deleted.", j.Action)
	}
	if err != nil {
		return nil, err
	}
	if x.Kind == models.ActionWebhook {
		f, err := k.factsOf(ctx, read, j)
		if err != nil {
			return nil, err
		}
		kind := string(r.Trigger)
		if kind == "" || r.By.Kind == models.ByApplication {
			kind = strings.ReplaceAll(r.By.Kind, "-", "_")
		}
		body, err := payload(kind, read.Now, x, r.By, j, r.Params, f)
		if err != nil {
			return nil, err
		}
		return []job.Step{k.deliver(x, j, body)}, nil
	}
	targets, err := targetsOf(read, j)
	if err != nil {
		return nil, err
	}
	var steps []job.Step
	for i := range targets {
		list, err := k.builtIn(ctx, read, j, x, &targets[i])
		if err != nil {
			return nil, err
		}
		if j.ServerID == 0 {
			list = perServer(list, targets[i].ID)
		}
		steps = append(steps, list...)
	}
	return steps, nil
}

// targetsOf returns the servers that a job works on: its own, or the active servers of
// its service.
func targetsOf(read *store.Tx, j *models.Job) ([]models.Server, error) {
	if j.ServerID != 0 {
		return store.Find[models.Server](read.Where("id = ?", j.ServerID))
	}
	return store.Find[models.Server](read.Where("service_id = ? AND status = ?", j.ServiceID, models.ServerActive).Order("id"))
}

// perServer returns the steps with names and memo keys that are unique to one server of
// several.
func perServer(list []job.Step, id models.ID) []job.Step {
	prefix := "server " + id.String() + " "
	withOwnMemo := func(memo provider.Memo, do func(own provider.Memo)) {
		own := provider.Memo{}
		for k, v := range memo {
			if key, ok := strings.CutPrefix(k, prefix); ok {
				own[key] = v
			}
		}
		do(own)
		maps.DeleteFunc(memo, func(k, _ string) bool { return strings.HasPrefix(k, prefix) })
		for k, v := range own {
			memo[prefix+k] = v
		}
	}
	out := make([]job.Step, len(list))
	for i, step := range list {
		out[i] = job.Step{Step: provider.Step{Name: step.Name + "-" + id.String(), Title: step.Title}}
		if step.Run != nil {
			out[i].Run = func(ctx context.Context, memo provider.Memo) (wait time.Duration, err error) {
				withOwnMemo(memo, func(own provider.Memo) { wait, err = step.Run(ctx, own) })
				return wait, err
			}
		}
		if step.Apply != nil {
			out[i].Apply = func(tx *store.Tx, j *models.Job, memo provider.Memo) (err error) {
				withOwnMemo(memo, func(own provider.Memo) { err = step.Apply(tx, j, own) })
				return err
			}
		}
	}
	return out
}

// builtIn returns the steps of a built-in action on one server.
func (k jobKind) builtIn(ctx context.Context, read *store.Tx, j *models.Job, x *models.Action, sv *models.Server) ([]job.Step, error) {
	if action, ok := serverActions[x.BuiltIn]; ok {
		own := *j
		own.Action, own.ServerID, own.Args = action, sv.ID, models.JobArgs{}
		if action == server.ActionSnapshot {
			// Snapshot names are unique per server, and the action may run again.
			if name := k.setting(x, j, "name"); name != "" {
				own.Args.Name = name + "-" + j.ID.String()
			} else {
				own.Args.Name = "halcyon-" + j.CreatedAt.UTC().Format("20060102-150405")
			}
		}
		return k.inner.Steps(ctx, read, &own)
	}
	switch x.BuiltIn {
	case models.BuiltInDecommission:
		return []job.Step{k.decommission(j, sv)}, nil
	case models.BuiltInAddLabel, models.BuiltInAddNote, models.BuiltInSetParameter, models.BuiltInSetExpiration:
		return []job.Step{k.updateServer(x, sv)}, nil
	case models.BuiltInRefuse, models.BuiltInRequireApproval, models.BuiltInApprove, models.BuiltInPowerOn, models.BuiltInPowerOff,
		models.BuiltInReboot, models.BuiltInRefresh, models.BuiltInSnapshot:
	}
	return nil, fault.Invalidf("%s cannot run on servers.", x.BuiltIn)
}

// setting returns a setting of a built-in action: the value of the run if it was entered,
// or else the action's own.
func (k jobKind) setting(x *models.Action, j *models.Job, name string) string {
	if v, ok := models.ParamValue(j.Args.Run.Params, name); ok {
		return v
	}
	v, _ := models.ParamValue(x.Settings, name)
	return v
}

// updateServer returns the step that changes the server's row.
func (k jobKind) updateServer(x *models.Action, sv *models.Server) job.Step {
	return job.Step{
		Step: provider.Step{Name: string(x.BuiltIn), Title: x.Name + " on " + sv.Hostname},
		Apply: func(tx *store.Tx, j *models.Job, _ provider.Memo) error {
			row, err := store.First[models.Server](tx.ForUpdate().Where("id = ?", sv.ID))
			if err != nil {
				return err
			}
			_, required := x.BuiltIn.Settings()
			for _, name := range required {
				if k.setting(x, j, name) == "" {
					return fault.Conflictf("%s was told no %s.", x.BuiltIn, name)
				}
			}
			before, after := map[string]any{}, map[string]any{}
			switch x.BuiltIn {
			case models.BuiltInAddLabel:
				label := k.setting(x, j, "label")
				if slices.Contains(row.Labels, label) {
					return nil
				}
				before["labels"] = row.Labels
				row.Labels = append(slices.Clone(row.Labels), label)
				after["labels"] = row.Labels
			case models.BuiltInAddNote:
				before["notes"] = row.Notes
				row.Notes = strings.TrimPrefix(row.Notes+"\n"+k.setting(x, j, "note"), "\n")
				after["notes"] = row.Notes
			case models.BuiltInSetParameter:
				before["parameters"] = row.Parameters
				row.Parameters = withParam(row.Parameters, k.setting(x, j, "name"), k.setting(x, j, "value"))
				after["parameters"] = row.Parameters
			case models.BuiltInSetExpiration:
				days, err := strconv.Atoi(k.setting(x, j, "days"))
				if err != nil || days < 1 {
					return fault.Conflictf("%q is no number of days.", k.setting(x, j, "days"))
				}
				before["expires_on"] = row.ExpiresOn
				row.ExpiresOn = tx.Now.AddDate(0, 0, days).Format(time.DateOnly)
				after["expires_on"] = row.ExpiresOn
			case models.BuiltInRefuse, models.BuiltInRequireApproval, models.BuiltInApprove, models.BuiltInPowerOn, models.BuiltInPowerOff,
				models.BuiltInReboot, models.BuiltInRefresh, models.BuiltInSnapshot, models.BuiltInDecommission:
				return fault.Invalidf("%s writes nothing.", x.BuiltIn)
			}
			if err := store.Save(tx, row); err != nil {
				return err
			}
			return history.Add(tx, system, models.ObjectServer, row.ID, "changed", displayName(j.Args.Run.By)+", job id "+j.ID.String(), before, after)
		},
	}
}

func withParam(params []models.Param, name, value string) []models.Param {
	out := slices.Clone(params)
	i := slices.IndexFunc(out, func(p models.Param) bool { return models.InputKey(p.Name) == models.InputKey(name) })
	if i < 0 {
		return append(out, models.Param{Name: name, Value: value})
	}
	out[i].Value = value
	return out
}

// memoOrder is the memo key of the order that a decommission has created.
const memoOrder = "order"

// decommission returns the step that orders the removal of a server, on behalf of the
// job's owner. After a crash the order is found again by its name.
func (k jobKind) decommission(j *models.Job, sv *models.Server) job.Step {
	return job.Step{Step: provider.Step{
		Name: "decommission", Title: "Ordering the removal of " + sv.Hostname,
		Run: func(ctx context.Context, memo provider.Memo) (time.Duration, error) {
			if memo[memoOrder] != "" {
				return 0, nil
			}
			name := fmt.Sprintf("Removal of %s by job id %s", sv.Hostname, j.ID)
			existing, err := store.Find[models.Order](k.store.Read(ctx).Where("owner_id = ? AND name = ?", j.OwnerID, name).Order("id").Limit(1))
			if err != nil {
				return 0, err
			}
			if len(existing) > 0 {
				memo[memoOrder] = existing[0].ID.String()
				return 0, nil
			}
			a, err := k.actor(ctx, j.OwnerID)
			if err != nil {
				return 0, err
			}
			// Release the server for the job of the order.
			err = k.store.InTx(ctx, func(tx *store.Tx) error { return server.Disengage(tx, sv.ID, j.ID) })
			if err != nil {
				return 0, err
			}
			o, err := k.orders.Create(ctx, a, order.Draft{
				Name: name, GroupID: sv.GroupID, Submit: true,
				Items: []models.OrderItem{{Kind: models.ItemDecom, Decom: &models.DecomItem{EnvironmentID: sv.EnvironmentID, ServerIDs: []models.ID{sv.ID}}}},
			})
			if err != nil {
				return 0, err
			}
			memo[memoOrder] = o.ID.String()
			return 0, nil
		},
	}}
}

func (s *Service) actor(ctx context.Context, id models.ID) (access.Actor, error) {
	u, err := s.refdata.UserByID(ctx, id)
	if err != nil {
		return access.Actor{}, err
	}
	return s.refdata.Actor(ctx, u, "")
}

// Cleanup implements job.Kind. Effects of webhooks and built-in actions are not undone.
func (k jobKind) Cleanup(ctx context.Context, read *store.Tx, j *models.Job, memo provider.Memo) ([]job.Step, error) {
	if j.Args.Run == nil {
		return k.inner.Cleanup(ctx, read, j, memo)
	}
	return nil, nil
}

// Started implements job.Kind.
func (k jobKind) Started(tx *store.Tx, j *models.Job) error {
	r := j.Args.Run
	if r == nil || r.Trigger == "" && j.ServerID != 0 {
		return k.inner.Started(tx, j) // requires an active server
	}
	return nil
}

// Succeeded implements job.Kind.
func (k jobKind) Succeeded(tx *store.Tx, j *models.Job, memo provider.Memo) error {
	r := j.Args.Run
	if r == nil {
		return k.inner.Succeeded(tx, j, memo)
	}
	lines := []string{displayName(r.By) + " ran " + j.Action + "."}
	if r.By.Kind == models.ByApplication {
		lines[0] = r.By.Name + " is installed."
	}
	if memo[memoStatus] != "" {
		lines = append(lines, "The receiver answered "+memo[memoStatus]+".")
	}
	for _, key := range slices.Sorted(maps.Keys(memo)) {
		if key == memoOrder || strings.HasSuffix(key, " "+memoOrder) {
			lines = append(lines, "Order id "+memo[key]+" removes the server.")
		}
	}
	if memo[memoMessage] != "" {
		lines = append(lines, memo[memoMessage])
	}
	j.Output = strings.Join(lines, "\n")
	return k.recordEnd(tx, j, "ran", "Job id "+j.ID.String())
}

// Failed implements job.Kind.
func (k jobKind) Failed(tx *store.Tx, j *models.Job, memo provider.Memo, reason string) error {
	if j.Args.Run == nil {
		return k.inner.Failed(tx, j, memo, reason)
	}
	return k.recordEnd(tx, j, "failed", reason)
}

// Canceled implements job.Kind.
func (k jobKind) Canceled(tx *store.Tx, j *models.Job, memo provider.Memo) error {
	if j.Args.Run == nil {
		return k.inner.Canceled(tx, j, memo)
	}
	return k.recordEnd(tx, j, "canceled", "Job id "+j.ID.String())
}

// recordEnd records the end of the job in the history of its server, service or order.
func (k jobKind) recordEnd(tx *store.Tx, j *models.Job, how, message string) error {
	object, id := models.ObjectOrder, j.OrderID
	switch {
	case j.ServerID != 0:
		object, id = models.ObjectServer, j.ServerID
	case j.ServiceID != 0:
		object, id = models.ObjectService, j.ServiceID
	}
	r := j.Args.Run
	return history.Add(tx, system, object, id, strings.ReplaceAll(r.By.Kind, "-", " ")+" "+how, r.By.Name+": "+message, nil, nil)
}

// Retryable implements job.Retryable. A run that a user started requires an active
// server.
func (k jobKind) Retryable(tx *store.Tx, j *models.Job) error {
	r := j.Args.Run
	if r == nil {
		if inner, ok := k.inner.(job.Retryable); ok {
			return inner.Retryable(tx, j)
		}
		return nil
	}
	if r.Trigger != "" || j.ServerID == 0 {
		return nil
	}
	sv, err := store.First[models.Server](tx.Select("id", "status").Where("id = ?", j.ServerID))
	if err == nil && sv.Status != models.ServerActive {
		return fault.Conflictf("Only servers that are in 'ACTIVE' state can be acted upon. Current state of server is %s", sv.Status)
	}
	return err
}

// Retried implements job.Kind.
func (k jobKind) Retried(tx *store.Tx, j *models.Job) ([]string, error) {
	if j.Args.Run == nil {
		return k.inner.Retried(tx, j)
	}
	return nil, nil
}
