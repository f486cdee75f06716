package v2

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// TestTurns calls while a turn is taken: each call has to be followed by a turn, no two
// may be taken at once, and none after the last.
func TestTurns(t *testing.T) {
	t.Parallel()
	var x coalescer
	var at atomic.Int32
	begun, goOn := make(chan struct{}), make(chan bool)
	do := func() bool {
		if at.Add(1) != 1 {
			t.Error("two turns at once")
		}
		begun <- struct{}{}
		more := <-goOn
		at.Add(-1)
		return more
	}
	x.call(do)
	<-begun
	for range 3 {
		x.call(do) // each comes after the turn has begun, so it needs another one
		x.call(do)
		goOn <- true
		<-begun
	}
	goOn <- true
	for x.calls.Load() != 0 { // until the goroutine is gone
		runtime.Gosched()
	}
	x.call(do)
	<-begun
	x.call(do)
	goOn <- false
	x.call(do)
	if x.calls.Load() == 0 {
		t.Error("it would begin again")
	}
	select {
	case <-begun:
		t.Error("a turn after the last")
	default:
	}
}
