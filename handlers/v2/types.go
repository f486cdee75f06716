package v2

import (
	"strings"

	"halcyon/models"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/catalog"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
	"halcyon/pkg/schema"
)

// This file has the JSON schemas of the members that are written by hand, and of the
// bodies that are read by hand. The tests hold every answer and every
// request that was taken against it.

// paramsJSON are named values.
func paramsJSON() schema.Object { return schema.Map(schema.String()) }

func hrefJSON(plural string) schema.Object {
	return schema.Like("^"+basePath+"/"+plural+"/[0-9]+/?$").With("format", "uri-reference")
}

func linkJSON() schema.Object { return schema.Ref("Link") }

// inputsJSON are questions, of blueprints, actions and environments.
func inputsJSON() schema.Object {
	types := schema.Enum(
		string(models.InputText), string(models.InputInteger), string(models.InputBoolean), string(models.InputDate),
		string(models.InputMemory), string(models.InputOSBuild), string(models.InputSize))
	return schema.Array(schema.Struct(
		schema.M("name", schema.String()), schema.M("type", types),
		schema.M("label?", schema.String()), schema.M("description?", schema.String()),
		schema.M("required", schema.Boolean()), schema.M("default?", schema.String()),
		schema.M("options?", schema.Array(schema.String())),
		schema.M("minimum?", schema.Integer()), schema.M("maximum?", schema.Integer()),
		schema.M("pattern?", schema.String()),
	))
}

func buildItemsJSON() schema.Object {
	return schema.Array(schema.Struct(
		schema.M("name", schema.String()), schema.M("type", schema.String()), schema.M("quantity?", schema.Integer()),
		schema.M("action?", hrefJSON("actions")), schema.M("os-build?", hrefJSON("os-builds")), schema.M("perf-type?", hrefJSON("perf-types")),
		schema.M("hostname?", schema.String()), schema.M("environment?", hrefJSON("environments")),
		schema.M("parameters?", paramsJSON()),
	))
}

func templatesOfBuildJSON() schema.Object {
	return schema.Array(schema.Struct(
		schema.M("resource-handler", hrefJSON("resource-handlers")), schema.M("template", schema.String()),
	))
}

func progressJSON() schema.Object {
	return schema.Struct(
		schema.M("total-tasks", schema.Integer()), schema.M("completed", schema.Integer()),
		schema.M("messages", schema.Array(schema.String())),
	)
}

func jobTypesJSON() schema.Object {
	titles := make([]string, len(models.JobTypes))
	for i, t := range models.JobTypes {
		titles[i] = t.Title()
	}
	return schema.Enum(titles...)
}

func credentialsJSON() schema.Object {
	return schema.Struct(schema.M("username", schema.String()), schema.M("password", schema.String()), schema.M("key", schema.String()))
}

// disksJSON returns the schema of disks, each with a size like that.
func disksJSON(size schema.Object) schema.Object {
	return schema.Array(schema.Struct(
		schema.M("uuid", schema.String()), schema.M("disk-size", size), schema.M("name", schema.String()),
		schema.M("datastore", schema.String()), schema.M("provisioning-type", schema.String()),
	))
}

// networksJSON returns the schema of network cards, whose additional addresses are like more.
func networksJSON(more schema.Object) schema.Object {
	return schema.Array(schema.Struct(
		schema.M("name", schema.String()), schema.M("network", schema.String()), schema.M("mac", schema.String()),
		schema.M("ip", schema.String()), schema.M("private-ip", schema.String()),
		schema.M("additional-ips", more),
	))
}

func ratesJSON() schema.Object {
	return schema.Struct(
		schema.M("total", resource.RateJSON()), schema.M("hardware", resource.RateJSON()),
		schema.M("software", resource.RateJSON()), schema.M("extra", resource.RateJSON()),
	)
}

// amountJSON is the schema of an amount that a quota counts.
func amountJSON() schema.Object { return schema.Either(schema.Integer(), resource.RateJSON()) }

