package resource

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"halcyon/models"
	"halcyon/pkg/jsonbody"
)

// Input describes the valid values of a field. Forms, the checks of bodies and the documentation come from
// it.
type Input struct {
	Type      string   // type of an HTML input: text, number, email, password, date …
	Min, Max  string   // of a number
	MaxLength int      // in characters; 0 for no limit
	Pattern   string   // regular expression that must match the whole text
	Reason    string   // error message for a text that does not match Pattern
	Options   []string // the valid values; none for any
	Multiple  bool     // a list
	Of        string   // plural of the resource to choose from
	Nested    bool     // an array or object, which forms send as JSON in a text
	Example   string   // an example value
	Begin     string   // initial value in a form for a new row
	Asked     bool     // forms require it, although other members can replace it

	re *regexp.Regexp
}

// Between limits a number.
func (f Field[T]) Between(low, high int64) Field[T] {
	f.input.Min, f.input.Max = strconv.FormatInt(low, 10), strconv.FormatInt(high, 10)
	return f
}

// AtLeast limits a number, or an amount of money in whole units, from below.
func (f Field[T]) AtLeast(low int64) Field[T] {
	f.input.Min = strconv.FormatInt(low, 10)
	return f
}

// UpTo limits the number of characters of a text.
func (f Field[T]) UpTo(characters int) Field[T] { f.input.MaxLength = characters; return f }

// Like limits a text to those that a regular expression matches as a whole; reason is the error message for
// others.
func (f Field[T]) Like(pattern, reason string) Field[T] {
	f.input.Pattern, f.input.Reason = pattern, reason
	return f
}

// OneOf lists the valid values. The service must reject others.
func (f Field[T]) OneOf(values ...string) Field[T] { f.input.Options = values; return f }

// As sets the type of HTML input, if the default of the kind does not fit.
func (f Field[T]) As(input string) Field[T] { f.input.Type = input; return f }

// Example sets an example value.
func (f Field[T]) Example(text string) Field[T] { f.input.Example = text; return f }

// Begin sets the initial value in a form for a new row.
func (f Field[T]) Begin(text string) Field[T] { f.input.Begin = text; return f }

// Asked makes forms require the field, for fields that a body needs only depending on its other members.
func (f Field[T]) Asked() Field[T] { f.input.Asked = true; return f }

// Nested declares that the value is an array or an object, shown by an example. Forms send it as a text
// that holds JSON.
func (f Field[T]) Nested(example string) Field[T] {
	f.input.Nested, f.input.Type, f.input.Example = true, "textarea", example
	return f
}

// picks makes a list of references a choice from a collection.
func (f Field[T]) picks(plural string, ids func(*T) []models.ID) Field[T] {
	f.input.Of, f.input.Multiple, f.picked = plural, true, ids
	return f
}

// prepare completes the input from the kind of the field.
func (in Input) prepare(values []string) (Input, error) {
	if in.Type == "" {
		in.Type = "text"
	}
	if len(in.Options) == 0 {
		in.Options = values
	}
	if in.Pattern != "" {
		re, err := regexp.Compile("^(?:" + in.Pattern + ")$")
		if err != nil {
			return in, err
		}
		in.re = re
	}
	return in, nil
}

// check complains about a value out of bounds. It leaves values of the wrong type to the reader of the
// field.
func (in *Input) check(n *jsonbody.Value) {
	if in.Nested {
		n.Unpack()
		return
	}
	text, ok := n.Scalar()
	if !ok || text == "" {
		return
	}
	switch {
	case in.Type == "number":
		if reason := in.outOfBounds(text); reason != "" {
			n.Complain("%s", reason)
		}
	case in.MaxLength > 0 && utf8.RuneCountInString(text) > in.MaxLength:
		n.Complain("has more than %d characters", in.MaxLength)
	case in.re != nil && !in.re.MatchString(text):
		n.Complain("%s", in.Reason)
	}
}

func (in *Input) outOfBounds(text string) string {
	v, ok := number(strings.TrimSuffix(text, "/month"))
	if !ok {
		return ""
	}
	low, hasLow := number(in.Min)
	high, hasHigh := number(in.Max)
	switch under, over := hasLow && v.Cmp(low) < 0, hasHigh && v.Cmp(high) > 0; {
	case !under && !over:
		return ""
	case under && in.Min == "0":
		return "is negative"
	case hasLow && hasHigh:
		return fmt.Sprintf("%s is not between %s and %s", text, in.Min, in.Max)
	case over:
		return fmt.Sprintf("%s is more than %s", text, in.Max)
	}
	return fmt.Sprintf("%s is less than %s", text, in.Min)
}

// number reads a plain decimal number.
func number(text string) (*big.Rat, bool) {
	if text == "" || len(text) > 40 || strings.Trim(text, "-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// whole anchors a pattern at both ends.
func whole(pattern string) string {
	if pattern == "" {
		return ""
	}
	return Browsers("^" + strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$") + "$")
}

// script lists the syntax of Go's regular expressions that JavaScript does not have.
var script = []string{"(?", `\A`, `\z`, `\Q`, `\p`, `\P`, "[[:", `\C`}

// Browsers returns a regular expression in the syntax of the pattern of an HTML input, anchored at both
// ends. It returns "" if JavaScript cannot express it.
func Browsers(pattern string) string {
	plain := strings.ReplaceAll(pattern, "(?:", "(")
	if slices.ContainsFunc(script, func(part string) bool { return strings.Contains(plain, part) }) {
		return ""
	}
	if pattern == "" || strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$") && !strings.Contains(pattern, "|") {
		return pattern
	}
	return ".*(?:" + pattern + ").*"
}
