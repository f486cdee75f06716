package catalog

import (
	"slices"
	"strings"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
)

// This file checks the defaults of a blueprint's build items.

// defaultParameters brings the default parameters of a build item to their canonical
// form, and returns what is wrong with them. A date may not be a default: it would be
// over one day.
func (c *Service) defaultParameters(tx *store.Tx, b *models.Blueprint, it *models.BlueprintItem, at fault.Path) ([]fault.Field, error) {
	var bad []fault.Field
	inputs := b.ServerInputs()
	for i, x := range it.Parameters {
		place := at.Parameter(x.Name)
		k := slices.IndexFunc(inputs, func(in models.Input) bool { return models.InputKey(in.Name) == models.InputKey(x.Name) })
		if k < 0 {
			bad = append(bad, fault.Field{Path: place, Reason: "is not a known parameter. Known parameters: " + inputNames(inputs)})
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

// refer returns the canonical form of a value that refers to a row: the id of an OS
// build, the name of a size. The error is NotFound if there is no such row. Other values
// are returned as they are.
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

func inputNames(inputs []models.Input) string {
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = in.Name
	}
	return strings.Join(names, ", ")
}
