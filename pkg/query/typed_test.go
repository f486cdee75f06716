package query_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/pkg/query"
)

func TestTypedTerms(t *testing.T) {
	t.Parallel()
	got := query.TypedTerms(`status:ACTIVE;group.name.icontains:a\;b\:c;id.in:1,2\,3;;nothing`)
	want := []query.Typed{
		{Path: "status", Lookup: query.Exact, Value: "ACTIVE"},
		{Path: "group.name", Lookup: query.IContains, Value: "a;b:c"},
		{Path: "id", Lookup: query.In, Value: `1,2\,3`},
		{Path: "nothing", Lookup: query.Exact},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRefine(t *testing.T) {
	t.Parallel()
	term := func(path string, l query.Lookup, value string) query.Typed {
		return query.Typed{Path: path, Lookup: l, Value: value}
	}
	for _, tt := range []struct {
		name, filter string
		terms        []query.Typed
		want         string
	}{
		{"nothing", "", nil, ""},
		{"the first", "", []query.Typed{term("status", query.Exact, "ACTIVE")}, "status:ACTIVE"},
		{"one more, escaped", "status:ACTIVE;", []query.Typed{term("name", query.IContains, `a;b:c,d\`)}, `status:ACTIVE;name.icontains:a\;b\:c\,d\\`},
		{"in the place of the same", `a:1;os_family:x;b:2`, []query.Typed{term("os-family", query.Exact, "y")}, "a:1;os-family:y;b:2"},
		{"another lookup is another term", "id.gt:1", []query.Typed{term("id", query.Lt, "9")}, "id.gt:1;id.lt:9"},
		{"taken out", `a:1\;2;b:2`, []query.Typed{term("a", query.Exact, "")}, "b:2"},
		{"not there to be taken out", "b:2", []query.Typed{term("a", query.Exact, "")}, "b:2"},
		{"a list", "", []query.Typed{term("id", query.In, `1, 2,x;\,y`)}, `id.in:1,2,x\;\,y`},
		{"what is wrong stays", "nonsense", []query.Typed{term("a", query.Exact, "1")}, "nonsense;a:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := query.Refine(tt.filter, tt.terms...)
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			for _, x := range query.TypedTerms(got) { // parses its own output
				if again := query.TypedTerms(x.String()); len(again) != 1 || again[0] != x {
					t.Errorf("%+v has become %+v", x, again)
				}
			}
		})
	}
}
