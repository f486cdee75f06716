package halserver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// This file serves resources from their declarations.

// Collection returns the handler that answers a page of the resource's list.
func (s *Server) Collection(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.Page(c, d, resource.Page{})
	}
}

// Page answers a page of a list, narrowed by opts.
func (s *Server) Page(c echo.Context, d *resource.Def, p resource.Page, opts ...query.ListOption) error {
	ctx, a := c.Request().Context(), web.Actor(c)
	SetSubject(c, d, true)
	q, embed, err := asking(c, d)
	if err != nil {
		return err
	}
	rep := s.Representation(c)
	if rep == hal.AsHTML && q.Attributes == nil && sourceOf(c) == "" {
		q.Attributes = d.ShownTo(a)
	}
	columns, forms := d.ListOptions(q), p.Path == "" && (rep == hal.AsHALForms || rep == hal.AsHTML && (selecting(c) || sourceOf(c) == "forms"))
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
	doc, err := s.reg.List(ctx, a, d, p, q, rows, sheet)
	if err != nil {
		return err
	}
	if embed != nil {
		docs := make([]*hal.Document, len(rows.Rows))
		for i := range docs {
			docs[i] = &doc.Embedded[0].Docs[i]
		}
		if err := s.reg.Embed(ctx, a, d, embed, rows.Rows, docs); err != nil {
			return err
		}
	}
	if p.Path == "" {
		s.offers(a, d, doc)
		if err := s.listTemplates(c, d, doc); err != nil {
			return err
		}
	}
	if forms {
		list, err := s.bulkTemplates(ctx, a, d, rows.Rows)
		if err != nil {
			return err
		}
		doc.Templates = append(doc.Templates, list...)
	}
	return s.Send(c, http.StatusOK, doc)
}

const paramEmbed = "embed"

// asking parses the query string: the query and the relations to embed.
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

// offers adds the actions that the caller may do with the collection.
func (s *Server) offers(a access.Actor, d *resource.Def, doc *hal.Document) {
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

func (s *Server) item(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := OnlyQuery(c, "attributes", paramEmbed); err != nil {
			return err
		}
		SetSubject(c, d, false)
		seen, err := s.sight(c, d)
		if err != nil {
			return err
		}
		if done, err := s.unchanged(c, seen); done || err != nil {
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
		doc, err := s.Document(c, d, row, sheet)
		if err != nil {
			return err
		}
		if err := s.reg.Append(ctx, a, d, q, row, doc); err != nil {
			return err
		}
		if err := s.reg.Embed(ctx, a, d, embed, []any{row}, []*hal.Document{doc}); err != nil {
			return err
		}
		return s.SendTagged(c, http.StatusOK, doc, d.RowKey(row), seen)
	}
}

// Show answers a row's document.
func (s *Server) Show(c echo.Context, status int, d *resource.Def, row any) error {
	SetSubject(c, d, false)
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := s.Document(c, d, row, sheet)
	if err != nil {
		return err
	}
	return s.SendTagged(c, status, doc, d.RowKey(row), nil)
}

func (s *Server) create(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := NoQuery(c); err != nil {
			return err
		}
		if err := expectNothing(c); err != nil {
			return err
		}
		ctx, a := c.Request().Context(), web.Actor(c)
		n, err := s.Read(c)
		if err != nil {
			return err
		}
		row, err := d.Create(ctx, a, s.reg.Refs(ctx, a), n)
		if err != nil {
			return err
		}
		// Answer the row as the service returned it, not its newest state: an order
		// whose job has started is ACTIVE, however fast the job is.
		c.Response().Header().Set(echo.HeaderLocation, d.Href(d.RowKey(row).ID))
		if d.Once {
			ShownOnce(c)
		}
		return s.Show(c, http.StatusCreated, d, row)
	}
}

func (s *Server) update(d *resource.Def) echo.HandlerFunc { return s.change(d, d.Update) }

func (s *Server) replace(d *resource.Def) echo.HandlerFunc { return s.change(d, d.Replace) }

