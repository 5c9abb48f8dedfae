//go:build e2e

package openstack

import "testing"

// TestCrash puts two clusters to sleep and wakes them, one's name beginning with the other's, and kills the manager at
// moments that it draws: nothing is lost, nothing is made twice, nothing is deleted that is not safe.
func TestCrash(t *testing.T) {
	skipInCI(t, "TestOutages kills the manager once")
	newStorm(newWorld(t, schedulingDeadline), size{cycles: 1, kills: 2}, "demo", "neighbor").blow()
}
