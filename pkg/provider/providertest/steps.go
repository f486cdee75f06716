// Package providertest holds the tests that every provider passes, and a proxy
// that puts faults between a provider and its back end.
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

// RunSteps does the steps one after the other, as a job does, with the memo that
// it is given. A wait is shortened to a tenth of a second.
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

// Call is one call of a step: which one, and the memo before and after it.
type Call struct {
	Step          int
	Before, After provider.Memo
}

// RunCalls does at most limit calls of the steps and gives each of them. It
// stops like a process that dies.
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
