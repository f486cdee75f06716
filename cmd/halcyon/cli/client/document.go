package client

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Document is what a URL answers. What is no JSON has a nil Body.
type Document struct {
	URL    *url.URL
	Status int
	Header http.Header
	Type   string // media type without parameters
	Body   Object
	Raw    []byte // as it came; nil for a document that was embedded in another
}

// Link is a link of a document.
type Link struct {
	Rel, Href, Title, Name string
	Templated              bool
}

// Template is a form of a document (HAL-FORMS).
type Template struct {
	Key, Title, Method, Target string
	Properties                 []Property
}

// Property is a field of a form.
type Property struct {
	Name, Prompt, Type, Placeholder, Regex string
	Required, ReadOnly                     bool
	Value                                  any // that the form begins with; nil for none
	Many                                   bool
	Options                                []Option
	OptionsLink                            string // of a collection whose items are the options
	PromptField, ValueField                string // of those items
}

// Option is a choice of a field.
type Option struct {
	Prompt, Value string
	For           []string // groups that it goes with; none for all
}

// links returns the links of the relation, and whether it holds a list.
func (d *Document) links(rel string) (list []Link, many, ok bool) {
	v, ok := d.Body.object("_links").Lookup(rel)
	if !ok {
		return nil, false, false
	}
	if o, is := v.(Object); is {
		return []Link{asLink(rel, o)}, false, true
	}
	all, _ := v.([]any)
	for _, x := range all {
		if o, is := x.(Object); is {
			list = append(list, asLink(rel, o))
		}
	}
	return list, true, true
}

func asLink(rel string, o Object) Link {
	templated, _ := o.Get("templated").(bool)
	return Link{Rel: rel, Href: o.text("href"), Title: o.text("title"), Name: o.text("name"), Templated: templated}
}

// Find returns the links of a relation, which may be named in short: without the
// curie, and with underscores. many is whether the relation holds a list.
func (d *Document) Find(rel string) (list []Link, many, ok bool) {
	for _, name := range []string{rel, "cb:" + rel, strings.ReplaceAll(rel, "_", "-"), "cb:" + strings.ReplaceAll(rel, "_", "-")} {
		if name == "curies" || name == "actions" {
			continue // what they link is linked by its own relation, too
		}
		if list, many, ok = d.links(name); ok {
			return list, many, true
		}
	}
	return nil, false, false
}

// Link returns the first link of a relation; see Find.
func (d *Document) Link(rel string) (Link, bool) {
	list, _, _ := d.Find(rel)
	if len(list) == 0 {
		return Link{}, false
	}
	return list[0], true
}

// Rels returns the relations of the document but for self, without the curie where
// they are found without it.
func (d *Document) Rels() []string {
	links := d.Body.object("_links")
	var list []string
	for _, m := range links {
		if m.Name == "self" || m.Name == "curies" || m.Name == "actions" {
			continue
		}
		name := strings.TrimPrefix(m.Name, "cb:")
		if _, twin := links.Lookup(name); twin {
			name = m.Name
		}
		list = append(list, name)
	}
	return list
}

// Self returns the document's own link, as it says it.
func (d *Document) Self() Link {
	l, _ := d.Link("self")
	return l
}

// Title is what the document calls itself.
func (d *Document) Title() string { return d.Self().Title }

// nouns are the members that name a thing.
var nouns = []string{"hostname", "user.username", "username", "name"}

// Name is the document's name: what it is called among its like, or its title, or
// its id.
func (d *Document) Name() string {
	for _, n := range nouns {
		if s := d.Body.text(n); s != "" {
			return s
		}
	}
	if id := d.Body.text("id"); id != "" {
		return id
	}
	return d.Title()
}

// Items returns what a collection holds, and the name that it holds them under. It
// is false for what is no collection.
func (d *Document) Items() (name string, items []*Document, ok bool) {
	if _, counted := d.Body.Lookup("count"); !counted {
		return "", nil, false
	}
	for _, m := range d.Body.object("_embedded") {
		list, is := m.Value.([]any)
		if !is {
			continue
		}
		for _, x := range list {
			if o, is := x.(Object); is {
				items = append(items, &Document{URL: d.URL, Type: d.Type, Body: o})
			}
		}
		return m.Name, items, true
	}
	return "", nil, false
}

