package browse

import (
	"halcyon/hal"
)

// prop gives a member of a document, null when it has none of that name.
func prop(d *hal.Document, name string) hal.Value { return member(d.Props, name) }

func textOf(d *hal.Document, name string) string { return prop(d, name).Text() }

// oneLink gives the first link of a relation.
func oneLink(d *hal.Document, rel string) (hal.Link, bool) {
	for _, l := range linksOf(d, rel) {
		return l, l.Href != ""
	}
	return hal.Link{}, false
}

func embeddedOf(d *hal.Document, rel string) []hal.Document {
	for i := range d.Embedded {
		if d.Embedded[i].Rel == rel {
			return d.Embedded[i].Docs
		}
	}
	return nil
}

func template(d *hal.Document, key string) *hal.Template {
	for i := range d.Templates {
		if d.Templates[i].Key == key {
			return &d.Templates[i]
		}
	}
	return nil
}
