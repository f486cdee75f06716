package v2

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// What follows serves any resource from its declaration.

func (f *Face) collection(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		return f.page(c, d, resource.Page{})
	}
}

// page answers a page of a list, narrowed by opts.
func (f *Face) page(c echo.Context, d *resource.Def, p resource.Page, opts ...query.ListOption) error {
	ctx, a := c.Request().Context(), web.Actor(c)
	setSubject(c, d, true)
	q, embed, err := asking(c, d)
	if err != nil {
		return err
	}
	rep := f.representation(c)
	if rep == hal.AsHTML && q.Attributes == nil && web.Source(c) == "" {
		q.Attributes = d.ShownTo(a)
	}
	columns, forms := d.ListOptions(q), p.Path == "" && (rep == hal.AsHALForms || rep == hal.AsHTML && (web.Selecting(c) || web.Source(c) == "forms"))
	if forms {
		columns = nil // the guards look at the whole row
	} else if columns != nil {
		columns = append(columns, query.Columns(embed.Columns()...))
	}
	rows, err := d.List(ctx, a, q, append(opts, columns...)...)
	if err != nil {
		return err
	}
	defer rows.Release()
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.reg.List(ctx, a, d, p, q, rows, sheet)
	if err != nil {
		return err
	}
	if embed != nil {
		docs := make([]*hal.Document, len(rows.Rows))
		for i := range docs {
			docs[i] = &doc.Embedded[0].Docs[i]
		}
		if err := f.reg.Embed(ctx, a, d, embed, rows.Rows, docs); err != nil {
			return err
		}
	}
	if p.Path == "" {
		f.offers(a, d, doc)
		if err := f.listTemplates(c, d, doc); err != nil {
			return err
		}
	}
	if forms {
		list, err := f.bulkTemplates(ctx, a, d, rows.Rows)
		if err != nil {
			return err
		}
		doc.Templates = append(doc.Templates, list...)
	}
	return f.send(c, http.StatusOK, doc)
}

const paramEmbed = "embed"

// asking reads what the query string asks of a resource.
func asking(c echo.Context, d *resource.Def) (query.Query, resource.Embed, error) {
	a := web.Actor(c)
	q, err := query.Parse(c.Request().URL.RawQuery, d.Schema, a, query.Options{
		Extra:     []string{paramEmbed},
		Attribute: func(path []string) bool { return d.Attribute(a, path) },
	})
	if err != nil {
		return q, nil, err
	}
	text := strings.Join(q.Extra[paramEmbed], ",")
	embed, err := d.ParseEmbed(a, text)
	if err == nil && embed != nil {
		if q.LinkParams != "" {
			q.LinkParams += "&"
		}
		q.LinkParams += paramEmbed + "=" + url.QueryEscape(text)
	}
	return q, embed, err
}

// offers adds what the caller may do with the collection itself.
func (f *Face) offers(a access.Actor, d *resource.Def, doc *hal.Document) {
	if d.Import != nil {
		doc.HasActions = true
		if d.CanCreate(a) == nil {
			doc.Actions = append(doc.Actions, hal.Action{Rel: importPath, Name: importPath, Href: d.Path() + importPath + "/", Title: "Import into " + d.Noun})
		}
	}
	for _, b := range d.Batch {
		doc.HasActions = true
		if b.Can(a) == nil {
			doc.Actions = append(doc.Actions, hal.Action{Rel: b.Rel, Name: b.Rel, Href: d.Path() + "actions/" + b.Rel, Title: b.Title})
		}
	}
}

func (f *Face) item(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := onlyQuery(c, "attributes", paramEmbed); err != nil {
			return err
		}
		setSubject(c, d, false)
		seen, err := f.sight(c, d)
		if err != nil {
			return err
		}
		if done, err := f.unchanged(c, seen); done || err != nil {
			return err
		}
		ctx, a := c.Request().Context(), web.Actor(c)
		row, err := d.Find(ctx, a, c.Param("id"))
		if err != nil {
			return err
		}
		q, embed, err := asking(c, d)
		if err != nil {
			return err
		}
		sheet := resource.NewArena()
		defer sheet.Release()
		doc, err := f.written(c, d, row, sheet)
		if err != nil {
			return err
		}
		if err := f.reg.Append(ctx, a, d, q, row, doc); err != nil {
			return err
		}
		if err := f.reg.Embed(ctx, a, d, embed, []any{row}, []*hal.Document{doc}); err != nil {
			return err
		}
		return f.sendTagged(c, http.StatusOK, doc, d.RowKey(row), seen)
	}
}

