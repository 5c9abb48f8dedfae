package faults

import (
	"fmt"
	"testing"
	"time"
)

// restartsAfter is how long it takes until another process takes the place of one that was killed.
const restartsAfter = 3 * time.Second

// die kills the process that makes the n-th call, before it has its effect or after that, and starts another one.
func (w *world) die(n int, late bool) func(*call, bool) *fault {
	return func(c *call, done bool) *fault {
		if c.n != n || done != late || c.process.dead.Load() {
			return nil
		}
		c.process.kill()
		w.later(restartsAfter, func() { w.startProcess() })
		return dead(c)
	}
}

// later does something in a while, unless the run is over before.
func (w *world) later(d time.Duration, do func()) {
	w.pending.Add(1)
	w.running.Go(func() {
		defer w.pending.Add(-1)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-w.over:
		}
	})
}

// reference returns the calls of an undisturbed flow.
func reference(t *testing.T, s shape, f flow) []call {
	t.Helper()
	var calls []call
	inWorld(t, s, *first, func(w *world) {
		w.pass(f, nil)
		calls = w.recorded
		w.finish()
	})
	return calls
}

// points returns the numbers of the calls of a shape at which something is tried: all, or a part, or a sample of one in so many.
func points(s shape, calls, every int) []int {
	switch {
	case *full:
		every = 1
	case *most && s.name == "one":
		every = min(every, 2)
	case *most && s.name == "six":
		every = min(every, 6)
	case *most && s.name == "thirty":
		every *= 6
	case *most:
		every = min(every, 8)
	}
	var out []int
	for n := 1; n <= calls; n += every {
		out = append(out, n)
	}
	return out
}

func when(late bool) string {
	if late {
		return "after"
	}
	return "before"
}

// Wherever a process is killed, before or after one of its calls has its effect, the next one finishes what it began.
func TestCrashPoints(t *testing.T) {
	every := 9
	if *most {
		every = 1
	}
	eachPoint(t, every, func(shape, flow) bool { return true }, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-%s", n, when(late)), func(t *testing.T) {
				tried.crashes.Add(1)
				inWorld(t, s, *first, func(w *world) {
					w.pass(f, w.die(n, late))
					w.finish()
				})
			})
		}
	})
}
