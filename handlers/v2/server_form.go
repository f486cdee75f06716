package v2

import (
	"context"
	"slices"
	"strconv"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
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
	params := readParams(n.Field("parameters"), nil)
	params = append(params, flatParams(n, order.ModInputs())...)
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
		if x := n.Field(inputs[i].Name); x.Present() {
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
	// What it is already would change nothing.
	sizes = slices.DeleteFunc(sizes, func(x models.Size) bool { return x.CPUs == s.CPUs && x.MemoryMB == s.MemoryMB })
	props := f.modProps(&offer{sizes: sizes})
	for i := range props {
		switch p := &props[i]; models.InputKey(p.Name) {
		case models.KeyCPUCnt:
			p.Placeholder = strconv.Itoa(s.CPUs)
		case models.KeyMemSize:
			p.Placeholder = models.FormatMemory(s.MemoryMB)
		case "disk_size":
			least := 0
			for _, d := range s.Disks {
				least = max(least, d.SizeGB+1)
			}
			p.Min = strconv.Itoa(least)
		}
	}
	if len(s.Disks) == 0 {
		return slices.DeleteFunc(props, func(p hal.TemplateProperty) bool { return p.Name == "disk_size" }), nil
	}
	if len(s.Disks) > 1 {
		p := hal.TemplateProperty{Name: "disk-uuid", Prompt: "Disk that grows", Type: "text"}
		for _, d := range s.Disks {
			p.Options = append(p.Options, hal.Option{Prompt: d.Name + " (" + strconv.Itoa(d.SizeGB) + " GB)", Value: d.UUID})
		}
		props = append(props, p)
	}
	return props, nil
}

// modProps are the questions of a change of whatever server.
func (f *Face) modProps(o *offer) []hal.TemplateProperty {
	var props []hal.TemplateProperty
	for _, in := range order.ModInputs() {
		p := f.inputProp(&in, in.Name, o, false)
		p.Prompt = parameterLabels[models.InputKey(in.Name)]
		props = append(props, p)
	}
	return props
}

// parameterLabels are what the parameters are called that need no blueprint.
var parameterLabels = map[string]string{
	models.KeyVMSize: "Size", models.KeyMemSize: "Memory", models.KeyCPUCnt: "Processors", "disk_size": "Size of the disk in GB",
	models.KeyExpiration: "Expires on", models.KeyOSBuild: "Operating system",
}
