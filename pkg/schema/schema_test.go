package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"halcyon/pkg/schema"
)

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	o := schema.Struct(
		schema.M("zone", schema.String()),
		schema.M("area?", schema.Nullable(schema.Integer())),
		schema.M("kind", schema.Nullable(schema.Enum("<a>", "b"))),
	).Doc("A place.")
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"object","properties":{"zone":{"type":"string"},"area":{"type":["integer","null"]},` +
		`"kind":{"anyOf":[{"type":"string","enum":["\u003ca\u003e","b"]},{"type":"null"}]}},` +
		`"required":["zone","kind"],"additionalProperties":false,"description":"A place."}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWithLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	a := schema.String()
	b := a.With("type", "integer").With("minimum", 1)
	if a.Get("type") != "string" || b.Get("type") != "integer" || b.Get("minimum") != 1 || a.Get("minimum") != nil {
		t.Errorf("%v, %v", a, b)
	}
}

func TestYAML(t *testing.T) {
	t.Parallel()
	got, err := schema.YAML([]byte(`{"openapi":"3.1.0","empty":{},"none":[],"list":[1,"a: b",{"x":true,"y":[null]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "\"openapi\": \"3.1.0\"\n\"empty\": {}\n\"none\": []\n\"list\":\n  - 1\n  - \"a: b\"\n  - \"x\": true\n    \"y\":\n      - null\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := schema.YAML([]byte(`{"a":`)); err == nil {
		t.Error("half a document was written")
	}
}

// TestYAMLKeepsTexts checks that whatever JSON can say reads the same as YAML.
func TestYAMLKeepsTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long text: ", 30)
	want := map[string]any{
		"quoted": `"it's \ <b> & more"`, "lines": "one\n two\t\r\u2028", "letters": "é ß 日本 😀",
		"long": long, long: []any{long, "no", "2026-11-30", "0x10", "~", ""}, "number": 1.5e21,
	}
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	text, err := schema.YAML(doc)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
