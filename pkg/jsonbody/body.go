// Package jsonbody reads request bodies into a tree of values that know their path, so
// that a request is answered with all that is wrong with it, each with its place.
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
type Faults struct{ list fault.List }

// Add adds a fault at a path.
func (f *Faults) Add(at fault.Path, format string, args ...any) {
	f.list.Add(fault.Field{Path: at, Reason: fmt.Sprintf(format, args...)})
}

// AddErr adds what err says of the value at a path. The fields of err are taken to be
// relative to that path.
func (f *Faults) AddErr(at fault.Path, err error) {
	if err == nil {
		return
	}
	e := fault.From(err)
	if len(e.Fields) == 0 {
		f.Add(at, "%s", strings.TrimSuffix(e.Message, "."))
		return
	}
	for _, x := range e.Fields {
		x.Path = at.Join(x.Path)
		f.list.Add(x)
	}
}

// Err returns nil when nothing is wrong, and an Invalid error with every fault
// otherwise.
func (f *Faults) Err() error { return f.list.Err() }

// Value is a value of a body, or the place where one could have stood.
type Value struct {
	value   any // nil, bool, json.Number, string, []any, *object
	present bool
	parent  *Value        // nil for the body itself
	at      fault.Segment // below parent
	faults  *Faults
	used    map[string]bool
}

// below returns the place of a member or an entry of n, without a value.
func (n *Value) below(at fault.Segment) *Value {
	return &Value{parent: n, at: at, faults: n.faults}
}

func (n *Value) member(name string) *Value {
	return n.below(fault.Segment{Kind: fault.KindMember, Name: name})
}

type object struct {
	keys   []string
	values map[string]any
}

