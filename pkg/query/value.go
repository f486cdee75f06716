package query

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"halcyon/models"
)

// Value is one literal of a term, parsed for the field and the lookup.
type Value struct {
	Text string    // Text; Enum as stored; Date; the day of the lookup date
	Int  int64     // Int, scaled and rounded down; year, month and day
	Frac bool      // Int: the asked number lies between Int and Int+1
	Bool bool      // Bool and isnull
	Time time.Time // Time, in UTC and whole microseconds
	Ref  RefValue
}

// RefKind is the kind of id in a reference.
type RefKind int

// The ids.
const (
	ByID RefKind = iota
	ByGlobalID
	ByUUID
)

// RefValue is a reference to a row by one of its ids.
type RefValue struct {
	Kind RefKind
	ID   models.ID
	Text string // of a global id or a uuid, as stored
}

const (
	maxIn    = 100
	maxValue = 512
)

// parse reads the literals of a term. The reason is "" if they are valid.
func (t *Term) parse(terminalHop bool, texts []string) (reason, detail string) {
	lookups := t.Field.Lookups()
	if terminalHop {
		lookups = refLookups
	}
	if !slices.Contains(lookups, t.Lookup) {
		detail = "Valid lookups: " + joinLookups(lookups) + "."
		switch {
		case t.Lookup == "regex" || t.Lookup == "iregex":
			return fmt.Sprintf("the lookup %s is not available", t.Lookup), detail
		case slices.Contains(allLookups, t.Lookup):
			return fmt.Sprintf("the lookup %s does not fit this field", t.Lookup), detail
		}
		return fmt.Sprintf("there is no lookup %s", quote(string(t.Lookup))), detail
	}
	//exhaustive:ignore
	switch t.Lookup {
	case In:
		if len(texts) > maxIn {
			return fmt.Sprintf("in takes at most %d values", maxIn), ""
		}
	case Range:
		if len(texts) != 2 {
			return "range takes exactly two values, separated by a comma", ""
		}
	default:
		if len(texts) != 1 {
			return "takes one value", ""
		}
	}
	t.Values = make([]Value, len(texts))
	for i, text := range texts {
		if reason, detail = t.Values[i].parse(t.Field, t.Lookup, text); reason != "" {
			return reason, detail
		}
	}
	return "", ""
}

func (v *Value) parse(f *Field, l Lookup, text string) (reason, detail string) {
	if !validText(text) {
		return "the value is not valid UTF-8 text", ""
	}
	//exhaustive:ignore
	switch l {
	case IsNull:
		return v.parseBool(text)
	case OnDate:
		return v.parseDate(text)
	case Year:
		return v.parsePart(text, "a year", 1, 9999)
	case Month:
		return v.parsePart(text, "a month", 1, 12)
	case Day:
		return v.parsePart(text, "a day of the month", 1, 31)
	default:
	}
	switch f.Kind {
	case Text:
		v.Text = text
	case Int:
		return v.parseInt(text, f.Scale)
	case Bool:
		return v.parseBool(text)
	case Enum:
		return v.parseEnum(text, f)
	case Time:
		return v.parseTime(text)
	case Date:
		return v.parseDate(text)
	case Ref:
		if (&Term{Field: f, Lookup: l}).byNumber() {
			return v.parseInt(text, 1)
		}
		ref, reason := parseRef(f.Target.Name, f.Target.Plural, f.Target.Prefix, text)
		v.Ref = ref
		return reason, ""
	}
	return "", ""
}

func (v *Value) parseBool(text string) (reason, detail string) {
	switch strings.ToLower(text) {
	case "1", "true":
		v.Bool = true
	case "0", "false":
	default:
		return fmt.Sprintf("%s is neither true nor false", quote(text)), "Valid values: 0, 1, true, false."
	}
	return "", ""
}

func (v *Value) parsePart(text, what string, low, high int64) (reason, detail string) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !digits(text) || n < low || n > high {
		return fmt.Sprintf("%s is not %s", quote(text), what), fmt.Sprintf("Valid values: %d to %d.", low, high)
	}
	v.Int = n
	return "", ""
}

func (v *Value) parseInt(text string, scale int64) (reason, detail string) {
	whole, frac, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if !digits(whole) || len(text) > 40 || point && (!digits(frac) || scale <= 1) {
		if scale > 1 {
			return fmt.Sprintf("%s is not a number", quote(text)), ""
		}
		return fmt.Sprintf("%s is not a whole number", quote(text)), ""
	}
	if scale <= 1 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Sprintf("%s is too large", quote(text)), ""
		}
		v.Int = n
		return "", ""
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return fmt.Sprintf("%s is not a number", quote(text)), ""
	}
	r.Mul(r, new(big.Rat).SetInt64(scale))
	floor, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // Euclidean: rounds down, as the denominator is positive
	if !floor.IsInt64() {
		return fmt.Sprintf("%s is too large", quote(text)), ""
	}
	v.Int, v.Frac = floor.Int64(), rest.Sign() != 0
	return "", ""
}

func (v *Value) parseEnum(text string, f *Field) (reason, detail string) {
	for _, code := range f.Enum {
		if strings.EqualFold(code, text) {
			v.Text = code
			return "", ""
		}
	}
	if code, ok := f.Codes[strings.ToLower(text)]; ok {
		v.Text = code
		return "", ""
	}
	return fmt.Sprintf("%s is none of its values", quote(text)), "Valid values: " + strings.Join(f.Enum, ", ") + "."
}

func (v *Value) parseTime(text string) (reason, detail string) {
	// A + that was not percent-encoded arrives as a space.
	literal := strings.Replace(text, " ", "+", 1)
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		t, err := time.Parse(layout, literal)
		// Go also accepts a comma as decimal point; RFC 3339 does not.
		if err != nil || strings.Contains(text, ",") {
			continue
		}
		if t = t.UTC().Truncate(time.Microsecond); t.Year() < 1 || t.Year() > 9999 {
			break
		}
		v.Time = t
		return "", ""
	}
	return fmt.Sprintf("%s is not a time", quote(text)), "Valid forms: 2018-07-26, 2018-07-26T17:43:47 (UTC), 2018-07-26T17:43:47.463904Z, 2018-07-26T19:43:47+02:00."
}

func (v *Value) parseDate(text string) (reason, detail string) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return fmt.Sprintf("%s is not a day", quote(text)), "Valid form: 2018-07-26."
	}
	v.Text, v.Time = text, t
	return "", ""
}

// validText reports whether both databases accept the text: PostgreSQL rejects NUL and invalid UTF-8, and
// SQLite's functions stop at NUL.
func validText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// quote quotes the caller's text, shortened if it is long.
func quote(s string) string {
	const limit = 80
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.Quote(s)
}

func joinLookups(list []Lookup) string {
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = string(l)
	}
	return strings.Join(names, ", ")
}
