package browse

import (
	"halcyon/hal"
)

// prop returns a member of a document, null when there is none of that name.
func prop(d *hal.Document, name string) hal.Value { return member(d.Props, name) }

// textOf returns the text of a member, "" when it has none.
func textOf(d *hal.Document, name string) string { return prop(d, name).Text() }

// oneLink returns the first link of a relation and reports whether it has an address.
func oneLink(d *hal.Document, rel string) (hal.Link, bool) {
	for _, l := range linksOf(d, rel) {
		return l, l.Href != ""
	}
	return hal.Link{}, false
}

// embeddedOf returns the embedded documents of a relation.
func embeddedOf(d *hal.Document, rel string) []hal.Document {
	for i := range d.Embedded {
		if d.Embedded[i].Rel == rel {
			return d.Embedded[i].Docs
		}
	}
	return nil
}

// template returns the template with the key, nil when the document does not offer it.
func template(d *hal.Document, key string) *hal.Template {
	for i := range d.Templates {
		if d.Templates[i].Key == key {
			return &d.Templates[i]
		}
	}
	return nil
}
