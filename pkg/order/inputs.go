package order

import (
	"slices"

	"halcyon/models"
)

// ProvInputs gives the inputs of a server that comes from no blueprint.
func ProvInputs() []models.Input { return slices.Clone(provInputs) }
