package catalog

import (
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// This file checks the build items of a blueprint and their defaults.

// loadActions reads the actions of build items.
func loadActions(tx *store.Tx, items []models.BlueprintItem) error {
	var ids []models.ID
	for i := range items {
		if items[i].ActionID != 0 {
			ids = append(ids, items[i].ActionID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := store.Find[models.Action](tx.Where("id IN ?", ids))
	if err != nil {
		return err
	}
	for i := range items {
		if k := slices.IndexFunc(list, func(x models.Action) bool { return x.ID == items[i].ActionID }); k >= 0 {
			items[i].Action = &list[k]
		}
	}
	return nil
}

// actionItem reads the action of a build item, and returns the problems of the build item except those of
// its parameters.
func actionItem(tx *store.Tx, it *models.BlueprintItem, at fault.Path) ([]fault.Field, error) {
	var bad []fault.Field
	for _, x := range []struct {
		member string
		given  bool
	}{
		{"quantity", it.Quantity != 1},
		{"os-build", it.OSBuildID != 0},
		{"perf-type", it.SizeID != 0},
		{"hostname", it.Hostname != ""},
		{"environment", it.EnvironmentID != 0},
	} {
		if x.given {
			bad = append(bad, fault.Field{Path: at.Member(x.member), Reason: "is only for build items of the type server"})
		}
	}
	it.Action = nil
	if it.ActionID == 0 {
		return append(bad, fault.Field{Path: at.Member("action"), Reason: "is required by build items of the type action"}), nil
	}
	x, err := store.First[models.Action](tx.Where("id = ?", it.ActionID))
	if fault.Is(err, fault.NotFound) {
		return append(bad, fault.Field{Path: at.Member("action"), Reason: "does not exist"}), nil
	}
	if err != nil {
		return nil, err
	}
	it.Action = x
	if err := x.FitsBuildItem(); err != nil {
		for _, f := range fault.From(err).Fields {
			f.Path = at.Join(f.Path)
			bad = append(bad, f)
		}
	}
	return bad, nil
}

// defaultParameters brings the default parameters of a build item to their canonical form, and returns
// their problems. A date cannot be a default: it would soon be in the past.
func (c *Service) defaultParameters(tx *store.Tx, b *models.Blueprint, it *models.BlueprintItem, at fault.Path) ([]fault.Field, error) {
	var bad []fault.Field
	inputs := b.ServerInputs()
	if it.IsAction() {
		inputs = it.ActionInputs()
	}
	for i, x := range it.Parameters {
		place := at.Parameter(x.Name)
		if key := models.PlacementKey(x.Name); key != "" && !it.IsAction() {
			if _, asked := b.Input(x.Name); !asked { // the valid values depend on the environment
				it.Parameters[i].Name = key
				continue
			}
		}
		k := slices.IndexFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
		if k < 0 {
			bad = append(bad, fault.Field{Path: place, Reason: "is not a known parameter. " + knownParameters(inputs)})
			continue
		}
		in := &inputs[k]
		value, err := in.Parse(x.Value, tx.Now)
		switch {
		case in.Type == models.InputDate:
			bad = append(bad, fault.Field{Path: place, Reason: "is a date and cannot have a default"})
			continue
		case err != nil:
			bad = append(bad, fault.Field{Path: place, Reason: err.Error()})
			continue
		}
		value, err = c.refer(tx, in, value)
		if fault.Is(err, fault.NotFound) {
			bad = append(bad, fault.Field{Path: place, Reason: shown(x.Value) + " does not exist"})
			continue
		}
		if err != nil {
			return nil, err
		}
		it.Parameters[i] = models.Param{Name: in.Name, Value: value}
	}
	return bad, nil
}

// refer returns the canonical form of a value that refers to a row: the id of an OS build, the name of a
// size. The error is NotFound if there is no such row. Other values are returned unchanged.
func (c *Service) refer(tx *store.Tx, in *models.Input, value string) (string, error) {
	switch in.Type { //nolint:exhaustive // the others refer to nothing
	case models.InputOSBuild:
		build, err := c.OSBuilds.FindTx(tx, access.System("halcyon"), value)
		if err != nil {
			return "", err
		}
		return build.ID.String(), nil
	case models.InputSize:
		size, err := c.SizeByName(tx, value)
		if err != nil {
			return "", err
		}
		return size.Name, nil
	}
	return value, nil
}

func knownParameters(inputs []models.Input) string {
	if len(inputs) == 0 {
		return "There are no parameters here"
	}
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = in.Name
	}
	return "Known parameters: " + strings.Join(names, ", ")
}
