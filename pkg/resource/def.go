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
	"halcyon/pkg/bundle"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/schema"
	"halcyon/pkg/store"
)

// Def is a declaration without its row type, so that the same code serves all of them. Rows have type any
// and are always pointers to that type.
type Def struct {
	Name, Plural, Noun, Doc string
	Entity                  *query.Entity
	Slash                   bool
	Once                    bool              // see Resource
	Headings                []string          // columns of the HTML table, in this order; nil: the Listed fields
	Shown                   []query.Attribute // the headings that are not Listed
	Display                 *DisplayDef       // further content of its HTML page; nil for none
	Schema                  *query.Schema
	Fields                  []*FieldDef
	Relations               []*RelationDef
	Actions                 []*ActionDef
	Subs                    []*SubDef
	Batch                   []BatchAction

	Find    func(ctx context.Context, a access.Actor, ref string) (any, error)
	List    func(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (Rows, error)
	Create  func(ctx context.Context, a access.Actor, r *Refs, n *jsonbody.Value) (any, error)
	Update  WriteFunc // PATCH: absent members stay
	Replace WriteFunc // PUT: absent members return to their defaults
	Delete  func(ctx context.Context, a access.Actor, ref string) (AnyResult, error)
	Export  func(ctx context.Context, a access.Actor, ref string) (bundle.Manifest, error)
	Import  func(ctx context.Context, a access.Actor, content *jsonbody.Value, replace bool) (row any, replaced bool, err error)

	Offers    func(ctx context.Context) ([]*ActionDef, error) // see ActionsOn; nil for none
	OfferBody schema.Object
	OfferedBy string // plural
	CanCreate func(a access.Actor) error
	CanUpdate func(a access.Actor, row any) error
	CanDelete func(a access.Actor, row any) error

	PostBody      schema.Object // for a Create that reads more than the fields; nil otherwise
	DeleteResults Results
	CreateDryRun  *DryRun
	PostNone      bool
	Started       *Started

	fresh     func() any // an empty row, the start of a create
	postForm  func(ctx context.Context, a access.Actor) ([]hal.TemplateProperty, error)
	unused    func(ctx context.Context, a access.Actor, row any) error
	templates func(ctx context.Context, a access.Actor, row any, self string) ([]hal.Template, error)

	open bool // create or update has no guard of its own

	path       string // base, plural and a slash
	itemSchema hal.Link
	pageSchema []hal.Link
	key        func(row any) *models.Row
	title      func(row any) string
	titleAt    func(id models.ID) string
	titleFrom  []string
	fill       func(ctx context.Context, a access.Actor, rows []any) error
	load       func(tx *store.Tx, columns []string, w access.Where, joins string) ([]any, error)
	linked     func(tx *store.Tx, of *query.Entity, h *query.Hop, a access.Actor, ids []models.ID, columns []string, most int) ([]any, []models.ID, error)
}

// WriteFunc changes a row according to a body, and returns the changed row.
type WriteFunc func(ctx context.Context, a access.Actor, ref string, r *Refs, n *jsonbody.Value) (any, error)

// Rows is a page of rows of any type.
type Rows struct {
	Rows         []any
	Total        int64
	Number, Size int
	Next, Prev   string

	release func()
}

// Release returns the rows to the pool after rendering.
func (r *Rows) Release() {
	if r.release != nil {
		r.release()
	}
	r.Rows, r.release = nil, nil
}

// AnyResult is a Result without its row type.
type AnyResult struct {
	Row   any
	Work  Work
	Other Other
}

// FieldDef is a field without its row type.
type FieldDef struct {
	Name, Doc, Column      string
	Kind                   query.Kind
	Values                 []string
	Listed, OnDemand       bool
	Required, Editable     bool
	fallback               string
	omit, hidden, listOnly bool
	filled                 bool
	reads                  []string
	value                  func(row any) hal.Value
	see                    func(a access.Actor, row any) bool
	scope                  func(a access.Actor, alias string) access.Where // of the entity's field
	codes                  map[string]string
	scale                  int64
	set                    func(n *jsonbody.Value, r *Refs) func(row any)
	Input                  Input
	picked                 func(row any) []models.ID
	exact                  func(row any) string
	bad                    error // a mistake in the declaration
	fetch                  func(ctx context.Context, a access.Actor, row any) (hal.Value, error)
	json, cbJSON           schema.Object
}

// RelationDef is a relation without its row type.
type RelationDef struct {
	Rel, Alias, Group, Doc, To string
	Many                       bool
	Of                         string     // relation of the entity
	own                        *query.Hop // that relation
	ofID                       string     // condition that joins t to the row with a bound id; "" if the id is not enough
	ofRow                      string     // condition that joins t to the row query.Root
	Editable, Required         bool
	optional                   bool
	id                         func(row any) models.ID
	link                       func(base string, row any) (hal.Link, bool)
	extra                      func(target any) []hal.Prop
	extraFrom                  []string
	set                        func(row any, id models.ID)
	known                      func(a access.Actor, row any) ([]any, bool)
	target                     *Def
	limit                      func(a access.Actor) ([]models.ID, bool)
	guard                      func(a access.Actor, row any) error
}

// ActionDef is an action without its row type.
type ActionDef struct {
	Rel, Name, Path, Title, Doc string
	Number                      int
	Slash, Alone                bool
	Can                         func(a access.Actor, row any) error
	Do                          func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (AnyResult, error)
	Form                        func(ctx context.Context, a access.Actor, row any) ([]hal.TemplateProperty, error)
	Body                        schema.Object
	Results                     Results
	DryRun                      *DryRun
}

// SubDef is a sub-collection without its row type.
type SubDef struct {
	Path, Rel, Alias, Of, Doc string
	Paged                     bool
	Title                     func(row any) string
	Can                       func(a access.Actor, row any) error // nil: everyone who sees the item
	Rows                      func(ctx context.Context, row any) (query.ListOption, error)
	relation                  string // relation of the entity
	target                    *Def
}

// Define returns the declaration without its row type.
func Define[T any](r Resource[T]) *Def {
	path := r.Path
	if path == "" {
		path = r.Plural
	}
	d := &Def{
		Name: r.Name, Plural: r.Plural, Noun: r.Noun, Entity: r.Entity, Doc: r.Doc,
		Slash: r.Slash, Once: r.Once, path: path, titleFrom: r.TitleFrom, PostBody: r.PostBody, DeleteResults: r.DeleteResults, CreateDryRun: r.CreateDryRun, PostNone: r.PostNone, Started: r.Started, OfferBody: r.OfferBody, OfferedBy: r.OfferedBy,
		key:   func(row any) *models.Row { return r.Key(row.(*T)) },
		title: func(row any) string { return r.Title(row.(*T)) },
		titleAt: func(id models.ID) string {
			row := new(T)
			r.Key(row).ID = id
			return r.Title(row)
		},
		Schema: &query.Schema{Entity: r.Entity, Name: r.Name, Plural: r.Plural},
	}
	for _, f := range r.Fields {
		d.Fields = append(d.Fields, defineField(f))
	}
	for _, x := range r.Relations {
		d.Relations = append(d.Relations, defineRelation(x))
	}
	defineHeadings(d, r.Columns)
	for _, x := range r.Actions {
		d.Actions = append(d.Actions, defineAction(x))
	}
	for _, b := range r.Batch {
		can := b.Can
		b.Can = func(a access.Actor) error { return first(a.Writes(), func() error { return can(a) }) }
		d.Batch = append(d.Batch, b)
	}
	for _, x := range r.Subs {
		s := &SubDef{Path: x.Path, Rel: x.Rel, Alias: x.Alias, Of: x.Of, Doc: x.Doc, Paged: x.Paged, relation: x.Relation}
		s.Title = func(row any) string { return x.Title(row.(*T)) }
		if x.Can != nil {
			s.Can = func(a access.Actor, row any) error { return x.Can(a, row.(*T)) }
		}
		s.Rows = func(ctx context.Context, row any) (query.ListOption, error) {
			id := d.key(row).ID
			if x.Rows != nil {
				return x.Rows(ctx, id)
			}
			return query.Related(r.Entity, x.Relation, id), nil
		}
		d.Subs = append(d.Subs, s)
	}
	if r.Offers != nil {
		d.Offers = func(ctx context.Context) ([]*ActionDef, error) {
			list, err := r.Offers(ctx)
			if err != nil {
				return nil, err
			}
			out := make([]*ActionDef, len(list))
			for i, x := range list {
				out[i] = defineAction(x)
			}
			return out, nil
		}
	}
	d.load = func(tx *store.Tx, columns []string, w access.Where, joins string) ([]any, error) {
		from := r.Entity.Table + " t"
		if joins != "" {
			from += " " + joins
		}
		rows, err := query.Read[T](tx, columns, from, w, "t.id", relatedLimit)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(rows))
		for i, row := range rows {
			out[i] = row
		}
		return out, nil
	}
	if r.Fill != nil {
		d.fill = fillAny(r.Fill)
	}
	d.linked = func(tx *store.Tx, of *query.Entity, h *query.Hop, a access.Actor, ids []models.ID, columns []string, most int) ([]any, []models.ID, error) {
		rows, from, err := query.LoadRelated[T](tx, of, h, a, ids, columns, most)
		if err != nil {
			return nil, nil, err
		}
		out := make([]any, len(rows))
		for i, row := range rows {
			out[i] = row
		}
		return out, from, nil
	}
	d.Find = func(ctx context.Context, a access.Actor, ref string) (any, error) {
		row, err := r.Find(ctx, a, ref)
		if err != nil {
			return nil, err
		}
		return row, nil
	}
	d.List = listAny(r.List)
	defineWrites(d, r)
	defineForms(d, r)
	defineBundle(d, r)
	defineDisplay(d, r)
	return d
}

