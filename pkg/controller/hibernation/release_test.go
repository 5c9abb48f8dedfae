package hibernation

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// ready makes a cluster that has been ready for a while and still has its record.
func ready(since time.Duration) []func(cd *hivev1.ClusterDeployment) {
	return []func(cd *hivev1.ClusterDeployment){showing(StateRunning, since), withFinalizer}
}

func opened() hibernation.Summary {
	return hibernation.Summary{Exists: true, Sealed: true, Opened: true}
}

func TestCleanupOnceHealthy(t *testing.T) {
	b := newBench(t, installedCD(append(ready(4*time.Minute), skipsOperators)...))
	b.actuator.summary = opened()
	b.Expect(b.visit()).To(Equal(6 * time.Minute))
	b.Expect(b.calls()).To(BeEmpty())

	b.pass(6 * time.Minute)
	b.restart()
	b.actuator.cleanup = hibernation.Progress{After: 3 * time.Second}
	b.Expect(b.visit()).To(Equal(3 * time.Second))
	b.Expect(b.calls()).To(Equal([]string{"Cleanup"}))
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
	b.Expect(b.shown()).To(Equal(shownRunning))

	b.actuator.cleanup = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.cd().Finalizers).To(BeEmpty())
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.visit()).To(BeZero())
}

// TestNothingGoesWhileTheClusterIsIll: that it became ready once is not enough to give up its last copies.
func TestNothingGoesWhileTheClusterIsIll(t *testing.T) {
	b := newBench(t, installedCD(ready(time.Hour)...))
	gu := newGuest(b.WithT)
	b.remote.cluster = gu
	b.actuator.summary = opened()
	b.actuator.summary.ControlPlane = 1
	b.actuator.cleanup = hibernation.Progress{Done: true}
	ill := func(why string) {
		b.Expect(b.visit()).To(BeNumerically(">=", time.Minute), why)
		b.Expect(b.calls()).To(BeEmpty(), why)
		b.Expect(b.shown()).To(Equal(shownRunning), why)
	}
	gu.operator("etcd", good())
	ill("it has no control plane Node")
	gu.node("m-0", true)
	gu.operator("etcd", map[string]string{"Available": "False", "Progressing": "False", "Degraded": "True"})
	ill("a ClusterOperator is degraded")
	gu.operator("etcd", good())
	gu.err = errors.New("connection refused")
	ill("its API is down")
	b.Expect(b.events()).To(BeEmpty(), "it may be well again soon")
	b.pass(5 * time.Minute)
	b.actuator.waiting = []string{"m-0: its server is gone"}
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Running"}))
	b.Expect(b.events()).To(ConsistOf(And(HavePrefix("Warning ClusterNotWell"), ContainSubstring("m-0: its server is gone"), ContainSubstring(hivev1.AnnotationRemakeServer))))
	ill("it was told already")
	gu.err = nil
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Cleanup"}))
}

// TestNothingGoesWhileAMachineIsMissing: the owner hears soon that snapshots are kept because of it.
func TestNothingGoesWhileAMachineIsMissing(t *testing.T) {
	b := newBench(t, installedCD(ready(time.Hour)...))
	gu := newGuest(b.WithT)
	b.remote.cluster = gu
	gu.node("m-0", true)
	gu.operator("etcd", good())
	b.actuator.summary = opened()
	b.actuator.summary.ControlPlane = 1
	b.actuator.waiting = []string{"m-0: its server is gone"}
	slow := hibernation.Progress{Waiting: []string{"OpenStack answers slowly; going on"}, After: time.Second, Stage: hibernation.StageWaitingToStart}
	missing := hibernation.Progress{Waiting: b.actuator.waiting, After: time.Hour, Stage: hibernation.StageCleaning}
	b.actuator.cleanup = slow
	b.visit()
	b.pass(10 * time.Minute)
	b.visit()
	b.Expect(b.events()).To(BeEmpty(), "that says nothing of the machines")
	b.actuator.cleanup = missing
	b.Expect(b.visit()).To(BeNumerically("<", 2*time.Minute))
	b.Expect(b.events()).To(BeEmpty())
	b.pass(5 * time.Minute)
	b.Expect(b.visit()).To(BeNumerically(">=", time.Hour))
	b.Expect(b.events()).To(ConsistOf(And(HavePrefix("Warning ClusterNotWell"), ContainSubstring("m-0: its server is gone"))))
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.actuator.cleanup = hibernation.Progress{Done: true}
	b.visit()
	b.actuator.cleanup = missing
	b.Expect(b.visit()).To(BeNumerically("<", 2*time.Minute), "it was well in between")
}

