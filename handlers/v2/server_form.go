package v2

import (
	"context"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
)

// modify declares the change of a server: it submits an order of one mod item.
func (f *Face) modify() resource.Action[models.Server] {
	return resource.Action[models.Server]{
		Rel: "modify", Title: "Modify", Slash: true, Can: order.CanModify,
		Doc:  "Orders a change of its size, processors, memory, disk or expiration date.",
		Do:   f.modifyServer,
		Form: f.modifyProps,
		Body: modifyBody(), Results: resource.Results{resource.ToWork("orders")},
	}
}

func (f *Face) modifyServer(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.Server], error) {
	var none resource.Result[models.Server]
	s, err := f.Servers.Find(ctx, a, ref)
	if err != nil {
		return none, err
	}
	if err := order.CanModify(a, s); err != nil {
		return none, err
	}
	params := readModParams(n, nil)
	disk := n.Field("disk-uuid").Text()
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return none, err
	}
	o, err := f.Orders.Modify(ctx, a, s, params, disk)
	if err != nil {
		return none, moved(err, inModification(n))
	}
	return resource.Result[models.Server]{Work: orderWork(o.ID)}, nil
}

// flatParams reads parameters that stand beside the other members of a body.
func flatParams(n *jsonbody.Value, inputs []models.Input) []models.Param {
	var list []models.Param
	for i := range inputs {
		names := []string{inputs[i].Name}
		if inputs[i].Name == diskSize {
			names = append(names, newDiskSize)
		}
		if x := n.Field(names...); x.Present() {
			list = append(list, models.Param{Name: inputs[i].Name, Value: readParam(x)})
		}
	}
	return list
}

func (f *Face) modifyProps(ctx context.Context, _ access.Actor, s *models.Server) ([]hal.TemplateProperty, error) {
	sizes, _, err := f.Catalog.Fitting(ctx, s.EnvironmentID)
	if err != nil {
		return nil, err
	}
	return f.modProps(order.ModQuestionsOf(s, &catalog.Setting{Sizes: sizes})), nil
}

// modProps returns the form members for the questions of a change.
func (f *Face) modProps(list []catalog.Question) []hal.TemplateProperty {
	props := make([]hal.TemplateProperty, len(list))
	for i := range list {
		name := list[i].Path.Last().Name
		props[i] = f.property(&list[i], name)
		props[i].Prompt = parameterLabels[models.InputKey(name)]
	}
	return props
}

// parameterLabels are the labels of the parameters that need no blueprint.
var parameterLabels = map[string]string{
	models.KeyVMSize: "Size", models.KeyMemSize: "Memory", models.KeyCPUCnt: "Processors", diskSize: "Size of the disk in GB",
	models.KeyExpiration: "Expires on", models.KeyOSBuild: "Operating system", "disk_uuid": "Disk that grows",
}
