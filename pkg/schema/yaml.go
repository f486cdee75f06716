package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// YAML writes a JSON document as block YAML 1.2, its members in their order. Texts
// stay JSON strings, which YAML reads as they are.
func YAML(doc []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var out bytes.Buffer
	if err := block(&out, dec, 0); err != nil {
		return nil, err
	}
	return bytes.TrimLeft(out.Bytes(), " \n"), nil
}

// block writes the next value after what is before it on its line: scalars beside
// it, collections below it.
func block(out *bytes.Buffer, dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		out.WriteByte(' ')
		if err := scalar(out, t); err != nil {
			return err
		}
		out.WriteByte('\n')
		return nil
	}
	if !dec.More() {
		fmt.Fprintf(out, " %c%c\n", delim, delim+2) // {} and []: the closing one is two further in ASCII
		_, err = dec.Token()
		return err
	}
	out.WriteByte('\n')
	for dec.More() {
		out.WriteString(strings.Repeat("  ", depth))
		if delim == '[' {
			out.WriteByte('-')
		} else {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			if err := scalar(out, key); err != nil {
				return err
			}
			out.WriteByte(':')
		}
		if err := block(out, dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func scalar(out *bytes.Buffer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the line's end
	return nil
}