// TestRemakeOfARunningCluster: as long as there are snapshots a machine can be made again from its, once for each order.
func TestRemakeOfARunningCluster(t *testing.T) {
	b := newBench(t, installedCD(append(ready(time.Minute), skipsOperators)...))
	b.actuator.summary, b.actuator.running = opened(), true
	b.visit()
	b.Expect(b.calls()).To(BeEmpty())
	b.order(func(cd *hivev1.ClusterDeployment) {
		cd.Annotations = map[string]string{hivev1.AnnotationRemakeServer: "m-0"}
	})
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
	b.actuator.summary = hibernation.Summary{Exists: true, Leftovers: 1}
	b.visit()
	b.Expect(b.calls()).NotTo(ContainElement("Start"))
}

// TestOldOrderIsTakenBack: that is passed on too, or the same order would not be heard when it is given anew.
func TestOldOrderIsTakenBack(t *testing.T) {
	b := newBench(t, installedCD(append(ready(time.Minute), skipsOperators)...))
	b.actuator.summary, b.actuator.running = opened(), true
	b.actuator.summary.OldOrders = true
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
	b.visit()
	b.Expect(b.calls()).NotTo(ContainElement("Start"), "once is enough")
}

func TestLeftoversAreTriedHourly(t *testing.T) {
	b := newBench(t, installedCD(ready(time.Hour)...))
	b.actuator.summary = hibernation.Summary{Exists: true, Leftovers: 2}
	b.actuator.cleanup = hibernation.Progress{Done: true, After: time.Minute}
	after := b.visit()
	b.Expect(after).To(And(BeNumerically(">=", time.Hour), BeNumerically("<=", 72*time.Minute)))
	b.Expect(b.calls()).To(Equal([]string{"Cleanup"}))
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
	b.Expect(b.shown()).To(Equal(shownRunning))

	b.pass(time.Minute)
	b.visit()
	b.Expect(b.calls()).To(BeEmpty(), "no visit in between costs anything")

	b.pass(after)
	b.actuator.summary.Leftovers = 0
	b.visit()
	b.Expect(b.cd().Finalizers).To(BeEmpty())
}

// TestCleanupThatFails is no concern of the cluster's users.
func TestCleanupThatFails(t *testing.T) {
	b := newBench(t, installedCD(append(ready(time.Hour), skipsOperators)...))
	b.actuator.summary = opened()
	b.actuator.cleanupErr = &openstackclient.Error{Kind: openstackclient.KindForbidden}
	b.Expect(b.visit()).To(BeNumerically(">=", slowRetry))
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.writes).To(BeZero())
	b.Expect(b.events()).To(BeEmpty())
}

func TestCleanupAndHibernateAfter(t *testing.T) {
	b := newBench(t, installedCD(append(ready(4*time.Minute), hibernateAfter(5*time.Minute))...))
	b.actuator.summary = opened()
	b.Expect(b.visit()).To(Equal(time.Minute))
}

func TestFinalizerWithoutRecordGoes(t *testing.T) {
	b := newBench(t, installedCD(ready(time.Minute)...))
	b.visit()
	b.Expect(b.cd().Finalizers).To(BeEmpty())
	b.Expect(b.calls()).To(BeEmpty())
}

func deleting(changes ...func(cd *hivev1.ClusterDeployment)) *hivev1.ClusterDeployment {
	cd := installedCD(append([]func(cd *hivev1.ClusterDeployment){showing(StateHibernating, time.Hour)}, changes...)...)
	now := ago(0)
	cd.DeletionTimestamp = now
	cd.Finalizers = append(cd.Finalizers, hivev1.FinalizerDeprovision)
	return cd
}

var shownDeleted = [3]string{"Unknown", "Unknown ClusterDeploymentDeleted", "Unknown ClusterDeploymentDeleted"}

func TestDeletedWithoutRecord(t *testing.T) {
	b := newBench(t, deleting())
	b.Expect(b.visit()).To(BeZero())
	b.Expect(b.shown()).To(Equal(shownDeleted))
	b.Expect(b.calls()).To(BeEmpty())
	b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision))
}

