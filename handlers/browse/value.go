package browse

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"

	"halcyon/hal"
	"halcyon/pkg/resource"
)

// Values are appended to a buffer: a table has hundreds of them, and building a tree of
// nodes for each would take most of the time of the page.

// markup is HTML that this package wrote. It is not escaped again.
type markup []byte

// Render implements g.Node.
func (m markup) Render(w io.Writer) error {
	_, err := w.Write(m)
	return err
}

// appendText appends a text, escaped for use as element content or in a quoted attribute.
func appendText(b []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		var to string
		switch s[i] {
		case '&':
			to = "&amp;"
		case '<':
			to = "&lt;"
		case '>':
			to = "&gt;"
		case '"':
			to = "&#34;"
		case '\'':
			to = "&#39;"
		case 0:
			to = "\uFFFD"
		default:
			continue
		}
		b = append(append(b, s[from:i]...), to...)
		from = i + 1
	}
	return append(b, s[from:]...)
}

func appendLink(b []byte, href, text string) []byte {
	b = appendText(append(b, `<a href="`...), href)
	b = appendText(append(b, `">`...), text)
	return append(b, "</a>"...)
}

const noneMarkup = `<span class="none">–</span>`

// value returns a member's value as HTML.
func value(v hal.Value) g.Node { return markup(appendValue(nil, v)) }

// appendValue appends a member's value as HTML.
func appendValue(b []byte, v hal.Value) []byte {
	switch v.Kind() {
	case hal.KindNull:
		return append(b, noneMarkup...)
	case hal.KindBool:
		if v.Bool() {
			return append(b, "yes"...)
		}
		return append(b, "no"...)
	case hal.KindLink:
		l, _ := v.Link()
		return appendLinkOrText(b, &l)
	case hal.KindObject:
		return appendObject(b, v)
	case hal.KindList:
		return appendList(b, v)
	case hal.KindRaw:
		return appendRaw(b, v.Text())
	case hal.KindInt, hal.KindDecimal:
		return append(b, v.Text()...)
	case hal.KindString:
	}
	return appendString(b, v.Text())
}

// appendLinkOrText appends a link, or only its text when a browser cannot open the
// address.
func appendLinkOrText(b []byte, l *hal.Link) []byte {
	text := l.Title
	if text == "" {
		text = l.Href
	}
	if !isNavigable(l.Href) {
		return appendText(b, text)
	}
	return appendLink(b, l.Href, text)
}

// isNavigable reports whether a browser can open the address with GET. Actions need POST,
// and addresses outside the API are never links.
func isNavigable(href string) bool {
	rest, ours := strings.CutPrefix(href, apiBase)
	if !ours || strings.ContainsAny(href, "{} \t\r\n\\") {
		return false
	}
	return !strings.Contains(strings.TrimPrefix(rest, "/actions"), "/actions/") && !strings.HasSuffix(rest, "/import/")
}

func appendString(b []byte, text string) []byte {
	if text == "" {
		return append(b, noneMarkup...)
	}
	if at, ok := instant(text); ok {
		return appendTime(b, at)
	}
	if size, ok := strings.CutSuffix(text, " GB"); ok && strings.Contains(size, ".") && strings.Trim(size, "0123456789.") == "" {
		return append(append(b, strings.TrimRight(strings.TrimRight(size, "0"), ".")...), " GB"...)
	}
	if strings.HasPrefix(text, apiBase+"/") && isNavigable(text) {
		return appendLink(b, text, text)
	}
	if strings.Contains(text, "\n") {
		b = appendText(append(b, `<span class="lines">`...), text)
		return append(b, "</span>"...)
	}
	return appendText(b, text)
}

// instant parses an instant in the format of documents, resource.TimeLayout.
func instant(text string) (time.Time, bool) {
	if len(text) != len(resource.TimeLayout) || text[10] != 'T' || text[19] != '.' {
		return time.Time{}, false
	}
	at, err := time.Parse(resource.TimeLayout, text)
	return at, err == nil
}

// appendTime appends an instant in UTC. Scripts convert it to the browser's time zone.
func appendTime(b []byte, at time.Time) []byte {
	b = at.AppendFormat(append(b, `<time datetime="`...), "2006-01-02T15:04:05Z")
	b = at.AppendFormat(append(b, `">`...), "2 Jan 2006, 15:04")
	return append(b, " UTC</time>"...)
}

