package v2

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/web"
)

// cloudBoltRoot are the members of the root that CloudBolt's clients look up, whoever
// calls. A collection of which the caller sees nothing is empty.
var cloudBoltRoot = []string{
	"jobs", "users", "rules", "blueprints", "server-actions", "environments", "servers", "orchestration-actions",
	"applications", "service-actions", "actions", "groups", "services", "os-builds", "orders", "resource-handlers",
}

// root answers the one document that a client has to know: a link to everything
// that the caller may use, and the seed's flat map from name to href.
func (f *Face) root(c echo.Context) error {
	if err := halserver.NoQuery(c); err != nil {
		return err
	}
	a := web.Actor(c)
	doc := &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: basePath + "/", Title: "Halcyon API"}}},
		{Name: "cb:user", Links: []hal.Link{{Href: basePath + "/user", Title: a.Username}}},
		{Name: "cb:current-order", Links: []hal.Link{{Href: basePath + "/user/current-order", Title: "Current order"}}},
		{Name: "service-doc", Links: []hal.Link{{Href: basePath + "/docs/", Title: "Documentation"}}},
		{Name: "service-desc", Links: []hal.Link{{Href: openAPIPath, Title: "OpenAPI description", Type: apidoc.TypeOpenAPI}}},
		{Name: "cb:events", Links: []hal.Link{{Href: eventsPath, Title: "What happens, as it happens", Type: web.EventStream}}},
		{Name: "cb:api-samples", Links: []hal.Link{{Href: samplesPath, Title: "Sample client", Type: "application/zip"}}},
	}}
	if a.Writes() == nil {
		doc.Links = slices.Insert(doc.Links, len(doc.Links)-2, hal.Rel{Name: "cb:sign-out", Links: []hal.Link{{Href: basePath + "/user/actions/sign-out", Title: "Sign out"}}})
	}
	for _, d := range f.reg.Defs() {
		if d.Hidden(a) && !slices.Contains(cloudBoltRoot, d.Plural) {
			continue
		}
		href := d.Path()
		if d.Plural == "resources" {
			href = basePath + "/resources/"
		}
		doc.Links = append(doc.Links, hal.Rel{Name: d.Plural, Links: []hal.Link{{Href: href, Title: d.Noun}}})
		doc.Props = append(doc.Props, hal.Prop{Name: d.Plural, Value: hal.String(href)})
		for _, b := range d.Batch {
			// Here the relation "actions" is the collection of that name, not the list of
			// available actions.
			if b.Can(a) == nil {
				doc.Links = append(doc.Links, hal.Rel{Name: "cb:" + b.Rel, Links: []hal.Link{{Href: d.Path() + "actions/" + b.Rel, Title: b.Title}}})
			}
		}
	}
	if f.hal.Displays(c) {
		if err := f.home(c.Request().Context(), a, doc); err != nil {
			return err
		}
	}
	return f.hal.Send(c, http.StatusOK, doc)
}

// ownProblems are the types of problems that this face explains in its own words.
var ownProblems = map[string]string{
	"unauthenticated": "There were no credentials, or they are wrong, expired or revoked. Get a token at /api/v2/api-token-auth/.",
}

// rootRels are the relations of documents without a declaration.
var rootRels = map[string]string{
	"user": "The signed-in user.", "current-order": "The caller's cart, made on first use.",
	"filter": "How to filter, sort and page a list (RFC 6570 template).", "sign-out": "Ends the session of the token, or of the browser. POST to it.",
	"events":         "What happens to orders, jobs, servers and services. With Accept: text/event-stream it is told as it happens (server-sent events), otherwise a list.",
	"password-reset": "The form that has a link mailed by which a forgotten password is replaced. Needs no credentials.",
	"api-samples":    "A client in Python with sample scripts, as a zip file; its README.txt says how they are used. Needs no credentials.",
}
