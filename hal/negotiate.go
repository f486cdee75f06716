package hal

import "strings"

// Representation is what is sent for a resource.
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

// Shape returns the JSON behind the representation; for HTML, the strict HAL
// that the page shows.
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
// earlier of AsHAL, AsHALForms, AsHTML, AsCloudBolt. HAL-FORMS has to be named,
// with a q not below that of hal+json, and wins over it then.
//
// prefer is CloudBolt where sites have old scripts: wildcards, and no header at
// all, then mean that shape rather than HAL. A header that names hal+json is not
// affected.
//
// It never fails: what cannot be read is skipped, parameters other than q are
// ignored, and a client that takes none of these gets HAL, as there is no 406.
func Negotiate(accept []string, prefer Shape) Representation {
	var offers [4]offer // by Representation
	anything := false   // a readable range was there
	wild := false       // a wildcard that covers JSON was there
	for _, header := range accept {
		for header != "" {
			var item string
			item, header = cutUnquoted(header, ',')
			kind, q, ok := parseRange(item)
			if !ok {
				continue
			}
			anything = true
			for r := range offers {
				offers[r].take(specificity(kind, Representation(r)), q)
			}
			rank := specificity(kind, AsCloudBolt)
			wild = wild || q > 0 && (rank == anyType || rank == anySub)
		}
	}
	if !anything {
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
	if prefer == CloudBolt && wild {
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

// offer is what the header says about one representation.
type offer struct {
	rank int // how specific the range was that gave q; 0 if none matched
	q    int // in millionths
}

// The ranks of media ranges.
const (
	anyType = iota + 1 // */*
	anySub             // application/*
	exact              // application/json
)

// take keeps the q of the most specific range, and of equal ones the highest:
// parameters are ignored, so the same type may come twice.
func (o *offer) take(rank, q int) {
	if rank > o.rank || rank == o.rank && rank > 0 && q > o.q {
		o.rank, o.q = rank, q
	}
}

// specificity returns the rank at which a media range covers a representation, 0
// if it does not.
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

// parseRange splits one element of Accept into its type and q, in millionths; ok
// is false for what is no media range.
func parseRange(item string) (kind string, q int, ok bool) {
	kind, rest := cutUnquoted(item, ';')
	kind = trim(kind)
	if kind != "*" && !strings.Contains(kind, "/") {
		return "", 0, false
	}
	q = million
	for rest != "" {
		var param string
		param, rest = cutUnquoted(rest, ';')
		name, value, _ := strings.Cut(param, "=")
		if equalFold(trim(name), "q") {
			return kind, parseQ(trim(value)), true // what follows belongs to an extension
		}
	}
	return kind, q, true
}

// million is the q of a range that states none.
const million = 1_000_000

// parseQ returns a q value in millionths. It takes more than RFC 9110 allows
// (".2", "1.5", more than three digits), since such headers are sent; what is no
// number counts as not stated.
func parseQ(s string) int {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" && frac == "" {
		return million
	}
	for i := range len(whole) {
		if whole[i] < '0' || whole[i] > '9' {
			return million
		}
	}
	q, digit, positive := 0, million/10, false
	for i := range len(frac) {
		if frac[i] < '0' || frac[i] > '9' {
			return million
		}
		q += int(frac[i]-'0') * digit
		digit /= 10
		positive = positive || frac[i] != '0'
	}
	switch {
	case strings.Trim(whole, "0") != "":
		return million // 1, and whatever claims to be more
	case q == 0 && positive:
		return 1 // tiny, but no refusal
	default:
		return q
	}
}

// cutUnquoted cuts s at the first sep that is not inside a quoted string. A quote
// that never ends quotes the rest.
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

// equalFold compares media types and parameter names, which are ASCII.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
