package v2

import (
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/body"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
)

// This file reads the bodies of orders and their items as the seed has them, and
// writes them back. What they ask for is checked by the order service.

const buildItem = "build-item-"

// maxName is how many characters the names of orders and services may have.
const maxName = models.MaxName

// itemPlural are the kinds of item as members of "items".
func itemMember(k models.ItemKind) string { return string(k) + "-items" }

func readDraft(n *body.Node, refs *resource.Refs) (order.Draft, error) {
	d := order.Draft{
		Name: n.Field("name").TextUpTo(maxName), GroupID: refs.To(n.Field("group"), "groups"),
		OwnerID: refs.To(n.Field("owner"), "users"), RecipientID: refs.To(n.Field("recipient"), "users"),
		Submit: n.Field("submit-now").Bool(),
	}
	items := n.Field("items")
	for _, kind := range models.ItemKinds {
		for _, x := range items.Field(itemMember(kind)).List() {
			d.Items = append(d.Items, readItem(kind, x, refs, models.OrderItem{}))
		}
	}
	items.Done()
	n.Done()
	return d, n.Faults().Err()
}

// readItem reads one item. Members that the body does not mention stay as they
// were: that is what a PATCH of an item means.
func readItem(kind models.ItemKind, n *body.Node, refs *resource.Refs, was models.OrderItem) models.OrderItem {
	it := was
	it.Kind = kind
	switch kind {
	case models.ItemDeploy:
		it.Deploy = readDeploy(n, refs, copied(was.Deploy))
	case models.ItemProv:
		it.Prov = readProv(n, refs, copied(was.Prov))
	case models.ItemMod:
		it.Mod = readMod(n, refs, copied(was.Mod))
	case models.ItemDecom:
		it.Decom = readDecom(n, refs, copied(was.Decom))
	case models.ItemScale:
		it.Scale = readScaleItem(n, refs, copied(was.Scale))
	case models.ItemAction:
		it.Action = readActionItem(n, refs, copied(was.Action))
	}
	// What a document shows and nobody sets may come back with it.
	for _, shown := range []string{"rate", "_links", "delta"} {
		n.Field(shown)
	}
	n.Done()
	return it
}

