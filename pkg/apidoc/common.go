package apidoc

import "halcyon/pkg/schema"

// Common returns the schemas that all documents share: links, forms, problems, and
// how bodies name other resources.
func Common() schema.Object {
	text := schema.String()
	linkMembers := schema.Of(
		"href", schema.Of("type", "string", "format", "uri-reference", "minLength", 1), "title", text, "name", text, "type", text,
		"profile", text, "deprecation", text, "templated", schema.Boolean(), "hreflang", text)
	option := schema.Struct(schema.M("prompt", text), schema.M("value", text), schema.M("for?", text.Doc("Values of the property group that it goes with, separated by spaces; none for all.")))
	property := schema.Struct(
		schema.M("name", text), schema.M("prompt?", text), schema.M("type?", text), schema.M("required?", schema.Boolean()),
		schema.M("readOnly?", schema.Boolean()), schema.M("value?", text), schema.M("placeholder?", text), schema.M("regex?", text),
		schema.M("min?", bound()), schema.M("max?", bound()), schema.M("minLength?", schema.Integer()), schema.M("maxLength?", schema.Integer()),
		schema.M("options?", schema.Struct(
			schema.M("inline?", schema.Array(option)), schema.M("link?", schema.Ref("Link")), schema.M("promptField?", text), schema.M("valueField?", text),
			schema.M("maxItems?", schema.Integer()), schema.M("minItems?", schema.Integer()), schema.M("selectedValues?", schema.Array(text)),
		)),
	)
	return schema.Of(
		"Link", schema.Closed(linkMembers, []string{"href"}).Doc("A link of HAL. When templated is true the href is an RFC 6570 template."),
		"ExtendedLink", schema.Of("type", "object", "properties", linkMembers, "required", []string{"href"}).Doc("A link of HAL with members of its own."),
		"Curies", schema.Array(schema.Struct(
			schema.M("name", text), schema.M("href", schema.Like(`\{rel\}`)), schema.M("templated", schema.Of("const", true)), schema.M("title?", text),
		)).Doc("Where the documentation of relations is whose names have a prefix."),
		"Actions", schema.Array(schema.Of("type", "object",
			"properties", schema.Of("href", text, "name", text, "title", text), "required", []string{"href", "name"},
			"additionalProperties", schema.Ref("Link"))).Doc("What the caller may do now, again, as scripts look for it: links that hold a link under the action's name."),
		"Templates", schema.Map(schema.Struct(
			schema.M("title?", text), schema.M("method", schema.Enum("GET", "POST", "PUT", "PATCH", "DELETE")), schema.M("target?", text),
			schema.M("contentType?", text), schema.M("properties", schema.Array(property)),
		)).Doc("Forms of what the caller may do now, in application/prs.hal-forms+json alone."),
		"Links"+CloudBolt, schema.Map(schema.Either(schema.Of("type", "object"), schema.Array(schema.Any()))).Doc("Links, by names with underscores where that shape has them; a relation to nothing is {}."),
		"Entry"+CloudBolt, schema.Of("type", "object", "properties", schema.Of("_links", schema.Ref("Links"+CloudBolt)), "required", []string{"_links"}),
		"Document"+CloudBolt, schema.Of("type", "object").Doc("What the HAL document has, in the CloudBolt shape."),
		"Problem", schema.Struct(
			schema.M("type", schema.Of("type", "string", "format", "uri-reference").Doc("The page that explains this type of problem.")),
			schema.M("title", text.Doc("What this type is called.")), schema.M("status", status()),
			schema.M("detail", text.Doc("What is wrong this time, for people.")),
			schema.M("instance", schema.Of("type", "string", "format", "uri-reference").Doc("The path that was asked.")),
			schema.M("errors?", schema.Array(schema.Struct(
				schema.M("pointer", text.Doc("A JSON pointer into the body, or the name of a parameter or header.")), schema.M("reason", text),
			))),
			schema.M("status_code", status()), schema.M("error", text),
		).Doc("A problem (RFC 9457), with the members of the CloudBolt error as extensions."),
		"Problem"+CloudBolt, schema.Struct(schema.M("status_code", status()), schema.M("detail", text), schema.M("error", text)),
		"Ref", schema.Either(
			schema.Of("type", []string{"string", "integer", "null"}).Doc("A number, a global id, a uuid, an href with or without a host, or a name that is unique. Null and the empty text are none."),
			schema.Of("type", "object", "properties", schema.Of("href", text)).Doc("A link; {} is none."),
		).Doc("Another resource."),
		"YesOrNo", schema.Either(schema.Boolean(), schema.Of("enum", []any{"true", "false", "True", "False", "TRUE", "FALSE", "0", "1", "", 0, 1, nil})).Doc("A boolean, as clients write it."),
	)
}

func status() schema.Object {
	return schema.Of("type", "integer", "minimum", 400, "maximum", 599)
}

func bound() schema.Object { return schema.Of("type", []string{"number", "string"}) }