// Parse returns a JSON body, which has to be an object; an empty body is {}. A byte order
// mark of UTF-8 before it is skipped (RFC 8259, section 8.1). The error is Invalid for
// anything else.
func Parse(data []byte) (*Value, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
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
	r := reader{dec: dec}
	v, err := r.read()
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

// Form returns the values of a form as an object of strings. A name with several
// values has an array of them.
func Form(values url.Values) (*Value, error) {
	o := &object{values: map[string]any{}}
	for k, list := range values {
		for _, text := range append([]string{k}, list...) {
			if !utf8.ValidString(text) {
				return nil, fault.InvalidField(fault.Member(strings.ToValidUTF8(k, "?")), "is not UTF-8")
			}
			if strings.ContainsRune(text, 0) {
				return nil, fault.InvalidField(fault.Member(strings.ReplaceAll(k, "\x00", "?")), "holds a NUL character")
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

// reader reads one JSON value. Its path is that of the value that is being read.
type reader struct {
	dec  *json.Decoder
	path fault.Path
	base int // segments that the path began with
}

// invalid returns a fault at the value that is being read.
func (r *reader) invalid(format string, args ...any) error {
	return fault.InvalidField(slices.Clone(r.path), format, args...)
}

// within reads a value one step further down.
func (r *reader) within(at fault.Segment) (any, error) {
	r.path = append(r.path, at)
	v, err := r.read()
	r.path = r.path[:len(r.path)-1]
	return v, err
}

func (r *reader) read() (any, error) {
	if len(r.path)-r.base > maxDepth {
		return nil, r.invalid("is nested deeper than %d levels", maxDepth)
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, malformed(r.dec, err)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return r.object()
		}
		return r.list()
	case string:
		if strings.ContainsRune(t, 0) {
			return nil, r.invalid("holds a NUL character")
		}
		return t, nil
	default:
		return t, nil
	}
}

func (r *reader) object() (any, error) {
	o := &object{values: map[string]any{}}
	for r.dec.More() {
		k, err := r.dec.Token()
		if err != nil {
			return nil, malformed(r.dec, err)
		}
		key, ok := k.(string)
		if !ok {
			return nil, malformed(r.dec, nil)
		}
		at := fault.Segment{Kind: fault.KindMember, Name: key}
		v, err := r.within(at)
		if err != nil {
			return nil, err
		}
		if _, twice := o.values[key]; twice {
			r.path = append(r.path, at)
			return nil, r.invalid("is there twice")
		}
		o.keys = append(o.keys, key)
		o.values[key] = v
	}
	if _, err := r.dec.Token(); err != nil {
		return nil, malformed(r.dec, err)
	}
	return o, nil
}

func (r *reader) list() (any, error) {
	list := []any{}
	for r.dec.More() {
		v, err := r.within(fault.Segment{Kind: fault.KindEntry, Index: len(list)})
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := r.dec.Token(); err != nil {
		return nil, malformed(r.dec, err)
	}
	return list, nil
}

func malformed(dec *json.Decoder, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Invalidf("The body is not JSON: it ends too early, at byte %d.", dec.InputOffset())
	}
	return fault.Wrap(fault.Invalid, err, "The body is not JSON, at byte %d: %s.", dec.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
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

// Path returns the place of the value in the body: members and entries.
func (n *Value) Path() fault.Path {
	depth := 0
	for v := n; v.parent != nil; v = v.parent {
		depth++
	}
	path := make(fault.Path, depth)
	for v := n; v.parent != nil; v = v.parent {
		depth--
		path[depth] = v.at
	}
	return path
}

// Faults returns the faults of the whole body.
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

// Or returns the value, and the text in its place when there is none.
func (n *Value) Or(text string) *Value {
	if text == "" || n.Present() {
		return n
	}
	return &Value{value: text, present: true, parent: n.parent, at: n.at, faults: n.faults}
}

// Same reports whether the value is that of a JSON text, the order of members
// aside.
func (n *Value) Same(doc []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	r := reader{dec: dec}
	v, err := r.read()
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

// Copy returns the value with no member read yet, and with faults of its own.
func (n *Value) Copy() *Value {
	return &Value{value: n.value, present: n.present, parent: n.parent, at: n.at, faults: &Faults{}}
}

// Null reports whether the member was written as null.
func (n *Value) Null() bool { return n.present && n.value == nil }

// Given reports whether the member was written at all, be it null or "".
func (n *Value) Given() bool { return n.present }

// Complain adds a fault of this value.
func (n *Value) Complain(format string, args ...any) { n.faults.Add(n.Path(), format, args...) }

// Field returns a member of an object. Names are tried in turn; - and _ mean the same
// in each. A value that is not an object adds a fault and has no members.
func (n *Value) Field(names ...string) *Value {
	o, ok := n.value.(*object)
	if !ok {
		if n.Present() {
			n.Complain("is %s; an object is needed", describe(n.value))
			n.present = false
		}
		return n.member(names[0])
	}
	found := n.member(names[0])
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
			here := n.member(spelling)
			here.value, here.present = v, true
			if found.Present() {
				// Documents have some members under two names: they may come back so.
				if here.Present() && !same(here.value, found.value) {
					here.Complain("says again what %s said", found.Path())
				}
				continue
			}
			found = here
		}
	}
	return found
}

// Keys returns the names of an object's members, in the order of the body.
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

// At returns the member with exactly this name.
func (n *Value) At(key string) *Value {
	out := n.member(key)
	if o, ok := n.value.(*object); ok {
		out.value, out.present = o.values[key], true
		if n.used == nil {
			n.used = map[string]bool{}
		}
		n.used[key] = true
	}
	return out
}

// Done adds a fault for every member that was not read.
func (n *Value) Done() {
	o, ok := n.value.(*object)
	if !ok {
		return
	}
	for _, k := range o.keys {
		if !n.used[k] {
			n.faults.Add(n.Path().Member(k), "is not known here")
		}
	}
}

// maxEntries is how many entries an array can have. Each may be a reference that is looked
// up, so the bound on the body alone allows 50,000 queries.
const maxEntries = 1000

// List returns the entries of an array. More than 1000 are a fault, and none is returned.
func (n *Value) List() []*Value {
	if !n.Present() {
		return nil
	}
	list, ok := n.value.([]any)
	if !ok {
		n.Complain("is %s; an array is needed", describe(n.value))
		return nil
	}
	if len(list) > maxEntries {
		n.Complain("has %d entries; at most %d can be given", len(list), maxEntries)
		return nil
	}
	out := make([]*Value, len(list))
	for i, v := range list {
		out[i] = n.below(fault.Segment{Kind: fault.KindEntry, Index: i})
		out[i].value, out[i].present = v, true
	}
	return out
}

// IsList reports whether the value is an array.
func (n *Value) IsList() bool { _, ok := n.value.([]any); return ok }

// IsObject reports whether the value is an object.
func (n *Value) IsObject() bool { _, ok := n.value.(*object); return ok }

// Text returns a string. Numbers and booleans are returned as they are written, since
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

// String returns a string, and adds a fault for anything else.
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

// Int returns a whole number, also one in a string.
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

// IntFrom returns a whole number, and adds a fault when it is less than a limit.
func (n *Value) IntFrom(least int64) int64 {
	before := n.faults.list.Len()
	v := n.Int()
	if n.faults.list.Len() == before && v < least {
		n.Complain("%d is less than %d", v, least)
	}
	return v
}

// TextUpTo returns a string as Text does, and adds a fault when it has more than so
// many characters.
func (n *Value) TextUpTo(most int) string {
	s := n.Text()
	if utf8.RuneCountInString(s) > most {
		n.Complain("has more than %d characters", most)
	}
	return s
}

// Scalar returns the text of a string, a number or a boolean, and false for anything
// else. It adds no fault.
func (n *Value) Scalar() (string, bool) {
	switch n.value.(type) {
	case string, json.Number, bool:
		return n.Text(), true
	}
	return "", false
}

// Unpack reads a string that holds JSON in place: forms have no other way to carry
// an array or an object. It adds a fault for a string that holds no JSON.
func (n *Value) Unpack() {
	s, ok := n.value.(string)
	if !ok || s == "" {
		return
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	at := n.Path()
	r := reader{dec: dec, path: at, base: len(at) - 1} // one level down, as a member is
	v, err := r.read()
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = fault.Invalidf("It goes on behind its value.")
		}
	}
	if err != nil {
		if e := fault.From(err); len(e.Fields) > 0 {
			for _, x := range e.Fields {
				n.faults.list.Add(x)
			}
		} else {
			n.Complain("is a string that holds no JSON")
		}
		n.value = nil
		return
	}
	n.value = v
}

// Bool returns a boolean, also one written as "true", "False", 1, "0".
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

// Money returns an amount of money, from a string or a number.
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

// Texts returns an array of strings. A single string is read as a list with commas,
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

// Ref returns a reference to another resource: an id as string or number, a global
// id, a UUID, an href, or the href of an object, as links are.
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
