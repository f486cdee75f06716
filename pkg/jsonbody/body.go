// Package jsonbody reads request bodies into a tree that remembers where each value
// stood, so that every complaint can name its culprit by JSON pointer, and all of
// them can be told at once.
package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"halcyon/models"
	"halcyon/pkg/fault"
)

// maxDepth is how deep objects and arrays may nest. The deepest real body, an
// order, has eight levels.
const maxDepth = 32

// Faults collects what is wrong with a body.
type Faults struct{ list []fault.Field }

// Add notes one culprit.
func (f *Faults) Add(pointer, format string, args ...any) {
	f.list = append(f.list, fault.Field{Pointer: pointer, Reason: fmt.Sprintf(format, args...)})
}

// AddErr notes what err says of the value at pointer. Fields that err names
// itself are taken to be relative to pointer.
func (f *Faults) AddErr(pointer string, err error) {
	if err == nil {
		return
	}
	e := fault.From(err)
	if len(e.Fields) == 0 {
		f.Add(pointer, "%s", strings.TrimSuffix(e.Message, "."))
		return
	}
	for _, x := range e.Fields {
		f.Add(pointer+x.Pointer, "%s", x.Reason)
	}
}

// Err is nil when nothing is wrong, and names every culprit otherwise.
func (f *Faults) Err() error { return fault.InvalidFields(f.list) }

// Value is a value of a body, or the place where one could have stood.
type Value struct {
	value   any // nil, bool, json.Number, string, []any, *object
	present bool
	pointer string
	faults  *Faults
	used    map[string]bool
}

type object struct {
	keys   []string
	values map[string]any
}

// Parse reads a JSON body, which has to be an object. An empty one is {}.
func Parse(data []byte) (*Value, error) {
	f := &Faults{}
	root := &Value{value: &object{values: map[string]any{}}, present: true, faults: f}
	if len(bytes.TrimSpace(data)) == 0 {
		return root, nil
	}
	if !utf8.Valid(data) {
		return nil, fault.Invalidf("The body is not UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := read(dec, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.Invalidf("The body goes on behind its JSON value, at byte %d.", dec.InputOffset())
	}
	if _, ok := v.(*object); !ok {
		return nil, fault.Invalidf("The body is %s; an object is needed.", describe(v))
	}
	root.value = v
	return root, nil
}

// ParseForm reads an application/x-www-form-urlencoded body as Form does its values.
func ParseForm(data []byte) (*Value, error) {
	values, err := FormValues(data)
	if err != nil {
		return nil, err
	}
	return Form(values)
}

// FormValues reads an application/x-www-form-urlencoded body. A box of a page's form
// sends false, and true after it when it is ticked: the last one counts. A choice of
// several begins with nothing, which counts when it is all there is. Lines end as they
// do in JSON, and not in CR LF as browsers send them.
func FormValues(data []byte) (url.Values, error) {
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, fault.Invalidf("The form cannot be read.")
	}
	for name, list := range values {
		if len(list) == 2 && list[0] == "false" && list[1] == "true" || len(list) > 1 && list[0] == "" {
			list = list[1:]
			if list = slices.DeleteFunc(list, func(text string) bool { return text == "" }); len(list) == 0 {
				list = []string{""}
			}
			values[name] = list
		}
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], "\r\n", "\n")
		}
	}
	return values, nil
}

// Form gives the values of a form as an object of strings. A name that is there
// several times has them all, as an array.
func Form(values url.Values) (*Value, error) {
	o := &object{values: map[string]any{}}
	for k, list := range values {
		for _, text := range append([]string{k}, list...) {
			if !utf8.ValidString(text) {
				return nil, fault.InvalidField("/"+escape(strings.ToValidUTF8(k, "?")), "is not UTF-8")
			}
			if strings.ContainsRune(text, 0) {
				return nil, fault.InvalidField("/"+escape(strings.ReplaceAll(k, "\x00", "?")), "holds a NUL character")
			}
		}
		o.keys = append(o.keys, k)
		o.values[k] = list[0]
		if len(list) > 1 { // as forms send a choice of several
			several := make([]any, len(list))
			for i, text := range list {
				several[i] = text
			}
			o.values[k] = several
		}
	}
	slices.Sort(o.keys)
	return &Value{value: o, present: true, faults: &Faults{}}, nil
}

