package resource

import (
	"strings"

	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// defineHeadings notes what a person's table of rows shows. A column such as
// owner.username is the relation's, by what its rows are called.
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

// heads reports whether a table of rows can have a column of this name: what the
// short form of a row has, or what attributes= accepts from somebody.
func (d *Def) heads(name string) bool {
	return d.listed(name) || d.Attribute(access.System("check"), strings.Split(strings.ReplaceAll(name, "_", "-"), "."))
}

// ShownTo returns the attributes that a person's table has, of those that the actor may
// ask for.
func (d *Def) ShownTo(a access.Actor) []query.Attribute {
	list := make([]query.Attribute, 0, len(d.Shown))
	for _, at := range d.Shown {
		if d.Attribute(a, at.Path) {
			list = append(list, at)
		}
	}
	return list
}

// Field returns the declaration of a member by its name in documents, nil when there
// is none that documents show.
func (d *Def) Field(name string) *FieldDef {
	for _, f := range d.Fields {
		if f.Name == name && !f.hidden {
			return f
		}
	}
	return nil
}

// Relation returns the declaration of a relation by its name, nil when there is none.
func (d *Def) Relation(rel string) *RelationDef { return d.relation(rel) }

// Explains returns the documentation of what a body may hold by its name, "" for what
// is not declared.
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
