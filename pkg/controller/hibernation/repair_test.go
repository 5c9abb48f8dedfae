package hibernation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

func providerID(server string) string { return "openstack:///" + server }

// onServer says on which server a Node runs, as it believes.
func (gu *guest) onServer(name, server string) {
	node := gu.named(name)
	node.Spec.ProviderID = providerID(server)
	gu.Expect(gu.Update(context.Background(), node)).To(Succeed())
}

// named returns a Node, nil if there is none.
func (gu *guest) named(name string) *corev1.Node {
	node := &corev1.Node{}
	err := gu.Get(context.Background(), client.ObjectKey{Name: name}, node)
	if apierrors.IsNotFound(err) {
		return nil
	}
	gu.Expect(err).NotTo(HaveOccurred())
	return node
}

// renewedServers is a cluster of one master and one worker that wakes on new servers; it was asked before it slept.
func renewedServers(t *testing.T, changes ...func(cd *hivev1.ClusterDeployment)) (*bench, *guest) {
	b, gu := waking(t, 2, append(changes, skipsOperators)...)
	for _, name := range []string{"m-0", "w-0"} {
		gu.node(name, true)
		gu.onServer(name, "old-"+name)
		b.actuator.summary.Machines = append(b.actuator.summary.Machines, hibernation.MachineState{
			Name: name, ControlPlane: name == "m-0", OldServerIDs: []string{"old-" + name}, ServerID: "new-" + name, Running: true,
		})
		b.actuator.summary.Observation.Nodes = append(b.actuator.summary.Observation.Nodes, hibernation.ObservedNode{
			Name: name, UID: "before", ProviderID: providerID("old-" + name), Ready: true, Labels: gu.named(name).Labels,
		})
	}
	return b, gu
}

func skipsNodeRepair(cd *hivev1.ClusterDeployment) {
	metav1.SetMetaDataLabel(&cd.ObjectMeta, hivev1.LabelResumeSkipsNodeRepair, "true")
}

func TestNodesAreRepairedAndWaitedFor(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.summary.HealthChecksPaused = true
	b.visit()
	b.Expect(gu.named("m-0").Spec.ProviderID).To(Equal(providerID("new-m-0")))
	b.Expect(gu.named("w-0").Spec.ProviderID).To(Equal(providerID("new-w-0")))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal(
		"0 of 2 Nodes are ready: m-0: has not reported since the resume; w-0: has not reported since the resume"))
	b.Expect(b.actuator.healthChecks).To(BeEmpty(), "they come last")
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.actuator.healthChecks).To(Equal([]string{"resume"}))
}

// TestNodesAreWaitedForByName: another Node does not stand in for one that was there.
func TestNodesAreWaitedForByName(t *testing.T) {
	b, gu := renewedServers(t)
	b.visit()
	b.Expect(gu.Delete(t.Context(), gu.named("w-0"))).To(Succeed())
	gu.failing = errors.New("no quota")
	gu.node("x-0", true)
	gu.renew("m-0", "w-0", "x-0")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("1 of 2 Nodes are ready: w-0: the Node does not exist"))
	gu.failing = nil
	b.visit()
	b.Expect(gu.named("w-0").Spec.ProviderID).To(Equal(providerID("new-w-0")))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("1 of 2 Nodes are ready: w-0: not ready"), "its kubelet has to say how it is")
}

// TestNodesNeedTheirNewServersIDs, however well they are.
func TestNodesNeedTheirNewServersIDs(t *testing.T) {
	b, gu := renewedServers(t)
	gu.failing = errors.New("an admission webhook does not answer")
	b.visit()
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal(
		"0 of 2 Nodes are ready: m-0: it does not have its new server's ID yet; w-0: it does not have its new server's ID yet"))
	gu.failing = nil
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

