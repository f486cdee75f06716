package screen

import (
	"encoding/json"
	"strings"
	"testing"

	"halcyon/cmd/halcyon/cli/client"
)

var rows = [][]string{
	{"1", "server-with-a-long-name.example", "ACTIVE", ""},
	{"2", "日本語\x1b[31m", "FAILURE", "é\u202ex\r\ny"},
}

func table(s Screen) string {
	var b strings.Builder
	s.W = &b
	_ = s.Table([]string{"ID", "NAME", "STATUS", "NOTE"}, rows) // a Builder takes everything
	return b.String()
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		s    Screen
		want string
	}{
		"piped": {Screen{}, "ID\tNAME\tSTATUS\tNOTE\n1\tserver-with-a-long-name.example\tACTIVE\t\n2\t日本語[31m\tFAILURE\téx y\n"},
		"wide": {Screen{TTY: true, Width: 80, UTF8: true}, `ID  NAME                             STATUS   NOTE
1   server-with-a-long-name.example  ACTIVE
2   日本語[31m                       FAILURE  éx y
`},
		"narrow": {Screen{TTY: true, Width: 34, UTF8: true}, `ID  NAME             STATUS   NOTE
1   server-with-a-…  ACTIVE
2   日本語[31m       FAILURE  éx y
`},
		"ascii": {Screen{TTY: true, Width: 34}, `ID  NAME             STATUS   NOTE
1   server-with-a-~  ACTIVE
2   ???[31m          FAILURE  ?x y
`},
		"colors": {Screen{TTY: true, Width: 34, UTF8: true, Color: true}, "ID  NAME             STATUS   NOTE\n" +
			"1   server-with-a-…  \x1b[32mACTIVE\x1b[0m\n2   日本語[31m       \x1b[31mFAILURE\x1b[0m  éx y\n"},
	} {
		if got := table(x.s); got != x.want {
			t.Errorf("%s:\n%s\ninstead of\n%s", name, got, x.want)
		}
	}
	for line := range strings.Lines(table(Screen{TTY: true, Width: 5})) {
		if len(line) > 40 {
			t.Errorf("on a terminal that is too narrow: %q", line)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := &Screen{W: &b, TTY: true, Width: 60}
	p := s.Progress()
	p.Show("Order id 4", 0, 0, "")
	p.Show("Order id 4", 3, 9, "Cloning\x1b[2J debian")
	p.Show("Order id 4", 3, 9, "Cloning\x1b[2J debian")
	p.Show("Order id 4", 12, 9, strings.Repeat("x", 100))
	p.Clear()
	p.Clear()
	want := []string{
		"", "Order id 4 ------------------------  ",
		"Order id 4 ########---------------- 3/9  Cloning[2J debian",
		"Order id 4 ######################## 12/9  xxxxxxxxxxxxxxxx~", "",
	}
	if got := strings.Join(want, "\r\x1b[2K"); b.String() != got {
		t.Errorf("%q\ninstead of\n%q", b.String(), got)
	}
	b.Reset()
	s.UTF8 = true
	s.Progress().Show("x", 1, 2, "")
	if !strings.Contains(b.String(), "████████████░░░░░░░░░░░░ 1/2") {
		t.Errorf("%q", b.String())
	}
}

// YAML reads back as what it was, and holds no byte that a terminal obeys.
func TestYAML(t *testing.T) {
	t.Parallel()
	v := client.Object{
		{Name: "text", Value: "a: b"},
		{Name: "number", Value: "1"},
		{Name: "n", Value: json.Number("1")},
		{Name: "f", Value: json.Number("1.50")},
		{Name: "bool", Value: "true"},
		{Name: "yes", Value: true},
		{Name: "date", Value: "2026-01-01"},
		{Name: "none", Value: nil},
		{Name: "list", Value: []any{}},
		{Name: "map", Value: client.Object{}},
		{Name: "lines", Value: "a\nb\n"},
		{Name: "odd\u009b", Value: "\u009b31m\u202e\u0085\x1b"},
	}
	var b strings.Builder
	s := &Screen{W: &b}
	if err := s.YAML(v); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && client.Unprintable(r) {
			t.Errorf("%q is in %q", r, b.String())
		}
	}
	f, err := client.ReadFile("x", []byte(b.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	want, got := client.AppendJSON(nil, v, ""), client.AppendJSON(nil, f.Body, "")
	if string(got) != string(want) {
		t.Errorf("%s instead of\n%s", got, want)
	}
}

func TestLocale(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LANG": "en_US.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.utf8", "LC_ALL": "C"}, false},
		{map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, true},
		{nil, false},
	} {
		if got := On(&strings.Builder{}, func(n string) string { return x.env[n] }).UTF8; got != x.want {
			t.Errorf("%v: %v", x.env, got)
		}
	}
}