// itemMembers are the members of an item's document, by kind.
func itemMembers(kind models.ItemKind) []schema.Member {
	server := []schema.Member{
		schema.M("attributes", schema.Struct(schema.M("hostname?", schema.String()), schema.M("quantity?", schema.Integer()))),
		schema.M("environment?", hrefJSON("environments")), schema.M("os-build?", hrefJSON("os-builds")),
		schema.M("parameters", paramsJSON()),
	}
	switch kind {
	case models.ItemDeploy:
		return []schema.Member{
			schema.M("blueprint", hrefJSON("blueprints")),
			schema.M("blueprint-items-arguments", schema.Of("type", "object",
				"patternProperties", schema.Of("^"+buildItem, schema.Struct(server...)), "additionalProperties", false)),
			schema.M("resource-name", schema.String()), schema.M("service-name", schema.String()),
			schema.M("environment?", hrefJSON("environments")), schema.M("resource-parameters?", paramsJSON()),
		}
	case models.ItemProv:
		return append(server,
			schema.M("preconfigurations", schema.Array(schema.String())), schema.M("applications", schema.Array(schema.String())))
	case models.ItemMod:
		return []schema.Member{
			schema.M("environment?", hrefJSON("environments")), schema.M("server", hrefJSON("servers")),
			schema.M("parameters", paramsJSON()), schema.M("disk-uuid?", schema.String()), schema.M("delta", paramsJSON()),
		}
	case models.ItemDecom:
		return []schema.Member{
			schema.M("environment?", hrefJSON("environments")),
			schema.M("servers?", schema.Array(linkJSON())), schema.M("services?", schema.Array(linkJSON())),
		}
	case models.ItemScale:
		return []schema.Member{
			schema.M("service", hrefJSON("services")), schema.M("tier", schema.String()), schema.M("quantity", schema.Integer()),
			schema.M("parameters?", paramsJSON()), schema.M("delta", paramsJSON()),
		}
	case models.ItemAction:
		return []schema.Member{
			schema.M("server?", hrefJSON("servers")), schema.M("service?", hrefJSON("services")),
			schema.M("action", schema.Either(hrefJSON("server-actions"), hrefJSON("service-actions"))),
			schema.M("name", schema.String()), schema.M("parameters", paramsJSON()),
		}
	}
	return nil
}

// itemName names the schemas of a kind of item.
func itemName(k models.ItemKind) string {
	return strings.ToUpper(string(k[:1])) + string(k[1:]) + "Item"
}

func itemsJSON() schema.Object {
	members := make([]schema.Member, len(models.ItemKinds))
	for i, kind := range models.ItemKinds {
		members[i] = schema.M(itemMember(kind)+"?", schema.Array(schema.Struct(itemMembers(kind)...)))
	}
	return schema.Struct(members...)
}

// The rest are schemas of bodies. Refs are ids, hrefs or links, and words are
// texts, also written as numbers or booleans.

func refJSON() schema.Object { return schema.Ref("Ref") }

func countJSON() schema.Object {
	return schema.Of("type", []string{"integer", "string", "null"}, "minimum", 1, "maximum", catalog.MaxQuantity)
}

func yesJSON() schema.Object { return schema.Ref("YesOrNo") }

func valuesJSON() schema.Object {
	// A form carries it as a text that holds JSON.
	return schema.Of("type", []string{"object", "string", "null"}, "additionalProperties", schema.Either(apidoc.Word(), refJSON()))
}

func textsJSON() schema.Object {
	return schema.Either(schema.Array(apidoc.Word()), schema.String().Doc("The same with commas between."), schema.Of("type", "null"))
}

// namesJSON returns the schema of what readNames reads.
func namesJSON() schema.Object {
	return schema.Either(textsJSON(), schema.Of("type", "object").Doc("The names are its members."))
}

// itemBody returns the schema of the body of an item of a kind. Members of a PATCH may be
// missing; those that a new item needs are named in the documentation of the POST.
func itemBody(kind models.ItemKind) schema.Object {
	attributes := schema.Nullable(schema.Struct(schema.Optional("hostname", apidoc.Word(), "quantity", countJSON())...))
	shown := schema.Optional("rate", schema.Any(), "_links", schema.Any(), "delta", schema.Any())
	var own []schema.Member
	switch kind {
	case models.ItemDeploy:
		tier := schema.Nullable(schema.Struct(schema.Optional("environment", refJSON(), "os-build", refJSON(), "parameters", valuesJSON(), "attributes", attributes)...))
		own = schema.Optional("blueprint", refJSON(), "service-name", apidoc.WordUpTo(maxName), "resource-name", apidoc.WordUpTo(maxName), "environment", refJSON(),
			"resource-parameters", valuesJSON(), "parameters", valuesJSON(),
			"blueprint-items-arguments", schema.Of("type", []string{"object", "string", "null"}, "additionalProperties", tier))
	case models.ItemProv:
		own = schema.Optional("environment", refJSON(), "os-build", refJSON(), "attributes", attributes, "hostname", apidoc.Word(), "quantity", countJSON(),
			"parameters", valuesJSON(), "preconfigurations", namesJSON(), "applications", apidoc.References())
		own = append(own, inputMembers(provInputs())...)
	case models.ItemMod:
		own = schema.Optional("server", refJSON(), "environment", refJSON(), "parameters", valuesJSON(), "disk-uuid", apidoc.Word())
		own = append(own, modMembers()...)
	case models.ItemDecom:
		own = schema.Optional("environment", refJSON(), "servers", apidoc.References(), "services", apidoc.References(), "resources", apidoc.References())
	case models.ItemScale:
		own = append(schema.Optional("service", refJSON(), "resource", refJSON()), scaleMembers()...)
	case models.ItemAction:
		own = schema.Optional("server", refJSON(), "service", refJSON(), "resource", refJSON(), "action", refJSON(), "parameters", valuesJSON(), "name", schema.Any())
	}
	return schema.Struct(append(own, shown...)...)
}

