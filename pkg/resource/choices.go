package resource

import (
	"context"
	"slices"
	"strings"

	"halcyon/hal"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
)

// inlineChoices is the maximum number of rows of a collection that a template lists inline.
const inlineChoices = 100

// InlineChoices replaces links to collections in the options of the templates by the rows, if the actor
// sees at most 100 of them: HAL browsers fetch linked options without credentials, or not at all. A longer
// list stays a link, and so does one without rows, which shows that there is nothing to choose. Each
// collection is read once.
func (r *Registry) InlineChoices(ctx context.Context, a access.Actor, templates []hal.Template) error {
	type source struct{ href, prompt, value string }
	known := map[source][]hal.Option{} // nil for lists that stay links
	for i := range templates {
		for j := range templates[i].Properties {
			p := &templates[i].Properties[j]
			if p.OptionsLink.Href == "" {
				continue
			}
			k := source{p.OptionsLink.Href, p.PromptField, p.ValueField}
			options, ok := known[k]
			if !ok {
				var err error
				if options, err = r.listed(ctx, a, k.href, k.prompt, k.value); err != nil {
					return err
				}
				known[k] = options
			}
			if options == nil {
				continue
			}
			p.OptionsLink, p.PromptField, p.ValueField = hal.Link{}, "", ""
			p.Options = withChosen(options, p)
		}
	}
	return nil
}

// withChosen returns the options plus the current values of the property that the actor does not see as
// rows. Without them, an edit of another property would lose them.
func withChosen(options []hal.Option, p *hal.TemplateProperty) []hal.Option {
	list := options
	for _, v := range append(slices.Clone(p.Selected), p.Value) {
		if v != "" && !slices.ContainsFunc(list, func(o hal.Option) bool { return o.Value == v }) {
			list = append(slices.Clip(list), hal.Option{Value: v})
		}
	}
	return list
}

// listed returns the rows of the collection at an href as options. It returns nil if there are none or too
// many, or if the href is not that of a collection.
func (r *Registry) listed(ctx context.Context, a access.Actor, href, prompt, value string) ([]hal.Option, error) {
	path, raw, _ := strings.Cut(href, "?")
	d, narrow, err := r.collectionAt(ctx, a, path)
	if err != nil || d == nil || d.List == nil {
		return nil, err
	}
	show, send := d.Field(prompt), d.Field(value)
	if show == nil || send == nil {
		return nil, nil
	}
	q, err := query.Parse(raw, d.Schema, a, query.Options{})
	if err != nil {
		return nil, err
	}
	rows, err := d.List(ctx, a, q, narrow...)
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	if rows.Total == 0 || rows.Total > inlineChoices || rows.Total > int64(len(rows.Rows)) {
		return nil, nil
	}
	list := make([]hal.Option, 0, len(rows.Rows))
	for _, row := range rows.Rows {
		o := hal.Option{Value: optionText(send.value(row))}
		if t := optionText(show.value(row)); t != o.Value {
			o.Prompt = t
		}
		list = append(list, o)
	}
	return list, nil
}

// optionText returns a value in the form that templates use.
func optionText(v hal.Value) string {
	if v.Kind() == hal.KindString {
		return v.Text()
	}
	return string(v.AppendJSON(nil, hal.HAL))
}

// collectionAt returns the declaration of the list at a path, and the options that narrow it if the list is
// below a row. The declaration is nil if there is no list at the path, or none that the actor sees.
func (r *Registry) collectionAt(ctx context.Context, a access.Actor, path string) (*Def, []query.ListOption, error) {
	for _, d := range r.Defs() {
		below, ok := strings.CutPrefix(path, d.path)
		if !ok {
			continue
		}
		if below == "" {
			return d, nil, nil
		}
		id, name, ok := strings.Cut(strings.Trim(below, "/"), "/")
		if !ok {
			continue
		}
		for _, x := range d.Subs {
			if x.Path != name {
				continue
			}
			row, err := d.Find(ctx, a, id)
			if err != nil || x.Can != nil && x.Can(a, row) != nil {
				return nil, nil, err
			}
			narrow, err := x.Rows(ctx, row)
			return x.target, []query.ListOption{narrow}, err
		}
	}
	return nil, nil, nil
}
