package v2

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/catalog"
	"halcyon/pkg/jsonbody"
	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// This file imports the templates of a resource handler's back end into the catalogue.

const templatesPath = "templates"

// templatesLink leads from a handler to its templates.
func templatesLink() resource.Relation[models.ResourceHandler] {
	return resource.Path("cb:templates", func(base string, h *models.ResourceHandler) (hal.Link, bool) {
		return hal.Link{Href: base + "/resource-handlers/" + h.ID.String() + "/" + templatesPath + "/", Title: "Templates Of " + h.Name}, true
	}, "Templates in the back end, read now: what import-template can import.")
}

// templates lists the templates of a handler's back end.
func (f *Face) templates(c echo.Context) error {
	number, size, err := query.ParsePage(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	ctx, a := c.Request().Context(), web.Actor(c)
	d := f.reg.Def("resource-handlers")
	h, err := f.Catalog.Handlers.Find(ctx, a, c.Param("id"))
	if err != nil {
		return err
	}
	found, err := f.Catalog.Templates(ctx, a, h.ID.String())
	if err != nil {
		return err
	}
	p := page{Path: halserver.SubPath(d, h, templatesPath), Title: "Templates Of " + h.Name, Number: number, Size: size, Total: len(found)}
	from, to := p.rows()
	list := make([]hal.Value, to-from)
	for i, t := range found[from:to] {
		props := []hal.Prop{
			{Name: "name", Value: hal.String(t.Name)},
			{Name: "os-family", Value: hal.String(t.OSFamily)},
			{Name: "cpu-cnt", Value: hal.Int(int64(t.CPUs))},
			{Name: "mem-size", Value: hal.String(resource.GB(t.MemoryMB))},
			{Name: "is-imported", Value: hal.Bool(t.OSBuildID != 0)},
		}
		if t.OSBuildID != 0 {
			props = append(props, hal.Prop{Name: "os-build", Value: hal.String(f.reg.Def("os-builds").Href(t.OSBuildID))})
		}
		list[i] = hal.Object(props)
	}
	return f.hal.Send(c, http.StatusOK, &hal.Document{
		Links: append(p.links(), hal.Rel{Name: "up", Links: []hal.Link{{Href: d.Href(h.ID), Title: h.Name}}}),
		Props: append(p.props(), hal.Prop{Name: "templates", Value: hal.List(list)}),
	})
}

// importTemplate is the action that creates an OS build from a template, or adds the
// template to an OS build.
func (f *Face) importTemplate() resource.Action[models.ResourceHandler] {
	return resource.Action[models.ResourceHandler]{
		Rel: "import-template", Title: "Import a template of",
		Doc:  "Makes an OS build of a template in the back end, or adds the template to the one that os-build names.",
		Can:  func(a access.Actor, h *models.ResourceHandler) error { return f.Catalog.Handlers.CanUpdate(a, h) },
		Do:   f.doImportTemplate,
		Form: f.importTemplateForm,
		Body: importTemplateBody(), Results: resource.Results{resource.ToOther("os-builds", true), resource.ToOther("os-builds", false)},
	}
}

func (f *Face) doImportTemplate(ctx context.Context, a access.Actor, ref string, n *jsonbody.Value) (resource.Result[models.ResourceHandler], error) {
	var none resource.Result[models.ResourceHandler]
	h, err := f.Catalog.Handlers.Find(ctx, a, ref)
	if err != nil {
		return none, err
	}
	// Check the right before the body: a refusal reveals nothing about it.
	if err := f.Catalog.Handlers.CanUpdate(a, h); err != nil {
		return none, err
	}
	in := catalog.TemplateImport{
		Template: n.Field("template").Text(), Name: n.Field("name").Text(), OSFamily: n.Field("os-family").Text(),
		OSBuildID: f.reg.Refs(ctx, a).To(n.Field("os-build"), "os-builds"),
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return none, err
	}
	o, made, err := f.Catalog.ImportTemplate(ctx, a, h.ID.String(), in)
	if err != nil {
		return none, err
	}
	return resource.Result[models.ResourceHandler]{Other: resource.Other{Of: "os-builds", Row: o, Made: made}}, nil
}

// formPatience is how long a form waits for the templates of a back end. After it the
// form is answered without choices.
const formPatience = 5 * time.Second

func (f *Face) importTemplateForm(ctx context.Context, a access.Actor, h *models.ResourceHandler) ([]hal.TemplateProperty, error) {
	template := hal.TemplateProperty{Name: "template", Prompt: "Template", Type: "text", Required: true}
	short, cancel := context.WithTimeout(ctx, formPatience)
	defer cancel()
	if found, err := f.Catalog.Templates(short, a, h.ID.String()); err == nil {
		for _, t := range found {
			if t.OSBuildID == 0 {
				template.Options = append(template.Options, hal.Option{Value: t.Name})
			}
		}
	}
	return []hal.TemplateProperty{
		template,
		{Name: "name", Prompt: "Name of a new OS build", Type: "text", MaxLength: 255},
		{Name: "os-family", Prompt: "Family of a new OS build", Type: "text"},
		f.reg.Choices(hal.TemplateProperty{Name: "os-build", Prompt: "Or the OS build that gets it"}, "os-builds", ""),
	}, nil
}
