//go:build e2e

package openstack

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// TestCrash kills the manager in the middle of each transition, at the moment when the cloud has done something and its
// answer is on the way, and starts it again: nothing is lost, and nothing is made twice.
func TestCrash(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t)
	seed(t, infraID, "3", "3", "--adorned")
	before := w.cloud.servers(t.Context(), g)
	expectAdorned(g, before)
	with := w.cloud.usage(t.Context(), g)

	w.startGuest("demo", infraID)
	c := w.hub.deploy(t, "demo", infraID, "openstack-credentials")
	c.await(time.Time{}, time.Minute, "running", running)

	w.crashing(c, "POST servers/*/action createImage", 3, func() time.Time {
		return c.patch(hivev1.ClusterPowerStateHibernating)
	}, "asleep", asleep)
	w.expectAsleep(g, before, with.minus(sum(before)))

	w.crashing(c, "POST servers", 2, func() time.Time {
		return c.patch(hivev1.ClusterPowerStateRunning)
	}, "running", running)
	w.expectAwake(g, c, before, with)
}

// crashing begins a transition, kills the manager right after the cloud did what the nth request of a kind asked for,
// starts it again, and waits for the transition's end.
func (w *world) crashing(c *cluster, kind string, nth int, begin func() time.Time, what string, is func(state) bool) {
	w.t.Helper()
	sprung := w.recorder.set(kind, nth, w.hub.killManager)
	began := begin()
	select {
	case <-sprung:
	case <-time.After(hibernateTimeout):
		w.t.Fatalf("the manager did not ask for %q %d times: %s", kind, nth, c.last())
	}
	w.t.Logf("killed the manager at request %d of %q", nth, kind)
	if _, done := c.find(began, is); done {
		w.t.Fatalf("%s is %s before the transition's end", c.name, what)
	}
	again := time.Now()
	NewWithT(w.t).Expect(w.hub.startManager(w.t.Context())).To(Succeed())
	// The claim of the manager that is gone must be seen to expire first.
	end := c.await(began, hibernateTimeout, what, is)
	rs := w.recorder.between(again, end)
	w.t.Logf("%s %.1f s and %d requests after the new start\n%s", what, end.Sub(again).Seconds(), len(rs), rs.table())
}
