// Package screen shows documents to people and to other programs: tables, JSON and
// YAML, a bar of progress. What it is given may come from anywhere: no control
// character of it reaches the terminal.
package screen

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
	"golang.org/x/text/width"

	"halcyon/cmd/halcyon/cli/client"
)

// Screen is where things are shown.
type Screen struct {
	W     io.Writer
	TTY   bool // whether a person looks at it
	Width int  // columns of the terminal
	UTF8  bool // whether it shows more than ASCII
	Color bool
}

// On describes what the writer is, by what the environment says.
func On(w io.Writer, getenv func(string) string) *Screen {
	s := &Screen{W: w, Width: 80, UTF8: utf8Locale(getenv)}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.TTY = true
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		s.Width = n
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		s.Width = n
	}
	s.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return s
}

// utf8Locale looks at the locale as the C library does.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// JSON shows a value as JSON.
func (s *Screen) JSON(v any) error {
	_, err := s.W.Write(append(client.AppendJSON(nil, v, "  "), '\n'))
	return err
}

// YAML shows a value as YAML.
func (s *Screen) YAML(v any) error {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(node(v)); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	// What YAML takes for printable and a terminal does not stands between double
	// quotes, where it can be written in another way.
	var b strings.Builder
	for _, r := range buf.String() {
		if r != '\n' && client.Unprintable(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	_, err := io.WriteString(s.W, b.String())
	return err
}

// node makes YAML of a value, whose members keep their order.
func node(v any) *yaml.Node {
	switch x := v.(type) {
	case client.Object:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if len(x) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, m := range x {
			n.Content = append(n.Content, node(m.Name), node(m.Value))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if len(x) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, e := range x {
			n.Content = append(n.Content, node(e))
		}
		return n
	case string:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: x}
		if strings.ContainsFunc(x, client.Unprintable) {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(x)}
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	text := client.Text(v)
	tag := "!!int"
	if strings.ContainsAny(text, ".eE") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

// Columns of a text on the terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x7f:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me), r == 0x200d, r >= 0xfe00 && r <= 0xfe0f:
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// cut shortens a text to so many columns.
func (s *Screen) cut(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	mark := "~"
	if s.UTF8 {
		mark = "…"
	}
	n, end := 0, 0
	for i, r := range text {
		if n += runeColumns(r); n > most-1 {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + mark
}

// ascii shows what the locale cannot as question marks.
func (s *Screen) ascii(text string) string {
	if s.UTF8 || !s.TTY {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, text)
}

// Line shows one line, which is cleaned.
func (s *Screen) Line(text string) error {
	_, err := io.WriteString(s.W, s.ascii(client.Plain(text))+"\n")
	return err
}

// Table shows rows under a header, which may be nil: aligned and as wide as the
// terminal, or with tabs between the cells when another program reads it.
func (s *Screen) Table(header []string, rows [][]string) error {
	all := rows
	if header != nil {
		all = append([][]string{header}, rows...)
	}
	clean := make([][]string, len(all))
	for i, row := range all {
		for _, cell := range row {
			clean[i] = append(clean[i], s.ascii(client.Plain(cell)))
		}
	}
	var b strings.Builder
	if !s.TTY {
		for _, row := range clean {
			b.WriteString(strings.Join(row, "\t") + "\n")
		}
	} else {
		s.align(&b, clean)
	}
	_, err := io.WriteString(s.W, b.String())
	return err
}

const (
	gap       = 2 // between columns
	narrowest = 8 // to which a column is cut
)

func (s *Screen) align(b *strings.Builder, rows [][]string) {
	var wide []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], columns(cell))
		}
	}
	s.fit(wide)
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			cell = s.cut(cell, wide[i])
			pad := wide[i] - columns(cell) + gap
			line += s.paint(cell) + strings.Repeat(" ", pad)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// fit makes the widest columns narrower until all fit on the terminal.
func (s *Screen) fit(wide []int) {
	for {
		total, widest := gap*(len(wide)-1), 0
		for i, n := range wide {
			total += n
			if n > wide[widest] {
				widest = i
			}
		}
		if total <= s.Width || wide[widest] <= narrowest {
			return
		}
		wide[widest]--
	}
}

// colors are of words that say how something stands.
var colors = map[string]string{
	"SUCCESS": "32", "ACTIVE": "32", "POWERON": "32", "Active": "32",
	"PENDING": "33", "QUEUED": "33", "CART": "33", "WARNING": "33", "RUNNING": "36", "PROV": "36", "MODIFY": "36",
	"FAILURE": "31", "DENIED": "31", "CANCELED": "31", "PROVFAILED": "31",
}

func (s *Screen) paint(word string) string {
	if c, ok := colors[word]; ok && s.Color {
		return "\x1b[" + c + "m" + word + "\x1b[0m"
	}
	return word
}

// Progress is a line with a bar that is written over and over, on a terminal.
type Progress struct {
	s    *Screen
	last string
}

// Progress begins a bar.
func (s *Screen) Progress() *Progress { return &Progress{s: s} }

const barColumns = 24

// Show draws the bar anew: what it is of, how much is done, and what happens now.
func (p *Progress) Show(label string, done, total int, now string) {
	full, empty := "#", "-"
	if p.s.UTF8 {
		full, empty = "█", "░"
	}
	n := 0
	if total > 0 {
		n = min(done, total) * barColumns / total
	}
	head := label + " " + strings.Repeat(full, n) + strings.Repeat(empty, barColumns-n)
	if total > 0 {
		head += " " + strconv.Itoa(done) + "/" + strconv.Itoa(total)
	}
	line := p.s.cut(p.s.ascii(client.Plain(head+"  "+now)), p.s.Width-1)
	if line == p.last {
		return
	}
	p.last = line
	_, _ = io.WriteString(p.s.W, "\r\x1b[2K"+line)
}

// Clear takes the bar away, so that a line can be written.
func (p *Progress) Clear() {
	if p.last != "" {
		_, _ = io.WriteString(p.s.W, "\r\x1b[2K")
		p.last = ""
	}
}

// Status shows the word in its color.
func (s *Screen) Status(word string) string { return s.paint(client.Plain(word)) }