// show answers a row's document.
func (f *Face) show(c echo.Context, status int, d *resource.Def, row any) error {
	setSubject(c, d, false)
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.written(c, d, row, sheet)
	if err != nil {
		return err
	}
	return f.sendTagged(c, status, doc, d.RowKey(row), nil)
}

func (f *Face) create(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		if err := expectNothing(c); err != nil {
			return err
		}
		ctx, a := c.Request().Context(), web.Actor(c)
		n, err := f.read(c)
		if err != nil {
			return err
		}
		row, err := d.Create(ctx, a, f.reg.Refs(ctx, a), n)
		if err != nil {
			return err
		}
		// The row as the service made it, not as it is by now: an order whose work
		// has begun says ACTIVE, however fast the work is.
		c.Response().Header().Set(echo.HeaderLocation, d.Href(d.RowKey(row).ID))
		if d.Once {
			c.Set(keyOnce, true)
		}
		return f.show(c, http.StatusCreated, d, row)
	}
}

func (f *Face) update(d *resource.Def) echo.HandlerFunc { return f.change(d, d.Update) }

func (f *Face) replace(d *resource.Def) echo.HandlerFunc { return f.change(d, d.Replace) }

// change is what PATCH and PUT have in common.
func (f *Face) change(d *resource.Def, write resource.WriteFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		a := web.Actor(c)
		ctx, err := f.aimed(c, d)
		if err != nil {
			return err
		}
		n, err := f.read(c)
		if err != nil {
			return err
		}
		row, err := write(ctx, a, c.Param("id"), f.reg.Refs(ctx, a), n)
		if err != nil {
			return err
		}
		return f.show(c, http.StatusOK, d, row)
	}
}

// aimed finds the row that a write is about: what is hidden is not found, whatever
// the body holds. The context is for the write, and holds it to If-Match.
func (f *Face) aimed(c echo.Context, d *resource.Def) (context.Context, error) {
	row, err := d.Find(c.Request().Context(), web.Actor(c), c.Param("id"))
	if err != nil {
		return nil, err
	}
	return f.expect(c, d, d.RowKey(row))
}

func (f *Face) remove(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		ctx, err := f.aimed(c, d)
		if err != nil {
			return err
		}
		e, err := d.Delete(ctx, web.Actor(c), c.Param("id"))
		if err != nil {
			return err
		}
		if e.Order != 0 {
			return f.removed(c, e.Order)
		}
		return f.effect(c, d, e)
	}
}

func (f *Face) action(d *resource.Def, x *resource.ActionDef) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		a := web.Actor(c)
		ctx, err := f.aimed(c, d)
		if err != nil {
			return err
		}
		n, err := f.read(c)
		if err != nil {
			return err
		}
		e, err := x.Do(ctx, a, c.Param("id"), n)
		if err != nil {
			return err
		}
		return f.effect(c, d, e)
	}
}

// offered runs an action that administrators have defined.
func (f *Face) offered(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		actions, err := d.Offers(c.Request().Context())
		if err != nil {
			return err
		}
		for _, x := range actions {
			if x.Path == c.Param("n") {
				return f.action(d, x)(c)
			}
		}
		if err := noQuery(c); err != nil {
			return err
		}
		return fault.NotFoundf("Not found.")
	}
}

// effect answers what a write led to.
func (f *Face) effect(c echo.Context, d *resource.Def, e resource.AnyResult) error {
	switch {
	case e.Order != 0:
		return f.ordered(c, e.Order)
	case e.Job != 0:
		return f.started(c, "jobs", e.Job)
	case e.Other.Of != "":
		return f.elsewhere(c, e.Other)
	case e.Row != nil:
		if id := d.RowKey(e.Row).ID; id.String() != c.Param("id") {
			c.Response().Header().Set(echo.HeaderLocation, d.Href(id))
		}
		return f.show(c, http.StatusOK, d, e.Row)
	}
	return f.noContent(c, d)
}

