package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/overwinter/overwinter/test/guest"
)

func TestNodesSurviveNewServers(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]moments{
		"ready-before-controller-leads": {cloud: 20 * time.Second, machines: 5 * time.Second},
		"ready-after-controller-leads":  {cloud: 15 * time.Second, notReady: 25 * time.Second},
		"api-late":                      {cloud: 15 * time.Second, api: 15 * time.Second, notReady: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInside(t, name, m)
			i.sleep()
			i.order(running)
			i.reaches(running)
			i.well()
			if m.notReady > m.cloud {
				for node := range i.before.Nodes {
					i.Expect(i.controller.Asked(node)).To(BeNumerically(">", 0), node)
				}
			}
		})
	}
}

// TestNodesOfAnUnreachableClusterSurvive has a cluster of which nothing is known when it goes to sleep. Its Machines and
// health checks can't be kept still then: their controllers get their leases as late as the cloud's.
func TestNodesOfAnUnreachableClusterSurvive(t *testing.T) {
	t.Parallel()
	const leases = 25 * time.Second
	i := newInside(t, "out-of-reach", moments{cloud: leases, machines: leases, checks: leases, notReady: 5 * time.Second})
	i.guest.Cut(true)
	i.eventually(i.guest.Serving).Should(BeFalse())
	i.order(hibernating)
	i.reaches(hibernating)
	i.Expect(i.healthChecks()[guest.HealthCheck]).To(BeEmpty())
	i.guest.Cut(false)
	i.order(running)
	i.reaches(running)
	i.well()
}

// TestTurningBackLeavesTheInsideAlone undoes a hibernation: the servers stay, and with them all that names them.
func TestTurningBackLeavesTheInsideAlone(t *testing.T) {
	t.Parallel()
	i := newInside(t, "inside-turned-back", moments{}, func(s *setup) { s.cloud.Latencies.SnapshotUpload = 6 * time.Second })
	i.order(hibernating)
	i.eventually(i.snapshots).Should(HaveLen(4))
	i.Expect(i.healthChecks()[guest.HealthCheck]).To(HaveKey(guest.PausedAnnotation))
	i.order(running)
	i.reaches(running)
	i.eventually(i.finalizers).Should(BeEmpty())
	i.eventually(i.unchanged).Should(Succeed(), i.story())
	for name, node := range i.census(i).Nodes {
		i.Expect(node.UID).To(Equal(i.before.Nodes[name].UID))
	}
	checks := i.healthChecks()
	i.Expect(checks[guest.HealthCheck]).To(BeEmpty())
	i.Expect(checks[guest.PausedHealthCheck]).To(HaveKey(guest.PausedAnnotation))
}

// sleep hibernates the cluster, and sees that nobody in it will act on what it finds when it wakes.
func (i *inside) sleep() {
	i.t.Helper()
	was := i.healthChecks()
	i.order(hibernating)
	i.reaches(hibernating)
	i.Expect(i.guest.Serving()).To(BeFalse())
	checks := i.healthChecks()
	i.Expect(checks[guest.HealthCheck]).To(HaveKey(guest.PausedAnnotation))
	i.Expect(checks[guest.PausedHealthCheck]).To(Equal(was[guest.PausedHealthCheck]))
	i.Expect(was[guest.HealthCheck]).NotTo(HaveKey(guest.PausedAnnotation))
}

// well checks that a cluster that is up again is what it was, and stays so while all controllers are at work.
func (i *inside) well() {
	i.t.Helper()
	i.eventually(i.unchanged).Should(Succeed(), i.story())
	i.Expect(i.before.Servers).To(HaveLen(4))
	for name, id := range i.census(i).Servers {
		i.Expect(id).NotTo(Equal(i.before.Servers[name]))
	}
	checks := i.healthChecks()
	i.Expect(checks[guest.HealthCheck]).To(BeEmpty())
	i.Expect(checks[guest.PausedHealthCheck]).To(HaveKey(guest.PausedAnnotation))
	i.eventually(i.controller.Leads).Should(BeTrue())
	i.Consistently(i.unchanged).WithTimeout(calm).WithPolling(time.Second).Should(Succeed())
	events := &corev1.EventList{}
	i.Expect(i.guest.Client().List(context.Background(), events)).To(Succeed())
	for _, event := range events.Items {
		i.Expect(event.Reason).NotTo(Equal("DeletingNode"), fmt.Sprint(event.InvolvedObject.Name, ": ", event.Message))
	}
}

// unchanged checks that the cluster is what it was, on other servers.
func (i *inside) unchanged(g Gomega) {
	comparison := i.before.Compare(i.census(g))
	g.Expect(comparison.Differences).To(BeEmpty())
	g.Expect(comparison).To(Equal(guest.Comparison{Nodes: 4, Machines: 4, Drivers: 4, Pods: 2}))
	g.Expect(i.checks.Replaced()).To(BeEmpty())
}
