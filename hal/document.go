// Package hal implements the media type application/hal+json (draft-kelly-json-hal-11):
// documents, links, curies, embedded resources, templates, and an encoder that appends
// them to a byte slice in declaration order, without maps or reflection. The shape of
// CloudBolt's v2 API is a second rendering of the same Document. The package knows
// neither HTTP nor any resource of Halcyon.
package hal

// Document is one resource as a value, independent of its representation.
type Document struct {
	Links      []Rel      // self first
	Actions    []Action   // operations that the caller may run now
	HasActions bool       // the resource type has actions: an empty list is written
	Props      []Prop     // in wire order
	Embedded   []Embedded // in wire order
	Templates  []Template // HAL-FORMS; left out of the other representations
}

// Rel is a link relation and its links.
// In strict HAL, Many alone decides between an array and an object, and a to-one relation without a link is left out. In the CloudBolt shape it is written as {}, unless Optional. A link without an href is ignored.
//
// In the CloudBolt shape a relation with the prefix cb: is written under its
// Alias, or left out. The encoder adds the curies.
type Rel struct {
	Name     string // hyphenated: "approved-by", "cb:filter"
	Alias    string // further name in the CloudBolt shape; "" for none
	Group    string // key below which the CloudBolt shape nests the relation: "log_urls"
	Many     bool
	Links    []Link
	Optional bool   // left out of the CloudBolt shape, rather than {}, without a link
	Only     Shapes // 0 is every representation
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
	Extra       []Prop // further members, such as tier; their names differ from those above
}

// Self returns the document's first self link, the zero Link when it has none.
func (d *Document) Self() Link {
	for i := range d.Links {
		if r := &d.Links[i]; r.Name == "self" && len(r.Links) > 0 {
			return r.Links[0]
		}
	}
	return Link{}
}

// Action is an operation that the caller may run now.
//
// Strict HAL writes a relation of its own ("cb:submit") and an entry in the
// hybrid "actions" array; the CloudBolt shape writes {"submit": {href, title}}
// into its "actions" array.
type Action struct {
	Rel   string // "submit", "power-on": without the curie prefix
	Name  string // key that clients look for: "submit", "power_on", "Delete"; "" is Rel
	Href  string
	Title string
}

// Prop is a named member of a document or an object.
type Prop struct {
	Name  string
	Value Value
	Only  Shapes // 0 is every representation
}

// Embedded holds the embedded resources of one relation.
type Embedded struct {
	Rel  string
	Many bool // written as an array, even if it has one item or no items
	Docs []Document
}

// Template is a HAL-FORMS template.
type Template struct {
	Key         string // "default" (or "") or the rel of an action
	Title       string
	Method      string // "" is GET
	Target      string // "" is the document's self
	ContentType string // "" is application/json
	Properties  []TemplateProperty
}

// TemplateProperty is one field of a template.
type TemplateProperty struct {
	Name                 string
	Prompt               string
	Type                 string // HTML input type: text, number, date, hidden, …; text also with Options
	Required             bool
	ReadOnly             bool
	Value                string
	Regex                string
	Min, Max             string // numbers or dates
	MinLength, MaxLength int    // in characters; 0 is unlimited
	Placeholder          string
	Options              []Option // inline choices …
	OptionsLink          Link     // … or a collection to choose from
	PromptField          string   // with OptionsLink: member of each item that is shown, "name"
	ValueField           string   // with OptionsLink: member of each item that is sent, "id"
	Multiple             bool
	Selected             []string // with Multiple: initial values, in place of Value
}

// Option is one option of a property. Without a Prompt the Value is shown. For lists the
// values of the form's property "group" with which the option can be chosen, separated by
// spaces; "" is every group.
type Option struct{ Prompt, Value, For string }
