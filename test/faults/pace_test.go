package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Bounds on what is done while a cluster waits.

const (
	// mostVisits is how many visits an hour a cluster may take that waits for something, once it has waited for hours.
	mostVisits = 60
	// mostVisitsHeld is the same for a cluster whose servers we hold paused.
	mostVisitsHeld = 300
	// mostRequests is how many requests to OpenStack each visit may take, mostOfServer how many more for each server.
	mostRequests, mostOfServer = 15, 8
)

// checkPace runs the world for an hour in which nothing changes, and looks at how often it was visited and what that took.
func (w *world) checkPace(over func() bool) bool {
	held, passes, requests := w.holds(), w.passes, w.requests
	if w.until(time.Hour, func() bool {
		held = held || w.holds()
		return over()
	}) {
		return true
	}
	visits := mostVisits * len(w.shape.clusters)
	if held {
		visits = mostVisitsHeld * len(w.shape.clusters)
	}
	passes, requests = w.passes-passes, w.requests-requests
	w.trace.add("%d visits and %d requests in an hour, servers held: %v", passes, requests, held)
	if passes > visits {
		w.violate("busy", "%d visits in an hour in which nothing changed (servers held: %v): %s", passes, held, w.conditions())
	}
	if most := visits * (mostRequests + mostOfServer*len(w.initial.machines)); requests > most {
		w.violate("busy", "%d requests in an hour in which nothing changed (servers held: %v): %s", requests, held, w.conditions())
	}
	return false
}

// holds reports whether any cluster's servers are, or by its record may be, held paused by us.
func (w *world) holds() bool {
	for _, id := range w.shape.clusters {
		if r := w.hub.record(key(id)); r != nil && r.Cut != nil {
			return true
		}
		for _, s := range w.serversOf(id) {
			if s.Status == "PAUSED" && slices.Contains(w.initial.names, s.Name) && w.was(s.Name).Status != "PAUSED" {
				return true
			}
		}
	}
	return false
}

// stuckStates are those in which a server can stay that Nova has forgotten.
func stuckStates() []string { return []string{"BUILD"} }

// refusedWithin is how long it may take until a cluster is refused whose server is stuck.
const refusedWithin = 30 * time.Minute

// A server is in the middle of something for ever when its cluster is to hibernate: that is refused within minutes, and looked
// at ever more rarely.
func TestS11StuckServer(t *testing.T) {
	for _, s := range []shape{{name: "one", masters: 1}, {name: "pair", masters: 1, workers: 1}} {
		for _, role := range []string{"master", "worker"}[:1+s.workers] {
			for _, state := range stuckStates() {
				t.Run(fmt.Sprintf("%s/%s-%s", s.name, role, state), func(t *testing.T) {
					t.Parallel()
					tried.faults.Add(1)
					inWorld(t, s, *first, func(w *world) { w.stuckServer(role, state) })
				})
			}
		}
	}
}

// stuckServer has a server be stuck for six hours from right before the order.
func (w *world) stuckServer(role, state string) {
	settle(w)
	srv := w.was(w.named(role))
	if !w.cloud.SetServerState(srv.ID, state) {
		panic("there is no state " + state)
	}
	w.trace.add("SOMEBODY: %s is %s for ever", srv.Name, state)
	w.orderAll(hibernating)
	refused := func() bool {
		return w.allShow(hivev1.ClusterPowerStateFailedToStop) && strings.Contains(w.conditions(), srv.Name)
	}
	if !w.until(refusedWithin, refused) {
		w.violate("silent", "not refused within %s: %s", refusedWithin, w.conditions())
	}
	w.wait(5 * time.Hour)
	w.checkPace(func() bool { return false })
	w.trace.add("SOMEBODY: %s is ACTIVE again", srv.Name)
	w.cloud.SetServerState(srv.ID, "ACTIVE")
	if !w.until(wakeWithin, func() bool { return w.allShow(hibernating) }) {
		w.violate("stuck", "it does not hibernate %s after the server is well: %s", wakeWithin, w.conditions())
	}
	w.finish()
}