// reference returns the link that an object with href and title stands for, and its other
// members. It reports whether the object has an href.
func reference(props []hal.Prop) (link hal.Link, rest []hal.Prop, ok bool) {
	for i := range props {
		switch p := &props[i]; p.Name {
		case "href":
			link.Href = p.Value.Text()
		case "title":
			link.Title = p.Value.Text()
		default:
			rest = append(rest, *p)
		}
	}
	return link, rest, link.Href != ""
}

func appendObject(b []byte, v hal.Value) []byte {
	props := v.Props()
	if len(props) == 0 {
		return append(b, noneMarkup...)
	}
	if l, rest, ok := reference(props); ok {
		b = appendLinkOrText(b, &l)
		if len(rest) == 0 {
			return b
		}
		props = rest
	}
	b = append(b, `<dl class="props">`...)
	for i := range props {
		if p := &props[i]; shownIn(p.Only) {
			b = appendText(append(b, "<dt>"...), label(p.Name))
			b = appendValue(append(b, "</dt><dd>"...), p.Value)
			b = append(b, "</dd>"...)
		}
	}
	return append(b, "</dl>"...)
}

// shownIn reports whether pages show a member that is limited to some representations.
func shownIn(only hal.Shapes) bool { return only == 0 || only&hal.InHAL != 0 }

func appendList(b []byte, v hal.Value) []byte {
	if v.Len() == 0 {
		return append(b, noneMarkup...)
	}
	if columns := columnsOf(v); len(columns) > 0 {
		return appendSmallTable(b, v, columns)
	}
	b = append(b, `<ul class="values">`...)
	for x := range v.Items() {
		b = appendValue(append(b, "<li>"...), x)
		b = append(b, "</li>"...)
	}
	return append(b, "</ul>"...)
}

// maxColumns is the number of distinct members up to which a list of objects becomes a
// table.
const maxColumns = 8

// columnsOf returns the member names of a list's objects, nil when the list is not to be
// a table.
func columnsOf(v hal.Value) []string {
	var names []string
	for x := range v.Items() {
		if x.Kind() != hal.KindObject {
			return nil
		}
		for _, p := range x.Props() {
			if shownIn(p.Only) && !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	if len(names) > maxColumns {
		return nil
	}
	if slices.Contains(names, "href") && slices.Contains(names, "title") { // the title links to the href
		names = slices.DeleteFunc(names, func(n string) bool { return n == "href" })
	}
	return names
}

func appendSmallTable(b []byte, v hal.Value, columns []string) []byte {
	b = append(b, `<div class="scroll small"><table><thead><tr>`...)
	for _, name := range columns {
		b = appendText(append(b, `<th scope="col">`...), label(name))
		b = append(b, "</th>"...)
	}
	b = append(b, "</tr></thead><tbody>"...)
	for x := range v.Items() {
		l, _, linked := reference(x.Props())
		b = append(b, "<tr>"...)
		for _, name := range columns {
			b = append(b, "<td>"...)
			if linked && name == "title" {
				b = appendLinkOrText(b, &l)
			} else {
				b = appendValue(b, member(x.Props(), name))
			}
			b = append(b, "</td>"...)
		}
		b = append(b, "</tr>"...)
	}
	return append(b, "</tbody></table></div>"...)
}

// member returns the value of a member, null when there is none of that name.
func member(props []hal.Prop, name string) hal.Value {
	for i := range props {
		if props[i].Name == name {
			return props[i].Value
		}
	}
	return hal.Null()
}

// appendRaw appends stored JSON, indented where it parses.
func appendRaw(b []byte, text string) []byte {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") == nil {
		text = out.String()
	}
	b = appendText(append(b, `<pre class="json">`...), text)
	return append(b, "</pre>"...)
}

// isState reports whether a field is a status, to be shown as a badge.
func isState(d *resource.Def, name string) bool {
	if !strings.HasSuffix(name, "status") && name != "state" {
		return false
	}
	if d == nil {
		return true
	}
	f := d.Field(name)
	return f == nil || len(f.Values) > 0
}