// TestNodeThatWasNotReadyBefore is repaired, and not waited for.
func TestNodeThatWasNotReadyBefore(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.summary.Observation.Nodes[1].Ready = false
	b.visit()
	b.Expect(gu.named("w-0").Spec.ProviderID).To(Equal(providerID("new-w-0")))
	gu.renew("m-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

// TestMachinesAreRepairedEarly, while others still start, once most of the control plane runs.
func TestMachinesAreRepairedEarly(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.running, b.actuator.waiting = false, []string{"w-0: BUILD"}
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStarting, After: 12 * time.Second}
	b.actuator.summary.Machines[1].ServerID, b.actuator.summary.Machines[1].Running = "", false
	b.actuator.summary.Machines[0].Running = false
	b.Expect(b.visit()).To(Equal(12 * time.Second))
	b.Expect(gu.named("m-0").Spec.ProviderID).To(Equal(providerID("old-m-0")), "nothing could answer yet")

	b.actuator.summary.Machines[0].Running = true
	b.Expect(b.visit()).To(BeNumerically("<=", nodesPoll*6/5))
	b.Expect(gu.named("m-0").Spec.ProviderID).To(Equal(providerID("new-m-0")))
	b.Expect(gu.named("w-0").Spec.ProviderID).To(BeEmpty())
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("Starting the machines: w-0: BUILD"))

	gu.err = errors.New("connection refused")
	b.Expect(b.visit()).To(Equal(12 * time.Second))
	gu.err = nil
	gu.renew("m-0")
	b.actuator.summary.Machines[1].ServerID, b.actuator.summary.Machines[1].Running = "new-w-0", true
	b.actuator.running = true
	b.visit()
	b.Expect(gu.named("w-0").Spec.ProviderID).To(Equal(providerID("new-w-0")))
	b.Expect(b.reason()).To(Equal("WaitingForNodes"), "what was renewed before all machines ran does not count")
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

func TestNothingIsRepairedWhileAHibernationIsUndone(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.running, b.actuator.summary.Cutting = false, true
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageRollingBack, After: 12 * time.Second}
	b.Expect(b.visit()).To(Equal(12 * time.Second))
	b.Expect(gu.named("m-0").Spec.ProviderID).To(Equal(providerID("old-m-0")))
}

// TestRepairIsSwitchedOff: the Nodes are waited for, and nothing is changed.
func TestRepairIsSwitchedOff(t *testing.T) {
	b, gu := renewedServers(t, skipsNodeRepair)
	b.approves()
	b.visit()
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(gu.named("m-0").Spec.ProviderID).To(Equal(providerID("old-m-0")))
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.approved).To(BeZero())
	b.Expect(b.actuator.healthChecks).To(BeEmpty())
}

// TestWhatWePausedIsUnpausedAnyway, also if the repair was switched off since.
func TestWhatWePausedIsUnpausedAnyway(t *testing.T) {
	b, gu := renewedServers(t, skipsNodeRepair)
	b.actuator.summary.HealthChecksPaused = true
	b.visit()
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.actuator.healthChecks).To(Equal([]string{"resume"}))
}

// TestGivenUpHibernation: the Nodes that were ready before and still exist are waited for, not that of a server that is off,
// nor one that was removed.
func TestGivenUpHibernation(t *testing.T) {
	b, gu := waking(t, 2, skipsOperators)
	b.actuator.summary = hibernation.Summary{Exists: true, HealthChecksPaused: true, Observation: &hibernation.Observation{
		NodesReady: 3,
		Nodes:      []hibernation.ObservedNode{{Name: "m-0", Ready: true}, {Name: "w-0"}, {Name: "w-1", Ready: true}, {Name: "w-2", Ready: true}},
	}}
	gu.node("m-0", true)
	gu.node("w-0", false)
	gu.node("w-1", true)
	b.visit()
	gu.renew("m-0")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("1 of 2 Nodes are ready: w-1: has not reported since the resume"))
	gu.renew("m-0", "w-1")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

// TestUnknownClusterIsRemembered before anything of it is changed, and all its Nodes are waited for.
func TestUnknownClusterIsRemembered(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.summary.Observation = nil
	gu.node("x-0", false)
	b.visit()
	b.Expect(b.actuator.remembered).To(HaveLen(1))
	names := map[string]string{}
	for _, n := range b.actuator.remembered[0].Nodes {
		names[n.Name] = n.ProviderID
	}
	b.Expect(names).To(Equal(map[string]string{"m-0": providerID("old-m-0"), "w-0": providerID("old-w-0"), "x-0": ""}))
	b.Expect(gu.named("w-0").Spec.ProviderID).To(Equal(providerID("new-w-0")))
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("2 of 3 Nodes are ready: x-0: has not reported since the resume"))
	b.restart()
	b.Expect(gu.Delete(t.Context(), gu.named("w-0"))).To(Succeed())
	gu.failing = errors.New("no quota")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(ContainSubstring("w-0: the Node does not exist"))
}

