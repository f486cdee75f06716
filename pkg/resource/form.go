package resource

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
)

// This file builds HAL-FORMS templates from declarations. They cost queries, so they are built only for
// requests for that representation.

// manyOptions is the maximum number of choices in a template.
const manyOptions = 200

func fresh[T any](r Resource[T]) *T {
	if r.New != nil {
		return r.New()
	}
	return new(T)
}

func defineForms[T any](d *Def, r Resource[T]) {
	d.fresh = func() any { return fresh(r) }
	d.postForm = r.PostForm
	if r.Unused != nil {
		d.unused = func(ctx context.Context, a access.Actor, row any) error { return r.Unused(ctx, a, row.(*T)) }
	}
	if r.Templates != nil {
		d.templates = func(ctx context.Context, a access.Actor, row any, self string) ([]hal.Template, error) {
			if a.Writes() != nil {
				return nil, nil
			}
			return r.Templates(ctx, a, row.(*T), self)
		}
	}
}

// NewTemplates returns the templates that the actor may use on the collection: the one that creates a row.
// It has no key, which makes it the default template.
func (r *Registry) NewTemplates(ctx context.Context, a access.Actor, d *Def) ([]hal.Template, error) {
	if d.Create == nil || d.CanCreate != nil && d.CanCreate(a) != nil {
		return nil, nil
	}
	t := hal.Template{Title: "New " + d.noun(), Method: "POST", Target: d.path}
	var err error
	if d.postForm != nil {
		t.Properties, err = d.postForm(ctx, a)
	} else {
		t.Properties, err = r.properties(ctx, a, d, d.fresh(), true)
	}
	if err != nil {
		return nil, err
	}
	return []hal.Template{t}, nil
}

