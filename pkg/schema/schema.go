// Package schema writes JSON Schemas (draft 2020-12) as values: objects whose members
// keep the order in which they were said, since people read them. It knows no
// resource, and it does not validate.
package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Dialect is what every schema of its own says in $schema.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Member is a named value of an Object.
type Member struct {
	Name  string
	Value any // what encoding/json takes, Objects among it
}

// Object is a JSON object whose members stay in their order. It is a schema, or a
// part of a document that holds some.
type Object []Member

// Of makes an object of names and values in turn: Of("type", "string").
func Of(pairs ...any) Object {
	o := make(Object, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o = append(o, Member{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return o
}

// Get returns the value of a member, nil when there is none.
func (o Object) Get(name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// With returns the object with one more member, or another value of one that is
// there. The object itself stays as it is.
func (o Object) With(name string, value any) Object {
	out := slices.Clone(o)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, Member{Name: name, Value: value})
}

// Doc returns the schema with a description, which "" leaves as it is.
func (o Object) Doc(text string) Object {
	if text == "" {
		return o
	}
	return o.With("description", text)
}

// MarshalJSON writes the members in their order. HTML is not escaped: documents are
// read by people, too.
func (o Object) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	buf.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := enc.Encode(m.Name); err != nil {
			return nil, err
		}
		buf.WriteByte(':')
		if err := enc.Encode(m.Value); err != nil {
			return nil, err
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// Any is the schema of every value.
func Any() Object { return Object{} }

// String is any text.
func String() Object { return Of("type", "string") }

// Like is a text that a regular expression (ECMA-262) matches.
func Like(pattern string) Object { return Of("type", "string", "pattern", pattern) }

// Enum is one of a closed set of texts.
func Enum(values ...string) Object { return Of("type", "string", "enum", values) }

// Integer is a whole number.
func Integer() Object { return Of("type", "integer") }

// Boolean is true or false.
func Boolean() Object { return Of("type", "boolean") }

// Array is a list of such items.
func Array(items Object) Object { return Of("type", "array", "items", items) }

// Map is an object of any names, whose values are such.
func Map(values Object) Object { return Of("type", "object", "additionalProperties", values) }

// Struct is an object with all of these members, but for those whose names end in
// a question mark and which may be missing, and no others.
func Struct(members ...Member) Object {
	var properties Object
	required := []string{}
	for _, m := range members {
		name, optional := strings.CutSuffix(m.Name, "?")
		properties = append(properties, Member{Name: name, Value: m.Value})
		if !optional {
			required = append(required, name)
		}
	}
	return Closed(properties, required)
}

// Closed is an object with these members, of which some are required, and no others.
func Closed(properties Object, required []string) Object {
	o := Of("type", "object", "properties", properties)
	if len(required) > 0 {
		o = o.With("required", required)
	}
	return o.With("additionalProperties", false)
}

// M names a member, for Struct.
func M(name string, value Object) Member { return Member{Name: name, Value: value} }

// Either is a value that fits one of several schemas.
func Either(of ...Object) Object {
	if len(of) == 1 {
		return of[0]
	}
	return Of("anyOf", of)
}

// Nullable lets a value be null as well.
func Nullable(o Object) Object {
	if kind, ok := o.Get("type").(string); ok && o.Get("enum") == nil {
		return o.With("type", []string{kind, "null"})
	}
	return Either(o, Of("type", "null"))
}

// Ref refers to a schema elsewhere.
func Ref(to string) Object { return Of("$ref", to) }

// Optional returns members of names and schemas in turn, none of which is required.
func Optional(pairs ...any) []Member {
	list := make([]Member, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, M(pairs[i].(string)+"?", pairs[i+1].(Object)))
	}
	return list
}
