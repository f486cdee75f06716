package query

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"halcyon/pkg/access"
	"halcyon/pkg/fault"
)

const (
	maxFilter     = 4096
	maxTerms      = 16
	maxPath       = 4
	maxAttributes = 64
	maxOrder      = 8
	maxCursor     = 8192
	defaultSize   = 10
	defaultMax    = 100
)

// Options is what Parse needs besides the schema.
type Options struct {
	// Extra names further parameters of the endpoint. Parse returns them in Query.Extra, uninterpreted.
	Extra []string
	// Attribute reports whether an attribute exists; paths are lower case and hyphenated. Nil means the
	// schema's fields and to-one relations. It cannot expose anything that the schema hides from the
	// caller.
	Attribute func(path []string) bool
	// DefaultSize and MaxSize are page sizes; 0 means 10 and 100.
	DefaultSize, MaxSize int
}

var ownParameters = []string{"filter", "attributes", "order", "page", "page_size", "after", "before"}

// Parse reads the query string of a collection. It takes RawQuery, because url.Values drops parameters with
// a raw semicolon. The error is Invalid and names the parameter.
func Parse(rawQuery string, s *Schema, a access.Actor, opt Options) (Query, error) {
	q := Query{Page: 1, Size: opt.DefaultSize, Extra: url.Values{}, collection: s.Name}
	if q.Size == 0 {
		q.Size = defaultSize
	}
	given, err := split(rawQuery, ownParameters, opt.Extra, q.Extra)
	if err != nil {
		return Query{}, err
	}
	if q.Page, q.Size, err = paging(given, q.Size, cmp.Or(opt.MaxSize, defaultMax)); err != nil {
		return Query{}, err
	}
	if q.Filter, err = parseFilter(given["filter"], s, a); err != nil {
		return Query{}, err
	}
	if q.Attributes, err = parseAttributes(given["attributes"], s, a, opt.Attribute); err != nil {
		return Query{}, err
	}
	if q.Order, err = parseOrder(given["order"], s, a); err != nil {
		return Query{}, err
	}
	q.After, q.Before = given["after"], given["before"]
	if q.After != "" && q.Before != "" {
		return Query{}, fault.InvalidField(fault.Argument("before"), "cannot be combined with after")
	}
	for _, name := range []string{"after", "before"} {
		if text := given[name]; text != "" {
			if _, err := decodeCursor(name, text, s.Name, a, q); err != nil {
				return Query{}, err
			}
		}
	}
	q.LinkParams = linkParams(given)
	return q, nil
}