// ItemTemplates returns the templates that the actor may use on a row now: the update, which is the default
// template, the deletion, and each action under its relation.
func (r *Registry) ItemTemplates(ctx context.Context, a access.Actor, d *Def, row any) ([]hal.Template, error) {
	self := hal.Link{Href: d.Href(d.key(row).ID), Title: d.title(row)}
	var list []hal.Template
	if d.Update != nil && (d.CanUpdate == nil || d.CanUpdate(a, row) == nil) {
		props, err := r.properties(ctx, a, d, row, false)
		if err != nil {
			return nil, err
		}
		list = append(list, hal.Template{Title: "Edit '" + self.Title + "'", Method: "PATCH", Target: self.Href, Properties: props})
	}
	if d.templates != nil {
		more, err := d.templates(ctx, a, row, self.Href)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if d.Delete != nil && (d.CanDelete == nil || d.CanDelete(a, row) == nil) && (d.unused == nil || d.unused(ctx, a, row) == nil) {
		list = append(list, hal.Template{Key: "delete", Title: "Delete '" + self.Title + "'", Method: "DELETE", Target: self.Href})
	}
	actions, err := d.ActionsOn(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range actions {
		if x.Can(a, row) != nil || x.Rel == "delete" && d.Delete != nil {
			continue // one template for deletion is enough
		}
		props, err := x.Form(ctx, a, row)
		if err != nil {
			return nil, err
		}
		link := x.link(self)
		list = append(list, hal.Template{Key: x.Rel, Title: link.Title, Method: "POST", Target: link.Href, Properties: props})
	}
	return list, nil
}

// BatchTemplates returns the actions on the collection that the actor may run.
func (d *Def) BatchTemplates(a access.Actor) []hal.Template {
	var list []hal.Template
	for _, b := range d.Batch {
		if b.Can(a) == nil {
			list = append(list, hal.Template{Key: b.Rel, Title: b.Title, Method: "POST", Target: d.path + "actions/" + b.Rel})
		}
	}
	return list
}

// noun returns the singular name of the resource, for titles.
func (d *Def) noun() string { return strings.ReplaceAll(d.Name, "-", " ") }

// properties returns the template properties of the fields and relations, with the values of the row.
func (r *Registry) properties(ctx context.Context, a access.Actor, d *Def, row any, create bool) ([]hal.TemplateProperty, error) {
	var props []hal.TemplateProperty
	for _, f := range d.Fields {
		if f.Editable && (f.see == nil || f.see(a, row)) {
			props = append(props, r.fieldProperty(f, row, create))
		}
	}
	for _, rel := range d.Relations {
		if rel.set == nil {
			continue
		}
		p, err := r.relationProperty(ctx, a, rel, row, create)
		if err != nil {
			return nil, err
		}
		if rel.target == d {
			self := d.key(row).ID.String()
			p.Options = slices.DeleteFunc(p.Options, func(o hal.Option) bool { return o.Value == self })
		}
		props = append(props, p)
	}
	return props, nil
}

func (r *Registry) fieldProperty(f *FieldDef, row any, create bool) hal.TemplateProperty {
	in := &f.Input
	p := hal.TemplateProperty{
		Name: f.Name, Prompt: prompt(f.Doc), Type: in.Type, Required: f.Required || in.Asked && create,
		Min: in.Min, Max: in.Max, MaxLength: in.MaxLength, Regex: whole(in.Pattern), Placeholder: in.Example, Multiple: in.Multiple,
	}
	for _, o := range in.Options {
		p.Options = append(p.Options, hal.Option{Value: o})
	}
	switch {
	case in.Of != "":
		p.OptionsLink, p.PromptField, p.ValueField = r.choices(r.byKey[in.Of])
		for _, id := range f.picked(row) {
			p.Selected = append(p.Selected, id.String())
		}
	case f.hidden, create && f.Required: // a required property has no default
	case f.exact != nil:
		p.Value = f.exact(row)
	default:
		p.Value, p.Selected = entered(in, f.value(row))
	}
	if create && in.Begin != "" {
		p.Value = in.Begin
	}
	if in.Multiple && len(in.Options) == 0 && in.Of == "" {
		p.Multiple = false // a text with commas
	}
	return p
}

// entered returns a value in the form that inputs use.
func entered(in *Input, v hal.Value) (text string, selected []string) {
	switch {
	case v.Kind() == hal.KindNull:
		return "", nil
	case in.Nested:
		return string(v.AppendJSON(nil, hal.HALForms)), nil
	case in.Multiple:
		for x := range v.Items() {
			selected = append(selected, x.Text())
		}
		if len(in.Options) > 0 {
			return "", selected
		}
		return strings.Join(selected, ", "), nil
	case v.Kind() == hal.KindBool:
		return strconv.FormatBool(v.Bool()), nil
	case v.Kind() == hal.KindInt:
		return strconv.FormatInt(v.Int(), 10), nil
	}
	return v.Text(), nil
}

func (r *Registry) relationProperty(ctx context.Context, a access.Actor, rel *RelationDef, row any, create bool) (hal.TemplateProperty, error) {
	p := hal.TemplateProperty{Name: rel.Rel, Prompt: prompt(rel.Doc), Type: "text", Required: rel.Required}
	if id := rel.id(row); id != 0 {
		p.Value = id.String()
	}
	if rel.limit != nil {
		if ids, limited := rel.limit(a); limited {
			options, err := r.Options(ctx, a, rel.To, ids)
			p.Options, p.Required = options, p.Required || create
			return p, err
		}
	}
	p.OptionsLink, p.PromptField, p.ValueField = r.choices(rel.target)
	return p, nil
}

// Options returns options for the rows with the ids that the actor sees, in the order of the ids, from the
// cache of reference data. It returns at most manyOptions.
func (r *Registry) Options(ctx context.Context, a access.Actor, plural string, ids []models.ID) ([]hal.Option, error) {
	titles, err := r.refdata.Titles(ctx)
	if err != nil {
		return nil, err
	}
	defer titles.Release()
	var list []hal.Option
	for _, id := range ids {
		if title, ok := titles.Title(a, r.byKey[plural].Entity.Table, id); ok && len(list) < manyOptions {
			list = append(list, hal.Option{Prompt: title, Value: id.String()})
		}
	}
	return list, nil
}

// Choices makes a property a choice from a collection, by id: from the list at path, or from the whole
// collection if path is "".
func (r *Registry) Choices(p hal.TemplateProperty, plural, path string) hal.TemplateProperty {
	p.Type = "text"
	p.OptionsLink, p.PromptField, p.ValueField = r.choices(r.byKey[plural])
	if path != "" {
		p.OptionsLink = hal.Link{Href: path + pageOfChoices, Title: p.OptionsLink.Title, Type: p.OptionsLink.Type}
	}
	return p
}

// pageOfChoices requests the largest page of choices.
const pageOfChoices = "?page=1&page_size=100"

func (r *Registry) choices(d *Def) (link hal.Link, promptField, valueField string) {
	promptField = "id"
	for _, f := range d.Fields {
		if f.Listed && f.Name != "id" {
			promptField = f.Name
			break
		}
	}
	return hal.Link{Href: d.path + pageOfChoices, Title: d.Noun, Type: hal.AsHAL.ContentType()}, promptField, "id"
}

// prompt derives a label from a field's documentation.
func prompt(doc string) string { return strings.TrimSuffix(doc, ".") }
