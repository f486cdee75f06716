package v2

import (
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
)

// This file reads the bodies of orders and their items as the seed has them, and
// writes them back. The order service checks them.

// maxName is how many characters the names of orders and services may have.
const maxName = models.MaxName

func readDraft(n *jsonbody.Value, refs *resource.Refs) (order.Draft, error) {
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

// readReplacement reads the new state of the cart: the members of a draft without those of
// new orders only. Read-only members of the cart's document may be present.
func readReplacement(n *jsonbody.Value, refs *resource.Refs, d *resource.Def, o *models.Order) (order.Draft, error) {
	links := n.Field("_links")
	of := func(rel string) *jsonbody.Value {
		if x := n.Field(rel); x.Given() {
			return x
		}
		return links.Field(rel)
	}
	draft := order.Draft{
		Name:    n.Field("name").TextUpTo(maxName),
		GroupID: refs.To(of("group"), "groups"), RecipientID: refs.To(of("recipient"), "users"),
	}
	items := n.Field("items")
	for _, kind := range models.ItemKinds {
		for _, x := range items.Field(itemMember(kind)).List() {
			draft.Items = append(draft.Items, readItem(kind, x, refs, models.OrderItem{}))
		}
	}
	items.Done()
	d.Unchanged(n, refs, o, "name", "items")
	n.Done()
	return draft, n.Faults().Err()
}

// readItem reads one item into what it was: a merge patch (RFC 7396). Members that
// the body does not mention stay as they were, null takes one away; lists are
// replaced as a whole. A new item, and one that is replaced, was nothing before.
func readItem(kind models.ItemKind, n *jsonbody.Value, refs *resource.Refs, was models.OrderItem) models.OrderItem {
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
	// Read-only members of the document may be present.
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

// readRequired reads a reference that has to be there, now or before.
func readRequired(n *jsonbody.Value, refs *resource.Refs, plural string, was models.ID) models.ID {
	if n.Present() {
		return refs.To(n, plural)
	}
	if was == 0 || n.Given() {
		n.Complain("is required")
	}
	return was
}

// readOptional reads a reference, null being none.
func readOptional(n *jsonbody.Value, refs *resource.Refs, plural string, was models.ID) models.ID {
	if !n.Given() {
		return was
	}
	return refs.To(n, plural)
}

func readDeploy(n *jsonbody.Value, refs *resource.Refs, d models.DeployItem) *models.DeployItem {
	d.BlueprintID = readRequired(n.Field("blueprint"), refs, "blueprints", d.BlueprintID)
	if x := n.Field("service-name", "resource-name"); x.Given() {
		d.Name = x.TextUpTo(maxName)
	}
	if x := n.Field("environment"); x.Given() {
		d.EnvironmentID = refs.To(x, "environments")
	}
	d.Parameters = readParams(n.Field("resource-parameters", "parameters"), d.Parameters)
	d.Arguments = readArguments(n.Field(itemArguments), refs, d.Arguments)
	return &d
}

func readArguments(n *jsonbody.Value, refs *resource.Refs, was []models.BuildItemArgs) []models.BuildItemArgs {
	switch {
	case !n.Given():
		return was
	case !n.Present():
		return nil
	}
	n.Unpack()
	if count := len(n.Keys()); count > maxParams {
		n.Complain("has %d values; at most %d can be given", count, maxParams)
		return was
	}
	out := slices.Clone(was)
	for _, key := range n.Keys() {
		x := n.At(key)
		item := strings.TrimPrefix(strings.ReplaceAll(key, "build_item_", buildItem), buildItem)
		i := slices.IndexFunc(was, func(a models.BuildItemArgs) bool { return a.Item == item })
		if !x.Present() && i >= 0 {
			out = slices.DeleteFunc(out, func(a models.BuildItemArgs) bool { return a.Item == item })
			continue
		}
		if i < 0 {
			out = append(out, readBuildItemArgs(x, refs, models.BuildItemArgs{Item: item}))
			continue
		}
		i = slices.IndexFunc(out, func(a models.BuildItemArgs) bool { return a.Item == item })
		out[i] = readBuildItemArgs(x, refs, was[i])
	}
	return out
}

func readBuildItemArgs(n *jsonbody.Value, refs *resource.Refs, a models.BuildItemArgs) models.BuildItemArgs {
	a.EnvironmentID = readOptional(n.Field("environment"), refs, "environments", a.EnvironmentID)
	a.OSBuildID = readOptional(n.Field("os-build"), refs, "os-builds", a.OSBuildID)
	a.Parameters = readParams(n.Field("parameters"), a.Parameters)
	a.Hostname, a.Quantity = readAttributes(n.Field("attributes"), a.Hostname, a.Quantity)
	n.Done()
	return a
}

func readAttributes(n *jsonbody.Value, hostname string, quantity int) (string, int) {
	if n.Given() && !n.Present() {
		return "", 0
	}
	if x := n.Field("hostname"); x.Given() {
		hostname = x.Text()
	}
	if q := n.Field("quantity"); q.Present() {
		quantity = readQuantity(q)
	} else if q.Given() {
		quantity = 0
	}
	n.Done()
	return hostname, quantity
}

func readQuantity(n *jsonbody.Value) int {
	return int(min(n.IntFrom(1), 1<<30)) // the service knows how many are too many
}

// maxParams is how many named values or build items may stand in one place. Each is
// compared with all others.
const maxParams = 256

// readParams reads named values, which may be strings, numbers or booleans, over
// those that there were; null takes one away.
func readParams(n *jsonbody.Value, was []models.Param) []models.Param {
	return readNamed(n, was, func(name string) string { return name })
}

// readNamed is readParams for values that may have further names: rename returns the one
// by which a value is known.
func readNamed(n *jsonbody.Value, was []models.Param, rename func(string) string) []models.Param {
	switch {
	case !n.Given():
		return was
	case !n.Present():
		return nil
	}
	n.Unpack()
	if count := len(n.Keys()); count > maxParams {
		n.Complain("has %d values; at most %d can be given", count, maxParams)
		return was
	}
	out := slices.Clone(was)
	said := map[string]string{}
	for _, key := range n.Keys() {
		x := n.At(key)
		name := rename(key)
		if twin, twice := said[models.InputKey(name)]; twice {
			x.Complain("says again what %s said", twin)
		}
		said[models.InputKey(name)] = key
		if len(key) > 128 {
			x.Complain("has a name of more than 128 bytes")
		}
		i := slices.IndexFunc(out, func(p models.Param) bool { return models.InputKey(p.Name) == models.InputKey(name) })
		if x.Null() {
			if i >= 0 {
				out = slices.Delete(out, i, i+1)
			}
			continue
		}
		p := models.Param{Name: name, Value: readParam(x)}
		if i >= 0 {
			out[i] = p
		} else {
			out = append(out, p)
		}
	}
	return out
}

// overlaid returns params with those of over in their place or behind them.
func overlaid(params, over []models.Param) []models.Param {
	for _, x := range over {
		i := slices.IndexFunc(params, func(p models.Param) bool { return models.InputKey(p.Name) == models.InputKey(x.Name) })
		if i < 0 {
			params = append(params, x)
		} else {
			params[i] = x
		}
	}
	return params
}

func readParam(n *jsonbody.Value) string {
	if !n.IsObject() {
		return n.Text()
	}
	v := n.Ref()
	if v == "" {
		n.Complain("is an object; a value or a link is needed")
	}
	return v
}

func readProv(n *jsonbody.Value, refs *resource.Refs, d models.ProvItem) *models.ProvItem {
	d.EnvironmentID = readOptional(n.Field("environment"), refs, "environments", d.EnvironmentID)
	d.OSBuildID = readOptional(n.Field("os-build"), refs, "os-builds", d.OSBuildID)
	d.Hostname, d.Quantity = readAttributes(n.Field("attributes"), d.Hostname, d.Quantity)
	// Forms can only send these side by side.
	if x := n.Field("hostname"); x.Given() {
		d.Hostname = x.Text()
	}
	if x := n.Field("quantity"); x.Present() {
		d.Quantity = readQuantity(x)
	}
	d.Quantity = max(d.Quantity, 1)
	d.Parameters = overlaid(readParams(n.Field("parameters"), d.Parameters), flatParams(n, provInputs()))
	if x := n.Field("preconfigurations"); x.Given() {
		d.Preconfigurations = readNames(x)
	}
	if x := n.Field("applications"); x.Given() {
		d.Applications = nil
		for _, ref := range x.List() {
			d.Applications = append(d.Applications, idOf(ref.Ref()))
		}
	}
	return &d
}

// readNames reads names from an array, or from the members of an object, as which some
// clients send them.
func readNames(n *jsonbody.Value) []string {
	if !n.IsObject() {
		return n.Texts()
	}
	return slices.Clone(n.Keys())
}

// idOf returns the last segment of an href, which is an id, and any other reference as
// it is.
func idOf(ref string) string {
	ref = strings.TrimRight(ref, "/")
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// The size of a disk after a change, and what CloudBolt's clients call it.
const (
	diskSize    = "disk_size"
	newDiskSize = "new_disk_size"
)

// readModParams reads the parameters of a change over those that there were: those of the
// member parameters, and those that stand beside it.
func readModParams(n *jsonbody.Value, was []models.Param) []models.Param {
	name := func(name string) string {
		if models.InputKey(name) == newDiskSize {
			return diskSize
		}
		return name
	}
	return overlaid(readNamed(n.Field("parameters"), was, name), flatParams(n, order.ModInputs()))
}

func readMod(n *jsonbody.Value, refs *resource.Refs, d models.ModItem) *models.ModItem {
	d.ServerID = readRequired(n.Field("server"), refs, "servers", d.ServerID)
	d.EnvironmentID = readOptional(n.Field("environment"), refs, "environments", d.EnvironmentID)
	d.Parameters = readModParams(n, d.Parameters)
	if x := n.Field("disk-uuid"); x.Given() {
		d.DiskUUID = x.Text()
	}
	return &d
}

func readDecom(n *jsonbody.Value, refs *resource.Refs, d models.DecomItem) *models.DecomItem {
	d.EnvironmentID = readOptional(n.Field("environment"), refs, "environments", d.EnvironmentID)
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
	h := basePath + "/" + plural + "/" + id.String()
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
		{Name: itemArguments, Value: hal.Object(args)},
		{Name: "resource-name", Value: hal.String(d.Name)},
		{Name: "service-name", Value: hal.String(d.Name)},
	}
	if d.EnvironmentID != 0 {
		props = append(props, hal.Prop{Name: "environment", Value: href("environments", d.EnvironmentID)})
	}
	given := hal.Prop{Name: "resource-parameters", Value: params(d.Parameters)}
	if len(d.Parameters) == 0 {
		given.Only = hal.InCloudBolt // whose clients read it always
	}
	return append(props, given)
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
