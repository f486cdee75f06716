// Package view is what a browser is shown, as a value: a document and what stands
// around it. The face that makes the document fills a View, the one that knows HTML
// writes it; neither knows the other.
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
	Doc     *hal.Document      // nil when there is nothing but the problem
	Of      *resource.Def      // whose row or list the document is; nil for others
	Many    bool               // it is a list
	Version int64              // of the row, 0 for none: what If-Match of its forms says
	Path    string             // of the request, as it was sent, escaped
	Query   string             // raw, without what only the frame understands
	Now     time.Time          // on the installation's clock
	Actor   access.Actor       // zero for nobody
	Sent    *Sent              // a form that comes back, nil for none
	Source  []byte             // JSON, when the page is to show that in place of what it says
	Shown   hal.Representation // what Source is
	Headers []Header           // of that answer
	Origin  string             // "https://halcyon.example": where the request went
	Problem *hal.Problem       // why there is no document, or why the form comes back
	Article *Article           // what a page of documentation says; nil for all others

	Selection string              // what rows of the list are selected for: the key of a template, "1" for any, "" when they are not
	Action    *resource.ActionDef // what the address is of, when it is none to read from; nil for none
	Posted    bool                // the answer to a form: nothing can be asked for again at Path
	Done      *Done               // what the form before this page did, nil for none
}

// Header is a line of an answer's header.
type Header struct{ Name, Value string }

// Done is what a form did. It is told by what the API knows, whoever wrote the
// address that names it.
type Done struct {
	Name  string   // "create", "change", "delete", or the last segment of an action's href
	Title string   // of the action, "Power off"; "" for the three
	What  hal.Link // that it was done to; none when it is gone
}

// Article is a page of documentation: about one thing, or a list of all of a kind
// when there is none.
type Article struct {
	Docs     *apidoc.Docs
	List     string // "resources", "rels", "problems", "schemas", "guide"; "" for the way in
	Resource *apidoc.Resource
	Rel      *apidoc.Rel
	Problem  *apidoc.Problem
	Chapter  *apidoc.Chapter
}

// SignedIn reports whether somebody is looking at the page.
func (v *View) SignedIn() bool { return v.Actor.ID != 0 }

// Writer makes HTML of pages.
type Writer interface {
	// Append appends the page and gives the longer slice.
	Append(dst []byte, v *View) []byte
}

// Policy is what a page may load and do (Content-Security-Policy): what comes from
// here, and no script or style within it.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'self'"

// Sent is a form that was sent and led to nothing: its page is shown again with
// what was typed.
type Sent struct {
	Method  string // that it stood for, "PATCH"
	Target  string // path that it went to
	Values  url.Values
	Problem *hal.Problem  // why; nil when nothing was tried yet
	Tried   *hal.Document // what the form would lead to, when it was only tried out
	Notice  string        // what the person is told when there is no problem
}

// Harmless gives the values of a form without what is no page's to show or keep:
// passwords, and whatever else is a secret by its name.
func Harmless(values url.Values) url.Values {
	kept := make(url.Values, len(values))
	for name, list := range values {
		if !Secret(name) {
			kept[name] = list
		}
	}
	return kept
}

// Secret reports whether a member of this name is a secret.
func Secret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secrets, func(part string) bool { return strings.Contains(name, part) })
}

var secrets = []string{"password", "secret", "token", "credential", "headers", "key"}

type key struct{}

// With has the page that is made with the context show the form again.
func With(ctx context.Context, s *Sent) context.Context { return context.WithValue(ctx, key{}, s) }

// From gives the form that comes back, nil for none.
func From(ctx context.Context) *Sent {
	s, _ := ctx.Value(key{}).(*Sent)
	return s
}
