package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Object is a JSON object whose members keep the order that they came in. The other
// values of JSON are []any, string, json.Number, bool and nil.
type Object []Member

// Member is a member of an object.
type Member struct {
	Name  string
	Value any
}

// Lookup returns the value of the member, and whether there is one.
func (o Object) Lookup(name string) (any, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Get returns the value of the member, nil when there is none.
func (o Object) Get(name string) any {
	v, _ := o.Lookup(name)
	return v
}

// With returns the object with the member, which stands last.
func (o Object) With(name string, value any) Object {
	out := make(Object, 0, len(o)+1)
	for _, m := range o {
		if m.Name != name {
			out = append(out, m)
		}
	}
	return append(out, Member{name, value})
}

// object returns the member as an object, nil when it is none.
func (o Object) object(name string) Object {
	v, _ := o.Get(name).(Object)
	return v
}

// text returns the member as a string, "" when it is none.
func (o Object) text(name string) string {
	v, _ := o.Get(name).(string)
	return v
}

// deepest is how many levels a document may have.
const deepest = 200

// Decode reads one JSON value. What follows it, or is nested too deep, is an error.
func Decode(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decode(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

func decode(dec *json.Decoder, depth int) (any, error) {
	if depth > deepest {
		return nil, errors.New("it is nested too deep")
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return decodeObject(dec, depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return t, nil
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	o := Object{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name of a member", t)
		}
		v, err := decode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{name, v})
	}
	_, err := dec.Token()
	return o, err
}

// AppendJSON appends the value as JSON, on one line when the indent is empty. No
// control character is in it, also none that JSON would allow: what it is written
// to may be a terminal.
func AppendJSON(b []byte, v any, indent string) []byte { return appendJSON(b, v, indent, "\n") }

func appendJSON(b []byte, v any, indent, nl string) []byte {
	inner := nl + indent
	space := func() {
		if indent != "" {
			b = append(b, inner...)
		}
	}
	end := func() {
		if indent != "" {
			b = append(b, nl...)
		}
	}
	switch x := v.(type) {
	case Object:
		if len(x) == 0 {
			return append(b, "{}"...)
		}
		for i, m := range x {
			b = append(b, "{,"[min(i, 1)])
			space()
			b = append(appendString(b, m.Name), ':')
			if indent != "" {
				b = append(b, ' ')
			}
			b = appendJSON(b, m.Value, indent, inner)
		}
		end()
		return append(b, '}')
	case []any:
		if len(x) == 0 {
			return append(b, "[]"...)
		}
		for i, e := range x {
			b = append(b, "[,"[min(i, 1)])
			space()
			b = appendJSON(b, e, indent, inner)
		}
		end()
		return append(b, ']')
	case string:
		return appendString(b, x)
	case json.Number:
		return append(b, x...)
	case bool:
		return strconv.AppendBool(b, x)
	}
	return append(b, "null"...)
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case Unprintable(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// Unprintable is whether a terminal might take the character for a command, or
// show what stands around it in another order.
func Unprintable(r rune) bool {
	switch {
	case unicode.IsControl(r):
		return true
	case r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == 0xfeff:
		return true
	}
	return false
}

// Plain is the text in one line without what a terminal might take for a command.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case Unprintable(r):
			return -1
		}
		return r
	}, s)
}

// Text returns a scalar as a person would write it, and any other value as JSON.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return string(AppendJSON(nil, v, ""))
}
