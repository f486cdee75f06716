package hal

import (
	"strings"
	"unicode/utf8"
)

// Shape is a JSON rendering of a Document.
type Shape uint8

// The JSON shapes.
const (
	HAL       Shape = iota // strict HAL, draft-kelly-json-hal-11
	HALForms               // strict HAL and _templates
	CloudBolt              // the format of CloudBolt's v2 API
)

// actionCurie is the prefix of action relations, and of all relations that the CloudBolt
// API does not have.
const actionCurie = "cb"

// Encoder appends documents as JSON. The zero Encoder writes no curies. It is safe for
// concurrent use.
type Encoder struct {
	// Curies are the CURIE definitions (HAL section 8.2): Name is the prefix,
	// Href the template with {rel}. Each is written in the top document, and only
	// if a relation in it or in anything embedded uses the prefix.
	Curies []Link

	// Base is put before the href of every link and action, and before the target of
	// every template, that is a path: "https://cloud.example". Empty leaves them paths.
	Base string
}

// format is what the encoding of a document depends on beside the document.
type format struct {
	shape Shape
	base  string
}

// AppendJSON appends d as one compact JSON object, without a newline, and returns the
// extended slice. It does not allocate if dst has enough capacity.
// The order is _links (self, curies, then as declared, actions last), the properties, _embedded, _templates. A document without links and actions has no _links: it is a plain answer, such as a token, and not a resource.
// AppendJSON does not check the document: a self link and unique names are the responsibility of the declaration.
func (e Encoder) AppendJSON(dst []byte, d *Document, shape Shape) []byte {
	f := format{shape, e.Base}
	if shape == CloudBolt {
		return appendDocument(dst, d, &f, nil)
	}
	return appendDocument(dst, d, &f, e.Curies)
}

// include reports whether a member limited to s is written in the shape.
func (s Shapes) include(shape Shape) bool {
	if s == 0 {
		return true
	}
	if shape == CloudBolt {
		return s&InCloudBolt != 0
	}
	return s&InHAL != 0
}

// appendDocument appends a document. Embedded documents are appended without curies.
func appendDocument(dst []byte, d *Document, f *format, curies []Link) []byte {
	dst = append(dst, '{')
	if len(d.Links) > 0 || len(d.Actions) > 0 || d.HasActions {
		dst = appendLinks(dst, d, f, curies)
	}
	dst = appendProps(dst, d.Props, f)
	dst = appendEmbedded(dst, d, f)
	if f.shape == HALForms {
		dst = appendTemplates(dst, d.Templates, f)
	}
	return append(dst, '}')
}

func appendLinks(dst []byte, d *Document, f *format, curies []Link) []byte {
	dst = append(dst, `"_links":{`...)
	self := -1
	for i := range d.Links {
		if d.Links[i].Name == "self" && d.Links[i].Only.include(f.shape) {
			self = i
			dst = appendRel(dst, &d.Links[i], f)
			break
		}
	}
	dst = appendCuries(dst, d, f, curies)
	for i := range d.Links {
		switch r := &d.Links[i]; {
		case i == self:
		case f.shape == CloudBolt && r.Group != "":
			dst = appendGroup(dst, d.Links, i, f)
		default:
			dst = appendRel(dst, r, f)
		}
	}
	if f.shape == CloudBolt {
		dst = appendCloudBoltActions(dst, d, f)
	} else {
		dst = appendActions(dst, d, f)
	}
	return append(dst, '}')
}

// appendRel appends one relation under its name and, in the CloudBolt shape, also under
// its alias. A relation with the curie prefix does not exist in that API: only its alias,
// if any, is written there.
func appendRel(dst []byte, r *Rel, f *format) []byte {
	if !r.writes(f.shape) {
		return dst
	}
	if f.shape != CloudBolt {
		return appendRelAs(dst, r.Name, r, f)
	}
	if !hasPrefix(r.Name, actionCurie) {
		dst = appendRelAs(dst, r.Name, r, f)
	}
	if r.Alias != "" && r.Alias != r.Name {
		dst = appendRelAs(dst, r.Alias, r, f)
	}
	return dst
}

// writes reports whether the relation is written in the shape under a name without
// prefix. Relations named curies are skipped: the encoder writes that member.
func (r *Rel) writes(shape Shape) bool {
	switch {
	case !r.Only.include(shape) || r.Name == "curies":
		return false
	case r.Many || r.link() != nil:
		return true
	default:
		return shape == CloudBolt && !r.Optional
	}
}

// link returns the first link with an href, nil if there is none. A link without an href
// is not a valid link object.
func (r *Rel) link() *Link {
	for i := range r.Links {
		if r.Links[i].Href != "" {
			return &r.Links[i]
		}
	}
	return nil
}

func appendRelAs(dst []byte, name string, r *Rel, f *format) []byte {
	dst = appendKey(dst, name)
	if !r.Many {
		if l := r.link(); l != nil {
			return appendLink(dst, l, f)
		}
		return append(dst, "{}"...)
	}
	dst = append(dst, '[')
	for i := range r.Links {
		if l := &r.Links[i]; l.Href != "" {
			dst = appendLink(appendComma(dst), l, f)
		}
	}
	return append(dst, ']')
}

