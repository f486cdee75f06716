package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/models"
	"halcyon/pkg/catalog"
	"halcyon/pkg/fault"
	"halcyon/pkg/store"
	"halcyon/pkg/store/storetest"
)

// setting returns two groups, of which only the second may order into environment 12.
func setting() *catalog.Setting {
	return &catalog.Setting{
		Offers: []catalog.Offer{{Group: 1, Environments: []models.ID{11}}, {Group: 2, Environments: []models.ID{11, 12}}},
		Group:  1, Environment: 11,
		Sizes:  []models.Size{{Name: "small", CPUs: 1, MemoryMB: 1024}, {Name: "large", CPUs: 4, MemoryMB: 8192}},
		Builds: []models.OSBuild{{Row: models.Row{ID: 21}, Name: "Debian"}},
	}
}

// asked returns the questions, by their paths, with the choices.
func asked(list []catalog.Question) []string {
	out := make([]string, len(list))
	for i, q := range list {
		out[i] = q.Path.String() + " " + string(q.Type)
		if q.Required {
			out[i] += " required"
		}
		if q.Default != "" {
			out[i] += " default " + q.Default
		}
		if q.Fallback != "" {
			out[i] += " or " + q.Fallback
		}
		for _, x := range q.Choices {
			out[i] += " | " + x.Value
			for _, id := range x.For {
				out[i] += " for " + id.String()
			}
		}
		for _, p := range q.DependsOn {
			out[i] += " by " + p.String()
		}
	}
	return out
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	where := []string{
		"group group required default 1 | 1 | 2",
		"environment environment required default 11 | 11 | 12 for 2 by group",
		"name text or B",
	}
	for name, c := range map[string]struct {
		b    models.Blueprint
		want []string
	}{
		"one build item": {
			models.Blueprint{Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 2, OSBuildID: 21, SizeID: 1}}},
			[]string{"build item Web, quantity integer default 2", "build item Web, hostname host-name", "build item Web, os-build os-build default 21 | 21 by environment", "build item Web, parameter vm-size size | small | large by environment"},
		},
		"an OS build that does not fit": {
			models.Blueprint{Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1, OSBuildID: 22, SizeID: 1}}},
			[]string{"build item Web, quantity integer default 1", "build item Web, hostname host-name", "build item Web, os-build os-build | 21 by environment", "build item Web, parameter vm-size size | small | large by environment"},
		},
		"inputs that take the place of members": {
			models.Blueprint{
				Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1, OSBuildID: 21}},
				Inputs: []models.Input{{Name: "os_build", Type: models.InputOSBuild}, {Name: "hostname", Type: models.InputText}, {Name: "vm-size", Type: models.InputSize}},
			},
			[]string{
				"build item Web, quantity integer default 1",
				"parameter os_build os-build or Debian | 21 by environment", "parameter hostname text",
				"parameter vm-size size required | small | large by environment", // the build item has none
			},
		},
		"options": {
			models.Blueprint{
				Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1, OSBuildID: 21, SizeID: 1}},
				Inputs: []models.Input{
					{Name: "vm-size", Type: models.InputSize, Options: []string{"large", "giant"}},
					{Name: "stack", Type: models.InputText, Options: []string{"Dev", "Prod"}, Required: true, Default: "Dev"},
				},
			},
			[]string{
				"build item Web, quantity integer default 1", "build item Web, hostname host-name", "build item Web, os-build os-build default 21 | 21 by environment",
				"parameter vm-size size | large by environment", "parameter stack text required default Dev | Dev | Prod",
			},
		},
		"two build items": {
			models.Blueprint{
				Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1, OSBuildID: 21, SizeID: 1}, {Name: "DB", Quantity: 1, SizeID: 1}},
				Inputs: []models.Input{{Name: "hostname", Type: models.InputText}},
			},
			[]string{
				"build item Web, environment environment | 11 | 12 for 2 by group", "build item Web, quantity integer default 1",
				"build item Web, hostname host-name", "build item Web, os-build os-build default 21 | 21 by environment", "build item Web, parameter vm-size size | small | large by environment",
				"build item DB, environment environment | 11 | 12 for 2 by group", "build item DB, quantity integer default 1",
				"build item DB, hostname host-name", "build item DB, os-build os-build required | 21 by environment", "build item DB, parameter vm-size size | small | large by environment",
				"parameter hostname text",
			},
		},
		"nothing has a default": {
			models.Blueprint{Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1}}},
			[]string{
				"build item Web, quantity integer default 1", "build item Web, hostname host-name",
				"build item Web, os-build os-build required | 21 by environment",
				"build item Web, parameter vm-size size required | small | large by environment",
			},
		},
		"default parameters": {
			models.Blueprint{Name: "B", Items: []models.BlueprintItem{{Name: "Web", Quantity: 1, Parameters: []models.Param{{Name: "vm-size", Value: "large"}, {Name: "os_build", Value: "21"}}}}},
			[]string{
				"build item Web, quantity integer default 1", "build item Web, hostname host-name",
				"build item Web, os-build os-build default 21 | 21 by environment",
				"build item Web, parameter vm-size size default large | small | large by environment",
			},
		},
	} {
		if d := cmp.Diff(append(where[:3:3], c.want...), asked(catalog.Questions(&c.b, setting()))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestInputQuestionBounds(t *testing.T) {
	t.Parallel()
	least, most := int64(2), int64(9)
	for name, c := range map[string]struct {
		in   models.Input
		want catalog.Question
	}{
		"a text": {
			models.Input{Name: "note", Type: models.InputText, Label: "Note", Pattern: "[a-z]+"},
			catalog.Question{Path: fault.Parameter("note"), Type: catalog.AskText, Label: "Note", MaxLength: models.MaxInput, Pattern: "[a-z]+"},
		},
		"a number without a label": {
			models.Input{Name: "floor", Type: models.InputInteger, Minimum: &least, Maximum: &most},
			catalog.Question{Path: fault.Parameter("floor"), Type: catalog.AskInteger, Label: "floor", Min: &least, Max: &most},
		},
	} {
		if d := cmp.Diff(c.want, catalog.InputQuestion(&c.in, setting(), true)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A setting begins with the given choices, if the offers contain them, and with the sizes and OS builds of
// that environment.
func TestBegin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		x := newShop(t, s)
		first := x.environment(models.Environment{Name: "First", HandlerID: x.first.ID, SizeIDs: []models.ID{x.small}})
		second := x.environment(models.Environment{Name: "Second", HandlerID: x.second.ID})
		offers := []catalog.Offer{{Group: 1, Environments: []models.ID{first}}, {Group: 2, Environments: []models.ID{first, second}}}
		for name, c := range map[string]struct{ group, environment, wantGroup, wantEnvironment models.ID }{
			"nothing chosen":                   {0, 0, 1, first},
			"the blueprint's environment":      {0, first, 1, first},
			"one of the first group alone":     {0, second, 1, first},
			"both chosen":                      {2, second, 2, second},
			"not that group's environment":     {1, second, 1, first},
			"a group that there is not":        {9, second, 1, first},
			"an environment that there is not": {2, 99, 2, first},
		} {
			got, err := x.Begin(t.Context(), offers, c.group, c.environment)
			if err != nil || got.Group != c.wantGroup || got.Environment != c.wantEnvironment {
				t.Errorf("%s: group %s, environment %s, %v", name, got.Group, got.Environment, err)
			}
		}
		if got, err := x.Begin(t.Context(), offers[1:], 0, second); err != nil || got.Environment != second {
			t.Errorf("the default environment is not taken: %s, %v", got.Environment, err)
		}
		got, err := x.Begin(t.Context(), offers, 1, first)
		if err != nil || len(got.Sizes) != 1 || got.Sizes[0].ID != x.small || len(got.Builds) != 1 || got.Builds[0].ID != x.debian {
			t.Errorf("in the first: %v, %v, %v", got.Sizes, got.Builds, err)
		}
		if got, err = x.Begin(t.Context(), offers, 2, second); err != nil || len(got.Sizes) != 2 || len(got.Builds) != 0 {
			t.Errorf("in the second, which has no template: %v, %v, %v", got.Sizes, got.Builds, err)
		}
	})
}
