package browse

import (
	"strings"

	g "maragu.dev/gomponents"

	"halcyon/pkg/view"
)

// pageFunc returns the page of one kind of document. title is the one that the generic
// page would have.
type pageFunc func(f *Face, v *view.View, title string) g.Node

// itemPages are the pages of single rows and listPages those of collections, by the
// plural of the resource. All other documents have the generic page.
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

// pageFor returns the page function of a document, nil when it has the generic page.
func pageFor(v *view.View) pageFunc {
	switch {
	case selfOf(v.Doc) == apiBase+"/":
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