func read(dec *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.InvalidField(at, "is nested deeper than %d levels", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, malformed(dec, err)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			o := &object{values: map[string]any{}}
			for dec.More() {
				k, err := dec.Token()
				if err != nil {
					return nil, malformed(dec, err)
				}
				key, ok := k.(string)
				if !ok {
					return nil, malformed(dec, nil)
				}
				place := at + "/" + escape(key)
				v, err := read(dec, place, depth+1)
				if err != nil {
					return nil, err
				}
				if _, twice := o.values[key]; twice {
					return nil, fault.InvalidField(place, "is there twice")
				}
				o.keys = append(o.keys, key)
				o.values[key] = v
			}
			if _, err := dec.Token(); err != nil {
				return nil, malformed(dec, err)
			}
			return o, nil
		}
		list := []any{}
		for dec.More() {
			v, err := read(dec, at+"/"+strconv.Itoa(len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := dec.Token(); err != nil {
			return nil, malformed(dec, err)
		}
		return list, nil
	case string:
		if strings.ContainsRune(t, 0) {
			return nil, fault.InvalidField(at, "holds a NUL character")
		}
		return t, nil
	default:
		return t, nil
	}
}

func malformed(dec *json.Decoder, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Invalidf("The body is not JSON: it ends too early, at byte %d.", dec.InputOffset())
	}
	return fault.Wrap(fault.Invalid, err, "The body is not JSON, at byte %d: %s.", dec.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
}

func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

// Pointer says where the value stands.
func (n *Value) Pointer() string { return n.pointer }

// Faults gives the collection of what is wrong with the whole body.
func (n *Value) Faults() *Faults { return n.faults }

// Present reports whether there is a value. null and "" count as absent: clients
// send them for what they do not want to say.
func (n *Value) Present() bool {
	if !n.present || n.value == nil {
		return false
	}
	s, ok := n.value.(string)
	return !ok || s != ""
}

// Or gives the value, and the text in its place when there is none.
func (n *Value) Or(text string) *Value {
	if text == "" || n.Present() {
		return n
	}
	return &Value{value: text, present: true, pointer: n.pointer, faults: n.faults}
}

// Same reports whether the value is that of a JSON text, the order of members
// aside.
func (n *Value) Same(doc []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	v, err := read(dec, "", 0)
	return err == nil && same(n.value, v)
}

func same(a, b any) bool {
	switch x := a.(type) {
	case *object:
		y, ok := b.(*object)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for k, v := range x.values {
			w, ok := y.values[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	}
	switch b.(type) {
	case *object, []any:
		return false
	}
	return a == b
}

// Copy gives the value as if nobody had looked at it, with complaints of its own.
func (n *Value) Copy() *Value {
	return &Value{value: n.value, present: n.present, pointer: n.pointer, faults: &Faults{}}
}

// Null reports whether the member was written as null.
func (n *Value) Null() bool { return n.present && n.value == nil }

// Given reports whether the member was written at all, be it null or "".
func (n *Value) Given() bool { return n.present }

// Complain notes that something is wrong with this value.
func (n *Value) Complain(format string, args ...any) { n.faults.Add(n.pointer, format, args...) }

// Field gives a member of an object. Names are tried in turn, - and _ being
// alike in each. A value that is no object complains and has no members.
func (n *Value) Field(names ...string) *Value {
	o, ok := n.value.(*object)
	if !ok {
		if n.Present() {
			n.Complain("is %s; an object is needed", describe(n.value))
			n.present = false
		}
		return &Value{pointer: n.pointer + "/" + names[0], faults: n.faults}
	}
	found := &Value{pointer: n.pointer + "/" + names[0], faults: n.faults}
	for _, name := range names {
		for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "_", "-")} {
			v, ok := o.values[spelling]
			if !ok || n.used[spelling] {
				continue
			}
			if n.used == nil {
				n.used = map[string]bool{}
			}
			n.used[spelling] = true
			here := &Value{value: v, present: true, pointer: n.pointer + "/" + escape(spelling), faults: n.faults}
			if found.Present() {
				// Documents have some members under two names: they may come back so.
				if here.Present() && !same(here.value, found.value) {
					here.Complain("says again what %s said", fault.Name(found.pointer))
				}
				continue
			}
			found = here
		}
	}
	return found
}

// Keys gives the names of an object's members, in the order of the body.
func (n *Value) Keys() []string {
	o, ok := n.value.(*object)
	if !ok {
		if n.Present() {
			n.Complain("is %s; an object is needed", describe(n.value))
		}
		return nil
	}
	return o.keys
}

// At gives the member with exactly this name.
func (n *Value) At(key string) *Value {
	out := &Value{pointer: n.pointer + "/" + escape(key), faults: n.faults}
	if o, ok := n.value.(*object); ok {
		out.value, out.present = o.values[key], true
		if n.used == nil {
			n.used = map[string]bool{}
		}
		n.used[key] = true
	}
	return out
}

// Done complains of every member that nobody asked for.
func (n *Value) Done() {
	o, ok := n.value.(*object)
	if !ok {
		return
	}
	for _, k := range o.keys {
		if !n.used[k] {
			n.faults.Add(n.pointer+"/"+escape(k), "is not known here")
		}
	}
}

// List gives the elements of an array.
func (n *Value) List() []*Value {
	if !n.Present() {
		return nil
	}
	list, ok := n.value.([]any)
	if !ok {
		n.Complain("is %s; an array is needed", describe(n.value))
		return nil
	}
	out := make([]*Value, len(list))
	for i, v := range list {
		out[i] = &Value{value: v, present: true, pointer: n.pointer + "/" + strconv.Itoa(i), faults: n.faults}
	}
	return out
}

// IsList reports whether the value is an array.
func (n *Value) IsList() bool { _, ok := n.value.([]any); return ok }

// IsObject reports whether the value is an object.
func (n *Value) IsObject() bool { _, ok := n.value.(*object); return ok }

// Text gives a string. Numbers and booleans are taken as they are written, since
// clients send either.
func (n *Value) Text() string {
	switch v := n.value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	n.Complain("is %s; a string is needed", describe(n.value))
	return ""
}

// String gives a string and complains of anything else.
func (n *Value) String() string {
	if n.value == nil {
		return ""
	}
	s, ok := n.value.(string)
	if !ok {
		n.Complain("is %s; a string is needed", describe(n.value))
	}
	return s
}

// Int gives a whole number, also one in a string.
func (n *Value) Int() int64 {
	if !n.Present() {
		return 0
	}
	text := ""
	switch v := n.value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		n.Complain("is %s; a whole number is needed", describe(n.value))
		return 0
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		n.Complain("%q is no whole number", text)
	}
	return i
}

// IntFrom gives a whole number that is not less than a limit.
func (n *Value) IntFrom(least int64) int64 {
	before := len(n.faults.list)
	v := n.Int()
	if len(n.faults.list) == before && v < least {
		n.Complain("%d is less than %d", v, least)
	}
	return v
}

// TextUpTo gives a string, as Text does, of at most so many characters.
func (n *Value) TextUpTo(most int) string {
	s := n.Text()
	if utf8.RuneCountInString(s) > most {
		n.Complain("has more than %d characters", most)
	}
	return s
}

// Scalar gives the text of a string, a number or a boolean, and false for all
// else. It never complains.
func (n *Value) Scalar() (string, bool) {
	switch n.value.(type) {
	case string, json.Number, bool:
		return n.Text(), true
	}
	return "", false
}

// Unpack reads a string that holds JSON in place: forms have no other way to carry
// an array or an object. It complains of a string that holds none.
func (n *Value) Unpack() {
	s, ok := n.value.(string)
	if !ok || s == "" {
		return
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	v, err := read(dec, n.pointer, 1)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = fault.Invalidf("It goes on behind its value.")
		}
	}
	if err != nil {
		if e := fault.From(err); len(e.Fields) > 0 {
			n.faults.list = append(n.faults.list, e.Fields...)
		} else {
			n.Complain("is a string that holds no JSON")
		}
		n.value = nil
		return
	}
	n.value = v
}

