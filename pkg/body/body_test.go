package body_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/pkg/body"
	"halcyon/pkg/fault"
)

func TestComplaintsNameTheirPlace(t *testing.T) {
	t.Parallel()
	n, err := body.Parse([]byte(`{"a":{"b":["x",{}],"c~/":1},"n":"twelve","flag":"maybe","stray":1,"mem_size":"2","mem-size":""}`))
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
		{Pointer: "/a/b/1", Reason: "is an object; a string is needed"},
		{Pointer: "/a/c~0~1", Reason: "is not known here"},
		{Pointer: "/n", Reason: `"twelve" is no whole number`},
		{Pointer: "/flag", Reason: `"maybe" is neither true nor false`},
		{Pointer: "/stray", Reason: "is not known here"},
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
		_, err := body.Parse([]byte(in))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := body.Parse(data)
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
