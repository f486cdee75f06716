package browse

import (
	"bytes"
	"encoding/json"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"halcyon/pkg/page"
)

// source shows the JSON that other clients get, with its addresses as links.
func source(v *page.View) g.Node {
	return g.Group{
		h.Pre(h.Class("source"), h.TabIndex("0"), h.Code(highlight(v.Source))),
	}
}

// highlight marks up the parts of a JSON text.
func highlight(text []byte) g.Node {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return g.Text(string(text))
	}
	var out g.Group
	rest := b.String()
	for rest != "" {
		i := strings.IndexByte(rest, '"')
		if i < 0 {
			out = append(out, g.Text(rest))
			break
		}
		end := i + 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(rest))
		out = append(out, g.Text(rest[:i]), quoted(rest[i:end], strings.HasPrefix(rest[end:], ":")))
		rest = rest[end:]
	}
	return out
}

func quoted(text string, key bool) g.Node {
	var plain string
	switch {
	case key:
		return h.Span(h.Class("key"), g.Text(text))
	case json.Unmarshal([]byte(text), &plain) == nil && strings.HasPrefix(plain, Base+"/") && !strings.ContainsAny(plain, "{ "):
		return g.Group{g.Text(`"`), h.A(h.Href(plain), g.Text(text[1:len(text)-1])), g.Text(`"`)}
	}
	return h.Span(h.Class("string"), g.Text(text))
}