// ParsePage reads the query string of a list without filter and order. It returns the page number, from 1,
// and the page size, 100 by default and at most. The error is Invalid and names the parameter.
func ParsePage(rawQuery string) (page, size int, err error) {
	given, err := split(rawQuery, []string{"page", "page_size"}, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	return paging(given, defaultMax, defaultMax)
}

// paging returns the requested page number and page size.
func paging(given map[string]string, size, limit int) (int, int, error) {
	page := 1
	var err error
	if text, ok := given["page"]; ok {
		if page, err = positive("page", text); err != nil {
			return 0, 0, err
		}
	}
	if text, ok := given["page_size"]; ok {
		if size, err = positive("page_size", text); err != nil {
			return 0, 0, err
		}
	}
	return page, min(size, limit), nil
}

// split returns the values of the known parameters, and adds those of the extra parameters to extras. A
// parameter without a value counts as missing: HTML forms send empty inputs that way.
func split(raw string, known, extra []string, extras url.Values) (map[string]string, error) {
	given := map[string]string{}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !validText(name) {
			return nil, fault.InvalidField(fault.Argument("query"), "the parameter %s is not percent-encoded as it should be", quote(strings.ToValidUTF8(rawName, "�")))
		}
		own := slices.Contains(known, name)
		if !own && !slices.Contains(extra, name) {
			valid := strings.Join(append(slices.Clone(known), extra...), ", ")
			e := invalid(name, "Valid parameters: "+valid+".", "is no parameter of this resource; valid are %s", valid)
			e.Message = "Unknown query parameter " + quote(name) + ": valid are " + valid + "."
			return nil, e
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil || !validText(value) {
			return nil, fault.InvalidField(fault.Argument(name), "is not percent-encoded UTF-8 text")
		}
		if !own {
			extras.Add(name, value)
			continue
		}
		if seen[name] && name != "page" && name != "page_size" {
			return nil, fault.InvalidField(fault.Argument(name), "can be given once only")
		}
		seen[name] = true
		if value != "" {
			given[name] = value
		}
	}
	return given, nil
}

func positive(name, text string) (int, error) {
	if !digits(text) {
		return 0, fault.InvalidField(fault.Argument(name), "%s is not a whole number from 1", quote(text))
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > 1_000_000_000_000 {
		return 0, fault.InvalidField(fault.Argument(name), "%s is too large", quote(text))
	}
	if n < 1 {
		return 0, fault.InvalidField(fault.Argument(name), "%s is not a whole number from 1", quote(text))
	}
	return n, nil
}

// parseFilter reads term *(";" term) [";"].
func parseFilter(text string, s *Schema, a access.Actor) ([]Term, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxFilter {
		return nil, fault.InvalidField(fault.Argument("filter"), "has %d bytes, at most %d are allowed", len(text), maxFilter)
	}
	parts := splitUnescaped(text, ';')
	if len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) > maxTerms {
		return nil, fault.InvalidField(fault.Argument("filter"), "has %d terms, at most %d are allowed", len(parts), maxTerms)
	}
	terms := make([]Term, len(parts))
	for i, part := range parts {
		t, reason, detail := parseTerm(part, s, a)
		if reason != "" {
			return nil, invalid("filter", detail, "term %d %s: %s", i+1, quote(part), reason)
		}
		terms[i] = t
	}
	return terms, nil
}

func parseTerm(text string, s *Schema, a access.Actor) (t Term, reason, detail string) {
	const form = "A term is field:value or field.lookup:value, terms are separated by ;."
	if text == "" {
		return t, "is empty", form
	}
	path, value, ok := strings.Cut(text, ":")
	if !ok {
		return t, "has no colon", form
	}
	if len(value) > maxValue {
		return t, fmt.Sprintf("the value has %d bytes, at most %d are allowed", len(value), maxValue), ""
	}
	segments, reason := pathOf(path)
	if reason != "" {
		return t, reason, form
	}
	r, bad := resolve(s, a, segments, true)
	if bad != nil {
		return t, bad.reason, bad.detail
	}
	t = Term{Hops: r.hops, Field: r.field, Lookup: r.lookup}
	var texts []string
	if t.Lookup == In || t.Lookup == Range {
		texts = splitUnescaped(value, ',')
	} else {
		texts = []string{value}
	}
	for i := range texts {
		if texts[i], reason = unescape(texts[i]); reason != "" {
			return t, reason, `Escapes: \\ \; \: \,`
		}
	}
	reason, detail = t.parse(r.terminalHop, texts)
	return t, reason, detail
}

// splitUnescaped splits at each separator without a backslash before it.
func splitUnescaped(s string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unescape(s string) (text, reason string) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || strings.IndexByte(`\;:,`, s[i]) < 0 {
				return "", `a backslash escapes nothing but \ ; : and ,`
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// escape quotes a value so that a filter reads it back unchanged.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `;`, `\;`, `:`, `\:`, `,`, `\,`).Replace(value)
}

// pathOf splits a dotted path and folds its segments.
func pathOf(path string) (segments []string, reason string) {
	if path == "" {
		return nil, "the field is missing"
	}
	segments = strings.Split(path, ".")
	for i, segment := range segments {
		if segment == "" {
			return nil, "the path has an empty segment"
		}
		for j := range len(segment) {
			if c := segment[j]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return nil, "the path holds other characters than letters, digits, - and _"
			}
		}
		segments[i] = fold(segment)
	}
	return segments, ""
}

// fold returns a name in the form of the declarations.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// resolved is the meaning of a path of a filter.
type resolved struct {
	hops        []*Hop
	field       *Field
	lookup      Lookup
	terminalHop bool // the path ends at a relation: the field is its target's id
}

type unresolved struct{ reason, detail string }

// resolve finds the field that a path leads to. It reads each segment as a relation or a field if possible,
// and otherwise as a lookup.
func resolve(s *Schema, a access.Actor, segments []string, lookups bool) (resolved, *unresolved) {
	r := resolved{lookup: Exact}
	used := 0 // segments of the path, without the lookup
	rest := segments
	if len(rest) > 1 && rest[0] == fold(s.Name) && s.Field(rest[0], a) == nil && s.Hop(rest[0], a) == nil {
		rest = rest[1:]
		used++
	}
	for {
		name := rest[0]
		field, hop := s.Field(name, a), s.Hop(name, a)
		if used++; used > maxPath && (field != nil || hop != nil) {
			return r, &unresolved{fmt.Sprintf("the path has more than %d segments", maxPath), ""}
		}
		rest = rest[1:]
		if hop != nil && len(rest) > 0 && (hop.Target.Field(rest[0], a) != nil || hop.Target.Hop(rest[0], a) != nil) {
			r.hops = append(r.hops, hop)
			s = hop.Target
			continue
		}
		switch {
		case hop != nil && len(rest) == 1 && !isLookup(rest[0]):
			// owner.nosuch means a field of the owner.
			return r, unknown(hop.Target, a, rest[0])
		case field != nil && len(rest) <= 1:
			r.field = field
		case hop != nil && len(rest) <= 1:
			r.hops = append(r.hops, hop)
			r.field, r.terminalHop = hop.Target.ID(), true
		case hop != nil:
			return r, unknown(hop.Target, a, rest[0])
		case field != nil:
			return r, &unresolved{fmt.Sprintf("nothing but one lookup may follow %s", quote(name)), "Valid lookups: " + joinLookups(field.Lookups()) + "."}
		default:
			return r, unknown(s, a, name)
		}
		if len(rest) == 1 {
			r.lookup = Lookup(rest[0])
			if !lookups {
				return r, unknown(s, a, rest[0])
			}
		}
		return r, nil
	}
}

func isLookup(name string) bool {
	return slices.Contains(allLookups, Lookup(name)) || name == "regex" || name == "iregex"
}

// unknown returns the same answer for missing and for hidden names.
func unknown(s *Schema, a access.Actor, name string) *unresolved {
	fields, hops := s.Known(a)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	detail := fmt.Sprintf("Valid fields of %s: %s.", s.Plural, strings.Join(names, ", "))
	if len(hops) > 0 {
		names = names[:0]
		for _, h := range hops {
			names = append(names, h.Name)
		}
		detail += fmt.Sprintf(" Relations: %s.", strings.Join(names, ", "))
	}
	return &unresolved{fmt.Sprintf("%s have no field %s", s.Plural, quote(name)), detail}
}

// list splits a comma-separated parameter.
func list(name, text string, most int) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxFilter {
		return nil, fault.InvalidField(fault.Argument(name), "has %d bytes, at most %d are allowed", len(text), maxFilter)
	}
	items := strings.Split(text, ",")
	if len(items) > most {
		return nil, fault.InvalidField(fault.Argument(name), "has %d entries, at most %d are allowed", len(items), most)
	}
	return items, nil
}

