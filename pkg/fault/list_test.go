package fault_test

import (
	"strings"
	"testing"

	"halcyon/pkg/fault"
)

func TestListIsBounded(t *testing.T) {
	t.Parallel()
	var l fault.List
	if err := l.Err(); err != nil {
		t.Errorf("an empty list: %v", err)
	}
	for range fault.MaxFields + 23 {
		l.Add(fault.Field{Path: fault.Member(strings.Repeat("ä", 5000)), Reason: strings.Repeat("ö", 5000)})
	}
	e := fault.From(l.Err())
	if len(e.Fields) != fault.MaxFields+1 || l.Len() != fault.MaxFields+23 {
		t.Fatalf("%d fields of %d", len(e.Fields), l.Len())
	}
	if last := e.Fields[fault.MaxFields]; len(last.Path) != 0 || last.Reason != "and 23 more" {
		t.Errorf("the last is %v", last)
	}
	if f := e.Fields[0]; f.Path[0].Name != strings.Repeat("ä", 100)+"…" || f.Reason != strings.Repeat("ö", 500)+"…" {
		t.Errorf("the first is %v", f)
	}
	if text := e.Error(); len(text) > 200_000 {
		t.Errorf("the text has %d bytes", len(text))
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd…", "äöüß": "äöüß", "äöüßx": "äöüß…"} {
		if got := fault.Short(text, 4); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for _, err := range []error{fault.Invalidf("%s", long), fault.Wrap(fault.Conflict, nil, "%s", long), fault.InvalidField(fault.Member(long), "%s", long)} {
		if text := err.Error(); len(text) > 4096 {
			t.Errorf("an error has %d bytes", len(text))
		}
	}
}
