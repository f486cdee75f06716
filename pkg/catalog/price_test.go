package catalog

import (
	"testing"

	"halcyon/models"
)

func TestPriceFrom(t *testing.T) {
	t.Parallel()
	sizes := []models.Size{
		{Row: models.Row{ID: 1}, Name: "small", Rate: 10 * models.Unit},
		{Row: models.Row{ID: 2}, Name: "medium", Rate: 20 * models.Unit},
		{Row: models.Row{ID: 3}, Name: "tiny", Rate: 5 * models.Unit},
	}
	asks := func(options ...string) []models.Input {
		return []models.Input{{Name: "vm_size", Type: models.InputSize, Options: options}}
	}
	for _, x := range []struct {
		name string
		b    models.Blueprint
		want models.Money
		ok   bool
	}{
		{"no build item", models.Blueprint{}, 0, false},
		{"its own size", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1, SizeID: 2}}}, 20, true},
		{"several, by their number", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 3, SizeID: 1}, {Quantity: 1, SizeID: 2}}}, 50, true},
		{"without a size, so by the cheapest", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1, SizeID: 2}, {Quantity: 1}}}, 25, true},
		{"a size as a parameter", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1, SizeID: 1, Parameters: []models.Param{{Name: "vm-size", Value: "medium"}}}}}, 20, true},
		{"amounts of its own", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1, Parameters: []models.Param{{Name: "cpu-cnt", Value: "3"}, {Name: "mem_size", Value: "2 GB"}}}}}, 0, false},
		{"asked for", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 2, SizeID: 2}}, Inputs: asks()}, 10, true},
		{"asked for, among some", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1}}, Inputs: asks("medium", "small")}, 10, true},
		{"asked for, among none that are", models.Blueprint{Items: []models.BlueprintItem{{Quantity: 1}}, Inputs: asks("vast")}, 0, false},
	} {
		got, ok := priceFrom(&x.b, sizes)
		if got != x.want*models.Unit || ok != x.ok {
			t.Errorf("%s: %s, %v; want %d, %v", x.name, got.Exact(), ok, x.want, x.ok)
		}
	}
}
