package hal

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of value. The zero kind is null.
const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindDecimal
	KindString
	KindList
	KindObject
	KindRaw
	KindLink
)

// Value is one JSON value of a document: a tagged union, passed by value and immutable.
// The zero Value is null.
//
// Scalars live in the struct itself, so that a page of a hundred short resources
// needs no allocation per member; the other kinds share one pointer, which keeps a Prop
// at 64 bytes.
type Value struct {
	kind Kind
	num  int64  // KindInt, and 0 or 1 for KindBool
	str  string // KindString, KindDecimal, and the JSON text of KindRaw
	rest *composite
}

// composite holds the content of lists, objects and links. Strings and values are two
// fields since most lists are plain strings, and boxing each as a Value would copy them.
type composite struct {
	values  []Value
	strings []string
	props   []Prop
	link    Link
}

// Null returns the JSON null, which is also the zero Value.
func Null() Value { return Value{} }

// String returns s as a JSON string. Bytes that are not UTF-8 are written as
// U+FFFD.
func String(s string) Value { return Value{kind: KindString, str: s} }

// Int returns n as a JSON number. JavaScript rounds numbers beyond 2^53, so ids are
// strings.
func Int(n int64) Value { return Value{kind: KindInt, num: n} }

// Bool returns b as true or false.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Decimal returns text, an already formatted number ("28.80"), as a JSON number
// with exactly these digits. Text that is not a JSON number (RFC 8259, section 6) becomes
// a JSON string, which keeps the document valid and the text visible.
func Decimal(text string) Value {
	if !isNumber(text) {
		return String(text)
	}
	return Value{kind: KindDecimal, str: text}
}

// List returns values as a JSON array, [] when there are none. It keeps the slice, which
// the caller must not change afterwards.
func List(values []Value) Value {
	return Value{kind: KindList, rest: &composite{values: values}}
}

// Strings returns texts as a JSON array of strings, [] when there are none. It keeps the
// slice, which the caller must not change afterwards.
func Strings(texts []string) Value {
	return Value{kind: KindList, rest: &composite{strings: texts}}
}

// Object returns props as a JSON object in this order, {} when there are none. It keeps
// the slice, and does not check names for duplicates.
func Object(props []Prop) Value {
	return Value{kind: KindObject, rest: &composite{props: props}}
}

// Raw returns a copy of stored JSON text, without white space between tokens: PostgreSQL
// adds some to jsonb and SQLite does not, and answers must not differ between them. Empty
// text is null. Text that is not JSON becomes a JSON string, so that a damaged row cannot
// damage the document.
func Raw(text []byte) Value {
	if len(text) == 0 {
		return Null()
	}
	var buf bytes.Buffer
	buf.Grow(len(text))
	if err := json.Compact(&buf, text); err != nil {
		return String(string(text))
	}
	// encoding/json accepts strings that are not valid UTF-8; RFC 8259 does not.
	return Value{kind: KindRaw, str: strings.ToValidUTF8(buf.String(), "\uFFFD")}
}

// LinkValue returns a link as a member's value, {"href": …, "title": …}. The items of an
// order name their servers with it.
func LinkValue(l Link) Value {
	return Value{kind: KindLink, rest: &composite{link: l}}
}

// Kind returns the type of v. A list made by Strings is a KindList too.
func (v Value) Kind() Kind { return v.kind }

// Text returns v as text for people and flat formats such as CSV: a string or number as
// it is, true or false, "" for null, the texts of a list joined by ", ", the title of a
// link (its href if it has none), and JSON for an object or raw JSON.
func (v Value) Text() string {
	switch v.kind {
	case KindNull:
		return ""
	case KindBool:
		return strconv.FormatBool(v.num != 0)
	case KindInt:
		return strconv.FormatInt(v.num, 10)
	case KindString, KindDecimal, KindRaw:
		return v.str
	case KindList:
		if v.rest.strings != nil {
			return strings.Join(v.rest.strings, ", ")
		}
		texts := make([]string, len(v.rest.values))
		for i := range v.rest.values {
			texts[i] = v.rest.values[i].Text()
		}
		return strings.Join(texts, ", ")
	case KindLink:
		if v.rest.link.Title != "" {
			return v.rest.link.Title
		}
		return v.rest.link.Href
	case KindObject:
		return string(v.AppendJSON(nil, HAL))
	}
	return ""
}

