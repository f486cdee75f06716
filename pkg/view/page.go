// Package view describes one page for a browser, without its HTML: a document and its
// surroundings. The face that owns the document fills a View, the face that knows HTML
// writes it. Neither face knows the other.
package view

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"halcyon/hal"
	"halcyon/pkg/access"
	"halcyon/pkg/apidoc"
	"halcyon/pkg/resource"
)

// View is one page.
type View struct {
	Doc     *hal.Document      // nil when the page shows only a problem
	Of      *resource.Def      // declaration of the row or list in Doc; nil for other documents
	Many    bool               // Doc is a list
	Version int64              // of the row, for If-Match of its forms; 0 without a row
	Path    string             // of the request, escaped as it was sent
	Query   string             // raw, without the parameters of the layout
	Now     time.Time          // on the installation's clock
	Actor   access.Actor       // zero when not signed in
	Sent    *Sent              // the rejected form that the page shows again; nil for none
	Source  []byte             // JSON, when the page shows the source of the document
	Shown   hal.Representation // representation of Source
	Headers []Header           // of the answer that Source is from
	Origin  string             // "https://halcyon.example": origin of the server
	Problem *hal.Problem       // why there is no document, or why the form was rejected
	Article *Article           // page of documentation; nil for other pages

	Selection string              // key of the template that rows are selected for, "1" for any, "" outside of selection
	Action    *resource.ActionDef // action at the address of the page, which cannot be read; nil for none
	Posted    bool                // the page answers a form: Path cannot be loaded again
	Flash     *Flash              // result of the form before this page; nil for none
}

// Header is a line of an answer's header.
type Header struct{ Name, Value string }

// Flash is the result of the form that led to the page. Its texts come from the API,
// never from the address that refers to it: anyone can write an address.
type Flash struct {
	Name  string   // "create", "change", "delete", or the last segment of an action's href
	Title string   // of the action, such as "Power off"; "" for create, change and delete
	What  hal.Link // its object; zero when it was deleted
}

// Article is a page of documentation: about one subject, or the list of a kind when
// none is set.
type Article struct {
	Docs     *apidoc.Docs
	List     string // "resources", "rels", "problems", "schemas", "guide"; "" for the start page
	Resource *apidoc.Resource
	Rel      *apidoc.Rel
	Problem  *apidoc.Problem
	Chapter  *apidoc.Chapter
}

// SignedIn reports whether the viewer is signed in.
func (v *View) SignedIn() bool { return v.Actor.ID != 0 }

// Writer renders pages as HTML.
type Writer interface {
	// Append appends the page to dst and returns the extended slice.
	Append(dst []byte, v *View) []byte
}

// Policy is the Content-Security-Policy of all pages: resources of this server only, no
// inline script, no inline style. It ends with the origins that may frame the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'self'"

// Sent is a form that was rejected or only tried out. Its page is shown again with the
// values that were typed.
type Sent struct {
	Method  string // the method that the form stands for, such as "PATCH"
	Target  string // path of the request
	Values  url.Values
	Problem *hal.Problem  // why it was rejected; nil when nothing was tried yet
	Tried   *hal.Document // preview, after a dry run
	Notice  string        // message when there is no problem
}

// Harmless returns the values of a form without passwords and other secrets, which no
// page may show or keep.
func Harmless(values url.Values) url.Values {
	kept := make(url.Values, len(values))
	for name, list := range values {
		if !Secret(name) {
			kept[name] = list
		}
	}
	return kept
}

// Secret reports whether the name marks a secret, such as "password".
func Secret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secrets, func(part string) bool { return strings.Contains(name, part) })
}

var secrets = []string{"password", "secret", "token", "credential", "headers", "key"}

type key struct{}

// With returns a context whose page shows the form again.
func With(ctx context.Context, s *Sent) context.Context { return context.WithValue(ctx, key{}, s) }

// From returns the form that the page shows again, nil for none.
func From(ctx context.Context) *Sent {
	s, _ := ctx.Value(key{}).(*Sent)
	return s
}
