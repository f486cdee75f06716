package fault_test

import (
	"strings"
	"testing"

	"halcyon/pkg/fault"
)

func TestPathString(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]fault.Path{
		"":                                  nil,
		"hostname":                          fault.Member("hostname"),
		"items.0.name":                      fault.Member("items").Entry(0).Member("name"),
		"deploy item 2, build item Web":     fault.Item("deploy", 1).BuildItem("Web"),
		"mod item 1, parameter vm-size":     fault.Item("mod", 0).Parameter("vm-size"),
		"cart, decom item 1, servers.0":     fault.Member("cart").Join(fault.Item("decom", 0).Member("servers").Entry(0)),
		"build item Web, hostname":          fault.BuildItem("Web").Member("hostname"),
		"page_size":                         fault.Argument("page_size"),
		"prov item 1, applications.3":       fault.Item("prov", 0).Member("applications").Entry(3),
		"build item A, parameter floor.ext": fault.BuildItem("A").Parameter("floor.ext"),
	} {
		if got := p.String(); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

// Paths that begin alike do not write into each other.
func TestPathsShareNothing(t *testing.T) {
	t.Parallel()
	at := fault.Item("deploy", 0)
	a, b := at.Member("blueprint"), at.Member("service")
	c, d := a.Entry(0), a.Entry(1)
	for want, p := range map[string]fault.Path{
		"deploy item 1, blueprint": a, "deploy item 1, service": b,
		"deploy item 1, blueprint.0": c, "deploy item 1, blueprint.1": d,
	} {
		if p.String() != want {
			t.Errorf("%q instead of %q", p, want)
		}
	}
	if !a.Equal(fault.Item("deploy", 0).Member("blueprint")) || a.Equal(b) {
		t.Error("Equal is wrong")
	}
}

// dialect is a face with names of its own.
type dialect struct{}

func (dialect) Path(p fault.Path) string       { return "<" + p.String() + ">" }
func (dialect) Segment(s fault.Segment) string { return "<" + s.Name + ">" }

// A text is made of the fields in the words of each face, unless there is a message.
func TestText(t *testing.T) {
	t.Parallel()
	err := fault.InvalidFields([]fault.Field{
		{Path: fault.Member("name"), Reason: "is required"},
		{Path: fault.BuildItem("X"), Reason: "is no build item of B, which has", Instead: append(fault.BuildItem("Y"), fault.BuildItem("Z")...)},
		{Reason: "The quota is used up"},
	})
	e := fault.From(err)
	if got, want := e.Text(dialect{}), "<name>: is required; <build item X>: is no build item of B, which has <Y>, <Z>; The quota is used up"; got != want {
		t.Errorf("%q instead of %q", got, want)
	}
	if got, want := fault.Message(err), "name: is required; build item X: is no build item of B, which has Y, Z; The quota is used up"; got != want {
		t.Errorf("%q instead of %q", got, want)
	}
	e.Message = "Two things are wrong."
	if e.Text(dialect{}) != e.Message || !strings.Contains(e.Error(), "[name: is required]") {
		t.Errorf("%q, %q", e.Text(dialect{}), e.Error())
	}
}
