package web

import "sync/atomic"

// Coalescer runs a function in at most one goroutine at a time, and only while there
// are calls to serve. Calls that arrive during a run share the next one. The zero
// value is ready to use.
type Coalescer struct {
	calls atomic.Int32 // not yet followed by a run; 0 when there is no goroutine
}

// Call starts a run of do that begins after this call, and does not wait for it. Do
// reports whether there may be further runs; after false there are none.
func (x *Coalescer) Call(do func() bool) {
	if x.calls.Add(1) == 1 {
		go x.run(do)
	}
}

func (x *Coalescer) run(do func() bool) {
	for {
		calls := x.calls.Load()
		if !do() {
			return // calls stays above zero, so no later call starts a goroutine
		}
		if x.calls.Add(-calls) == 0 {
			return
		}
	}
}
