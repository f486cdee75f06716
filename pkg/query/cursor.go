package query

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

// A cursor is base64url of a JSON array: the fingerprint of its list, and the values of the sort keys in
// the row that it points to. It needs no signature: a forged cursor only chooses where to begin reading.

// stampOf returns a fingerprint of a list: the name of the resource, the filter and the order.
func stampOf(name string, q Query) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\n", name) // a hash never fails
	for _, k := range q.Order {
		_, _ = fmt.Fprintf(h, "%s %t\n", k.name(), k.Desc)
	}
	stampTerms(h, q.Filter)
	return strconv.FormatUint(h.Sum64(), 36)
}

func stampTerms(h io.Writer, terms []Term) {
	for _, t := range terms {
		if t.Any != nil {
			_, _ = io.WriteString(h, "(\n")
			stampTerms(h, t.Any)
			_, _ = io.WriteString(h, ")\n")
			continue
		}
		_, _ = fmt.Fprintf(h, "%s %s", Key{Hops: t.Hops, Field: t.Field}.name(), t.Lookup)
		for _, v := range t.Values {
			_, _ = fmt.Fprintf(h, " %q %d %t %t %d %d %d %q", v.Text, v.Int, v.Frac, v.Bool, v.Time.UnixMicro(), v.Ref.Kind, v.Ref.ID, v.Ref.Text)
		}
		_, _ = io.WriteString(h, "\n")
	}
}

func encodeCursor(stamp string, kinds []Kind, values []keyValue) string {
	list := []any{stamp}
	for i, v := range values {
		switch {
		case v.null:
			list = append(list, nil)
		case kinds[i] == Text, kinds[i] == Enum, kinds[i] == Date:
			list = append(list, v.text)
		case kinds[i] == Bool:
			list = append(list, v.num != 0)
		default:
			list = append(list, v.num)
		}
	}
	data, err := marshal(list)
	if err != nil {
		panic(err) // strings, numbers and booleans always marshal
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func marshal(list []any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(list)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// decodeCursor reads a cursor and checks that it belongs to the query.
func decodeCursor(name, text, resource string, a access.Actor, q Query) ([]keyValue, error) {
	garbage := func() ([]keyValue, error) {
		return nil, fault.InvalidField(fault.Argument(name), "is no cursor of ours: take it from a next or prev link")
	}
	if len(text) > maxCursor {
		return garbage()
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(data) != text {
		return garbage()
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var list []any
	if d.Decode(&list) != nil || len(list) < 2 {
		return garbage()
	}
	if again, err := marshal(list); err != nil || !bytes.Equal(again, data) {
		return garbage()
	}
	stamp, ok := list[0].(string)
	if !ok {
		return garbage()
	}
	if stamp != stampOf(resource, q) {
		return nil, fault.InvalidField(fault.Argument(name), "belongs to a list with another filter or order")
	}
	// Which keys are nullable does not depend on the database, so the compiler needs none.
	keys, _ := (&compiler{actor: a}).order(q.Order, false)
	if len(list) != len(keys)+1 {
		return garbage()
	}
	values := make([]keyValue, len(keys))
	for i, k := range keys {
		if values[i], ok = cursorValue(k, list[i+1]); !ok {
			return garbage()
		}
	}
	return values, nil
}

func cursorValue(k sortKey, raw any) (keyValue, bool) {
	switch v := raw.(type) {
	case nil:
		return keyValue{null: true}, k.null
	case bool:
		if v {
			return keyValue{num: 1}, k.kind == Bool
		}
		return keyValue{}, k.kind == Bool
	case string:
		return keyValue{text: v}, (k.kind == Text || k.kind == Enum || k.kind == Date) && validText(v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || k.kind != Int && k.kind != Ref && k.kind != Time {
			return keyValue{}, false
		}
		if k.kind == Time {
			if year := time.UnixMicro(n).UTC().Year(); year < 1 || year > 9999 {
				return keyValue{}, false
			}
		}
		return keyValue{num: n}, true
	}
	return keyValue{}, false
}
