package halserver

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// Routes returns the routes that follow from a declaration. list answers a GET of the
// collection: Collection, unless the declaration has a list of its own kind.
func (s *Server) Routes(d *resource.Def, list echo.HandlerFunc) []web.Route {
	var table []web.Route
	add := func(method, path, doc string, handle echo.HandlerFunc) {
		table = append(table, web.Route{Method: method, Path: path, Doc: doc, Handle: handle})
	}
	all := strings.TrimSuffix(d.Path(), "/")
	one := all + "/:id"
	if d.Import != nil {
		add = besideImport(add, one)
	}
	add(http.MethodGet, all, "signed in: what they see", list)
	add(http.MethodGet, one, "who sees it", s.item(d))
	if d.Create != nil {
		add(http.MethodPost, all, "who may create", s.orDryRun(d, d.CreateDryRun, s.create(d)))
	}
	if d.Update != nil {
		add(http.MethodPatch, one, "who may change it", s.update(d))
	}
	if d.Replace != nil {
		add(http.MethodPut, one, "who may change it", s.replace(d))
	}
	if d.Delete != nil {
		add(http.MethodDelete, one, "who may delete it", s.remove(d))
	}
	for _, x := range d.Actions {
		add(http.MethodPost, one+"/actions/"+x.Path, x.Doc, s.orDryRun(d, x.DryRun, s.action(d, x)))
	}
	if d.Offers != nil {
		add(http.MethodPost, one+"/actions/:n", "who may run what administrators offer", s.offered(d))
	}
	for _, x := range d.Subs {
		add(http.MethodGet, one+"/"+x.Path, "who sees it: what they see", s.sub(d, x))
	}
	if d.Export != nil {
		add(http.MethodGet, one+"/export", "who may change it", s.export(d))
		add(http.MethodPost, all+"/import", "who may create", s.importing(d))
	}
	whole := map[string]echo.HandlerFunc{}
	for _, b := range d.Batch {
		whole[b.Rel] = s.batch(d, b)
	}
	for _, x := range d.BulkActions() {
		add(http.MethodPost, all+"/actions/"+x.Path, "for each of several: "+x.Doc, s.bulk(d, x, whole[x.Path]))
		delete(whole, x.Path)
	}
	for _, b := range d.Batch {
		if handle := whole[b.Rel]; handle != nil {
			add(http.MethodPost, all+"/actions/"+b.Rel, b.Doc, handle)
		}
	}
	return table
}
