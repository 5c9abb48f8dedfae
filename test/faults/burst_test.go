package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

// from has calls go wrong from the n-th on for so long; what does not last is left out of it.
func (w *world) from(k kind, n int, lasts time.Duration) func(*call, bool) *fault {
	var until time.Time
	return func(c *call, done bool) *fault {
		if until.IsZero() && c.n == n {
			until = time.Now().Add(lasts)
		}
		if until.IsZero() || time.Now().After(until) || done != k.late || !k.fits(c) {
			return nil
		}
		return k.make(w, c)
	}
}

// lasting are the kinds of faults that an outage consists of.
func lasting() []kind {
	// Where everything is said not to exist, for long, nothing tells that from the truth.
	passing := []string{"404", "late", "twice", "twice, first answer", "another project", "expired token", "list of before"}
	return slices.DeleteFunc(kinds(), func(k kind) bool { return slices.Contains(passing, k.name) })
}

// Calls go wrong for minutes, from every third call on with -full; of a cluster of six servers from every twelfth on.
func TestBursts(t *testing.T) {
	tryBursts(t, stride{daily: 37, full: 3}, func(s shape, _ flow) bool { return s.name == "one" })
	tryBursts(t, stride{daily: 1000, full: 12}, func(s shape, _ flow) bool { return s.name == "six" && (*full || *every) })
}

func tryBursts(t *testing.T, at stride, pick func(shape, flow) bool) {
	t.Helper()
	eachPoint(t, at, pick, func(t *testing.T, s shape, f flow, n int, calls []call) {
		for _, k := range lasting() {
			if !slices.ContainsFunc(calls[n-1:], func(c call) bool { return k.fits(&c) }) {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s", n, k.name), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) {
					w.pass(f, w.from(k, n, 5*time.Minute))
					w.finish()
				})
			})
		}
	})
}

// A kind of call goes wrong for good: the cluster goes on running, or sleeps safely, and says why. Once nothing is wrong any
// more it does what it is to do.
func TestPermanentFaults(t *testing.T) {
	pick := func(s shape, f flow) bool {
		return (s.name == "one" || s.name == "six" && (*full || *every)) && (*full || *every || f.name == "cleanup")
	}
	eachPoint(t, complete(1000), pick, func(t *testing.T, s shape, f flow, n int, calls []call) {
		if n != 1 {
			return
		}
		for _, op := range operations(calls) {
			for _, k := range lasting() {
				if !k.fits(&op) {
					continue
				}
				t.Run(op.op+"-"+k.name, func(t *testing.T) {
					tried.faults.Add(1)
					inWorld(t, s, *first, func(w *world) { w.forGood(f, k, op.op) })
				})
			}
		}
	})
}

// operations returns one call of each operation.
func operations(calls []call) []call {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool {
		again := seen[c.op]
		seen[c.op] = true
		return again
	})
}

// outage is how long a fault lasts that is there for good.
const outage = 3 * time.Hour

func (w *world) forGood(f flow, k kind, op string) {
	w.start(f, func(c *call, done bool) *fault {
		if c.op == op && done == k.late && k.fits(c) {
			return k.make(w, c)
		}
		return nil
	})
	before := w.passes
	over := func() bool { return f.over(w) }
	reached := w.until(outage-time.Hour, over) || w.checkPace(over)
	if !reached {
		w.checkSaysWhy(k)
	}
	// Whoever waits for servers looks every two seconds at most.
	if w.passes-before > int(outage/time.Minute)*40 {
		w.violate("busy", "%d passes in %s", w.passes-before, outage)
	}
	w.finish()
}

// checkSaysWhy: a cluster that can't do what it is to do says so, unless nothing can be written where it would.
func (w *world) checkSaysWhy(k kind) {
	if k.service == hubAPI {
		return
	}
	for _, id := range w.shape.clusters {
		cd := w.hub.cd(key(id))
		if cd == nil {
			continue
		}
		told := false
		for _, c := range cd.Status.Conditions {
			if (c.Type == hivev1.ClusterHibernatingCondition || c.Type == hivev1.ClusterReadyCondition) && c.Message != "" && c.Reason != "Running" {
				told = true
			}
		}
		if !told && !w.healthy(id) {
			w.violate("silent", "nothing says why %s is not as it is to be: %s", id, w.condition(id))
		}
	}
}

// healthy tells whether all servers of a cluster run.
func (w *world) healthy(id string) bool {
	servers := w.serversOf(id)
	return len(servers) > 0 && !slices.ContainsFunc(servers, func(s cloud.Server) bool { return s.Status != "ACTIVE" })
}
