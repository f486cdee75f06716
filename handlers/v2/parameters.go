package v2

import (
	"context"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/order"
)

// environmentParameters returns the parameters of a server in an environment, with the
// values available there. OS builds are named by their hrefs, as in orders; os-builds has
// their names.
func (f *Face) environmentParameters(ctx context.Context, _ access.Actor, e *models.Environment) (hal.Value, error) {
	sizes, builds, err := f.Catalog.Fitting(ctx, e.ID)
	if err != nil {
		return hal.Null(), err
	}
	inputs := order.ProvInputs()
	for i := range inputs {
		in := &inputs[i]
		switch in.Type { //nolint:exhaustive // the others have no options
		case models.InputSize:
			for _, s := range sizes {
				in.Options = append(in.Options, s.Name)
			}
		case models.InputOSBuild:
			for _, b := range builds {
				in.Options = append(in.Options, f.reg.Def("os-builds").Href(b.ID))
			}
		}
	}
	return inputValues(append(inputs, e.PlacementInputs()...)), nil
}