func parseAttributes(text string, s *Schema, a access.Actor, exists func([]string) bool) ([]Attribute, error) {
	items, err := list("attributes", text, maxAttributes)
	if err != nil {
		return nil, err
	}
	var out []Attribute
	for _, item := range items {
		at, bad := resolveAttribute(s, a, item, exists)
		if bad != nil {
			return nil, invalid("attributes", bad.detail, "%s: %s", quote(item), bad.reason)
		}
		if !slices.ContainsFunc(out, func(o Attribute) bool { return slices.Equal(o.Path, at.Path) }) {
			out = append(out, at)
		}
	}
	return out, nil
}

func resolveAttribute(s *Schema, a access.Actor, item string, exists func([]string) bool) (Attribute, *unresolved) {
	segments, reason := pathOf(item)
	if reason != "" {
		return Attribute{}, &unresolved{reason, ""}
	}
	if len(segments) > maxPath {
		return Attribute{}, &unresolved{fmt.Sprintf("the path has more than %d segments", maxPath), ""}
	}
	if len(segments) > 1 && segments[0] == fold(s.Name) && s.Field(segments[0], a) == nil && s.Hop(segments[0], a) == nil {
		segments = segments[1:]
	}
	at := Attribute{Asked: item, Path: segments}
	if exists != nil && !exists(segments) {
		return at, unknown(s, a, segments[0])
	}
	for i, name := range segments {
		last := i == len(segments)-1
		if hop := s.Hop(name, a); hop != nil && !hop.Many {
			at.Hops = append(at.Hops, hop)
			s = hop.Target
			continue
		}
		if field := s.Field(name, a); field != nil && last {
			at.Field = field
			return at, nil
		}
		// A declared name that is hidden from the caller stays closed, whatever the resource layer reports.
		if exists == nil || s.declares(name) && s.Hop(name, a) == nil && s.Field(name, a) == nil {
			return at, unknown(s, a, name)
		}
		return at, nil
	}
	return at, nil
}

