package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// Nova's cells go down and come back.

// outages are what happens at a call.
func outages() []deed {
	var out []deed
	for _, lasts := range []time.Duration{time.Second, 2 * time.Minute, time.Hour} {
		out = append(out,
			deed{name: fmt.Sprintf("all cells are down for %s", lasts), do: func(w *world, _ *call) { w.cloud.TakeCellsDown(lasts) }},
			deed{name: fmt.Sprintf("one cell is down for %s", lasts), do: func(w *world, _ *call) { w.cloud.TakeCellDown(firstCell, lasts) }})
	}
	return out
}

const firstCell = "cell1"

// celled are the clusters whose servers are in one cell, or in two.
func celled() []shape {
	two := func(o *cloud.Options) { o.Cells = []string{firstCell, "cell2"} }
	return []shape{{name: "one", masters: 1}, {name: "pair", masters: 1, workers: 1, cloud: two}, {name: "six", masters: 3, workers: 3, cloud: two}}
}

// At every call of both directions, of reversals and of rollbacks, the cell of all servers or of some goes down, for a second, for
// minutes or for an hour: what does not answer is neither gone nor restored.
func TestS01CellDown(t *testing.T) {
	for _, s := range celled() {
		list := append([]flow{hibernateFlow(s), resumeFlow(), cleanupFlow()}, turnedFlows(t, s)...)
		for i, f := range list {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				calls := reference(t, s, f)
				for n := 1; n <= len(calls); n++ {
					for j, d := range outages() {
						if !atCall(s, f, n, i+j, 199) || s.name == "one" && j%2 == 1 {
							continue
						}
						t.Run(fmt.Sprintf("%d-%s", n, d.name), func(t *testing.T) {
							tried.faults.Add(1)
							inWorld(t, s, *first, func(w *world) {
								w.pass(f, w.happening(d, n))
								w.finish()
							})
						})
					}
				}
			})
		}
	}
}
