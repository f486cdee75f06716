package browse

import (
	"net/url"
	"strings"
)

// address is the path of a page and its query as decoded pairs. A raw semicolon in a
// value is an ordinary character, unlike in net/url.
type address struct {
	path  string
	pairs []pair
}

type pair struct{ name, value string }

// addressOf parses a path and a raw query. Pairs that cannot be decoded are left out: the
// page shows the error.
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

// get returns the value of a parameter, "" when it is missing.
func (a address) get(name string) string {
	for _, p := range a.pairs {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// with returns the address with other values of parameters; "" removes one.
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

// fromFirstPage returns the address of the list's first page, with other values of
// parameters.
func (a address) fromFirstPage(changes ...pair) address {
	return a.with(append([]pair{{"page", ""}, {"after", ""}, {"before", ""}}, changes...)...)
}

// String returns the address as an href.
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