// change serves PATCH and PUT.
func (s *Server) change(d *resource.Def, write resource.WriteFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, n, err := s.aimedBody(c, d)
		if err != nil {
			return err
		}
		a := web.Actor(c)
		row, err := write(ctx, a, c.Param("id"), s.reg.Refs(ctx, a), n)
		if err != nil {
			return err
		}
		return s.Show(c, http.StatusOK, d, row)
	}
}

// aimed finds the row of a write before its body is read: a hidden row is not found. The
// returned context is for the write, and holds it to If-Match.
func (s *Server) aimed(c echo.Context, d *resource.Def) (context.Context, error) {
	row, err := d.Find(c.Request().Context(), web.Actor(c), c.Param("id"))
	if err != nil {
		return nil, err
	}
	return s.Expect(c, d, d.RowKey(row))
}

// aimedBody returns what aimed does, and then the body of the write.
func (s *Server) aimedBody(c echo.Context, d *resource.Def) (context.Context, *jsonbody.Value, error) {
	if err := NoQuery(c); err != nil {
		return nil, nil, err
	}
	ctx, err := s.aimed(c, d)
	if err != nil {
		return nil, nil, err
	}
	n, err := s.Read(c)
	return ctx, n, err
}

func (s *Server) remove(d *resource.Def) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := NoQuery(c); err != nil {
			return err
		}
		ctx, err := s.aimed(c, d)
		if err != nil {
			return err
		}
		e, err := d.Delete(ctx, web.Actor(c), c.Param("id"))
		if err != nil {
			return err
		}
		if e.Work.Of != "" && s.Representation(c) != hal.AsCloudBolt {
			return s.started(c, e.Work) // the row that asks for the work, not the one that does it
		}
		return s.result(c, d, e)
	}
}

func (s *Server) action(d *resource.Def, x *resource.ActionDef) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, n, err := s.aimedBody(c, d)
		if err != nil {
			return err
		}
		a := web.Actor(c)
		e, err := x.Do(ctx, a, c.Param("id"), n)
		if err != nil {
			return err
		}
		return s.result(c, d, e)
	}
}

// offered runs an action by its number: one of the declared actions that has it, or one
// that administrators have defined.
func (s *Server) offered(d *resource.Def) echo.HandlerFunc {
	numbered := map[string]echo.HandlerFunc{}
	for _, x := range d.Actions {
		if x.Number != 0 {
			numbered[strconv.Itoa(x.Number)] = s.orDryRun(d, x.DryRun, s.action(d, x))
		}
	}
	return func(c echo.Context) error {
		if handle := numbered[c.Param("n")]; handle != nil {
			return handle(c)
		}
		actions, err := d.Offers(c.Request().Context())
		if err != nil {
			return err
		}
		for _, x := range actions {
			if x.Path == c.Param("n") {
				return s.action(d, x)(c)
			}
		}
		if err := NoQuery(c); err != nil {
			return err
		}
		return fault.NotFoundf("Not found.")
	}
}

// result answers the result of a write.
func (s *Server) result(c echo.Context, d *resource.Def, e resource.AnyResult) error {
	switch {
	case e.Work.Of != "":
		return s.follow(c, e.Work)
	case e.Other.Of != "":
		return s.elsewhere(c, e.Other)
	case e.Row != nil:
		if id := d.RowKey(e.Row).ID; id.String() != c.Param("id") {
			c.Response().Header().Set(echo.HeaderLocation, d.Href(id))
		}
		return s.Show(c, http.StatusOK, d, e.Row)
	}
	return s.noContent(c, d)
}

// elsewhere answers a row of another resource.
func (s *Server) elsewhere(c echo.Context, o resource.Other) error {
	d := s.reg.Def(o.Of)
	c.Response().Header().Set(echo.HeaderLocation, d.Href(d.RowKey(o.Row).ID))
	return s.Show(c, madeStatus(o.Made), d, o.Row)
}

// madeStatus is the status of a row that a write led to.
func madeStatus(made bool) int {
	if made {
		return http.StatusCreated
	}
	return http.StatusOK
}

// memberRunJob is the member in which CloudBolt's clients look for work that was
// started, and memberRunJobs the one for several.
const (
	memberRunJob  = "run-action-job"
	memberRunJobs = "run-action-jobs"
)

