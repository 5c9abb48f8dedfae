package faults

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// What a run of the tests is to do. Without flags it is a sample of everything, fast enough for every day.
var (
	full  = flag.Bool("full", false, "complete crash points, single faults, reversals and deletions, and much of the rest; a quarter of an hour")
	every = flag.Bool("every", false, "everything at every point; takes hours")
	seeds = flag.Int("seeds", 0, "how many random schedules; 0 is a few")
	first = flag.Uint64("seed", 1, "the first of them")
	lines = flag.Int("trace", 160, "how many lines of the trace of a run that failed are shown")
)

// tally is what was tried.
type tally struct {
	crashes, faults, schedules, violations atomic.Int64
	traces                                 atomic.Int64
	// runs are those of each test, reference runs among them.
	mu   sync.Mutex
	runs map[string]int
	// notes are what else is printed in the end.
	notes []string
}

// note has a line printed in the end.
func (c *tally) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, line)
}

// ran counts a run.
func (c *tally) ran(test string) {
	name, _, _ := strings.Cut(test, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[name]++
}

// print says what was tried.
func (c *tally) print() {
	for _, name := range slices.Sorted(maps.Keys(c.runs)) {
		fmt.Printf("%s: runs=%d\n", name, c.runs[name])
	}
	for _, line := range slices.Sorted(slices.Values(c.notes)) {
		fmt.Println(line)
	}
	fmt.Printf("faults: crash-points=%d fault-points=%d schedules=%d violations=%d\n",
		c.crashes.Load(), c.faults.Load(), c.schedules.Load(), c.violations.Load())
}

var tried = tally{runs: map[string]int{}} //nolint:gochecknoglobals // printed by TestMain, counted by all tests

// mostTraces is how many runs that failed are shown with their trace.
const mostTraces = 5

func TestMain(m *testing.M) {
	flag.Parse()
	// Worlds are small and live for milliseconds.
	debug.SetGCPercent(800)
	code := m.Run()
	tried.print()
	os.Exit(code)
}

// inWorld runs a test in a world of its own, on virtual time, and reports what was violated.
func inWorld(t *testing.T, s shape, seed uint64, run func(w *world)) {
	t.Helper()
	tried.ran(t.Name())
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(s, seed)
		run(w)
		w.close()
		w.report(t)
	})
}

// level returns the flag that says how much is tried: which rows there are depends on it.
func level() string {
	switch {
	case *every:
		return " -every"
	case *full:
		return " -full"
	}
	return ""
}

// report fails the test if anything was violated, with a trace and the command that repeats it.
func (w *world) report(t *testing.T) {
	t.Helper()
	if len(w.violations) == 0 {
		return
	}
	tried.violations.Add(int64(len(w.violations)))
	for _, v := range w.violations {
		t.Error(v)
	}
	t.Logf("to repeat it: go test ./test/faults%s -seed=%d -run='^%s$'", level(), w.seed, t.Name())
	if tried.traces.Add(1) <= mostTraces {
		t.Logf("the end of what happened:\n%s", w.trace.tail(*lines))
	}
}