func TestDeletedWithRecord(t *testing.T) {
	b := newBench(t, deleting(withFinalizer))
	b.actuator.released = hibernation.Progress{After: 4 * time.Second, Waiting: []string{"m-0: being unpaused"}}
	b.Expect(b.visit()).To(Equal(4 * time.Second))
	b.Expect(b.shown()).To(Equal(shownDeleted))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(ContainSubstring("m-0: being unpaused"))
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))

	b.actuator.released = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Release", "Release"}))
	b.Expect(b.actuator.kept).To(BeFalse())
	b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision), "others' finalizers are others'")
}

// TestLastFinalizer: the ClusterDeployment is gone with it, and there is no status left to write.
func TestLastFinalizer(t *testing.T) {
	cd := deleting()
	cd.Finalizers = []string{hivev1.FinalizerRecord}
	b := newBench(t, cd)
	b.actuator.released = hibernation.Progress{Done: true}
	b.visit()
	err := b.hub.Get(t.Context(), key(), &hivev1.ClusterDeployment{})
	b.Expect(apierrors.IsNotFound(err)).To(BeTrue())
}

func TestDeletedAndKept(t *testing.T) {
	tests := []struct {
		name   string
		change func(cd *hivev1.ClusterDeployment)
		keep   bool
	}{
		{"preserved", func(cd *hivev1.ClusterDeployment) { cd.Spec.PreserveOnDelete = true }, true},
		{"power state paused", annotated(hivev1.AnnotationPowerStatePause, "true"), false},
		{"not installed any more", func(cd *hivev1.ClusterDeployment) { cd.Spec.Installed = false }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, deleting(withFinalizer, tt.change))
			b.actuator.released = hibernation.Progress{Done: true}
			b.visit()
			b.Expect(b.calls()).To(Equal([]string{"Release"}))
			b.Expect(b.actuator.kept).To(Equal(tt.keep))
			b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision))
		})
	}
}

// TestDeletedWhileAnotherHubHasTheCluster: that hub has a copy of the record, so that nothing may be undone here.
func TestDeletedWhileAnotherHubHasTheCluster(t *testing.T) {
	for _, status := range []string{"complete", "incoming", "outgoing"} {
		t.Run(status, func(t *testing.T) {
			b := newBench(t, deleting(withFinalizer, annotated(hivev1.AnnotationRelocate, "move/"+status)))
			b.visit()
			b.Expect(b.calls()).To(BeEmpty())
			b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision))
			b.Expect(b.events()).To(ContainElement(And(ContainSubstring("RecordKept"), ContainSubstring("-hibernation"))))
		})
	}
}

func TestDeletedTwinKeepsTheOthersCluster(t *testing.T) {
	twin := installedCD()
	twin.Namespace, twin.Name, twin.UID = "other", "twin", "uid-2"
	b := newBench(t, deleting(withFinalizer), twin)
	b.actuator.released = hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.actuator.kept).To(BeTrue())
}

func TestDeletedWhileReconcilingIsPaused(t *testing.T) {
	b := newBench(t, deleting(withFinalizer, annotated(hivev1.AnnotationReconcilePause, "true")))
	b.visit()
	b.Expect(b.calls()).To(BeEmpty())
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
}

func TestReleaseThatFails(t *testing.T) {
	b := newBench(t, deleting(withFinalizer))
	b.actuator.releaseErr = misconfigured("the Secret demo/creds does not exist")
	after := b.visit()
	b.Expect(after).To(BeNumerically(">=", slowRetry))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(And(ContainSubstring("cannot go yet"), ContainSubstring("demo/creds")))
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
	b.calls()
	b.visit()
	b.Expect(b.calls()).To(BeEmpty())

	b.pass(after)
	b.actuator.releaseErr, b.actuator.released = nil, hibernation.Progress{Done: true}
	b.visit()
	b.Expect(b.cd().Finalizers).To(ConsistOf(hivev1.FinalizerDeprovision))
}

func TestReleaseOfWhatNobodyKnows(t *testing.T) {
	b := newBench(t, deleting(withFinalizer, notOnOpenStack))
	b.visit()
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(ContainSubstring("remove the finalizer"))
}

// TestHubErrorsAreRetriedAtOurPace: the work queue's own grows to a quarter of an hour.
func TestHubErrorsAreRetriedAtOurPace(t *testing.T) {
	b := newBench(t, installedCD())
	b.actuator.running = true
	b.reconciler.Client = noStatus{b.hub}
	var last time.Duration
	for range 20 {
		last = b.visit()
		b.Expect(last).To(And(BeNumerically(">=", conflictRetry), BeNumerically("<=", lastConflictRetry)))
		b.pass(last)
	}
	b.Expect(last).To(Equal(lastConflictRetry))
}