// Total is how many items a collection has on all its pages.
func (d *Document) Total() int {
	n, _ := strconv.Atoi(Text(d.Body.Get("total")))
	return n
}

// Templates returns the forms that the document offers.
func (d *Document) Templates() []Template {
	var list []Template
	for _, m := range d.Body.object("_templates") {
		o, ok := m.Value.(Object)
		if !ok {
			continue
		}
		t := Template{Key: m.Name, Title: o.text("title"), Method: o.text("method"), Target: o.text("target")}
		if t.Method == "" {
			t.Method = http.MethodGet
		}
		if t.Target == "" {
			t.Target = d.Self().Href
		}
		props, _ := o.Get("properties").([]any)
		for _, p := range props {
			if po, ok := p.(Object); ok {
				t.Properties = append(t.Properties, asProperty(po))
			}
		}
		list = append(list, t)
	}
	if len(list) == 1 && list[0].Key == "default" {
		list[0].Key = d.keyOf(&list[0])
	}
	return list
}

// keyOf returns the key of a document's only template, which is the default one on the
// wire: the relation of the action that it is the form of, if it is one.
func (d *Document) keyOf(t *Template) string {
	if t.Method == http.MethodDelete {
		return "delete"
	}
	for _, m := range d.Body.object("_links") {
		rel, custom := strings.CutPrefix(m.Name, "cb:")
		if o, ok := m.Value.(Object); ok && custom && t.Method == http.MethodPost && o.text("href") == t.Target {
			return rel
		}
	}
	return "default"
}

func asProperty(o Object) Property {
	flag := func(name string) bool { b, _ := o.Get(name).(bool); return b }
	p := Property{
		Name: o.text("name"), Prompt: o.text("prompt"), Type: o.text("type"), Placeholder: o.text("placeholder"), Regex: o.text("regex"),
		Required: flag("required"), ReadOnly: flag("readOnly"), Value: o.Get("value"),
	}
	options, ok := o.Lookup("options")
	if !ok {
		return p
	}
	oo, _ := options.(Object)
	p.Many = Text(oo.Get("maxItems")) != "1"
	p.PromptField, p.ValueField = oo.text("promptField"), oo.text("valueField")
	p.OptionsLink = oo.object("link").text("href")
	inline, _ := oo.Get("inline").([]any)
	for _, x := range inline {
		switch c := x.(type) {
		case string:
			p.Options = append(p.Options, Option{Prompt: c, Value: c})
		case Object:
			p.Options = append(p.Options, Option{Prompt: c.text("prompt"), Value: Text(c.Get("value")), For: strings.Fields(c.text("for"))})
		}
	}
	return p
}

// Template returns the form with the key, which may be written with underscores. An
// action is found by its title's first words, too: `Mark` for "Mark 'web-1'".
func (d *Document) Template(key string) (Template, bool) {
	list := d.Templates()
	short := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(key), "_", "-"), "cb:")
	if short == "edit" || short == "new" {
		short = "default"
	}
	for _, same := range []func(Template) bool{
		func(t Template) bool { return t.Key == short || t.Key == key },
		func(t Template) bool { return strings.EqualFold(Verb(t), key) },
	} {
		if i := slices.IndexFunc(list, same); i >= 0 {
			return list[i], true
		}
	}
	return Template{}, false
}

// Verb is what a form's title says that it does, without to what.
func Verb(t Template) string {
	verb, _, _ := strings.Cut(t.Title, " '")
	return verb
}

var templateExpr = regexp.MustCompile(`\{[^{}]*\}`)

// Expand fills in a URI template (RFC 6570, level 3's queries and plain names).
func Expand(template string, vars map[string]string) string {
	return templateExpr.ReplaceAllStringFunc(template, func(expr string) string {
		expr = expr[1 : len(expr)-1]
		if expr == "" || expr[0] != '?' && expr[0] != '&' {
			return url.PathEscape(vars[expr])
		}
		lead, out := expr[:1], ""
		for _, name := range strings.Split(expr[1:], ",") {
			if v, ok := vars[name]; ok && v != "" {
				out += lead + name + "=" + url.QueryEscape(v)
				lead = "&"
			}
		}
		return out
	})
}