// approves counts the calls that approve certificates.
func (b *bench) approves() {
	b.reconciler.Approve = func(_ context.Context, _ client.Client, _ log.FieldLogger, now time.Time) ([]string, error) {
		b.Expect(now).To(Equal(b.clock.Now()))
		b.approved++
		return []string{"csr-1"}, nil
	}
}

func TestCertificatesAreApprovedWhileNodesAreNotReady(t *testing.T) {
	b, gu := renewedServers(t)
	b.approves()
	for range 7 {
		b.visit()
		b.pass(5 * time.Second)
	}
	b.Expect(b.approved).To(Equal(2), "every 30 seconds")
	b.Expect(b.events()).To(ContainElement(And(HavePrefix("Normal CertificatesApproved"), ContainSubstring("csr-1"))))
	b.pass(time.Minute)
	gu.renew("m-0", "w-0")
	b.visit()
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.approved).To(Equal(2), "not for a cluster that is well")

	b, _ = renewedServers(t)
	b.approves()
	b.actuator.running = false
	b.visit()
	b.Expect(b.approved).To(Equal(1), "also while machines start")
}

// TestHealthChecksThatStayPaused keep a cluster from being ready for a while, and the record for a day.
func TestHealthChecksThatStayPaused(t *testing.T) {
	b, gu := renewedServers(t)
	b.actuator.summary.HealthChecksPaused = true
	b.actuator.healthChecksErr = errors.New("admission webhook does not answer")
	b.visit()
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForClusterOperators"))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(HavePrefix("The cluster's MachineHealthChecks could not be un-paused yet"))
	b.pass(healthChecksHold)
	b.visit()
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.events()).To(ContainElement(HavePrefix("Warning HealthChecksPaused")))

	b.actuator.summary = hibernation.Summary{Exists: true, HealthChecksPaused: true}
	b.actuator.cleanup = hibernation.Progress{After: time.Hour}
	b.Expect(b.visit()).To(Equal(time.Hour))
	b.Expect(b.actuator.healthChecks).NotTo(ContainElement("forget"))
	b.pass(healthChecksBound)
	b.visit()
	b.Expect(b.actuator.healthChecks).To(ContainElement("forget"))
	b.Expect(b.events()).To(ContainElement(And(HavePrefix("Warning HealthChecksPaused"), ContainSubstring("cluster.x-k8s.io/paused"))))
}

// TestHealthChecksOfARefusedCluster: it was ready all the while, and is until the next try.
func TestHealthChecksOfARefusedCluster(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.summary = hibernation.Summary{Exists: true, HealthChecksPaused: true}
	b.actuator.stopErr = &hibernation.Refusal{Message: "no", After: time.Hour}
	b.actuator.healthChecksErr = errors.New("no route to host")
	b.Expect(b.visit()).To(BeNumerically("<=", healthChecksRetry*6/5))
	b.actuator.healthChecksErr = nil
	b.pass(healthChecksRetry * 6 / 5)
	b.Expect(b.visit()).To(Equal(time.Hour))
	b.Expect(b.actuator.healthChecks).To(Equal([]string{"resume", "resume"}))
}

// TestRecordThatHoldsNothingMore goes at once.
func TestRecordThatHoldsNothingMore(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Minute), withFinalizer, skipsOperators))
	b.actuator.summary = hibernation.Summary{Exists: true}
	b.actuator.cleanup = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Cleanup"}))
	b.Expect(b.cd().Finalizers).To(BeEmpty())
}

// TestRemoteBudget: all that one visit asks the cluster takes ten seconds at most.
func TestRemoteBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		ctx := WithPass(t.Context())
		began := time.Now()
		for range 5 {
			remote, done := toRemote(ctx)
			select {
			case <-remote.Done():
			case <-time.After(4 * time.Second):
			}
			done()
			<-time.After(time.Minute)
		}
		g.Expect(time.Since(began)).To(Equal(remoteBudget + 5*time.Minute))
	})
}
