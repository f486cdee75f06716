package v2

import (
	"github.com/labstack/echo/v4"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/web"
)

// ordered answers an order that an action or a DELETE has made: with the job that
// does it, which is what clients of actions wait for, and with the order itself where
// somebody has to approve it, or where several jobs do it.
func (f *Face) ordered(c echo.Context, id models.ID) error {
	d := f.reg.Def("jobs")
	q := query.Query{Page: 1, Size: 2}
	top := access.Where{SQL: query.Root + ".order_id = " + id.String() + " AND " + query.Root + ".parent_id IS NULL"}
	jobs, err := d.List(c.Request().Context(), web.Actor(c), q, query.Base(top), query.Columns("id"))
	if err != nil {
		return err
	}
	defer jobs.Release()
	if len(jobs.Rows) != 1 {
		return f.started(c, "orders", id)
	}
	return f.started(c, "jobs", d.RowKey(jobs.Rows[0]).ID)
}