// listAny returns the service's list without its row type.
func listAny[T any](list func(context.Context, access.Actor, query.Query, ...query.ListOption) (query.Page[T], error)) func(context.Context, access.Actor, query.Query, ...query.ListOption) (Rows, error) {
	return func(ctx context.Context, a access.Actor, q query.Query, opts ...query.ListOption) (Rows, error) {
		p, err := list(ctx, a, q, opts...)
		if err != nil {
			return Rows{}, err
		}
		out := Rows{Rows: make([]any, len(p.Rows)), Total: p.Total, Number: p.Number, Size: p.Size, Next: p.Next, Prev: p.Prev, release: p.Release}
		for i, row := range p.Rows {
			out.Rows[i] = row
		}
		return out, nil
	}
}

func fillAny[T any](fill func(ctx context.Context, a access.Actor, rows []*T) error) func(ctx context.Context, a access.Actor, rows []any) error {
	return func(ctx context.Context, a access.Actor, rows []any) error {
		list := make([]*T, 0, len(rows))
		for _, row := range rows {
			if row != nil {
				list = append(list, row.(*T))
			}
		}
		if len(list) == 0 {
			return nil
		}
		return fill(ctx, a, list)
	}
}

func defineBundle[T any](d *Def, r Resource[T]) {
	if r.Bundle == nil {
		return
	}
	// A file contains the whole row, so it needs a guard of its own.
	d.open = r.CanUpdate == nil || r.CanCreate == nil
	d.Export = r.Bundle.Export
	d.Import = func(ctx context.Context, a access.Actor, content *jsonbody.Value, replace bool) (any, bool, error) {
		row, replaced, err := r.Bundle.Import(ctx, a, content, replace)
		if err != nil {
			return nil, false, err
		}
		return row, replaced, nil
	}
}

