package integration

import (
	"context"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
	"github.com/overwinter/overwinter/test/guest"
)

func TestCycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cycle", withGuest, func(s *setup) {
		s.settle = time.Hour
		s.alterGuest = func(_ *world, o *guest.Options) { o.NotReady = 10 * time.Second }
	})
	neighbor := w.cloud.SeedCluster("cycle-two", 1, 1)
	rest := usageOf(w.cloud)
	w.reaches(running)
	w.Expect(w.condition(hivev1.ClusterHibernatingCondition)()).To(shows(corev1.ConditionFalse, hivev1.HibernatingReasonResumingOrRunning))
	w.Expect(w.condition(hivev1.ClusterReadyCondition)()).To(shows(corev1.ConditionTrue, hivev1.ReadyReasonRunning))
	w.Expect(apierrors.IsNotFound(w.record())).To(BeTrue())
	w.quiet()
	before, ports := w.servers(), w.cloud.Ports()
	trail := w.follow()

	w.order(hibernating)
	w.reaches(hibernating)
	w.Expect(w.condition(hivev1.ClusterHibernatingCondition)()).To(shows(corev1.ConditionTrue, hivev1.HibernatingReasonHibernating))
	w.Expect(w.condition(hivev1.ClusterReadyCondition)()).To(shows(corev1.ConditionFalse, hivev1.ReadyReasonStoppingOrHibernating))
	w.Expect(w.servers()).To(BeEmpty())
	w.Expect(usageOf(w.cloud).Instances).To(Equal(rest.Instances - len(before)))
	w.Expect(w.snapshots()).To(HaveLen(len(before)))
	w.Expect(w.snapshots()).To(HaveEach(And(HaveField("Status", "active"), HaveField("CutRunning", false))))
	w.expectPorts(ports)
	w.Expect(w.record()).To(Succeed())
	w.Expect(w.finalizers()).To(ContainElement(hivev1.FinalizerRecord))
	w.quiet()

	w.order(running)
	w.reaches(hivev1.ClusterPowerStateWaitingForClusterOperators)
	w.guest.Settle()
	w.reaches(running)
	w.expectSame(before)
	w.expectPorts(ports)
	w.Expect(w.cloud.Regressions()).To(BeEmpty())
	w.Expect(usageOf(w.cloud)).To(Equal(rest))
	w.Expect(trail()).To(ContainElements(
		Or(Equal(hivev1.ClusterPowerStateStopping), Equal(hivev1.ClusterPowerStateWaitingForMachinesToStop)),
		Or(Equal(hivev1.ClusterPowerStateStartingMachines), Equal(hivev1.ClusterPowerStateWaitingForMachines)),
		Equal(hivev1.ClusterPowerStateWaitingForNodes),
		Equal(hivev1.ClusterPowerStatePausingForClusterOperatorsToSettle),
	))

	// Once all is well, nothing is left of it.
	w.eventually(w.snapshots).Should(BeEmpty())
	w.eventually(func() bool { return apierrors.IsNotFound(w.record()) }).Should(BeTrue())
	w.eventually(w.finalizers).Should(BeEmpty())
	w.untouched(neighbor)
	w.quiet()
}

func TestHibernateAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hibernate-after", withGuest)
	w.reaches(running)
	w.patch(`{"spec":{"hibernateAfter":"1s"}}`)
	w.reaches(hibernating)
	cd, err := w.get()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(cd.Spec.PowerState).To(Equal(hibernating))
}

func usageOf(c *cloud.Cloud) cloud.Usage { return c.Usage(cloud.DefaultProject) }

func (w *world) finalizers() ([]string, error) {
	cd, err := w.get()
	return cd.Finalizers, err
}

// follow notes the power states that the ClusterDeployment passes through; the function returned says which.
func (w *world) follow() func() []hivev1.ClusterPowerState {
	w.t.Helper()
	watcher, err := w.Watch(context.Background(), &hivev1.ClusterDeploymentList{}, client.InNamespace(w.name))
	w.Expect(err).NotTo(HaveOccurred())
	var states []hivev1.ClusterPowerState
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			if cd, ok := event.Object.(*hivev1.ClusterDeployment); ok {
				states = append(states, cd.Status.PowerState)
			}
		}
	}()
	w.t.Cleanup(watcher.Stop)
	return func() []hivev1.ClusterPowerState {
		watcher.Stop()
		<-done
		return states
	}
}

// expectPorts checks that the ports are those that there were, with the same addresses.
func (w *world) expectPorts(before []cloud.Port) {
	w.t.Helper()
	after := w.cloud.Ports()
	w.Expect(after).To(HaveLen(len(before)))
	for i, port := range before {
		w.Expect(after[i].ID).To(Equal(port.ID))
		w.Expect(after[i].MAC).To(Equal(port.MAC))
		w.Expect(after[i].IPs).To(Equal(port.IPs))
		w.Expect(after[i].SecurityGroups).To(Equal(port.SecurityGroups))
		w.Expect(after[i].Tags).To(Equal(port.Tags))
	}
}

// expectSame checks that the servers are what they were, but for their IDs.
func (w *world) expectSame(before []cloud.Server) {
	w.t.Helper()
	after := w.servers()
	w.Expect(after).To(HaveLen(len(before)))
	for i, was := range before {
		is := after[i]
		w.Expect(is.ID).NotTo(Equal(was.ID))
		w.Expect(is.Writes).To(BeNumerically(">=", was.Writes))
		w.Expect(identity(is)).To(Equal(identity(was)))
	}
}

// identity is what of a server has to come back.
func identity(s cloud.Server) cloud.Server {
	s.Tags = slices.Sorted(slices.Values(s.Tags))
	return cloud.Server{
		Name: s.Name, Project: s.Project, User: s.User, Status: s.Status, FlavorID: s.FlavorID, Metadata: s.Metadata,
		Tags: s.Tags, KeyName: s.KeyName, Zone: s.Zone, Hostname: s.Hostname, Description: s.Description,
		ConfigDrive: s.ConfigDrive, Group: s.Group, Ports: s.Ports,
	}
}

// untouched checks that nothing of another cluster was ever changed.
func (w *world) untouched(other *cloud.Cluster) {
	w.t.Helper()
	for _, was := range other.Servers() {
		is, found := w.cloud.Server(was.ID)
		w.Expect(found).To(BeTrue(), was.Name)
		w.Expect(is.Status).To(Equal("ACTIVE"))
		w.Expect(is.Ports).To(Equal(was.Ports))
	}
	ours := ids(other.Servers())
	for _, change := range w.cloud.Ledger().Changes() {
		w.Expect(ours).NotTo(ContainElement(change.Target))
	}
}
