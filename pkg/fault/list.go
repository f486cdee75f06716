package fault

import (
	"fmt"
	"slices"
)

// Limits of what an error repeats of a request. A caller who sends a megabyte of mistakes
// gets an answer, and causes a line in the log, of some kilobytes.
const (
	MaxFields = 100 // fields of an error; a last one counts the others

	maxName   = 100 // characters of a name in a path
	maxReason = 500 // characters of a reason
	maxText   = 2000
)

// List collects what is wrong with a request, up to MaxFields fields.
type List struct {
	fields []Field
	more   int // fields beyond MaxFields
}

// Add adds a field, or counts it if there are MaxFields already. Long names and reasons
// are shortened.
func (l *List) Add(f Field) {
	if len(l.fields) == MaxFields {
		l.more++
		return
	}
	l.fields = append(l.fields, shortened(f))
}

// Len returns the number of fields that were added.
func (l *List) Len() int { return len(l.fields) + l.more }

// Err returns nil for an empty list, and an Invalid error with the fields otherwise. If
// there were more than MaxFields, a last field without a path counts the others.
func (l *List) Err() error {
	if len(l.fields) == 0 {
		return nil
	}
	if l.more == 0 {
		return &Error{Code: Invalid, Fields: l.fields}
	}
	return &Error{Code: Invalid, Fields: append(slices.Clip(l.fields), Field{Reason: fmt.Sprintf("and %d more", l.more)})}
}

func shortened(f Field) Field {
	f.Reason = Short(f.Reason, maxReason)
	f.Path = shortPath(f.Path)
	f.Instead = shortPath(f.Instead)
	return f
}

func shortPath(p Path) Path {
	cloned := false
	for i, s := range p {
		name := Short(s.Name, maxName)
		if len(name) == len(s.Name) {
			continue
		}
		if !cloned {
			p, cloned = slices.Clone(p), true
		}
		p[i].Name = name
	}
	return p
}

// Short returns the text, cut after that many characters and then with an ellipsis.
func Short(text string, characters int) string {
	if len(text) <= characters { // as nearly always: a character has at least one byte
		return text
	}
	n := 0
	for i := range text {
		if n == characters {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
