package halserver

import (
	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// ReadsForms reports whether the caller reads templates: clients of HAL-FORMS do, and
// pages render them as forms. Other answers are spared the cost.
func (s *Server) ReadsForms(c echo.Context) bool {
	r := s.Representation(c)
	return r == hal.AsHALForms || r == hal.AsHTML
}

// Document returns a row's document on the arena, with templates if the caller reads
// them.
func (s *Server) Document(c echo.Context, d *resource.Def, row any, on *resource.Arena) (*hal.Document, error) {
	ctx, a := c.Request().Context(), web.Actor(c)
	doc, err := s.reg.Item(ctx, a, d, row, on)
	if err == nil && s.ReadsForms(c) {
		doc.Templates, err = s.reg.ItemTemplates(ctx, a, d, row)
	}
	if err == nil && s.Displays(c) {
		err = s.reg.Display(ctx, a, d, row, doc)
	}
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// listTemplates adds the templates of a collection.
func (s *Server) listTemplates(c echo.Context, d *resource.Def, doc *hal.Document) error {
	if !s.ReadsForms(c) {
		return nil
	}
	a := web.Actor(c)
	list, err := s.reg.NewTemplates(c.Request().Context(), a, d)
	doc.Templates = append(list, d.BatchTemplates(a)...)
	return err
}
