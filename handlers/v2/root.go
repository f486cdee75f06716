package v2

import (
	"net/http"
	"sort"
	"strings"

	"github.com/labstack/echo/v4"

	"halcyon/hal"
	"halcyon/pkg/fault"
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
		{Name: "cb:sign-out", Links: []hal.Link{{Href: Base + "/user/actions/sign-out", Title: "Sign out"}}},
		{Name: "cb:api-samples", Links: []hal.Link{{Href: samplesPath, Title: "Sample client", Type: "application/zip"}}},
	}}
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

// user answers the caller's own user.
func (f *Face) user(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	d := f.reg.Def("users")
	row, err := d.Find(c.Request().Context(), web.Actor(c), web.Actor(c).ID.String())
	if err != nil {
		return err
	}
	return f.show(c, http.StatusOK, d, row)
}

// relDoc says what a link relation means, and on which resources it is found.
func (f *Face) relDoc(c echo.Context) error {
	rel := c.Param("rel")
	docs := map[string]string{}
	for _, d := range f.reg.Defs() {
		for _, r := range d.Relations {
			if strings.TrimPrefix(r.Rel, "cb:") == rel {
				docs[d.Plural] = r.Doc
			}
		}
		for _, s := range d.Subs {
			if s.Rel != "" && strings.TrimPrefix(s.Rel, "cb:") == rel {
				docs[d.Plural] = s.Doc
			}
		}
		for _, x := range d.Actions {
			if x.Rel == rel {
				docs[d.Plural] = x.Doc + " POST to it."
			}
		}
		if text, ok := bundleDocs[rel]; ok && d.Export != nil {
			docs[d.Plural] = text
		}
		for _, b := range d.Batch {
			if b.Rel == rel {
				docs[d.Plural] = b.Doc + " POST to it."
			}
		}
	}
	for prefix, on := range map[string]string{"server-action-": "servers", "service-action-": "services"} {
		if n, ok := strings.CutPrefix(rel, prefix); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			docs[on] = "Runs an action that administrators have defined; see /" + prefix[:len(prefix)-1] + "s/" + n + ". POST to it."
		}
	}
	for name, doc := range map[string]string{
		"user": "The signed-in user.", "current-order": "The caller's cart, made on first use.",
		"filter": "How to filter, sort and page a list (RFC 6570 template).", "sign-out": "Ends the session of the token. POST to it.",
		"api-samples": "A client in Python with sample scripts, as a zip file; its README.txt says how they are used. Needs no credentials.",
	} {
		if rel == name {
			docs["root"] = doc
		}
	}
	if len(docs) == 0 {
		return fault.NotFoundf("Not found.")
	}
	on := make([]string, 0, len(docs))
	for name := range docs {
		on = append(on, name)
	}
	sort.Strings(on)
	props := make([]hal.Prop, len(on))
	for i, name := range on {
		props[i] = hal.Prop{Name: name, Value: hal.String(docs[name])}
	}
	return f.send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: Base + "/docs/rels/" + rel, Title: rel}}}},
		Props: []hal.Prop{{Name: "name", Value: hal.String(rel)}, {Name: "on", Value: hal.Object(props)}},
	})
}

// problems explain the types of problem documents.
var problems = map[string]string{
	"invalid":                "The request itself is wrong. errors names each culprit: a JSON pointer into the body, or a parameter. Sent again as it is it fails again.",
	"unauthenticated":        "There were no credentials, or they are wrong, expired or revoked. Get a token at /api/v2/api-token-auth/.",
	"forbidden":              "You see the resource, and may not do this to it. Its document offers what you may do.",
	"not_found":              "There is no such resource, or none that you may see: the two are answered alike.",
	"conflict":               "The state of the resource, or another one, does not allow this now. Read the resource again: it offers what is possible.",
	"precondition":           "The resource was changed since the version that If-Match names.",
	"limited":                "Too many requests or failures. Try again after Retry-After seconds.",
	"unavailable":            "Something that is needed cannot be reached at the moment. Try again after Retry-After seconds.",
	"internal":               "A mistake of the service. It is in the log, with the X-Request-Id of the answer.",
	"method-not-allowed":     "The resource does not answer this method. Allow lists those that it does.",
	"idempotency-key-reused": "The Idempotency-Key of the request came with another body within the last 24 hours. Send a new key with a new request, and the same body with the same key.",
	"idempotency-key-in-use": "The first request with this Idempotency-Key is still running. Send it again after Retry-After seconds to get its answer.",
	"too-large":              "The body is larger than 1 MiB.",
	"unsupported-media-type": "The body is of a type that is not read: send application/json, application/hal+json or a form, and to an import a zip.",
}

func (f *Face) problemDoc(c echo.Context) error {
	name := c.Param("problem")
	text, ok := problems[name]
	if !ok {
		return fault.NotFoundf("Not found.")
	}
	return f.send(c, http.StatusOK, &hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: Base + "/docs/problems/" + name, Title: name}}}},
		Props: []hal.Prop{{Name: "name", Value: hal.String(name)}, {Name: "doc", Value: hal.String(text)}},
	})
}
