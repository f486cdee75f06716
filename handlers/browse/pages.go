package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/pkg/view"
)

// pageFunc makes the page of one kind of document. It is given the title that any other
// page would have.
type pageFunc func(f *Face, v *view.View, title string) g.Node

// itemPages are the pages that were made for what they are, by the plural of the resource;
// lists are those of collections. All others look alike.
var (
	itemPages = map[string]pageFunc{
		"blueprints": (*Face).blueprint,
		"orders":     (*Face).order,
		"jobs":       (*Face).job,
		"servers":    (*Face).server,
		"services":   (*Face).service,
		"resources":  (*Face).service,
		"users":      (*Face).profile,
	}
	listPages = map[string]pageFunc{
		"blueprints": (*Face).catalogue,
	}
)

// pageFor finds the page that was made for a document, nil for none.
func pageFor(v *view.View) pageFunc {
	switch {
	case selfOf(v.Doc) == Base+"/":
		return (*Face).home
	case strings.HasSuffix(selfOf(v.Doc), "/sample-order"):
		return (*Face).sampleOrder
	case v.Of == nil:
		return nil
	case v.Many:
		return listPages[v.Of.Plural]
	}
	return itemPages[v.Of.Plural]
}
