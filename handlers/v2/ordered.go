package v2

import (
	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/web"
)

// ordered answers an order that an action has made: with the job that does it, which
// is what clients of actions wait for, or with the order itself where there is no
// such job.
func (f *Face) ordered(c echo.Context, id models.ID) error {
	job, err := f.Orders.Work(c.Request().Context(), web.Actor(c), id)
	if err != nil {
		return err
	}
	if job == 0 {
		return f.started(c, "orders", id)
	}
	return f.started(c, "jobs", job)
}

// removed answers the order that a DELETE has made. In the CloudBolt shape it is
// what running the action Delete answers.
func (f *Face) removed(c echo.Context, id models.ID) error {
	if f.representation(c) == hal.AsCloudBolt {
		return f.ordered(c, id)
	}
	return f.started(c, "orders", id)
}
