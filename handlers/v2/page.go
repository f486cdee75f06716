package v2

import (
	"strconv"

	"halcyon/hal"
)

// page is one page of a list that is in memory as a whole, and has neither filter nor
// order. A list of one page has no page in its addresses.
type page struct {
	Path, Title         string
	Number, Size, Total int // the number from 1
}

// pages returns how many pages the list has, 1 for an empty list.
func (p *page) pages() int { return max(1, (p.Total+p.Size-1)/p.Size) }

// rows returns where the page begins and ends in the list: nowhere past the end.
func (p *page) rows() (from, to int) {
	from = min((min(p.Number, p.pages()+1)-1)*p.Size, p.Total)
	return from, min(from+p.Size, p.Total)
}

// links returns the links to the page and to those around it.
func (p *page) links() []hal.Rel {
	pages := p.pages()
	to := func(rel string, number int, only hal.Shapes) hal.Rel {
		l := hal.Link{Href: p.Path, Title: p.Title}
		if pages > 1 || p.Number > 1 {
			l.Href += "?page=" + strconv.Itoa(number) + "&page_size=" + strconv.Itoa(p.Size)
			l.Title += " - Page " + strconv.Itoa(number) + " of " + strconv.Itoa(pages)
		}
		return hal.Rel{Name: rel, Links: []hal.Link{l}, Optional: true, Only: only}
	}
	list := []hal.Rel{to("self", p.Number, 0), to("first", 1, hal.InHAL)}
	if p.Number > 1 {
		before := min(p.Number-1, pages)
		list = append(list, to("prev", before, hal.InHAL), to("previous", before, hal.InCloudBolt))
	}
	if p.Number < pages {
		list = append(list, to("next", p.Number+1, 0))
	}
	return append(list, to("last", pages, hal.InHAL))
}

// props returns the counts of the list and of the page.
func (p *page) props() []hal.Prop {
	from, to := p.rows()
	return []hal.Prop{
		{Name: "total", Value: hal.Int(int64(p.Total))},
		{Name: "count", Value: hal.Int(int64(to - from))},
		{Name: "page", Value: hal.Int(int64(p.Number)), Only: hal.InHAL},
		{Name: "page_size", Value: hal.Int(int64(p.Size)), Only: hal.InHAL},
	}
}
