package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a body that a person has written, as JSON or YAML, with the places of its
// members.
type File struct {
	Name  string
	Body  Object
	lines map[string]int // by JSON pointer
}

// ReadFile reads the text of a file. Errors are of the kind Usage and name the line.
func ReadFile(name string, data []byte) (*File, error) {
	f := &File{Name: name, lines: map[string]int{"": 1}}
	var err error
	var v any
	if text := bytes.TrimLeft(data, " \t\r\n\ufeff"); len(text) > 0 && text[0] == '{' {
		v, err = f.readJSON(data)
	} else {
		v, err = f.readYAML(data)
	}
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, f.at(1, "an order has members, such as group and items")
	}
	f.Body = o
	return f, nil
}

func (f *File) at(line int, format string, args ...any) error {
	return Errorf(Usage, "%s:%d: %s.", f.Name, line, Plain(fmt.Sprintf(format, args...)))
}

// Place returns where the member that a pointer names stands, as FILE:LINE. The nearest
// one around it is given for what is not in the file.
func (f *File) Place(pointer string) string {
	for {
		if n, ok := f.lines[pointer]; ok {
			return f.Name + ":" + strconv.Itoa(n)
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return f.Name + ":1"
		}
		pointer = pointer[:i]
	}
}

func pointerTo(parent, name string) string {
	return parent + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// jsonFile reads JSON and knows in which line it is.
type jsonFile struct {
	f    *File
	data []byte
	dec  *json.Decoder
}

func (f *File) readJSON(data []byte) (any, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	r := &jsonFile{f: f, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	v, err := r.value("", 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, f.at(r.line(), "there is more behind the end of the order")
	}
	return v, nil
}

func (r *jsonFile) line() int {
	return 1 + bytes.Count(r.data[:r.dec.InputOffset()], []byte("\n"))
}

func (r *jsonFile) token() (json.Token, error) {
	t, err := r.dec.Token()
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return t, nil
	case errors.As(err, &syntax):
		at := min(max(syntax.Offset-1, 0), int64(len(r.data)))
		return nil, r.f.at(1+bytes.Count(r.data[:at], []byte("\n")), "%s", syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.f.at(1+bytes.Count(bytes.TrimRight(r.data, "\n"), []byte("\n")), "the file ends in the middle")
	}
	return nil, r.f.at(r.line(), "%v", err)
}

func (r *jsonFile) value(pointer string, depth int) (any, error) {
	if depth > deepest {
		return nil, r.f.at(r.line(), "it is nested too deep")
	}
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	if _, ok := r.f.lines[pointer]; !ok {
		r.f.lines[pointer] = r.line()
	}
	switch t {
	case json.Delim('{'):
		return r.object(pointer, depth)
	case json.Delim('['):
		list := []any{}
		for r.dec.More() {
			v, err := r.value(pointerTo(pointer, strconv.Itoa(len(list))), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.token()
		return list, err
	}
	return t, nil
}

func (r *jsonFile) object(pointer string, depth int) (any, error) {
	o := Object{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, r.f.at(r.line(), "a member has no name")
		}
		if _, twice := o.Lookup(name); twice {
			return nil, r.f.at(r.line(), "%s is there twice", name)
		}
		inner := pointerTo(pointer, name)
		r.f.lines[inner] = r.line()
		v, err := r.value(inner, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{name, v})
	}
	_, err := r.token()
	return o, err
}

// largestYAML is how many values a YAML file may have once its aliases are replaced
// by what they stand for.
const largestYAML = 100_000

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func (f *File) readYAML(data []byte) (any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, f.at(1, "the file is empty")
		}
		m := yamlLine.FindStringSubmatch(err.Error())
		if m == nil {
			return nil, f.at(1, "%v", err)
		}
		n, _ := strconv.Atoi(m[1])
		return nil, f.at(max(n, 1), "%s", m[2])
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, f.at(max(more.Line, 1), "there is a second document; an order is one")
	}
	y := &yamlFile{f: f}
	return y.value(doc.Content[0], "", 0)
}

type yamlFile struct {
	f    *File
	seen int
}

func (y *yamlFile) value(n *yaml.Node, pointer string, depth int) (any, error) {
	if y.seen++; y.seen > largestYAML || depth > deepest {
		return nil, y.f.at(n.Line, "it is too large or nested too deep")
	}
	if _, ok := y.f.lines[pointer]; !ok {
		y.f.lines[pointer] = n.Line
	}
	switch n.Kind {
	case yaml.AliasNode:
		return y.value(n.Alias, pointer, depth+1)
	case yaml.MappingNode:
		return y.object(n, pointer, depth)
	case yaml.SequenceNode:
		list := []any{}
		for i, e := range n.Content {
			v, err := y.value(e, pointerTo(pointer, strconv.Itoa(i)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.ScalarNode:
		return y.scalar(n)
	case yaml.DocumentNode: // is what holds the values, and none itself
	}
	return nil, y.f.at(n.Line, "it cannot be read")
}

func (y *yamlFile) object(n *yaml.Node, pointer string, depth int) (any, error) {
	o := Object{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, y.f.at(key.Line, "the name of a member is no text")
		case key.Tag == "!!merge":
			return nil, y.f.at(key.Line, "<< is not understood; repeat the members")
		}
		if _, twice := o.Lookup(key.Value); twice {
			return nil, y.f.at(key.Line, "%s is there twice", key.Value)
		}
		inner := pointerTo(pointer, key.Value)
		y.f.lines[inner] = key.Line
		v, err := y.value(n.Content[i+1], inner, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{key.Value, v})
	}
	return o, nil
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (y *yamlFile) scalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int", "!!float":
		if jsonNumber.MatchString(n.Value) {
			return json.Number(n.Value), nil
		}
		if i, ok := new(big.Int).SetString(n.Value, 0); ok && n.Tag == "!!int" {
			return json.Number(i.String()), nil
		}
		return nil, y.f.at(n.Line, "%s is no number that an order can have", n.Value)
	case "!!str", "!!timestamp":
		return n.Value, nil
	}
	return nil, y.f.at(n.Line, "an order has nothing of the kind %s", n.Tag)
}
