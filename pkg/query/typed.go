package query

import (
	"slices"
	"strings"
)

// Typed is a term of a filter as people type and read it. It need not be valid.
type Typed struct {
	Path   string // dotted, without the lookup
	Lookup Lookup // Exact by default
	Value  string // unescaped; commas separate a list
}

// TypedTerms splits a filter into terms without interpreting it. A term without a colon is a path without a
// value.
func TypedTerms(filter string) []Typed {
	var terms []Typed
	for _, part := range splitUnescaped(filter, ';') {
		if part != "" {
			terms = append(terms, typedTerm(part))
		}
	}
	return terms
}

func typedTerm(text string) Typed {
	path, value, _ := strings.Cut(text, ":")
	t := Typed{Path: path, Lookup: Exact}
	if i := strings.LastIndexByte(path, '.'); i > 0 {
		if l := Lookup(fold(path[i+1:])); slices.Contains(allLookups, l) {
			t.Path, t.Lookup = path[:i], l
		}
	}
	if plain, reason := unescape(value); reason == "" && !t.list() {
		value = plain
	}
	t.Value = value
	return t
}

// list reports whether commas separate values of the term, rather than belong to one.
func (t *Typed) list() bool { return t.Lookup == In || t.Lookup == Range }

// String returns the term in filter syntax.
func (t Typed) String() string {
	key := t.Path
	if t.Lookup != Exact && t.Lookup != "" {
		key += "." + string(t.Lookup)
	}
	if !t.list() {
		return key + ":" + escape(t.Value)
	}
	parts := splitUnescaped(t.Value, ',')
	for i, part := range parts {
		if plain, reason := unescape(part); reason == "" {
			part = plain
		}
		parts[i] = escape(strings.TrimSpace(part))
	}
	return key + ":" + strings.Join(parts, ",")
}

func (t *Typed) about(other *Typed) bool {
	return fold(t.Path) == fold(other.Path) && t.Lookup == other.Lookup
}

// Refine puts terms into a filter. Each takes the place of the first term with the same path and
// lookup, or is appended; a term without a value removes that term. Everything else stays as it
// was written.
func Refine(filter string, terms ...Typed) string {
	var parts []string
	for _, part := range splitUnescaped(filter, ';') {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for i := range terms {
		t := &terms[i]
		at := slices.IndexFunc(parts, func(part string) bool { was := typedTerm(part); return was.about(t) })
		switch {
		case at >= 0 && t.Value == "":
			parts = slices.Delete(parts, at, at+1)
		case at >= 0:
			parts[at] = t.String()
		case t.Value != "":
			parts = append(parts, t.String())
		}
	}
	return strings.Join(parts, ";")
}