// Bool gives a boolean, also as "true", "False", 1, "0".
func (n *Value) Bool() bool {
	if !n.Present() {
		return false
	}
	switch v := n.value.(type) {
	case bool:
		return v
	case string, json.Number:
		switch strings.ToLower(fmt.Sprint(v)) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	}
	n.Complain("%s is neither true nor false", shown(n.value))
	return false
}

// Money gives an amount of money, from a string or a number.
func (n *Value) Money() models.Money {
	if !n.Present() {
		return 0
	}
	m, err := models.ParseMoney(strings.TrimSuffix(n.Text(), "/month"))
	if err != nil {
		n.Complain("%s", err)
	}
	return m
}

// Texts gives an array of strings. A single string is read as a list with commas,
// since that is what forms can carry.
func (n *Value) Texts() []string {
	if s, ok := n.value.(string); ok {
		out := []string{}
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out
	}
	list := n.List()
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, x.Text())
	}
	return out
}

// Ref gives what names another resource: an id as string or number, a global id,
// a uuid, an href, or an object with an href, as links are.
func (n *Value) Ref() string {
	if o, ok := n.value.(*object); ok {
		if len(o.keys) == 0 {
			return "" // how one shape of our own documents writes a relation to nothing
		}
		href := n.At("href")
		if !href.Present() {
			n.Complain("has no href")
		}
		return href.Text()
	}
	switch n.value.(type) {
	case nil, string, json.Number:
		return n.Text()
	}
	n.Complain("is %s; the href or id of a resource is needed", describe(n.value))
	return ""
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case json.Number:
		return v.String()
	}
	return describe(v)
}
