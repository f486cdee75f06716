package models

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"halcyon/pkg/fault"
)

// InputType is the type of an input's value.
type InputType string

// The input types.
const (
	InputText    InputType = "text"
	InputInteger InputType = "integer"
	InputBoolean InputType = "boolean"
	InputDate    InputType = "date"     // YYYY-MM-DD, today or later
	InputMemory  InputType = "memory"   // "2 GB", "512 MB", or a number of GB
	InputOSBuild InputType = "os-build" // a reference
	InputSize    InputType = "size"     // the name of a size
)

// The inputs whose meaning the core knows, by InputKey.
const (
	KeyVMSize     = "vm_size"
	KeyOSBuild    = "os_build"
	KeyMemSize    = "mem_size"
	KeyCPUCnt     = "cpu_cnt"
	KeyExpiration = "expiration_date"
	KeyHostname   = "hostname"
)

// MaxInput is how many characters a value of the type text may have.
const MaxInput = 1024

// Never stands for no expiry, where a date can be removed.
const Never = "never"

// Input is one question that a blueprint asks of who orders it.
type Input struct {
	Name        string    `json:"name"`
	Label       string    `json:"label,omitempty"`
	Description string    `json:"description,omitempty"`
	Type        InputType `json:"type"`
	Required    bool      `json:"required,omitempty"`
	Default     string    `json:"default,omitempty"`
	Options     []string  `json:"options,omitempty"`
	Minimum     *int64    `json:"minimum,omitempty"`
	Maximum     *int64    `json:"maximum,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`

	Clears bool `json:"-"` // a date may also be Never
}

// validate checks the declaration itself.
func (in *Input) validate() error {
	switch in.Type {
	case InputText, InputInteger, InputBoolean, InputDate, InputMemory, InputOSBuild, InputSize:
	default:
		return fault.InvalidField(fault.Member("inputs"), "%s: type %q is none of text, integer, boolean, date, memory, os-build, size", in.Name, in.Type)
	}
	if in.Pattern != "" {
		if _, err := regexp.Compile(in.Pattern); err != nil {
			return fault.InvalidField(fault.Member("inputs"), "%s: the pattern does not compile: %v", in.Name, err)
		}
	}
	if in.Minimum != nil && in.Maximum != nil && *in.Minimum > *in.Maximum {
		return fault.InvalidField(fault.Member("inputs"), "%s: the minimum %d is more than the maximum %d", in.Name, *in.Minimum, *in.Maximum)
	}
	return nil
}

// Parse checks a value and returns its canonical text, or an error that describes the
// problem. References (os-build, size) are checked by callers, which can look them up.
func (in *Input) Parse(value string, today time.Time) (string, error) {
	if len(in.Options) > 0 {
		for _, o := range in.Options {
			if strings.EqualFold(o, value) {
				return o, nil
			}
		}
		return "", fmt.Errorf("%q is none of %s", value, strings.Join(in.Options, ", "))
	}
	switch in.Type {
	case InputInteger:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return "", fmt.Errorf("%q is no whole number", value)
		}
		if in.Minimum != nil && n < *in.Minimum {
			return "", fmt.Errorf("%d is less than %d", n, *in.Minimum)
		}
		if in.Maximum != nil && n > *in.Maximum {
			return "", fmt.Errorf("%d is more than %d", n, *in.Maximum)
		}
		return strconv.FormatInt(n, 10), nil
	case InputBoolean:
		switch strings.ToLower(value) {
		case "1", "true":
			return "true", nil
		case "0", "false":
			return "false", nil
		}
		return "", fmt.Errorf("%q is neither true nor false", value)
	case InputDate:
		if in.Clears && strings.EqualFold(value, Never) {
			return Never, nil
		}
		d, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return "", fmt.Errorf("%q is no date such as 2027-01-31", value)
		}
		if d.Before(today.UTC().Truncate(24 * time.Hour)) {
			return "", fmt.Errorf("%s is in the past", value)
		}
		return value, nil
	case InputMemory:
		mb, err := ParseMemory(value)
		if err != nil {
			return "", err
		}
		if in.Minimum != nil && int64(mb) < *in.Minimum {
			return "", fmt.Errorf("%s is less than %s", FormatMemory(mb), FormatMemory(int(*in.Minimum)))
		}
		if in.Maximum != nil && int64(mb) > *in.Maximum {
			return "", fmt.Errorf("%s is more than %s", FormatMemory(mb), FormatMemory(int(*in.Maximum)))
		}
		return FormatMemory(mb), nil
	case InputText:
		if utf8.RuneCountInString(value) > MaxInput {
			return "", fmt.Errorf("it has more than %d characters", MaxInput)
		}
		if in.Pattern != "" {
			re, err := regexp.Compile(in.Pattern)
			if err != nil {
				return "", fmt.Errorf("the blueprint's pattern does not compile")
			}
			if !re.MatchString(value) {
				return "", fmt.Errorf("%q does not match %s", value, in.Pattern)
			}
		}
		return value, nil
	case InputOSBuild, InputSize:
		return value, nil
	}
	return "", fmt.Errorf("the blueprint's input has the unknown type %q", in.Type)
}

// ParseMemory reads an amount of memory into MB: "2 GB", "2GB", "512 MB", "1 TB",
// or a bare number of GB ("2", "1.5").
func ParseMemory(s string) (int, error) {
	text := strings.TrimSpace(s)
	unit := 1024.0
	upper := strings.ToUpper(text)
	for suffix, mb := range map[string]float64{"MB": 1, "GB": 1024, "TB": 1024 * 1024} {
		if rest, ok := strings.CutSuffix(upper, suffix); ok {
			text, unit = strings.TrimSpace(rest), mb
			break
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || slices.Contains([]string{"NaN", "+Inf", "-Inf"}, strconv.FormatFloat(f, 'g', -1, 64)) {
		return 0, fmt.Errorf("%q is no amount of memory such as 2 GB", s)
	}
	mb := f * unit
	if mb < 64 || mb > 64<<20 || mb != float64(int(mb)) {
		return 0, fmt.Errorf("%q is not a whole number of MB between 64 MB and 64 TB", s)
	}
	return int(mb), nil
}

// FormatMemory writes MB the way people read it: "2 GB", "1.5 GB", "512 MB".
func FormatMemory(mb int) string {
	if mb < 1024 {
		return strconv.Itoa(mb) + " MB"
	}
	return strconv.FormatFloat(float64(mb)/1024, 'f', -1, 64) + " GB"
}
