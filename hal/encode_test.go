package hal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"halcyon/hal"
)

// order returns the seed's order in the state CART.
func order() hal.Document {
	return hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: "/api/v2/orders/101", Title: "Order id 101"}}},
			{Name: "group", Links: []hal.Link{{Href: "/api/v2/groups/2", Title: "R&D"}}},
			{Name: "approved-by", Alias: "approved_by"},
			{Name: "recipient", Optional: true},
			{Name: "jobs", Many: true},
			{Name: "cb:items", Many: true, Links: []hal.Link{{Href: "/api/v2/orders/101/deploy-items/"}, {}}},
		},
		HasActions: true,
		Actions: []hal.Action{
			{Rel: "submit", Name: "submit", Href: "/api/v2/orders/101/actions/submit", Title: "Submit 'Order id 101'"},
			{Rel: "power-on", Name: "power_on", Href: "/api/v2/orders/101/actions/poweron"},
		},
		Props: []hal.Prop{
			{Name: "name", Value: hal.String("a \"b\"")},
			{Name: "id", Value: hal.String("101")},
			{Name: "new", Value: hal.Bool(true), Only: hal.InHAL},
			{Name: "old", Value: hal.Bool(true), Only: hal.InCloudBolt},
		},
		Templates: []hal.Template{{Method: "DELETE"}},
	}
}

const orderHAL = `{"_links":{
  "self":{"href":"/api/v2/orders/101","title":"Order id 101"},
  "curies":[{"name":"cb","href":"/api/v2/docs/rels/{rel}","templated":true}],
  "group":{"href":"/api/v2/groups/2","title":"R&D"},
  "jobs":[],
  "cb:items":[{"href":"/api/v2/orders/101/deploy-items/"}],
  "cb:submit":{"href":"/api/v2/orders/101/actions/submit","title":"Submit 'Order id 101'"},
  "cb:power-on":{"href":"/api/v2/orders/101/actions/poweron"},
  "actions":[
   {"href":"/api/v2/orders/101/actions/submit","name":"submit","title":"Submit 'Order id 101'",
    "submit":{"href":"/api/v2/orders/101/actions/submit","title":"Submit 'Order id 101'"}},
   {"href":"/api/v2/orders/101/actions/poweron","name":"power_on",
    "power_on":{"href":"/api/v2/orders/101/actions/poweron"}}]},
 "name":"a \"b\"","id":"101","new":true`

func TestEncodeHAL(t *testing.T) {
	t.Parallel()
	d := order()
	wantJSON(t, encode(t, &d, hal.HAL), orderHAL+`}`)
}

func TestEncodeHALForms(t *testing.T) {
	t.Parallel()
	d := order()
	wantJSON(t, encode(t, &d, hal.HALForms), orderHAL+`,"_templates":{"default":{"method":"DELETE","properties":[]}}}`)
}

func TestEncodeCloudBolt(t *testing.T) {
	t.Parallel()
	d := order()
	wantJSON(t, encode(t, &d, hal.CloudBolt), `{"_links":{
  "self":{"href":"/api/v2/orders/101","title":"Order id 101"},
  "group":{"href":"/api/v2/groups/2","title":"R&D"},
  "approved-by":{},
  "approved_by":{},
  "jobs":[],
  "actions":[
   {"submit":{"href":"/api/v2/orders/101/actions/submit","title":"Submit 'Order id 101'"}},
   {"power_on":{"href":"/api/v2/orders/101/actions/poweron"}}]},
 "name":"a \"b\"","id":"101","old":true}`)
}

