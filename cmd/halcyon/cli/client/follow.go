package client

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Found is where a path leads: to a document, or to a relation's list of links,
// which has no document of its own.
type Found struct {
	Doc   *Document
	Links []Link
}

// step is one part of a path: a relation or a name, and which of several is meant.
type step struct {
	name   string
	choose string // between brackets; "" for none
	chosen bool
}

// splitPath reads REL[CHOICE]/REL/…; a slash between brackets belongs to the choice.
func splitPath(path string) ([]step, error) {
	var (
		list  []step
		depth int
		from  int
	)
	path = strings.TrimSuffix(path, "/")
	add := func(to int) error {
		s := step{name: path[from:to]}
		if i := strings.IndexByte(s.name, '['); i >= 0 {
			if !strings.HasSuffix(s.name, "]") {
				return Errorf(Usage, "%q: the bracket is not closed.", path)
			}
			s.chosen, s.choose, s.name = true, s.name[i+1:len(s.name)-1], s.name[:i]
		}
		if s.name == "" || s.chosen && s.choose == "" {
			return Errorf(Usage, "%q is no path of relations, such as orders[id=4]/jobs.", path)
		}
		list = append(list, s)
		return nil
	}
	for i, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '/' && depth == 0:
			if err := add(i); err != nil {
				return nil, err
			}
			from = i + 1
		}
	}
	if depth != 0 {
		return nil, Errorf(Usage, "%q: a bracket is not closed.", path)
	}
	return list, add(len(path))
}

// Resolve goes from the root to where the words lead. A word is a URL or a path of
// the server (it begins with / or http:), or relations from where we are, parted by
// slashes, each with a choice behind it or without: [3] is the third and [-1] the
// last, [id=7] the one whose member or link says so, [web-1] the one of that name,
// title or id. What a collection has no relation for is the name of an item.
func (c *Client) Resolve(ctx context.Context, words ...string) (Found, error) {
	var f Found
	for i, w := range words {
		var err error
		switch {
		case strings.HasPrefix(w, "/"), strings.HasPrefix(w, "http://"), strings.HasPrefix(w, "https://"):
			if f.Doc, err = c.Get(ctx, w); err != nil {
				return Found{}, err
			}
			f.Links = nil
			continue
		}
		steps := []step{{name: w}}
		if i == 0 || !f.collection() {
			if steps, err = splitPath(w); err != nil {
				return Found{}, err
			}
		}
		for _, s := range steps {
			if f, err = c.step(ctx, f, s); err != nil {
				return Found{}, err
			}
		}
	}
	if f.Doc == nil && f.Links == nil {
		doc, err := c.Root(ctx)
		return Found{Doc: doc}, err
	}
	return f, nil
}

func (f Found) collection() bool {
	if f.Doc == nil {
		return f.Links != nil
	}
	_, _, ok := f.Doc.Items()
	return ok
}

// step goes one step on.
func (c *Client) step(ctx context.Context, f Found, s step) (Found, error) {
	if f.Doc == nil && f.Links == nil {
		root, err := c.Root(ctx)
		if err != nil {
			return Found{}, err
		}
		f.Doc = root
	}
	if f.Doc == nil { // a list of links: the step says which
		l, err := chooseLink(f.Links, s.name, false)
		if err != nil {
			return Found{}, err
		}
		return c.follow(ctx, l, s)
	}
	if _, _, ok := f.Doc.Items(); ok && s.name == "item" && s.chosen {
		return c.item(ctx, f.Doc, s.choose, true)
	}
	list, many, ok := f.Doc.Find(s.name)
	if !ok {
		if !f.collection() {
			return Found{}, Errorf(Missing, "%s has no relation %s; it has %s.", nameOf(f.Doc), Plain(s.name), Plain(strings.Join(f.Doc.Rels(), ", ")))
		}
		found, err := c.item(ctx, f.Doc, s.name, false)
		if err != nil || !s.chosen {
			return found, err
		}
		return Found{}, Errorf(Usage, "%s[%s] chooses twice.", s.name, s.choose)
	}
	if !many {
		return c.follow(ctx, list[0], s)
	}
	if !s.chosen {
		if list == nil {
			list = []Link{}
		}
		return Found{Links: list}, nil
	}
	l, err := chooseLink(list, s.choose, true)
	if err != nil {
		return Found{}, err
	}
	doc, err := c.Get(ctx, l.Href)
	return Found{Doc: doc}, err
}