func (s *Schema) declares(name string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == name }) ||
		slices.ContainsFunc(s.Hops, func(h Hop) bool { return h.Name == name })
}

func parseOrder(text string, s *Schema, a access.Actor) ([]Key, error) {
	items, err := list("order", text, maxOrder)
	if err != nil {
		return nil, err
	}
	var out []Key
	for _, item := range items {
		name, desc := strings.CutPrefix(item, "-")
		var k Key
		bad := &unresolved{}
		segments, reason := pathOf(name)
		if reason != "" {
			bad.reason = reason
		} else {
			k, bad = resolveKey(s, a, segments)
		}
		if bad != nil {
			return nil, invalid("order", bad.detail, "%s: %s", quote(item), bad.reason)
		}
		k.Desc = desc
		if !slices.ContainsFunc(out, func(o Key) bool { return o.name() == k.name() }) {
			out = append(out, k)
		}
	}
	return out, nil
}

func (k Key) name() string {
	var b strings.Builder
	for _, h := range k.Hops {
		b.WriteString(h.Name)
		b.WriteByte('.')
	}
	b.WriteString(k.Field.Name)
	if k.IgnoreCase {
		b.WriteString("." + ignoreCase)
	}
	return b.String()
}

// ignoreCase is the last segment of a sort key that ignores the case of letters.
const ignoreCase = "icase"

// resolveKey finds the field to sort by. A path that ends at a relation cannot be sorted by.
func resolveKey(s *Schema, a access.Actor, segments []string) (Key, *unresolved) {
	var k Key
	if n := len(segments) - 1; n > 0 && segments[n] == ignoreCase {
		k.IgnoreCase = true
		segments = segments[:n]
	}
	if len(segments) > maxPath {
		return k, &unresolved{fmt.Sprintf("the path has more than %d segments", maxPath), ""}
	}
	if len(segments) > 1 && segments[0] == fold(s.Name) && s.Field(segments[0], a) == nil && s.Hop(segments[0], a) == nil {
		segments = segments[1:]
	}
	for _, name := range segments[:len(segments)-1] {
		hop := s.Hop(name, a)
		if hop == nil || hop.Many {
			return k, unsortable(s, a, name)
		}
		k.Hops = append(k.Hops, hop)
		s = hop.Target
	}
	name := segments[len(segments)-1]
	if k.Field = s.Field(name, a); k.Field == nil || !k.Field.Sort {
		return k, unsortable(s, a, name)
	}
	if k.IgnoreCase && k.Field.Kind != Text {
		return k, &unresolved{fmt.Sprintf("%s is not a text: only texts can be ordered with .%s", quote(name), ignoreCase), ""}
	}
	return k, nil
}

func unsortable(s *Schema, a access.Actor, name string) *unresolved {
	fields, hops := s.Known(a)
	var names, over []string
	for _, f := range fields {
		if f.Sort {
			names = append(names, f.Name)
		}
	}
	for _, h := range hops {
		if !h.Many {
			over = append(over, h.Name)
		}
	}
	detail := fmt.Sprintf("Valid in the order of %s: %s, each with - before it for descending, texts with .icase after it to ignore the case of letters.", s.Plural, strings.Join(names, ", "))
	if len(over) > 0 {
		detail += fmt.Sprintf(" Relations: %s.", strings.Join(over, ", "))
	}
	return &unresolved{fmt.Sprintf("%s cannot be ordered by %s", s.Plural, quote(name)), detail}
}

// linkParams encodes the parameters that links to other pages repeat. It omits the page size: links state
// the size in effect, not the requested one.
func linkParams(given map[string]string) string {
	var b strings.Builder
	for _, name := range []string{"filter", "attributes", "order"} {
		value, ok := given[name]
		if !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		encode(&b, value)
	}
	return b.String()
}

// encode percent-encodes all but the unreserved characters and ; : , which belong to the filter syntax and
// stay readable.
func encode(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', strings.IndexByte("-._~;:,", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
}
