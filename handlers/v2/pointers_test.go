package v2

import (
	"testing"

	"halcyon/models"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

func TestPointers(t *testing.T) {
	t.Parallel()
	web := fault.Item("deploy", 1).BuildItem("Web")
	for want, p := range map[string]fault.Path{
		"":                                       nil,
		"/a~1b/0/c~0":                            fault.Member("a/b").Entry(0).Member("c~"),
		"filter":                                 fault.Argument("filter"),
		"/items/mod-items/0/parameters/mem_size": fault.Item("mod", 0).Parameter("mem_size"),
		"/items/prov-items/0/attributes/hostname":                                            fault.Item("prov", 0).Member("hostname"),
		"/items/scale-items/0/quantity":                                                      fault.Item("scale", 0).Member("quantity"),
		"/items/deploy-items/0/blueprint":                                                    fault.Item("deploy", 0).Member("blueprint"),
		"/items/deploy-items/0/resource-parameters/x":                                        fault.Item("deploy", 0).Parameter("x"),
		"/cart/items/decom-items/0/servers/1":                                                fault.Member("cart").Join(fault.Item("decom", 0).Member("servers").Entry(1)),
		"/items/deploy-items/1/blueprint-items-arguments/build-item-Web/parameters/x":        web.Parameter("x"),
		"/items/deploy-items/1/blueprint-items-arguments/build-item-Web/os-build":            web.Member("os-build"),
		"/items/deploy-items/1/blueprint-items-arguments/build-item-Web/attributes/quantity": web.Member("quantity"),
	} {
		if got := names.Pointer(p); got != want {
			t.Errorf("%s: %s instead of %s", p, got, want)
		}
	}
}

// The body of one item has no place for the rest of the order.
func TestPointersInItems(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		kind models.ItemKind
		path fault.Path
	}{
		"/resource-parameters/x":       {models.ItemDeploy, fault.Parameter("x")},
		"/parameters/x":                {models.ItemProv, fault.Parameter("x")},
		"/attributes/quantity":         {models.ItemProv, fault.Member("quantity")},
		"/quantity":                    {models.ItemScale, fault.Member("quantity")},
		"/items/prov-items/0/os-build": {models.ItemDeploy, fault.Item("prov", 0).Member("os-build")},
		"/blueprint-items-arguments/build-item-A/attributes/hostname": {models.ItemDeploy, fault.BuildItem("A").Member("hostname")},
	} {
		err := moved(fault.InvalidField(c.path, "is wrong"), inItem(c.kind))
		if got := names.Pointer(fault.From(err).Fields[0].Path); got != want {
			t.Errorf("%s in %s: %s instead of %s", c.path, c.kind, got, want)
		}
	}
}

func TestPointersInOrderForms(t *testing.T) {
	t.Parallel()
	one := &models.Blueprint{
		Items:  []models.BlueprintItem{{Name: "Web"}},
		Inputs: []models.Input{{Name: "os_build"}, {Name: "quantity"}, {Name: "floor"}},
	}
	two := &models.Blueprint{Items: []models.BlueprintItem{{Name: "Web"}, {Name: "DB"}}}
	item := fault.Item("deploy", 0)
	for _, c := range []struct {
		b    *models.Blueprint
		body string
		path fault.Path
		want string
	}{
		{one, `{}`, item.Member("blueprint"), "/group"},
		{one, `{}`, item.Parameter("floor"), "/floor"},
		{one, `{}`, item.BuildItem("Web").Parameter("floor"), "/floor"},
		{one, `{}`, item.BuildItem("Web").Parameter("quantity"), "/parameters.quantity"},
		{one, `{}`, item.BuildItem("Web").Member("quantity"), "/quantity"},
		{one, `{}`, item.BuildItem("Web").Member("environment"), "/environment"},
		{one, `{}`, item.BuildItem("Web").Member("os-build"), "/os_build"}, // asked as a parameter
		{two, `{}`, item.BuildItem("DB").Member("hostname"), "/DB.hostname"},
		{two, `{}`, item.BuildItem("DB").Member("environment"), "/environment"},
		{two, `{"DB.environment": 3}`, item.BuildItem("DB").Member("environment"), "/DB.environment"},
		{two, `{}`, fault.Member("recipient"), "/recipient"},
	} {
		n, err := jsonbody.Parse([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := names.Pointer(inOrderForm(c.b, n)(c.path)); got != c.want {
			t.Errorf("%s with %s: %s instead of %s", c.path, c.body, got, c.want)
		}
	}
}
