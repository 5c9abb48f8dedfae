//go:build e2e

package openstack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Requests of the manager's with which outages begin.
const (
	pauses    = "POST servers/*/action pause"
	shots     = "POST servers/*/action createImage"
	deletions = "DELETE servers/*"
	creations = "POST servers"
)

// schedulingDeadline lets the manager give up early on a server that never gets a host because Nova lost the request.
const schedulingDeadline = "--scheduling-deadline=40s"

// TestOutages puts a cluster to sleep and wakes it while services of the cloud end and start again. A hibernation that
// this makes impossible is undone: the cluster then runs as before, and is put to sleep once more.
func TestOutages(t *testing.T) {
	w := newWorld(t, "--hibernation-deadline=2m", schedulingDeadline)
	knob(t, "snapshot_upload_seconds", "4")
	computes := []string{"nova-compute-0", "nova-compute-1"}
	kills := 0
	if inCI() {
		kills = 1
	}
	newStorm(w, size{cycles: 1, kills: kills}, "demo").blow([]outage{
		{services: []string{"keystone"}, how: "kill", at: pauses, nth: 1, before: true, lasts: 4 * time.Second},
		{services: computes, how: "kill", at: deletions, nth: 2, lasts: 2 * time.Second},
	}, []outage{
		{services: []string{"nova-api"}, how: "kill", at: creations, nth: 2, lasts: 2 * time.Second},
		{services: []string{"nova-conductor"}, how: "kill", at: creations, nth: 5, lasts: 2 * time.Second},
	}, []outage{
		{services: []string{"nova-compute-0", "glance-api"}, how: "kill", at: shots, nth: 3, until: uploading, lasts: 2 * time.Second},
	}, []outage{
		{services: []string{"neutron-server"}, how: "kill", at: creations, nth: 1, lasts: 4 * time.Second},
	})
}

// drawOutage draws an outage for a transition to a power state.
func (s *storm) drawOutage(power hivev1.ClusterPowerState) outage {
	services := []string{
		"nova-compute-0", "nova-compute-1", "glance-api", "keystone", "neutron-server", "nova-api", "nova-conductor",
		"nova-scheduler", "placement",
	}
	requests := []string{pauses, shots, deletions, "GET servers/detail", "GET images", "GET ports"}
	if power == hivev1.ClusterPowerStateRunning {
		requests = []string{creations, creations, creations, "GET servers/detail", "GET images", "GET ports"}
	}
	o := outage{
		services: []string{services[s.dice.IntN(len(services))]},
		how:      []string{"kill", "kill", "kill", "stop", "pause"}[s.dice.IntN(5)],
		at:       requests[s.dice.IntN(len(requests))],
		nth:      1 + s.dice.IntN(3),
		before:   s.dice.IntN(2) == 0,
		lasts:    time.Second + s.upTo(20*time.Second),
	}
	if s.dice.IntN(2) == 0 {
		o.after = s.upTo(8 * time.Second)
	}
	return o
}

// knob sets one of the rig's knobs for the duration of a test.
func knob(t *testing.T, name, value string) {
	path := filepath.Join(os.Getenv("OW_RIG_STATE"), "knobs", name)
	NewWithT(t).Expect(os.WriteFile(path, []byte(value), 0o600)).To(Succeed())
	t.Cleanup(func() { NewWithT(t).Expect(os.Remove(path)).To(Succeed()) })
}
