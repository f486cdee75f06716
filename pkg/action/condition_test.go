package action

import (
	"errors"
	"strings"
	"testing"
	"time"

	"halcyon/pkg/fault"
)

func exampleFacts() *Facts {
	return &Facts{
		Order: &OrderFacts{ID: "7", Rate: 28.8, Servers: 2, CPUs: 4, Environments: []string{"Lab"}, Items: []ItemFacts{
			{Kind: "prov", Quantity: 2, Parameters: map[string]string{"vm_size": "small"}},
		}},
		Group: &GroupFacts{ID: "2", Name: "Team", Type: "Project"},
		User:  &UserFacts{Username: "alice", Email: "alice@example.com"},
		Server: &ServerFacts{
			Hostname: "web1.example.com", CPUs: 2, MemoryMB: 2048, OSFamily: "linux", Labels: []string{"front"},
			Parameters: map[string]string{"sw_stack": "Prod"},
		},
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	c := newConditions()
	f := exampleFacts()
	for text, want := range map[string]bool{
		"":                            true,
		"true":                        true,
		"order.rate > 28":             true,
		"order.rate == 28.8":          true,
		"order.rate > 28.8":           false,
		"order.servers >= 2.0":        true,
		`"Lab" in order.environments`: true,
		`order.items.exists(i, i.kind == "prov" && i.parameters["vm_size"] == "small")`: true,
		`has(order.items[0].parameters.sw_stack)`:                                       false,
		`group.type == "Project" && user.username != "bob"`:                             true,
	} {
		if got, err := c.holds(t.Context(), scopeOrder, text, f); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]bool{
		`server.hostname.endsWith(".example.com") && server.labels.exists(l, l == "front")`: true,
		`server.parameters["sw_stack"] == "Prod" && server.memory_mb < 4096`:                true,
		`service.name == ""`:                       true, // there is no service
		`environment.name != ""`:                   false,
		`server.hostname.matches("^web[0-9]+[.]")`: true,
	} {
		if got, err := c.holds(t.Context(), scopeServer, text, f); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestConditionsThatDoNotCompile(t *testing.T) {
	t.Parallel()
	c := newConditions()
	for text, reason := range map[string]string{
		"order.rate >":          "does not compile at line 1, column 13: Syntax error",
		"true &&\n order.color": "does not compile at line 2, column 7: undefined field 'color'",
		"server.cpus > 1":       "does not compile at line 1, column 1: undeclared reference to 'server'",
		"order.rate":            "is double, not true or false",
		`order.name + 1 == ""`:  "does not compile at line 1, column 12: found no matching overload",
		"nothing()":             "does not compile at line 1, column 8: undeclared reference to 'nothing'",
		strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300): "does not compile",
		strings.Repeat("true && ", 1000) + "true":                    "has more than 4096 bytes",
	} {
		err := c.check(scopeOrder, text)
		if !fault.Is(err, fault.Invalid) {
			t.Fatalf("%.40s: %v", text, err)
		}
		f := fault.From(err).Fields[0]
		if f.Path.String() != "condition" || !strings.HasPrefix(f.Reason, reason) {
			t.Errorf("%.40s: %s %s", text, f.Path, f.Reason)
		}
	}
	if n := c.programs.Len(); n != 0 {
		t.Errorf("%d programs are kept of what does not compile", n)
	}
}

// nested returns an expression whose cost is ten to the power of depth.
func nested(depth int) string {
	text := "true"
	for i := range depth {
		text = "[1,2,3,4,5,6,7,8,9,10].all(" + string(rune('a'+i)) + ", " + text + ")"
	}
	return text
}

func TestConditionsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	c := newConditions()
	f := exampleFacts()
	if ok, err := c.holds(t.Context(), scopeOrder, nested(2)+" && order.servers > 0", f); err != nil || !ok {
		t.Fatalf("a hundred rounds are too many: %v", err)
	}
	// OptOptimize does not fold expressions that depend on a variable.
	_, err := c.holds(t.Context(), scopeOrder, strings.Replace(nested(6), "true", "order.servers > 0", 1), f)
	var undecided *undecidedError
	if !errors.As(err, &undecided) || undecided.reason != "its condition takes too long" {
		t.Errorf("a million rounds: %v", err)
	}
	for text, reason := range map[string]string{
		"order.items[3].kind == 'prov'":                   "its condition failed: index out of bounds: 3",
		"order.items[0].parameters['x'] == '1'":           "its condition failed: no such key: x",
		"10 / (order.servers - 2) > 1":                    "its condition failed: division by zero",
		"order.servers * 9223372036854775807 > 1":         "its condition failed: integer overflow",
		"order.items.all(i, i.parameters['size'] == 'x')": "its condition failed: no such key: size",
	} {
		_, err := c.holds(t.Context(), scopeOrder, text, f)
		if !errors.As(err, &undecided) || !strings.HasPrefix(undecided.reason, reason) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestConditionsAreCompiledOnce checks that a condition is compiled once, and that the
// number of cached programs is limited.
func TestConditionsAreCompiledOnce(t *testing.T) {
	t.Parallel()
	c := newConditions()
	f := exampleFacts()
	const text = "order.rate > 100 && group.name == 'Team'"
	if err := c.check(scopeOrder, text); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := c.holds(t.Context(), scopeOrder, text, f); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.compiled.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
	if _, err := c.holds(t.Context(), scopeOrder, text+" ", f); err != nil || c.compiled.Load() != 2 {
		t.Errorf("another text: %v, compiled %d times", err, c.compiled.Load())
	}
	// The number of programs is limited.
	for i := range maxPrograms + 10 {
		if err := c.check(scopeOrder, "order.rate > "+time.Duration(i).String()[:1]+strings.Repeat(" ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.programs.Len(); n > maxPrograms {
		t.Errorf("%d programs are kept", n)
	}
}

// BenchmarkCondition compares evaluating a cached condition with compiling it each time.
func BenchmarkCondition(b *testing.B) {
	const text = "order.rate > 100 && group.name == 'Team' && order.items.exists(i, i.quantity > 3)"
	f := exampleFacts()
	b.Run("kept", func(b *testing.B) {
		c := newConditions()
		for b.Loop() {
			if _, err := c.holds(b.Context(), scopeOrder, text, f); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compiled", func(b *testing.B) {
		c := newConditions()
		for b.Loop() {
			c.programs.Purge()
			if _, err := c.holds(b.Context(), scopeOrder, text, f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
