// Package plainface_test shows that a face is parsing, wire structs and rendering, and
// nothing else: a small dialect of its own over the same services, which knows neither
// handlers/v2 nor hal, and has no rule of its own. Copy its shape for a new face.
package plainface_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/auth"
	"halcyon/pkg/fault"
	"halcyon/pkg/order"
	"halcyon/pkg/query"
	"halcyon/pkg/server"
	"halcyon/pkg/web"
)

const base, headerToken, headerCount = "/plain", "X-Plain-Token", "X-Result-Count"

// face is the dialect: flat objects, snake_case, a token in a header of its own,
// totals in a header, and errors by attribute.
type face struct {
	*app.App
	servers *query.Schema
}

func (f *face) Prefixes() []string { return []string{base} }

func (f *face) Routes() []web.Route {
	return []web.Route{
		{Method: http.MethodPost, Path: base + "/token", Doc: "anybody", Handle: f.signIn},
		{Method: http.MethodGet, Path: base + "/machines", Doc: "signed in: what they see", Handle: f.machines},
		{Method: http.MethodPost, Path: base + "/requests", Doc: "who may order", Handle: f.request},
		{Method: http.MethodGet, Path: base + "/requests/:id", Doc: "who sees it", Handle: about(f.Orders.Find)},
		{Method: http.MethodPost, Path: base + "/requests/:id/approve", Doc: "who may approve", Handle: about(f.Orders.Approve)},
	}
}

func (f *face) Authenticate(c echo.Context) error {
	if c.Request().URL.Path == base+"/token" {
		return nil
	}
	header := ""
	if token := c.Request().Header.Get(headerToken); token != "" {
		header = "Bearer " + token
	}
	a, err := f.Auth.Authenticate(c.Request().Context(), header, c.RealIP())
	web.SetActor(c, a)
	return err
}

func (f *face) WriteFault(c echo.Context, err error) error {
	e := fault.From(err)
	if e.Code != fault.Invalid || len(e.Fields) == 0 {
		return c.JSON(web.Status(err), map[string]string{"detail": e.Text(names{})})
	}
	attributes := map[string][]string{}
	for _, x := range e.Fields {
		name := names{}.Path(x.Path)
		attributes[name] = append(attributes[name], x.Text(names{}))
	}
	return c.JSON(web.Status(err), map[string]any{"attributes": attributes})
}

// names is how the face calls places: an attribute of a request, after its build item
// when it is about one.
type names struct{}

func (names) Path(p fault.Path) string {
	var words []string
	for _, s := range p {
		if s.Kind != fault.KindItem { // a request has one item
			words = append(words, names{}.Segment(s))
		}
	}
	return strings.Join(words, ".")
}

func (names) Segment(s fault.Segment) string {
	if s.Kind == fault.KindEntry {
		return strconv.Itoa(s.Index)
	}
	return strings.ToLower(strings.ReplaceAll(s.Name, "-", "_"))
}

func (f *face) signIn(c echo.Context) error {
	var in struct{ User, Secret string }
	if err := c.Bind(&in); err != nil {
		return fault.Invalidf("Send user and secret as JSON.")
	}
	t, err := f.Auth.SignIn(c.Request().Context(), auth.Credentials{Username: in.User, Password: in.Secret, Source: c.RealIP()})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"token": t.Access})
}

// machineFields are the members of a machine that fields= may choose.
var machineFields = map[string]func(s *models.Server) any{
	"id":        func(s *models.Server) any { return s.ID },
	"name":      func(s *models.Server) any { return s.Hostname },
	"state":     func(s *models.Server) any { return strings.ToLower(string(s.Status)) },
	"memory_mb": func(s *models.Server) any { return s.MemoryMB },
}

// filters are the query parameters that narrow a list, and the domain's paths to what
// they compare.
var filters = map[string]string{"group": "group", "environment_name": "environment.name", "state": "status"}

func (f *face) machines(c echo.Context) error {
	in := c.QueryParams()
	q, fields := query.Query{Size: 10}, in["field"]
	for _, name := range fields {
		if machineFields[name] == nil {
			return fault.InvalidField(fault.Argument("field"), "%q is not a field of machines", name)
		}
	}
	for name, path := range filters {
		if values := in[name]; len(values) > 0 {
			t, err := query.OneOf(f.servers, path, values...)
			if err != nil {
				return err
			}
			q.Filter = append(q.Filter, t)
		}
	}
	for name, into := range map[string]*int{"page": &q.Page, "page_size": &q.Size} {
		text := in.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if *into = n; err != nil || n < 1 || n > 100 {
			return fault.InvalidField(fault.Argument(name), "must be between 1 and 100")
		}
	}
	p, err := f.Servers.List(c.Request().Context(), web.Actor(c), q)
	if err != nil {
		return err
	}
	defer p.Release()
	list := make([]map[string]any, len(p.Rows))
	for i, s := range p.Rows {
		list[i] = map[string]any{}
		for _, name := range fields {
			list[i][name] = machineFields[name](s)
		}
	}
	c.Response().Header().Set(headerCount, strconv.FormatInt(p.Total, 10))
	return c.JSON(http.StatusOK, list)
}

// request orders a blueprint by flat attributes: those about where and for whom, and
// the blueprint's own parameters.
func (f *face) request(c echo.Context) error {
	var in struct{ Attributes map[string]string }
	if err := c.Bind(&in); err != nil {
		return fault.Invalidf("Send attributes as JSON, with texts as values.")
	}
	item := &models.DeployItem{}
	d := order.Draft{Submit: true, Items: []models.OrderItem{{Kind: models.ItemDeploy, Deploy: item}}}
	var bad []fault.Field
	item.BlueprintID = refer(c, in.Attributes, "blueprint", f.Catalog.Blueprints.Find, &bad)
	d.GroupID = refer(c, in.Attributes, "group", f.Tenancy.Groups.Find, &bad)
	item.EnvironmentID = refer(c, in.Attributes, "environment", f.Catalog.Environments.Find, &bad)
	if err := fault.InvalidFields(bad); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		item.Parameters = append(item.Parameters, models.Param{Name: name, Value: in.Attributes[name]})
	}
	o, err := f.Orders.Create(c.Request().Context(), web.Actor(c), d)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, requestOf(o))
}

// refer takes a reference out of the attributes and returns the id of what it means.
func refer[T interface{ Key() *models.Row }](c echo.Context, in map[string]string, name string, find func(context.Context, access.Actor, string) (T, error), bad *[]fault.Field) models.ID {
	ref, given := in[name]
	if delete(in, name); !given {
		return 0
	}
	row, err := find(c.Request().Context(), web.Actor(c), ref)
	if err != nil {
		*bad = append(*bad, fault.Field{Path: fault.Member(name), Reason: fault.Message(err)})
		return 0
	}
	return row.Key().ID
}

func requestOf(o *models.Order) map[string]any {
	return map[string]any{"id": o.ID, "state": strings.ToLower(string(o.Status))}
}

// about answers the request that do finds, or changes.
func about(do func(ctx context.Context, a access.Actor, ref string) (*models.Order, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		o, err := do(c.Request().Context(), web.Actor(c), c.Param("id"))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, requestOf(o))
	}
}

// newFace returns the face of an application.
func newFace(a *app.App) *face { return &face{App: a, servers: a.Model.Schema(server.Servers)} }
