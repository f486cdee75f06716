package resource

import (
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

// editKind is what a body is meant to be.
type editKind int

const (
	creating  editKind = iota // a new row
	patching                  // a merge patch (RFC 7396): null goes back to the default
	replacing                 // the whole row as it shall be
)

// edit is how a body is read.
type edit struct {
	kind editKind
	row  any // that is changed
}

// edit reads a body into what changes a row. Every member must be an editable
// field or relation; creating and replacing ask for the required ones. Who
// replaces may send a document back as it came: what cannot be set has to be as
// it was, and a relation that is not a member is taken from the links.
func (d *Def) edit(n *jsonbody.Value, r *Refs, e edit) (func(row any), error) {
	var changes []func(any)
	linked := func(string) *jsonbody.Value { return &jsonbody.Value{} }
	if e.kind == replacing {
		links := n.Field("_links")
		linked = func(rel string) *jsonbody.Value { return links.Field(rel) }
		for _, shown := range []string{"_embedded", "_templates"} {
			n.Field(shown)
		}
	}
	for _, f := range d.Fields {
		x := n.Field(f.Name)
		if !f.Editable {
			if x.Given() && (e.kind != replacing || !f.unchanged(x, r, e.row)) {
				x.Complain("cannot be set")
			}
			continue
		}
		if !x.Given() && d.relation(f.Name) != nil {
			if l := linked(f.Name); l.Given() {
				x = l
			}
		}
		switch {
		case x.Given():
			if f.Required && !x.Present() {
				x.Complain("may not be empty")
				continue
			}
			changes = append(changes, f.set(x.Or(f.fallback), r))
		case e.kind != patching && f.Required:
			x.Complain("is required")
		case e.kind == replacing && f.replaceable(d, r, e.row):
			changes = append(changes, f.set(x.Or(f.fallback), r))
		}
	}
	for _, rel := range d.Relations {
		if rel.set == nil {
			continue
		}
		x := n.Field(rel.Rel)
		if !x.Given() {
			if l := linked(rel.Rel); l.Given() {
				x = l
			}
		}
		switch {
		case x.Present():
			id := r.ID(x, rel.target)
			changes = append(changes, func(row any) { rel.set(row, id) })
		case rel.Required && (e.kind != patching || x.Given()):
			x.Complain("is required")
		case x.Given(), e.kind == replacing:
			changes = append(changes, func(row any) { rel.set(row, 0) })
		}
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		e := fault.From(err)
		e.Detail = "Members: " + strings.Join(d.editable(), ", ") + "."
		return nil, e
	}
	return func(row any) {
		for _, c := range changes {
			c(row)
		}
	}, nil
}

// unchanged reports whether the member says what the row's document says.
func (f *FieldDef) unchanged(n *jsonbody.Value, r *Refs, row any) bool {
	if f.hidden || f.see != nil && !f.see(r.actor, row) {
		return false
	}
	v := f.value(row)
	if f.fetch != nil {
		var err error
		if v, err = f.fetch(r.ctx, r.actor, row); err != nil {
			return false
		}
	}
	return n.Same(v.AppendJSON(nil, hal.HAL))
}

// Unchanged reads the members of a replacement that a body of its own does not:
// what the row's document shows may come back as it was, and complains otherwise.
func (d *Def) Unchanged(n *jsonbody.Value, r *Refs, row any, except ...string) {
	for _, f := range d.Fields {
		if slices.Contains(except, f.Name) {
			continue
		}
		if x := n.Field(f.Name); x.Given() && !f.unchanged(x, r, row) {
			x.Complain("cannot be set")
		}
	}
	for _, shown := range []string{"_links", "_embedded", "_templates"} {
		n.Field(shown)
	}
}

// replaceable reports whether the field goes back to its default when a
// replacement does not mention it: what its sender cannot have seen stays, such as
// a password.
func (f *FieldDef) replaceable(d *Def, r *Refs, row any) bool {
	if f.see != nil && !f.see(r.actor, row) {
		return false
	}
	return !f.hidden || d.relation(f.Name) != nil
}
