package halserver

import (
	"strconv"
	"strings"

	"halcyon/pkg/fault"
)

// Names is how a server calls the places that errors are about: by JSON pointers (RFC
// 6901) into the bodies of its requests, and by the same with dots in texts.
type Names struct {
	// Body returns the members and entries of a body that a path of the domain leads
	// through. Without it, paths are taken to be those of bodies.
	Body func(fault.Path) fault.Path
}

// Pointer returns the JSON pointer of a path. A value outside of the body, such as a
// query parameter, is named without a pointer.
func (n Names) Pointer(p fault.Path) string {
	if s := p.Last(); s.Kind == fault.KindArgument {
		return s.Name
	}
	var b strings.Builder
	for _, s := range n.body(p) {
		b.WriteByte('/')
		if s.Kind == fault.KindEntry {
			b.WriteString(strconv.Itoa(s.Index))
			continue
		}
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(s.Name, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// Path implements fault.Names: "items.0.name".
func (n Names) Path(p fault.Path) string {
	return strings.ReplaceAll(strings.TrimPrefix(n.Pointer(p), "/"), "/", ".")
}

// Segment implements fault.Names: the member that the segment ends at.
func (n Names) Segment(s fault.Segment) string { return n.body(fault.Path{s}).Last().Name }

func (n Names) body(p fault.Path) fault.Path {
	if n.Body == nil {
		return p
	}
	return n.Body(p)
}
