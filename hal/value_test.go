package hal_test

import (
	"encoding/json"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"halcyon/hal"
)

func TestValue(t *testing.T) {
	t.Parallel()
	link := hal.Link{Href: "/api/v2/servers/1/", Title: "demo"}
	for _, tt := range []struct {
		name string
		v    hal.Value
		kind hal.Kind
		json string
		text string
		n    int
	}{
		{"zero", hal.Value{}, hal.KindNull, `null`, "", 0},
		{"null", hal.Null(), hal.KindNull, `null`, "", 0},
		{"string", hal.String(`a "b" & <c>`), hal.KindString, `"a \"b\" & <c>"`, `a "b" & <c>`, 0},
		{"empty string", hal.String(""), hal.KindString, `""`, "", 0},
		{"int", hal.Int(-9223372036854775808), hal.KindInt, `-9223372036854775808`, "-9223372036854775808", 0},
		{"true", hal.Bool(true), hal.KindBool, `true`, "true", 0},
		{"false", hal.Bool(false), hal.KindBool, `false`, "false", 0},
		{"decimal", hal.Decimal("28.80"), hal.KindDecimal, `28.80`, "28.80", 0},
		{"no decimal", hal.Decimal("28,80"), hal.KindString, `"28,80"`, "28,80", 0},
		{"list", hal.List([]hal.Value{hal.Int(1), hal.Null(), hal.String("x")}), hal.KindList, `[1,null,"x"]`, "1, , x", 3},
		{"nested list", hal.List([]hal.Value{hal.List(nil), hal.Strings(nil), hal.Object(nil)}), hal.KindList, `[[],[],{}]`, ", , {}", 3},
		{"no list", hal.List(nil), hal.KindList, `[]`, "", 0},
		{"strings", hal.Strings([]string{"a", "b"}), hal.KindList, `["a","b"]`, "a, b", 2},
		{"no strings", hal.Strings(nil), hal.KindList, `[]`, "", 0},
		{
			"object", hal.Object([]hal.Prop{
				{Name: "b", Value: hal.Int(2)},
				{Name: "a", Value: hal.Object(nil)},
				{Name: "cloudbolt", Value: hal.Int(1), Only: hal.InCloudBolt},
			}), hal.KindObject, `{"b":2,"a":{}}`, `{"b":2,"a":{}}`, 3,
		},
		{"no object", hal.Object(nil), hal.KindObject, `{}`, `{}`, 0},
		{"raw", hal.Raw([]byte("{ \"b\": [1, 2],\n \"a\": \"x y\" }\n")), hal.KindRaw, `{"b":[1,2],"a":"x y"}`, `{"b":[1,2],"a":"x y"}`, 0},
		{"raw not UTF-8", hal.Raw([]byte("\"a\xff\"")), hal.KindRaw, "\"a\uFFFD\"", "\"a\uFFFD\"", 0},
		{"no raw", hal.Raw(nil), hal.KindNull, `null`, "", 0},
		{"broken raw", hal.Raw([]byte(`{"a":`)), hal.KindString, `"{\"a\":"`, `{"a":`, 0},
		{"two raws", hal.Raw([]byte(`{},{}`)), hal.KindString, `"{},{}"`, `{},{}`, 0},
		{"link", hal.LinkValue(link), hal.KindLink, `{"href":"/api/v2/servers/1/","title":"demo"}`, "demo", 0},
		{"link without title", hal.LinkValue(hal.Link{Href: "/x"}), hal.KindLink, `{"href":"/x"}`, "/x", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.v.AppendJSON([]byte("["), hal.HAL)
			if string(got) != "["+tt.json {
				t.Errorf("JSON %s, want %s", got[1:], tt.json)
			}
			if !json.Valid(got[1:]) {
				t.Errorf("not JSON: %s", got[1:])
			}
			if tt.v.Kind() != tt.kind {
				t.Errorf("kind %d, want %d", tt.v.Kind(), tt.kind)
			}
			if tt.v.Text() != tt.text {
				t.Errorf("text %q, want %q", tt.v.Text(), tt.text)
			}
			if tt.v.Len() != tt.n {
				t.Errorf("length %d, want %d", tt.v.Len(), tt.n)
			}
			if items := slices.Collect(tt.v.Items()); tt.kind == hal.KindList && len(items) != tt.n || tt.kind != hal.KindList && items != nil {
				t.Errorf("%d items", len(items))
			}
		})
	}
}

func TestValueAccessors(t *testing.T) {
	t.Parallel()
	if !hal.Bool(true).Bool() || hal.Bool(false).Bool() || hal.Int(1).Bool() {
		t.Error("Bool")
	}
	if hal.Int(7).Int() != 7 || hal.Bool(true).Int() != 0 || hal.Decimal("7").Int() != 0 {
		t.Error("Int")
	}
	want := hal.Link{Href: "/x", Title: "X"}
	if l, ok := hal.LinkValue(want).Link(); !ok || l.Href != want.Href || l.Title != want.Title {
		t.Errorf("Link: %v %t", l, ok)
	}
	if _, ok := hal.String("/x").Link(); ok {
		t.Error("a string is no link")
	}
	if hal.List(nil).Props() != nil || len(hal.Object([]hal.Prop{{Name: "a"}}).Props()) != 1 {
		t.Error("Props")
	}
	var got []string
	for item := range hal.List([]hal.Value{hal.String("a"), hal.String("b"), hal.String("c")}).Items() {
		got = append(got, item.Text())
		if len(got) == 2 {
			break
		}
	}
	for item := range hal.Strings([]string{"d", "e", "f"}).Items() {
		got = append(got, item.Text())
		if len(got) == 4 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "d", "e"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRawCopies checks that Raw copies its text: a driver may reuse its buffer for the next row.
func TestRawCopies(t *testing.T) {
	t.Parallel()
	row := []byte(`{"a":1}`)
	v := hal.Raw(row)
	copy(row, `{"b":2}`)
	if got := v.AppendJSON(nil, hal.HAL); string(got) != `{"a":1}` {
		t.Errorf("%s", got)
	}
}

// TestPropSize checks that a Prop fits a cache line (64 bytes): lists hold thousands.
func TestPropSize(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(hal.Prop{}); size > 64 {
		t.Errorf("a Prop has %d bytes", size)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	numbers := []string{"0", "-0", "1", "10", "-12.50", "0.5", "1e5", "1E+5", "1.5e-10", "123456789012345678901234567890.12"}
	others := []string{"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1.5.5", "NaN", "Infinity", "0x10", "1_0", " 1", "1 ", "1,5", "1-", "--1", "٣"}
	for _, s := range numbers {
		if got := hal.Decimal(s).AppendJSON(nil, hal.HAL); string(got) != s {
			t.Errorf("%q: %s", s, got)
		}
	}
	for _, s := range others {
		if kind := hal.Decimal(s).Kind(); kind != hal.KindString {
			t.Errorf("%q: kind %d", s, kind)
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.5e+7", "01", "1.", "", "nul", "true", "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := hal.Decimal(s).AppendJSON(nil, hal.HAL)
		if !json.Valid(got) {
			t.Fatalf("%q: %s", s, got)
		}
		first := byte(0)
		if s != "" {
			first = s[0]
		}
		isNumber := json.Valid([]byte(s)) && (first == '-' || first >= '0' && first <= '9') && s[len(s)-1] > ' '
		if isNumber != (hal.Decimal(s).Kind() == hal.KindDecimal) {
			t.Fatalf("%q: number %t", s, isNumber)
		}
	})
}
