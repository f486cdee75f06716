package action

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"halcyon/models"
	"halcyon/pkg/cache"
	"halcyon/pkg/fault"
)

// The limits of a condition. The cost is CEL's count of operations, the same on every
// machine; the time limits operations that it does not count.
const (
	maxConditionText = 4096
	maxConditionCost = 100_000
	maxConditionTime = 100 * time.Millisecond
)

// scope selects the variables of a condition.
type scope int

const (
	scopeOrder         scope = iota // trigger points of orders
	scopeServer                     // trigger points of servers
	scopeServerAction               // conditions of server actions
	scopeServiceAction              // conditions of service actions
	scopes
)

// scopeOf returns the scope of the conditions at a trigger point.
func scopeOf(t models.Trigger) scope {
	if t.OfOrder() {
		return scopeOrder
	}
	return scopeServer
}

// variables are the variables of each scope.
var variables = [scopes][]string{
	scopeOrder:         {"order", "group", "user"},
	scopeServer:        {"order", "item", "server", "service", "group", "environment", "user"},
	scopeServerAction:  {"server", "group", "environment", "user"},
	scopeServiceAction: {"service", "group", "user"},
}

// variableTypes are the CEL types of the variables.
var variableTypes = map[string]string{
	"order": "action.OrderFacts", "item": "action.ItemFacts", "server": "action.ServerFacts", "service": "action.ServiceFacts",
	"group": "action.GroupFacts", "environment": "action.EnvironmentFacts", "user": "action.UserFacts",
}

// conditions compiles CEL expressions, caches the programs, and evaluates them. It is
// safe for concurrent use.
type conditions struct {
	envs [scopes]func() (*cel.Env, error)

	programs *cache.Cache[programKey, cel.Program]
	compiled atomic.Int64 // number of compilations
}

// programKey identifies a compiled program.
type programKey struct {
	scope scope
	text  string
}

// maxPrograms is the number of cached programs. Installations have few conditions, but
// every text that an administrator tries is another program.
const maxPrograms = 1024

func newConditions() *conditions {
	c := &conditions{programs: cache.New[programKey, cel.Program](maxPrograms)}
	for sc := range scopes {
		c.envs[sc] = sync.OnceValues(func() (*cel.Env, error) { return newEnv(sc) })
	}
	return c
}

func newEnv(sc scope) (*cel.Env, error) {
	opts := []cel.EnvOption{
		ext.NativeTypes(ext.ParseStructTag("json"), reflect.TypeFor[OrderFacts](), reflect.TypeFor[ItemFacts](), reflect.TypeFor[ServerFacts](),
			reflect.TypeFor[ServiceFacts](), reflect.TypeFor[GroupFacts](), reflect.TypeFor[EnvironmentFacts](), reflect.TypeFor[UserFacts]()),
		cel.CrossTypeNumericComparisons(true), // order.rate > 100
		cel.ParserExpressionSizeLimit(maxConditionText),
		cel.ParserRecursionLimit(64),
	}
	for _, name := range variables[sc] {
		opts = append(opts, cel.Variable(name, cel.ObjectType(variableTypes[name])))
	}
	return cel.NewEnv(opts...)
}

// check compiles a condition. It returns Invalid at the field "condition", with position
// and message, if the text does not compile.
func (c *conditions) check(sc scope, text string) error {
	if len(text) > maxConditionText {
		return fault.InvalidField(fault.Member("condition"), "has more than %d bytes", maxConditionText)
	}
	_, err := c.program(sc, text)
	return err
}

// program returns the compiled condition.
func (c *conditions) program(sc scope, text string) (cel.Program, error) {
	at := programKey{sc, text}
	if p, ok := c.programs.Get(at, time.Time{}); ok {
		return p, nil
	}
	return c.programs.Load(at, func() (cel.Program, error) { return c.compile(sc, text) })
}

func (c *conditions) compile(sc scope, text string) (cel.Program, error) {
	env, err := c.envs[sc]()
	if err != nil {
		return nil, fmt.Errorf("CEL environment: %w", err)
	}
	c.compiled.Add(1)
	ast, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, compileError(sc, issues)
	}
	if !ast.OutputType().IsExactType(types.BoolType) {
		return nil, fault.InvalidField(fault.Member("condition"), "is %s, not true or false", ast.OutputType())
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxConditionCost), cel.InterruptCheckFrequency(64))
}

// compileError returns the first compile error, with its position and the known
// variables.
func compileError(sc scope, issues *cel.Issues) error {
	first := issues.Errors()[0]
	message := strings.Join(strings.Fields(first.Message), " ")
	if len(message) > 300 {
		message = strings.ToValidUTF8(message[:300], "") + " …"
	}
	at := "does not compile"
	if loc := first.Location; loc != nil && loc.Line() > 0 {
		at = fmt.Sprintf("does not compile at line %d, column %d", loc.Line(), loc.Column()+1)
	}
	err := fault.InvalidField(fault.Member("condition"), "%s: %s", at, message)
	err.Detail = "Variables: " + strings.Join(variables[sc], ", ") + "."
	return err
}

// undecidedError is the reason for which a condition could not be evaluated, readable for
// people.
type undecidedError struct{ reason string }

func (e *undecidedError) Error() string { return e.reason }

// holds reports whether a condition is true; an empty one is. The error is undecidedError if the evaluation
// fails or exceeds the limits.
func (c *conditions) holds(ctx context.Context, sc scope, text string, f *Facts) (bool, error) {
	if text == "" {
		return true, nil
	}
	p, err := c.program(sc, text)
	if err != nil {
		if fault.Is(err, fault.Invalid) { // stored by a version with more variables
			return false, &undecidedError{fault.Message(err)}
		}
		return false, err
	}
	bounded, cancel := context.WithTimeout(ctx, maxConditionTime)
	defer cancel()
	v, _, err := p.ContextEval(bounded, f.activation(sc))
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case bounded.Err() != nil || strings.Contains(err.Error(), "cost limit exceeded") || errors.Is(err, context.DeadlineExceeded):
			return false, &undecidedError{"its condition takes too long"}
		}
		return false, &undecidedError{"its condition failed: " + strings.Join(strings.Fields(err.Error()), " ")}
	}
	b, ok := v.Value().(bool)
	if !ok {
		return false, &undecidedError{"its condition is neither true nor false"}
	}
	return b, nil
}
