package v2

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// dryRun is the query parameter that asks what a request would lead to.
const dryRun = "dry-run"

// orDryRun lets the making of orders, also by form, and their submission be tried
// out. All other routes of a declaration know nothing of it.
func (f *Face) orDryRun(d *resource.Def, action string, real echo.HandlerFunc) echo.HandlerFunc {
	dry := f.dry(d, action)
	if dry == nil {
		return real
	}
	return func(c echo.Context) error {
		on, err := takeDryRun(c)
		if err != nil {
			return err
		}
		if !on {
			return real(c)
		}
		if err := noQuery(c); err != nil {
			return err
		}
		return dry(c)
	}
}

// dry gives what tries out an action, or a create when it is ""; nil when nothing does.
func (f *Face) dry(d *resource.Def, action string) echo.HandlerFunc {
	return map[string]echo.HandlerFunc{
		"orders": f.dryCreate, "orders/submit": f.drySubmit, "blueprints/order": f.dryOrderForm,
	}[strings.TrimSuffix(d.Plural+"/"+action, "/")]
}

// takeDryRun takes the parameter out of the request and says whether it asks.
func takeDryRun(c echo.Context) (on bool, err error) {
	r := c.Request()
	var rest []string
	given := false
	for _, pair := range strings.Split(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != dryRun {
			rest = append(rest, pair)
			continue
		}
		if given {
			return false, fault.InvalidField(dryRun, "is there twice")
		}
		given = true
		if value, err = url.QueryUnescape(value); err != nil {
			return false, fault.InvalidField(dryRun, "cannot be read")
		}
		switch strings.ToLower(value) {
		case "1", "true":
			on = true
		case "0", "false":
		default:
			return false, fault.InvalidField(dryRun, "is none of 1, true, 0, false")
		}
	}
	if given {
		u := *r.URL
		u.RawQuery = strings.Join(rest, "&")
		r = r.WithContext(r.Context())
		r.URL = &u
		c.SetRequest(r)
	}
	return on, nil
}

func (f *Face) dryCreate(c echo.Context) error {
	ctx, a := c.Request().Context(), web.Actor(c)
	n, err := f.read(c)
	if err != nil {
		return err
	}
	d, err := readDraft(n, f.reg.Refs(ctx, a))
	if err != nil {
		return err
	}
	fc, err := f.Orders.DryCreate(ctx, a, d)
	if err != nil {
		return err
	}
	return f.showForecast(c, fc)
}

// dryOrderForm tries out the order form of a blueprint.
func (f *Face) dryOrderForm(c echo.Context) error {
	ctx, a, id := c.Request().Context(), web.Actor(c), c.Param("id")
	if _, err := f.Catalog.Blueprints.Find(ctx, a, id); err != nil {
		return err
	}
	n, err := f.read(c)
	if err != nil {
		return err
	}
	var fc *order.Forecast
	err = f.byForm(ctx, a, id, n, func(d order.Draft) (err error) {
		fc, err = f.Orders.DryCreate(ctx, a, d)
		return err
	})
	if err != nil {
		return err
	}
	return f.showForecast(c, fc)
}

func (f *Face) drySubmit(c echo.Context) error {
	ctx, a, id := c.Request().Context(), web.Actor(c), c.Param("id")
	if _, err := f.Orders.Find(ctx, a, id); err != nil {
		return err
	}
	n, err := f.read(c)
	if err != nil {
		return err
	}
	n.Done()
	if err := n.Faults().Err(); err != nil {
		return err
	}
	fc, err := f.Orders.DrySubmit(ctx, a, id)
	if err != nil {
		return err
	}
	return f.showForecast(c, fc)
}

