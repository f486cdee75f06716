package jsonbody_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/pkg/fault"
	"halcyon/pkg/jsonbody"
)

func TestComplaintsNameTheirPlace(t *testing.T) {
	t.Parallel()
	n, err := jsonbody.Parse([]byte(`{"a":{"b":["x",{}],"c~/":1},"n":"twelve","flag":"maybe","stray":1,"mem_size":"2","mem-size":""}`))
	if err != nil {
		t.Fatal(err)
	}
	a := n.Field("a")
	for _, x := range a.Field("b").List() {
		_ = x.Text()
	}
	a.Done()
	n.Field("n").Int()
	n.Field("flag").Bool()
	if got := n.Field("mem-size").Text(); got != "2" {
		t.Errorf("mem-size is %q", got)
	}
	n.Done()
	want := []fault.Field{
		{Path: fault.Member("a").Member("b").Entry(1), Reason: "is an object; a string is needed"},
		{Path: fault.Member("a").Member("c~/"), Reason: "is not known here"},
		{Path: fault.Member("n"), Reason: `"twelve" is no whole number`},
		{Path: fault.Member("flag"), Reason: `"maybe" is neither true nor false`},
		{Path: fault.Member("stray"), Reason: "is not known here"},
	}
	if diff := cmp.Diff(want, fault.From(n.Faults().Err()).Fields); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                        "an array; an object is needed",
		`{"a":1,"a":2}`:             "a: is there twice",
		`{"a":`:                     "ends too early",
		`{} {}`:                     "goes on behind",
		`{"a":"\u0000"}`:            "NUL",
		"{\"a\":\"\xff\"}":          "not UTF-8",
		`nonsense`:                  "not JSON",
		strings.Repeat(`{"a":`, 99): "nested deeper",
	} {
		_, err := jsonbody.Parse([]byte(in))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := jsonbody.Parse(data)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		n.Field("a").Field("b").Int()
		n.Field("a").List()
		n.Done()
		_ = n.Faults().Err()
	})
}

// What pages' forms send: a box that is not ticked and one that is, a choice of several
// with nothing, one and two chosen, lines.
func TestFormValues(t *testing.T) {
	t.Parallel()
	got, err := jsonbody.FormValues([]byte(`off=false&on=false&on=true&none=&one=&one=1&two=&two=1&two=&two=2&empty=&empty=&text=a%0D%0Ab&same=1&same=1`))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"off": {"false"}, "on": {"true"}, "none": {""}, "one": {"1"}, "two": {"1", "2"}, "empty": {""}, "text": {"a\nb"}, "same": {"1", "1"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What forms send: one name several times, JSON in a text, a list with commas.
func TestForms(t *testing.T) {
	t.Parallel()
	values, err := jsonbody.FormValues([]byte(`groups=1&groups=2&dns=10.0.0.1,+10.0.0.2,&items=[{"name":"a"}]&broken=[1&behind=1+2`))
	if err != nil {
		t.Fatal(err)
	}
	n, err := jsonbody.Form(values)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Field("groups").Texts(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("groups are %q", got)
	}
	if got := n.Field("dns").Texts(); !slices.Equal(got, []string{"10.0.0.1", "10.0.0.2"}) {
		t.Errorf("dns is %q", got)
	}
	items := n.Field("items")
	items.Unpack()
	if list := items.List(); len(list) != 1 || list[0].Field("name").Text() != "a" || list[0].Field("name").Path().String() != "items.0.name" {
		t.Errorf("items are %v", list)
	}
	for _, name := range []string{"broken", "behind"} {
		x := n.Field(name)
		x.Unpack()
		if x.Present() {
			t.Errorf("%s was read", name)
		}
	}
	var at []string
	for _, f := range fault.From(n.Faults().Err()).Fields {
		at = append(at, f.Path.String())
	}
	if !slices.Equal(at, []string{"broken", "behind"}) {
		t.Errorf("complaints are about %q", at)
	}
}

// Documents say some things under two names, and may come back so.
func TestSaidTwice(t *testing.T) {
	t.Parallel()
	for text, wrong := range map[string]bool{
		`{"service-name": "x", "resource-name": "x"}`: false,
		`{"service-name": "x", "resource-name": "y"}`: true,
		`{"service-name": "x", "resource-name": ""}`:  false,
		`{"service-name": [], "resource-name": []}`:   false,
		`{"service-name": [1], "resource-name": [2]}`: true,
	} {
		n, err := jsonbody.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		n.Field("service-name", "resource-name")
		if got := n.Faults().Err() != nil; got != wrong {
			t.Errorf("%s: %v", text, n.Faults().Err())
		}
	}
}

// An array has a bound of its own: each entry may cost a query.
func TestLongArrays(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1000: "", 1001: "has 1001 entries; at most 1000 can be given"} {
		v, err := jsonbody.Parse([]byte(`{"list":[` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		list, err := v.Field("list").List(), v.Faults().Err()
		if got := len(list) == n; got != (want == "") || want != "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%d entries: %d, %v", n, len(list), err)
		}
	}
}
