package resource

import (
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

// editKind is the kind of write that a body belongs to.
type editKind int

const (
	creating  editKind = iota // a new row
	patching                  // a merge patch (RFC 7396): null restores the default
	replacing                 // the complete new row
)

// edit holds the options of reading a body.
type edit struct {
	kind editKind
	row  any // the row to change
}

// edit reads a body into a function that changes the row. Every member must be an editable field or
// relation; creating and replacing need the required ones. A replacement may repeat the document unchanged:
// members that cannot be set must equal the current value, and a relation that is not a member is read from
// the links.
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

// unchanged reports whether the member equals the one in the row's document.
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

// Unchanged checks the members of a replacement that the caller does not read itself: a member of the row's
// document may repeat its value. It complains about any other value.
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

// replaceable reports whether the field returns to its default if a replacement omits it. Fields that the
// sender cannot have seen stay, such as a password.
func (f *FieldDef) replaceable(d *Def, r *Refs, row any) bool {
	if f.see != nil && !f.see(r.actor, row) {
		return false
	}
	return !f.hidden || d.relation(f.Name) != nil
}
