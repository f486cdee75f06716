package resource

import (
	"context"
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/directory"
	"halcyon/pkg/query"
	"halcyon/pkg/store"
)

// Item gives a row's document as the actor sees it.
func (r *Registry) Item(ctx context.Context, a access.Actor, d *Def, row any) (*hal.Document, error) {
	self := hal.Link{Href: d.Href(d.key(row).ID), Title: d.title(row)}
	doc := &hal.Document{
		Links:      make([]hal.Rel, 0, len(d.Relations)+len(d.Subs)+1),
		Props:      make([]hal.Prop, 0, len(d.Fields)),
		HasActions: len(d.Actions) > 0,
	}
	doc.Links = append(doc.Links, hal.Rel{Name: "self", Links: []hal.Link{self}})
	links, err := r.relations(ctx, a, d, row)
	if err != nil {
		return nil, err
	}
	doc.Links = append(doc.Links, links...)
	for _, s := range d.Subs {
		if s.Rel != "" {
			doc.Links = append(doc.Links, hal.Rel{Name: s.Rel, Alias: s.Alias, Optional: true, Links: []hal.Link{{Href: strings.TrimSuffix(self.Href, "/") + "/" + s.Path + "/", Title: s.Title(row)}}})
		}
	}
	doc.Links = append(doc.Links, hal.Rel{Name: "collection", Only: hal.InHAL, Links: []hal.Link{{Href: d.path, Title: "List of " + d.Noun}}})
	for _, x := range d.Actions {
		if x.Can(a, row) != nil {
			continue
		}
		doc.Actions = append(doc.Actions, x.link(self))
	}
	for _, f := range d.Fields {
		if f.OnDemand || f.hidden || f.listOnly || f.see != nil && !f.see(a, row) {
			continue
		}
		v := f.value(row)
		if f.omit && v.Kind() == hal.KindNull {
			continue
		}
		doc.Props = append(doc.Props, hal.Prop{Name: f.Name, Value: v, Only: f.only})
	}
	return doc, nil
}

func (x *ActionDef) link(self hal.Link) hal.Action {
	href := strings.TrimSuffix(self.Href, "/") + "/actions/" + x.Path
	if x.Slash {
		href += "/"
	}
	return hal.Action{Rel: x.Rel, Name: x.Name, Href: href, Title: x.Title + " '" + self.Title + "'"}
}

