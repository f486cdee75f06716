package halserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// bulk serves an action on several rows of a collection: {"items": [href or id…]},
// with the members of the action's own body beside it, or the bare list. Each row has its
// own transaction, and one answer lists the results. A body without items runs the
// collection's own action, if there is one.
func (s *Server) bulk(d *resource.Def, x *resource.ActionDef, whole echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := NoQuery(c); err != nil {
			return err
		}
		n, err := s.readBulk(c)
		if err != nil {
			return err
		}
		items := n.Field("items")
		if whole != nil && !items.Given() {
			return whole(c)
		}
		if err := expectNothing(c); err != nil {
			return err
		}
		list, err := s.picked(c, d, items)
		if err != nil {
			return err
		}
		doc := &hal.Document{Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: d.Path() + "actions/" + x.Path, Title: x.Title + " several " + d.Noun}}},
			{Name: "collection", Only: hal.InHAL, Links: []hal.Link{{Href: d.Path(), Title: "List of " + d.Noun}}},
		}}
		results := make([]hal.Value, len(list))
		started := map[string][]hal.Link{}
		failed := 0
		for i, it := range list {
			var e resource.AnyResult
			err := it.err
			if err == nil {
				own := n.Copy()
				own.Field("items")
				e, err = x.Do(c.Request().Context(), web.Actor(c), it.id.String(), own)
			}
			switch {
			case err != nil:
				if fault.Is(err, fault.Unavailable) && c.Request().Header.Get(web.HeaderIdempotencyKey) != "" {
					return err // nothing is kept, and all of it may come again
				}
				failed++
				results[i] = s.failure(c, d, it, err)
			default:
				results[i] = s.success(c, d, it, e, started)
			}
		}
		for _, plural := range slices.Sorted(maps.Keys(started)) {
			doc.Links = append(doc.Links, hal.Rel{Name: plural, Many: true, Links: started[plural]})
		}
		doc.Props = []hal.Prop{
			{Name: "total", Value: hal.Int(int64(len(list)))},
			{Name: "succeeded", Value: hal.Int(int64(len(list) - failed))},
			{Name: "failed", Value: hal.Int(int64(failed))},
			{Name: "results", Value: hal.List(results)},
		}
		return s.Send(c, http.StatusOK, doc)
	}
}

