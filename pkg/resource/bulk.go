package resource

import (
	"context"
	"slices"

	"halcyon/hal"
	"halcyon/pkg/access"
	"halcyon/pkg/jsonbody"
)

// BulkLimit is how many rows one request can act on.
const BulkLimit = 100

// BulkActions are the actions that can be had for several rows at once: all but those
// whose answer has to be read, and deletion.
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
