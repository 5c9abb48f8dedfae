//go:build e2e

package openstack

import (
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// patience is the longest that a transition may take while something goes wrong. A refused hibernation is tried again
// after ten minutes.
const patience = 20 * time.Minute

// inCI reports whether only the part of the tests is to run that fits into a check of every change.
func inCI() bool { return os.Getenv("OW_E2E") == "ci" }

// skipInCI skips a test that is too long for every change.
func skipInCI(t *testing.T, why string) {
	if inCI() {
		t.Skip("OW_E2E=ci: " + why)
	}
}

// trial is a cluster that goes to sleep and wakes while something is done to it or to its cloud.
type trial struct {
	*world
	c *cluster
	// before is how its servers were at the start, running the IDs that they have had since it last woke.
	before  map[string]server
	running map[string]string
	// with is the project's usage while the cluster runs, without while it sleeps.
	with, without usage
	guard         *guard
}

// newTrial makes the servers of a cluster, or the missing ones, and its ClusterDeployment, whose name is the first part of
// the infraID. arguments are those of rig/seed-cluster.sh.
func (w *world) newTrial(credentials, infraID string, arguments ...string) *trial {
	t, g := w.t, NewWithT(w.t)
	seed(t, append([]string{infraID}, arguments...)...)
	name, _, _ := strings.Cut(infraID, "-")
	x := &trial{world: w, before: w.cloud.servers(t.Context(), g, infraID), with: w.cloud.usage(t.Context(), g)}
	x.running, x.without = ids(x.before), x.with.minus(sum(x.before))
	w.startGuest(name, infraID)
	x.c = w.hub.deploy(t, name, infraID, credentials)
	x.c.await(time.Time{}, time.Minute, "running", running)
	x.guard = w.guardDeletions(x.c)
	return x
}

// undone reports whether the hibernation was given up and rolled back.
func (x *trial) undone() bool {
	r, err := x.c.record(x.t.Context())
	NewWithT(x.t).Expect(err).NotTo(HaveOccurred())
	return undone(&subject{cluster: x.c}, r)
}

// settle waits until the cluster, told to hibernate at a given time, sleeps or the hibernation is undone, and returns how
// long that took and whether it sleeps.
func (x *trial) settle(began time.Time, timeout time.Duration) (time.Duration, bool) {
	x.t.Helper()
	for time.Since(began) < timeout {
		if s, ok := x.c.find(began, asleep); ok {
			return s.Since.Sub(began), true
		}
		if x.undone() {
			return time.Since(began), false
		}
		time.Sleep(100 * time.Millisecond)
	}
	r, err := x.c.record(x.t.Context())
	x.t.Fatalf("neither asleep nor undone after %s: %s, record %+v, %v", timeout, x.c.last(), r, err)
	return 0, false
}

// asleep checks that the cluster sleeps, and that no deletion was unsafe.
func (x *trial) asleep() {
	x.t.Helper()
	g := NewWithT(x.t)
	x.expectAsleep(g, x.c, x.before, x.without)
	x.guard.expectNothing(g)
}

// standing checks that the very same servers run as before after a hibernation was undone, and has it forgotten.
func (x *trial) standing() {
	x.t.Helper()
	g := NewWithT(x.t)
	x.t.Logf("undone: %s", x.c.last().Hibernating.Message)
	x.expectSame(g, x.c, x.before)
	g.Expect(ids(x.cloud.servers(x.t.Context(), g, x.c.infraID))).To(Equal(x.running), "an undone hibernation keeps the servers")
	x.c.patch(hivev1.ClusterPowerStateRunning)
	x.whole()
}

// wake wakes the cluster and returns how long it took until it was ready.
func (x *trial) wake() time.Duration {
	x.t.Helper()
	began := x.c.patch(hivev1.ClusterPowerStateRunning)
	return x.c.await(began, patience, "running", running).Sub(began)
}

// whole waits until the hibernation is cleaned up and checks that the cluster is as it was, with all its data, and that
// nothing is left over.
func (x *trial) whole() {
	x.t.Helper()
	g, ctx := NewWithT(x.t), x.t.Context()
	g.Eventually(func(g Gomega) {
		g.Expect(running(x.c.last())).To(BeTrue(), "%s", x.c.last())
		x.c.recordGone(ctx, g)
	}).WithTimeout(patience).WithPolling(time.Second).Should(Succeed())
	x.expectAwake(g, x.c, x.before, x.with)
	x.expectData(g, x.c, x.before)
	x.guard.expectNothing(g)
	x.running = ids(x.cloud.servers(ctx, g, x.c.infraID))
}
