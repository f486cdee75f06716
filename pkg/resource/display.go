package resource

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// Display is what the HTML page of a row shows in addition to its document. Other representations omit it.
type Display[T any] struct {
	Attributes []string  // on-demand attributes, as in attributes=: "owner.username"
	Lists      []Listing // embedded lists
	// Parts returns further documents to embed, made from the row; nil for none.
	Parts func(ctx context.Context, a access.Actor, row *T) ([]hal.Embedded, error)
}

// Listing is a list on the page of a row: one of its to-many relations or sub-collections.
type Listing struct {
	Rel   string
	Query string // query string of the list: "attributes=status&order=-id"
}

// DisplayDef is a Display without its row type.
type DisplayDef struct {
	Attributes []string
	Lists      []Listing
	parts      func(ctx context.Context, a access.Actor, row any) ([]hal.Embedded, error)
}

func defineDisplay[T any](d *Def, r Resource[T]) {
	if r.Display == nil {
		return
	}
	d.Display = &DisplayDef{Attributes: r.Display.Attributes, Lists: r.Display.Lists}
	if r.Display.Parts != nil {
		d.Display.parts = func(ctx context.Context, a access.Actor, row any) ([]hal.Embedded, error) {
			return r.Display.Parts(ctx, a, row.(*T))
		}
	}
}

// checkDisplay finds attributes and lists of a page that do not exist.
func (d *Def) checkDisplay() error {
	if d.Display == nil {
		return nil
	}
	for _, name := range d.Display.Attributes {
		path := strings.Split(name, ".")
		if rel := d.relation(path[0]); d.field(name) == nil && (rel == nil || rel.Many || rel.target == nil) {
			return fmt.Errorf("its page shows %s, which it does not have", name)
		}
	}
	for _, l := range d.Display.Lists {
		if t, _ := d.behind(l.Rel); t == nil {
			return fmt.Errorf("its page shows %s, which is no list of it", l.Rel)
		}
	}
	return nil
}

// Display adds the content of the row's HTML page to its document, as far as the actor sees it.
func (r *Registry) Display(ctx context.Context, a access.Actor, d *Def, row any, doc *hal.Document) error {
	x := d.Display
	if x == nil {
		return r.Name(ctx, a, doc)
	}
	var q query.Query
	for _, name := range x.Attributes {
		if path := strings.Split(name, "."); d.Attribute(a, path) {
			q.Attributes = append(q.Attributes, query.Attribute{Asked: name, Path: path})
		}
	}
	if err := r.Append(ctx, a, d, q, row, doc); err != nil {
		return err
	}
	for _, l := range x.Lists {
		if !d.opens(a, row, l.Rel) {
			continue
		}
		t, rows := d.behind(l.Rel)
		narrow, err := rows(ctx, row)
		if err != nil {
			return err
		}
		docs, _, err := r.Listed(ctx, a, t, l.Query, narrow)
		if err != nil {
			return err
		}
		doc.Embedded = append(doc.Embedded, hal.Embedded{Rel: l.Rel, Many: true, Docs: docs})
	}
	if x.parts != nil {
		parts, err := x.parts(ctx, a, row)
		if err != nil {
			return err
		}
		doc.Embedded = append(doc.Embedded, parts...)
	}
	return r.Name(ctx, a, doc)
}

// opens reports whether the actor may open a list below the row.
func (d *Def) opens(a access.Actor, row any, rel string) bool {
	for _, s := range d.Subs {
		if s.Rel == rel && s.Can != nil {
			return s.Can(a, row) == nil
		}
	}
	return true
}

// behind returns the resource of a to-many relation or a sub-collection, and the option that narrows it to
// a row. The resource is nil if there is no such list.
func (d *Def) behind(rel string) (*Def, func(ctx context.Context, row any) (query.ListOption, error)) {
	for _, s := range d.Subs {
		if s.Rel == rel {
			return s.target, s.Rows
		}
	}
	x := d.relation(rel)
	if x == nil || !x.Many || x.target == nil {
		return nil, nil
	}
	return x.target, func(_ context.Context, row any) (query.ListOption, error) {
		return query.Related(d.Entity, x.Of, d.key(row).ID), nil
	}
}