// readBulk reads the body, a bare list being the items. The request can be read
// once more afterwards.
func (s *Server) readBulk(c echo.Context) (*jsonbody.Value, error) {
	data, err := web.ReadBody(c)
	if err != nil {
		return nil, err
	}
	r := c.Request()
	if list := bytes.TrimSpace(data); len(list) > 0 && list[0] == '[' && json.Valid(list) {
		data = append(append([]byte(`{"items":`), list...), '}')
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	n, err := s.Read(c)
	r.Body = io.NopCloser(bytes.NewReader(data))
	return n, err
}

// pick is one of the rows that a request names.
type pick struct {
	asked string // how the request calls it
	id    models.ID
	title string
	err   error // the caller sees no such row
}

// picked finds the rows that the request names. It is Invalid when it names none,
// too many, or one twice; a row that is not there is that row's own affair.
func (s *Server) picked(c echo.Context, d *resource.Def, items *jsonbody.Value) ([]pick, error) {
	if !items.Present() {
		items.Complain("is required: a list of ids or hrefs of %s", d.Plural)
	}
	var nodes []*jsonbody.Value
	if _, one := items.Scalar(); one { // a form sends a single choice as a scalar
		nodes = []*jsonbody.Value{items}
	} else {
		nodes = items.List()
	}
	switch {
	case items.IsList() && len(nodes) == 0:
		items.Complain("is empty")
	case len(nodes) > resource.BulkLimit:
		items.Complain("has %d entries, at most %d are allowed", len(nodes), resource.BulkLimit)
		nodes = nil
	}
	list := make([]pick, len(nodes))
	for i, x := range nodes {
		if list[i].asked = x.Ref(); !x.Present() {
			x.Complain("is empty")
		}
	}
	if err := items.Faults().Err(); err != nil {
		return nil, err
	}
	byID, byText := map[models.ID]int{}, map[string]int{}
	for i := range list {
		it := &list[i]
		row, err := d.Find(c.Request().Context(), web.Actor(c), it.asked)
		first, twice := byText[it.asked]
		switch {
		case fault.Is(err, fault.NotFound):
			it.err = err
		case err != nil:
			return nil, err
		default:
			it.id, it.title = d.RowKey(row).ID, d.TitleOf(row)
			if !twice {
				first, twice = byID[it.id]
			}
			if !twice {
				byID[it.id] = i
			}
		}
		if twice {
			nodes[i].Complain("is what items.%d says already", first)
		}
		byText[it.asked] = i
	}
	return list, items.Faults().Err()
}

// success returns the entry of a row whose action succeeded.
func (s *Server) success(c echo.Context, d *resource.Def, it pick, e resource.AnyResult, started map[string][]hal.Link) hal.Value {
	props := []hal.Prop{{Name: "href", Value: hal.String(d.Href(it.id))}, {Name: "title", Value: hal.String(it.title)}}
	add := func(status int, more ...hal.Prop) hal.Value {
		props = append(props, hal.Prop{Name: "status", Value: hal.Int(int64(status))})
		return hal.Object(append(props, more...))
	}
	switch {
	case e.Work.Of != "":
		to := s.reg.Def(e.Work.Of)
		l := hal.Link{Href: to.Href(e.Work.ID), Title: to.TitleAt(e.Work.ID)}
		started[to.Plural] = append(started[to.Plural], l)
		return add(s.StatusFor(c, http.StatusAccepted), hal.Prop{Name: to.Name, Value: hal.LinkValue(l)})
	case e.Other.Of != "":
		of := s.reg.Def(e.Other.Of)
		l := hal.Link{Href: of.Href(of.RowKey(e.Other.Row).ID), Title: of.TitleOf(e.Other.Row)}
		started[of.Plural] = append(started[of.Plural], l)
		return add(madeStatus(e.Other.Made), hal.Prop{Name: of.Name, Value: hal.LinkValue(l)})
	case e.Row == nil:
		return add(http.StatusNoContent)
	}
	if id := d.RowKey(e.Row).ID; id != it.id {
		return add(http.StatusOK, hal.Prop{Name: d.Name, Value: hal.LinkValue(hal.Link{Href: d.Href(id), Title: d.TitleOf(e.Row)})})
	}
	return add(http.StatusOK)
}

// failure returns the entry of a row whose action was refused: the problem that the action
// on this row alone would have answered.
func (s *Server) failure(c echo.Context, d *resource.Def, it pick, err error) hal.Value {
	status := web.Status(err)
	if status >= http.StatusInternalServerError {
		s.cfg.Log.ErrorContext(c.Request().Context(), "an item of a bulk action failed", "item", it.asked, "error", err)
	}
	e := fault.From(err)
	props := []hal.Prop{{Name: "href", Value: hal.String(it.asked)}}
	if it.id != 0 {
		props = []hal.Prop{{Name: "href", Value: hal.String(d.Href(it.id))}, {Name: "title", Value: hal.String(it.title)}}
	}
	props = append(props,
		hal.Prop{Name: "status", Value: hal.Int(int64(status))},
		hal.Prop{Name: "error", Value: hal.String(e.Text(s.cfg.Names))},
		hal.Prop{Name: "type", Value: hal.String(s.base + "/docs/problems/" + problemType(err))},
	)
	if len(e.Fields) > 0 {
		list := make([]hal.Value, len(e.Fields))
		for i, x := range e.Fields {
			list[i] = hal.Object([]hal.Prop{{Name: "pointer", Value: hal.String(s.cfg.Names.Pointer(x.Path))}, {Name: "reason", Value: hal.String(x.Text(s.cfg.Names))}})
		}
		props = append(props, hal.Prop{Name: "errors", Value: hal.List(list)})
	}
	return hal.Object(props)
}

// bulkTemplates offers the bulk actions that the caller may run on at least one of
// the rows of a page.
func (s *Server) bulkTemplates(ctx context.Context, a access.Actor, d *resource.Def, rows []any) ([]hal.Template, error) {
	whole, err := s.whole(ctx, a, d, rows)
	if err != nil {
		return nil, err
	}
	var list []hal.Template
	for _, x := range d.BulkActions() {
		if slices.ContainsFunc(d.Batch, func(b resource.BatchAction) bool { return b.Rel == x.Rel }) {
			continue // the action of the whole collection is offered under that name
		}
		for _, row := range whole {
			if x.Can(a, row) != nil {
				continue
			}
			own, err := x.Form(ctx, a, row)
			if err != nil {
				return nil, err
			}
			list = append(list, hal.Template{
				Key: x.Rel, Title: x.Title + " several", Method: http.MethodPost, Target: d.Path() + "actions/" + x.Path,
				Properties: append([]hal.TemplateProperty{
					s.reg.Choices(hal.TemplateProperty{Name: "items", Prompt: d.Noun, Required: true, Multiple: true}, d.Plural, ""),
				}, own...),
			})
			break
		}
	}
	return list, nil
}

// fewRows is the number of rows of a page whose actions are looked at.
const fewRows = 10

// whole returns the first rows of a page with everything that their own documents read:
// guards need more columns than a list loads.
func (s *Server) whole(ctx context.Context, a access.Actor, d *resource.Def, rows []any) ([]any, error) {
	var out []any
	for _, row := range rows[:min(len(rows), fewRows)] {
		found, err := d.Find(ctx, a, d.RowKey(row).ID.String())
		switch {
		case fault.Is(err, fault.NotFound): // since the list was read
		case err != nil:
			return nil, err
		default:
			out = append(out, found)
		}
	}
	return out, nil
}
