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
		return w.crash(c)
	}
}

// crash kills the process that makes a call, and starts another one in its place.
func (w *world) crash(c *call) *fault {
	c.process.kill()
	w.later(restartsAfter, func() { w.startProcess() })
	return dead(c)
}

// later does something in a while, unless the run is over before.
func (w *world) later(d time.Duration, do func()) {
	w.pending.Add(1)
	w.beside(func() {
		defer w.pending.Add(-1)
		timer := time.NewTimer(d)
		defer timer.Stop()
		over := false
		w.standing(func() {
			select {
			case <-timer.C:
			case <-w.over:
				over = true
			}
		})
		if !over {
			do()
		}
	})
}

// reference returns the calls of an undisturbed flow.
func reference(t *testing.T, s shape, f flow) []call {
	t.Helper()
	var calls []call
	inWorld(t, s, *first, func(w *world) {
		w.gentle = true
		w.pass(f, nil)
		calls = w.recorded
		w.conclude(f)
	})
	return calls
}

// stride is at every how many calls something is tried: every day, and with -full. With -every it is tried at all.
type stride struct{ daily, full int }

// complete is for what is tried at every call with -full.
func complete(daily int) stride { return stride{daily: daily, full: 1} }

func (s stride) now() int {
	switch {
	case *every:
		return 1
	case *full:
		return s.full
	}
	return s.daily
}

// points returns the numbers of the calls at which something is tried. A large cluster does the same to each of its machines:
// what goes wrong with the first, the middle or the last of a kind of call is what can go wrong.
func points(s shape, calls []call, at stride) []int {
	var out []int
	for n := 1; n <= len(calls); n += at.now() {
		if s.large() && !*every && !distinguished(calls, n) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// large tells whether a shape is too large to be tried every day.
func (s shape) large() bool { return s.masters+s.workers > 10 }

func when(late bool) string {
	if late {
		return "after"
	}
	return "before"
}

// Wherever a process is killed, before or after one of its calls has its effect, the next one finishes what it began.
func TestCrashPoints(t *testing.T) {
	pick := func(s shape, _ flow) bool { return !s.large() && s.perFlow() == 0 }
	eachPoint(t, complete(9), pick, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-%s", n, when(late)), func(t *testing.T) {
				tried.crashes.Add(1)
				inWorld(t, s, *first, func(w *world) {
					w.gentle = true
					w.pass(f, w.die(n, late))
					w.finish()
				})
			})
		}
	})
}
