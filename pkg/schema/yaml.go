package schema

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// YAML returns a JSON document as block YAML 1.2, its members in their order. Texts
// stay in double quotes, so that no reader takes one for a number or a date.
func YAML(doc []byte) ([]byte, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(doc, &n); err != nil { // JSON is YAML
		return nil, err
	}
	block(&n)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// block has a node and all below it written in lines of their own instead of braces.
func block(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	for _, c := range n.Content {
		block(c)
	}
}