func nameOf(d *Document) string {
	if t := Plain(d.Title()); t != "" {
		return t
	}
	return d.URL.Path
}

// follow reads the document that a link leads to, and chooses of it when the step
// says so.
func (c *Client) follow(ctx context.Context, l Link, s step) (Found, error) {
	href := l.Href
	if l.Templated {
		href = Expand(href, nil)
	}
	doc, err := c.Get(ctx, href)
	if err != nil || !s.chosen {
		return Found{Doc: doc}, err
	}
	if _, _, ok := doc.Items(); !ok {
		return Found{}, Errorf(Usage, "%s is no list: there is nothing to choose from with [%s].", nameOf(doc), Plain(s.choose))
	}
	return c.item(ctx, doc, s.choose, true)
}

// chooseLink finds the link that is meant: by its title, its name or the last part
// of its address, which is the id, or, between brackets, by its place.
func chooseLink(list []Link, choice string, bracketed bool) (Link, error) {
	if n, err := strconv.Atoi(choice); err == nil && bracketed {
		if n < 0 {
			n += len(list) + 1
		}
		if n >= 1 && n <= len(list) {
			return list[n-1], nil
		}
		return Link{}, Errorf(Missing, "There is no link %s: there are %d.", choice, len(list))
	}
	value := choice
	key, v, keyed := strings.Cut(choice, "=")
	if keyed {
		value = v
	}
	var found []Link
	for _, l := range list {
		parts := strings.Split(strings.Trim(l.Href, "/"), "/")
		id := parts[len(parts)-1]
		if keyed && (key == "id" && id == value || key == "title" && l.Title == value || key == "name" && l.Name == value) ||
			!keyed && (l.Title == value || l.Name == value || id == value) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return Link{}, Errorf(Missing, "No link is %s.", Plain(choice))
	case 1:
		return found[0], nil
	}
	return Link{}, Errorf(Usage, "%d links are %s: choose by place, such as [1].", len(found), Plain(choice))
}

// item finds the item of a collection that is meant, and reads it in full. A number
// is an id, and between brackets a place.
func (c *Client) item(ctx context.Context, list *Document, choice string, bracketed bool) (Found, error) {
	var hit *Document
	n, err := strconv.Atoi(choice)
	if err == nil && bracketed {
		hit, err = c.place(ctx, list, n)
	} else {
		hit, err = c.find(ctx, list, choice)
	}
	if err != nil {
		return Found{}, err
	}
	doc, err := c.Get(ctx, hit.Self().Href)
	return Found{Doc: doc}, err
}

// scanned is how many items at most are looked through for a title.
const scanned = 1000

var asID = regexp.MustCompile(`^(\d+|[A-Z]{2,4}-[0-9a-z]{8}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`)

// Item finds an item of a collection by id, name or title.
func (c *Client) Item(ctx context.Context, list *Document, name string) (*Document, error) {
	f, err := c.item(ctx, list, name, false)
	return f.Doc, err
}

func (c *Client) find(ctx context.Context, list *Document, choice string) (*Document, error) {
	if key, value, ok := strings.Cut(choice, "="); ok {
		return c.only(ctx, list, Term(key, value), choice)
	}
	if asID.MatchString(choice) {
		return c.only(ctx, list, "id:"+choice, choice)
	}
	_, items, _ := list.Items()
	if len(items) > 0 {
		for _, n := range nouns {
			if _, ok := items[0].Body.Lookup(n); !ok {
				continue
			}
			hit, err := c.only(ctx, list, Term(n, choice), choice)
			if KindOf(err) == Missing {
				break // its title may be another
			}
			return hit, err
		}
	}
	return c.titled(ctx, list, choice)
}