// TestEncodeRules encodes a document for each rule that the order does not exercise.
func TestEncodeRules(t *testing.T) {
	t.Parallel()
	one := func(href string) []hal.Link { return []hal.Link{{Href: href}} }
	self := hal.Rel{Name: "self", Links: one("/s")}
	item := func(n int) hal.Document {
		href := "/i/" + strconv.Itoa(n)
		return hal.Document{
			Links: []hal.Rel{{Name: "self", Links: one(href)}},
			Props: []hal.Prop{{Name: "n", Value: hal.Int(int64(n))}},
		}
	}
	const s, curies = `"self":{"href":"/s"}`, `"curies":[{"name":"cb","href":"/api/v2/docs/rels/{rel}","templated":true}]`
	const i1, i2 = `{"_links":{"self":{"href":"/i/1"}},"n":1}`, `{"_links":{"self":{"href":"/i/2"}},"n":2}`

	for _, tt := range []struct {
		name      string
		doc       hal.Document
		hal       string
		cloudbolt string
	}{
		{
			"self first, wherever it was declared",
			hal.Document{Links: []hal.Rel{{Name: "up", Links: one("/")}, self, {Name: "item", Many: true, Links: one("/1")}}},
			`{"_links":{` + s + `,"up":{"href":"/"},"item":[{"href":"/1"}]}}`,
			`{"_links":{` + s + `,"up":{"href":"/"},"item":[{"href":"/1"}]}}`,
		}, {
			"a self of each representation",
			hal.Document{Links: []hal.Rel{
				{Name: "self", Links: one("/old"), Only: hal.InCloudBolt},
				{Name: "up", Links: one("/")},
				{Name: "self", Links: one("/new"), Only: hal.InHAL},
			}},
			`{"_links":{"self":{"href":"/new"},"up":{"href":"/"}}}`,
			`{"_links":{"self":{"href":"/old"},"up":{"href":"/"}}}`,
		}, {
			"all members of a link",
			hal.Document{Links: []hal.Rel{self, {Name: "search", Links: []hal.Link{{
				Href: "/{?q}", Title: "T", Name: "N", Type: "text/html", Profile: "/p", Deprecation: "/d", Templated: true,
				Extra: []hal.Prop{
					{Name: "tier", Value: hal.String("web")},
					{Name: "hal", Value: hal.Int(1), Only: hal.InHAL},
					{Name: "old", Value: hal.Int(2), Only: hal.InCloudBolt},
				},
			}}}}},
			`{"_links":{` + s + `,"search":{"href":"/{?q}","title":"T","name":"N","templated":true,"type":"text/html","deprecation":"/d","profile":"/p","tier":"web","hal":1}}}`,
			`{"_links":{` + s + `,"search":{"href":"/{?q}","title":"T","name":"N","templated":true,"type":"text/html","deprecation":"/d","profile":"/p","tier":"web","old":2}}}`,
		}, {
			"to-one: the first link that is one",
			hal.Document{Links: []hal.Rel{
				self,
				{Name: "two", Links: []hal.Link{{Title: "hidden"}, {Href: "/a"}, {Href: "/b"}}},
				{Name: "none", Links: []hal.Link{{}}},
				{Name: "optional", Optional: true, Links: []hal.Link{{}}},
				{Name: "many-optional", Many: true, Optional: true},
			}},
			`{"_links":{` + s + `,"two":{"href":"/a"},"many-optional":[]}}`,
			`{"_links":{` + s + `,"two":{"href":"/a"},"none":{},"many-optional":[]}}`,
		}, {
			"group",
			hal.Document{Links: []hal.Rel{
				self,
				{Name: "raw-log", Group: "log_urls", Links: one("/raw")},
				{Name: "up", Links: one("/")},
				{Name: "zip-log", Alias: "zip_log", Group: "log_urls", Links: one("/zip")},
				{Name: "tar-log", Group: "log_urls"},
				{Name: "x", Group: "nothing", Optional: true},
				{Name: "y", Group: "nothing", Only: hal.InHAL, Many: true},
				{Name: "z", Links: one("/z")},
			}},
			`{"_links":{` + s + `,"raw-log":{"href":"/raw"},"up":{"href":"/"},"zip-log":{"href":"/zip"},"y":[],"z":{"href":"/z"}}}`,
			`{"_links":{` + s + `,"log_urls":{"raw-log":"/raw","zip-log":"/zip","zip_log":"/zip","tar-log":""},"up":{"href":"/"},"z":{"href":"/z"}}}`,
		}, {
			"alias",
			hal.Document{Links: []hal.Rel{
				self,
				{Name: "same", Alias: "same", Links: one("/a")},
				{Name: "sub-jobs", Alias: "subjobs", Many: true, Links: one("/b")},
				{Name: "cb:orderable-environments", Alias: "orderable-environments", Links: one("/c")},
				{Name: "cb:filter", Links: []hal.Link{{Href: "/{?filter}", Templated: true}}},
			}},
			`{"_links":{` + s + `,` + curies + `,"same":{"href":"/a"},"sub-jobs":[{"href":"/b"}],"cb:orderable-environments":{"href":"/c"},"cb:filter":{"href":"/{?filter}","templated":true}}}`,
			`{"_links":{` + s + `,"same":{"href":"/a"},"sub-jobs":[{"href":"/b"}],"subjobs":[{"href":"/b"}],"orderable-environments":{"href":"/c"}}}`,
		}, {
			"only",
			hal.Document{
				Links: []hal.Rel{self, {Name: "a", Links: one("/a"), Only: hal.InHAL}, {Name: "b", Links: one("/b"), Only: hal.InCloudBolt}, {Name: "c", Links: one("/c"), Only: hal.InHAL | hal.InCloudBolt}},
				Props: []hal.Prop{{Name: "a", Only: hal.InHAL}, {Name: "b", Only: hal.InCloudBolt}, {Name: "c", Only: hal.InHAL | hal.InCloudBolt}},
			},
			`{"_links":{` + s + `,"a":{"href":"/a"},"c":{"href":"/c"}},"a":null,"c":null}`,
			`{"_links":{` + s + `,"b":{"href":"/b"},"c":{"href":"/c"}},"b":null,"c":null}`,
		}, {
			"declared curies are the encoder's business",
			hal.Document{Links: []hal.Rel{self, {Name: "curies", Many: true, Links: []hal.Link{{Name: "cb", Href: "/{rel}", Templated: true}}}}},
			`{"_links":{` + s + `}}`,
			`{"_links":{` + s + `}}`,
		}, {
			"a relation that is not written needs no curie",
			hal.Document{Links: []hal.Rel{self, {Name: "cb:none"}, {Name: "cb:old", Links: one("/"), Only: hal.InCloudBolt}, {Name: "cbx:a", Links: one("/")}}},
			`{"_links":{` + s + `,"cbx:a":{"href":"/"}}}`,
			`{"_links":{` + s + `,"cbx:a":{"href":"/"}}}`,
		}, {
			"actions, none of them now",
			hal.Document{Links: []hal.Rel{self}, HasActions: true},
			`{"_links":{` + s + `,"actions":[]}}`,
			`{"_links":{` + s + `,"actions":[]}}`,
		}, {
			"actions without the flag, without a name, with the same rel",
			hal.Document{Links: []hal.Rel{self}, Actions: []hal.Action{
				{Rel: "run", Href: "/1"}, {Rel: "run", Name: "Run \"2\"", Href: "/2", Title: "Two"}, {Rel: "stop", Href: "/3"},
			}},
			`{"_links":{` + s + `,` + curies + `,"cb:run":{"href":"/1"},"cb:stop":{"href":"/3"},"actions":[
				{"href":"/1","name":"run","run":{"href":"/1"}},
				{"href":"/2","name":"Run \"2\"","title":"Two","Run \"2\"":{"href":"/2","title":"Two"}},
				{"href":"/3","name":"stop","stop":{"href":"/3"}}]}}`,
			`{"_links":{` + s + `,"actions":[{"run":{"href":"/1"}},{"Run \"2\"":{"href":"/2","title":"Two"}},{"stop":{"href":"/3"}}]}}`,
		}, {
			"embedded list",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "servers", Many: true, Docs: []hal.Document{item(1), item(2)}}}},
			`{"_links":{` + s + `},"_embedded":{"servers":[` + i1 + `,` + i2 + `]}}`,
			`{"_links":{` + s + `},"_embedded":[` + i1 + `,` + i2 + `]}`,
		}, {
			"embedded list of none",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "servers", Many: true}}},
			`{"_links":{` + s + `},"_embedded":{"servers":[]}}`,
			`{"_links":{` + s + `},"_embedded":[]}`,
		}, {
			"embedded one",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "group", Docs: []hal.Document{item(1), item(2)}}}},
			`{"_links":{` + s + `},"_embedded":{"group":` + i1 + `}}`,
			`{"_links":{` + s + `},"_embedded":{"group":` + i1 + `}}`,
		}, {
			"embedded none",
			hal.Document{Links: []hal.Rel{self}, Props: []hal.Prop{{Name: "a"}}, Embedded: []hal.Embedded{{Rel: "group"}, {Rel: "cb:owner"}}},
			`{"_links":{` + s + `},"a":null}`,
			`{"_links":{` + s + `},"a":null}`,
		}, {
			"embedded several",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{
				{Rel: "group"},
				{Rel: "jobs", Many: true, Docs: []hal.Document{item(2)}},
				{Rel: "cb:plans", Many: true},
				{Rel: "owner", Docs: []hal.Document{item(1)}},
			}},
			`{"_links":{` + s + `,` + curies + `},"_embedded":{"jobs":[` + i2 + `],"cb:plans":[],"owner":` + i1 + `}}`,
			`{"_links":{` + s + `},"_embedded":{"jobs":[` + i2 + `],"owner":` + i1 + `}}`,
		}, {
			"embedded several, a list first",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "jobs", Many: true, Docs: []hal.Document{item(2)}}, {Rel: "owner"}}},
			`{"_links":{` + s + `},"_embedded":{"jobs":[` + i2 + `]}}`,
			`{"_links":{` + s + `},"_embedded":{"jobs":[` + i2 + `]}}`,
		}, {
			"curies of what is embedded stand in the top document",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "x", Docs: []hal.Document{{
				Links: []hal.Rel{self},
				Embedded: []hal.Embedded{{Rel: "y", Many: true, Docs: []hal.Document{item(1), {
					Links: []hal.Rel{self}, Actions: []hal.Action{{Rel: "run", Href: "/r"}},
				}}}},
			}}}}},
			`{"_links":{` + s + `,` + curies + `},"_embedded":{"x":{"_links":{` + s + `},"_embedded":{"y":[` + i1 +
				`,{"_links":{` + s + `,"cb:run":{"href":"/r"},"actions":[{"href":"/r","name":"run","run":{"href":"/r"}}]}}]}}}}`,
			`{"_links":{` + s + `},"_embedded":{"x":{"_links":{` + s + `},"_embedded":[` + i1 +
				`,{"_links":{` + s + `,"actions":[{"run":{"href":"/r"}}]}}]}}}`,
		}, {
			"a second to-one is not written and needs no curie",
			hal.Document{Links: []hal.Rel{self}, Embedded: []hal.Embedded{{Rel: "x", Docs: []hal.Document{item(1), {
				Links: []hal.Rel{self, {Name: "cb:x", Links: one("/")}},
			}}}}},
			`{"_links":{` + s + `},"_embedded":{"x":` + i1 + `}}`,
			`{"_links":{` + s + `},"_embedded":{"x":` + i1 + `}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantJSON(t, encode(t, &tt.doc, hal.HAL), tt.hal)
			wantJSON(t, encode(t, &tt.doc, hal.HALForms), tt.hal)
			wantJSON(t, encode(t, &tt.doc, hal.CloudBolt), tt.cloudbolt)
		})
	}
}

// TestEncodeAnswer checks that a document without links and actions has no _links.
func TestEncodeAnswer(t *testing.T) {
	t.Parallel()
	d := hal.Document{Props: []hal.Prop{{Name: "token", Value: hal.String("x")}}}
	for _, shape := range []hal.Shape{hal.HAL, hal.HALForms, hal.CloudBolt} {
		wantJSON(t, encoder.AppendJSON(nil, &d, shape), `{"token":"x"}`)
	}
	wantJSON(t, encoder.AppendJSON(nil, &hal.Document{}, hal.HAL), `{}`)
}

func TestEncodeSeveralCuries(t *testing.T) {
	t.Parallel()
	e := hal.Encoder{Curies: []hal.Link{
		{Name: "cb", Href: "/cb/{rel}", Title: "Ours"},
		{Name: "no", Href: "/no/{rel}"},
		{Name: "ex", Href: "/ex/{rel}"},
	}}
	d := hal.Document{Links: []hal.Rel{
		{Name: "self", Links: []hal.Link{{Href: "/"}}},
		{Name: "ex:a", Many: true},
		{Name: "cb:a", Many: true},
	}}
	const want = `{"_links":{"self":{"href":"/"},"curies":[{"name":"cb","href":"/cb/{rel}","title":"Ours","templated":true},{"name":"ex","href":"/ex/{rel}","templated":true}],"ex:a":[],"cb:a":[]}}`
	got := e.AppendJSON(nil, &d, hal.HAL)
	wantJSON(t, got, want)
	if err := strict(got); err != nil {
		t.Error(err)
	}
	wantJSON(t, hal.Encoder{}.AppendJSON(nil, &d, hal.HAL), `{"_links":{"self":{"href":"/"},"ex:a":[],"cb:a":[]}}`)
}

// TestEncodeAppends checks that the buffer's content stays, even if it ends in an opening bracket.
func TestEncodeAppends(t *testing.T) {
	t.Parallel()
	d := hal.Document{Links: []hal.Rel{{Name: "self", Links: []hal.Link{{Href: "/"}}}}}
	for _, before := range []string{"", "x", "{", "["} {
		got := encoder.AppendJSON([]byte(before), &d, hal.HAL)
		if want := before + `{"_links":{"self":{"href":"/"}}}`; string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestEncodeEscapesNames checks that names and rels are escaped: parameter names come from users.
func TestEncodeEscapesNames(t *testing.T) {
	t.Parallel()
	d := hal.Document{
		Links:   []hal.Rel{{Name: "self", Links: []hal.Link{{Href: `/"`, Title: "\n"}}}},
		Actions: []hal.Action{{Rel: `"`, Name: `\`, Href: `"`}},
		Props:   []hal.Prop{{Name: `"`, Value: hal.Object([]hal.Prop{{Name: "\t"}})}},
	}
	wantJSON(t, hal.Encoder{}.AppendJSON(nil, &d, hal.HAL),
		`{"_links":{"self":{"href":"/\"","title":"\n"},"cb:\"":{"href":"\""},"actions":[{"href":"\"","name":"\\","\\":{"href":"\""}}]},"\"":{"\t":null}}`)
	wantJSON(t, hal.Encoder{}.AppendJSON(nil, &d, hal.CloudBolt),
		`{"_links":{"self":{"href":"/\"","title":"\n"},"actions":[{"\\":{"href":"\""}}]},"\"":{"\t":null}}`)
}

// TestEncodeAnything generates documents: the strict shapes always follow the rules of
// HAL, and the CloudBolt shape is always valid JSON without cb: relations.
func TestEncodeAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDocument(t, 2)
		for _, shape := range []hal.Shape{hal.HAL, hal.HALForms} {
			got := encoder.AppendJSON(nil, &d, shape)
			if err := strict(got); err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
		}
		got := encoder.AppendJSON(nil, &d, hal.CloudBolt)
		if _, err := parse(got); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		if bytes.Contains(got, []byte(`"cb:`)) || bytes.Contains(got, []byte(`"curies"`)) {
			t.Fatalf("a curie: %s", got)
		}
	})
}

