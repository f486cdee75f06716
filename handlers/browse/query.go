package browse

import (
	"net/url"
	"strings"
)

// address is a page with its query as pairs, in which a raw semicolon is nothing
// special.
type address struct {
	path  string
	pairs []pair
}

type pair struct{ name, value string }

// addressOf reads a path and a raw query. What cannot be decoded is left out: it is
// what the page complains of.
func addressOf(path, raw string) address {
	a := address{path: path}
	for text := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(text, "=")
		name, bad := url.QueryUnescape(name)
		value, worse := url.QueryUnescape(value)
		if name != "" && bad == nil && worse == nil {
			a.pairs = append(a.pairs, pair{name, value})
		}
	}
	return a
}

// get gives a parameter's value, "" for none.
func (a address) get(name string) string {
	for _, p := range a.pairs {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// with gives the address with other values of parameters; "" takes one out.
func (a address) with(changes ...pair) address {
	out := address{path: a.path, pairs: make([]pair, 0, len(a.pairs)+1)}
next:
	for _, p := range a.pairs {
		for _, c := range changes {
			if c.name == p.name {
				continue next
			}
		}
		out.pairs = append(out.pairs, p)
	}
	for _, c := range changes {
		if c.value != "" {
			out.pairs = append(out.pairs, c)
		}
	}
	return out
}

// fromFirstPage is the list from its first page, with other values of parameters.
func (a address) fromFirstPage(changes ...pair) address {
	return a.with(append([]pair{{"page", ""}, {"after", ""}, {"before", ""}}, changes...)...)
}

// String gives the address as an href.
func (a address) String() string {
	var b strings.Builder
	b.WriteString(a.path)
	sep := byte('?')
	for _, p := range a.pairs {
		b.WriteByte(sep)
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value))
		sep = '&'
	}
	return b.String()
}
