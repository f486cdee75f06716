package resource

import (
	"strings"

	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// defineHeadings records the columns of the HTML table of rows. A column such as owner.username is the
// relation, shown by the names of its rows.
func defineHeadings(d *Def, columns []string) {
	d.Headings = columns
	show := func(name string) {
		d.Shown = append(d.Shown, query.Attribute{Asked: name, Path: strings.Split(strings.ReplaceAll(name, "_", "-"), ".")})
	}
	for _, name := range columns {
		if rel, _, ok := strings.Cut(name, "."); ok && d.relation(rel) != nil {
			show(rel)
		}
		if !d.listed(name) {
			show(name)
		}
	}
}

// heads reports whether an HTML table of rows can have a column of this name: a member of the short form of
// a row, or an attribute that attributes= accepts from some caller.
func (d *Def) heads(name string) bool {
	return d.listed(name) || d.Attribute(access.System("check"), strings.Split(strings.ReplaceAll(name, "_", "-"), "."))
}

// ShownTo returns the attributes of the HTML table that the actor may request.
func (d *Def) ShownTo(a access.Actor) []query.Attribute {
	list := make([]query.Attribute, 0, len(d.Shown))
	for _, at := range d.Shown {
		if d.Attribute(a, at.Path) {
			list = append(list, at)
		}
	}
	return list
}

// Field returns the declaration of a member by its name in documents, or nil if documents show no such
// member.
func (d *Def) Field(name string) *FieldDef {
	for _, f := range d.Fields {
		if f.Name == name && !f.hidden {
			return f
		}
	}
	return nil
}

// Relation returns the declaration of a relation by its name, or nil.
func (d *Def) Relation(rel string) *RelationDef { return d.relation(rel) }

// Explains returns the documentation of a member of a body by its name, or "" if it is not declared.
func (d *Def) Explains(name string) string {
	for _, f := range d.Fields {
		if f.Name == name && f.Editable {
			return f.Doc
		}
	}
	if r := d.relation(name); r != nil {
		return r.Doc
	}
	return ""
}
