package v2

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// user answers the caller's own user. To a person it shows the roles with it.
func (f *Face) user(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	ctx, a, d := c.Request().Context(), web.Actor(c), f.reg.Def("users")
	row, err := d.Find(ctx, a, a.ID.String())
	if err != nil {
		return err
	}
	halserver.SetSubject(c, d, false)
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.hal.Document(c, d, row, sheet)
	if err != nil {
		return err
	}
	if f.hal.ReadsForms(c) && a.Session != "" {
		doc.Templates = append(doc.Templates, hal.Template{Key: "sign-out", Title: "Sign out", Method: http.MethodPost, Target: basePath + "/user/actions/sign-out"})
	}
	return f.hal.SendTagged(c, http.StatusOK, doc, d.RowKey(row), nil)
}

// signedIn answers the document of the user after a sign-in.
func (f *Face) signedIn(c echo.Context) error {
	a, d := web.Actor(c), f.reg.Def("users")
	row, err := d.Find(c.Request().Context(), a, a.ID.String())
	if err != nil {
		return err
	}
	return f.hal.Show(c, http.StatusOK, d, row)
}