// only gives the one item that the filter leaves.
func (c *Client) only(ctx context.Context, list *Document, filter, choice string) (*Document, error) {
	l, ok := list.Link("filter")
	if !ok {
		return nil, Errorf(Usage, "%s cannot be filtered: choose by place, such as item[1].", nameOf(list))
	}
	doc, err := c.Get(ctx, Expand(l.Href, map[string]string{"filter": filter}))
	if err != nil {
		return nil, err
	}
	_, items, _ := doc.Items()
	switch len(items) {
	case 0:
		return nil, Errorf(Missing, "%s: Not found.", Plain(choice))
	case 1:
		return items[0], nil
	}
	return nil, Errorf(Usage, "%d are %s: name one by its id, such as %s.", doc.Total(), Plain(choice), Plain(items[0].Body.text("id")))
}

// titled looks for a title through the pages of a collection that is not too long.
func (c *Client) titled(ctx context.Context, list *Document, title string) (*Document, error) {
	var hit *Document
	err := c.Pages(ctx, list, func(page *Document) (bool, error) {
		_, items, _ := page.Items()
		for _, d := range items {
			if strings.EqualFold(d.Title(), title) {
				hit = d
				return false, nil
			}
		}
		return page.Total() <= scanned, nil
	})
	if err == nil && hit == nil {
		err = Errorf(Missing, "%s: Not found.", Plain(title))
	}
	return hit, err
}

// place finds an item by its place, from the end when it is negative.
func (c *Client) place(ctx context.Context, list *Document, n int) (*Document, error) {
	if n < 0 {
		n += list.Total() + 1
	}
	var hit *Document
	seen := 0
	err := c.Pages(ctx, list, func(page *Document) (bool, error) {
		_, items, _ := page.Items()
		if n >= 1 && n <= seen+len(items) {
			hit = items[n-seen-1]
			return false, nil
		}
		seen += len(items)
		return n >= 1, nil
	})
	if err == nil && hit == nil {
		err = Errorf(Missing, "There is no item %d: there are %d.", n, list.Total())
	}
	return hit, err
}

// Pages calls the function for the page and those that its links `next` lead to,
// until it says that this is enough.
func (c *Client) Pages(ctx context.Context, page *Document, fn func(*Document) (more bool, err error)) error {
	for {
		more, err := fn(page)
		if err != nil || !more {
			return err
		}
		next, ok := page.Link("next")
		if !ok {
			return nil
		}
		if page, err = c.Get(ctx, next.Href); err != nil {
			return err
		}
	}
}

// Term makes a term of a filter that compares the field with the value. A field may
// end in a lookup, such as name.contains; in and range take several values, parted
// by commas.
func Term(field, value string) string {
	special := `\;:,`
	if strings.HasSuffix(field, ".in") || strings.HasSuffix(field, ".range") {
		special = `\;:`
	}
	var b strings.Builder
	b.WriteString(field + ":")
	for _, r := range value {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Offered returns a form of the document by its key, or says that the document does
// not offer it, and what it does offer.
func (d *Document) Offered(key string) (Template, error) {
	if t, ok := d.Template(key); ok {
		return t, nil
	}
	offers := make([]string, 0, 8)
	for _, t := range d.Templates() {
		k := t.Key
		switch {
		case k == "default" && t.Method == http.MethodPost:
			k = "new"
		case k == "default":
			k = "edit"
		}
		offers = append(offers, k)
	}
	what := nameOf(d)
	if s := d.Body.text("status"); s != "" {
		what += " (" + Plain(s) + ")"
	}
	has := "nothing"
	if len(offers) > 0 {
		has = strings.Join(offers, ", ")
	}
	return Template{}, Errorf(Refused, "%s does not offer you %s; it offers %s.", what, Plain(key), Plain(has))
}
