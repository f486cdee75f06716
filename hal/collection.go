package hal

import (
	"net/url"
	"strconv"
)

// DefaultPageSize is the page size of addresses that state none.
const DefaultPageSize = 10

// filterParams are the query parameters of every collection, as a URI template (RFC 6570).
const filterParams = "{?filter,attributes,embed,order,page,page_size}"

// Collection is one page of a list. Document renders it.
type Collection struct {
	Path     string // canonical, "/api/v2/servers/"
	Noun     string // "Servers": titles are "List of Servers - Page 1 of 3"
	Title    string // replaces the title made from Noun: "Orderable Environments For Group Foo"
	Page     int    // from 1; lower numbers are 1
	PageSize int    // items on a full page; below 1 it is DefaultPageSize
	Total    int    // items on all pages

	// Keep is the encoded query that every page link repeats, without page and page_size:
	// "filter=status%3AACTIVE&attributes=ip".
	Keep string

	// After and Before are the cursors of the links next and prev. A cursor also means
	// that there is a page on that side: while rows are added and removed, the page
	// number alone may indicate otherwise, and a traversal would miss rows.
	After, Before string

	Rel  string // key of the embedded items: "servers"
	Docs []Document
}

// Document returns the page as a document: links to the page and its neighbors, the
// filter template, the counts and the items. HAL clients get first, prev, next, last,
// page and page_size; clients of the CloudBolt shape next, previous, total and count. The
// caller may append further links and properties.
//
// A page past the end has no next link, and its prev link is the last page.
func (c Collection) Document() Document {
	page, size, total := max(c.Page, 1), c.PageSize, max(c.Total, 0)
	if size < 1 {
		size = DefaultPageSize
	}
	pages := max(1, (total+size-1)/size)

	links := make([]Rel, 0, 8)
	add := func(name string, n int, cursor, value string, only Shapes) {
		links = append(links, Rel{
			Name: name, Optional: true, Only: only,
			Links: []Link{{Href: c.href(n, size, cursor, value), Title: c.title(n, pages)}},
		})
	}
	add("self", page, "", "", 0)
	add("first", 1, "", "", InHAL)
	prev := page > 1 || c.Before != ""
	before := max(1, min(page-1, pages))
	if prev {
		add("prev", before, "before", c.Before, InHAL)
	}
	if page < pages || c.After != "" {
		add("next", page+1, "after", c.After, 0)
	}
	if prev {
		add("previous", before, "before", c.Before, InCloudBolt)
	}
	add("last", pages, "", "", InHAL)
	links = append(links, Rel{Name: "cb:filter", Only: InHAL, Links: []Link{
		{Href: c.Path + filterParams, Title: "Filter, sort and page this list", Templated: true},
	}})

	return Document{
		Links: links,
		Props: []Prop{
			{Name: "total", Value: Int(int64(total))},
			{Name: "count", Value: Int(int64(len(c.Docs)))},
			{Name: "page", Value: Int(int64(page)), Only: InHAL},
			{Name: "page_size", Value: Int(int64(size)), Only: InHAL},
		},
		Embedded: []Embedded{{Rel: c.Rel, Many: true, Docs: c.Docs}},
	}
}

// href returns the address of a page. The page number comes first, as in CloudBolt's
// documentation; the cursor comes last.
func (c *Collection) href(page, size int, cursor, value string) string {
	b := make([]byte, 0, len(c.Path)+len(c.Keep)+len(value)+48)
	b = append(append(b, c.Path...), "?page="...)
	b = strconv.AppendInt(b, int64(page), 10)
	if size != DefaultPageSize {
		b = strconv.AppendInt(append(b, "&page_size="...), int64(size), 10)
	}
	if c.Keep != "" {
		b = append(append(b, '&'), c.Keep...)
	}
	if value != "" {
		b = append(append(append(b, '&'), cursor...), '=')
		b = append(b, url.QueryEscape(value)...)
	}
	return string(b)
}

// title returns the title of a page.
func (c *Collection) title(page, pages int) string {
	if c.Title != "" {
		return c.Title
	}
	return "List of " + c.Noun + " - Page " + strconv.Itoa(page) + " of " + strconv.Itoa(pages)
}
