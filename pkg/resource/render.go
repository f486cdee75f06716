package resource

import (
	"context"
	"slices"
	"strings"
	"sync"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// Arena holds reusable buffers for one document at a time. The zero value is an
// empty one.
type Arena struct {
	docs  []hal.Document
	rels  []hal.Rel
	props []hal.Prop
	links []hal.Link
}

var arenas = sync.Pool{New: func() any { return new(Arena) }}

// NewArena returns an arena from the pool. Call Release after encoding.
func NewArena() *Arena { return arenas.Get().(*Arena) }

// Release empties the arena and returns it to the pool. Its document is invalid afterwards.
func (s *Arena) Release() {
	if cap(s.props) > 1<<13 {
		return // too large to keep: a page with all attributes
	}
	s.docs, s.rels, s.props, s.links = wiped(s.docs), wiped(s.rels), wiped(s.props), wiped(s.links)
	arenas.Put(s)
}

func wiped[T any](list []T) []T {
	clear(list)
	return list[:0]
}

// cut returns n empty elements, reusing the capacity of the list if it is large enough.
func cut[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	return list[:n]
}

// Item returns a row's document as the actor sees it. It is built in the arena.
func (r *Registry) Item(ctx context.Context, a access.Actor, d *Def, row any, on *Arena) (*hal.Document, error) {
	self := hal.Link{Href: d.Href(d.key(row).ID), Title: d.title(row)}
	rels := len(d.Relations) + len(d.Subs) + 4
	on.rels, on.props, on.links = cut(on.rels, rels), cut(on.props, len(d.Fields)), cut(on.links, rels)
	doc := &hal.Document{Links: on.rels[:0], Props: on.props[:0], HasActions: len(d.Actions) > 0}
	actions, err := d.ActionsOn(ctx)
	if err != nil {
		return nil, err
	}
	to := single{links: on.links[:0]}
	doc.Links = append(doc.Links, hal.Rel{Name: "self", Links: to.one(self)})
	if err := r.relations(ctx, a, d, row, doc, &to); err != nil {
		return nil, err
	}
	for _, s := range d.Subs {
		if s.Rel != "" && (s.Can == nil || s.Can(a, row) == nil) {
			doc.Links = append(doc.Links, hal.Rel{Name: s.Rel, Alias: s.Alias, Optional: true, Links: to.one(hal.Link{Href: strings.TrimSuffix(self.Href, "/") + "/" + s.Path + "/", Title: s.Title(row)})})
		}
	}
	if d.Export != nil && d.CanUpdate(a, row) == nil {
		doc.Links = append(doc.Links, hal.Rel{Name: "cb:export", Optional: true, Links: to.one(hal.Link{
			Href: strings.TrimSuffix(self.Href, "/") + "/export/", Title: "Export '" + self.Title + "'", Type: "application/zip",
		})})
	}
	doc.Links = append(doc.Links,
		hal.Rel{Name: "collection", Only: hal.InHAL, Links: to.one(hal.Link{Href: d.path, Title: "List of " + d.Noun})},
		hal.Rel{Name: "describedby", Only: hal.InHAL, Links: to.one(d.itemSchema)})
	for _, x := range actions {
		if x.Can(a, row) != nil {
			continue
		}
		if doc.Actions == nil {
			doc.Actions = make([]hal.Action, 0, len(actions))
		}
		doc.Actions = append(doc.Actions, x.link(self))
	}
	for _, f := range d.Fields {
		if f.OnDemand || f.hidden || f.listOnly || f.see != nil && !f.see(a, row) {
			continue
		}
		v := f.value(row)
		if f.fetch != nil {
			var err error
			if v, err = f.fetch(ctx, a, row); err != nil {
				return nil, err
			}
		}
		if f.omit && v.Kind() == hal.KindNull {
			continue
		}
		doc.Props = append(doc.Props, hal.Prop{Name: f.Name, Value: v})
	}
	return doc, nil
}

// SchemasPath is the path of the schemas of documents, below the base.
const SchemasPath = "/docs/schemas/"

// schemaLink returns the link to the JSON Schema of a document: under the resource's name for an item,
// under its plural for a page.
func schemaLink(base, name string) hal.Link {
	return hal.Link{Href: base + SchemasPath + name, Title: "Schema", Type: "application/schema+json"}
}

// single makes slices of one link each, with one allocation for many.
type single struct{ links []hal.Link }

func (s *single) one(l hal.Link) []hal.Link {
	s.links = append(s.links, l)
	n := len(s.links)
	return s.links[n-1 : n : n]
}

func (x *ActionDef) link(self hal.Link) hal.Action {
	href := strings.TrimSuffix(self.Href, "/") + "/actions/" + x.Path
	if x.Slash {
		href += "/"
	}
	return hal.Action{Rel: x.Rel, Name: x.Name, Href: href, Title: x.Title + " '" + self.Title + "'"}
}

// relations adds the links of one row, each target only if the actor sees it.
func (r *Registry) relations(ctx context.Context, a access.Actor, d *Def, row any, doc *hal.Document, to *single) error {
	one := r.resolver(ctx, a)
	for _, rel := range d.Relations {
		if rel.target != nil && !rel.Many {
			one.want(rel.target, rel.id(row))
		}
	}
	if err := one.fetch(); err != nil {
		return err
	}
	first := len(doc.Links)
	for _, rel := range d.Relations {
		x := rel.form()
		switch {
		case rel.guard != nil && rel.guard(a, row) != nil:
		case rel.link != nil:
			if l, ok := rel.link(r.base, row); ok {
				x.Links = to.one(l)
			}
		case !rel.Many:
			if l, ok := one.link(rel.target, rel.id(row)); ok {
				x.Links = to.one(l)
			}
		}
		doc.Links = append(doc.Links, x)
	}
	one.release() // before the next query
	for i, rel := range d.Relations {
		if !rel.Many {
			continue
		}
		rows, known := []any(nil), false
		if rel.known != nil {
			rows, known = rel.known(a, row)
		}
		if !known {
			var err error
			if rows, err = rel.target.related(r.store.Read(ctx), a, d, rel, d.key(row).ID); err != nil {
				return err
			}
		}
		x := &doc.Links[first+i]
		x.Links = make([]hal.Link, 0, len(rows))
		for _, t := range rows {
			l := hal.Link{Href: rel.target.Href(rel.target.key(t).ID), Title: rel.target.title(t)}
			if rel.extra != nil {
				l.Extra = rel.extra(t)
			}
			x.Links = append(x.Links, l)
		}
	}
	return nil
}

func (rel *RelationDef) form() hal.Rel {
	return hal.Rel{Name: rel.Rel, Alias: rel.Alias, Group: rel.Group, Many: rel.Many, Optional: rel.optional}
}

// related reads the rows that a to-many relation leads to from one row.
func (d *Def) related(tx *store.Tx, a access.Actor, from *Def, rel *RelationDef, id models.ID) ([]any, error) {
	visible := access.Visible(d.Entity.Table, a, "t")
	columns := qualify(append(d.minimal(), rel.extraFrom...))
	// Ids are bound, not inlined: otherwise the database would plan a new statement for every row.
	if n := strings.Count(rel.ofID, "?"); rel.ofID != "" {
		args := make([]any, n)
		for i := range args {
			args[i] = int64(id)
		}
		return d.load(tx, columns, access.And(access.Where{SQL: rel.ofID, Args: args}, visible), "")
	}
	w := access.And(access.Where{SQL: "f.id = ?", Args: []any{int64(id)}}, visible)
	return d.load(tx, columns, w, "JOIN "+from.Entity.Table+" f ON "+rel.own.On("t", "f"))
}

// minimal returns the columns that a link to a row needs.
func (d *Def) minimal() []string {
	return append([]string{"id"}, d.titleFrom...)
}

func qualify(columns []string) []string {
	if columns == nil {
		return []string{"t.*"}
	}
	out := make([]string, 0, len(columns))
	for _, c := range columns {
		if c = "t." + c; !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// resolver finds the titles of many targets at once: with one query per table, and without any for tables
// in the cache of reference data.
type resolver struct {
	ctx    context.Context
	actor  access.Actor
	reg    *Registry
	wanted []wanted // of tables outside the cache of reference data
	kept   bool     // some targets are in the cache of reference data
	titles refdata.Titles
	held   bool
}

// wanted lists the targets in one table.
type wanted struct {
	def    *Def
	ids    []models.ID
	titles map[models.ID]string
}

func (r *Registry) resolver(ctx context.Context, a access.Actor) *resolver {
	return &resolver{ctx: ctx, actor: a, reg: r}
}

func (v *resolver) want(d *Def, id models.ID) {
	if id == 0 || d.Hidden(v.actor) {
		return
	}
	if refdata.Keeps(d.Entity.Table) {
		v.kept = true
		return
	}
	i := slices.IndexFunc(v.wanted, func(w wanted) bool { return w.def == d })
	if i < 0 {
		i = len(v.wanted)
		v.wanted = append(v.wanted, wanted{def: d})
	}
	v.wanted[i].ids = append(v.wanted[i].ids, id)
}

// fetch reads the titles. If it succeeds it may hold a lock on the cache of reference data, which link
// needs, until release.
func (v *resolver) fetch() error {
	for i := range v.wanted {
		x := &v.wanted[i]
		slices.Sort(x.ids)
		tx := v.reg.store.Read(v.ctx)
		w := access.And(query.ByIDs(tx, "t.id", slices.Compact(x.ids)), access.Visible(x.def.Entity.Table, v.actor, "t"))
		rows, err := x.def.load(tx, qualify(x.def.minimal()), w, "")
		if err != nil {
			return err
		}
		x.titles = make(map[models.ID]string, len(rows))
		for _, row := range rows {
			x.titles[x.def.key(row).ID] = x.def.title(row)
		}
	}
	if !v.kept {
		return nil
	}
	var err error
	v.titles, err = v.reg.refdata.Titles(v.ctx)
	v.held = err == nil
	return err
}

// release unlocks the cache of reference data. link finds nothing in it afterwards.
func (v *resolver) release() {
	if v.held {
		v.held = false
		v.titles.Release()
	}
}

// link returns the link to a wanted row, if the actor sees it.
func (v *resolver) link(d *Def, id models.ID) (hal.Link, bool) {
	if id == 0 || d.Hidden(v.actor) {
		return hal.Link{}, false
	}
	title, ok := "", false
	if refdata.Keeps(d.Entity.Table) {
		if v.held {
			title, ok = v.titles.Title(v.actor, d.Entity.Table, id)
		}
	} else if i := slices.IndexFunc(v.wanted, func(w wanted) bool { return w.def == d }); i >= 0 {
		title, ok = v.wanted[i].titles[id]
	}
	if !ok {
		return hal.Link{}, false
	}
	return hal.Link{Href: d.Href(id), Title: title}, true
}

// Page is the position of a page in a list.
type Page struct {
	Path  string // path of the collection; "" for the resource's own
	Title string // whole title, if it is not "List of … - Page …"
	Noun  string // noun in the title, if it is not the resource's
	Keep  string // further parameters of the query string that links repeat, encoded
}

// listColumns returns the columns that the short form of a row needs, given the requested attributes.
func (d *Def) listColumns(q query.Query) []string {
	cols := append([]string{"id"}, d.titleFrom...)
	for _, f := range d.Fields {
		if f.Listed {
			cols = append(cols, f.reads...)
		}
	}
	for _, at := range q.Attributes {
		if f := d.field(at.Path[0]); f != nil && len(at.Path) == 1 {
			cols = append(cols, f.reads...)
			if len(f.reads) == 0 {
				return nil // unknown columns: read all
			}
		} else if rel := d.relation(at.Path[0]); rel != nil && rel.own.Column != "" {
			cols = append(cols, rel.own.Column)
		}
	}
	slices.Sort(cols)
	return slices.Compact(cols)
}

// Attribute reports whether attributes= accepts a path: a field, a to-one relation, or a field behind one.
func (d *Def) Attribute(a access.Actor, path []string) bool {
	if f := d.field(path[0]); f != nil && len(path) == 1 {
		return !f.hidden && f.fetch == nil && (f.scope == nil || f.scope(a, query.Root).SQL != access.None.SQL)
	}
	rel := d.relation(path[0])
	if rel == nil || rel.target == nil || rel.Many || rel.target.Hidden(a) {
		return false
	}
	return len(path) == 1 || rel.target.Attribute(a, path[1:])
}

// List returns a page of rows in their short form. It is built in the arena.
func (r *Registry) List(ctx context.Context, a access.Actor, d *Def, p Page, q query.Query, rows Rows, on *Arena) (*hal.Document, error) {
	// All members of the documents come from a few slices, each with capacity for the attributes.
	fields, rels := 0, 1
	for _, f := range d.Fields {
		if f.Listed {
			fields++
		}
	}
	for _, at := range q.Attributes {
		if len(at.Path) == 1 && d.field(at.Path[0]) == nil {
			rels++
		} else {
			fields++
		}
	}
	n := len(rows.Rows)
	on.docs, on.rels, on.props, on.links = cut(on.docs, n), cut(on.rels, n*rels), cut(on.props, n*fields), cut(on.links, n*rels)
	docs, links, props := on.docs, on.rels, on.props
	self := single{links: on.links[:0]}
	for i, row := range rows.Rows {
		doc := &docs[i]
		doc.Links = append(links[i*rels:i*rels:(i+1)*rels], hal.Rel{
			Name: "self", Links: self.one(hal.Link{Href: d.Href(d.key(row).ID), Title: d.title(row)}),
		})
		doc.Props = props[i*fields : i*fields : (i+1)*fields]
		for _, f := range d.Fields {
			if f.Listed && (f.see == nil || f.see(a, row)) {
				doc.Props = append(doc.Props, hal.Prop{Name: f.Name, Value: f.value(row)})
			}
		}
	}
	if err := r.attributes(ctx, a, d, q, rows.Rows, docs, &self); err != nil {
		return nil, err
	}
	c := hal.Collection{
		Path: p.Path, Noun: p.Noun, Title: p.Title,
		Page: rows.Number, PageSize: rows.Size, Total: int(rows.Total),
		Keep: q.LinkParams, After: rows.Next, Before: rows.Prev, Rel: d.Plural, Docs: docs,
	}
	if p.Keep != "" {
		c.Keep = strings.TrimPrefix(c.Keep+"&"+p.Keep, "&")
	}
	if c.Path == "" {
		c.Path = d.path
	}
	if c.Noun == "" {
		c.Noun = d.Noun
	}
	doc := c.Document()
	doc.Links = append(doc.Links, hal.Rel{Name: "describedby", Only: hal.InHAL, Links: d.pageSchema})
	return &doc, nil
}

// attributes appends the requested attributes to the short documents: fields under the requested name,
// to-one relations as links.
func (r *Registry) attributes(ctx context.Context, a access.Actor, d *Def, q query.Query, rows []any, docs []hal.Document, to *single) error {
	for _, at := range q.Attributes {
		if d.listed(at.Asked) {
			continue // already there
		}
		if f := d.field(at.Path[0]); f != nil && len(at.Path) == 1 {
			if f.filled {
				if err := d.fill(ctx, a, rows); err != nil {
					return err
				}
			}
			for i, row := range rows {
				if f.see == nil || f.see(a, row) {
					docs[i].Props = append(docs[i].Props, hal.Prop{Name: at.Asked, Value: f.value(row)})
				}
			}
			continue
		}
		rel := d.relation(at.Path[0])
		if len(at.Path) == 1 {
			if err := r.attributeLinks(ctx, a, rel, rows, docs, to); err != nil {
				return err
			}
			continue
		}
		values, err := r.beyond(ctx, a, d, at.Path, rows)
		if err != nil {
			return err
		}
		for i := range rows {
			docs[i].Props = append(docs[i].Props, hal.Prop{Name: at.Asked, Value: values[i]})
		}
	}
	return nil
}

// listed reports whether the short form of a row has a member of this name.
func (d *Def) listed(name string) bool {
	return slices.ContainsFunc(d.Fields, func(f *FieldDef) bool { return f.Listed && f.Name == name })
}

func (r *Registry) attributeLinks(ctx context.Context, a access.Actor, rel *RelationDef, rows []any, docs []hal.Document, to *single) error {
	one := r.resolver(ctx, a)
	for _, row := range rows {
		one.want(rel.target, rel.id(row))
	}
	if err := one.fetch(); err != nil {
		return err
	}
	defer one.release()
	for i, row := range rows {
		x := rel.form()
		if l, ok := one.link(rel.target, rel.id(row)); ok {
			x.Links = to.one(l)
		}
		docs[i].Links = append(docs[i].Links, x)
	}
	return nil
}

// Append adds the requested attributes to the document of one row, under the requested names as in lists,
// unless they are already there.
func (r *Registry) Append(ctx context.Context, a access.Actor, d *Def, q query.Query, row any, doc *hal.Document) error {
	for _, at := range q.Attributes {
		shown := slices.ContainsFunc(doc.Props, func(p hal.Prop) bool { return p.Name == at.Asked }) ||
			slices.ContainsFunc(doc.Links, func(l hal.Rel) bool { return l.Name == at.Asked })
		if shown {
			continue
		}
		values, err := r.beyond(ctx, a, d, at.Path, []any{row})
		if err != nil {
			return err
		}
		doc.Props = append(doc.Props, hal.Prop{Name: at.Asked, Value: values[0]})
	}
	return nil
}

// beyond follows to-one relations and returns the value at the end of the path for each row, or null if the
// path ends early. It takes one query per hop.
func (r *Registry) beyond(ctx context.Context, a access.Actor, d *Def, path []string, rows []any) ([]hal.Value, error) {
	values := make([]hal.Value, len(rows))
	if f := d.field(path[0]); f != nil && len(path) == 1 {
		if f.filled {
			if err := d.fill(ctx, a, rows); err != nil {
				return nil, err
			}
		}
		for i, row := range rows {
			if row != nil && (f.see == nil || f.see(a, row)) {
				values[i] = f.value(row)
			}
		}
		return values, nil
	}
	rel := d.relation(path[0])
	if len(path) == 1 {
		one := r.resolver(ctx, a)
		for _, row := range rows {
			if row != nil {
				one.want(rel.target, rel.id(row))
			}
		}
		if err := one.fetch(); err != nil {
			return nil, err
		}
		defer one.release()
		for i, row := range rows {
			if row == nil {
				continue
			}
			if l, ok := one.link(rel.target, rel.id(row)); ok {
				values[i] = hal.LinkValue(l)
			}
		}
		return values, nil
	}
	t := rel.target
	var ids []models.ID
	for _, row := range rows {
		if row != nil {
			if id := rel.id(row); id != 0 {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 || t.Hidden(a) {
		return values, nil
	}
	slices.Sort(ids)
	tx := r.store.Read(ctx)
	w := access.And(query.ByIDs(tx, "t.id", slices.Compact(ids)), access.Visible(t.Entity.Table, a, "t"))
	found, err := t.load(tx, qualify(t.listColumns(query.Query{Attributes: []query.Attribute{{Path: path[1:]}}})), w, "")
	if err != nil {
		return nil, err
	}
	byID := make(map[models.ID]any, len(found))
	for _, row := range found {
		byID[t.key(row).ID] = row
	}
	next := make([]any, len(rows))
	for i, row := range rows {
		if row != nil {
			next[i] = byID[rel.id(row)]
		}
	}
	return r.beyond(ctx, a, t, path[1:], next)
}

// ListOptions returns the options that a list query of the resource needs.
func (d *Def) ListOptions(q query.Query) []query.ListOption {
	if cols := d.listColumns(q); cols != nil {
		return []query.ListOption{query.Columns(cols...)}
	}
	return nil
}
