package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// Nova's services die inside an operation, and come back.

// buildPoints are the moments in the making of a server at which its nova-compute dies.
func buildPoints() []cloud.KillPoint {
	return []cloud.KillPoint{cloud.KillBeforeClaim, cloud.KillBeforeNetworkInfo, cloud.KillBeforeSpawn, cloud.KillBeforeSave}
}

// mortal are the clusters that it is tried on.
func mortal() []shape {
	out := []shape{{name: "one", masters: 1}, {name: "pair", masters: 1, workers: 1}}
	if *every {
		out = append(out, shape{name: "six", masters: 3, workers: 3})
	}
	return out
}

// deadFor is for how long a service is dead.
func deadFor() []time.Duration {
	return []time.Duration{time.Second, 2 * time.Minute, 20 * time.Minute}
}

// nova-compute dies when the guest of a new server runs, or just before, and Nova has not saved that: the server ends in ERROR, and has
// perhaps run for minutes. It is made again only if it never ran.
func TestS02RanBeforeLaunched(t *testing.T) {
	for _, s := range mortal() {
		flows := []flow{resumeFlow()}
		if *every {
			// A resume that is turned round while a server waits for a person can cost a worker's Node its labels.
			flows = append(flows, turnedFlows(t, s)[2*turnPoints:]...)
		}
		for _, f := range flows {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				tryDeaths(t, s, f, buildPoints())
			})
		}
	}
}

// nova-compute dies at every other moment within an operation, of both directions, of reversals and of rollbacks.
func TestS14ServicesDie(t *testing.T) {
	for _, s := range mortal() {
		for _, f := range append([]flow{hibernateFlow(s), resumeFlow()}, turnedFlows(t, s)...) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				tryDeaths(t, s, f, cloud.KillPoints()[len(buildPoints()):])
			})
		}
	}
}

// tryDeaths has the nova-compute of each role's first server die at each of these moments.
func tryDeaths(t *testing.T, s shape, f flow, points []cloud.KillPoint) {
	t.Helper()
	for i, point := range points {
		for j, lasts := range deadFor() {
			for _, role := range []string{"master", "worker"}[:1+min(1, s.workers)] {
				if !atCall(s, f, i, j, 7) {
					continue
				}
				t.Run(fmt.Sprintf("%s-%s-%s", role, point, lasts), func(t *testing.T) {
					tried.faults.Add(1)
					inWorld(t, s, *first, func(w *world) {
						w.dying(f, func() { w.cloud.KillComputeAt(point, w.named(role)) }, lasts)
					})
				})
			}
		}
	}
}

// dying runs a flow in which services die, and are dead for so long. A person repairs what messages say is to be repaired.
func (w *world) dying(f flow, kill func(), lasts time.Duration) {
	f.prepare(w)
	kill()
	w.counting = true
	r := w.reader(false)
	f.begin(w)
	restart := func() {
		w.trace.add("SOMEBODY: restarts what is dead of Nova")
		w.cloud.RestartCompute("")
		w.cloud.RestartConductor()
		w.cloud.RestartScheduler()
	}
	over := func() bool { return f.over(w) }
	for since := time.Duration(0); since < time.Hour && !w.until(lasts, over); since += lasts + time.Minute {
		restart()
		w.until(time.Minute, over)
	}
	w.cloud.Disarm()
	restart()
	r.obeyUntil(over)
	w.counting = false
	w.orderAll(runningNow)
	r.obeyUntil(func() bool { return w.allShow(runningNow) && w.awake() })
	w.advised = ""
	w.finish()
}

// nova-conductor or nova-scheduler dies at every call of a resume.
func TestS02SchedulerDies(t *testing.T) {
	kills := []struct {
		name string
		kill func(w *world)
	}{
		{"conductor", func(w *world) { w.cloud.KillConductor() }},
		{"scheduler", func(w *world) { w.cloud.KillScheduler() }},
		{"compute", func(w *world) { w.cloud.KillCompute("") }},
	}
	pick := func(s shape, f flow) bool { return s.name == "one" && f.name != "timer" && f.name != "claim" }
	eachPoint(t, stride{daily: 37, full: 3}, pick, func(t *testing.T, s shape, f flow, n int, _ []call) {
		for i, k := range kills {
			lasts := deadFor()[(n+i)%len(deadFor())]
			t.Run(fmt.Sprintf("%d-%s-%s", n, k.name, lasts), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) {
					at := f
					at.begin = func(w *world) {
						w.disturbers = append(w.disturbers, w.at(n, func() {
							w.trace.add("SOMEBODY: kills the %s", k.name)
							k.kill(w)
						}))
						f.begin(w)
					}
					w.dying(at, func() {}, lasts)
				})
			})
		}
	})
}

// The domain of a server that Nova calls PAUSED runs, at every call of a hibernation: what it writes is in no snapshot.
func TestS14PausedAndRunning(t *testing.T) {
	deeds := domainsRun()
	for _, s := range mortal()[:2] {
		for _, f := range append([]flow{hibernateFlow(s)}, deedFlows(s)[len(flows(s)):]...) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				tryOtherDeeds(t, s, f, deeds[:1+s.workers], 0, 17)
			})
		}
	}
}

// domainsRun are the deeds of a domain that runs, of a master and of a worker.
func domainsRun() []otherDeed {
	deeds := []otherDeed{}
	for _, role := range []string{"master", "worker"} {
		deeds = append(deeds, otherDeed{
			name: "domain-runs-" + role, role: role, advice: []string{"power state", "runs", "paused"},
			do: func(m *meddling) bool {
				// What happens between the last look and the request can't be known, and leaves no trace in a history.
				looks := []string{"nova.server.list", "nova.server.get"}
				if m.unseen("nova.server.createImage", looks...) || m.unseen("nova.server.delete", looks...) {
					return false
				}
				s, ok := m.server()
				return ok && s.Status == "PAUSED" && m.cloud.SetPowerState(s.ID, 1)
			},
			undo: func(m *meddling) {
				if s, ok := m.server(); ok && s.Status == "PAUSED" {
					m.cloud.SetPowerState(s.ID, 3)
				}
			},
		})
	}
	return deeds
}
