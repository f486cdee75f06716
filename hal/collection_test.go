package hal_test

import (
	"strings"
	"testing"

	"halcyon/hal"
)

const (
	collectionCuries = `"curies":[{"name":"cb","href":"/api/v2/docs/rels/{rel}","templated":true}]`
	collectionFilter = `"cb:filter":{"href":"/api/v2/servers/{?filter,attributes,embed,order,page,page_size}","title":"Filter, sort and page this list","templated":true}`
)

func TestCollection(t *testing.T) {
	t.Parallel()
	link := func(rel, query, title string) string {
		return `"` + rel + `":{"href":"/api/v2/servers/?` + query + `","title":"` + title + `"}`
	}
	page := func(rel, query, n, of string) string {
		return link(rel, query, "List of Servers - Page "+n+" of "+of)
	}
	doc := func(links []string, rest string) string {
		return `{"_links":{` + strings.Join(links, ",") + `},` + rest + `}`
	}
	server := hal.Document{
		Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: "/api/v2/servers/1/", Title: "web"}}}},
		Props: []hal.Prop{{Name: "hostname", Value: hal.String("web")}},
	}
	const item = `{"_links":{"self":{"href":"/api/v2/servers/1/","title":"web"}},"hostname":"web"}`

	for _, tt := range []struct {
		name      string
		c         hal.Collection
		hal       string
		cloudbolt string
	}{
		{
			"empty",
			hal.Collection{Page: 1, PageSize: 10},
			doc([]string{page("self", "page=1", "1", "1"), collectionCuries, page("first", "page=1", "1", "1"), page("last", "page=1", "1", "1"), collectionFilter},
				`"total":0,"count":0,"page":1,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=1", "1", "1")}, `"total":0,"count":0,"_embedded":[]`),
		}, {
			"nothing said",
			hal.Collection{Page: -1, PageSize: -1, Total: -1},
			doc([]string{page("self", "page=1", "1", "1"), collectionCuries, page("first", "page=1", "1", "1"), page("last", "page=1", "1", "1"), collectionFilter},
				`"total":0,"count":0,"page":1,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=1", "1", "1")}, `"total":0,"count":0,"_embedded":[]`),
		}, {
			"one full page",
			hal.Collection{Page: 1, PageSize: 10, Total: 10, Docs: []hal.Document{server}},
			doc([]string{page("self", "page=1", "1", "1"), collectionCuries, page("first", "page=1", "1", "1"), page("last", "page=1", "1", "1"), collectionFilter},
				`"total":10,"count":1,"page":1,"page_size":10,"_embedded":{"servers":[`+item+`]}`),
			doc([]string{page("self", "page=1", "1", "1")}, `"total":10,"count":1,"_embedded":[`+item+`]`),
		}, {
			"first of three",
			hal.Collection{Page: 1, PageSize: 10, Total: 27},
			doc([]string{
				page("self", "page=1", "1", "3"), collectionCuries, page("first", "page=1", "1", "3"),
				page("next", "page=2", "2", "3"), page("last", "page=3", "3", "3"), collectionFilter,
			}, `"total":27,"count":0,"page":1,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=1", "1", "3"), page("next", "page=2", "2", "3")}, `"total":27,"count":0,"_embedded":[]`),
		}, {
			"in the middle, with parameters and cursors",
			hal.Collection{Page: 2, PageSize: 5, Total: 11, Keep: "filter=a%3Ab&order=-id", After: "x+/=", Before: "b_1"},
			doc([]string{
				page("self", "page=2&page_size=5&filter=a%3Ab&order=-id", "2", "3"), collectionCuries,
				page("first", "page=1&page_size=5&filter=a%3Ab&order=-id", "1", "3"),
				page("prev", "page=1&page_size=5&filter=a%3Ab&order=-id&before=b_1", "1", "3"),
				page("next", "page=3&page_size=5&filter=a%3Ab&order=-id&after=x%2B%2F%3D", "3", "3"),
				page("last", "page=3&page_size=5&filter=a%3Ab&order=-id", "3", "3"), collectionFilter,
			}, `"total":11,"count":0,"page":2,"page_size":5,"_embedded":{"servers":[]}`),
			doc([]string{
				page("self", "page=2&page_size=5&filter=a%3Ab&order=-id", "2", "3"),
				page("next", "page=3&page_size=5&filter=a%3Ab&order=-id&after=x%2B%2F%3D", "3", "3"),
				page("previous", "page=1&page_size=5&filter=a%3Ab&order=-id&before=b_1", "1", "3"),
			}, `"total":11,"count":0,"_embedded":[]`),
		}, {
			"last",
			hal.Collection{Page: 3, PageSize: 10, Total: 21},
			doc([]string{
				page("self", "page=3", "3", "3"), collectionCuries, page("first", "page=1", "1", "3"),
				page("prev", "page=2", "2", "3"), page("last", "page=3", "3", "3"), collectionFilter,
			}, `"total":21,"count":0,"page":3,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=3", "3", "3"), page("previous", "page=2", "2", "3")}, `"total":21,"count":0,"_embedded":[]`),
		}, {
			"past the end",
			hal.Collection{Page: 9, PageSize: 10, Total: 21},
			doc([]string{
				page("self", "page=9", "9", "3"), collectionCuries, page("first", "page=1", "1", "3"),
				page("prev", "page=3", "3", "3"), page("last", "page=3", "3", "3"), collectionFilter,
			}, `"total":21,"count":0,"page":9,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=9", "9", "3"), page("previous", "page=3", "3", "3")}, `"total":21,"count":0,"_embedded":[]`),
		}, {
			"rows were deleted behind a cursor",
			hal.Collection{Page: 1, PageSize: 10, Total: 4, After: "a", Before: "b"},
			doc([]string{
				page("self", "page=1", "1", "1"), collectionCuries, page("first", "page=1", "1", "1"),
				page("prev", "page=1&before=b", "1", "1"), page("next", "page=2&after=a", "2", "1"), page("last", "page=1", "1", "1"), collectionFilter,
			}, `"total":4,"count":0,"page":1,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{page("self", "page=1", "1", "1"), page("next", "page=2&after=a", "2", "1"), page("previous", "page=1&before=b", "1", "1")},
				`"total":4,"count":0,"_embedded":[]`),
		}, {
			"a title of its own",
			hal.Collection{Page: 1, PageSize: 10, Total: 11, Title: "Servers Of 'alice'"},
			doc([]string{
				link("self", "page=1", "Servers Of 'alice'"), collectionCuries, link("first", "page=1", "Servers Of 'alice'"),
				link("next", "page=2", "Servers Of 'alice'"), link("last", "page=2", "Servers Of 'alice'"), collectionFilter,
			}, `"total":11,"count":0,"page":1,"page_size":10,"_embedded":{"servers":[]}`),
			doc([]string{link("self", "page=1", "Servers Of 'alice'"), link("next", "page=2", "Servers Of 'alice'")}, `"total":11,"count":0,"_embedded":[]`),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.c.Path, tt.c.Noun, tt.c.Rel = "/api/v2/servers/", "Servers", "servers"
			d := tt.c.Document()
			wantJSON(t, encode(t, &d, hal.HAL), tt.hal)
			wantJSON(t, encode(t, &d, hal.HALForms), tt.hal)
			wantJSON(t, encode(t, &d, hal.CloudBolt), tt.cloudbolt)
		})
	}
}