// Listed returns the short documents of a list for a query string, narrowed by the options, and the total.
// It ignores parameters that the actor may not use, and returns nothing if the whole collection is hidden
// from the actor.
func (r *Registry) Listed(ctx context.Context, a access.Actor, d *Def, raw string, narrow ...query.ListOption) ([]hal.Document, int64, error) {
	if d.Hidden(a) {
		return nil, 0, nil
	}
	q, err := query.Parse(raw, d.Schema, a, query.Options{Attribute: func(path []string) bool { return d.Attribute(a, path) }})
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", d.Plural, err)
	}
	rows, err := d.List(ctx, a, q, append(narrow, d.ListOptions(q)...)...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Release()
	doc, err := r.List(ctx, a, d, Page{}, q, rows, new(Arena))
	if err != nil {
		return nil, 0, err
	}
	return doc.Embedded[0].Docs, rows.Total, nil
}

// Name turns addresses in members of a document into links, with the titles of their targets, as far as the
// actor sees them.
func (r *Registry) Name(ctx context.Context, a access.Actor, doc *hal.Document) error {
	names := naming{r: r, one: r.resolver(ctx, a)}
	names.document(doc, names.want)
	if !names.wanted {
		return nil
	}
	if err := names.one.fetch(); err != nil {
		return err
	}
	defer names.one.release()
	names.document(doc, names.link)
	return nil
}

// naming finds the titles of addresses.
type naming struct {
	r      *Registry
	one    *resolver
	wanted bool
}

// document replaces each text in the document's members by the result of look.
func (n *naming) document(doc *hal.Document, look func(hal.Value) hal.Value) {
	props := slices.Clone(doc.Props)
	for i := range props {
		props[i].Value = rewritten(props[i].Value, look)
	}
	doc.Props = props
	for i := range doc.Embedded {
		for j := range doc.Embedded[i].Docs {
			n.document(&doc.Embedded[i].Docs[j], look)
		}
	}
}

func rewritten(v hal.Value, look func(hal.Value) hal.Value) hal.Value {
	switch v.Kind() {
	case hal.KindString:
		return look(v)
	case hal.KindList:
		list := make([]hal.Value, 0, v.Len())
		for x := range v.Items() {
			list = append(list, rewritten(x, look))
		}
		return hal.List(list)
	case hal.KindObject:
		props := slices.Clone(v.Props())
		for i := range props {
			props[i].Value = rewritten(props[i].Value, look)
		}
		return hal.Object(props)
	case hal.KindNull, hal.KindBool, hal.KindInt, hal.KindDecimal, hal.KindRaw, hal.KindLink:
	}
	return v
}

func (n *naming) want(v hal.Value) hal.Value {
	if d, id := n.r.rowAt(v.Text()); d != nil {
		n.one.want(d, id)
		n.wanted = true
	}
	return v
}

func (n *naming) link(v hal.Value) hal.Value {
	if d, id := n.r.rowAt(v.Text()); d != nil {
		if l, ok := n.one.link(d, id); ok {
			return hal.LinkValue(l)
		}
	}
	return v
}

// rowAt returns the resource and the id that an address refers to. The resource is nil if it refers to
// none.
func (r *Registry) rowAt(href string) (*Def, models.ID) {
	below, ok := strings.CutPrefix(href, r.base+"/")
	if !ok {
		return nil, 0
	}
	at := strings.LastIndexByte(strings.TrimSuffix(below, "/"), '/')
	if at < 0 {
		return nil, 0
	}
	id, err := strconv.ParseInt(strings.TrimSuffix(below[at+1:], "/"), 10, 64)
	if err != nil || id <= 0 {
		return nil, 0
	}
	path := href[:len(href)-len(below)+at+1]
	for _, d := range r.defs {
		if d.path == path {
			return d, models.ID(id)
		}
	}
	return nil, 0
}
