package browse

import (
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/hal"
	"halcyon/handlers/halserver"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
)

// structuralRels are the relations that the page expresses by its structure (breadcrumbs,
// paging) and does not list.
var structuralRels = map[string]bool{
	"self": true, "curies": true, "collection": true, "up": true, "first": true, "prev": true, "next": true, "last": true,
	"cb:filter": true, "describedby": true, "profile": true,
}

// maxLinks is the number of links of a relation that are shown without expanding.
const maxLinks = 12

// document returns the generic page of a row, for resources without a page of their own.
func (f *Face) document(v *view.View, title string) g.Node {
	d := v.Doc
	return g.Group{
		heading(v, title),
		secretNotice(v),
		actions(v),
		h.Div(h.Class("columns"),
			h.Section(h.Class("card"), g.Attr("aria-label", "Properties"), members(d.Props, v.Of)),
			relations(v),
		),
		embedded(d),
		forms(v),
	}
}

// secretNotice returns a warning to copy a secret that is shown only once, nil unless the
// page answers a form. Other forms redirect instead.
func secretNotice(v *view.View) g.Node {
	if !v.Posted || v.Of == nil {
		return nil
	}
	return h.Div(h.Class("notice"), h.Role("status"),
		h.P(g.Text("This is shown this once. Keep it:")),
		secrets(v.Doc),
		h.P(h.A(h.Class("button"), h.Href(selfOf(v.Doc)), g.Text("Go on"))))
}

// secrets returns the members that are shown only once, to be copied.
func secrets(d *hal.Document) g.Node {
	var list g.Group
	for _, name := range []string{"token", "secret"} {
		if text := textOf(d, name); text != "" {
			list = append(list, h.Pre(h.Class("source"), g.Attr("data-copy"), g.Text(text)))
		}
	}
	return list
}

// members returns a property list. of is the declaration whose field documentation
// becomes tooltips; nil for none.
func members(props []hal.Prop, of *resource.Def) g.Node {
	b := []byte(`<dl class="props">`)
	some := false
	for i := range props {
		p := &props[i]
		if !shownIn(p.Only) {
			continue
		}
		some = true
		b = append(b, "<dt"...)
		if of != nil {
			if f := of.Field(p.Name); f != nil {
				b = appendText(append(b, ` title="`...), f.Doc)
				b = append(b, '"')
			}
		}
		b = appendText(append(b, '>'), label(p.Name))
		b = append(b, "</dt><dd>"...)
		if of != nil && isState(of, p.Name) && p.Value.Kind() == hal.KindString && p.Value.Text() != "" {
			b = appendState(b, of, p.Value.Text())
		} else {
			b = appendValue(b, p.Value)
		}
		b = append(b, "</dd>"...)
	}
	if !some {
		return nil
	}
	return markup(append(b, "</dl>"...))
}

// relations returns the card with the document's links.
func relations(v *view.View) g.Node {
	var list g.Group
	for i := range v.Doc.Links {
		r := &v.Doc.Links[i]
		if structuralRels[r.Name] || !shownIn(r.Only) {
			continue
		}
		links := make(g.Group, 0, len(r.Links))
		for j := range r.Links {
			if l := &r.Links[j]; l.Href != "" && !l.Templated {
				links = append(links, h.Li(linkOrButton(v, l)))
			}
		}
		if len(links) == 0 {
			continue
		}
		name := label(r.Name)
		if r.Many {
			name += " (" + strconv.Itoa(len(links)) + ")"
		}
		var doc string
		if v.Of != nil {
			if x := v.Of.Relation(r.Name); x != nil {
				doc = x.Doc
			}
		}
		list = append(list, h.Dt(titleAttr(doc), g.Text(name)), h.Dd(collapsible(links)))
	}
	if list == nil {
		return nil
	}
	return h.Section(h.Class("card"), g.Attr("aria-label", "Links"), h.Dl(h.Class("props"), list))
}

// collapsible returns a list of links, with those beyond maxLinks collapsed.
func collapsible(links g.Group) g.Node {
	if len(links) <= maxLinks {
		return h.Ul(links)
	}
	return g.Group{
		h.Ul(links[:maxLinks]),
		h.Details(h.Summary(g.Text(strconv.Itoa(len(links)-maxLinks)+" more")), h.Ul(links[maxLinks:])),
	}
}

// linkOrButton returns a link, or a form with a button when the address only takes POST.
func linkOrButton(v *view.View, l *hal.Link) g.Node {
	if !isNavigable(l.Href) && strings.HasPrefix(l.Href, apiBase+"/") {
		return h.Form(h.Method("post"), h.Action(halserver.FormAction(l.Href, http.MethodPost, "", pageOf(v))), h.Button(h.Type("submit"), g.Text(l.Title)))
	}
	b := appendLinkOrText(nil, l)
	for i := range l.Extra {
		b = appendText(append(b, ` <span class="none">`...), label(l.Extra[i].Name)+": ")
		b = appendValue(b, l.Extra[i].Value)
		b = append(b, "</span>"...)
	}
	return markup(b)
}

func link(l *hal.Link) g.Node { return markup(appendLinkOrText(nil, l)) }

// embedded returns the embedded resources as cards, nil when there are none.
func embedded(d *hal.Document) g.Node {
	var all g.Group
	for i := range d.Embedded {
		e := &d.Embedded[i]
		var cards g.Group
		for j := range e.Docs {
			x := &e.Docs[j]
			var head g.Node
			for _, l := range linksOf(x, "self") {
				head = h.H3(link(&l))
			}
			cards = append(cards, h.Article(h.Class("card"), head, members(x.Props, nil)))
		}
		if cards != nil {
			all = append(all, h.Section(h.H2(g.Text(label(e.Rel))), h.Div(h.Class("cards"), cards)))
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// label turns the name of a member or relation into words: "cb:os-build" becomes "OS
// build".
func label(name string) string {
	name = strings.TrimPrefix(name, "cb:")
	name = strings.NewReplacer("-", " ", "_", " ", ".", " ").Replace(name)
	for i, word := range strings.Fields(name) {
		if short, ok := abbreviations[word]; ok {
			name = strings.Replace(name, word, short, 1)
		} else if i == 0 {
			name = strings.ToUpper(name[:1]) + name[1:]
		}
	}
	return name
}

// abbreviations are the words with a spelling of their own.
var abbreviations = map[string]string{
	"id": "ID", "ip": "IP", "mac": "MAC", "os": "OS", "url": "URL", "uuid": "UUID", "dns": "DNS", "cpu": "CPU", "cnt": "count",
	"mem": "Memory", "vm": "VM", "vms": "VMs", "gpu": "GPU",
}