func defineWrites[T any](d *Def, r Resource[T]) {
	// A caller with read-only credentials gets no writes.
	if r.CanCreate != nil || r.Create != nil || r.Post != nil {
		d.CanCreate = func(a access.Actor) error {
			if r.CanCreate == nil {
				return a.Writes()
			}
			return first(a.Writes(), func() error { return r.CanCreate(a) })
		}
	}
	if r.CanUpdate != nil || r.Update != nil {
		d.CanUpdate = guarded(r.CanUpdate)
	}
	if r.CanDelete != nil || r.Delete != nil {
		d.CanDelete = guarded(r.CanDelete)
	}
	switch {
	case r.Post != nil:
		d.Create = func(ctx context.Context, a access.Actor, refs *Refs, n *jsonbody.Value) (any, error) {
			row, err := r.Post(ctx, a, refs, n)
			if err != nil {
				return nil, err
			}
			return row, nil
		}
	case r.Create != nil:
		d.Create = func(ctx context.Context, a access.Actor, refs *Refs, n *jsonbody.Value) (any, error) {
			if r.CanCreate != nil {
				// A caller who may not create must not learn from errors about the body.
				if err := r.CanCreate(a); err != nil {
					return nil, err
				}
			}
			apply, err := d.edit(n, refs, edit{kind: creating})
			if err != nil {
				return nil, err
			}
			row := fresh(r)
			apply(row)
			if err := r.Create(ctx, a, row); err != nil {
				return nil, err
			}
			return row, nil
		}
	}
	if r.Update != nil {
		write := func(kind editKind) WriteFunc {
			return func(ctx context.Context, a access.Actor, ref string, refs *Refs, n *jsonbody.Value) (any, error) {
				row, err := r.Find(ctx, a, ref)
				if err != nil {
					return nil, err
				}
				if r.CanUpdate != nil {
					if err := r.CanUpdate(a, row); err != nil {
						return nil, err
					}
				}
				apply, err := d.edit(n, refs, edit{kind: kind, row: row})
				if err != nil {
					return nil, err
				}
				row, err = r.Update(ctx, a, ref, func(t *T) error { apply(t); return nil })
				if err != nil {
					return nil, err
				}
				return row, nil
			}
		}
		d.Update, d.Replace = write(patching), write(replacing)
	}
	if r.Delete != nil {
		d.Delete = func(ctx context.Context, a access.Actor, ref string) (AnyResult, error) {
			return effect(r.Delete(ctx, a, ref))
		}
	}
}

