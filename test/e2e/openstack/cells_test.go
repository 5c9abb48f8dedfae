//go:build e2e

package openstack

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestS01CellDown takes Nova's cell away, whose servers then are UNKNOWN or in no list, before the first server is paused,
// snapshotted, deleted and made. The hibernation goes on or is undone, and the cluster comes back whole. An action that is under
// way meanwhile leaves its task behind until nova-compute is restarted; so none is.
func TestS01CellDown(t *testing.T) {
	skipInCI(t, "each outage takes a cycle of its own")
	w := newWorld(t, schedulingDeadline)
	knob(t, "snapshot_upload_seconds", "4")
	x := w.newTrial("openstack-credentials", "cells-q7w3e", "1", "2")
	s := w.newSaboteur()
	cell := []string{"cell1"}
	outages := []outage{
		{services: cell, how: "stop", at: pauses, nth: 1, before: true, lasts: 30 * time.Second},
		{services: cell, how: "stop", at: deletions, nth: 1, before: true, lasts: 30 * time.Second},
		{services: cell, how: "stop", at: creations, nth: 1, before: true, lasts: 30 * time.Second},
		{services: cell, how: "stop", at: shots, nth: 1, before: true, lasts: 30 * time.Second},
	}
	for i, o := range outages {
		s.set(o)
		x.cycle(s)
		NewWithT(t).Expect(s.count()).To(Equal(i+1), "outages")
	}
}