// Bool returns the value of a KindBool, false for every other kind.
func (v Value) Bool() bool { return v.kind == KindBool && v.num != 0 }

// Int returns the value of a KindInt, 0 for every other kind.
func (v Value) Int() int64 {
	if v.kind != KindInt {
		return 0
	}
	return v.num
}

// Len returns the number of items of a list or members of an object, 0 for every other
// kind.
func (v Value) Len() int {
	switch v.kind {
	case KindList:
		return len(v.rest.values) + len(v.rest.strings)
	case KindObject:
		return len(v.rest.props)
	case KindNull, KindBool, KindInt, KindDecimal, KindString, KindRaw, KindLink:
	}
	return 0
}

// Items yields the items of a list in order, and nothing for every other kind.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != KindList {
			return
		}
		for _, item := range v.rest.values {
			if !yield(item) {
				return
			}
		}
		for _, text := range v.rest.strings {
			if !yield(String(text)) {
				return
			}
		}
	}
}

// Props returns the members of an object, nil for every other kind. The caller must not
// change them.
func (v Value) Props() []Prop {
	if v.kind != KindObject {
		return nil
	}
	return v.rest.props
}

// Link returns the link of a KindLink and reports whether v is one.
func (v Value) Link() (Link, bool) {
	if v.kind != KindLink {
		return Link{}, false
	}
	return v.rest.link, true
}

// AppendJSON appends v as compact JSON and returns the extended slice. Members of objects
// that are limited to other shapes (Prop.Only) are left out.
func (v Value) AppendJSON(dst []byte, shape Shape) []byte {
	return appendValue(dst, &v, &format{shape: shape})
}

// appendValue appends v as compact JSON. It takes a pointer since a Value is five words
// and is visited once for each member of each document.
func appendValue(dst []byte, v *Value, f *format) []byte {
	switch v.kind {
	case KindNull:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, v.num != 0)
	case KindInt:
		return strconv.AppendInt(dst, v.num, 10)
	case KindDecimal, KindRaw:
		return append(dst, v.str...)
	case KindString:
		return AppendString(dst, v.str)
	case KindList:
		dst = append(dst, '[')
		for i := range v.rest.values {
			dst = appendValue(appendComma(dst), &v.rest.values[i], f)
		}
		for _, text := range v.rest.strings {
			dst = AppendString(appendComma(dst), text)
		}
		return append(dst, ']')
	case KindObject:
		dst = append(dst, '{')
		dst = appendProps(dst, v.rest.props, f)
		return append(dst, '}')
	case KindLink:
		return appendLink(dst, &v.rest.link, f)
	}
	return append(dst, "null"...)
}

// appendProps appends the members that belong to the shape.
func appendProps(dst []byte, props []Prop, f *format) []byte {
	for i := range props {
		p := &props[i]
		if !p.Only.include(f.shape) {
			continue
		}
		dst = appendValue(appendKey(dst, p.Name), &p.Value, f)
	}
	return dst
}

// isNumber reports whether s is a number by RFC 8259, section 6.
func isNumber(s string) bool {
	digits := func() bool {
		rest := strings.TrimLeft(s, "0123456789")
		found := len(rest) < len(s)
		s = rest
		return found
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") {
		s = s[1:] // no digit may follow a leading zero
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if strings.HasPrefix(s, "e") || strings.HasPrefix(s, "E") {
		s = s[1:]
		if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}