// appendGroup appends all relations of a group as one object at the place of the first:
// {"log_urls": {"raw-log": "/…", "zip-log": "/…"}}. Its members are the hrefs, as CloudBolt's
// clients decode them. A group without visible relations is left out. Only the CloudBolt
// shape has groups.
func appendGroup(dst []byte, rels []Rel, at int, f *format) []byte {
	group := rels[at].Group
	for i := range at {
		if rels[i].Group == group {
			return dst // written with the first
		}
	}
	mark := len(dst)
	dst = append(appendKey(dst, group), '{')
	inside := len(dst)
	for i := at; i < len(rels); i++ {
		if r := &rels[i]; r.Group == group && r.writes(f.shape) {
			if !hasPrefix(r.Name, actionCurie) {
				dst = appendGroupHref(dst, r.Name, r, f)
			}
			if r.Alias != "" && r.Alias != r.Name {
				dst = appendGroupHref(dst, r.Alias, r, f)
			}
		}
	}
	if len(dst) == inside {
		return dst[:mark]
	}
	return append(dst, '}')
}

// appendGroupHref appends the href of a relation in a group, "" if it has no link.
func appendGroupHref(dst []byte, name string, r *Rel, f *format) []byte {
	href := ""
	if l := r.link(); l != nil {
		href = l.Href
	}
	return appendHref(appendKey(dst, name), href, f)
}

// appendActions appends the actions for HAL clients: a relation for each, and the array
// "actions", whose items are links and also carry what scripts read as
// _links.actions[i].submit.href. A second action with the same rel would be a duplicate
// member, so it is in the array only.
func appendActions(dst []byte, d *Document, f *format) []byte {
	if len(d.Actions) == 0 && !d.HasActions {
		return dst
	}
	for i := range d.Actions {
		a := &d.Actions[i]
		if firstOfRel(d.Actions, i) {
			dst = append(appendComma(dst), `"`+actionCurie+`:`...)
			dst = append(appendEscaped(dst, a.Rel), `":{`...)
			dst = append(appendActionLink(dst, a, f), '}')
		}
	}
	dst = append(appendKey(dst, "actions"), '[')
	for i := range d.Actions {
		a := &d.Actions[i]
		dst = appendHref(append(appendComma(dst), `{"href":`...), a.Href, f)
		dst = appendMember(dst, "name", a.key())
		dst = appendOptional(dst, "title", a.Title)
		dst = append(appendKey(dst, a.key()), '{')
		dst = append(appendActionLink(dst, a, f), "}}"...)
	}
	return append(dst, ']')
}

func firstOfRel(actions []Action, at int) bool {
	for i := range at {
		if actions[i].Rel == actions[at].Rel {
			return false
		}
	}
	return true
}

// appendCloudBoltActions appends "actions" as an array of objects with one key.
func appendCloudBoltActions(dst []byte, d *Document, f *format) []byte {
	if len(d.Actions) == 0 && !d.HasActions {
		return dst
	}
	dst = append(appendKey(dst, "actions"), '[')
	for i := range d.Actions {
		a := &d.Actions[i]
		dst = append(appendComma(dst), '{')
		dst = append(appendKey(dst, a.key()), '{')
		dst = append(appendActionLink(dst, a, f), "}}"...)
	}
	return append(dst, ']')
}

// key returns the member name under which scripts find the action.
func (a *Action) key() string {
	if a.Name == "" {
		return a.Rel
	}
	return a.Name
}

// appendActionLink appends the members of an action's link, without braces.
func appendActionLink(dst []byte, a *Action, f *format) []byte {
	dst = appendHref(append(dst, `"href":`...), a.Href, f)
	return appendOptional(dst, "title", a.Title)
}

// appendCuries appends the definitions of the prefixes that the document uses.
func appendCuries(dst []byte, d *Document, f *format, curies []Link) []byte {
	opened := false
	for i := range curies {
		c := &curies[i]
		if !d.uses(c.Name, f.shape) {
			continue
		}
		if !opened {
			dst = append(appendKey(dst, "curies"), '[')
			opened = true
		}
		dst = append(appendComma(dst), '{')
		dst = appendMember(dst, "name", c.Name)
		dst = appendHref(appendKey(dst, "href"), c.Href, f)
		dst = appendOptional(dst, "title", c.Title)
		dst = append(dst, `,"templated":true}`...)
	}
	if opened {
		dst = append(dst, ']')
	}
	return dst
}

