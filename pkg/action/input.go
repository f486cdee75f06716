package action

import (
	"slices"
	"strings"
	"time"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// parseInputs checks the caller's parameters against the action's inputs and returns them
// in canonical form, with defaults for missing ones. Its Invalid fault names each bad
// parameter and the known ones.
func parseInputs(x *models.Action, params []models.Param, now time.Time) ([]models.Param, error) {
	var bad []fault.Field
	out := []models.Param{}
	addFault := func(name, reason string) {
		bad = append(bad, fault.Field{Path: fault.Parameter(name), Reason: reason})
	}
	known := make([]string, len(x.Inputs))
	for i, in := range x.Inputs {
		known[i] = in.Name
	}
	for _, p := range params {
		i := slices.IndexFunc(x.Inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(p.Name) })
		if i < 0 {
			addFault(p.Name, "is no parameter that is known here")
			continue
		}
		if p.Value == "" {
			continue // absent
		}
		v, err := x.Inputs[i].Parse(p.Value, now)
		if err != nil {
			addFault(p.Name, err.Error())
			continue
		}
		out = append(out, models.Param{Name: x.Inputs[i].Name, Value: v})
	}
	for _, in := range x.Inputs {
		if v, _ := models.ParamValue(params, in.Name); v != "" {
			continue
		}
		switch {
		case in.Default != "":
			out = append(out, models.Param{Name: in.Name, Value: in.Default})
		case in.Required:
			addFault(in.Name, "is required")
		}
	}
	if err := fault.InvalidFields(bad); err != nil {
		e := fault.From(err)
		e.Detail = "Known parameters: none."
		if len(known) > 0 {
			e.Detail = "Known parameters: " + strings.Join(known, ", ") + "."
		}
		return nil, e
	}
	return out, nil
}
