package fault

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of a Segment.
type Kind string

// The kinds of segment.
const (
	KindMember    Kind = "member"     // Name: a field of a row, or a member of an object of the request
	KindEntry     Kind = "entry"      // Index: an entry of a list
	KindItem      Kind = "item"       // Name and Index: the items of an order are counted kind by kind
	KindBuildItem Kind = "build item" // Name: a build item of the blueprint that is ordered
	KindParameter Kind = "parameter"  // Name: a parameter of a blueprint, an action or a server
	KindArgument  Kind = "argument"   // Name: a part of the request beside its body, such as a query parameter or a header
)

// Segment is one step of a Path. Index counts from 0.
type Segment struct {
	Kind  Kind
	Name  string
	Index int
}

// Path is a place in what a caller asks for, in the words of the domain: item 2 of
// the kind deploy, build item Web, parameter vm-size. It knows no body of a request:
// each face turns it into the names of its own documents. The empty path is the
// request as a whole.
type Path []Segment

// Member returns the path of a field.
func Member(name string) Path { return Path{{Kind: KindMember, Name: name}} }

// Item returns the path of an order's item. Items of each kind are counted from 0.
func Item(kind string, index int) Path {
	return Path{{Kind: KindItem, Name: kind, Index: index}}
}

// BuildItem returns the path of a build item of the blueprint that is ordered.
func BuildItem(name string) Path { return Path{{Kind: KindBuildItem, Name: name}} }

// Parameter returns the path of a parameter.
func Parameter(name string) Path { return Path{{Kind: KindParameter, Name: name}} }

// Argument returns the path of a part of the request beside its body: a query
// parameter, a header, or a field of an uploaded form.
func Argument(name string) Path { return Path{{Kind: KindArgument, Name: name}} }

// Member returns the path of a field of what p leads to.
func (p Path) Member(name string) Path { return p.with(Segment{Kind: KindMember, Name: name}) }

// Entry returns the path of an entry of the list that p leads to, counted from 0.
func (p Path) Entry(index int) Path { return p.with(Segment{Kind: KindEntry, Index: index}) }

// BuildItem returns the path of a build item of the item that p leads to.
func (p Path) BuildItem(name string) Path { return p.with(Segment{Kind: KindBuildItem, Name: name}) }

// Parameter returns the path of a parameter of what p leads to.
func (p Path) Parameter(name string) Path { return p.with(Segment{Kind: KindParameter, Name: name}) }

// Join returns the path that leads on from p by the segments of rest.
func (p Path) Join(rest Path) Path { return append(slices.Clip(p), rest...) }

func (p Path) with(s Segment) Path { return append(slices.Clip(p), s) }

// Last returns the last segment, and the zero Segment of the empty path.
func (p Path) Last() Segment {
	if len(p) == 0 {
		return Segment{}
	}
	return p[len(p)-1]
}

// Equal reports whether both are the same path.
func (p Path) Equal(q Path) bool { return slices.Equal(p, q) }

// String returns the path for logs and for people whom no face serves: "deploy item
// 2, build item Web, parameter vm-size". Members and entries are written as
// "items.0.name".
func (p Path) String() string {
	var b strings.Builder
	plain := false // the segment before is a member or an entry
	for i, s := range p {
		member := s.Kind == KindMember || s.Kind == KindEntry
		switch {
		case i > 0 && plain && member:
			b.WriteByte('.')
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(s.String())
		plain = member
	}
	return b.String()
}

// String returns the segment by itself, as Path.String writes it.
func (s Segment) String() string {
	switch s.Kind {
	case KindItem:
		return s.Name + " item " + strconv.Itoa(s.Index+1)
	case KindBuildItem, KindParameter:
		return string(s.Kind) + " " + s.Name
	case KindEntry:
		return strconv.Itoa(s.Index)
	case KindMember, KindArgument:
	}
	return s.Name
}

// Names is how a face calls the places that errors are about.
type Names interface {
	Path(Path) string       // in the text of an error, before the reason
	Segment(Segment) string // by itself, in a list of what could have been meant
}

// plain is Names for who has no face.
type plain struct{}

func (plain) Path(p Path) string       { return p.String() }
func (plain) Segment(s Segment) string { return s.Name }

// Plain is Names without a face: paths as Path.String writes them.
var Plain Names = plain{}
