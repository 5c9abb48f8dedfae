package faults

import (
	"fmt"
	"testing"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// at does something once, right before the n-th call.
func (w *world) at(n int, do func()) func(*call, bool) *fault {
	happened := false
	return func(c *call, done bool) *fault {
		if c.n == n && !done && !happened {
			happened = true
			do()
		}
		return nil
	}
}

// opposite returns where a flow's clusters are to turn to.
func opposite(f flow) hivev1.ClusterPowerState {
	if f.name == "hibernate" || f.name == "timer" {
		return runningNow
	}
	return hibernating
}

// reversed is a flow whose orders are taken back right before its n-th call.
func reversed(f flow, n int) flow {
	to := opposite(f)
	return flow{
		name: fmt.Sprintf("%s-turned-at-%d", f.name, n),
		prepare: func(w *world) {
			f.prepare(w)
			w.disturbers = append(w.disturbers, w.at(n, func() { w.orderAll(to) }))
		},
		begin: f.begin,
		over: func(w *world) bool {
			return w.counted >= n && w.allShow(to) && w.orderedAll(to) && (to == hibernating || w.awake())
		},
	}
}

// orderedAll tells whether all clusters that are there are to be so.
func (w *world) orderedAll(state hivev1.ClusterPowerState) bool {
	for _, key := range w.keys() {
		if cd := w.hub.cd(key); cd != nil && cd.Spec.PowerState != state {
			return false
		}
	}
	return true
}

// eachPoint runs a test for the calls of the flows of each shape, at every one or at a sample.
func eachPoint(t *testing.T, at stride, pick func(shape, flow) bool, test func(t *testing.T, s shape, f flow, n int, calls []call)) {
	t.Helper()
	for _, s := range shapes() {
		if s.large() && !*full && !*every {
			continue
		}
		for _, f := range flows(s) {
			if !pick(s, f) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				calls := reference(t, s, f)
				for _, n := range points(s, calls, at) {
					test(t, s, f, n, calls)
				}
			})
		}
	}
}

// Whenever the order is taken back, everything turns round, and nothing is lost.
func TestReversals(t *testing.T) {
	eachPoint(t, complete(11), func(s shape, _ flow) bool { return !s.refused && !s.patient() }, func(t *testing.T, s shape, f flow, n int, _ []call) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			tried.crashes.Add(1)
			inWorld(t, s, *first, func(w *world) {
				w.gentle = true
				w.pass(reversed(f, n), nil)
				w.finish()
			})
		})
	})
}

// A process is killed while it turns round, at every call that changes something.
func TestCrashesWhileTurning(t *testing.T) {
	pick := func(s shape, f flow) bool {
		return (s.name == "one" || s.name == "six" && *every) && (f.name == "hibernate" || f.name == "resume")
	}
	eachPoint(t, complete(31), pick, func(t *testing.T, s shape, f flow, n int, _ []call) {
		crashesIn(t, s, reversed(f, n), n)
	})
}

// crashesIn kills a process at each call of a flow, from the n-th on, that changes something.
func crashesIn(t *testing.T, s shape, f flow, n int) {
	t.Helper()
	t.Run(f.name, func(t *testing.T) {
		calls := reference(t, s, f)
		for m := n; m <= len(calls); m++ {
			if !*every && (!calls[m-1].changes || !*full && m%3 != 0) {
				continue
			}
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d-%s", m, when(late)), func(t *testing.T) {
					tried.crashes.Add(1)
					inWorld(t, s, *first, func(w *world) {
						w.pass(f, w.die(m, late))
						w.conclude(f)
					})
				})
			}
		}
	})
}

// The ClusterDeployment is deleted at every point. No server is left paused; with preserveOnDelete nothing is lost, and
// another ClusterDeployment wakes what was kept.
func TestDeletions(t *testing.T) {
	eachPoint(t, complete(13), func(s shape, _ flow) bool { return s.name != "prefixes" && !s.patient() }, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-keep-%v", n, keep), func(t *testing.T) {
				tried.crashes.Add(1)
				inWorld(t, s, *first, func(w *world) {
					d := destroyed(f, n, keep)
					w.pass(d, nil)
					w.conclude(d)
				})
			})
		}
	})
}

// A process is killed while what was deleted is given up, or kept, at every call that changes something.
func TestCrashesWhileDeleting(t *testing.T) {
	pick := func(s shape, f flow) bool {
		return (s.name == "one" || s.name == "six" && *every) && f.name != "timer" && f.name != "claim"
	}
	eachPoint(t, complete(37), pick, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for _, keep := range []bool{false, true} {
			crashesIn(t, s, destroyed(f, n, keep), n)
		}
	})
}

// destroyed is a flow whose first cluster's ClusterDeployment is deleted right before its n-th call.
func destroyed(f flow, n int, keep bool) flow {
	id := func(w *world) string { return w.shape.clusters[0] }
	return flow{
		name: fmt.Sprintf("%s-deleted-at-%d-keep-%v", f.name, n, keep),
		prepare: func(w *world) {
			f.prepare(w)
			w.disturbers = append(w.disturbers, w.at(n, func() { w.destroy(id(w), keep) }))
		},
		begin: f.begin,
		over:  func(w *world) bool { return w.counted >= n && w.hub.cd(key(id(w))) == nil },
		ended: func(w *world) { w.finishDestroyed(id(w), keep) },
	}
}

// destroy deletes a ClusterDeployment.
func (w *world) destroy(id string, keep bool) {
	w.hub.edit(key(id), func(cd *hivev1.ClusterDeployment) { cd.Spec.PreserveOnDelete = keep })
	w.trace.add("order: the ClusterDeployment is deleted")
	w.dropped[id] = !keep
	w.hub.remove(key(id))
}

// finishDestroyed looks at what is left of a cluster whose ClusterDeployment was deleted.
func (w *world) finishDestroyed(id string, keep bool) {
	w.disturbers, w.counting = nil, false
	if w.shape.mend != nil {
		w.shape.mend(w)
	}
	if !w.until(wakeWithin, func() bool { return w.hub.cd(key(id)) == nil }) {
		w.violate("left-over", "the ClusterDeployment does not go: %s", w.conditions())
		return
	}
	record := w.hub.record(key(id))
	switch {
	case keep && record != nil:
		w.recover(id)
	case record != nil:
		w.violate("left-over", "the record is still there")
	default:
		w.wait(time.Minute)
		w.cloud.Settle()
		w.checkRuns(id)
		w.checkLeftovers()
	}
}

// recover has another ClusterDeployment, as from a backup, wake what was kept.
func (w *world) recover(id string) {
	w.trace.add("the ClusterDeployment is made anew")
	w.introduce(id)
	w.finish()
}

// checkRuns: whatever is still there of a cluster runs as it did before.
func (w *world) checkRuns(id string) {
	was := map[string]string{}
	for _, s := range w.initial.servers {
		was[s.Name] = s.Status
	}
	servers := w.serversOf(id)
	for _, s := range servers {
		if s.Status != was[s.Name] && s.Status != "ACTIVE" && s.Status != "BUILD" {
			w.violate("left-paused", "%s is left %s", s.Name, s.Status)
		}
	}
	if len(servers) < len(w.initial.machines) && !w.dropped[id] {
		w.violate("missing", "%d of %d servers are left", len(servers), len(w.initial.machines))
	}
}
