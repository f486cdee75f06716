package halserver

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"halcyon/pkg/fault"
)

func TestReadTags(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		header   []string
		any      bool
		list     []string
		versions []int64
	}{
		{header: []string{"*"}, any: true},
		{header: []string{" * "}, any: true},
		{header: []string{`"3-abc"`}, list: []string{"3-abc"}, versions: []int64{3}},
		{header: []string{`W/"3-abc-gzip"`}, list: []string{"3-abc"}, versions: []int64{3}},
		{header: []string{`"0-a","12-b" ,	W/"x"`}, list: []string{"0-a", "12-b", "x"}, versions: []int64{0, 12}},
		{header: []string{`"1-a"`, `"2-b"`}, list: []string{"1-a", "2-b"}, versions: []int64{1, 2}},
		{header: []string{`, "1-a",,`}, list: []string{"1-a"}, versions: []int64{1}},
		{header: []string{`"a,b", "-1-x", "+1-x", "1", ""`}, list: []string{"a,b", "-1-x", "+1-x", "1", ""}, versions: []int64{1}},
	} {
		got, given, err := readTags(http.Header{headerIfMatch: x.header}, headerIfMatch)
		if err != nil || !given || got.any != x.any || !cmp.Equal(got.list, x.list) || !cmp.Equal(got.versions(), x.versions) {
			t.Errorf("%q: %+v %v, %v, %v", x.header, got, got.versions(), given, err)
		}
	}
	if _, given, err := readTags(http.Header{}, headerIfMatch); given || err != nil {
		t.Errorf("no header: %v, %v", given, err)
	}
	for _, bad := range []string{"", " ", "1", `"a`, `a"`, `W/`, `w/"a"`, `"a" "b"`, `"a b"`, "\"a\tb\"", `* , "a"`, `"a", *`} {
		if got, _, err := readTags(http.Header{headerIfMatch: {bad}}, headerIfMatch); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

func FuzzReadTags(f *testing.F) {
	for _, seed := range []string{`"3-abc"`, `W/"a", "b"`, "*", `"`, `"a""b"`, "W/W/\"a\"", ",,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := readTags(http.Header{headerNoneMatch: {text}}, headerNoneMatch)
		if err != nil {
			return
		}
		if !got.any && len(got.list) == 0 {
			t.Fatalf("%q names nothing", text)
		}
		for _, tag := range got.list {
			if !strings.Contains(text, tag) || !got.match(tag) {
				t.Fatalf("%q has no tag %q", text, tag)
			}
		}
	})
}

func TestEntityTag(t *testing.T) {
	t.Parallel()
	tags := []string{
		entityTag(1, "a/b", []byte("body")), entityTag(2, "a/b", []byte("body")),
		entityTag(1, "a/c", []byte("body")), entityTag(1, "a/b", []byte("other")), entityTag(1, "a", []byte("/bbody")),
	}
	slices.Sort(tags)
	if len(slices.Compact(tags)) != 5 {
		t.Errorf("tags do not tell documents apart: %q", tags)
	}
	if tag := entityTag(1, "a/b", []byte("body")); tag != entityTag(1, "a/b", []byte("body")) || !strings.HasPrefix(tag, "1-") {
		t.Errorf("%q", tag)
	}
}