func anyDocument(t *rapid.T, depth int) hal.Document {
	d := hal.Document{
		Links:      []hal.Rel{{Name: "self", Links: []hal.Link{{Href: "/self"}}}},
		HasActions: rapid.Bool().Draw(t, "has actions"),
	}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"up", "approved-by", "jobs", "cb:a", "cb:b", "item"}), rapid.ID[string]).Draw(t, "rels") {
		r := hal.Rel{
			Name:     name,
			Many:     rapid.Bool().Draw(t, "many"),
			Optional: rapid.Bool().Draw(t, "optional"),
			Only:     hal.Shapes(rapid.IntRange(0, 3).Draw(t, "only")),
			Group:    rapid.SampledFrom([]string{"", "", "log_urls", "g"}).Draw(t, "group"),
		}
		if rapid.Bool().Draw(t, "alias") {
			r.Alias = "x_" + name[len(name)-1:]
		}
		for range rapid.IntRange(0, 2).Draw(t, "links") {
			r.Links = append(r.Links, hal.Link{
				Href:  rapid.SampledFrom([]string{"", "/a", "/b?x=1&y=\"2\""}).Draw(t, "href"),
				Title: rapid.String().Draw(t, "title"),
			})
		}
		d.Links = append(d.Links, r)
	}
	for _, rel := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"run", "stop"}), rapid.ID[string]).Draw(t, "actions") {
		d.Actions = append(d.Actions, hal.Action{Rel: rel, Href: "/" + rel, Name: rel})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "props") {
		d.Props = append(d.Props, hal.Prop{
			Name:  "p" + strconv.Itoa(i),
			Value: hal.String(rapid.String().Draw(t, "value")),
			Only:  hal.Shapes(rapid.IntRange(0, 3).Draw(t, "prop only")),
		})
	}
	if depth == 0 {
		return d
	}
	for _, rel := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"servers", "group", "cb:c"}), rapid.ID[string]).Draw(t, "embedded") {
		e := hal.Embedded{Rel: rel, Many: rapid.Bool().Draw(t, "embedded many")}
		for range rapid.IntRange(0, 2).Draw(t, "docs") {
			e.Docs = append(e.Docs, anyDocument(t, depth-1))
		}
		d.Embedded = append(d.Embedded, e)
	}
	if rapid.Bool().Draw(t, "templates") {
		d.Templates = []hal.Template{{Key: "default"}}
	}
	return d
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                           `""`,
		"plain":                      `"plain"`,
		`say "hi" \o/`:               `"say \"hi\" \\o/"`,
		"/a?x=1&y=<2>'":              `"/a?x=1&y=<2>'"`,
		"\n\r\t\b\f\x00\x1b\x1f\x7f": `"\n\r\t\b\f\u0000\u001b\u001f` + "\x7f\"",
		"Grüße 世界 😀":                 `"Grüße 世界 😀"`,
		"a\u2028b\u2029c\u2027":      `"a\u2028b\u2029c` + "\u2027\"",
		"\xff":                       "\"\uFFFD\"",
		"a\xc3\x28b\xe2\x82":         "\"a\uFFFD(b\uFFFD\uFFFD\"",
		"\xed\xa0\x80":               "\"\uFFFD\uFFFD\uFFFD\"", // a surrogate in UTF-8
		"\uFFFD":                     "\"\uFFFD\"",
		"12345678\"2345678\\":        `"12345678\"2345678\\"`,
	} {
		if got := hal.AppendString([]byte("x"), in); string(got) != "x"+want {
			t.Errorf("%q: %s, want %s", in, got[1:], want)
		}
	}
}

