package faults

import (
	"fmt"
	"testing"
)

// Runs in which calls go wrong in several flows, each of which begins where the one before it ends: they take a fraction of the
// time that a run for each call takes, and try what an earlier mishap has left besides.

// perFlow is how many calls of each flow go wrong in one run; 0 if the calls of a shape have a run each.
func (s shape) perFlow() int {
	switch {
	case !*full && !*every:
		return 0
	case s.large():
		return 6
	case *every || s.refused || s.name == "one":
		return 0
	case s.patient():
		return 3
	}
	return 1
}

// wrong is a call that goes wrong in one way: the nth of its operation.
type wrong struct {
	op   string
	nth  int
	kind kind
}

func (is wrong) String() string { return fmt.Sprintf("%s-%d-%s", is.op, is.nth, is.kind.name) }

// round is what goes wrong in one flow, each once.
type round struct {
	list []wrong
	seen map[string]int
	done []bool
}

func newRound(list []wrong) *round {
	return &round{list: list, seen: map[string]int{}, done: make([]bool, len(list))}
}

// disturb is asked at each call.
func (r *round) disturb(w *world) func(*call, bool) *fault {
	return func(c *call, after bool) *fault {
		if !after {
			r.seen[c.op]++
		}
		for i, is := range r.list {
			if !r.done[i] && c.op == is.op && r.seen[c.op] == is.nth && after == is.kind.late && is.kind.fits(c) && !c.process.dead.Load() {
				r.done[i] = true
				is.count()
				return is.kind.make(w, c)
			}
		}
		return nil
	}
}

func (is wrong) count() {
	if is.kind.crash {
		tried.crashes.Add(1)
		return
	}
	tried.faults.Add(1)
}

// missed returns what did not come about: something that went wrong earlier has made the calls others.
func (r *round) missed() []wrong {
	var out []wrong
	for i, is := range r.list {
		if !r.done[i] {
			out = append(out, is)
		}
	}
	return out
}

// passAll runs flows of which each begins where the one before it ends, each with a round of its own, nil for none.
func (w *world) passAll(chain []flow, rounds []*round) {
	chain[0].prepare(w)
	for i, f := range chain {
		w.disturbers, w.recorded, w.counted = nil, nil, 0
		if rounds[i] != nil {
			w.disturbers = append(w.disturbers, rounds[i].disturb(w))
		}
		w.counting = true
		f.begin(w)
		w.until(flowWithin, func() bool { return f.over(w) })
		w.counting = false
	}
}

// inChains has everything go wrong that can, in as many runs as it takes. What did not come about in one of them is tried
// again alone, and so is what keeps checks from being made from then on.
func inChains(t *testing.T, s shape, gentle bool, wrongsOf func(calls []call) []wrong) {
	t.Helper()
	t.Run(s.name, func(t *testing.T) {
		chain, all, most := flows(s), [][]wrong{}, 0
		for i, f := range chain {
			wrongs, apart := parted(wrongsOf(reference(t, s, f)))
			all, most = append(all, wrongs), max(most, len(wrongs))
			for _, is := range apart {
				t.Run(fmt.Sprintf("%s-%s", f.name, is), func(t *testing.T) {
					t.Parallel()
					alone(t, s, gentle, i, is)
				})
			}
		}
		for n := range (most + s.perFlow() - 1) / s.perFlow() {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				rounds := make([]*round, len(chain))
				for i := range chain {
					rounds[i] = newRound(share(all[i], n, s.perFlow()))
				}
				inChain(t, s, gentle, rounds)
				for i, r := range rounds {
					for _, is := range r.missed() {
						t.Run(fmt.Sprintf("%s-%s", chain[i].name, is), func(t *testing.T) { alone(t, s, gentle, i, is) })
					}
				}
			})
		}
	})
}

// parted parts what can go wrong in a chain from what is tried alone.
func parted(all []wrong) (chained, apart []wrong) {
	for _, is := range all {
		if is.kind.twins {
			apart = append(apart, is)
		} else {
			chained = append(chained, is)
		}
	}
	return chained, apart
}

func inChain(t *testing.T, s shape, gentle bool, rounds []*round) {
	t.Helper()
	inWorld(t, s, *first, func(w *world) {
		w.gentle = gentle
		w.passAll(flows(s), rounds)
		w.finish()
	})
}

// alone has one call of one flow go wrong.
func alone(t *testing.T, s shape, gentle bool, i int, is wrong) {
	t.Helper()
	rounds := make([]*round, len(flows(s)))
	rounds[i] = newRound([]wrong{is})
	inChain(t, s, gentle, rounds)
	if len(rounds[i].missed()) > 0 {
		t.Errorf("%s did not come about", is)
	}
}

// share returns the n-th of each of so many parts of a list, as far as there are such.
func share(all []wrong, n, parts int) []wrong {
	size := (len(all) + parts - 1) / parts
	var out []wrong
	for i := n; n < size && i < len(all); i += size {
		out = append(out, all[i])
	}
	return out
}

// faultsOf returns all ways in which calls go wrong; of a large cluster's, only those calls that are distinguished.
func faultsOf(s shape) func(calls []call) []wrong {
	return func(calls []call) []wrong {
		var out []wrong
		seen := map[string]int{}
		for i := range calls {
			seen[calls[i].op]++
			if s.large() && !*every && !distinguished(calls, i+1) {
				continue
			}
			for _, k := range kinds() {
				if k.fits(&calls[i]) {
					out = append(out, wrong{op: calls[i].op, nth: seen[calls[i].op], kind: k})
				}
			}
		}
		return out
	}
}

// distinguished tells whether a call is the first, the middle or the last of its kind.
func distinguished(calls []call, n int) bool {
	var same []int
	for i := range calls {
		if calls[i].op == calls[n-1].op {
			same = append(same, i+1)
		}
	}
	return n == same[0] || n == same[len(same)/2] || n == same[len(same)-1]
}

// crashesOf returns the deaths of a process at every call, before it has its effect and after that.
func crashesOf(calls []call) []wrong {
	var out []wrong
	seen := map[string]int{}
	for i := range calls {
		seen[calls[i].op]++
		for _, late := range []bool{false, true} {
			k := kind{name: "killed-" + when(late), late: late, crash: true, make: (*world).crash}
			out = append(out, wrong{op: calls[i].op, nth: seen[calls[i].op], kind: k})
		}
	}
	return out
}

// The same as TestCrashPoints for clusters that are not so small.
func TestCrashPointsInChains(t *testing.T) {
	for _, s := range shapes() {
		if s.perFlow() > 0 {
			inChains(t, s, true, crashesOf)
		}
	}
}

// The same as TestSingleFaults for clusters that are not so small; of large ones at the first, the middle and the last call of
// each kind.
func TestSingleFaultsInChains(t *testing.T) {
	for _, s := range shapes() {
		if s.perFlow() > 0 && (s.large() || s.name == "six") {
			inChains(t, s, false, faultsOf(s))
		}
	}
}
