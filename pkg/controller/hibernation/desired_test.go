package hibernation

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

func ago(d time.Duration) *metav1.Time {
	t := metav1.NewTime(startOfTest().Add(-d))
	return &t
}

func hibernateAfter(d time.Duration) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) { cd.Spec.HibernateAfter = &metav1.Duration{Duration: d} }
}

func fromPool(claim string, claimed *metav1.Time) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) {
		cd.Spec.ClusterPoolRef = &hivev1.ClusterPoolReference{Namespace: "pools", PoolName: "pool", ClaimName: claim, ClaimedTimestamp: claimed}
	}
}

func installedAgo(d time.Duration) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) { cd.Status.InstalledTimestamp = ago(d) }
}

func TestHibernateAfter(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name    string
		changes []func(cd *hivev1.ClusterDeployment)
		due     bool
		after   time.Duration // 0: nothing is planned
	}{
		{"not set", []func(cd *hivev1.ClusterDeployment){showing(StateRunning, day)}, false, 0},
		{"runs for long enough", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, 9*time.Hour)}, true, 0},
		{"not yet", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, 6*time.Hour)}, false, 2 * time.Hour},
		{"counts from the installation", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, day), installedAgo(7 * time.Hour)}, false, time.Hour},
		{"counts from the claim", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, day), fromPool("claim", ago(5*time.Hour))}, false, 3 * time.Hour},
		{"claimed before it was resumed", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, 2*time.Hour), fromPool("claim", ago(5*time.Hour))}, false, 6 * time.Hour},
		{"not claimed", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, day), fromPool("", nil)}, false, 0},
		{"claimed by an old Hive, without a time", []func(cd *hivev1.ClusterDeployment){hibernateAfter(8 * time.Hour), showing(StateRunning, day), fromPool("claim", nil)}, true, 0},
		{"zero", []func(cd *hivev1.ClusterDeployment){hibernateAfter(0), showing(StateRunning, day)}, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, installedCD(tt.changes...))
			b.actuator.running = true
			after := b.visit()
			if tt.due {
				b.Expect(b.cd().Spec.PowerState).To(Equal(hivev1.ClusterPowerStateHibernating))
				b.Expect(b.calls()).To(ContainElement("Stop"))
				b.Expect(b.events()).To(ContainElement(ContainSubstring("HibernateAfter")))
				return
			}
			b.Expect(b.cd().Spec.PowerState).To(BeEmpty())
			b.Expect(b.calls()).To(BeEmpty())
			b.Expect(after).To(Equal(tt.after))
		})
	}
}

// TestHibernateAfterTakenBack: a person who takes back what hibernateAfter began wants the cluster to run.
func TestHibernateAfterTakenBack(t *testing.T) {
	for _, state := range []State{StateStopping, StateWaitingToStop, StateFailedToStop} {
		t.Run(string(state), func(t *testing.T) {
			b := newBench(t, installedCD(hibernateAfter(time.Hour), withFinalizer, showing(StateRunning, 9*time.Hour), showing(state, time.Minute)))
			b.actuator.running = true
			b.visit()
			b.Expect(b.cd().Spec.PowerState).To(BeEmpty())
			b.Expect(b.calls()).To(ContainElement("Start"))
			b.pass(time.Second)
			b.visit()
			b.Expect(b.cd().Spec.PowerState).To(BeEmpty(), "it counts from now on")
			b.pass(time.Hour)
			b.visit()
			b.Expect(b.cd().Spec.PowerState).To(Equal(hivev1.ClusterPowerStateHibernating))
		})
	}
}

// TestHibernateAfterAdoption: a cluster that nobody has looked at begins to count when it is first seen to run.
func TestHibernateAfterAdoption(t *testing.T) {
	b := newBench(t, installedCD(hibernateAfter(8*time.Hour)))
	b.actuator.running = true
	b.visit()
	b.Expect(b.shown()[0]).To(Equal("Running"))
	b.pass(time.Second)
	b.Expect(b.visit()).To(Equal(8*time.Hour - time.Second))
	b.pass(8 * time.Hour)
	b.visit()
	b.Expect(b.cd().Spec.PowerState).To(Equal(hivev1.ClusterPowerStateHibernating))
}

// TestHibernateAfterCountsWithoutReadiness: a cluster that never gets ready costs as much as any other.
func TestHibernateAfterCountsWithoutReadiness(t *testing.T) {
	b := newBench(t, installedCD(hibernateAfter(8*time.Hour), showing(StateWaitingForOperators, 9*time.Hour)))
	b.visit()
	b.Expect(b.cd().Spec.PowerState).To(Equal(hivev1.ClusterPowerStateHibernating))
}

func clusterSync(firstSuccess string) *unstructured.Unstructured {
	sync := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{}}}
	if firstSuccess != "" {
		sync.Object["status"] = map[string]any{"firstSuccessTime": firstSuccess}
	}
	sync.SetGroupVersionKind(clusterSyncKind())
	sync.SetNamespace(testNamespace)
	sync.SetName(testName)
	return sync
}

func TestSyncSets(t *testing.T) {
	applied := startOfTest().Add(-time.Minute).Format(time.RFC3339)
	tests := []struct {
		name      string
		installed time.Duration
		sync      *unstructured.Unstructured
		present   State
		held      bool
	}{
		{"just installed, not applied", 3 * time.Minute, clusterSync(""), StateRunning, true},
		{"just installed, not begun to apply", 3 * time.Minute, nil, StateRunning, true},
		{"just installed, applied", 3 * time.Minute, clusterSync(applied), StateRunning, false},
		{"never applied, installed ten minutes ago", 10 * time.Minute, clusterSync(""), StateRunning, false},
		{"never applied, stopping already", 3 * time.Minute, clusterSync(""), StateStopping, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, installedCD(wanting(hivev1.ClusterPowerStateHibernating), installedAgo(tt.installed), showing(tt.present, time.Minute)))
			if tt.sync != nil {
				b.Expect(b.hub.Create(t.Context(), tt.sync)).To(Succeed())
			}
			after := b.visit()
			if !tt.held {
				b.Expect(b.calls()).To(ContainElement("Stop"))
				return
			}
			b.Expect(b.calls()).To(BeEmpty())
			b.Expect(b.cd().Finalizers).To(BeEmpty())
			b.Expect(b.shown()).To(Equal([3]string{"SyncSetsNotApplied", "False SyncSetsNotApplied", "True Running"}))
			b.Expect(after).To(And(BeNumerically(">", 0), BeNumerically("<=", syncSetsBound-tt.installed)))
		})
	}
}

func TestSyncSetsAppliedIsShownOnce(t *testing.T) {
	b := newBench(t, installedCD(wanting(hivev1.ClusterPowerStateHibernating), installedAgo(3*time.Minute), showing(StateSyncSetsNotApplied, time.Minute)))
	b.Expect(b.hub.Create(t.Context(), clusterSync(startOfTest().Format(time.RFC3339)))).To(Succeed())
	after := b.visit()
	b.Expect(b.shown()[1]).To(Equal("False SyncSetsApplied"))
	b.Expect(b.calls()).To(BeEmpty())
	b.Expect(after).To(BeNumerically(">", 0))
	b.visit()
	b.Expect(b.calls()).To(ContainElement("Stop"))
}

func TestSyncSetsWithoutClusterSyncs(t *testing.T) {
	b := newBench(t, installedCD(wanting(hivev1.ClusterPowerStateHibernating), installedAgo(3*time.Minute)))
	b.reconciler.Client = noClusterSyncs{b.hub}
	b.visit()
	b.Expect(b.calls()).To(ContainElement("Stop"))
}
