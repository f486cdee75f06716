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
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/refdata"
	"halcyon/pkg/store"
)

// relatedLimit is the maximum number of links of a to-many relation. A relation that can grow beyond it has
// a paged sub-collection.
const relatedLimit = 1000

// Registry holds the declarations of one face, with their relations resolved.
type Registry struct {
	base    string
	store   *store.Store
	model   *query.Model
	refdata *refdata.Cache
	defs    []*Def
	byKey   map[string]*Def
}

// NewRegistry resolves the relations between declarations and checks them. base is the path that all hrefs
// begin with. A bad declaration is an error at startup, before the first request.
func NewRegistry(base string, s *store.Store, m *query.Model, data *refdata.Cache, defs ...*Def) (*Registry, error) {
	r := &Registry{base: base, store: s, model: m, refdata: data, defs: defs, byKey: map[string]*Def{}}
	for _, d := range defs {
		if r.byKey[d.Plural] != nil {
			return nil, fmt.Errorf("declaration: %s is there twice", d.Plural)
		}
		r.byKey[d.Plural] = d
		d.path = base + "/" + d.path + "/"
		d.itemSchema, d.pageSchema = schemaLink(base, d.Name), []hal.Link{schemaLink(base, d.Plural)}
	}
	for _, d := range defs {
		for _, rel := range d.Relations {
			rel.target = r.byKey[rel.To]
		}
		for _, s := range d.Subs {
			if s.target = r.byKey[s.Of]; s.target == nil {
				return nil, fmt.Errorf("declaration: %s: %s lists %s, which is not declared", d.Plural, s.Path, s.Of)
			}
		}
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	if err := r.translate(); err != nil {
		return nil, err
	}
	return r, nil
}

// translate finds the fields and relations of the entities that the declarations name.
func (r *Registry) translate() error {
	schemas := make([]*query.Schema, len(r.defs))
	for i, d := range r.defs {
		schemas[i] = d.Schema
		if err := r.model.Translate(d.Schema, d.Entity, d.names()); err != nil {
			return err
		}
		for _, f := range d.Fields {
			if own := d.Filter(f); own != nil {
				f.scope = own.Scope
			}
		}
		for _, rel := range d.Relations {
			if rel.target != nil {
				rel.prepare(r.model.Hop(d.Entity, rel.Of))
			}
		}
		for _, s := range d.Subs {
			if err := s.check(r.model, d); err != nil {
				return err
			}
		}
	}
	return r.model.Check(schemas)
}

// prepare compiles the conditions of the relation.
func (rel *RelationDef) prepare(own *query.Hop) {
	rel.own, rel.ofRow = own, "("+own.On("t", query.Root)+")"
	if own.ByID() {
		rel.ofID = strings.ReplaceAll(own.On("t", "{from}"), "{from}.id", "?")
	}
}

// check finds a sub-collection without a relation of the entity.
func (s *SubDef) check(m *query.Model, d *Def) error {
	if s.relation == "" {
		return nil
	}
	if own := m.Hop(d.Entity, s.relation); own == nil || !own.Many || own.Target.Entity != s.target.Entity {
		return fmt.Errorf("declaration: %s: %s lists the relation %s, which does not lead to many %s", d.Plural, s.Path, s.relation, s.Of)
	}
	return nil
}

// Base returns the path that all hrefs begin with.
func (r *Registry) Base() string { return r.base }

// Defs returns the declarations in their order.
func (r *Registry) Defs() []*Def { return r.defs }

// Def returns the declaration of a collection, or nil.
func (r *Registry) Def(plural string) *Def { return r.byKey[plural] }

// names returns the declaration's names for the fields and relations of the entity.
func (d *Def) names() query.Names {
	n := query.Names{Name: d.Name, Plural: d.Plural}
	for _, f := range d.Fields {
		if f.Column == "" || f.Name == "id" {
			continue // every schema has an id
		}
		n.Fields = append(n.Fields, query.FieldName{Name: queryName(f.Name), Of: f.Column, Kind: f.Kind, Enum: f.Values, Codes: f.codes, Scale: f.scale})
	}
	for _, rel := range d.Relations {
		if rel.target != nil {
			n.Relations = append(n.Relations, query.RelationName{
				Name: strings.TrimPrefix(rel.Rel, "cb:"), Of: rel.Of, Many: rel.Many, Target: rel.target.Schema,
			})
		}
	}
	return n
}

// queryName returns the name of a member in queries.
func queryName(member string) string { return strings.ReplaceAll(member, "_", "-") }

// Refs resolves references in a body to other resources, among those that the caller sees.
type Refs struct {
	ctx   context.Context
	actor access.Actor
	reg   *Registry
}

// Refs returns the resolver for a caller.
func (r *Registry) Refs(ctx context.Context, a access.Actor) *Refs {
	return &Refs{ctx: ctx, actor: a, reg: r}
}

// ID returns the id of the resource that the node refers to, in any form of id. If the caller sees no such
// resource it complains and returns 0.
func (r *Refs) ID(n *jsonbody.Value, target *Def) models.ID {
	text := n.Ref()
	if text == "" {
		return 0
	}
	if strings.Contains(text, "/") && !strings.Contains(text, r.reg.base+"/") {
		n.Complain("%q is no href of this API", text)
		return 0
	}
	if i := strings.Index(text, r.reg.base+"/"); i >= 0 {
		path := strings.TrimSuffix(text[i+len(r.reg.base)+1:], "/")
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 || r.reg.base+"/"+path[:slash+1] != target.path && !r.reg.alsoAt(target, r.reg.base+"/"+path[:slash+1]) {
			n.Complain("%q is no href of %s", text, target.Plural)
			return 0
		}
		text = path[slash+1:]
	}
	if id, ok := r.cached(target, text); ok {
		return id
	}
	row, err := query.Find[struct{ ID models.ID }](r.reg.store.Read(r.ctx), target.Entity, r.actor, text, query.Columns("id"))
	if err != nil {
		if ids := r.named(target, text); len(ids) == 1 {
			return ids[0]
		} else if len(ids) > 1 {
			n.Complain("%q is the name of several of the %s: give an id", text, strings.ReplaceAll(target.Plural, "-", " "))
			return 0
		}
		if fault.Is(err, fault.NotFound) {
			n.Complain("%q is neither the id nor the href of any of the %s that you see", n.Ref(), strings.ReplaceAll(target.Plural, "-", " "))
		} else {
			n.Complain("cannot be looked up: %s", fault.Message(err))
		}
		return 0
	}
	return row.ID
}

// named returns the rows with exactly this name that the actor sees, if they are in the cache of reference
// data.
func (r *Refs) named(target *Def, name string) (ids []models.ID) {
	if target.Schema.Names == nil {
		return nil
	}
	err := target.Schema.Names(r.ctx, r.actor, func(id models.ID, have string) {
		if have == name {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return nil // same as none: the caller reads ids from the database
	}
	return ids
}

// cached looks an id up in the cache of reference data, which saves an order most of its look-ups. Ids that
// are not found are read from the database.
func (r *Refs) cached(target *Def, text string) (models.ID, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || text != models.ID(n).String() || !refdata.Keeps(target.Entity.Table) || target.Hidden(r.actor) {
		return 0, false
	}
	titles, err := r.reg.refdata.Titles(r.ctx)
	if err != nil {
		return 0, false
	}
	defer titles.Release()
	_, ok := titles.Title(r.actor, target.Entity.Table, models.ID(n))
	return models.ID(n), ok
}

// alsoAt reports whether the path is that of another collection of the same rows.
func (r *Registry) alsoAt(target *Def, path string) bool {
	return slices.ContainsFunc(r.defs, func(d *Def) bool { return d.Entity == target.Entity && d.path == path })
}

// To returns the id of a row of the named collection, like ID.
func (r *Refs) To(n *jsonbody.Value, plural string) models.ID { return r.ID(n, r.reg.byKey[plural]) }

// Each returns the ids in a list of references, or of a single reference.
func (r *Refs) Each(n *jsonbody.Value, plural string) []models.ID {
	if n.Present() && !n.IsList() {
		return []models.ID{r.To(n, plural)}
	}
	ids := []models.ID{}
	for _, x := range n.List() {
		ids = append(ids, r.To(x, plural))
	}
	return ids
}
