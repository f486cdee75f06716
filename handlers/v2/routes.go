package v2

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/models"
	"halcyon/pkg/resource"
	"halcyon/pkg/web"
)

// Routes implements web.Face: the whole table, the declared resources' and then
// what is written by hand.
func (f *Face) Routes() []web.Route {
	var table []web.Route
	add := func(method, path, doc string, handle echo.HandlerFunc) {
		table = append(table, web.Route{Method: method, Path: path, Doc: doc, Handle: handle})
	}
	addPacked := func(path string, handle echo.HandlerFunc) {
		table = append(table, web.Route{Method: http.MethodGet, Path: path, Doc: "anybody", Handle: handle, Packed: true})
	}
	add(http.MethodPost, Base+"/api-token-auth", "anybody", f.tokenAuth)
	add(http.MethodPost, Base+"/api-token-refresh", "anybody with a token", f.tokenRefresh)
	add(http.MethodPost, Base+"/api-token-verify", "anybody with a token", f.tokenVerify)
	add(http.MethodGet, signInPath, "anybody", f.signInForm)
	add(http.MethodPost, signInPath, "anybody", f.signIn)
	add(http.MethodGet, resetPath, "anybody", f.resetForm)
	add(http.MethodPost, resetPath, "anybody", f.askReset)
	add(http.MethodGet, resetLinkPath, "who has the link", f.resetLinkForm)
	add(http.MethodPost, resetLinkPath, "who has the link", f.resetPassword)
	add(http.MethodPost, Base+"/user/actions/sign-out", "signed in", f.signOut)
	add(http.MethodGet, Base, "signed in", f.root)
	add(http.MethodGet, "/api", "signed in", f.root)
	add(http.MethodGet, "/", "signed in", f.root)
	addPacked(Base+"/docs", f.docs)
	addPacked(Base+"/docs/rels", f.relIndex)
	addPacked(Base+"/docs/problems", f.problemIndex)
	addPacked(Base+"/docs/rels/:rel", f.relDoc)
	addPacked(Base+"/docs/problems/:problem", f.problemDoc)
	addPacked(Base+"/docs/schemas", f.schemaIndex)
	addPacked(Base+"/docs/resources", f.resourceIndex)
	addPacked(Base+"/docs/resources/:plural", f.resourceDoc)
	addPacked(Base+"/docs/guide", f.guideIndex)
	addPacked(Base+"/docs/guide/:chapter", f.guideChapter)
	addPacked(schemasPath+":schema", f.schemaOf)
	addPacked(openAPIPath, f.openAPI)
	addPacked(openAPIYAMLPath, f.openAPIAsYAML)
	add(http.MethodGet, samplesPath, "anybody", f.apiSamples)
	add(http.MethodGet, Base+"/user", "signed in", f.user)
	add(http.MethodGet, Base+"/user/current-order", "signed in: the caller's cart", f.currentOrder)
	for _, d := range f.reg.Defs() {
		f.routes(add, d)
	}
	for _, cart := range []string{Base + "/orders/:id", Base + "/user/current-order"} {
		for _, kind := range models.ItemKinds {
			items := cart + "/" + itemMember(kind)
			add(http.MethodGet, items, "who sees the order", f.items(kind))
			add(http.MethodPost, items, "the cart's owner", f.editing(f.addItem(kind)))
			add(http.MethodGet, items+"/:n", "who sees the order", f.oneItem(kind))
			add(http.MethodPatch, items+"/:n", "the cart's owner", f.editing(f.changeItem(kind, patched)))
			add(http.MethodPut, items+"/:n", "the cart's owner", f.editing(f.changeItem(kind, replaced)))
			add(http.MethodDelete, items+"/:n", "the cart's owner", f.editing(f.removeItem(kind)))
		}
		add(http.MethodPatch, cart, "the cart's owner", f.editing(f.editOrder))
		add(http.MethodPut, cart, "the cart's owner", f.editing(f.replaceOrder))
	}
	add(http.MethodGet, Base+"/blueprints/:id/sample-order", "who may order it", f.sampleOrder)
	add(http.MethodGet, Base+"/jobs/:id/log-download-txt", "who sees the job", f.logText)
	add(http.MethodGet, Base+"/jobs/:id/log-download", "who sees the job", f.logZip)
	add(http.MethodGet, Base+"/resource-handlers/:id/"+templatesPath, "who sees the handler", f.templates)
	add(http.MethodGet, Base+"/resources", "signed in: what they see", f.collection(f.reg.Def("resources")))
	for i := range table {
		if table[i].Method == http.MethodPost && !public[table[i].Path] {
			table[i].Handle = f.once(table[i].Handle)
		}
	}
	return table
}

// routes are those that follow from a declaration.
func (f *Face) routes(add func(method, path, doc string, handle echo.HandlerFunc), d *resource.Def) {
	all := strings.TrimSuffix(d.Path(), "/")
	one := all + "/:id"
	if d.Import != nil {
		add = besideImport(add, one)
	}
	list := f.collection(d)
	if d.Plural == eventsPlural {
		list = f.eventList(d)
	}
	add(http.MethodGet, all, "signed in: what they see", list)
	add(http.MethodGet, one, "who sees it", f.item(d))
	if d.Create != nil {
		add(http.MethodPost, all, "who may create", f.orDryRun(d, "", f.create(d)))
	}
	if d.Update != nil {
		add(http.MethodPatch, one, "who may change it", f.update(d))
	}
	if d.Replace != nil {
		add(http.MethodPut, one, "who may change it", f.replace(d))
	}
	if d.Delete != nil {
		add(http.MethodDelete, one, "who may delete it", f.remove(d))
	}
	for _, x := range d.Actions {
		add(http.MethodPost, one+"/actions/"+x.Path, x.Doc, f.orDryRun(d, x.Path, f.action(d, x)))
	}
	if d.Offers != nil {
		add(http.MethodPost, one+"/actions/:n", "who may run what administrators offer", f.offered(d))
	}
	for _, s := range d.Subs {
		add(http.MethodGet, one+"/"+s.Path, "who sees it: what they see", f.sub(d, s))
	}
	if d.Export != nil {
		add(http.MethodGet, one+"/export", "who may change it", f.export(d))
		add(http.MethodPost, all+"/import", "who may create", f.importing(d))
	}
	whole := map[string]echo.HandlerFunc{}
	for _, b := range d.Batch {
		whole[b.Rel] = f.batch(d, b)
	}
	for _, x := range d.BulkActions() {
		add(http.MethodPost, all+"/actions/"+x.Path, "for each of several: "+x.Doc, f.bulk(d, x, whole[x.Path]))
		delete(whole, x.Path)
	}
	for _, b := range d.Batch {
		if handle := whole[b.Rel]; handle != nil {
			add(http.MethodPost, all+"/actions/"+b.Rel, b.Doc, handle)
		}
	}
}