// TestAppendStringEveryByte puts each byte at each position of the eight that are checked
// together.
func TestAppendStringEveryByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 20 {
			text := []byte("aZ09 ~!#[]/&<a|aaaaa")
			text[at] = byte(c)
			var got string
			if err := json.Unmarshal(hal.AppendString(nil, string(text)), &got); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if want := strings.ToValidUTF8(string(text), "\uFFFD"); got != want {
				t.Fatalf("%q: %q", text, got)
			}
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", `"\/`, "\x00\x1f\x7f", "<&>", "\u2028\u2029\uFFFD", "\xff\xc3", "😀", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ours := hal.AppendString(nil, s)
		theirs, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(ours, &got); err != nil {
			t.Fatalf("%q: %s: %v", s, ours, err)
		}
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
		if !utf8.Valid(ours) {
			t.Fatalf("%q: not UTF-8: %q", s, ours)
		}
		if bytes.ContainsAny(ours, "\u2028\u2029") {
			t.Fatalf("%q: line separator: %q", s, ours)
		}
	})
}

// servers returns a page of short documents, as lists have them.
func servers(n int) hal.Document {
	docs := make([]hal.Document, n)
	for i := range docs {
		id := strconv.Itoa(i + 1)
		host := fmt.Sprintf("web-%03d.example.com", i)
		docs[i] = hal.Document{
			Links: []hal.Rel{
				{Name: "self", Links: []hal.Link{{Href: "/api/v2/servers/" + id + "/", Title: host}}},
				{Name: "owner", Links: []hal.Link{{Href: "/api/v2/users/2", Title: "User id 2"}}},
				{Name: "group", Links: []hal.Link{{Href: "/api/v2/groups/3", Title: "Group Foo"}}},
				{Name: "environment", Links: []hal.Link{{Href: "/api/v2/environments/4", Title: "Dev"}}},
			},
			Props: []hal.Prop{
				{Name: "hostname", Value: hal.String(host)},
				{Name: "power-status", Value: hal.String("POWERON")},
				{Name: "id", Value: hal.String(id)},
				{Name: "cpu-cnt", Value: hal.Int(4)},
				{Name: "ip", Value: hal.Null()},
			},
		}
	}
	return hal.Collection{Path: "/api/v2/servers/", Noun: "Servers", Page: 1, PageSize: n, Total: 10 * n, Rel: "servers", Docs: docs}.Document()
}

// TestEncodeAllocates checks that encoding into a large enough buffer does not allocate.
func TestEncodeAllocates(t *testing.T) { // not parallel: AllocsPerRun counts for the process
	d := servers(100)
	o := order()
	buf := make([]byte, 0, 1<<20)
	for _, shape := range []hal.Shape{hal.HAL, hal.HALForms, hal.CloudBolt} {
		allocs := testing.AllocsPerRun(10, func() {
			encoder.AppendJSON(buf, &d, shape)
			encoder.AppendJSON(buf, &o, shape)
		})
		if allocs != 0 {
			t.Errorf("shape %d: %v allocations", shape, allocs)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	d := servers(100)
	buf := make([]byte, 0, 1<<20)
	for _, bm := range []struct {
		name  string
		shape hal.Shape
	}{{"hal", hal.HAL}, {"cloudbolt", hal.CloudBolt}} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(encoder.AppendJSON(buf, &d, bm.shape))))
			for b.Loop() {
				encoder.AppendJSON(buf, &d, bm.shape)
			}
		})
	}
}

// BenchmarkBuild measures building a page without encoding it.
func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		servers(100)
	}
}

// With a base every href and target that is a path is absolute, and nothing else changes.
func TestBase(t *testing.T) {
	t.Parallel()
	d := hal.Document{
		Links: []hal.Rel{
			{Name: "self", Links: []hal.Link{{Href: "/orders/1"}}},
			{Name: "cb:filter", Links: []hal.Link{{Href: "/orders/{?filter}", Templated: true}}},
			{Name: "about", Links: []hal.Link{{Href: "https://other.example/x"}}},
			{Name: "alternate", Links: []hal.Link{{Href: "//other.example/x"}}},
		},
		Actions:   []hal.Action{{Rel: "submit", Href: "/orders/1/submit"}},
		Props:     []hal.Prop{{Name: "path", Value: hal.String("/orders/1")}, {Name: "of", Value: hal.LinkValue(hal.Link{Href: "/users/2"})}},
		Templates: []hal.Template{{Method: "POST", Target: "/orders/", Properties: []hal.TemplateProperty{{Name: "user", OptionsLink: hal.Link{Href: "/users/"}}}}},
	}
	e := hal.Encoder{Curies: []hal.Link{{Name: "cb", Href: "/rels/{rel}"}}, Base: "https://cloud.example"}
	const links = `"self":{"href":"https://cloud.example/orders/1"}`
	wantJSON(t, e.AppendJSON(nil, &d, hal.HALForms), `{"_links":{`+links+`,
	 "curies":[{"name":"cb","href":"https://cloud.example/rels/{rel}","templated":true}],
	 "cb:filter":{"href":"https://cloud.example/orders/{?filter}","templated":true},
	 "about":{"href":"https://other.example/x"},"alternate":{"href":"//other.example/x"},
	 "cb:submit":{"href":"https://cloud.example/orders/1/submit"},
	 "actions":[{"href":"https://cloud.example/orders/1/submit","name":"submit","submit":{"href":"https://cloud.example/orders/1/submit"}}]},
	 "path":"/orders/1","of":{"href":"https://cloud.example/users/2"},
	 "_templates":{"default":{"method":"POST","target":"https://cloud.example/orders/","properties":[
	  {"name":"user","options":{"link":{"href":"https://cloud.example/users/"},"maxItems":1}}]}}}`)
	if got := string(e.AppendJSON(nil, &d, hal.CloudBolt)); !strings.Contains(got, links) || strings.Contains(got, `"href":"/orders`) {
		t.Error(got)
	}
}