// uses reports whether d or a document embedded in it writes a relation with the prefix.
func (d *Document) uses(prefix string, shape Shape) bool {
	if len(d.Actions) > 0 && prefix == actionCurie {
		return true
	}
	for i := range d.Links {
		if r := &d.Links[i]; hasPrefix(r.Name, prefix) && r.writes(shape) {
			return true
		}
	}
	for i := range d.Embedded {
		e := &d.Embedded[i]
		docs := e.written()
		if hasPrefix(e.Rel, prefix) && (e.Many || len(docs) > 0) {
			return true
		}
		for j := range docs {
			if docs[j].uses(prefix, shape) {
				return true
			}
		}
	}
	return false
}

// hasPrefix reports whether name is a curie with the prefix ("cb" for "cb:submit").
func hasPrefix(name, prefix string) bool {
	return len(name) > len(prefix) && name[len(prefix)] == ':' && strings.HasPrefix(name, prefix)
}

// written returns the documents of the entry that are encoded: at most one for a to-one
// relation.
func (e *Embedded) written() []Document {
	if !e.Many && len(e.Docs) > 1 {
		return e.Docs[:1]
	}
	return e.Docs
}

// appendEmbedded appends _embedded, nothing if it would be empty. In the CloudBolt shape
// the single entry of a collection is a bare array.
func appendEmbedded(dst []byte, d *Document, f *format) []byte {
	if len(d.Embedded) == 0 {
		return dst
	}
	if f.shape == CloudBolt && len(d.Embedded) == 1 && d.Embedded[0].Many {
		return appendDocuments(appendKey(dst, "_embedded"), d.Embedded[0].Docs, f)
	}
	mark := len(dst)
	dst = append(appendKey(dst, "_embedded"), '{')
	inside := len(dst)
	for i := range d.Embedded {
		e := &d.Embedded[i]
		docs := e.written()
		switch {
		case f.shape == CloudBolt && hasPrefix(e.Rel, actionCurie):
		case e.Many:
			dst = appendDocuments(appendKey(dst, e.Rel), docs, f)
		case len(docs) > 0:
			dst = appendDocument(appendKey(dst, e.Rel), &docs[0], f, nil)
		}
	}
	if len(dst) == inside {
		return dst[:mark]
	}
	return append(dst, '}')
}

func appendDocuments(dst []byte, docs []Document, f *format) []byte {
	dst = append(dst, '[')
	for i := range docs {
		dst = appendDocument(appendComma(dst), &docs[i], f, nil)
	}
	return append(dst, ']')
}

// appendLink appends a link object without its empty members.
func appendLink(dst []byte, l *Link, f *format) []byte {
	// These two are most of every document, so they are inlined.
	dst = appendHref(append(dst, `{"href":`...), l.Href, f)
	if l.Title != "" {
		dst = AppendString(append(dst, `,"title":`...), l.Title)
	}
	dst = appendOptional(dst, "name", l.Name)
	if l.Templated {
		dst = append(dst, `,"templated":true`...)
	}
	dst = appendOptional(dst, "type", l.Type)
	dst = appendOptional(dst, "deprecation", l.Deprecation)
	dst = appendOptional(dst, "profile", l.Profile)
	dst = appendProps(dst, l.Extra, f)
	return append(dst, '}')
}

// appendHref appends an href as a JSON string, after the base if it is a path.
func appendHref(dst []byte, href string, f *format) []byte {
	if f.base == "" || !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") {
		return AppendString(dst, href)
	}
	dst = appendEscaped(append(dst, '"'), f.base)
	return append(appendEscaped(dst, href), '"')
}

// appendComma appends a comma before a further member or item. No value ends in an
// opening bracket, so the last byte tells whether the member is the first.
func appendComma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// appendKey appends a member's name and colon, after a comma where one is needed.
func appendKey(dst []byte, name string) []byte {
	return append(AppendString(appendComma(dst), name), ':')
}

// appendMember appends a member with a string.
func appendMember(dst []byte, key, value string) []byte {
	return AppendString(appendKey(dst, key), value)
}

// appendOptional appends a member with a string, nothing for "".
func appendOptional(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendMember(dst, key, value)
}

// AppendString appends s as a JSON string and returns the extended slice. It escapes only
// what RFC 8259 requires, so that hrefs keep their &, and U+2028 and U+2029, which older
// JavaScript treats as line ends. Each byte that is not part of valid UTF-8 becomes
// U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// appendEscaped appends the content of a JSON string, without its quotes.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0 // of the current run without escapes
	for i := plainPrefix(s); i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[start:i]...), '\\', 'u', '2', '0', '2', hex[r&15])
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

// plainPrefix returns the number of bytes at the start of s, a multiple of eight, that
// need no escape: no control characters, quotes, backslashes or non-ASCII bytes. Most
// strings are plain to their end, and checking byte by byte took half of the encoding
// time.
func plainPrefix(s string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := s[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		// Each subtraction sets the top bit of a byte that underflows: one below a space,
		// and a zero left by the XOR with the quote or the backslash. The borrow may also
		// set it in higher bytes, which is harmless since the loop stops either way.
		if (x|(x-ones*' ')|((x^ones*'"')-ones)|((x^ones*'\\')-ones))&tops != 0 {
			break
		}
	}
	return i
}