// elsewhere answers a row of another resource.
func (f *Face) elsewhere(c echo.Context, o resource.Other) error {
	d := f.reg.Def(o.Of)
	c.Response().Header().Set(echo.HeaderLocation, d.Href(d.RowKey(o.Row).ID))
	return f.show(c, madeStatus(o.Made), d, o.Row)
}

// madeStatus is the status of a row that a write led to.
func madeStatus(made bool) int {
	if made {
		return http.StatusCreated
	}
	return http.StatusOK
}

// started answers work that goes on: 202, its place, and its document, with the
// member in which CloudBolt's clients look for it.
func (f *Face) started(c echo.Context, plural string, id models.ID) error {
	d := f.reg.Def(plural)
	ctx, a := c.Request().Context(), web.Actor(c)
	row, err := d.Find(ctx, a, id.String())
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, d.Href(id))
	self := hal.Prop{Name: "run-action-job", Value: hal.Object([]hal.Prop{
		{Name: "self", Value: hal.LinkValue(hal.Link{Href: d.Href(id), Title: d.TitleOf(row)})},
	})}
	if f.representation(c) == hal.AsCloudBolt {
		return f.send(c, http.StatusOK, &hal.Document{Props: []hal.Prop{self}})
	}
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.written(c, d, row, sheet)
	if err != nil {
		return err
	}
	doc.Props = append(doc.Props, self)
	return f.send(c, http.StatusAccepted, doc)
}

func (f *Face) sub(d *resource.Def, s *resource.SubDef) echo.HandlerFunc {
	of := f.reg.Def(s.Of)
	return func(c echo.Context) error {
		ctx, a := c.Request().Context(), web.Actor(c)
		row, err := d.Find(ctx, a, c.Param("id"))
		if err != nil {
			return err
		}
		if s.Can != nil {
			if err := s.Can(a, row); err != nil {
				return err
			}
		}
		w, err := s.Where(ctx, a, row)
		if err != nil {
			return err
		}
		p := resource.Page{Path: f.subPath(d, row, s.Path)}
		if s.Paged {
			p.Noun = s.Title(row)
		} else {
			p.Title = s.Title(row)
		}
		return f.page(c, of, p, query.Base(w))
	}
}

// subPath is the canonical path of something below an item.
func (f *Face) subPath(d *resource.Def, row any, below string) string {
	href := d.Href(d.RowKey(row).ID)
	if href[len(href)-1] != '/' {
		href += "/"
	}
	return href + below + "/"
}

func (f *Face) batch(d *resource.Def, b resource.BatchAction) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := noQuery(c); err != nil {
			return err
		}
		ctx, a := c.Request().Context(), web.Actor(c)
		if err := b.Can(a); err != nil {
			return err
		}
		if err := expectNothing(c); err != nil {
			return err
		}
		n, err := f.read(c)
		if err != nil {
			return err
		}
		jobs, err := b.Do(ctx, a, n)
		if err != nil {
			return err
		}
		return f.jobsStarted(ctx, c, d, b, jobs)
	}
}

// jobsStarted answers an action on a collection, which may have started several jobs.
func (f *Face) jobsStarted(ctx context.Context, c echo.Context, d *resource.Def, b resource.BatchAction, jobs []models.ID) error {
	if len(jobs) == 0 {
		return fault.Conflictf("There is nothing to do.")
	}
	if len(jobs) == 1 {
		return f.started(c, "jobs", jobs[0])
	}
	all := f.reg.Def("jobs")
	links := make([]hal.Link, 0, len(jobs))
	list := make([]hal.Value, 0, len(jobs))
	for _, id := range jobs {
		row, err := all.Find(ctx, web.Actor(c), id.String())
		if err != nil {
			return err
		}
		l := hal.Link{Href: all.Href(id), Title: all.TitleOf(row)}
		links = append(links, l)
		list = append(list, hal.Object([]hal.Prop{{Name: "self", Value: hal.LinkValue(l)}}))
	}
	doc := &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: d.Path() + "actions/" + b.Rel, Title: b.Title}}},
			{Name: "jobs", Many: true, Links: links},
		},
		Props: []hal.Prop{{Name: "run-action-job", Value: list[0]}, {Name: "run-action-jobs", Value: hal.List(list)}},
	}
	return f.send(c, f.statusFor(c, http.StatusAccepted), doc)
}
