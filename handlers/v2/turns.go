package v2

import "sync/atomic"

// coalescer has something done by one goroutine at a time, which is there only while it is
// called for. The zero value is ready.
type coalescer struct {
	calls atomic.Int32 // since when do was last begun after all of them; 0 when no goroutine is there
}

// call has do begun once more after this call, and does not wait for it. Calls that
// come meanwhile may share a turn. Do reports whether there is to be another turn ever;
// after false there is none.
func (t *coalescer) call(do func() bool) {
	if t.calls.Add(1) == 1 {
		go t.run(do)
	}
}

func (t *coalescer) run(do func() bool) {
	for {
		calls := t.calls.Load()
		if !do() {
			return // the calls stay, so that nobody begins again
		}
		if t.calls.Add(-calls) == 0 {
			return
		}
	}
}