// follow answers the job that carries out the row's request, or the row itself when there
// is no such job.
func (s *Server) follow(c echo.Context, w resource.Work) error {
	if started := s.reg.Def(w.Of).Started; started != nil && started.Follow != nil {
		next, err := started.Follow(c.Request().Context(), web.Actor(c), w.ID)
		if err != nil {
			return err
		}
		if next.Of != "" {
			w = next
		}
	}
	return s.started(c, w)
}

// started answers work that goes on: 202, its place, and its document, with the member
// in which CloudBolt's clients look for it.
func (s *Server) started(c echo.Context, w resource.Work) error {
	d, id := s.reg.Def(w.Of), w.ID
	ctx, a := c.Request().Context(), web.Actor(c)
	row, err := d.Find(ctx, a, id.String())
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, d.Href(id))
	self := hal.Prop{Name: memberRunJob, Value: hal.Object([]hal.Prop{
		{Name: "self", Value: hal.LinkValue(hal.Link{Href: d.Href(id), Title: d.TitleOf(row)})},
	})}
	if s.Representation(c) == hal.AsCloudBolt {
		return s.Send(c, http.StatusOK, &hal.Document{Props: []hal.Prop{self}})
	}
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := s.Document(c, d, row, sheet)
	if err != nil {
		return err
	}
	doc.Props = append(doc.Props, self)
	return s.Send(c, http.StatusAccepted, doc)
}

func (s *Server) sub(d *resource.Def, x *resource.SubDef) echo.HandlerFunc {
	of := s.reg.Def(x.Of)
	return func(c echo.Context) error {
		ctx, a := c.Request().Context(), web.Actor(c)
		row, err := d.Find(ctx, a, c.Param("id"))
		if err != nil {
			return err
		}
		if x.Can != nil {
			if err := x.Can(a, row); err != nil {
				return err
			}
		}
		narrow, err := x.Rows(ctx, row)
		if err != nil {
			return err
		}
		p := resource.Page{Path: SubPath(d, row, x.Path)}
		if x.Paged {
			p.Noun = x.Title(row)
		} else {
			p.Title = x.Title(row)
		}
		return s.Page(c, of, p, narrow)
	}
}

// SubPath returns the canonical path of something below a row.
func SubPath(d *resource.Def, row any, below string) string {
	href := d.Href(d.RowKey(row).ID)
	if href[len(href)-1] != '/' {
		href += "/"
	}
	return href + below + "/"
}

func (s *Server) batch(d *resource.Def, b resource.BatchAction) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := NoQuery(c); err != nil {
			return err
		}
		ctx, a := c.Request().Context(), web.Actor(c)
		if err := b.Can(a); err != nil {
			return err
		}
		if err := expectNothing(c); err != nil {
			return err
		}
		n, err := s.Read(c)
		if err != nil {
			return err
		}
		works, err := b.Do(ctx, a, n)
		if err != nil {
			return err
		}
		return s.allStarted(c, d, b, works)
	}
}

// allStarted answers an action on a collection, which may have started several works.
func (s *Server) allStarted(c echo.Context, d *resource.Def, b resource.BatchAction, works []resource.Work) error {
	if len(works) == 0 {
		return fault.Conflictf("There is nothing to do.")
	}
	if len(works) == 1 {
		return s.started(c, works[0])
	}
	all := s.reg.Def(b.Starts)
	links := make([]hal.Link, 0, len(works))
	list := make([]hal.Value, 0, len(works))
	for _, w := range works {
		row, err := all.Find(c.Request().Context(), web.Actor(c), w.ID.String())
		if err != nil {
			return err
		}
		l := hal.Link{Href: all.Href(w.ID), Title: all.TitleOf(row)}
		links = append(links, l)
		list = append(list, hal.Object([]hal.Prop{{Name: "self", Value: hal.LinkValue(l)}}))
	}
	doc := &hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: d.Path() + "actions/" + b.Rel, Title: b.Title}}},
			{Name: all.Plural, Many: true, Links: links},
		},
		Props: []hal.Prop{{Name: memberRunJob, Value: list[0]}, {Name: memberRunJobs, Value: hal.List(list)}},
	}
	return s.Send(c, s.StatusFor(c, http.StatusAccepted), doc)
}
