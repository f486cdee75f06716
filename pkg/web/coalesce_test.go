package web

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// TestCoalescer calls during a run: each call is followed by a run, no two runs overlap,
// and none follows the last.
func TestCoalescer(t *testing.T) {
	t.Parallel()
	var x Coalescer
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
	x.Call(do)
	<-begun
	for range 3 {
		x.Call(do) // each comes after the turn has begun, so it needs another one
		x.Call(do)
		goOn <- true
		<-begun
	}
	goOn <- true
	for x.calls.Load() != 0 { // until the goroutine is gone
		runtime.Gosched()
	}
	x.Call(do)
	<-begun
	x.Call(do)
	goOn <- false
	x.Call(do)
	if x.calls.Load() == 0 {
		t.Error("it would begin again")
	}
	select {
	case <-begun:
		t.Error("a turn after the last")
	default:
	}
}
