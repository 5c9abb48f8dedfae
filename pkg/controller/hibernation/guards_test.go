package hibernation

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

func annotated(name, value string) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) {
		metav1.SetMetaDataAnnotation(&cd.ObjectMeta, name, value)
	}
}

func notOnOpenStack(cd *hivev1.ClusterDeployment) { cd.Spec.Platform = hivev1.Platform{} }

// TestGuards are visits that touch no machine, whichever way the cluster is to go.
func TestGuards(t *testing.T) {
	none := [3]string{"", "", ""}
	tests := []struct {
		name       string
		change     func(cd *hivev1.ClusterDeployment)
		asleep     [3]string // shown when it is to hibernate
		awake      [3]string // shown when it is to run
		comesAgain bool
	}{
		{"reconciling paused", annotated(hivev1.AnnotationReconcilePause, "true"), none, none, false},
		{"moved to another hub", annotated(hivev1.AnnotationRelocate, "move/complete"), none, none, false},
		{"on its way to another hub", annotated(hivev1.AnnotationRelocate, "move/outgoing"), none, none, false},
		{"coming from another hub", annotated(hivev1.AnnotationRelocate, "move/incoming"), none, none, false},
		{"power state paused", annotated(hivev1.AnnotationPowerStatePause, "true"),
			[3]string{"Unknown", "Unknown PowerStatePaused", "Unknown PowerStatePaused"},
			[3]string{"Unknown", "Unknown PowerStatePaused", "Unknown PowerStatePaused"}, false},
		{"not installed", func(cd *hivev1.ClusterDeployment) { cd.Spec.Installed = false },
			[3]string{"", "Unknown Initialized", "Unknown Initialized"},
			[3]string{"", "Unknown Initialized", "Unknown Initialized"}, false},
		{"another platform", notOnOpenStack,
			[3]string{"Running", "False Unsupported", "True Running"},
			[3]string{"Running", "False Unsupported", "True Running"}, false},
		{"no cluster metadata", func(cd *hivev1.ClusterDeployment) { cd.Spec.ClusterMetadata = nil },
			[3]string{"FailedToStop", "False FailedToStop", "Unknown Initialized"},
			[3]string{"FailedToStartMachines", "False ResumingOrRunning", "False FailedToStartMachines"}, true},
		{"no infraID", func(cd *hivev1.ClusterDeployment) { cd.Spec.ClusterMetadata.InfraID = "" },
			[3]string{"FailedToStop", "False FailedToStop", "Unknown Initialized"},
			[3]string{"FailedToStartMachines", "False ResumingOrRunning", "False FailedToStartMachines"}, true},
	}
	for _, tt := range tests {
		for want, shown := range map[hivev1.ClusterPowerState][3]string{
			hivev1.ClusterPowerStateHibernating: tt.asleep,
			hivev1.ClusterPowerStateRunning:     tt.awake,
			"":                                  tt.awake,
		} {
			t.Run(tt.name+", wanted "+string(want), func(t *testing.T) {
				b := newBench(t, installedCD(wanting(want), tt.change))
				after := b.visit()
				b.Expect(b.shown()).To(Equal(shown))
				b.Expect(b.calls()).To(BeEmpty())
				b.Expect(b.cd().Finalizers).To(BeEmpty())
				b.Expect(after > 0).To(Equal(tt.comesAgain))

				b.writes = 0
				b.visit()
				b.Expect(b.writes).To(BeZero(), "a second visit says nothing new")
			})
		}
	}
}

func TestSwitchesThatAreOff(t *testing.T) {
	for _, value := range []string{"false", "", "nonsense"} {
		b := newBench(t, installedCD(annotated(hivev1.AnnotationReconcilePause, value), annotated(hivev1.AnnotationPowerStatePause, value)))
		b.actuator.running = true
		b.visit()
		b.Expect(b.shown()[0]).To(Equal("Running"))
	}
}

func TestPauseLifted(t *testing.T) {
	b := newBench(t, installedCD(showing(StatePaused, time.Hour)))
	b.actuator.running = true
	b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"Running", "False ResumingOrRunning", "True Running"}))
}

// TestTwoClusterDeploymentsOfOneCluster: both are refused, in both directions.
func TestTwoClusterDeploymentsOfOneCluster(t *testing.T) {
	for _, want := range []hivev1.ClusterPowerState{hivev1.ClusterPowerStateHibernating, hivev1.ClusterPowerStateRunning} {
		for _, present := range []State{StateRunning, StateHibernating, StateStopping} {
			t.Run(string(want)+" from "+string(present), func(t *testing.T) {
				twin := installedCD()
				twin.Namespace, twin.Name, twin.UID = "other", "twin", "uid-2"
				b := newBench(t, installedCD(wanting(want), showing(present, time.Hour), withFinalizer), twin)
				b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
				after := b.visit()
				b.Expect(b.calls()).To(BeEmpty())
				if string(present) == string(want) {
					b.Expect(b.shown()[0]).To(Equal(string(want)), "where nothing is to be done nothing is refused")
					return
				}
				b.Expect(b.shown()[0]).To(HavePrefix("FailedTo"))
				b.Expect(after).To(BeNumerically(">=", slowRetry))
				kind := hivev1.ClusterHibernatingCondition
				if want == hivev1.ClusterPowerStateRunning {
					kind = hivev1.ClusterReadyCondition
				}
				b.Expect(b.message(kind)).To(And(ContainSubstring(testInfraID), ContainSubstring("other/twin")))
			})
		}
	}
}

func TestTwinGoneIsTriedAgain(t *testing.T) {
	twin := installedCD()
	twin.Namespace, twin.Name, twin.UID = "other", "twin", "uid-2"
	b := newBench(t, installedCD(), twin)
	b.actuator.running = true
	b.visit()
	b.Expect(b.shown()[0]).To(Equal("FailedToStartMachines"))
	b.Expect(b.hub.Delete(context.Background(), twin)).To(Succeed())
	b.visit()
	b.Expect(b.shown()[0]).To(Equal("Running"))
}

func TestForgetsWhatIsGone(t *testing.T) {
	b := newBench(t)
	b.Expect(b.visit()).To(BeZero())
	b.Expect(b.remote.forgotten).To(ConsistOf(key()))
}