// guarded returns the guard for a write: the caller may write at all, and may write this row. can may be
// nil.
func guarded[T any](can func(a access.Actor, row *T) error) func(a access.Actor, row any) error {
	return func(a access.Actor, row any) error {
		if can == nil {
			return a.Writes()
		}
		return first(a.Writes(), func() error { return can(a, row.(*T)) })
	}
}

// first returns the error, or the result of then.
func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func defineField[T any](f Field[T]) *FieldDef {
	d := &FieldDef{
		Name: f.Name, Doc: f.Doc, Column: f.Column, Kind: f.Kind, Values: f.Values,
		Listed: f.listed, OnDemand: f.demand, Required: f.required, Editable: f.set != nil,
		fallback: f.fallback, omit: f.omit, filled: f.filled, hidden: f.hidden, listOnly: f.listOnly, reads: f.Reads, codes: f.codes, scale: f.scale, json: f.json, cbJSON: f.cbJSON,
		value: func(row any) hal.Value { return f.Value(row.(*T)) },
	}
	if f.see != nil {
		d.see = func(a access.Actor, row any) bool { return f.see(a, row.(*T)) }
	}
	d.Input, d.bad = f.input.prepare(f.Values)
	if f.picked != nil {
		d.picked = func(row any) []models.ID { return f.picked(row.(*T)) }
	}
	if f.exact != nil {
		d.exact = func(row any) string { return f.exact(row.(*T)) }
	}
	if f.fetch != nil {
		d.fetch = func(ctx context.Context, a access.Actor, row any) (hal.Value, error) {
			return f.fetch(ctx, a, row.(*T))
		}
	}
	if f.set != nil {
		d.set = func(n *jsonbody.Value, r *Refs) func(any) {
			d.Input.check(n)
			apply := f.set(n, r)
			return func(row any) { apply(row.(*T)) }
		}
	}
	return d
}

func defineRelation[T any](r Relation[T]) *RelationDef {
	d := &RelationDef{
		Rel: r.Rel, Alias: r.Alias, Group: r.Group, Doc: r.Doc, To: r.To, Many: r.Many,
		Of: r.Of, Required: r.required, Editable: r.set != nil,
		optional: r.optional, extra: r.extra, extraFrom: r.extraFrom, limit: r.limit,
	}
	if r.guard != nil {
		d.guard = func(a access.Actor, row any) error { return r.guard(a, row.(*T)) }
	}
	if r.ID != nil {
		d.id = func(row any) models.ID { return r.ID(row.(*T)) }
	}
	if r.Link != nil {
		d.link = func(base string, row any) (hal.Link, bool) { return r.Link(base, row.(*T)) }
	}
	if r.set != nil {
		d.set = func(row any, id models.ID) { r.set(row.(*T), id) }
	}
	if r.known != nil {
		d.known = func(a access.Actor, row any) ([]any, bool) { return r.known(a, row.(*T)) }
	}
	return d
}

func defineAction[T any](x Action[T]) *ActionDef {
	d := &ActionDef{Rel: x.Rel, Name: x.Name, Path: x.Path, Number: x.Number, Title: x.Title, Doc: x.Doc, Slash: x.Slash, Body: x.Body, Results: x.Results, Alone: x.NoBulk, DryRun: x.DryRun}
	if d.Name == "" {
		d.Name = x.Rel
	}
	if d.Path == "" {
		d.Path = x.Rel
	}
	d.Can = guarded(x.Can)
	d.Do = func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (AnyResult, error) {
		return effect(x.Do(ctx, a, ref, n))
	}
	d.Form = func(ctx context.Context, a access.Actor, row any) ([]hal.TemplateProperty, error) {
		if x.Form == nil {
			return nil, nil
		}
		return x.Form(ctx, a, row.(*T))
	}
	return d
}

