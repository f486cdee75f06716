package v2

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"halcyon/handlers/halserver"
	"halcyon/models"
	"halcyon/pkg/web"
)

// Routes implements web.Face. It returns the whole table: the routes of declared
// resources, then those written by hand.
func (f *Face) Routes() []web.Route {
	tokens, carts := tokenRoutes{f}, cartRoutes{f}
	var table []web.Route
	add := func(method, path, doc string, handle echo.HandlerFunc) {
		table = append(table, web.Route{Method: method, Path: path, Doc: doc, Handle: handle})
	}
	add(http.MethodPost, basePath+"/api-token-auth", "anybody", tokens.tokenAuth)
	add(http.MethodPost, basePath+"/api-token-refresh", "anybody with a token", tokens.tokenRefresh)
	add(http.MethodPost, basePath+"/api-token-verify", "anybody with a token", tokens.tokenVerify)
	table = append(table, f.pages.Routes()...)
	add(http.MethodGet, basePath, "signed in", f.root)
	add(http.MethodGet, "/api", "signed in", f.root)
	add(http.MethodGet, "/", "signed in", f.root)
	table = append(table, f.hal.DocRoutes()...)
	add(http.MethodGet, samplesPath, "anybody", f.apiSamples)
	add(http.MethodGet, basePath+"/user", "signed in", f.user)
	add(http.MethodGet, basePath+"/user/current-order", "signed in: the caller's cart", carts.currentOrder)
	for _, d := range f.reg.Defs() {
		list := f.hal.Collection(d)
		if d.Plural == eventsPlural {
			list = f.eventList(d)
		}
		table = append(table, f.hal.Routes(d, list)...)
	}
	for _, cart := range []string{basePath + "/orders/:id", basePath + "/user/current-order"} {
		for _, kind := range models.ItemKinds {
			items := cart + "/" + itemMember(kind)
			add(http.MethodGet, items, "who sees the order", carts.items(kind))
			add(http.MethodPost, items, "the cart's owner", carts.editing(carts.addItem(kind)))
			add(http.MethodGet, items+"/:n", "who sees the order", carts.oneItem(kind))
			add(http.MethodPatch, items+"/:n", "the cart's owner", carts.editing(carts.changeItem(kind, patched)))
			add(http.MethodPut, items+"/:n", "the cart's owner", carts.editing(carts.changeItem(kind, replaced)))
			add(http.MethodDelete, items+"/:n", "the cart's owner", carts.editing(carts.removeItem(kind)))
		}
		add(http.MethodPatch, cart, "the cart's owner", carts.editing(carts.editOrder))
		add(http.MethodPut, cart, "the cart's owner", carts.editing(carts.replaceOrder))
	}
	add(http.MethodGet, basePath+"/blueprints/:id/sample-order", "who may order it", f.sampleOrder)
	add(http.MethodGet, basePath+"/jobs/:id/log-download-txt", "who sees the job", f.logText)
	add(http.MethodGet, basePath+"/jobs/:id/log-download", "who sees the job", f.logZip)
	add(http.MethodGet, basePath+"/resource-handlers/:id/"+templatesPath, "who sees the handler", f.templates)
	add(http.MethodGet, basePath+"/resources", "signed in: what they see", f.hal.Collection(f.reg.Def("resources")))
	for i := range table {
		switch r := &table[i]; {
		case r.Method == http.MethodGet:
			r.Handle = halserver.Narrowed(r.Handle)
		case r.Method == http.MethodPost && !f.isPublic(r.Path):
			r.Handle = f.once.Handle(r.Handle)
		}
	}
	return table
}
