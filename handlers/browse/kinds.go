package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/pkg/view"
)

// kind makes the page of one kind of document. It is given the title that any other
// page would have.
type kind func(f *Face, v *view.View, title string) g.Node

// kinds are the pages that were made for what they are, by the plural of the resource;
// lists are those of collections. All others look alike.
var (
	kinds = map[string]kind{
		"blueprints": (*Face).blueprint,
		"orders":     (*Face).order,
		"jobs":       (*Face).job,
		"servers":    (*Face).server,
		"services":   (*Face).service,
		"resources":  (*Face).service,
		"users":      (*Face).profile,
	}
	lists = map[string]kind{
		"blueprints": (*Face).catalogue,
	}
)

// kindOf finds the page that was made for a document, nil for none.
func kindOf(v *view.View) kind {
	switch {
	case selfOf(v.Doc) == Base+"/":
		return (*Face).home
	case strings.HasSuffix(selfOf(v.Doc), "/sample-order"):
		return (*Face).sample
	case v.Of == nil:
		return nil
	case v.Many:
		return lists[v.Of.Plural]
	}
	return kinds[v.Of.Plural]
}
