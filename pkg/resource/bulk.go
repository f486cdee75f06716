package resource

import (
	"context"
	"slices"

	"halcyon/hal"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
)

// BulkLimit is the maximum number of rows that one request can act on.
const BulkLimit = 100

// BulkActions returns the actions that can run on several rows at once: all except deletion and those with
// an answer that the caller has to read.
func (d *Def) BulkActions() []*ActionDef {
	list := slices.DeleteFunc(slices.Clone(d.Actions), func(x *ActionDef) bool { return x.Alone })
	if d.Delete == nil || d.Action("delete") != nil {
		return list
	}
	return append(list, &ActionDef{
		Rel: "delete", Name: "delete", Path: "delete", Title: "Delete", Doc: "Deletes it.", Results: d.DeleteResults.Or(ToNothing),
		Can: func(a access.Actor, row any) error {
			if d.CanDelete == nil {
				return nil
			}
			return d.CanDelete(a, row)
		},
		Do: func(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (AnyResult, error) {
			n.Done()
			if err := n.Faults().Err(); err != nil {
				return AnyResult{}, err
			}
			return d.Delete(ctx, a, ref)
		},
		Form: func(context.Context, access.Actor, any) ([]hal.TemplateProperty, error) { return nil, nil },
	})
}
