package hal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"halcyon/hal"
)

// encoder has the curies of the v2 face.
var encoder = hal.Encoder{Curies: []hal.Link{{Name: "cb", Href: "/api/v2/docs/rels/{rel}", Templated: true}}}

// wantJSON compares a whole document, including the order of keys. White space in want is
// ignored; nothing else is normalized.
func wantJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatalf("the expected document is no JSON: %v", err)
	}
	if compact.String() != string(got) {
		t.Errorf("document (-want +got):\n%s", cmp.Diff(indent(t, compact.Bytes()), indent(t, got)))
	}
}

func indent(t *testing.T, doc []byte) []string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", " "); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, doc)
	}
	return strings.Split(b.String(), "\n")
}

// encode returns d in the shape and checks the strict shapes against the rules of HAL.
func encode(t *testing.T, d *hal.Document, shape hal.Shape) []byte {
	t.Helper()
	got := encoder.AppendJSON(nil, d, shape)
	if shape != hal.CloudBolt {
		if err := strict(got); err != nil {
			t.Errorf("not strict HAL: %v\n%s", err, got)
		}
	}
	return got
}

var strictSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := os.ReadFile("testdata/hal.schema.json")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("hal.schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("hal.schema.json")
})

// strict checks a document against testdata/hal.schema.json, a copy of the project's, and
// against rules that a schema cannot express: member order, unique names, curies only in
// the top document.
func strict(doc []byte) error {
	schema, err := strictSchema()
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	if err := schema.Validate(instance); err != nil {
		return err
	}
	root, err := parse(doc)
	if err != nil {
		return err
	}
	used := false
	if err := strictResource(root, true, &used); err != nil {
		return err
	}
	if has := root.get("_links").get("curies") != nil; has != used {
		return fmt.Errorf("curies declared: %t, used: %t", has, used)
	}
	return nil
}

func strictResource(n *node, top bool, used *bool) error {
	last := -1
	for i, key := range n.keys {
		rank := 1
		switch key {
		case "_links":
			rank = 0
		case "_embedded":
			rank = 2
		case "_templates":
			rank = 3
		}
		if rank < last {
			return fmt.Errorf("%s is out of order", key)
		}
		last = rank
		if key == "_embedded" {
			for j, docs := range n.values[i].values {
				*used = *used || strings.HasPrefix(n.values[i].keys[j], "cb:")
				if docs.kind == '{' {
					docs = &node{values: []*node{docs}}
				}
				for _, doc := range docs.values {
					if err := strictResource(doc, false, used); err != nil {
						return err
					}
				}
			}
		}
	}
	links := n.get("_links")
	for i, rel := range links.keys {
		value := links.values[i]
		*used = *used || strings.HasPrefix(rel, "cb:")
		switch {
		case (rel == "self") != (i == 0):
			return fmt.Errorf("self is not first: %q", links.keys)
		case rel == "curies" && (i != 1 || !top):
			return fmt.Errorf("curies: at %d, in the top document: %t", i, top)
		case rel == "actions" && i != len(links.keys)-1:
			return fmt.Errorf("actions is not last: %q", links.keys)
		case rel == "self" && value.kind != '{', rel == "actions" && value.kind != '[':
			return fmt.Errorf("%s is %c", rel, value.kind)
		}
	}
	return nil
}

// node is a JSON value that keeps the order of its members.
type node struct {
	kind   byte // { [ or v
	keys   []string
	values []*node
}

func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.keys {
		if n.keys[i] == key {
			return n.values[i]
		}
	}
	return nil
}

// parse parses JSON and rejects duplicate names.
func parse(doc []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	n, err := parseNode(dec)
	if err == nil && dec.More() {
		err = fmt.Errorf("more than one value")
	}
	return n, err
}

func parseNode(dec *json.Decoder) (*node, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return &node{kind: 'v'}, nil
	}
	n := &node{kind: byte(delim)}
	for dec.More() {
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			if n.get(key.(string)) != nil {
				return nil, fmt.Errorf("duplicate member %q", key)
			}
			n.keys = append(n.keys, key.(string))
		}
		v, err := parseNode(dec)
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, v)
	}
	_, err = dec.Token()
	return n, err
}

// TestStrictChecker checks that strict rejects invalid documents, since all other tests
// rely on it.
func TestStrictChecker(t *testing.T) {
	t.Parallel()
	const self, curies = `"self":{"href":"/"}`, `"curies":[{"name":"cb","href":"/r/{rel}","templated":true}]`
	good := []string{
		`{"_links":{` + self + `},"a":1,"_embedded":{"x":[]},"_templates":{"default":{"method":"GET"}}}`,
		`{"_links":{` + self + `,` + curies + `,"cb:x":{"href":"/x"},"actions":[]}}`,
		`{"_links":{` + self + `,` + curies + `},"_embedded":{"x":{"_links":{` + self + `,"cb:x":[]}}}}`,
		`{"_links":{` + self + `,` + curies + `},"_embedded":{"cb:x":[]}}`,
	}
	bad := map[string]string{
		"no links":            `{}`,
		"no self":             `{"_links":{}}`,
		"self not first":      `{"_links":{"up":{"href":"/"},` + self + `}}`,
		"null link":           `{"_links":{` + self + `,"up":null}}`,
		"string link":         `{"_links":{` + self + `,"up":"/"}}`,
		"empty link":          `{"_links":{` + self + `,"up":{}}}`,
		"empty href":          `{"_links":{` + self + `,"up":{"href":""}}}`,
		"underscore":          `{"_links":{` + self + `,"approved_by":{"href":"/"}}}`,
		"not templated":       `{"_links":{` + self + `,"search":{"href":"/{?q}"}}}`,
		"empty embedded":      `{"_links":{` + self + `},"_embedded":{}}`,
		"embedded array":      `{"_links":{` + self + `},"_embedded":[]}`,
		"embedded no self":    `{"_links":{` + self + `},"_embedded":{"x":[{"_links":{}}]}}`,
		"curies not declared": `{"_links":{` + self + `,"cb:x":{"href":"/"}}}`,
		"curies not used":     `{"_links":{` + self + `,` + curies + `}}`,
		"curies embedded":     `{"_links":{` + self + `},"_embedded":{"x":{"_links":{` + self + `,` + curies + `,"cb:x":[]}}}}`,
		"curies late":         `{"_links":{` + self + `,"cb:x":[],` + curies + `}}`,
		"actions not last":    `{"_links":{` + self + `,"actions":[],"up":{"href":"/"}}}`,
		"property first":      `{"a":1,"_links":{` + self + `}}`,
		"property last":       `{"_links":{` + self + `},"_embedded":{"x":[]},"a":1}`,
		"duplicate":           `{"_links":{` + self + `},"a":1,"a":1}`,
	}
	for _, doc := range good {
		if err := strict([]byte(doc)); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
	for name, doc := range bad {
		if strict([]byte(doc)) == nil {
			t.Errorf("%s is accepted: %s", name, doc)
		}
	}
}