// showForecast answers the order as it would be. It offers nothing that could only
// be done to the real one, and a new one has neither an id nor an address.
func (f *Face) showForecast(c echo.Context, fc *order.Forecast) error {
	d := f.reg.Def("orders")
	ctx, a := c.Request().Context(), web.Actor(c)
	sheet := resource.NewArena()
	defer sheet.Release()
	doc, err := f.reg.Item(ctx, a, d, fc.Order, sheet)
	if err != nil {
		return err
	}
	doc.Actions, doc.HasActions = nil, false
	doc.Links = slices.DeleteFunc(doc.Links, func(r hal.Rel) bool { return r.Name == "describedby" }) // it is another document
	if fc.Order.ID == 0 {
		doc.Links[0].Links = []hal.Link{{Href: d.Path(), Title: "Dry run of a new order"}}
		doc.Links = slices.DeleteFunc(doc.Links, func(r hal.Rel) bool { return r.Name == "history" || r.Name == "collection" })
		doc.Props = slices.DeleteFunc(doc.Props, func(p hal.Prop) bool {
			return p.Name == "id" || p.Name == "global-id" || p.Name == "uuid"
		})
	}
	approvals, err := f.forecastApprovals(ctx, a, fc)
	if err != nil {
		return err
	}
	doc.Props = append(doc.Props, hal.Prop{Name: dryRun, Value: hal.Object([]hal.Prop{
		{Name: "approvals", Value: hal.List(approvals)},
		{Name: "quota", Value: f.forecastQuotas(fc)},
		{Name: "jobs", Value: forecastJobs(fc.Jobs)},
	})})
	if f.dryRunPage(c, doc, fc.Approvers) {
		return nil
	}
	return f.send(c, http.StatusOK, doc)
}

// forecastApprovals says which policy approves, or who has to, as far as the actor
// sees them.
func (f *Face) forecastApprovals(ctx context.Context, a access.Actor, fc *order.Forecast) ([]hal.Value, error) {
	switch {
	case fc.Order.GroupID == 0:
		return nil, nil
	case fc.Automatic != "":
		return []hal.Value{hal.Object([]hal.Prop{
			{Name: "policy", Value: hal.String("automatic")}, {Name: "reason", Value: hal.String(fc.Automatic)},
		})}, nil
	}
	titles, err := f.Directory.Titles(ctx)
	if err != nil {
		return nil, err
	}
	defer titles.Release()
	link := func(plural string, id models.ID) (hal.Value, bool) {
		d := f.reg.Def(plural)
		title, ok := titles.Title(a, d.Table, id)
		return hal.LinkValue(hal.Link{Href: d.Href(id), Title: title}), ok
	}
	props := []hal.Prop{{Name: "policy", Value: hal.String("approver")}}
	if group, ok := link("groups", fc.Order.GroupID); ok {
		props = append(props, hal.Prop{Name: "group", Value: group})
	}
	who := []hal.Value{}
	for _, id := range fc.Approvers {
		if u, ok := link("users", id); ok {
			who = append(who, u)
		}
	}
	return []hal.Value{hal.Object(append(props, hal.Prop{Name: "approvers", Value: hal.List(who)}))}, nil
}

func (f *Face) forecastQuotas(fc *order.Forecast) hal.Value {
	d := f.reg.Def("quotas")
	list := make([]hal.Value, len(fc.Quotas))
	for i := range fc.Quotas {
		q := &fc.Quotas[i].Quota
		list[i] = hal.Object([]hal.Prop{
			{Name: "href", Value: hal.String(d.Href(q.ID))},
			{Name: "title", Value: hal.String(d.TitleOf(q))},
			{Name: "kind", Value: hal.String(string(q.Kind))},
			{Name: "limit", Value: amount(q.Kind, q.Limit)},
			{Name: "used", Value: amount(q.Kind, q.Used)},
			{Name: "after", Value: amount(q.Kind, fc.Quotas[i].After())},
		})
	}
	return hal.List(list)
}

// forecastJobs writes the tree of jobs. A leaf has no member jobs.
func forecastJobs(jobs []order.PlannedJob) hal.Value {
	list := make([]hal.Value, len(jobs))
	for i, j := range jobs {
		name := "hostname"
		if j.Type == models.JobDeploy {
			name = "service-name"
		}
		props := []hal.Prop{
			{Name: "type", Value: hal.String(j.Type.Title())},
			{Name: name, Value: hal.String(j.Name)},
			{Name: "prerequisite", Value: hal.Null()},
		}
		if j.Jobs != nil {
			props = append(props, hal.Prop{Name: "jobs", Value: forecastJobs(j.Jobs)})
		}
		list[i] = hal.Object(props)
	}
	return hal.List(list)
}
