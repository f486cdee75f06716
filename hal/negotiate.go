package hal

import "strings"

// Representation is a format in which a resource is sent.
type Representation uint8

// The representations, in the order in which ties are decided.
const (
	AsHAL Representation = iota
	AsHALForms
	AsHTML
	AsCloudBolt
)

// ContentType returns the value of the Content-Type header.
func (r Representation) ContentType() string {
	switch r {
	case AsHAL:
	case AsHALForms:
		return "application/prs.hal-forms+json"
	case AsHTML:
		return "text/html; charset=utf-8"
	case AsCloudBolt:
		return "application/json"
	}
	return "application/hal+json"
}

// Shape returns the JSON shape of the representation. Pages show strict HAL.
func (r Representation) Shape() Shape {
	switch r {
	case AsHALForms:
		return HALForms
	case AsCloudBolt:
		return CloudBolt
	case AsHAL, AsHTML:
	}
	return HAL
}

// String returns the short name of the representation, for logs and metrics.
func (r Representation) String() string {
	switch r {
	case AsHAL:
	case AsHALForms:
		return "hal-forms"
	case AsHTML:
		return "html"
	case AsCloudBolt:
		return "cloudbolt"
	}
	return "hal"
}

// Negotiate chooses the representation for the values of the Accept header
// (RFC 9110, section 12.5.1). Each representation takes the q of the most
// specific range that matches it; the highest q wins, and equal q goes to the
// earlier of AsHAL, AsHALForms, AsHTML, AsCloudBolt. HAL-FORMS must be named, with a q
// not below that of hal+json, and then wins over it.
// prefer is the shape for wildcards and for requests without the header: CloudBolt on sites with old scripts, HAL otherwise. A header that names hal+json is not affected.
// Negotiate never fails: unreadable ranges are skipped, parameters other than q are ignored, and a client that accepts no representation gets HAL rather than status 406.
func Negotiate(accept []string, prefer Shape) Representation {
	var offers [4]offer  // by Representation
	hasRange := false    // there is a readable range
	hasWildcard := false // there is a wildcard that covers JSON
	for _, header := range accept {
		for header != "" {
			var item string
			item, header = cutUnquoted(header, ',')
			kind, q, ok := parseRange(item)
			if !ok {
				continue
			}
			hasRange = true
			for r := range offers {
				offers[r].take(specificity(kind, Representation(r)), q)
			}
			rank := specificity(kind, AsCloudBolt)
			hasWildcard = hasWildcard || q > 0 && (rank == anyType || rank == anySub)
		}
	}
	if !hasRange {
		if prefer == CloudBolt {
			return AsCloudBolt
		}
		return AsHAL
	}

	if forms := &offers[AsHALForms]; forms.rank == exact && forms.q >= offers[AsHAL].q {
		offers[AsHAL].q = 0
	} else {
		forms.q = 0
	}
	order := [...]Representation{AsHAL, AsHALForms, AsHTML, AsCloudBolt}
	if prefer == CloudBolt && hasWildcard {
		order = [...]Representation{AsHALForms, AsCloudBolt, AsHAL, AsHTML}
		if offers[AsHAL].rank == exact {
			order = [...]Representation{AsHAL, AsHALForms, AsCloudBolt, AsHTML}
		}
	}
	best := AsHAL
	for i, highest := 0, 0; i < len(order); i++ {
		if q := offers[order[i]].q; q > highest {
			best, highest = order[i], q
		}
	}
	return best
}

// offer is the preference of the header for one representation.
type offer struct {
	rank int // specificity of the range that set q; 0 if none matched
	q    int // in millionths
}

// The ranks of media ranges.
const (
	anyType = iota + 1 // */*
	anySub             // application/*
	exact              // application/json
)

// take keeps the q of the most specific range, and of equally specific ones the highest:
// parameters are ignored, so the same type may occur twice.
func (o *offer) take(rank, q int) {
	if rank > o.rank || rank == o.rank && rank > 0 && q > o.q {
		o.rank, o.q = rank, q
	}
}

// specificity returns the rank at which a media range covers a representation, 0 if it
// does not.
func specificity(kind string, r Representation) int {
	if equalFold(kind, "*/*") || kind == "*" { // Java's URLConnection sends a bare *
		return anyType
	}
	wildcard := "application/*"
	var names [2]string
	switch r {
	case AsHAL:
		names = [2]string{"application/hal+json", "application/vnd.hal+json"}
	case AsHALForms:
		names[0] = "application/prs.hal-forms+json"
	case AsHTML:
		names[0], wildcard = "text/html", "text/*"
	case AsCloudBolt:
		names[0] = "application/json"
	}
	switch {
	case equalFold(kind, names[0]), names[1] != "" && equalFold(kind, names[1]):
		return exact
	case equalFold(kind, wildcard):
		return anySub
	default:
		return 0
	}
}

// parseRange splits one element of Accept into its type and q, in millionths; ok is false
// if it is not a media range.
func parseRange(item string) (kind string, q int, ok bool) {
	kind, rest := cutUnquoted(item, ';')
	kind = trim(kind)
	if kind != "*" && !strings.Contains(kind, "/") {
		return "", 0, false
	}
	q = fullQ
	for rest != "" {
		var param string
		param, rest = cutUnquoted(rest, ';')
		name, value, _ := strings.Cut(param, "=")
		if equalFold(trim(name), "q") {
			return kind, parseQ(trim(value)), true // further parameters belong to extensions
		}
	}
	return kind, q, true
}

// fullQ is the q of a range without one.
const fullQ = 1_000_000

// parseQ returns a q value in millionths. It accepts more than RFC 9110 allows (".2",
// "1.5", more than three digits), since clients send such headers; anything but a number
// counts as not stated.
func parseQ(s string) int {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" && frac == "" {
		return fullQ
	}
	for i := range len(whole) {
		if whole[i] < '0' || whole[i] > '9' {
			return fullQ
		}
	}
	q, digit, positive := 0, fullQ/10, false
	for i := range len(frac) {
		if frac[i] < '0' || frac[i] > '9' {
			return fullQ
		}
		q += int(frac[i]-'0') * digit
		digit /= 10
		positive = positive || frac[i] != '0'
	}
	switch {
	case strings.Trim(whole, "0") != "":
		return fullQ // 1 or more
	case q == 0 && positive:
		return 1 // below a millionth, but not refused
	default:
		return q
	}
}

// cutUnquoted cuts s at the first sep outside quoted strings. A quote that is not closed
// extends to the end.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func trim(s string) string { return strings.Trim(s, " \t") }

// equalFold compares ASCII names, ignoring case. The length check rules out non-ASCII
// case folding.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
