// Package providertest contains the conformance tests that every provider passes, and a
// proxy that injects failures between a provider and its back end.
package providertest

import (
	"context"
	"fmt"
	"maps"
	"time"

	"halcyon/pkg/provider"
)

const (
	maxWait  = 100 * time.Millisecond
	maxCalls = 2000
)

// RunSteps runs the steps in order with the memo, like a job. Waits are shortened to at
// most 100 ms. It returns the first error, with the step's name.
func RunSteps(ctx context.Context, steps []provider.Step, memo provider.Memo) error {
	for _, s := range steps {
		for calls := 0; ; calls++ {
			wait, err := s.Run(ctx, memo)
			if err != nil {
				return fmt.Errorf("step %s: %w", s.Name, err)
			}
			if wait <= 0 {
				break
			}
			if calls > maxCalls {
				return fmt.Errorf("step %s: not there after %d calls", s.Name, calls)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(wait, maxWait)):
			}
		}
	}
	return nil
}

// Call is one call of a step: its index, and the memo before and after the call.
type Call struct {
	Step          int
	Before, After provider.Memo
}

// RunCalls runs the steps until limit calls were made, as if the process crashed then,
// and returns the calls.
func RunCalls(ctx context.Context, steps []provider.Step, limit int) ([]Call, error) {
	var calls []Call
	memo := provider.Memo{}
	for i, s := range steps {
		for len(calls) < limit {
			before := maps.Clone(memo)
			wait, err := s.Run(ctx, memo)
			if err != nil {
				return calls, fmt.Errorf("step %s: %w", s.Name, err)
			}
			calls = append(calls, Call{Step: i, Before: before, After: maps.Clone(memo)})
			if wait <= 0 {
				break
			}
			time.Sleep(min(wait, maxWait))
		}
	}
	return calls, nil
}
