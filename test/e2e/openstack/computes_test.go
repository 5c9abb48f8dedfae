//go:build e2e

package openstack

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// TestComputeStops kills or freezes nova-compute in the middle of pauses and snapshots: the hibernation goes on or is
// undone, and the cluster comes back whole each time.
func TestComputeStops(t *testing.T) {
	skipInCI(t, "each outage takes a cycle of its own")
	w := newWorld(t, schedulingDeadline)
	knob(t, "snapshot_upload_seconds", "4")
	x := w.newTrial("openstack-credentials", "stops-q7w3e", "1", "2")
	s := w.newSaboteur()
	both := []string{"nova-compute-0", "nova-compute-1"}
	outages := []outage{
		{services: both, how: "kill", at: pauses, nth: 1, before: true, lasts: 5 * time.Second},
		{services: both, how: "pause", at: pauses, nth: 2, lasts: 20 * time.Second},
		{services: both, how: "kill", at: shots, nth: 3, until: uploading, lasts: 5 * time.Second},
		{services: both, how: "pause", at: shots, nth: 3, until: uploading, lasts: 20 * time.Second},
	}
	for i, o := range outages {
		s.set(o)
		x.cycle(s)
		NewWithT(t).Expect(s.count()).To(Equal(i+1), "outages")
	}
}

// cycle puts the cluster to sleep and wakes it while services stop. A hibernation that this makes impossible is undone.
func (x *trial) cycle(s *saboteur) {
	x.t.Helper()
	took, slept := x.settle(x.c.patch(hivev1.ClusterPowerStateHibernating), patience)
	s.over()
	if !slept {
		x.t.Logf("undone after %.0f s", took.Seconds())
		x.standing()
		return
	}
	x.asleep()
	woke := x.wake()
	s.over()
	x.t.Logf("hibernate %.0f s, resume %.0f s", took.Seconds(), woke.Seconds())
	x.whole()
}
