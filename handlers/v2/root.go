package v2

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/web"
)

// root answers the one document that a client has to know: a link to everything
// that the caller may use, and the seed's flat map from name to href.
func (f *Face) root(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	a := web.Actor(c)
	doc := &hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: Base + "/", Title: "Halcyon API"}}},
		{Name: "cb:user", Links: []hal.Link{{Href: Base + "/user", Title: a.Username}}},
		{Name: "cb:current-order", Links: []hal.Link{{Href: Base + "/user/current-order", Title: "Current order"}}},
		{Name: "service-doc", Links: []hal.Link{{Href: Base + "/docs/", Title: "Documentation"}}},
		{Name: "service-desc", Links: []hal.Link{{Href: openAPIPath, Title: "OpenAPI description", Type: typeOpenAPI}}},
		{Name: "cb:events", Links: []hal.Link{{Href: eventsPath, Title: "What happens, as it happens", Type: web.EventStream}}},
		{Name: "cb:api-samples", Links: []hal.Link{{Href: samplesPath, Title: "Sample client", Type: "application/zip"}}},
	}}
	if a.Writes() == nil {
		doc.Links = slices.Insert(doc.Links, len(doc.Links)-2, hal.Rel{Name: "cb:sign-out", Links: []hal.Link{{Href: Base + "/user/actions/sign-out", Title: "Sign out"}}})
	}
	for _, d := range f.reg.Defs() {
		if d.Hidden != nil && d.Hidden(a) {
			continue
		}
		href := d.Path()
		if d.Plural == "resources" {
			href = Base + "/resources/"
		}
		doc.Links = append(doc.Links, hal.Rel{Name: d.Plural, Links: []hal.Link{{Href: href, Title: d.Noun}}})
		doc.Props = append(doc.Props, hal.Prop{Name: d.Plural, Value: hal.String(href)})
		for _, b := range d.Batch {
			// Here the relation "actions" is the collection of that name, and no list of
			// what can be done.
			if b.Can(a) == nil {
				doc.Links = append(doc.Links, hal.Rel{Name: "cb:" + b.Rel, Links: []hal.Link{{Href: d.Path() + "actions/" + b.Rel, Title: b.Title}}})
			}
		}
	}
	return f.send(c, http.StatusOK, doc)
}

// rootRels are the relations of documents that no declaration makes.
var rootRels = map[string]string{
	"user": "The signed-in user.", "current-order": "The caller's cart, made on first use.",
	"filter": "How to filter, sort and page a list (RFC 6570 template).", "sign-out": "Ends the session of the token, or of the browser. POST to it.",
	"events":         "What happens to orders, jobs, servers and services. With Accept: text/event-stream it is told as it happens (server-sent events), otherwise a list.",
	"password-reset": "The form that has a link mailed by which a forgotten password is replaced. Needs no credentials.",
	"api-samples":    "A client in Python with sample scripts, as a zip file; its README.txt says how they are used. Needs no credentials.",
}

// problems explain the types of problem documents.
var problems = map[string]string{
	"invalid":                "The request itself is wrong. errors names each culprit: a JSON pointer into the body, or a parameter. Sent again as it is it fails again.",
	"unauthenticated":        "There were no credentials, or they are wrong, expired or revoked. Get a token at /api/v2/api-token-auth/.",
	"forbidden":              "You see the resource, and may not do this to it. Its document offers what you may do.",
	"not-found":              "There is no such resource, or none that you may see: the two are answered alike.",
	"conflict":               "The state of the resource, or another one, does not allow this now. Read the resource again: it offers what is possible.",
	"precondition":           "The resource was changed since the version that If-Match names.",
	"limited":                "Too many requests or failures. Try again after Retry-After seconds.",
	"unavailable":            "Something that is needed cannot be reached at the moment. Try again after Retry-After seconds.",
	"internal":               "A mistake of the service. It is in the log, with the X-Request-Id of the answer.",
	"cross-origin":           "A page of another origin had a browser send this with the cookie of its session, or to sign in. That is refused, whatever it is. Scripts of other origins send an Authorization header; pages of trusted origins are named by --cors-origin.",
	"method-not-allowed":     "The resource does not answer this method. Allow lists those that it does.",
	"idempotency-key-reused": "The Idempotency-Key of the request came with another body within the last 24 hours. Send a new key with a new request, and the same body with the same key.",
	"idempotency-key-in-use": "The first request with this Idempotency-Key is still running. Send it again after Retry-After seconds to get its answer.",
	"too-large":              "The body is larger than 1 MiB.",
	"unsupported-media-type": "The body is of a type that is not read: send application/json, application/hal+json or a form, and to an import a zip.",
}