// relations gives the links of one row, each target only if the actor sees it.
func (r *Registry) relations(ctx context.Context, a access.Actor, d *Def, row any) ([]hal.Rel, error) {
	var out []hal.Rel
	one := r.resolver(ctx, a)
	for _, rel := range d.Relations {
		if rel.target != nil && !rel.Many && !rel.hidden {
			one.want(rel.target, rel.id(row))
		}
	}
	if err := one.fetch(); err != nil {
		return nil, err
	}
	for _, rel := range d.Relations {
		if rel.hidden {
			continue
		}
		x := rel.form()
		switch {
		case rel.link != nil:
			if l, ok := rel.link(r.base, row); ok {
				x.Links = []hal.Link{l}
			}
		case rel.Many:
			rows, err := rel.target.related(r.store.Read(ctx), a, d, rel, d.key(row).ID)
			if err != nil {
				return nil, err
			}
			x.Links = make([]hal.Link, 0, len(rows))
			for _, t := range rows {
				l := hal.Link{Href: rel.target.Href(rel.target.key(t).ID), Title: rel.target.title(t)}
				if rel.extra != nil {
					l.Extra = rel.extra(t)
				}
				x.Links = append(x.Links, l)
			}
		default:
			if l, ok := one.link(rel.target, rel.id(row)); ok {
				x.Links = []hal.Link{l}
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (rel *RelationDef) form() hal.Rel {
	return hal.Rel{Name: rel.Rel, Alias: rel.Alias, Group: rel.Group, Many: rel.Many, Optional: rel.optional}
}

// related reads the rows that a to-many relation ties to one row.
func (d *Def) related(tx *store.Tx, a access.Actor, from *Def, rel *RelationDef, id models.ID) ([]any, error) {
	join := strings.NewReplacer("{to}", "t", "{from}", "f").Replace(rel.Join)
	w := access.And(access.Where{SQL: "f.id = " + id.String()}, access.Visible(d.Table, a, "t"))
	return d.load(tx, qualify(append(d.minimal(), rel.extraFrom...)), w, "JOIN "+from.Table+" f ON "+join)
}

// minimal gives the columns that a link to a row needs.
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

// resolver finds the titles of many targets at once: one query for each table,
// and none for those that the directory keeps.
type resolver struct {
	ctx    context.Context
	actor  access.Actor
	reg    *Registry
	wanted map[*Def][]models.ID
	rows   map[*Def]map[models.ID]string
}

func (r *Registry) resolver(ctx context.Context, a access.Actor) *resolver {
	return &resolver{ctx: ctx, actor: a, reg: r}
}

func (v *resolver) want(d *Def, id models.ID) {
	if id == 0 || d.Hidden != nil && d.Hidden(v.actor) {
		return
	}
	if v.wanted == nil {
		v.wanted = map[*Def][]models.ID{}
	}
	v.wanted[d] = append(v.wanted[d], id)
}

func (v *resolver) fetch() error {
	v.rows = make(map[*Def]map[models.ID]string, len(v.wanted))
	var kept []*Def
	for d, ids := range v.wanted {
		if directory.Keeps(d.Table) {
			kept = append(kept, d)
			continue
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		w := access.And(access.In("t.id", ids), access.Visible(d.Table, v.actor, "t"))
		rows, err := d.load(v.reg.store.Read(v.ctx), qualify(d.minimal()), w, "")
		if err != nil {
			return err
		}
		m := make(map[models.ID]string, len(rows))
		for _, row := range rows {
			m[d.key(row).ID] = d.title(row)
		}
		v.rows[d] = m
	}
	if len(kept) == 0 {
		return nil
	}
	titles, err := v.reg.dir.Titles(v.ctx)
	if err != nil {
		return err
	}
	defer titles.Release()
	for _, d := range kept {
		m := make(map[models.ID]string, len(v.wanted[d]))
		for _, id := range v.wanted[d] {
			if _, have := m[id]; have {
				continue
			}
			if t, ok := titles.Title(v.actor, d.Table, id); ok {
				m[id] = t
			}
		}
		v.rows[d] = m
	}
	return nil
}

func (v *resolver) link(d *Def, id models.ID) (hal.Link, bool) {
	title, ok := v.rows[d][id]
	if !ok {
		return hal.Link{}, false
	}
	return hal.Link{Href: d.Href(id), Title: title}, true
}

// Page says where a page of a list stands.
type Page struct {
	Path  string // of the collection; "" for the resource's own
	Title string // whole title, when it is not "List of … - Page …"
	Noun  string // in the title, when it is not the resource's
}

// Columns gives the columns that the short form of a row needs, given the
// attributes asked for.
func (d *Def) Columns(q query.Query) []string {
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
				return nil // it reads who knows what: everything
			}
		} else if rel := d.relation(at.Path[0]); rel != nil && rel.Column != "" {
			cols = append(cols, rel.Column)
		}
	}
	slices.Sort(cols)
	return slices.Compact(cols)
}

// Attribute reports whether a path can be asked for with attributes=: a field, a
// to-one relation, or a field beyond one.
func (d *Def) Attribute(a access.Actor, path []string) bool {
	if f := d.field(path[0]); f != nil && len(path) == 1 {
		return !f.hidden && (f.scope == nil || f.scope(a, query.Root).SQL != access.None.SQL)
	}
	rel := d.relation(path[0])
	if rel == nil || rel.target == nil || rel.Many || rel.target.Hidden != nil && rel.target.Hidden(a) {
		return false
	}
	return len(path) == 1 || rel.target.Attribute(a, path[1:])
}

// List gives a page of rows in their short form.
func (r *Registry) List(ctx context.Context, a access.Actor, d *Def, p Page, q query.Query, rows Rows) (*hal.Document, error) {
	docs := make([]hal.Document, len(rows.Rows))
	props := make([]hal.Prop, 0, len(rows.Rows)*4)
	links := make([]hal.Link, len(rows.Rows))
	rels := make([]hal.Rel, len(rows.Rows))
	for i, row := range rows.Rows {
		from := len(props)
		for _, f := range d.Fields {
			if f.Listed && (f.see == nil || f.see(a, row)) {
				props = append(props, hal.Prop{Name: f.Name, Value: f.value(row), Only: f.only})
			}
		}
		links[i] = hal.Link{Href: d.Href(d.key(row).ID), Title: d.title(row)}
		rels[i] = hal.Rel{Name: "self", Links: links[i : i+1 : i+1]}
		docs[i].Links = rels[i : i+1 : i+1]
		docs[i].Props = props[from:len(props):len(props)]
	}
	if err := r.attributes(ctx, a, d, q, rows.Rows, docs); err != nil {
		return nil, err
	}
	c := hal.Collection{
		Path: p.Path, Noun: p.Noun, Title: p.Title,
		Page: rows.Number, PageSize: rows.Size, Total: int(rows.Total),
		Keep: q.Kept, After: rows.Next, Before: rows.Prev, Rel: d.Plural, Docs: docs,
	}
	if c.Path == "" {
		c.Path = d.path
	}
	if c.Noun == "" {
		c.Noun = d.Noun
	}
	doc := c.Document()
	return &doc, nil
}

// attributes appends what attributes= asked for to the short documents: fields
// under the name that was asked, to-one relations as links.
func (r *Registry) attributes(ctx context.Context, a access.Actor, d *Def, q query.Query, rows []any, docs []hal.Document) error {
	for _, at := range q.Attributes {
		if f := d.field(at.Path[0]); f != nil && len(at.Path) == 1 {
			if f.Listed && at.Asked == f.Name {
				continue // it is there
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
			if err := r.attributeLinks(ctx, a, rel, rows, docs); err != nil {
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

func (r *Registry) attributeLinks(ctx context.Context, a access.Actor, rel *RelationDef, rows []any, docs []hal.Document) error {
	one := r.resolver(ctx, a)
	for _, row := range rows {
		one.want(rel.target, rel.id(row))
	}
	if err := one.fetch(); err != nil {
		return err
	}
	for i, row := range rows {
		x := rel.form()
		if l, ok := one.link(rel.target, rel.id(row)); ok {
			x.Links = []hal.Link{l}
		}
		docs[i].Links = append(docs[i].Links, x)
	}
	return nil
}

// beyond follows to-one relations and gives the value at the end of the path for
// each row, null where the way ends before: one query for each hop.
func (r *Registry) beyond(ctx context.Context, a access.Actor, d *Def, path []string, rows []any) ([]hal.Value, error) {
	values := make([]hal.Value, len(rows))
	if f := d.field(path[0]); f != nil && len(path) == 1 {
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
	if len(ids) == 0 || t.Hidden != nil && t.Hidden(a) {
		return values, nil
	}
	slices.Sort(ids)
	w := access.And(access.In("t.id", slices.Compact(ids)), access.Visible(t.Table, a, "t"))
	found, err := t.load(r.store.Read(ctx), qualify(t.Columns(query.Query{Attributes: []query.Attribute{{Path: path[1:]}}})), w, "")
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

// ListOptions gives what a list query of the resource needs beyond the query.
func (d *Def) ListOptions(q query.Query) []query.ListOption {
	if cols := d.Columns(q); cols != nil {
		return []query.ListOption{query.Columns(cols...)}
	}
	return nil
}