func effect[T any](o Result[T], err error) (AnyResult, error) {
	if err != nil {
		return AnyResult{}, err
	}
	e := AnyResult{Work: o.Work, Other: o.Other}
	if o.Row != nil {
		e.Row = o.Row
	}
	return e, nil
}

// TitleAt returns the title of the row with an id, if the title depends only on the id.
func (d *Def) TitleAt(id models.ID) string { return d.titleAt(id) }

// Href returns the canonical URL of a row.
func (d *Def) Href(id models.ID) string {
	b := strconv.AppendInt(append(make([]byte, 0, 64), d.path...), int64(id), 10)
	if d.Slash {
		b = append(b, '/')
	}
	return string(b)
}

// Hidden reports whether the whole collection is hidden from the actor: empty and not linked.
func (d *Def) Hidden(a access.Actor) bool { return d.Entity.HiddenFrom(a) }

// Path returns the canonical URL of the collection.
func (d *Def) Path() string { return d.path }

// RowKey returns the ids of a row.
func (d *Def) RowKey(row any) *models.Row { return d.key(row) }

// TitleOf returns the title of a row.
func (d *Def) TitleOf(row any) string { return d.title(row) }

func (d *Def) editable() []string {
	var names []string
	for _, f := range d.Fields {
		if f.Editable {
			names = append(names, f.Name)
		}
	}
	for _, r := range d.Relations {
		if r.set != nil {
			names = append(names, r.Rel)
		}
	}
	slices.Sort(names)
	return names
}

func (d *Def) field(name string) *FieldDef {
	for _, f := range d.Fields {
		if strings.ReplaceAll(f.Name, "_", "-") == name {
			return f
		}
	}
	return nil
}

func (d *Def) relation(rel string) *RelationDef {
	for _, r := range d.Relations {
		if r.Rel == rel {
			return r
		}
	}
	return nil
}

// ActionsOn returns all actions on rows of the resource: the declared ones, followed by those that
// administrators have defined. Their Can decides whether the caller may run them on a row.
func (d *Def) ActionsOn(ctx context.Context) ([]*ActionDef, error) {
	if d.Offers == nil {
		return d.Actions, nil
	}
	more, err := d.Offers(ctx)
	if err != nil || len(more) == 0 {
		return d.Actions, err
	}
	return slices.Concat(d.Actions, more), nil
}

// Action finds an action by the last segment of its href.
func (d *Def) Action(path string) *ActionDef {
	for _, x := range d.Actions {
		if x.Path == path {
			return x
		}
	}
	return nil
}

func (d *Def) check() error {
	var bad []string
	complain := func(format string, args ...any) { bad = append(bad, d.Plural+": "+fmt.Sprintf(format, args...)) }
	if d.Doc == "" || d.Name == "" || d.Noun == "" {
		complain("needs name, noun and doc")
	}
	seen := map[string]bool{}
	for _, f := range d.Fields {
		if f.Doc == "" {
			complain("field %s has no doc", f.Name)
		}
		if seen[f.Name] {
			complain("field %s is there twice", f.Name)
		}
		seen[f.Name] = true
		if f.bad != nil {
			complain("field %s: %v", f.Name, f.bad)
		}
		if f.filled && d.fill == nil {
			complain("field %s is filled, and nothing fills it", f.Name)
		}
		if f.Listed && len(f.reads) == 0 {
			complain("field %s is listed, but says no column that it reads", f.Name)
		}
	}
	for _, r := range d.Relations {
		if r.Doc == "" {
			complain("relation %s has no doc", r.Rel)
		}
		if r.To != "" && r.target == nil {
			complain("relation %s goes to %s, which is not declared", r.Rel, r.To)
		}
	}
	for _, name := range d.Headings {
		if !d.heads(name) {
			complain("column %s is neither a field that lists have nor a relation to one", name)
		}
	}
	if d.Export != nil && (d.open || d.CanUpdate == nil || d.CanCreate == nil) {
		complain("rows go out and in as files, which needs both ways, and the guards of update and create")
	}
	for _, x := range d.Actions {
		if x.Doc == "" || x.Title == "" {
			complain("action %s has no doc or title", x.Rel)
		}
	}
	if err := d.checkDisplay(); err != nil {
		complain("%v", err)
	}
	if len(bad) > 0 {
		return fmt.Errorf("declaration: %s", strings.Join(bad, "; "))
	}
	return nil
}
