package resource

import (
	"context"
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
)

// embedLimit is the maximum number of resources of a to-many relation to embed in each document. It does
// not limit the links.
const embedLimit = 100

// Embed lists the relations with targets to embed.
type Embed []*RelationDef

// ParseEmbed reads the value of embed=: rels of the resource, separated by commas. The error for a rel that
// the caller does not know is Invalid and lists the known ones.
func (d *Def) ParseEmbed(a access.Actor, text string) (Embed, error) {
	var list Embed
	for name := range strings.SplitSeq(text, ",") {
		name = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
		if name == "" {
			continue
		}
		i := slices.IndexFunc(d.Relations, func(r *RelationDef) bool {
			return strings.TrimPrefix(r.Rel, "cb:") == strings.TrimPrefix(name, "cb:") && r.embeddable(a)
		})
		if i < 0 {
			if len(name) > 64 {
				name = name[:64]
			}
			known := d.embeddable(a)
			e := fault.InvalidField(fault.Argument("embed"), "%q is no relation that can be embedded here", strings.ToValidUTF8(name, "?"))
			e.Detail = "There is nothing to embed."
			if len(known) > 0 {
				e.Detail = "Known: " + strings.Join(known, ", ") + "."
			}
			return nil, e
		}
		if !slices.Contains(list, d.Relations[i]) {
			list = append(list, d.Relations[i])
		}
	}
	return list, nil
}

// embeddable returns the rels that the caller can embed, in their order.
func (d *Def) embeddable(a access.Actor) []string {
	var names []string
	for _, r := range d.Relations {
		if r.embeddable(a) {
			names = append(names, strings.TrimPrefix(r.Rel, "cb:"))
		}
	}
	return names
}

func (rel *RelationDef) embeddable(a access.Actor) bool {
	return rel.target != nil && !rel.target.Hidden(a)
}

// Columns returns the columns of the rows that embedding needs.
func (e Embed) Columns() []string {
	var columns []string
	for _, rel := range e {
		if !rel.Many {
			columns = append(columns, rel.own.Column)
		}
	}
	return columns
}

// Embed adds the targets of the relations to the documents of the rows, in their short form and as far as
// the actor sees them, with one query per relation. It adds the link if a document does not have it.
func (r *Registry) Embed(ctx context.Context, a access.Actor, d *Def, e Embed, rows []any, docs []*hal.Document) error {
	if len(rows) == 0 {
		return nil
	}
	for _, rel := range e {
		found, err := r.embedded(ctx, a, d, rel, rows)
		if err != nil {
			return err
		}
		for i, row := range rows {
			list := found[d.key(row).ID]
			docs[i].Embedded = append(docs[i].Embedded, hal.Embedded{Rel: rel.Rel, Many: rel.Many, Docs: list})
			if !slices.ContainsFunc(docs[i].Links, func(l hal.Rel) bool { return l.Name == rel.Rel }) {
				x := rel.form()
				for j := range list {
					x.Links = append(x.Links, list[j].Links[0].Links...)
				}
				docs[i].Links = append(docs[i].Links, x)
			}
		}
	}
	return nil
}

// embedded returns the short documents behind a relation, by the id of the row.
func (r *Registry) embedded(ctx context.Context, a access.Actor, d *Def, rel *RelationDef, rows []any) (map[models.ID][]hal.Document, error) {
	t, tx := rel.target, r.store.Read(ctx)
	columns := slices.Compact(slices.Sorted(slices.Values(t.listColumns(query.Query{}))))
	found := make(map[models.ID][]hal.Document, len(rows))
	if rel.Many {
		ids := make([]models.ID, len(rows))
		for i, row := range rows {
			ids[i] = d.key(row).ID
		}
		slices.Sort(ids)
		targets, from, err := t.linked(tx, d.Entity, rel.own, a, slices.Compact(ids), columns, embedLimit)
		if err != nil {
			return nil, err
		}
		for i, target := range targets {
			found[from[i]] = append(found[from[i]], t.short(a, target))
		}
		return found, nil
	}
	var ids []models.ID
	for _, row := range rows {
		if id := rel.id(row); id != 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return found, nil
	}
	slices.Sort(ids)
	w := access.And(query.ByIDs(tx, "t.id", slices.Compact(ids)), access.Visible(t.Entity.Table, a, "t"))
	targets, err := t.load(tx, qualify(columns), w, "")
	if err != nil {
		return nil, err
	}
	byID := make(map[models.ID]any, len(targets))
	for _, target := range targets {
		byID[t.key(target).ID] = target
	}
	for _, row := range rows {
		if target := byID[rel.id(row)]; target != nil {
			found[d.key(row).ID] = []hal.Document{t.short(a, target)}
		}
	}
	return found, nil
}

// short returns the document of a row in its short form.
func (d *Def) short(a access.Actor, row any) hal.Document {
	doc := hal.Document{Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: d.Href(d.key(row).ID), Title: d.title(row)}}}}}
	for _, f := range d.Fields {
		if f.Listed && (f.see == nil || f.see(a, row)) {
			doc.Props = append(doc.Props, hal.Prop{Name: f.Name, Value: f.value(row)})
		}
	}
	return doc
}