func copied[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func readDeploy(n *body.Node, refs *resource.Refs, d models.DeployItem) *models.DeployItem {
	if x := n.Field("blueprint"); x.Present() {
		d.BlueprintID = refs.To(x, "blueprints")
	} else if d.BlueprintID == 0 {
		x.Complain("is required")
	}
	if x := n.Field("service-name", "resource-name"); x.Given() {
		d.Name = x.TextUpTo(maxName)
	}
	if x := n.Field("environment"); x.Given() {
		d.EnvironmentID = refs.To(x, "environments")
	}
	if x := n.Field("resource-parameters", "parameters"); x.Given() {
		x.Unpack()
		d.Parameters = readParams(x)
	}
	if x := n.Field("blueprint-items-arguments"); x.Given() {
		x.Unpack()
		d.Arguments = nil
		for _, key := range x.Keys() {
			d.Arguments = append(d.Arguments, readBuildItemArgs(key, x.At(key), refs))
		}
	}
	return &d
}

func readBuildItemArgs(key string, n *body.Node, refs *resource.Refs) models.BuildItemArgs {
	arg := models.BuildItemArgs{
		Item:          strings.TrimPrefix(strings.ReplaceAll(key, "build_item_", buildItem), buildItem),
		EnvironmentID: refs.To(n.Field("environment"), "environments"),
		OSBuildID:     refs.To(n.Field("os-build"), "os-builds"),
		Parameters:    readParams(n.Field("parameters")),
	}
	arg.Hostname, arg.Quantity = readAttributes(n.Field("attributes"))
	n.Done()
	return arg
}

func readAttributes(n *body.Node) (hostname string, quantity int) {
	hostname = n.Field("hostname").Text()
	if q := n.Field("quantity"); q.Present() {
		quantity = readQuantity(q)
	}
	n.Done()
	return hostname, quantity
}

func readQuantity(n *body.Node) int {
	return int(min(n.IntFrom(1), 1<<30)) // the service knows how many are too many
}

// readParams reads named values, which may be strings, numbers or booleans.
func readParams(n *body.Node) []models.Param {
	var out []models.Param
	if !n.Present() {
		return nil
	}
	said := map[string]string{}
	for _, key := range n.Keys() {
		x := n.At(key)
		if twin, twice := said[models.InputKey(key)]; twice {
			x.Complain("says again what %s said", twin)
		}
		said[models.InputKey(key)] = key
		v := ""
		for _, p := range out {
			if models.InputKey(p.Name) == models.InputKey(key) {
				x.Complain("says again what %s said", p.Name)
			}
		}
		if x.IsObject() {
			if v = x.Ref(); v == "" {
				x.Complain("is an object; a value or a link is needed")
			}
		} else {
			v = x.Text()
		}
		if len(key) > 128 {
			x.Complain("has a name of more than 128 bytes")
		}
		out = append(out, models.Param{Name: key, Value: v})
	}
	return out
}

func readProv(n *body.Node, refs *resource.Refs, d models.ProvItem) *models.ProvItem {
	if x := n.Field("environment"); x.Given() {
		d.EnvironmentID = refs.To(x, "environments")
	}
	if x := n.Field("os-build"); x.Given() {
		d.OSBuildID = refs.To(x, "os-builds")
	}
	if x := n.Field("attributes"); x.Given() {
		d.Hostname, d.Quantity = readAttributes(x)
	}
	// Forms have no other way than to say these side by side.
	if x := n.Field("hostname"); x.Given() {
		d.Hostname = x.Text()
	}
	if x := n.Field("quantity"); x.Present() {
		d.Quantity = readQuantity(x)
	}
	d.Quantity = max(d.Quantity, 1)
	if x := n.Field("parameters"); x.Given() {
		d.Parameters = readParams(x)
	}
	d.Parameters = append(d.Parameters, flatParams(n, provInputs())...)
	if x := n.Field("preconfigurations"); x.Given() {
		d.Preconfigurations = x.Texts()
	}
	if x := n.Field("applications"); x.Given() {
		d.Applications = nil
		for _, ref := range x.List() {
			d.Applications = append(d.Applications, ref.Ref())
		}
	}
	return &d
}

func readMod(n *body.Node, refs *resource.Refs, d models.ModItem) *models.ModItem {
	if x := n.Field("server"); x.Present() {
		d.ServerID = refs.To(x, "servers")
	} else if d.ServerID == 0 {
		x.Complain("is required")
	}
	if x := n.Field("environment"); x.Given() {
		d.EnvironmentID = refs.To(x, "environments")
	}
	if x := n.Field("parameters"); x.Given() {
		d.Parameters = readParams(x)
	}
	d.Parameters = append(d.Parameters, flatParams(n, order.ModInputs())...)
	if x := n.Field("disk-uuid"); x.Given() {
		d.DiskUUID = x.Text()
	}
	return &d
}

func readDecom(n *body.Node, refs *resource.Refs, d models.DecomItem) *models.DecomItem {
	if x := n.Field("environment"); x.Given() {
		d.EnvironmentID = refs.To(x, "environments")
	}
	if x := n.Field("servers"); x.Given() {
		d.ServerIDs = refs.Each(x, "servers")
	}
	if x := n.Field("services", "resources"); x.Given() {
		d.ServiceIDs = refs.Each(x, "services")
	}
	return &d
}

// orderItems writes the items as an object of lists by kind. A kind without
// items is left out.
func orderItems(o *models.Order) hal.Value {
	var props []hal.Prop
	for _, kind := range models.ItemKinds {
		var list []hal.Value
		for i := range o.Items {
			if o.Items[i].Kind == kind {
				list = append(list, hal.Object(itemProps(&o.Items[i])))
			}
		}
		if list != nil {
			props = append(props, hal.Prop{Name: itemMember(kind), Value: hal.List(list)})
		}
	}
	return hal.Object(props)
}

func itemProps(it *models.OrderItem) []hal.Prop {
	switch it.Kind {
	case models.ItemDeploy:
		return deployProps(it.Deploy)
	case models.ItemProv:
		return provProps(it.Prov)
	case models.ItemMod:
		return modProps(it.Mod)
	case models.ItemDecom:
		return decomProps(it.Decom)
	case models.ItemScale:
		return scaleProps(it.Scale)
	case models.ItemAction:
		return actionProps(it.Action)
	}
	return nil
}

func href(plural string, id models.ID) hal.Value {
	h := Base + "/" + plural + "/" + id.String()
	if plural == "servers" {
		h += "/"
	}
	return hal.String(h)
}

func params(list []models.Param) hal.Value {
	props := make([]hal.Prop, len(list))
	for i, p := range list {
		props[i] = hal.Prop{Name: p.Name, Value: hal.String(p.Value)}
	}
	return hal.Object(props)
}

func deployProps(d *models.DeployItem) []hal.Prop {
	var args []hal.Prop
	for _, a := range d.Arguments {
		args = append(args, hal.Prop{Name: buildItem + a.Item, Value: hal.Object(argProps(a))})
	}
	props := []hal.Prop{
		{Name: "blueprint", Value: href("blueprints", d.BlueprintID)},
		{Name: "blueprint-items-arguments", Value: hal.Object(args)},
		{Name: "resource-name", Value: hal.String(d.Name)},
		{Name: "service-name", Value: hal.String(d.Name)},
	}
	if d.EnvironmentID != 0 {
		props = append(props, hal.Prop{Name: "environment", Value: href("environments", d.EnvironmentID)})
	}
	if len(d.Parameters) > 0 {
		props = append(props, hal.Prop{Name: "resource-parameters", Value: params(d.Parameters)})
	}
	return props
}

func argProps(a models.BuildItemArgs) []hal.Prop {
	return serverProps(a.Hostname, a.Quantity, a.EnvironmentID, a.OSBuildID, a.Parameters)
}

func serverProps(hostname string, quantity int, env, build models.ID, list []models.Param) []hal.Prop {
	var attributes []hal.Prop
	if hostname != "" {
		attributes = append(attributes, hal.Prop{Name: "hostname", Value: hal.String(hostname)})
	}
	if quantity != 0 {
		attributes = append(attributes, hal.Prop{Name: "quantity", Value: hal.Int(int64(quantity))})
	}
	props := []hal.Prop{{Name: "attributes", Value: hal.Object(attributes)}}
	if env != 0 {
		props = append(props, hal.Prop{Name: "environment", Value: href("environments", env)})
	}
	if build != 0 {
		props = append(props, hal.Prop{Name: "os-build", Value: href("os-builds", build)})
	}
	return append(props, hal.Prop{Name: "parameters", Value: params(list)})
}

func provProps(d *models.ProvItem) []hal.Prop {
	props := serverProps(d.Hostname, d.Quantity, d.EnvironmentID, d.OSBuildID, d.Parameters)
	return append(props,
		hal.Prop{Name: "preconfigurations", Value: hal.Strings(d.Preconfigurations)},
		hal.Prop{Name: "applications", Value: applicationRefs(d.Applications)})
}

func modProps(d *models.ModItem) []hal.Prop {
	var props []hal.Prop
	if d.EnvironmentID != 0 {
		props = append(props, hal.Prop{Name: "environment", Value: href("environments", d.EnvironmentID)})
	}
	props = append(props,
		hal.Prop{Name: "server", Value: href("servers", d.ServerID)},
		hal.Prop{Name: "parameters", Value: params(d.Parameters)})
	if d.DiskUUID != "" {
		props = append(props, hal.Prop{Name: "disk-uuid", Value: hal.String(d.DiskUUID)})
	}
	return append(props, hal.Prop{Name: "delta", Value: params(d.Delta)})
}

func decomProps(d *models.DecomItem) []hal.Prop {
	var props []hal.Prop
	if d.EnvironmentID != 0 {
		props = append(props, hal.Prop{Name: "environment", Value: href("environments", d.EnvironmentID)})
	}
	named := func(member, plural, kind string, ids []models.ID) {
		if len(ids) == 0 {
			return
		}
		list := make([]hal.Value, len(ids))
		for i, id := range ids {
			l := hal.Link{Href: href(plural, id).Text()}
			for _, n := range d.Names {
				if n.Kind == kind && n.ID == id {
					l.Title = n.Name
				}
			}
			list[i] = hal.LinkValue(l)
		}
		props = append(props, hal.Prop{Name: member, Value: hal.List(list)})
	}
	named("servers", "servers", models.ObjectServer, d.ServerIDs)
	named("services", "services", models.ObjectService, d.ServiceIDs)
	return props
}
