// Package hal is the media type application/hal+json (draft-kelly-json-hal-11):
// documents, links, curies, embedded resources, templates, and an encoder that
// appends them to a byte slice in the order in which they were declared, without
// maps or reflection. The CloudBolt v2 shape is a second rendering of the same
// Document. The package knows no HTTP and no resource of Halcyon's.
package hal

// Document is one resource as a value, ready for any representation.
type Document struct {
	Links      []Rel      // self first
	Actions    []Action   // what may be done now, in both shapes' forms
	HasActions bool       // the resource has actions at all: an empty list is shown
	Props      []Prop     // in wire order
	Embedded   []Embedded // in wire order
	Templates  []Template // HAL-FORMS; left out of the other representations
}

// Rel is a link relation and its links.
//
// In strict HAL, Many decides once for all between an object and an array; a
// to-one relation without a link is left out. In the CloudBolt shape it is
// written {}, unless Optional. A link without an href counts as none.
//
// In the CloudBolt shape a relation with the prefix cb: is written under its
// Alias, or not at all. Curies are the encoder's and not declared.
type Rel struct {
	Name     string // hyphenated: "approved-by", "cb:filter"
	Alias    string // the CloudBolt shape's name, written beside Name when both differ and not ""
	Group    string // the CloudBolt shape nests this relation below that key: "log_urls"
	Many     bool
	Links    []Link
	Optional bool   // absent, not {}, in the CloudBolt shape when there is no link
	Only     Shapes // 0: in every representation
}

// Shapes is a set of representations.
type Shapes uint8

// The representations that a relation or a property can be limited to.
const (
	InHAL Shapes = 1 << iota
	InCloudBolt
)

// Link is a link object (HAL section 5).
type Link struct {
	Href        string
	Title       string
	Name        string
	Type        string
	Profile     string
	Deprecation string
	Templated   bool
	Extra       []Prop // further members, e.g. tier; none of the names above
}

// Action is an operation that the caller may run now.
//
// Strict HAL writes a relation of its own ("cb:submit") and an entry in the
// hybrid "actions" array; the CloudBolt shape writes {"submit": {href, title}}
// into its "actions" array.
type Action struct {
	Rel   string // "submit", "power-on": without the curie prefix
	Name  string // the key clients look for: "submit", "power_on", "Delete"; "": the Rel
	Href  string
	Title string
}

// Prop is a named member of a document or an object.
type Prop struct {
	Name  string
	Value Value
	Only  Shapes // 0: in every representation
}

// Embedded is one relation's embedded resources.
type Embedded struct {
	Rel  string
	Many bool // an array, also for one or none; strict HAL leaves out an empty to-one
	Docs []Document
}

// Template is a HAL-FORMS template.
type Template struct {
	Key         string // "default" (also for "") or the action's rel
	Title       string
	Method      string // "": GET
	Target      string // "": the document's self
	ContentType string // "": application/json
	Properties  []TemplateProperty
}

// TemplateProperty is one field of a template.
type TemplateProperty struct {
	Name                 string
	Prompt               string
	Type                 string // an HTML input type: text, number, date, hidden, …; choices are text with Options
	Required             bool
	ReadOnly             bool
	Value                string
	Regex                string
	Min, Max             string // numbers are written as numbers, dates as strings
	MinLength, MaxLength int    // characters; 0 is no limit
	Placeholder          string
	Options              []Option // inline choices …
	OptionsLink          Link     // … or a collection to choose from
	PromptField          string   // with OptionsLink: the member of each item to show, "name"
	ValueField           string   // with OptionsLink: the member of each item to send, "id"
	Multiple             bool
	Selected             []string // with Multiple: what is chosen already, in place of Value
}

// Option is one choice of a property. Without a Prompt the Value is shown. For are the
// values of the property group that it goes with, separated by spaces; "" for all.
type Option struct{ Prompt, Value, For string }
