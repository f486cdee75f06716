package browse

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halcyon/hal"
	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/query"
	"halcyon/pkg/resource"
	"halcyon/pkg/view"
)

// recorded is a view.View in the format of testdata/browse.
type recorded struct {
	Of          string
	Many        bool
	Path, Query string
	Version     int64
	Now         time.Time
	User        string
	UserID      int64
	Doc         *recordedDoc
	Sent        *recordedSent `json:",omitempty"`
	Problem     *hal.Problem  `json:",omitempty"`
}

type recordedSent struct {
	Method, Target string
	Values         url.Values
	Notice         string
	Problem        *hal.Problem `json:",omitempty"`
	Tried          *recordedDoc `json:",omitempty"`
}

type recordedDoc struct {
	Links     []hal.Rel
	Props     []recordedProp
	Embedded  []recordedEmbedded `json:",omitempty"`
	Templates []hal.Template     `json:",omitempty"`
}

type recordedEmbedded struct {
	Rel  string
	Many bool
	Docs []recordedDoc
}

type recordedProp struct {
	Name  string
	Value json.RawMessage
}

// load returns a recorded page.
func load(t *testing.T, name string) *view.View {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/browse", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	v := &view.View{Many: r.Many, Path: r.Path, Query: r.Query, Version: r.Version, Now: r.Now, Problem: r.Problem, Doc: r.Doc.document(t)}
	v.Actor = access.Actor{ID: models.ID(r.UserID), Username: r.User}
	if r.Of != "" {
		v.Of = &resource.Def{Plural: r.Of, Schema: &query.Schema{}}
	}
	if s := r.Sent; s != nil {
		v.Sent = &view.Sent{Method: s.Method, Target: s.Target, Values: s.Values, Notice: s.Notice, Problem: s.Problem, Tried: s.Tried.document(t)}
	}
	return v
}

func (d *recordedDoc) document(t *testing.T) *hal.Document {
	t.Helper()
	if d == nil {
		return nil
	}
	out := &hal.Document{Links: d.Links, Templates: d.Templates}
	for _, p := range d.Props {
		out.Props = append(out.Props, hal.Prop{Name: p.Name, Value: valueFrom(t, p.Value)})
	}
	for _, e := range d.Embedded {
		list := hal.Embedded{Rel: e.Rel, Many: e.Many}
		for i := range e.Docs {
			list.Docs = append(list.Docs, *e.Docs[i].document(t))
		}
		out.Embedded = append(out.Embedded, list)
	}
	return out
}

// valueFrom parses a value, keeping the order of its members.
func valueFrom(t *testing.T, data json.RawMessage) hal.Value {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return nextValue(t, dec)
}

func nextValue(t *testing.T, dec *json.Decoder) hal.Value {
	t.Helper()
	tok, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch x := tok.(type) {
	case bool:
		return hal.Bool(x)
	case string:
		return hal.String(x)
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return hal.Int(n)
		}
		return hal.Decimal(x.String())
	case json.Delim:
		if x == '[' {
			return listFrom(t, dec)
		}
		return objectFrom(t, dec)
	}
	return hal.Null()
}

func listFrom(t *testing.T, dec *json.Decoder) hal.Value {
	t.Helper()
	list := []hal.Value{}
	for dec.More() {
		list = append(list, nextValue(t, dec))
	}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	return hal.List(list)
}

// objectFrom parses an object. One with nothing but an href and a title becomes a link.
func objectFrom(t *testing.T, dec *json.Decoder) hal.Value {
	t.Helper()
	var props []hal.Prop
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		props = append(props, hal.Prop{Name: key.(string), Value: nextValue(t, dec)})
	}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var l hal.Link
	for _, p := range props {
		switch p.Name {
		case "href":
			l.Href = p.Value.Text()
		case "title":
			l.Title = p.Value.Text()
		default:
			return hal.Object(props)
		}
	}
	if l.Href == "" {
		return hal.Object(props)
	}
	return hal.LinkValue(l)
}

// splitTags breaks a page before each element, so that differences are readable.
func splitTags(html []byte) string {
	return strings.ReplaceAll(string(html), "><", ">\n<") + "\n"
}
