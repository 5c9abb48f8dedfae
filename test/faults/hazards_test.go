package faults

import (
	"fmt"
	"testing"
)

// At which calls the hazards are tried, which docs/reliability.md numbers.

// tryOtherDeeds tries each deed at the calls of a flow, at a stride where not at all.
func tryOtherDeeds(t *testing.T, s shape, f flow, deeds []otherDeed, from, stride int) {
	t.Helper()
	calls := reference(t, s, f)
	for i, d := range deeds {
		for n := 1; n <= len(calls); n++ {
			if !atCall(s, f, n, from+i, stride) {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s", n, d.name), func(t *testing.T) {
				inWorld(t, s, *first, func(w *world) { w.meddle(f, d, calls[n-1:]) })
			})
		}
	}
}

// atCall reports whether a row of a hazard is tried at a call: every one with -every, every one of one server's two directions with
// -full, and otherwise those at a stride, of small clusters.
func atCall(s shape, f flow, n, deed, stride int) bool {
	switch {
	case *every, *full && s.name == "one" && (f.name == "hibernate" || f.name == "resume"):
		return true
	}
	return s.name != "six" && (n*31+deed*17)%stride == 0
}