func inputMembers(inputs []models.Input) []schema.Member {
	var list []schema.Member
	for i := range inputs {
		list = append(list, schema.M(inputs[i].Name+"?", schema.Either(apidoc.Word(), refJSON()).Doc(inputs[i].Label)))
	}
	return list
}

// modMembers are the parameters of a change that may stand beside the other members.
func modMembers() []schema.Member {
	return append(inputMembers(order.ModInputs()), schema.M(newDiskSize+"?", schema.Either(apidoc.Word(), refJSON()).Doc("The same as "+diskSize+".")))
}

func scaleMembers() []schema.Member {
	return schema.Optional("tier", apidoc.WordUpTo(maxName), "build-item", apidoc.WordUpTo(maxName), "quantity", countJSON(), "parameters", valuesJSON())
}

// cartMembers are the members of an order's body besides its items.
func cartMembers() []schema.Member {
	var items []schema.Member
	for _, kind := range models.ItemKinds {
		items = append(items, schema.M(itemMember(kind)+"?", schema.Nullable(schema.Array(schema.Ref(itemName(kind)+"Body")))))
	}
	return append(schema.Optional("name", apidoc.WordUpTo(maxName), "group", refJSON(), "recipient", refJSON()),
		schema.M("items?", schema.Nullable(schema.Struct(items...))))
}

func orderBody() schema.Object {
	return schema.Struct(append(cartMembers(), schema.Optional("owner", refJSON(), "submit-now", yesJSON())...)...)
}

// orderFormBody returns the schema of the flat form of a blueprint: the members of every
// form, and those of its build items and inputs.
func orderFormBody() schema.Object {
	known := schema.Struct(schema.Optional("name", apidoc.WordUpTo(maxName), "group", refJSON(), "recipient", refJSON(), "submit-now", yesJSON(),
		"service-name", apidoc.WordUpTo(maxName), "environment", refJSON(), "quantity", countJSON(), "hostname", apidoc.Word(), "os-build", refJSON())...)
	return known.With("additionalProperties", schema.Either(apidoc.Word(), refJSON()).Doc("What an input of the blueprint, or one of several build items, asks: the form of the blueprint names it."))
}

func modifyBody() schema.Object {
	return schema.Struct(append(schema.Optional("parameters", valuesJSON(), "disk-uuid", apidoc.Word()), modMembers()...)...)
}

func snapshotBody() schema.Object {
	return schema.Struct(schema.Optional("name", apidoc.WordUpTo(maxSnapshotName), "description", apidoc.WordUpTo(maxSnapshotText), "memory", yesJSON())...)
}

func extendBody() schema.Object {
	return schema.Struct(schema.Optional("expiration-date", apidoc.Word(), "days", schema.Of("type", []string{"integer", "string", "null"}, "minimum", 1), "power-on", yesJSON())...)
}

func importTemplateBody() schema.Object {
	return schema.Struct(schema.Optional("template", apidoc.Word(), "name", apidoc.Word(), "os-family", apidoc.Word(), "os-build", refJSON())...)
}

// runBody is the schema of the body of an administrator's action.
func runBody() schema.Object {
	return schema.Struct(schema.Optional("parameters", valuesJSON())...).
		With("additionalProperties", apidoc.Word().Doc("What an input of the action asks."))
}

// builtInsJSON are the built-in actions; a webhook is none of them.
func builtInsJSON() schema.Object {
	names := []string{""}
	for _, x := range models.BuiltIns {
		names = append(names, string(x))
	}
	return schema.Enum(names...)
}
